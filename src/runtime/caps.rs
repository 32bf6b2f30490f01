//! Capabilities by name and number, teu's default set, and what `--cap-add`, `--cap-drop` and `--privileged` make of it.

/// In the kernel's numbering (linux/capability.h), without `CAP_`.
pub const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Podman's default: docker's fourteen without MKNOD, NET_RAW and AUDIT_WRITE.
pub const DEFAULT: [&str; 11] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown capability '{0}'")]
pub struct Unknown(pub String);

/// The bit of a name, with or without `CAP_`, in any case.
pub fn bit(name: &str) -> Result<u64, Unknown> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let number = NAMES.iter().position(|n| *n == bare).ok_or_else(|| Unknown(name.to_owned()))?;
    Ok(1 << number)
}

/// The names in a set, in the kernel's order.
pub fn names(set: u64) -> impl Iterator<Item = &'static str> {
    NAMES.iter().enumerate().filter(move |(n, _)| set & (1 << n) != 0).map(|(_, name)| *name)
}

/// Docker's rule: `ALL` in either list counts first, then single drops, then single adds. A privileged container has all,
/// where docker forgets what was to be dropped: here it is dropped.
pub fn choose(add: &[String], drop: &[String], privileged: bool) -> Result<u64, Unknown> {
    const ALL: u64 = (1 << NAMES.len()) - 1;
    let is_all = |name: &String| name.eq_ignore_ascii_case("all");
    let mut set = 0;
    for name in DEFAULT {
        set |= bit(name)?;
    }
    if privileged || add.iter().any(is_all) {
        set = ALL;
    }
    if drop.iter().any(is_all) {
        set = 0;
    }
    for name in drop.iter().filter(|n| !is_all(n)) {
        set &= !bit(name)?;
    }
    for name in add.iter().filter(|n| !is_all(n)) {
        set |= bit(name)?;
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(add: &[&str], drop: &[&str], expect: &[&str]) {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let set = choose(&own(add), &own(drop), false).expect("known names");
        assert_eq!(names(set).collect::<Vec<_>>(), expect, "add {add:?} drop {drop:?}");
    }

    #[test]
    fn adds_and_drops() {
        check(&[], &["ALL"], &[]);
        check(&["net_admin"], &["ALL"], &["NET_ADMIN"]);
        check(&["CAP_BPF"], &["all", "chown"], &["BPF"]);
        check(&["ALL"], &[], &NAMES);
        assert_eq!(choose(&["NOPE".into()], &[], false), Err(Unknown("NOPE".into())));
        assert_eq!(choose(&[], &[], true), Ok((1 << 41) - 1));
        assert_eq!(choose(&[], &["SYS_ADMIN".into()], true), Ok(((1 << 41) - 1) & !(1 << 21)));
        assert_eq!(choose(&["BPF".into()], &["ALL".into()], true), bit("BPF"));
    }

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(bit("CAP_SYS_ADMIN"), Ok(1 << 21));
        assert_eq!(bit("CHECKPOINT_RESTORE"), Ok(1 << 40));
        let defaults = choose(&[], &[], false).expect("known");
        assert_eq!(names(defaults).count(), DEFAULT.len());
    }
}
