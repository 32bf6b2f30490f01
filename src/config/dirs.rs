//! Where state lives: `--root`, the system's directories for root, the XDG ones for everybody else.

use super::environment::{env_path, env_text};
use super::{Error, Overrides};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

pub(super) struct Places {
    pub data: PathBuf,
    pub run: PathBuf,
    pub config: PathBuf,
    pub state: PathBuf,
    pub home: Option<PathBuf>,
}

/// The uid outside of teu's own user namespace: a role that was started inside it is told by `TEU_USERNS=uid:gid:…`.
/// Real root is not fooled by such a variable.
fn real_uid() -> u32 {
    let effective = effective_uid();
    let told = env_text("TEU_USERNS").and_then(|v| v.split(':').next().and_then(|uid| uid.parse().ok()));
    match told {
        Some(uid) if effective == 0 && !initial_user_namespace() => uid,
        _ => effective,
    }
}

fn initial_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The owner of `/proc/self`; 0 when there is no /proc (teu says so where it matters).
fn effective_uid() -> u32 {
    std::fs::metadata("/proc/self").map_or(0, |m| m.uid())
}

pub(super) fn places(overrides: &Overrides) -> Result<Places, Error> {
    let root = overrides.root.clone().or_else(|| env_text("TEU_ROOT").map(PathBuf::from)).map(|p| absolute(&p));
    let uid = real_uid();
    let base = directories::BaseDirs::new();
    let home = base.as_ref().map(|b| b.home_dir().to_owned());
    let user = |dir: fn(&directories::BaseDirs) -> PathBuf| -> Result<PathBuf, Error> {
        base.as_ref().map(|b| dir(b).join("teu")).ok_or(Error::NoHome(uid))
    };
    let config = match uid {
        0 => PathBuf::from("/etc/teu"),
        _ => user(|b| b.config_dir().to_owned()).unwrap_or_else(|_| PathBuf::from("/etc/teu")),
    };
    let (data, run, state) = match (root, uid) {
        (Some(root), _) => (root.clone(), root.join("run"), root),
        (None, 0) => ("/var/lib/teu".into(), "/run/teu".into(), "/var/lib/teu".into()),
        (None, _) => (
            user(|b| b.data_dir().to_owned())?,
            env_path("XDG_RUNTIME_DIR").map_or_else(|| PathBuf::from(format!("/tmp/teu-{uid}")), |d| d.join("teu")),
            user(|b| b.state_dir().unwrap_or_else(|| b.data_dir()).to_owned())?,
        ),
    };
    let data = overrides.data_dir.as_deref().map_or(data, absolute);
    let run = overrides.run_dir.as_deref().map_or(run, absolute);
    Ok(Places { data, run, config, state, home })
}

/// Makes a relative path of a flag absolute without asking the disk about links.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Docker's file, then podman's: the order in which credentials are looked for.
pub(super) fn auth_files(home: Option<&Path>) -> Vec<PathBuf> {
    let docker = env_text("DOCKER_CONFIG").map(PathBuf::from).or_else(|| home.map(|h| h.join(".docker")));
    let mut files = Vec::new();
    files.extend(env_text("REGISTRY_AUTH_FILE").map(PathBuf::from));
    files.extend(docker.map(|d| d.join("config.json")));
    files.extend(env_path("XDG_RUNTIME_DIR").map(|d| d.join("containers/auth.json")));
    files.extend(env_path("XDG_CONFIG_HOME").or_else(|| home.map(|h| h.join(".config"))).map(|d| {
        let mut path = d;
        path.push("containers/auth.json");
        path
    }));
    files
}

/// Makes the run directory (0700) or checks that the one that is there is ours: sockets in a directory that another
/// user can write to would give that user our containers.
pub(super) fn prepare_run_dir(path: &Path) -> Result<(), Error> {
    let refuse = |why: String| Error::Directory { path: path.to_owned(), why };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| refuse(format!("{e}{}", whose(path, &e))))?;
    let meta = std::fs::symlink_metadata(path).map_err(|e| refuse(e.to_string()))?;
    if !meta.is_dir() {
        return Err(refuse("it is not a directory".into()));
    }
    check_owner(path, &meta)?;
    if meta.mode() & 0o022 != 0 {
        return Err(refuse(format!("others may write to it (mode {:o}); chmod 700 it", meta.mode() & 0o7777)));
    }
    Ok(())
}

/// The data directory, where it is there already: its owner could put links in our way and read what we keep.
pub(super) fn check_data_dir(path: &Path) -> Result<(), Error> {
    std::fs::metadata(path).map_or(Ok(()), |meta| check_owner(path, &meta))
}

fn check_owner(path: &Path, meta: &std::fs::Metadata) -> Result<(), Error> {
    let uid = effective_uid();
    if meta.uid() == uid {
        return Ok(());
    }
    let why = format!("it belongs to uid {}, not to us (uid {uid})", meta.uid());
    Err(Error::Directory { path: path.to_owned(), why })
}

/// Whose directory kept us from making `path`.
fn whose(path: &Path, error: &std::io::Error) -> String {
    if error.kind() != std::io::ErrorKind::PermissionDenied {
        return String::new();
    }
    let owner = |dir: &Path| Some((dir.display().to_string(), std::fs::metadata(dir).ok()?.uid()));
    let found = path.ancestors().skip(1).find_map(owner);
    found.map_or_else(String::new, |(dir, uid)| format!(" ({dir} belongs to uid {uid})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_root_holds_everything() {
        let overrides = Overrides { root: Some("/x/y".into()), ..Default::default() };
        let places = places(&overrides).unwrap();
        assert_eq!((places.data, places.run), ("/x/y".into(), "/x/y/run".into()));
    }

    #[test]
    fn a_run_directory_others_can_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("a/run");
        prepare_run_dir(&run).unwrap();
        assert_eq!(std::fs::metadata(&run).unwrap().mode() & 0o777, 0o700);
        std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(prepare_run_dir(&run).unwrap_err().to_string().contains("others may write"));
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(prepare_run_dir(&dir.path().join("file")).is_err());
    }
}
