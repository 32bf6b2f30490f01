//! Commands that take turns in one run, so that a noisy machine is noisy for all; and what they need.

use crate::common::{BINARY, Root, median};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub struct Contender {
    pub name: &'static str,
    /// Milliseconds, or why it cannot be had here.
    pub run: Box<dyn Fn() -> Result<f64, String>>,
}

/// A root with the starter image, and how many rounds the command line asks for. `None`: this is not root, who is told so.
pub fn begin(name: &str, rounds: usize) -> Option<(Root, usize)> {
    if !nix::unistd::getuid().is_root() {
        eprintln!("this bench needs root");
        return None;
    }
    hide_unified();
    let root = Root::new(name);
    root.teu(&["image", "from-host"]);
    Some((root, std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(rounds)))
}

/// The program as it is installed, and as the others are: a copy. What a linker has just written lies in the page cache in smaller
/// pieces, and each page fault in it takes longer.
pub fn installed(root: &Root) -> PathBuf {
    let place = root.path().join("installed-teu");
    fs::copy(BINARY, &place).expect("a copy of the program");
    place
}

/// Prints each one's median, minimum, and how many times the median of `ours` its own is; then its median when it runs again and
/// again, nobody else between. That can be another one: what waits for the kernel's RCU waits less when it was busy a moment ago.
pub fn measure(contenders: Vec<Contender>, rounds: usize, ours: &str) {
    let mut alive = Vec::new();
    for contender in contenders {
        match (contender.run)() {
            Ok(_) => alive.push((contender, Vec::with_capacity(rounds))),
            Err(reason) => println!("{:<14} not measured: {reason}", contender.name),
        }
    }
    for _ in 0..rounds {
        for (contender, times) in &mut alive {
            times.push((contender.run)().expect("it ran a moment ago"));
        }
    }
    let in_a_row = |contender: &Contender| {
        median(&(0..rounds).map(|_| (contender.run)().expect("it ran a moment ago")).collect::<Vec<_>>())
    };
    let own = alive.iter().find(|(c, _)| c.name == ours).map(|(_, times)| median(times)).expect("ours runs");
    println!("{:<14} {:>8} {:>8}   times {ours}'s p50   p50 in a row", "", "p50 ms", "min ms");
    for (contender, times) in &alive {
        let p50 = median(times);
        let (times_ours, row) = (p50 / own, in_a_row(contender));
        println!("{:<14} {p50:>8.2} {:>8.2} {times_ours:>10.2} {row:>22.2}", contender.name, minimum(times));
    }
}

pub fn timed(command: &mut Command) -> Result<f64, String> {
    let start = Instant::now();
    run_quietly(command)?;
    Ok(milliseconds(start.elapsed()))
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A bundle whose root is the image's unpacked layer, read-only.
pub fn make_bundle(runtime: &str, bundle: &Path, lower: &Path) -> Result<(), String> {
    fs::create_dir_all(bundle).map_err(|e| e.to_string())?;
    let config = bundle.join("config.json");
    if !config.exists() {
        run_quietly(Command::new(runtime).arg("spec").current_dir(bundle))?;
    }
    let mut spec: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&config).map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    spec["process"]["args"] = serde_json::json!(["true"]);
    spec["process"]["terminal"] = false.into();
    // What root may hold here can be less than the default asks for.
    spec["process"]["rlimits"] = serde_json::json!([]);
    spec["root"] = serde_json::json!({"path": lower, "readonly": true});
    fs::write(&config, spec.to_string()).map_err(|e| e.to_string())
}

/// crun refuses hybrid machines unless the v2 mount is out of sight; nobody here uses it.
fn hide_unified() {
    let unified = "/sys/fs/cgroup/unified";
    if Path::new(unified).exists() {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        let _ = umount2(unified, MntFlags::MNT_DETACH);
    }
}

/// The unpacked directory of the one layer in this root.
pub fn only_layer(root: &Root) -> PathBuf {
    let mut layers = fs::read_dir(root.path().join("layers")).unwrap().map(|entry| entry.unwrap().path());
    layers.next().expect("a layer").join("fs")
}

/// Runs to the end without output; the reason of a failure is the last line of stderr that calls itself an error.
pub fn run_quietly(command: &mut Command) -> Result<(), String> {
    let answer = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let answer = answer.map_err(|e| e.to_string())?;
    if answer.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&answer.stderr);
    let error = text.lines().rfind(|line| line.to_ascii_lowercase().contains("error"));
    Err(error.or(text.lines().last()).unwrap_or("failed without a word").to_owned())
}

pub fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}
