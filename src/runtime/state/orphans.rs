//! Ports of containers that go on without their monitor: no socket of this machine says whose they are.

use super::{monitor_lives, read};
use crate::model::container::Status;
use crate::net::members;
use crate::net::ports::{Of, Owner, Taken};
use std::fs;
use std::path::Path;

/// Those of all containers beside the one with these two directories; its own too, if it is one of them. `networks` is
/// `<run>/networks`.
pub fn taken_ports(dir: &Path, run_dir: &Path, networks: &Path) -> Vec<Taken> {
    let (Some(dirs), Some(run_dirs)) = (dir.parent(), run_dir.parent()) else { return Vec::new() };
    let mut taken = Vec::new();
    for neighbour in fs::read_dir(run_dirs).into_iter().flatten().flatten() {
        // A file that cannot be read says nothing about ports.
        if let (Some(id), Ok(false)) = (neighbour.file_name().to_str(), monitor_lives(&neighbour.path()))
            && let Ok(state) = read(&dirs.join(id), &neighbour.path())
            && state.status == Status::Orphaned
            && !state.ports.is_empty()
        {
            let name = members::name(networks, id).unwrap_or_else(|| id.chars().take(12).collect());
            let program = fs::read_to_string(format!("/proc/{}/comm", state.pid)).unwrap_or_default();
            let by = Owner { program: program.trim_end().to_owned(), pid: state.pid, of: Some(Of::Orphaned(name)) };
            taken.extend(state.ports.into_iter().map(|port| Taken { port, by: by.clone() }));
        }
    }
    taken
}
