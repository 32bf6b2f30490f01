//! `teu run --rm --network none IMAGE true` as a whole process, next to the kernel's floor and other runtimes.
//!
//! All take turns in one run (so a noisy machine is noisy for all), on the same root file system, and the result is in
//! ratios: `cargo bench --bench run [-- ROUNDS]`. Runtimes that are not installed, or refuse this machine, are named
//! as such. As root.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "common/turns.rs"]
mod turns;

use common::Root;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, execve, pivot_root};
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use teu::sys::{clone, process};
use turns::{Contender, make_bundle, milliseconds, only_layer, run_quietly, timed};

fn main() {
    let Some((root, rounds)) = turns::begin("run", 60) else { return };
    let lower = only_layer(&root);
    turns::measure(contenders(&root, &lower), rounds, "teu");
}

fn contenders(root: &Root, lower: &Path) -> Vec<Contender> {
    let bundle = root.path().join("bundle");
    let command = |words: Vec<String>| move || timed(Command::new(&words[0]).args(&words[1..]));
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (lower_text, bundle_text) = (lower.display().to_string(), bundle.display().to_string());
    let floor = Floor::new(root.path(), lower);
    let program = turns::installed(root);
    let teu = format!(
        "{} --root {} run --rm --network none localhost/starter true",
        program.display(),
        root.path().display()
    );
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
    // What root may hold here can be less than podman's default asks for.
    for (engine, limits) in [("podman", "--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "), ("docker", "")] {
        let name = "localhost/teu-bench";
        let made = import(engine, name, lower);
        let run = command(words(&format!("{engine} run --rm {limits}--network none {name} true")));
        all.push(Contender { name: engine, run: Box::new(move || made.clone().and_then(|()| run())) });
    }
    all
}

fn import(engine: &str, name: &str, lower: &Path) -> Result<(), String> {
    let script = format!("tar -C '{}' -c . | {engine} import - {name}", lower.display());
    run_quietly(Command::new("sh").args(["-c", &script]))
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
