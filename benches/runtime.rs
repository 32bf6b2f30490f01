//! An OCI runtime's life of a prepared bundle, beside other runtimes on the same one; and a thousand containers started
//! 32 at a time: `cargo bench --bench runtime [-- ROUNDS]`. As root.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "common/turns.rs"]
mod turns;

use common::Root;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use turns::{Contender, make_bundle, measure, milliseconds, only_layer, run_quietly, timed};

/// How many containers are started, and how many at a time.
const MANY: usize = 1000;
const WIDE: usize = 32;

fn main() {
    let Some((root, rounds)) = turns::begin("runtime", 40) else { return };
    let bundle = root.path().join("bundle");
    let lower = only_layer(&root);
    let program = turns::installed(&root).display().to_string();
    let runtimes =
        [("teu oci", vec![&*program, "oci"]), ("crun", vec!["crun"]), ("runc", vec!["runc"]), ("youki", vec!["youki"])];
    println!("run of a bundle");
    measure(runtimes.iter().map(|(name, words)| run(name, words, &bundle, &lower)).collect(), rounds, "teu oci");
    println!("create, start, delete of a bundle");
    measure(runtimes.iter().map(|(name, words)| life(name, words, &bundle, &lower)).collect(), rounds, "teu oci");
    many(&root);
}

fn words(line: &[&str], more: &[&str]) -> Vec<String> {
    line.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

fn prepared(line: &[&str], bundle: &Path, lower: &Path) -> Result<(), String> {
    run_quietly(Command::new(line[0]).arg("--version"))?;
    make_bundle("runc", bundle, lower)
}

fn run(name: &'static str, line: &[&str], bundle: &Path, lower: &Path) -> Contender {
    let made = prepared(line, bundle, lower);
    let id = format!("teu-bench-run-{}", std::process::id());
    let words = words(line, &["run", "--bundle", &bundle.display().to_string(), &id]);
    Contender { name, run: Box::new(move || made.clone().and_then(|()| timed(&mut command(&words)))) }
}

/// The command is over when its state says so, which is asked for outside the time taken.
fn life(name: &'static str, line: &[&str], bundle: &Path, lower: &Path) -> Contender {
    let made = prepared(line, bundle, lower);
    let id = format!("teu-bench-life-{}", std::process::id());
    let create = words(line, &["create", "--bundle", &bundle.display().to_string(), &id]);
    let [start, state, delete] = ["start", "state", "delete"].map(|verb| words(line, &[verb, &id]));
    let run = move || {
        made.clone()?;
        let began = Instant::now();
        run_quietly_apart(&mut command(&create))?;
        run_quietly(&mut command(&start))?;
        let so_far = milliseconds(began.elapsed());
        loop {
            let answer = command(&state).output().map_err(|e| e.to_string())?;
            if String::from_utf8_lossy(&answer.stdout).contains("stopped") {
                break;
            }
        }
        timed(&mut command(&delete)).map(|last| so_far + last)
    };
    Contender { name, run: Box::new(run) }
}

/// The container keeps the streams of its `create`: they must not be pipes of ours.
fn run_quietly_apart(command: &mut Command) -> Result<(), String> {
    use std::process::Stdio;
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status.map_err(|e| e.to_string())? {
        status if status.success() => Ok(()),
        status => Err(status.to_string()),
    }
}

fn many(root: &Root) {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..WIDE {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < MANY {
                    let mut run = root.command();
                    run.args(["run", "--rm", "--network", "none", "localhost/starter", "true"]);
                    if let Err(reason) = run_quietly(&mut run) {
                        failed.fetch_add(1, Ordering::Relaxed);
                        eprintln!("failed: {reason}");
                    }
                }
            });
        }
    });
    let time = began.elapsed().as_secs_f64();
    println!("{MANY} containers, {WIDE} at a time: {time:.2} s, {} failed", failed.into_inner());
}
