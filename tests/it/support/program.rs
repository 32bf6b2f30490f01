//! The real program: run to its end with a limit on time, or started and left running.

use super::wait::patience;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The binary under test: cargo's, or a copy that an ordinary user can reach (`TEU_TEST_BINARY`).
pub fn binary() -> PathBuf {
    std::env::var_os("TEU_TEST_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_teu")), PathBuf::from)
}

/// Where the sources are: cargo's folder, or a copy that an ordinary user can reach (`CARGO_MANIFEST_DIR` of the caller).
pub fn sources() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// How a command ended.
#[derive(Debug)]
pub struct Answer {
    /// -1: killed by a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Asserts the exit code; shows everything otherwise.
    #[track_caller]
    pub fn exits(self, code: i32) -> Answer {
        assert_eq!(self.code, code, "exit code; stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// stdout without its last line break.
    pub fn out(&self) -> &str {
        self.stdout.trim_end_matches('\n')
    }
}

/// `teu --root ROOT` with nothing of the caller's own configuration.
pub fn command(root: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg("--root").arg(root).env_remove("TEU_ROOT").env_remove("XDG_CONFIG_HOME").env("HOME", root);
    command
}

/// Runs `teu --root ROOT ARGS...` to its end.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(root: &Path, args: &[S]) -> Answer {
    let mut command = command(root);
    finish(command.args(args).stdin(Stdio::null()))
}

/// Runs any command to its end, killing it after a minute (times the patience).
#[track_caller]
pub fn finish(command: &mut Command) -> Answer {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starting a program");
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let end = Instant::now() + Duration::from_secs(60) * patience();
    let status = loop {
        if let Some(status) = child.try_wait().expect("waiting") {
            break status;
        }
        if Instant::now() >= end {
            let _ = child.kill();
            let _ = child.wait();
            panic!("still running after its time: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let text = |reader: std::thread::JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap()).into_owned();
    Answer { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// A program that is killed when the test lets go of it.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
