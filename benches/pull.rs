//! A pull from a registry into an empty store: wall time, CPU time, peak memory, and where the floor is.
//!
//! `cargo bench --bench pull -- 127.0.0.1:5000/name:tag [ROUNDS]`. The reference is any image on a loopback registry;
//! rates are given per unpacked byte, so that images compare. The store is thrown away after each round.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Instant;
use teu::image::layers::LayerStore;
use teu::image::pull::{PullRequest, Pulled, Stores, pull};
use teu::image::registry::{Options, RegistryClient};
use teu::model::time::Timestamp;
use teu::store::StateRoot;
use teu::store::content::ContentStore;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let Some(reference) = words.first() else {
        println!("give a reference: cargo bench --bench pull -- 127.0.0.1:5000/name:tag [ROUNDS]");
        return;
    };
    let rounds: usize = words.get(1).map_or(3, |n| n.parse().expect("ROUNDS is a number"));
    println!("{:>8} {:>8} {:>10} {:>9} {:>12}", "wall s", "cpu s", "peak MB", "MB out/s", "unpacked MB");
    for _ in 0..rounds {
        let cpu = cpu_seconds();
        let begin = Instant::now();
        let pulled = once(reference);
        let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let unpacked = pulled.image.size as f64 / 1e6;
        println!("{wall:>8.2} {cpu:>8.2} {:>10.1} {:>9.0} {unpacked:>12.0}", peak_megabytes(), unpacked / wall);
    }
}

fn once(reference: &str) -> Pulled {
    let dir = std::env::temp_dir().join(format!("teu-bench-pull-{}", std::process::id()));
    let root = StateRoot::new(&dir, dir.join("run"));
    let stores = Stores { content: ContentStore::open(&root).unwrap(), layers: LayerStore::open(&root).unwrap() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let client = RegistryClient::new(Options::default()).unwrap();
    let request = PullRequest {
        reference: reference.parse().expect("a reference"),
        platform: None,
        known: None,
        now: Timestamp::default(),
    };
    let pulled = runtime.block_on(pull(&client, &stores, request, Arc::new(|_| {}), &Default::default()));
    teu::sys::tree::remove(&dir).unwrap();
    pulled.unwrap_or_else(|e| panic!("{e}"))
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
}
