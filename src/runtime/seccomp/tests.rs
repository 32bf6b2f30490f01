//! The emitted programs, run by a small interpreter over every rule and its boundary values, and against an oracle.

use super::emit::{AND, Instruction, JEQ, JGE, JGT, JUMP, LOAD, RETURN};
use super::profile::{self, Filter};
use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// The kernel's classic BPF machine, as far as seccomp uses it.
fn run(program: &[Instruction], arch: u32, number: u32, args: [u64; 6]) -> u32 {
    let mut data = Vec::new();
    data.extend(number.to_ne_bytes());
    data.extend(arch.to_ne_bytes());
    data.extend(0_u64.to_ne_bytes());
    data.extend(args.iter().flat_map(|a| a.to_ne_bytes()));
    let (mut at, mut a) = (0, 0_u32);
    loop {
        let i = program[at];
        at += 1;
        let jump = |yes: bool| usize::from(if yes { i.jt } else { i.jf });
        match i.code {
            LOAD => a = u32::from_ne_bytes(data[i.k as usize..i.k as usize + 4].try_into().unwrap()),
            AND => a &= i.k,
            JUMP => at += i.k as usize,
            JEQ => at += jump(a == i.k),
            JGT => at += jump(a > i.k),
            JGE => at += jump(a >= i.k),
            RETURN => return i.k,
            other => panic!("unknown instruction {other:#x}"),
        }
    }
}

/// What the rules say, without BPF.
fn expect(filter: &Filter, audit: u32, number: u32, args: [u64; 6]) -> Action {
    let Some(arch) = filter.arches.iter().find(|a| a.audit == audit) else { return filter.default };
    if arch.foreign_from.is_some_and(|f| number >= f) {
        return Action::errno(38);
    }
    let holds = |c: &Condition| {
        let v = args[c.index as usize];
        match c.op {
            Op::Ne => v != c.value,
            Op::Lt => v < c.value,
            Op::Le => v <= c.value,
            Op::Eq => v == c.value,
            Op::Ge => v >= c.value,
            Op::Gt => v > c.value,
            Op::MaskedEq => v & c.value == c.second,
        }
    };
    let rules = arch.calls.get(&number).into_iter().flatten();
    rules.filter(|r| r.conditions.iter().all(holds)).map(|r| r.action).next().unwrap_or(filter.default)
}

fn boundaries(filter: &Filter) -> Vec<u64> {
    let mut values: BTreeSet<u64> = [0, 1, 1 << 32, u64::MAX, u64::MAX >> 1, 0xffff_ffff].into();
    for rule in filter.arches.iter().flat_map(|a| a.calls.values()).flatten() {
        for c in &rule.conditions {
            for v in [c.value, c.second, c.value | c.second, !c.value] {
                values.extend([v, v.wrapping_add(1), v.wrapping_sub(1), v ^ (1 << 32), v ^ (1 << 63)]);
            }
        }
    }
    values.into_iter().collect()
}

fn check_all(text: &str, capabilities: u64) {
    let filter = profile::read(text, capabilities, (6, 1)).unwrap();
    let program = super::emit::program(&filter);
    assert!(program.len() <= MAX_PROGRAM, "{}", program.len());
    let values = boundaries(&filter);
    for audit in filter.arches.iter().map(|a| a.audit).chain([0, 0xdead_beef]) {
        let known = filter.arches.iter().flat_map(|a| a.calls.keys()).flat_map(|n| [n.saturating_sub(1), *n, n + 1]);
        let numbers: BTreeSet<u32> = known.chain([0, 511, 600]).collect();
        for number in numbers.into_iter().chain([1000, 0x3fff_ffff, 0x4000_0000, 0x4000_0001, u32::MAX]) {
            let rules = filter.arches.iter().find(|a| a.audit == audit).and_then(|a| a.calls.get(&number));
            let simple = rules.is_none_or(|r| r.iter().all(|r| r.conditions.is_empty()));
            for v in if simple { &values[..1] } else { &values[..] } {
                for args in [[*v; 6], [*v, 0, 0, 0, 0, 0], [0, *v, 1, 2, 3, 4]] {
                    let (got, want) = (run(&program, audit, number, args), expect(&filter, audit, number, args).0);
                    assert_eq!(got, want, "arch {audit:#x} call {number} args {args:x?}");
                }
            }
        }
    }
}

#[test]
fn the_default_profile_does_what_it_says() {
    check_all(DEFAULT, 0);
    check_all(DEFAULT, caps_of(&["SYS_ADMIN", "SYS_PTRACE"]));
    check_all(DEFAULT, u64::MAX);
}

fn caps_of(names: &[&str]) -> u64 {
    names.iter().map(|n| crate::runtime::caps::bit(n).unwrap()).sum()
}

fn native(program: &[Instruction], name: &str, args: [u64; 6]) -> u32 {
    let arch = &super::arch::ARCHES[0];
    run(program, arch.audit, arch.numbers()[name], args)
}

#[test]
fn the_default_profile_guards_what_it_must() {
    let allow = Action::ALLOW.0;
    let plain = program(DEFAULT, 0).unwrap();
    let first = |v: u64| [v, 0, 0, 0, 0, 0];
    for name in ["read", "execve", "mmap", "exit_group", "setresuid", "capset", "openat2", "socketpair", "ptrace"] {
        assert_eq!(native(&plain, name, [0; 6]), allow, "{name}");
    }
    for name in [
        "mount",
        "unshare",
        "setns",
        "bpf",
        "io_uring_setup",
        "keyctl",
        "add_key",
        "reboot",
        "kexec_load",
        "userfaultfd",
        "open_by_handle_at",
        "init_module",
        "swapon",
        "perf_event_open",
        "pivot_root",
        "syslog",
    ] {
        assert_eq!(native(&plain, name, [0; 6]), Action::errno(1).0, "{name}");
    }
    assert_eq!(native(&plain, "clone3", [0; 6]), Action::errno(38).0);
    for (family, allowed) in
        [(1, true), (2, true), (10, true), (16, true), (37, true), (38, false), (39, true), (40, false), (41, true)]
    {
        assert_eq!(native(&plain, "socket", first(family)) == allow, allowed, "family {family}");
    }
    for (flags, allowed) in
        [(0x11, true), (0x003d_0f00, true), (0x1000_0000, false), (0x0002_0000, false), (0x4000_0011, false)]
    {
        assert_eq!(native(&plain, "clone", first(flags)) == allow, allowed, "flags {flags:#x}");
    }
    for (persona, allowed) in [(0, true), (8, true), (0xffff_ffff, true), (0x0040_0000, false), (1, false)] {
        assert_eq!(native(&plain, "personality", first(persona)) == allow, allowed, "{persona:#x}");
    }
    let admin = program(DEFAULT, caps_of(&["SYS_ADMIN"])).unwrap();
    for name in ["mount", "clone3", "unshare"] {
        assert_eq!(native(&admin, name, [u64::MAX; 6]), allow, "{name}");
    }
}

#[test]
fn operators_and_alternatives() {
    for op in ["NE", "LT", "LE", "EQ", "GE", "GT"] {
        for value in [0_u64, 1, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, u64::MAX] {
            let text = format!(
                r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["read"],"action":"SCMP_ACT_ALLOW",
                "args":[{{"index":3,"value":{value},"op":"SCMP_CMP_{op}"}}]}}]}}"#
            );
            check_all(&text, 0);
        }
    }
    // The same argument twice: either; two arguments: both.
    let same = r#"{"defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[
        {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]},
        {"name":"write","action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_EQ"}]},
        {"names":["write"],"action":"SCMP_ACT_TRACE","errnoRet":7,"args":[{"index":0,"value":12,"valueTwo":8,"op":"SCMP_CMP_MASKED_EQ"}]},
        {"names":["no_such_call"],"action":"SCMP_ACT_ALLOW"}]}"#;
    check_all(same, 0);
    let p = program(same, 0).unwrap();
    let two = |a, b| [a, b, 0, 0, 0, 0];
    assert_eq!(native(&p, "read", two(2, 0)), Action::ALLOW.0);
    assert_eq!(native(&p, "read", two(3, 0)), 0x8000_0000);
    assert_eq!(native(&p, "write", two(1, 2)), 0x7ffc_0000);
    assert_eq!(native(&p, "write", two(1, 3)), 0x8000_0000);
    assert_eq!(native(&p, "write", two(9, 3)), 0x7ff0_0007);
}

/// Far more calls than a conditional jump can skip.
#[test]
fn long_programs_jump_far() {
    let numbers = super::arch::ARCHES[0].numbers();
    let entries: Vec<String> = numbers
        .iter()
        .map(|(name, n)| format!(r#"{{"names":["{name}"],"action":"SCMP_ACT_ERRNO","errnoRet":{},"args":[{{"index":0,"value":{n},"op":"SCMP_CMP_NE"}}]}}"#, n % 4000 + 2))
        .collect();
    check_all(&format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{}]}}"#, entries.join(",")), 0);
}

/// Another implementation agrees about every plain rule.
#[cfg(target_arch = "x86_64")]
#[test]
fn an_oracle_agrees_about_plain_calls() {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
    let filter = profile::read(DEFAULT, 0, (6, 1)).unwrap();
    let ours = super::emit::program(&filter);
    let allowed: BTreeMap<i64, Vec<seccompiler::SeccompRule>> = filter.arches[0]
        .calls
        .iter()
        .filter(|(_, rules)| rules[0].conditions.is_empty() && rules[0].action == Action::ALLOW)
        .map(|(n, _)| (i64::from(*n), Vec::new()))
        .collect();
    assert!(allowed.len() > 270, "{}", allowed.len());
    let oracle =
        SeccompFilter::new(allowed, SeccompAction::Errno(1), SeccompAction::Allow, TargetArch::x86_64).unwrap();
    let oracle: BpfProgram = oracle.try_into().unwrap();
    let oracle: Vec<Instruction> =
        oracle.iter().map(|i| Instruction { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect();
    for number in 0..600 {
        let conditional = filter.arches[0]
            .calls
            .get(&number)
            .is_some_and(|r| r[0].action != Action::ALLOW || !r[0].conditions.is_empty());
        if !conditional {
            let arch = filter.arches[0].audit;
            assert_eq!(run(&ours, arch, number, [0; 6]), run(&oracle, arch, number, [0; 6]), "call {number}");
        }
    }
}

#[test]
fn mistakes_are_named() {
    let bad = |text: &str| program(text, 0).unwrap_err().to_string();
    assert!(bad("{").contains("seccomp profile"));
    assert!(bad(r#"{"defaultAction":"NOPE"}"#).contains("'NOPE'"));
    let rule = |r: &str| format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{r}]}}"#);
    assert!(bad(&rule(r#"{"names":["read"],"action":"SCMP_ACT_NOTIFY"}"#)).contains("not supported"));
    assert!(
        bad(&rule(r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}"#))
            .contains("index 6")
    );
    assert!(
        bad(&rule(r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":0,"op":"X"}]}"#))
            .contains("operator 'X'")
    );
    assert!(
        bad(&rule(r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_X"]}}"#)).contains("'CAP_X'")
    );
    assert!(matches!(program(&" ".repeat(MAX_PROFILE + 1), 0), Err(Error::TooLarge)));
}
