//! Variables of the environment: what counts as set.

use super::Browser;
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

/// What shows an address in the user's browser: on the user's own desktop (through sudo it is somebody else's), or where
/// there is none, the first of `$BROWSER`'s programs that is there, in the terminal.
pub(super) fn browser() -> Option<Browser> {
    browser_by(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
}

fn browser_by(variable: impl Fn(&str) -> Option<OsString>) -> Option<Browser> {
    let directories = variable("PATH")?;
    let find = |name: &str| std::env::split_paths(&directories).map(|dir| dir.join(name)).find(|p| p.is_file());
    let desktop = variable("WAYLAND_DISPLAY").or_else(|| variable("DISPLAY")).is_some();
    if desktop && variable("SUDO_UID").is_none() {
        return find("xdg-open").map(Browser::Desktop);
    }
    let browsers = variable("BROWSER")?.into_string().ok()?;
    let words = |command: &str| command.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let there = |words: &Vec<String>| words.first().is_some_and(|program| find(program).is_some());
    browsers.split(':').map(words).find(there).map(Browser::Terminal)
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
        let desktop = Some(Browser::Desktop(program));
        assert_eq!((found(&["DISPLAY"]), found(&["WAYLAND_DISPLAY"])), (desktop.clone(), desktop));
        assert_eq!((found(&[]), found(&["DISPLAY", "SUDO_UID"])), (None, None));
    }

    #[test]
    fn without_a_desktop_the_terminal_s_browser_is_the_one_the_user_names() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("w3m"), "").unwrap();
        let found = |browsers: &str, desktop: bool| {
            browser_by(|name| match name {
                "PATH" => Some(dir.path().into()),
                "BROWSER" => Some(browsers.into()),
                "DISPLAY" if desktop => Some(":0".into()),
                _ => None,
            })
        };
        let w3m = |words: &[&str]| Some(Browser::Terminal(words.iter().map(|w| (*w).to_owned()).collect()));
        assert_eq!(found("firefox:w3m -F %s:lynx", false), w3m(&["w3m", "-F", "%s"]));
        assert_eq!((found("firefox", false), found("", false), found("w3m", true)), (None, None, None));
    }
}
