//! What a test needs of the machine, probed; a skip is loud, and a failure where `TEU_TEST_REQUIRE` names the need.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// `needs!(Root, Registry)`: leaves the test, saying why, when the machine lacks one of them.
#[macro_export]
macro_rules! needs {
    ($($need:ident),+ $(,)?) => {
        $(
            if let Some(reason) = $crate::support::needs::lacking($crate::support::needs::Need::$need) {
                $crate::support::needs::skip(stringify!($need), &reason, module_path!(), line!());
                return;
            }
        )+
    };
}

#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Real root.
    Root,
    /// An ordinary user.
    User,
    /// User namespaces for whoever runs this (root needs none).
    Userns,
    /// newuidmap and sub-ids for the user who runs this (root needs none).
    SubIds,
    /// Containers get a control group.
    Cgroup,
    /// ... on the unified hierarchy.
    CgroupV2,
    /// ... on v1's hierarchies, one of them a service manager's.
    CgroupV1,
    /// docker-registry, skopeo and a static busybox.
    Registry,
    Tmux,
    /// The right to make network namespaces.
    Netns,
    /// The `nft` program, to compare with.
    Nft,
    /// For servers of UDP; essential on Debian and Ubuntu.
    Perl,
    /// A service manager and its bus, which a test can start for itself.
    Systemd,
    /// Another engine, which takes teu for its OCI runtime.
    Podman,
}

/// Why the machine lacks it; `None`: it is there.
pub fn lacking(need: Need) -> Option<String> {
    match need {
        Need::Root => (!is_root()).then(|| "not root".into()),
        Need::User => is_root().then(|| "runs as root".into()),
        Need::Userns => (!is_root() && !quietly(Command::new("unshare").args(["-Ur", "true"])))
            .then(|| "unprivileged user namespaces are switched off".into()),
        Need::SubIds => (!is_root()).then(no_sub_ids).flatten(),
        Need::Cgroup => no_cgroup(),
        Need::CgroupV2 => {
            let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
            if v2 { no_cgroup() } else { Some("no unified control group hierarchy".into()) }
        }
        Need::CgroupV1 => {
            let v1 =
                ["memory", "freezer", "systemd"].iter().all(|name| Path::new("/sys/fs/cgroup").join(name).is_dir());
            if v1 { no_cgroup() } else { Some("no control groups v1".into()) }
        }
        Need::Registry => missing_program(&["docker-registry", "skopeo", "busybox"]),
        Need::Netns => (!quietly(Command::new("unshare").args(["-n", "true"])))
            .then(|| "no right to make network namespaces".into()),
        Need::Nft => missing_program(&["nft", "ip"]),
        Need::Systemd => missing_program(&["dbus-daemon", "systemctl", "nsenter"])
            .or_else(|| (!Path::new("/lib/systemd/systemd").exists()).then(|| "systemd is not installed".into())),
        Need::Podman => missing_program(&["podman", "conmon"]),
        Need::Perl => missing_program(&["perl"]),
        Need::Tmux => missing_program(&["tmux"]),
    }
}

/// Reports a skip on stderr and in the file `TEU_TEST_SKIPS` names, or fails if the need was required.
pub fn skip(need: &str, reason: &str, module: &str, line: u32) {
    let required = std::env::var("TEU_TEST_REQUIRE").unwrap_or_default();
    let need = need.to_lowercase();
    assert!(!required.split([',', ' ']).any(|name| name == need), "{need} is required on this machine, but: {reason}");
    let test = std::thread::current().name().unwrap_or(module).to_owned();
    let text = format!("SKIP {test} ({module}:{line}): needs {need}: {reason}\n");
    eprint!("{text}");
    if let Some(path) = std::env::var_os("TEU_TEST_SKIPS")
        && let Ok(mut file) = fs::OpenOptions::new().append(true).create(true).open(path)
    {
        let _ = file.write_all(text.as_bytes());
    }
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

fn quietly(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

fn missing_program(names: &[&str]) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let there = |name: &str| path.split(':').any(|dir| Path::new(dir).join(name).exists());
    names.iter().find(|name| !there(name)).map(|name| format!("{name} is not installed"))
}

fn no_sub_ids() -> Option<String> {
    let name = Command::new("id").arg("-un").output().ok()?;
    let name = String::from_utf8_lossy(&name.stdout).trim().to_owned();
    let listed = fs::read_to_string("/etc/subuid").unwrap_or_default();
    if !listed.lines().any(|line| line.starts_with(&format!("{name}:"))) {
        return Some(format!("{name} has no line in /etc/subuid"));
    }
    missing_program(&["newuidmap", "newgidmap"])
}

fn no_cgroup() -> Option<String> {
    let mut identity = teu::sys::userns::identity().clone();
    identity.rootless = !is_root();
    let support = teu::runtime::cgroup::support(&identity);
    (!support.usable()).then(|| support.reasons.join("; "))
}
