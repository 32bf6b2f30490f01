//! However the screen ends, the terminal is as it was before.

use crate::needs;
use crate::support::screen::Screen;
use crate::support::{StateRoot, wait_until};
use std::path::Path;
use std::process::Command;
use teu::tui::terminal::Guard;

/// Set for the process that is to panic.
const PANIC: &str = "TEU_TEST_PANIC";

/// A shell in a terminal of its own, which tells its settings before and after this command.
fn terminal_around(dir: &Path, command: &str) -> Screen {
    let mut shell = Command::new("sh");
    let (before, after) = (dir.join("before"), dir.join("after"));
    let script = format!("stty -a >{}; {command}; stty -a >{}; exec cat", before.display(), after.display());
    shell.args(["-c", &script]);
    Screen::start(100, 30, &shell)
}

/// Waits for the end of the command and compares.
fn is_as_before(screen: &Screen, dir: &Path, how: &str) {
    let settings = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_default();
    wait_until("the settings afterwards", || settings("after").ends_with('\n').then_some(()));
    assert_eq!(settings("after"), settings("before"), "after {how}");
    assert_eq!(screen.modes(), "0 0 1", "alternate screen, mouse, cursor after {how}");
}

#[test]
fn signals_that_end_it_leave_the_terminal_as_it_was() {
    needs!(Userns, Tmux);
    let root = StateRoot::new();
    for signal in ["TERM", "INT", "HUP", "ABRT"] {
        let dir = tempfile::tempdir().unwrap();
        let program = root.command();
        let words: Vec<_> = std::iter::once(program.get_program()).chain(program.get_args()).collect();
        let line: Vec<_> = words.iter().map(|w| format!("'{}'", w.to_string_lossy())).collect();
        let screen = terminal_around(dir.path(), &line.join(" "));
        screen.wait_for("No containers yet.");
        let child = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", screen.pid())).unwrap();
        let killed = Command::new("kill").arg(format!("-{signal}")).arg(child.trim()).status().unwrap();
        assert!(killed.success());
        is_as_before(&screen, dir.path(), signal);
    }
}

#[test]
fn a_panic_leaves_the_terminal_as_it_was_and_its_message_readable() {
    if std::env::var_os(PANIC).is_some() {
        let _taken = Guard::enter(true).unwrap();
        panic!("on purpose");
    }
    needs!(Tmux);
    let dir = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let name = "restore::a_panic_leaves_the_terminal_as_it_was_and_its_message_readable";
    let screen = terminal_around(dir.path(), &format!("{PANIC}=1 '{}' --nocapture --exact {name}", own.display()));
    screen.wait_for("on purpose");
    is_as_before(&screen, dir.path(), "a panic");
}
