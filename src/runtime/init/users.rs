//! A container in a user namespace of its own: the namespace, what only its maker may do, and the clone into it.
//!
//! A helper does what needs the rights of whoever runs teu: it joins the control group, sets limits, opens what is
//! mounted from the host, and puts the root file system together. Then it enters the namespace and clones the init there,
//! whose other namespaces so belong to it. Layers and volumes keep their owners on disk: they are seen through id-mapped
//! mounts, nothing is changed. Without rights over the file system (an ordinary user) the map leads within the user's own
//! ids, and files are as they are.

use super::report::{During, failure};
use crate::model::isolation::{IdRange, UserMap};
use crate::runtime::launch::Launch;
use crate::runtime::protocol::{Failure, FailureKind};
use crate::sys::mount_op::{MountOp, Root, Source};
use crate::sys::{self, clone, files, mount, process};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Makes the namespace with its map. It lives as long as the descriptor; a process is needed only to make it.
pub fn make(map: &UserMap) -> Result<OwnedFd, Failure> {
    held(
        clone::NEWUSER,
        || Ok(()),
        |pid| {
            for (file, ranges) in [("uid_map", &map.uid), ("gid_map", &map.gid)] {
                let lines: String =
                    ranges.iter().map(|r| format!("{} {} {}\n", r.inside, r.outside, r.count)).collect();
                let place = format!("/proc/{pid}/{file}");
                std::fs::write(&place, &lines)
                    .during(&format!("mapping ids ({})", lines.trim().replace('\n', ", ")))?;
            }
            let file = format!("/proc/{pid}/ns/user");
            File::open(&file).map(OwnedFd::from).during(&format!("opening {file}"))
        },
    )
}

/// A network namespace that belongs to it, its loopback up.
pub fn network(users: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let enter = || {
        clone::setns(users, clone::NEWUSER)?;
        clone::unshare(clone::NEWNET)?;
        sys::loopback::up()
    };
    held(0, enter, |pid| {
        let file = format!("/proc/{pid}/ns/net");
        File::open(&file).map(OwnedFd::from).during(&format!("opening {file}"))
    })
}

/// Runs `take` while a process lives that was cloned with `flags` and has done `first`.
fn held(
    flags: u64,
    first: impl FnOnce() -> sys::Result<()>,
    take: impl FnOnce(i32) -> Result<OwnedFd, Failure>,
) -> Result<OwnedFd, Failure> {
    let (mut wait, hold) = std::io::pipe().during("making a pipe")?;
    let (mut ours, mut theirs) = std::io::pipe().during("making a pipe")?;
    match clone::clone3(flags, None).during("making a namespace")? {
        clone::Side::Child => {
            drop((hold, ours));
            let _ = process::parent_death_signal(9);
            let errno = first().err().map_or(0, |e| e.errno());
            let _ = theirs.write_all(&errno.to_ne_bytes());
            // Until the other end closes, by whatever.
            let _ = wait.read(&mut [0]);
            process::exit_now(0)
        }
        clone::Side::Parent { pid, pidfd } => {
            drop((wait, theirs));
            let mut errno = [0; 4];
            let told = ours.read_exact(&mut errno).during("hearing of the new namespace");
            let taken = told.and_then(|()| match i32::from_ne_bytes(errno) {
                0 => take(pid),
                errno => Err(sys::Error::new("unshare", std::io::Error::from_raw_os_error(errno)))
                    .during("making a namespace in the container's user namespace"),
            });
            drop(hold);
            process::wait_pidfd(pidfd.as_fd(), true).during("waiting for the maker of the namespace")?;
            taken
        }
    }
}

/// A file or tree of the host's that is mounted.
pub(super) struct Bound {
    path: PathBuf,
    recursive: bool,
    /// Its owners are meant as the container's.
    mapped: bool,
}

/// Where the root is among the prepared trees.
pub(super) const ROOT: Root = Root::Prepared(0);

/// Takes the binds out of the steps: what they mean is opened by the helper, behind the root.
pub(super) fn take_binds(launch: &Launch, ops: &mut [MountOp]) -> Vec<Bound> {
    let data = launch.dir.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let own = |path: &Path| path.starts_with(&launch.dir) || path.starts_with(data.join("volumes"));
    let asked = |option: &String| option == crate::runtime::rootfs::ID_MAPPED;
    let id_mapped = |target: &str| {
        let mut mounts = launch.spec.mounts().iter().flatten();
        mounts.any(|m| m.destination() == Path::new(target) && m.options().iter().flatten().any(asked))
    };
    let mut binds = Vec::new();
    for op in ops {
        let MountOp::Mount(mount) = op else { continue };
        let Source::Bind { path, recursive } = &mount.source else { continue };
        // Kernel file systems and devices are opened by the init as anybody's.
        if mount.optional || path.starts_with("/dev") || path.starts_with("/sys") || path.starts_with("/proc") {
            continue;
        }
        let mapped = !launch.user_namespace && (own(path) || id_mapped(&mount.target));
        binds.push(Bound { path: path.clone(), recursive: *recursive, mapped });
        mount.source = Source::Prepared(binds.len());
    }
    binds
}

/// The helper's trees: the root, then what is bound.
pub(super) fn prepare(
    launch: &Launch,
    map: &UserMap,
    root: &Root,
    binds: &[Bound],
    users: BorrowedFd<'_>,
) -> Result<Vec<OwnedFd>, Failure> {
    clone::unshare(clone::NEWNS).during("making a mount namespace")?;
    let mut bound = Vec::new();
    for bind in binds {
        let what = format!("opening {}", bind.path.display());
        let tree = tree_of(&bind.path, bind.recursive).during(&what)?;
        if bind.mapped {
            map_ids(tree.as_fd(), users, &bind.path)?;
        }
        bound.push(tree);
    }
    mount::set_propagation_all("/", mount::Propagation::Private).during("making the mounts private")?;
    let mut trees = vec![root_tree(launch, map, root, users)?];
    trees.append(&mut bound);
    Ok(trees)
}

fn root_tree(launch: &Launch, map: &UserMap, root: &Root, users: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let mapped = !launch.user_namespace;
    let what = "setting up the root file system";
    match root {
        Root::Overlay(overlay) => {
            if mapped {
                for lower in &overlay.lower {
                    let layer = tree_of(lower, false).during(what)?;
                    map_ids(layer.as_fd(), users, lower)?;
                    // On its own place, in this namespace alone: there overlay finds it.
                    mount::attach_at(layer.as_fd(), lower).during(what)?;
                }
                own_upper(&overlay.upper, map).during(what)?;
            }
            let mounted = mount::overlay_at(overlay, &launch.dir).during(what)?;
            mount::clone_tree(mounted.as_fd(), Path::new(""), false).during(what)
        }
        Root::Directory(path) => {
            let tree = tree_of(path, true).during(what)?;
            if mapped {
                map_ids(tree.as_fd(), users, path)?;
            }
            Ok(tree)
        }
        Root::Prepared(_) | Root::Here(_) => Err(failure(FailureKind::Internal, "the root is prepared twice")),
    }
}

/// The root directory itself is the upper directory; all else is made by the container.
fn own_upper(upper: &Path, map: &UserMap) -> sys::Result<()> {
    let fd = files::open_dir(upper)?;
    let stat = files::stat(&fd)?;
    let outside = |ranges: &[IdRange], id: u32| ranges.iter().any(|r| id >= r.outside && id - r.outside < r.count);
    if outside(&map.uid, stat.uid) && outside(&map.gid, stat.gid) {
        return Ok(());
    }
    let ids = (IdRange::of(&map.uid, stat.uid), IdRange::of(&map.gid, stat.gid));
    let (uid, gid) = (ids.0.or(IdRange::of(&map.uid, 0)), ids.1.or(IdRange::of(&map.gid, 0)));
    files::chown(&fd, uid.unwrap_or(stat.uid), gid.unwrap_or(stat.gid))
}

fn tree_of(path: &Path, recursive: bool) -> sys::Result<OwnedFd> {
    let here = files::open_dir(Path::new("/"))?;
    mount::clone_tree(here.as_fd(), path, recursive)
}

fn map_ids(tree: BorrowedFd<'_>, users: BorrowedFd<'_>, path: &Path) -> Result<(), Failure> {
    let what = format!("mapping the owners of files in {}", path.display());
    mount::map_ids(tree, users, false).during(&what).map_err(|mut failure| {
        if failure.chain.iter().any(|line| line.contains("invalid argument") || line.contains("not supported")) {
            failure.kind = FailureKind::Unsupported;
            failure.hint =
                Some("this file system or kernel cannot map ids: leave out --userns, or use another --root".into());
        }
        failure
    })
}

/// Clones the init by a helper, which does `work` and gives the answer of its clone: the new process is the caller's child.
pub(super) fn by_helper(work: impl FnOnce() -> Result<clone::Side, Failure>) -> Result<clone::Side, Failure> {
    let (mut ours, mut theirs) = std::io::pipe().during("making a pipe")?;
    let Some(helper) = clone::fork().during("forking")? else {
        drop(ours);
        let answer = match process::set_dumpable(false).during("hiding the helper").and_then(|_| work()) {
            Ok(clone::Side::Child) => return Ok(clone::Side::Child),
            Ok(clone::Side::Parent { pid, .. }) => Ok(pid),
            Err(failure) => Err(failure),
        };
        let told = theirs.write_all(&serde_json::to_vec(&answer).unwrap_or_default());
        process::exit_now(i32::from(told.is_err()));
    };
    drop(theirs);
    let mut answer = Vec::new();
    let told = ours.read_to_end(&mut answer);
    process::wait_pid(helper).during("waiting for the helper")?;
    told.during("hearing of the new process")?;
    let silent = |_| failure(FailureKind::Internal, "the helper that starts the container died");
    let pid = serde_json::from_slice::<Result<i32, Failure>>(&answer).map_err(silent)??;
    // A child of ours: its number stays its own until we reap it.
    Ok(clone::Side::Parent { pid, pidfd: process::pidfd_open(pid).during("opening the new process")? })
}

/// Root of the namespace that was entered. The change of ids makes the kernel forget what it was told at a parent's death.
pub(super) fn become_root() -> Result<(), Failure> {
    process::set_ids(0, 0).during("becoming root of the user namespace")?;
    process::parent_death_signal(9).during("tying the process to the monitor")
}
