//! `teu run --rm --network none IMAGE true` as a whole process, next to the kernel's floor and other runtimes.
//!
//! All take turns in one run (so a noisy machine is noisy for all), on the same root file system, and the result is in
//! ratios: `cargo bench --bench run [-- ROUNDS]`. Runtimes that are not installed, or refuse this machine, are named
//! as such. As root.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Root, median};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, execve, pivot_root};
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use teu::sys::{clone, process};

fn main() {
    let rounds: usize = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(60);
    if !nix::unistd::getuid().is_root() {
        eprintln!("this bench needs root");
        return;
    }
    hide_unified();
    let root = Root::new("run");
    root.teu(&["image", "from-host"]);
    let lower = only_layer(&root);
    let contenders = contenders(&root, &lower);

    let mut alive = Vec::new();
    for contender in contenders {
        match (contender.run)() {
            Ok(_) => alive.push((contender, Vec::with_capacity(rounds))),
            Err(reason) => println!("{:<12} not measured: {reason}", contender.name),
        }
    }
    for _ in 0..rounds {
        for (contender, times) in &mut alive {
            times.push((contender.run)().expect("it ran a moment ago"));
        }
    }
    let teu = alive.iter().find(|(c, _)| c.name == "teu").map(|(_, times)| median(times)).expect("teu runs");
    println!("{:<12} {:>8} {:>8} {:>14}", "", "p50 ms", "min ms", "times teu's p50");
    for (contender, times) in &alive {
        let p50 = median(times);
        println!("{:<12} {:>8.2} {:>8.2} {:>14.2}", contender.name, p50, minimum(times), p50 / teu);
    }
}

struct Contender {
    name: &'static str,
    run: Box<dyn Fn() -> Result<f64, String>>,
}

fn contenders(root: &Root, lower: &Path) -> Vec<Contender> {
    let bundle = root.path().join("bundle");
    let command = |words: Vec<String>| move || timed(Command::new(&words[0]).args(&words[1..]));
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (lower_text, bundle_text) = (lower.display().to_string(), bundle.display().to_string());
    let floor = Floor::new(root.path(), lower);
    let teu =
        format!("{} --root {} run --rm --network none localhost/starter true", common::BINARY, root.path().display());
    let bwrap = format!("bwrap --unshare-all --ro-bind {lower_text} / --proc /proc --dev /dev true");
    let mut all = vec![
        Contender { name: "floor", run: Box::new(move || floor.run()) },
        Contender { name: "teu", run: Box::new(command(words(&teu))) },
        Contender { name: "bubblewrap", run: Box::new(command(words(&bwrap))) },
    ];
    for runtime in ["crun", "runc"] {
        let made = make_bundle(runtime, &bundle, lower);
        let line = words(&format!("{runtime} run --bundle {bundle_text} teu-bench-{}", std::process::id()));
        let run = command(line);
        all.push(Contender { name: runtime, run: Box::new(move || made.clone().and_then(|()| run())) });
    }
    for engine in ["podman", "docker"] {
        let name = "localhost/teu-bench";
        let made = import(engine, name, lower);
        let run = command(words(&format!("{engine} run --rm --network none {name} true")));
        all.push(Contender { name: engine, run: Box::new(move || made.clone().and_then(|()| run())) });
    }
    all
}

fn timed(command: &mut Command) -> Result<f64, String> {
    let start = Instant::now();
    run_quietly(command)?;
    Ok(milliseconds(start.elapsed()))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A bundle whose root is the image's unpacked layer, read-only.
fn make_bundle(runtime: &str, bundle: &Path, lower: &Path) -> Result<(), String> {
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

fn import(engine: &str, name: &str, lower: &Path) -> Result<(), String> {
    let script = format!("tar -C '{}' -c . | {engine} import - {name}", lower.display());
    run_quietly(Command::new("sh").args(["-c", &script]))
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

/// The least any runtime must do: namespaces in one clone, an overlay, its own /proc, pivot, exec, wait, remove.
struct Floor {
    root: PathBuf,
    options: String,
    merged: PathBuf,
    program: CString,
}

impl Floor {
    fn new(root: &Path, lower: &Path) -> Floor {
        let root = root.join("floor");
        let merged = root.join("merged");
        fs::create_dir_all(&merged).unwrap();
        let options =
            format!("lowerdir={},upperdir={}/upper,workdir={}/work", lower.display(), root.display(), root.display());
        let program = ["bin/true", "usr/bin/true"].into_iter().find(|path| lower.join(path).exists()).expect("true");
        Floor { root, options, merged, program: CString::new(format!("/{program}")).unwrap() }
    }

    fn run(&self) -> Result<f64, String> {
        let start = Instant::now();
        for dir in ["upper", "work"] {
            fs::create_dir(self.root.join(dir)).map_err(|e| e.to_string())?;
        }
        let namespaces = nix::sched::CloneFlags::CLONE_NEWNS
            | nix::sched::CloneFlags::CLONE_NEWPID
            | nix::sched::CloneFlags::CLONE_NEWUTS
            | nix::sched::CloneFlags::CLONE_NEWIPC
            | nix::sched::CloneFlags::CLONE_NEWNET
            | nix::sched::CloneFlags::CLONE_NEWCGROUP;
        let flags = u64::from(namespaces.bits().cast_unsigned());
        let ended = match clone::clone3(flags, None).map_err(|e| e.to_string())? {
            clone::Side::Child => {
                let _ = self.child();
                process::exit_now(70)
            }
            clone::Side::Parent { pid, .. } => process::wait_pid(pid).map_err(|e| e.to_string())?,
        };
        for dir in ["upper", "work"] {
            fs::remove_dir_all(self.root.join(dir)).map_err(|e| e.to_string())?;
        }
        let time = milliseconds(start.elapsed());
        if matches!(ended, process::Ended::Code(0)) { Ok(time) } else { Err(format!("{ended:?}")) }
    }

    fn child(&self) -> nix::Result<()> {
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        mount(Some("overlay"), &self.merged, Some("overlay"), MsFlags::empty(), Some(self.options.as_str()))?;
        chdir(&self.merged)?;
        mount(Some("proc"), "proc", Some("proc"), MsFlags::empty(), none)?;
        pivot_root(".", ".")?;
        umount2(".", MntFlags::MNT_DETACH)?;
        execve(&self.program, &[c"true"], &[c"PATH=/bin"])?;
        Ok(())
    }
}

/// The unpacked directory of the one layer in this root.
fn only_layer(root: &Root) -> PathBuf {
    let mut layers = fs::read_dir(root.path().join("layers")).unwrap().map(|entry| entry.unwrap().path());
    layers.next().expect("a layer").join("fs")
}

/// Runs to the end without output; the last line of stderr is the reason of a failure.
fn run_quietly(command: &mut Command) -> Result<(), String> {
    let answer = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let answer = answer.map_err(|e| e.to_string())?;
    if answer.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&answer.stderr);
    Err(text.lines().last().unwrap_or("failed without a word").to_owned())
}

fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}
