//! What idle containers cost: private memory of each monitor; memory, CPU time and written bytes of a screen over them.
//!
//! `cargo bench --bench idle [-- CONTAINERS]`; needs tmux for the screen.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Root, median};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// The plot's window and a little: from then on an idle screen has nothing new to show.
const SETTLE: Duration = Duration::from_secs(65);
/// How long the screen is watched.
const WATCH: Duration = Duration::from_secs(60);

fn main() {
    let count: usize = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(50);
    let root = Root::new("idle");
    root.teu(&["image", "from-host"]);
    for number in 0..count {
        let name = format!("idle-{number}");
        root.teu(&["run", "-d", "--name", &name, "--network", "none", "localhost/starter", "sleep", "100000"]);
    }
    let monitors = monitors(&root);
    let memory: Vec<f64> = monitors.iter().filter_map(|pid| private_kib(*pid)).collect();
    let largest = memory.iter().copied().fold(0.0, f64::max);
    println!("{} monitors: private memory p50 {:.0} KiB, largest {largest:.0} KiB", memory.len(), median(&memory));
    screen(&root, count);
}

fn monitors(root: &Root) -> Vec<i32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mine = root.path().to_string_lossy().into_owned();
    pids.filter(|pid| {
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        // Known by what it holds open: its program's path means nothing outside its own mounts.
        fds.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|path| path.to_string_lossy().starts_with(&mine))
    })
    .collect()
}

fn private_kib(pid: i32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let lines = text.lines().filter(|line| line.starts_with("Private_"));
    Some(lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).sum())
}

fn screen(root: &Root, containers: usize) {
    let socket = root.path().join("tmux");
    let tmux =
        |args: &[&str]| Command::new("tmux").arg("-S").arg(&socket).args(["-f", "/dev/null"]).args(args).output();
    let program = format!("exec {} --root {}", common::BINARY, root.path().display());
    if tmux(&["new-session", "-d", "-x", "160", "-y", "48", &program]).is_err() {
        println!("screen: not measured, tmux is not installed");
        return;
    }
    let pid = tmux(&["display-message", "-p", "#{pane_pid}"]).unwrap().stdout;
    let pid: i32 = String::from_utf8_lossy(&pid).trim().parse().expect("the screen's pid");
    std::thread::sleep(SETTLE);
    // Everything the terminal is sent from now on.
    let tape = root.path().join("tape");
    tmux(&["pipe-pane", &format!("exec cat > {}", tape.display())]).unwrap();
    let ticks = cpu_ticks(pid);
    std::thread::sleep(WATCH);
    let used = (cpu_ticks(pid) - ticks) / 100.0 / WATCH.as_secs_f64() * 100.0;
    println!(
        "screen over {containers} containers: private memory {:.1} MiB, {used:.2} % of a core, {} bytes to the terminal in {} s",
        private_kib(pid).unwrap_or(0.0) / 1024.0,
        fs::metadata(&tape).map_or(0, |m| m.len()),
        WATCH.as_secs()
    );
    // Ages in minutes are all that may have changed.
    println!("what it was sent: {:?}", String::from_utf8_lossy(&fs::read(&tape).unwrap_or_default()));
    let _ = tmux(&["kill-server"]);
}

/// User and system time in hundredths of a second.
fn cpu_ticks(pid: i32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the screen runs");
    let fields: Vec<&str> = text.rsplit_once(')').expect("stat").1.split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}
