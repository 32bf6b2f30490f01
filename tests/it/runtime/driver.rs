//! Runs containers in a process of its own: starting one needs a single thread, which a test runner is not.
//!
//! The test binary calls itself with a job file; [`serve`] does the job and writes what came of it.

use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use teu::runtime::cgroup::Group;
use teu::runtime::init::{self, Child, ChildIo};
use teu::runtime::launch::Launch;
use teu::runtime::protocol::{ExecSpec, Failure};
use teu::sys::process::{self, Ended};
use teu::sys::userns;

pub const VARIABLE: &str = "TEU_TEST_RUNTIME_JOB";

#[derive(Serialize, Deserialize)]
pub struct Job {
    pub launch: Launch,
    /// Sent to the container's stdin, or typed on its terminal.
    pub input: String,
    /// Run in the container one after the other once it has printed something; then it is killed.
    pub execs: Vec<ExecSpec>,
    /// Measure instead: start and wait this often.
    pub repeat: u32,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Output {
    pub failure: Option<Failure>,
    /// Exit code, or 128 + signal.
    pub code: i32,
    pub out: String,
    pub err: String,
    pub execs: Vec<Output>,
    /// Microseconds of each repetition's start, sorted.
    pub times: Vec<u64>,
}

/// Number of a descriptor of the host's root directory that the process which starts a container has by mistake: open
/// over every exec.
pub const LEAKED: i32 = 100;

/// Runs the job in a process of its own, started by the words of `wrap`.
pub fn run(dir: &Path, job: &Job, wrap: &[&str]) -> Output {
    let file = dir.join("job.json");
    std::fs::write(&file, serde_json::to_vec(job).unwrap()).unwrap();
    let own = std::env::current_exe().unwrap();
    let mut command = match wrap.split_first() {
        None => Command::new(&own),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(&own);
            command
        }
    };
    command.args(["runtime::serve_a_job", "--exact", "--test-threads=1", "--nocapture"]).env(VARIABLE, &file);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "the driver ended with {status}");
    serde_json::from_slice(&std::fs::read(dir.join("result.json")).unwrap()).unwrap()
}

/// The other side: does the job named by the environment, if there is one.
pub fn serve() {
    let Some(file) = std::env::var_os(VARIABLE).map(PathBuf::from) else { return };
    let job: Job = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let dir = file.parent().unwrap();
    process::dup_onto(std::fs::File::open("/").unwrap().as_fd(), LEAKED).unwrap();
    // As a monitor does: as root inside a user's namespace it only looks who it is outside.
    userns::enter(dir, std::env::var(userns::VARIABLE).ok().as_deref()).unwrap();
    let group = match Group::create(&job.launch.id, &job.launch.limits, userns::identity()) {
        Ok((group, _)) => group,
        Err(e) => panic!("{e}"),
    };
    let output = if job.repeat > 0 { measure(&job, &group) } else { one(&job, &group) };
    group.kill_all().unwrap();
    while group.populated() {
        std::thread::yield_now();
    }
    group.remove().unwrap();
    std::fs::write(dir.join("result.json"), serde_json::to_vec(&output).unwrap()).unwrap();
}

fn measure(job: &Job, group: &Group) -> Output {
    let mut output = Output::default();
    for _ in 0..job.repeat {
        let begin = std::time::Instant::now();
        match init::start(&job.launch, group) {
            Ok(child) => {
                output.times.push(begin.elapsed().as_micros() as u64);
                output.code = wait(&child);
            }
            Err(failure) => output.failure = Some(failure),
        }
    }
    output.times.sort_unstable();
    output
}

fn one(job: &Job, group: &Group) -> Output {
    let child = match init::start(&job.launch, group) {
        Ok(child) => child,
        Err(failure) => return Output { failure: Some(failure), ..Output::default() },
    };
    if job.execs.is_empty() {
        return collect(child, &job.input);
    }
    let execs = job.execs.iter().map(|spec| {
        match init::exec(child.pidfd.as_fd(), &job.launch, spec, group).and_then(init::Underway::wait) {
            Ok(session) => collect(session, &job.input),
            Err(failure) => Output { failure: Some(failure), ..Output::default() },
        }
    });
    let execs = execs.collect();
    process::pidfd_signal(child.pidfd.as_fd(), 9).unwrap();
    Output { execs, ..collect(child, "") }
}

fn wait(child: &Child) -> i32 {
    match process::wait_pidfd(child.pidfd.as_fd(), true).unwrap().unwrap() {
        Ended::Code(code) => code,
        Ended::Signal(signal) => 128 + signal,
    }
}

fn collect(child: Child, input: &str) -> Output {
    let code;
    let (mut out, mut err) = (String::new(), String::new());
    match &child.io {
        ChildIo::Pipes { .. } => {
            code = None;
        }
        ChildIo::Terminal { master } => {
            let mut writer = std::fs::File::from(master.try_clone().unwrap());
            writer.write_all(input.as_bytes()).unwrap();
            out = read_terminal(master);
            code = Some(wait(&child));
        }
    }
    if let Some(code) = code {
        return Output { code, out, err, ..Output::default() };
    }
    let pidfd = child.pidfd;
    if let ChildIo::Pipes { stdin, stdout, stderr } = child.io {
        if let Some(stdin) = stdin {
            std::fs::File::from(stdin).write_all(input.as_bytes()).unwrap();
        }
        std::fs::File::from(stdout).read_to_string(&mut out).unwrap();
        std::fs::File::from(stderr).read_to_string(&mut err).unwrap();
    }
    let code = match process::wait_pidfd(pidfd.as_fd(), true).unwrap().unwrap() {
        Ended::Code(code) => code,
        Ended::Signal(signal) => 128 + signal,
    };
    Output { code, out, err, ..Output::default() }
}

/// Until the last slave is closed (EIO). The master does not block.
fn read_terminal(master: &OwnedFd) -> String {
    let mut file = std::fs::File::from(master.try_clone().unwrap());
    let (mut all, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        match file.read(&mut bytes) {
            Ok(0) | Err(_) if std::io::Error::last_os_error().raw_os_error() == Some(5) => break,
            Ok(0) => break,
            Ok(length) => all.extend(&bytes[..length]),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}
