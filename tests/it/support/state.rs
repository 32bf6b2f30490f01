//! A state root of one test's own, which takes everything with it when it is dropped.

use super::program::{self, Answer, Running};
use super::{image, leaks};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub struct StateRoot {
    dir: PathBuf,
}

impl StateRoot {
    /// An empty root; nothing is running in it.
    pub fn new() -> StateRoot {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("teu-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).expect("a state root");
        StateRoot { dir }
    }

    /// With the test image pulled from the test registry; its name is [`image::name`].
    #[track_caller]
    pub fn with_image() -> StateRoot {
        let root = StateRoot::new();
        root.teu(&["pull", "-q", &image::name()]).exits(0);
        root
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Runs `teu ARGS...` in this root, to its end.
    #[track_caller]
    pub fn teu<S: AsRef<OsStr>>(&self, args: &[S]) -> Answer {
        program::run(&self.dir, args)
    }

    /// `teu` in this root, not yet started.
    pub fn command(&self) -> Command {
        program::command(&self.dir)
    }

    /// Starts `teu ARGS...` and leaves it running, killed when dropped.
    pub fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command();
        let command = command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().expect("starting teu"))
    }

    /// `teu run -d --name NAME ARGS... IMAGE COMMAND`: the id.
    #[track_caller]
    pub fn run_detached(&self, name: &str, options: &[&str], command: &[&str]) -> String {
        let image = image::name();
        let mut args = vec!["run", "-d", "--name", name, "--network", "none"];
        args.extend(options);
        args.push(&image);
        args.extend(command);
        self.teu(&args).exits(0).out().to_owned()
    }

    /// `teu inspect NAME`, its first element.
    #[track_caller]
    pub fn inspect(&self, name: &str) -> serde_json::Value {
        let text = self.teu(&["inspect", name]).exits(0).stdout;
        let value: serde_json::Value = serde_json::from_str(&text).expect("inspect prints JSON");
        value[0].clone()
    }
}

impl Drop for StateRoot {
    fn drop(&mut self) {
        let ids = program::run(&self.dir, &["ps", "-aq", "--no-trunc"]).stdout;
        let ids: Vec<&str> = ids.split_whitespace().collect();
        if !ids.is_empty() {
            let mut args = vec!["rm", "-f"];
            args.extend(&ids);
            program::run(&self.dir, &args);
        }
        leaks::kill_leftovers(&self.dir);
        remove_tree(&self.dir);
    }
}

/// Also what belongs to an ordinary user's sub-ids, and directories without any permission (overlay's work).
fn remove_tree(dir: &Path) {
    if fs::remove_dir_all(dir).is_err() {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--map-auto", "rm", "-rf"]).arg(dir).stderr(Stdio::null());
        let _ = command.status();
        let _ = fs::remove_dir_all(dir);
    }
}
