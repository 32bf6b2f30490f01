//! What a container says, through its pipe into its log, next to `cat FILE | cat > COPY`, which does the same to a file.
//!
//! All take turns in one run, on the same lines, and the result is in MB/s and ratios:
//! `cargo bench --bench logs [-- MEGABYTES]`. As root.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Root, median};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 3;
/// Of a line with its newline: the usual, and the shortest that `yes` gives.
const LENGTHS: [usize; 2] = [100, 2];

fn main() {
    let megabytes: usize = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(300);
    let root = Root::new("logs");
    root.teu(&["image", "from-host"]);
    for length in LENGTHS {
        let data = root.path().join("lines");
        write_lines(&data, length, megabytes);
        let contenders: [(&str, &dyn Fn()); 4] = [
            ("cat | cat > file", &|| floor(root.path())),
            ("log only (-d)", &|| detached(&root)),
            ("log and stdout", &|| attached(&root, &[])),
            ("stdout, no log", &|| attached(&root, &["--log-driver", "none"])),
        ];
        let mut times = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            for ((_, run), times) in contenders.iter().zip(&mut times) {
                let begin = Instant::now();
                run();
                times.push(begin.elapsed().as_secs_f64());
            }
        }
        let reference = median(&times[0]);
        println!("{megabytes} MB in lines of {length} bytes: {:>17} {:>14}", "MB/s", "of the file's");
        for ((name, _), times) in contenders.iter().zip(&times) {
            let p50 = median(times);
            println!("  {name:<34} {:>8.0} {:>14.2}", megabytes as f64 / p50, reference / p50);
        }
    }
}

fn write_lines(path: &Path, length: usize, megabytes: usize) {
    let mut line = vec![b'y'; length - 1];
    line.push(b'\n');
    let block = line.repeat(1_000_000 / length);
    let mut file = fs::File::create(path).unwrap();
    for _ in 0..megabytes {
        std::io::Write::write_all(&mut file, &block).unwrap();
    }
}

fn floor(dir: &Path) {
    let done = Command::new("sh").args(["-c", "cat lines | cat > copy"]).current_dir(dir).status();
    assert!(done.unwrap().success());
    fs::remove_file(dir.join("copy")).unwrap();
}

fn detached(root: &Root) {
    let data = format!("{}:/lines:ro", root.path().join("lines").display());
    root.teu(&["run", "-d", "--name", "it", "--network", "none", "-v", &data, "localhost/starter", "cat", "/lines"]);
    assert_eq!(root.teu(&["wait", "it"]).trim(), "0");
    // Nothing was lost on the way, to the last line.
    assert!(root.teu(&["logs", "--tail", "1", "it"]).starts_with('y'));
    root.teu(&["rm", "it"]);
}

fn attached(root: &Root, more: &[&str]) {
    let data = format!("{}:/lines:ro", root.path().join("lines").display());
    let mut command = root.command();
    command.args(["run", "--rm", "--network", "none", "-v", &data]).args(more);
    command.args(["localhost/starter", "cat", "/lines"]).stdin(Stdio::null()).stdout(Stdio::null());
    assert!(command.status().unwrap().success());
}
