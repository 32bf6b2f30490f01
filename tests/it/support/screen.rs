//! The whole program in a real terminal: a private tmux server types keys and reads the screen.

use super::program;
use super::wait::wait_until;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Screen {
    dir: PathBuf,
}

impl Screen {
    /// Starts `command` (program and arguments) in a terminal of this size.
    pub fn start(columns: u16, rows: u16, command: &Command) -> Screen {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("teu-test-tmux-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir).expect("a directory for tmux");
        let screen = Screen { dir };
        let line: Vec<String> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''")))
            .collect();
        let line = format!("exec env -u TEU_ROOT TERM=tmux-256color {}", line.join(" "));
        let (columns, rows) = (columns.to_string(), rows.to_string());
        screen.tmux(&["new-session", "-d", "-x", &columns, "-y", &rows, &line]);
        screen.tmux(&["set-option", "-g", "remain-on-exit", "on"]);
        screen
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.dir.join("socket")).args(["-f", "/dev/null"]).args(args);
        program::finish(command.env_remove("TMUX").env("LC_ALL", "C.UTF-8")).stdout
    }

    /// Keys by tmux's names: `Enter`, `Escape`, `C-c`, `q`.
    pub fn press(&self, keys: &[&str]) {
        let mut args = vec!["send-keys", "--"];
        args.extend(keys);
        self.tmux(&args);
    }

    /// Text as typed.
    pub fn write(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What is on the screen now.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Whether the alternate screen, mouse reports and the cursor are on: `0 0 1`.
    pub fn modes(&self) -> String {
        let text = self.tmux(&["display-message", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"]);
        text.trim().to_owned()
    }

    /// The process in the terminal.
    pub fn pid(&self) -> i32 {
        self.tmux(&["display-message", "-p", "#{pane_pid}"]).trim().parse().expect("a pid")
    }

    /// Its terminal is closed.
    pub fn is_over(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{pane_dead}"]).trim() == "1"
    }

    /// Its exit code once it has ended.
    pub fn exit_code(&self) -> Option<i32> {
        let text = self.tmux(&["display-message", "-p", "#{pane_dead} #{pane_dead_status} #{pid}"]);
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["1", code, _] => code.parse().ok(),
            // tmux 3.3 now and then misses the end of its child, which stays a zombie: told again, it looks.
            ["1", server] => {
                let _ = Command::new("kill").args(["-CHLD", server]).status();
                None
            }
            _ => None,
        }
    }

    /// Waits until the screen contains the text; shows the screen when it never does.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(text, || {
                last = self.text();
                last.contains(text).then_some(())
            });
        }));
        assert!(found.is_ok(), "the screen never showed {text:?}; it shows:\n{last}");
        last
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
