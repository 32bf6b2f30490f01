//! Which namespaces are made, which are joined, and the clone that does both.

use super::mapped::Users;
use super::{Outcome, internal, invalid};
use crate::runtime::cgroup::Group;
use crate::runtime::init::namespace_flag;
use crate::runtime::init::report::{During, failure, text};
use crate::runtime::protocol::{Failure, FailureKind};
use crate::sys::{self, clone, process};
use oci_spec::runtime::{LinuxIdMapping, LinuxNamespace, LinuxNamespaceType, Spec};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Everything but the mount namespace's content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Made by the clone. The cgroup namespace is not among them: it is made once the process is in its group.
    pub new: u64,
    pub new_cgroup: bool,
    /// Joined before the clone, users last.
    joined: Vec<Joined>,
    new_time: bool,
    time_offsets: String,
    pub uid_map: Vec<LinuxIdMapping>,
    pub gid_map: Vec<LinuxIdMapping>,
}

#[derive(Clone, Debug, PartialEq)]
struct Joined {
    path: PathBuf,
    kind: LinuxNamespaceType,
    bit: u64,
}

/// The namespaces to join, in the plan's order.
pub struct Opened(Vec<OwnedFd>);

/// The namespace to join; an empty path means a new one.
pub fn path(namespace: &LinuxNamespace) -> Option<&Path> {
    namespace.path().as_deref().filter(|p| !p.as_os_str().is_empty())
}

/// Pure.
pub fn plan(spec: &Spec) -> Outcome<Plan> {
    let linux = spec.linux().as_ref();
    let map = |m: Option<&Option<Vec<LinuxIdMapping>>>| m.and_then(Clone::clone).unwrap_or_default();
    let mut plan = Plan {
        new: 0,
        new_cgroup: false,
        joined: Vec::new(),
        new_time: false,
        time_offsets: offsets(spec),
        uid_map: map(linux.map(|l| l.uid_mappings())),
        gid_map: map(linux.map(|l| l.gid_mappings())),
    };
    for namespace in super::config::listed(spec) {
        let (kind, bit) = (namespace.typ(), namespace_flag(namespace.typ()));
        match path(namespace) {
            Some(path) => plan.joined.push(Joined { path: path.to_owned(), kind, bit }),
            None if kind == LinuxNamespaceType::Cgroup => plan.new_cgroup = true,
            None if kind == LinuxNamespaceType::Time => plan.new_time = true,
            None => plan.new |= bit,
        }
    }
    // What belongs to the machine is entered while the powers over it are still there; mounts after all whose names are
    // looked up by path.
    plan.joined.sort_by_key(|joined| (joined.bit == clone::NEWUSER, joined.bit == clone::NEWNS));
    if plan.makes_users() && (plan.uid_map.is_empty() || plan.gid_map.is_empty()) {
        return Err(invalid("config.json: a new user namespace needs uidMappings and gidMappings"));
    }
    Ok(plan)
}

/// Refuses everything but a namespace of that kind: a FIFO would block, another kind would be joined by mistake.
pub fn open(path: &Path, kind: LinuxNamespaceType) -> Outcome<OwnedFd> {
    let what = format!("opening the {kind} namespace {}", path.display());
    let meta = std::fs::metadata(path).during(&what)?;
    if !meta.is_file() {
        return Err(invalid(format!("{} is not a namespace", path.display())));
    }
    let file: OwnedFd = File::open(path).during(&what)?.into();
    if sys::facts::magic_of(&file).during(&what)? != NSFS_MAGIC {
        return Err(invalid(format!("{} is not a namespace", path.display())));
    }
    Ok(file)
}

/// statfs(2) type of namespace files.
const NSFS_MAGIC: i64 = 0x6e73_6673;

/// As `/proc/PID/timens_offsets` takes them.
fn offsets(spec: &Spec) -> String {
    let offsets = spec.linux().as_ref().and_then(|l| l.time_offsets().as_ref());
    let mut lines: Vec<String> = offsets
        .into_iter()
        .flatten()
        .map(|(clock, o)| format!("{clock} {} {}\n", o.secs().unwrap_or(0), o.nanosecs().unwrap_or(0)))
        .collect();
    lines.sort();
    lines.concat()
}

impl Plan {
    pub fn makes_users(&self) -> bool {
        self.new & clone::NEWUSER != 0
    }

    /// In another user namespace than the caller's.
    pub fn other_users(&self) -> bool {
        self.makes_users() || self.joins_users()
    }

    pub fn joins_users(&self) -> bool {
        self.joins(clone::NEWUSER)
    }

    fn joins(&self, bit: u64) -> bool {
        self.joined.iter().any(|joined| joined.bit == bit)
    }

    /// Opens what is to be joined. The runtime's own mount namespace is refused.
    pub fn open(&self) -> Outcome<Opened> {
        let opened = self.joined.iter().map(|joined| open(&joined.path, joined.kind)).collect::<Outcome<Vec<_>>>()?;
        if let Some((_, fd)) = self.joined.iter().zip(&opened).find(|(joined, _)| joined.bit == clone::NEWNS) {
            let own = File::open("/proc/self/ns/mnt").during("opening the own mount namespace")?;
            let same = |a, b| Ok::<_, sys::Error>(process::file_identity(a)? == process::file_identity(b)?);
            if same(fd.as_fd(), own.as_fd()).during("comparing mount namespaces")? {
                return Err(invalid("the mount namespace to join is the runtime's own: its root would be exchanged"));
            }
        }
        Ok(Opened(opened))
    }

    /// The container's own user namespace, whose map its mounts may take over.
    pub fn users(&self, spec: &Spec) -> Option<Users> {
        let listed = super::config::listed(spec).iter().find(|n| n.typ() == LinuxNamespaceType::User)?;
        Some(match path(listed) {
            Some(path) => Users::Path(path.to_owned()),
            None => Users::Maps { uid: self.uid_map.clone(), gid: self.gid_map.clone() },
        })
    }

    pub fn makes_network(&self) -> bool {
        self.new & clone::NEWNET != 0
    }

    /// Otherwise what is mounted for the container is mounted where its creator is.
    pub fn own_mounts(&self) -> bool {
        self.new & clone::NEWNS != 0 || self.joins(clone::NEWNS)
    }

    pub fn own_cgroups(&self) -> bool {
        self.new_cgroup || self.joins(clone::NEWCGROUP)
    }

    /// Why the kernel makes no such process, where something can be done about it.
    fn refused(&self, error: &sys::Error) -> Failure {
        let mut failure = failure(FailureKind::Denied, "cloning the container's first process");
        failure.chain.push(text(error));
        failure.hint = match self.makes_users() {
            true => sys::userns::hint(error.errno()),
            false if sys::channel::own_uid() == 0 => None,
            false => Some("an ordinary user's container needs a user namespace of its own".to_owned()),
        };
        failure
    }

    /// Clones the first process. It is a child of the caller in every case.
    pub fn clone(&self, opened: &Opened, group: &Group) -> Outcome<clone::Side> {
        if self.joined.is_empty() && !self.new_time {
            let made = clone::clone3(self.new, group.clone_fd());
            return made.map_err(|e| self.refused(&e));
        }
        by_helper(|| {
            self.enter(opened)?;
            clone::clone3_sibling(self.new, group.clone_fd())
        })
    }

    fn enter(&self, opened: &Opened) -> sys::Result<()> {
        if self.new_time {
            clone::unshare(clone::NEWTIME)?;
            if !self.time_offsets.is_empty() {
                let file = "/proc/self/timens_offsets";
                std::fs::write(file, &self.time_offsets).map_err(|e| sys::Error::at("write", file, e))?;
            }
        }
        let mut later = Vec::new();
        let failed = |joined: &Joined, e: sys::Error| sys::Error::at("setns", joined.kind.to_string(), e.source);
        for (joined, fd) in self.joined.iter().zip(&opened.0).filter(|(joined, _)| joined.bit != clone::NEWCGROUP) {
            match clone::setns(fd.as_fd(), joined.bit) {
                // One that the user namespace still to be joined owns: allowed only from inside.
                Err(e) if e.errno() == EPERM && joined.bit != clone::NEWUSER => later.push((joined, fd)),
                other => other.map_err(|e| failed(joined, e))?,
            }
        }
        for (joined, fd) in later {
            clone::setns(fd.as_fd(), joined.bit).map_err(|e| failed(joined, e))?;
        }
        Ok(())
    }

    /// By the first process itself, once it is in its group: from elsewhere the kernel lets nobody into a group that
    /// lies in another namespace.
    pub fn enter_cgroups(&self, opened: &Opened) -> sys::Result<()> {
        if self.new_cgroup {
            return clone::unshare(clone::NEWCGROUP);
        }
        let joined = self.joined.iter().zip(&opened.0).find(|(joined, _)| joined.bit == clone::NEWCGROUP);
        joined.map_or(Ok(()), |(joined, fd)| clone::setns(fd.as_fd(), joined.bit))
    }

    /// Writes the id maps of the new user namespace.
    pub fn write_maps(&self, pid: i32) -> Outcome<()> {
        if self.makes_users() { write_maps_of(pid, &self.uid_map, &self.gid_map) } else { Ok(()) }
    }
}

/// Maps the ids of that process's new user namespace, by newuidmap and newgidmap where one's own powers do not suffice.
pub fn write_maps_of(pid: i32, uid_map: &[LinuxIdMapping], gid_map: &[LinuxIdMapping]) -> Outcome<()> {
    for (tool, file, map) in [("newuidmap", "uid_map", uid_map), ("newgidmap", "gid_map", gid_map)] {
        let lines: String =
            map.iter().map(|m| format!("{} {} {}\n", m.container_id(), m.host_id(), m.size())).collect();
        let place = format!("/proc/{pid}/{file}");
        let Err(refused) = std::fs::write(&place, &lines) else { continue };
        if refused.raw_os_error() == Some(EINVAL) {
            return Err(invalid(format!("the kernel does not take this {file}: {}", lines.trim().replace('\n', ", "))));
        }
        let single = map.len() == 1 && map[0].size() == 1;
        if single && file == "gid_map" {
            // Without the right to map groups at large, dropping groups has to be given up first.
            std::fs::write(format!("/proc/{pid}/setgroups"), "deny").during("giving up supplementary groups")?;
            std::fs::write(&place, &lines).during(&format!("writing {place}"))?;
            continue;
        }
        run_tool(tool, pid, &lines)?;
    }
    Ok(())
}

const EPERM: i32 = 1;
const EINVAL: i32 = 22;

fn run_tool(tool: &str, pid: i32, lines: &str) -> Outcome<()> {
    let mut command = std::process::Command::new(tool);
    command.arg(pid.to_string()).args(lines.split_whitespace());
    let output = command.output().during(&format!("running {tool}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failure(FailureKind::Denied, format!("{tool} failed: {}", said.trim())))
}

/// Lets a process of its own enter namespaces, and clone the wanted one as its sibling: a child of the caller, who
/// itself stays where it is. The helper cannot be looked into from the namespaces it enters.
pub fn by_helper(work: impl FnOnce() -> sys::Result<clone::Side>) -> Outcome<clone::Side> {
    let (mut ours, mut theirs) = std::io::pipe().during("making a pipe")?;
    let Some(helper) = clone::fork().during("forking")? else {
        drop(ours);
        let answer = match process::set_dumpable(false).and_then(|_| work()) {
            Ok(clone::Side::Child) => return Ok(clone::Side::Child),
            Ok(clone::Side::Parent { pid, .. }) => pid.to_string(),
            Err(e) => format!("-{}", text(&e)),
        };
        let told = theirs.write_all(answer.as_bytes());
        process::exit_now(i32::from(told.is_err()));
    };
    drop(theirs);
    let mut answer = String::new();
    let told = ours.read_to_string(&mut answer);
    process::wait_pid(helper).during("waiting for the helper")?;
    told.during("hearing of the new process")?;
    match answer.parse::<i32>() {
        // A child of ours: its number stays its own until we reap it.
        Ok(pid) if pid > 0 => {
            Ok(clone::Side::Parent { pid, pidfd: process::pidfd_open(pid).during("opening the new process")? })
        }
        _ => Err(internal(format!("entering the container's namespaces: {}", answer.trim_start_matches('-')))),
    }
}
