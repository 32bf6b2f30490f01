//! What a container cannot read or change of procfs and sysfs, though it sees them.

use crate::model::container::Security;
use crate::runtime::machine::Machine;

/// What a container cannot read: kernel memory, keys, other users' timers, firmware, power figures (side channels).
pub const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
/// What it cannot change.
pub const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The masked and the read-only paths.
pub fn paths(security: &Security, machine: &Machine) -> (Vec<String>, Vec<String>) {
    let (mut masked, mut read_only) = if security.privileged || security.unmask_all {
        (Vec::new(), Vec::new())
    } else {
        (masked_paths(machine), READ_ONLY.map(str::to_owned).to_vec())
    };
    let open = |path: &String| !security.unmask.iter().any(|pattern| matches(pattern, path));
    masked.retain(open);
    read_only.retain(open);
    masked.extend(security.mask.iter().cloned());
    (masked, read_only)
}

fn masked_paths(machine: &Machine) -> Vec<String> {
    let mut paths = MASKED.map(str::to_owned).to_vec();
    // Each CPU's throttling counters tell a neighbour's load.
    for cpu in 0.. {
        let directory = format!("/sys/devices/system/cpu/cpu{cpu}");
        if !(machine.exists)(&directory) {
            break;
        }
        let throttle = format!("{directory}/thermal_throttle");
        if (machine.exists)(&throttle) {
            paths.push(throttle);
        }
    }
    paths
}

/// `*` and `?` stand for characters within one component.
fn matches(pattern: &str, path: &str) -> bool {
    let parts = |text: &str| text.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (pattern, path) = (parts(pattern), parts(path));
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(p, t)| component(p.as_bytes(), t.as_bytes()))
}

fn component(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| component(rest, &text[skip..])),
        Some((b'?', rest)) => !text.is_empty() && component(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && component(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_open_what_they_match_and_nothing_else() {
        let opened = |patterns: &[&str]| {
            let unmask = patterns.iter().map(|p| (*p).to_owned()).collect();
            paths(&Security { unmask, ..Security::default() }, &Machine::HERE)
        };
        let (masked, read_only) = opened(&["/proc/kcore", "/proc/sys*", "/sys/dev/*"]);
        assert!(!masked.contains(&"/proc/kcore".to_owned()) && masked.contains(&"/proc/keys".to_owned()));
        assert!(masked.contains(&"/sys/firmware".to_owned()), "another component");
        assert_eq!(read_only, ["/proc/bus", "/proc/fs", "/proc/irq"]);
        let all = Security { unmask_all: true, mask: vec!["/etc/hostname".into()], ..Security::default() };
        assert_eq!(paths(&all, &Machine::HERE), (vec!["/etc/hostname".to_owned()], Vec::new()));
    }
}
