//! System call filters: what it costs to have the default one (stored, for the default capabilities), to read and
//! compile the default profile (for any others), and another implementation's time for a filter of the same calls.
//!
//! `cargo bench --bench seccomp [-- ROUNDS]`
#![allow(clippy::unwrap_used, clippy::panic)]

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;
use teu::model::container::SeccompProfile;
use teu::runtime::{caps, seccomp};

const PROFILE: &str = include_str!("../assets/seccomp.json");

fn main() {
    let rounds: usize = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(2000);
    let usual = caps::choose(&[], &[], false).unwrap();
    let more = caps::choose(&["SYS_PTRACE".into()], &[], false).unwrap();
    let custom = SeccompProfile::Custom(PROFILE.to_owned());
    let calls = numbers();
    println!("{:<60} {:>9} {:>9}", "p50 and p99 of each, in microseconds", "p50", "p99");
    measure("default profile, default capabilities (stored)", rounds, || {
        seccomp::compile(&SeccompProfile::Default, usual, String::new).unwrap().program.len()
    });
    measure("default profile, one capability more (read, compile)", rounds, || {
        seccomp::compile(&SeccompProfile::Default, more, String::new).unwrap().program.len()
    });
    measure("a profile of the user's own (read, compile)", rounds, || {
        seccomp::compile(&custom, usual, String::new).unwrap().program.len()
    });
    measure("reading its JSON alone", rounds, || {
        serde_json::from_str::<serde_json::Value>(PROFILE).unwrap().as_object().unwrap().len()
    });
    measure("seccompiler 0.5: as many calls of one architecture, compile", rounds, || oracle(&calls).len());
}

fn measure(what: &str, rounds: usize, mut run: impl FnMut() -> usize) {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            black_box(run());
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:<60} {:>9.2} {:>9.2}", times[rounds / 2], times[rounds * 99 / 100]);
}

/// As many numbers as the profile allows names.
fn numbers() -> Vec<i64> {
    let profile: serde_json::Value = serde_json::from_str(PROFILE).unwrap();
    let entries = profile["syscalls"].as_array().unwrap().iter();
    let names: usize = entries.map(|entry| entry["names"].as_array().unwrap().len()).sum();
    (0..i64::try_from(names).unwrap()).collect()
}

fn oracle(calls: &[i64]) -> BpfProgram {
    let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> = calls.iter().map(|n| (*n, Vec::new())).collect();
    let arch = if cfg!(target_arch = "aarch64") { TargetArch::aarch64 } else { TargetArch::x86_64 };
    let filter = SeccompFilter::new(rules, SeccompAction::Errno(1), SeccompAction::Allow, arch).unwrap();
    filter.try_into().unwrap()
}
