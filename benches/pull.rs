//! A pull from a registry into an empty store: wall time, CPU time, peak memory, next to the plain tools.
//!
//! `cargo bench --bench pull [-- ROUNDS]` makes an image of a usual shape (see `common/image.rs`), serves it from a real
//! registry on loopback, and takes turns with `curl | gzip -d | tar -x`, one layer after another; needs docker-registry,
//! skopeo and curl. `-- 127.0.0.1:5000/name:tag [ROUNDS]` pulls an image that is there, alone.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/image.rs"]
mod image;
#[path = "../tests/it/support/registry_server.rs"]
mod registry_server;
#[path = "../tests/it/support/wait.rs"]
mod wait;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use teu::image::layers::LayerStore;
use teu::image::pull::{PullRequest, Pulled, Stores, pull};
use teu::image::registry::{Options, RegistryClient};
use teu::model::time::Timestamp;
use teu::store::StateRoot;
use teu::store::content::ContentStore;

/// Tells this program that it is the one round of a pull: peak memory is a process's.
const ALONE: &str = "TEU_BENCH_PULL";

fn main() {
    if let Ok(reference) = std::env::var(ALONE) {
        return measure(&reference);
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let rounds: usize = words.iter().filter_map(|n| n.parse().ok()).next().unwrap_or(3);
    println!("{:>24} {:>8} {:>8} {:>9} {:>9} {:>12}", "", "wall s", "cpu s", "peak MB", "MB/s out", "unpacked MB");
    if let Some(reference) = words.iter().find(|word| word.contains('/')) {
        (0..rounds).for_each(|_| pull_alone(reference));
        return;
    }
    let dir = scratch("image");
    image::write_layout(&dir).expect("the image");
    let reference = format!("{}/usual:latest", registry_server::get().address);
    let source = format!("oci:{}:latest", dir.display());
    let target = format!("docker://{reference}");
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "-q", "--dest-tls-verify=false", &source, &target]);
    assert!(skopeo.status().expect("skopeo").success());
    for _ in 0..rounds {
        by_tools(&dir);
        pull_alone(&reference);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("teu-bench-pull-{name}-{}", std::process::id()))
}

/// One layer after another by the tools that everybody has.
fn by_tools(layout: &Path) {
    let read = |digest: &str| -> serde_json::Value {
        let path = layout.join("blobs/sha256").join(digest.trim_start_matches("sha256:"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let index: serde_json::Value = serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    let manifest = read(index["manifests"][0]["digest"].as_str().unwrap());
    let dir = scratch("tools");
    std::fs::create_dir(&dir).unwrap();
    let script = "set -e; for digest; do curl -sSf \"http://$ADDRESS/v2/usual/blobs/$digest\" | gzip -d | tar -x; done";
    let digests = manifest["layers"].as_array().unwrap().iter().map(|l| l["digest"].as_str().unwrap().to_owned());
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args(digests).current_dir(&dir);
    command.env("ADDRESS", &registry_server::get().address);
    let (cpu, begin) = (cpu_seconds(CHILDREN), Instant::now());
    assert!(command.status().unwrap().success());
    let wall = begin.elapsed().as_secs_f64();
    println!("{:>24} {wall:>8.2} {:>8.2}", "curl | gzip -d | tar -x", cpu_seconds(CHILDREN) - cpu);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn pull_alone(reference: &str) {
    let this = std::env::current_exe().unwrap();
    assert!(Command::new(this).env(ALONE, reference).status().unwrap().success());
}

fn measure(reference: &str) {
    let begin = Instant::now();
    let pulled = once(reference);
    let wall = begin.elapsed().as_secs_f64();
    let (cpu, unpacked) = (cpu_seconds(OWN), pulled.image.size as f64 / 1e6);
    println!(
        "{:>24} {wall:>8.2} {cpu:>8.2} {:>9.1} {:>9.0} {unpacked:>12.0}",
        "teu",
        peak_megabytes(),
        unpacked / wall
    );
    let _ = std::fs::remove_dir_all(scratch("store"));
}

fn once(reference: &str) -> Pulled {
    let dir = scratch("store");
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
    pulled.unwrap_or_else(|e| panic!("{e}"))
}

/// Where `/proc/self/stat` has user time; system time follows.
const OWN: usize = 11;
const CHILDREN: usize = 13;

fn cpu_seconds(whose: usize) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let ticks: f64 = fields[whose].parse::<f64>().unwrap() + fields[whose + 1].parse::<f64>().unwrap();
    ticks / 100.0
}

fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
}
