//! What the benches share: a state root of their own, medians, quiet children.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const BINARY: &str = env!("CARGO_BIN_EXE_teu");

/// A state root that goes with its containers.
pub struct Root(PathBuf);

impl Root {
    pub fn new(name: &str) -> Root {
        let dir = std::env::temp_dir().join(format!("teu-bench-{name}-{}", std::process::id()));
        fs::create_dir(&dir).expect("a directory for the bench");
        Root(dir)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--root").arg(&self.0).env_remove("TEU_ROOT");
        command
    }

    /// Runs teu to its end; its stdout.
    #[track_caller]
    pub fn teu(&self, args: &[&str]) -> String {
        let answer = self.command().args(args).stdin(Stdio::null()).output().expect("teu starts");
        assert!(answer.status.success(), "teu {args:?}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8_lossy(&answer.stdout).into_owned()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let ids = self.teu(&["ps", "-aq", "--no-trunc"]);
        let ids: Vec<&str> = ids.split_whitespace().collect();
        if !ids.is_empty() {
            let _ = self.command().args(["rm", "-f"]).args(ids).stdout(Stdio::null()).status();
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
