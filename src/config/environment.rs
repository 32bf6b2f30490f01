//! Variables of the environment: what counts as set.

use std::ffi::OsString;
use std::path::PathBuf;

/// The value of a variable of our own environment, for `-e NAME` without a value.
pub fn environment_value(name: &str) -> Option<String> {
    std::env::var_os(name).map(|v| v.to_string_lossy().into_owned())
}

/// What processes that outlive their caller keep of its environment: where things are, and no secrets. They are told
/// the state's directories as arguments.
pub fn lasting_environment() -> Vec<(OsString, OsString)> {
    let kept = ["PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "TEU_SCOPE"];
    kept.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))).collect()
}

/// Set and not empty.
pub(super) fn env_text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// Absolute and not empty, as the XDG specification asks.
pub(super) fn env_path(name: &str) -> Option<PathBuf> {
    env_text(name).map(PathBuf::from).filter(|p| p.is_absolute())
}

/// What shows an address in the user's browser, where there is a desktop of the user's own to show it on. Through sudo the
/// desktop is somebody else's.
pub(super) fn browser() -> Option<PathBuf> {
    browser_by(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
}

fn browser_by(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    variable("WAYLAND_DISPLAY").or_else(|| variable("DISPLAY"))?;
    if variable("SUDO_UID").is_some() {
        return None;
    }
    let directories = variable("PATH")?;
    std::env::split_paths(&directories).map(|dir| dir.join("xdg-open")).find(|program| program.is_file())
}

/// POSIX: the first of these that is set decides.
pub(super) fn locale_is_utf8() -> bool {
    let value = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| env_text(n)).unwrap_or_default();
    let value = value.to_ascii_lowercase();
    value.contains("utf-8") || value.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_needs_a_desktop_of_ones_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = std::env::join_paths([std::path::Path::new("/nonexistent"), dir.path()]).unwrap();
        let found = |set: &[&str]| {
            let value =
                |name: &str| (name == "PATH").then(|| path.clone()).or(set.contains(&name).then(|| ":0".into()));
            browser_by(value)
        };
        assert_eq!(found(&["DISPLAY"]), None, "nothing that opens one");
        let program = dir.path().join("xdg-open");
        std::fs::write(&program, "").unwrap();
        assert_eq!(found(&["DISPLAY"]), Some(program.clone()));
        assert_eq!(found(&["WAYLAND_DISPLAY"]), Some(program));
        assert_eq!((found(&[]), found(&["DISPLAY", "SUDO_UID"])), (None, None));
    }
}
