//! The emitted programs, run by a small interpreter over every rule and its boundary values, and against an oracle.

use super::emit::{AND, Instruction, JEQ, JGE, JGT, JUMP, LOAD, RETURN};
use super::profile::{self, ArchRules, Filter};
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

fn program(text: &str, capabilities: u64) -> Result<Vec<Instruction>, Error> {
    super::program(&read(text, capabilities, (6, 1))?)
}

/// What the rules say, without BPF.
fn expect(filter: &Filter, audit: u32, number: u32, args: [u64; 6]) -> Action {
    let Some(arch) = filter.arches.iter().find(|a| a.audit == audit) else { return filter.foreign };
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
    let rules = rules(filter, arch, number).into_iter();
    rules.filter(|r| r.conditions.iter().all(holds)).map(|r| r.action).next().unwrap_or_else(|| {
        let unknown = arch.unknown.iter().any(|range| range.contains(&number));
        if unknown { Action::errno(38) } else { filter.default }
    })
}

fn rules<'a>(filter: &'a Filter, arch: &ArchRules, number: u32) -> Vec<&'a Rule> {
    let first = arch.calls.partition_point(|(n, _)| *n < number);
    let end = arch.calls.partition_point(|(n, _)| *n <= number);
    filter.rules(&arch.calls[first..end])
}

fn boundaries(filter: &Filter) -> Vec<u64> {
    let mut values: BTreeSet<u64> = [0, 1, 1 << 32, u64::MAX, u64::MAX >> 1, 0xffff_ffff].into();
    for rule in filter.entries.iter().flatten() {
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
        let known = filter.arches.iter().flat_map(|a| &a.calls).flat_map(|(n, _)| [n.saturating_sub(1), *n, n + 1]);
        let numbers: BTreeSet<u32> = known.chain([0, 511, 600]).collect();
        for number in numbers.into_iter().chain([1000, 0x3fff_ffff, 0x4000_0000, 0x4000_0001, u32::MAX]) {
            let rules = filter.arches.iter().find(|a| a.audit == audit).map(|a| rules(&filter, a, number));
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

#[cfg(target_arch = "x86_64")]
#[test]
fn the_default_profile_guards_32_bit_calls_too() {
    let plain = program(DEFAULT, 0).unwrap();
    let x86 = &super::arch::ARCHES[1];
    let ask = |name: &str, first: u64| run(&plain, x86.audit, x86.numbers()[name], [first, 0, 0, 0, 0, 0]);
    for (family, allowed) in [(2, true), (38, false), (39, true), (40, false)] {
        assert_eq!(ask("socket", family) == Action::ALLOW.0, allowed, "family {family}");
    }
    assert_eq!(ask("socketcall", 1), Action::errno(38).0, "a socket whose family cannot be seen");
    assert_eq!(ask("socketcall", 3), Action::ALLOW.0, "connecting it");
    assert_eq!((ask("clone3", 0), ask("mount", 0)), (Action::errno(38).0, Action::errno(1).0));
    // x32, which the profile does not name, and an architecture that this machine is not.
    let native = super::arch::ARCHES[0].audit;
    assert_eq!(run(&plain, native, 0x4000_0000, [0; 6]), Action::errno(38).0);
    assert_eq!(run(&plain, 0xc000_00b7, 0, [0; 6]), Action::errno(1).0);
}

/// What is stored is what the compiler makes, on any kernel that teu runs on.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_stored_program_is_the_default_profile_s() {
    let capabilities = crate::runtime::caps::choose(&[], &[], false).unwrap();
    for kernel in [(5, 11), (6, 18), (u32::MAX, 0)] {
        let instructions = super::program(&read(DEFAULT, capabilities, kernel).unwrap()).unwrap();
        let bytes: Vec<u8> = instructions.iter().flat_map(|i| i.bytes()).collect();
        if bytes != USUAL {
            let path = std::env::temp_dir().join("seccomp.x86_64.bpf");
            std::fs::write(&path, bytes).unwrap();
            panic!("assets/seccomp.json has changed: look at the change, then put {} in assets/", path.display());
        }
    }
    let compiled = compile(&SeccompProfile::Default, capabilities, String::new).unwrap();
    assert_eq!((compiled.program.as_slice(), compiled.flags), (USUAL, 0));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn architectures_a_profile_names_have_rules_of_their_own() {
    let text = |arches: &str, default: &str| {
        format!(
            r#"{{"defaultAction":"{default}","architectures":[{arches}],"syscalls":[
            {{"names":["read","ioctl"],"action":"SCMP_ACT_ERRNO","errnoRet":7}}]}}"#
        )
    };
    let (native, x86) = (super::arch::ARCHES[0].audit, super::arch::ARCHES[1].audit);
    let ask = |p: &[Instruction], audit, number| run(p, audit, number, [0; 6]);
    let all = text(r#""SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32""#, "SCMP_ACT_ALLOW");
    check_all(&all, 0);
    let p = program(&all, 0).unwrap();
    // read and ioctl of each; x32 has its own number for the second one.
    for (audit, number) in
        [(native, 0), (native, 16), (x86, 3), (x86, 54), (native, 0x4000_0000), (native, 0x4000_0202)]
    {
        assert_eq!(ask(&p, audit, number), Action::errno(7).0, "{audit:#x} {number:#x}");
    }
    assert_eq!(ask(&p, native, 0x4000_0010), Action::ALLOW.0);
    // What is not named must not be a way around the rules: neither by another ABI nor by another architecture.
    let p = program(&text("", "SCMP_ACT_ALLOW"), 0).unwrap();
    assert_eq!(ask(&p, native, 1), Action::ALLOW.0);
    assert_eq!(ask(&p, native, 0x4000_0000), Action::errno(38).0);
    assert_eq!(ask(&p, x86, 3), Action::KILL_PROCESS.0);
    let p = program(&text("", "SCMP_ACT_TRAP"), 0).unwrap();
    assert_eq!(ask(&p, x86, 3), 0x0003_0000);
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

/// Another implementation agrees about everything that is allowed: it knows one action per filter, so that its refusals
/// are one.
#[cfg(target_arch = "x86_64")]
#[test]
fn an_oracle_agrees_about_what_is_allowed() {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch};
    for capabilities in [0, caps_of(&["SYS_CHROOT"]), caps_of(&["SYS_ADMIN"]), u64::MAX] {
        let filter = profile::read(DEFAULT, capabilities, (6, 1)).unwrap();
        let ours = super::emit::program(&filter);
        let arch = &filter.arches[0];
        let mut allowed: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for (number, _) in &arch.calls {
            let rules = rules(&filter, arch, *number);
            if rules.iter().any(|r| r.action == Action::ALLOW) {
                let conditional = rules.iter().filter(|r| r.action == Action::ALLOW && !r.conditions.is_empty());
                allowed.insert(i64::from(*number), conditional.map(|r| oracle_s(r)).collect());
            }
        }
        assert!(allowed.len() > 270, "{}", allowed.len());
        let oracle = SeccompFilter::new(allowed, SeccompAction::Errno(1), SeccompAction::Allow, TargetArch::x86_64);
        let oracle: BpfProgram = oracle.unwrap().try_into().unwrap();
        let oracle: Vec<Instruction> =
            oracle.iter().map(|i| Instruction { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect();
        let values = boundaries(&filter);
        for number in 0..600 {
            let simple = rules(&filter, arch, number).iter().all(|r| r.conditions.is_empty());
            for v in if simple { &values[..1] } else { &values[..] } {
                let ask = |program: &[Instruction]| run(program, arch.audit, number, [*v; 6]) == Action::ALLOW.0;
                assert_eq!(ask(&ours), ask(&oracle), "call {number} with {v:#x}");
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn oracle_s(rule: &Rule) -> seccompiler::SeccompRule {
    use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};
    let conditions = rule.conditions.iter().map(|c| {
        let (op, value) = match c.op {
            Op::Ne => (SeccompCmpOp::Ne, c.value),
            Op::Lt => (SeccompCmpOp::Lt, c.value),
            Op::Le => (SeccompCmpOp::Le, c.value),
            Op::Eq => (SeccompCmpOp::Eq, c.value),
            Op::Ge => (SeccompCmpOp::Ge, c.value),
            Op::Gt => (SeccompCmpOp::Gt, c.value),
            Op::MaskedEq => (SeccompCmpOp::MaskedEq(c.value), c.second),
        };
        SeccompCondition::new(c.index as u8, SeccompCmpArgLen::Qword, op, value).unwrap()
    });
    SeccompRule::new(conditions.collect()).unwrap()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_the_profile_s_author_did_not_know_are_missing() {
    const X32: u32 = 0x4000_0000;
    let (native, x86) = (0xc000_003e, 0x4000_0003);
    let text = |default: &str, arches: &str| {
        format!(
            r#"{{"defaultAction":"SCMP_ACT_{default}","architectures":[{arches}],"syscalls":[
            {{"names":["read","openat2"],"action":"SCMP_ACT_ALLOW"}},{{"names":["close_range"],"action":"SCMP_ACT_ERRNO"}}]}}"#
        )
    };
    let p = program(&text("ERRNO", r#""SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32""#), 0).unwrap();
    let ask = |audit, number| run(&p, audit, number, [0; 6]);
    check_all(&text("ERRNO", r#""SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32""#), 0);
    for audit in [native, x86] {
        // openat2 is 437, close_range 436, write lies below.
        assert_eq!(ask(audit, 437), Action::ALLOW.0);
        assert_eq!([ask(audit, 436), ask(audit, 300)], [Action::errno(1).0; 2]);
        assert_eq!([ask(audit, 438), ask(audit, 1000)], [Action::errno(38).0; 2]);
    }
    assert_eq!(ask(native, X32 | 437), Action::ALLOW.0);
    assert_eq!([ask(native, X32 - 1), ask(native, X32 | 1000)], [Action::errno(38).0; 2]);
    assert_eq!(ask(native, X32 | 300), Action::errno(1).0);
    for (default, action) in [("ALLOW", Action::ALLOW.0), ("LOG", 0x7ffc_0000), ("TRACE", 0x7ff0_0001)] {
        assert_eq!(run(&program(&text(default, ""), 0).unwrap(), native, 1000, [0; 6]), action);
    }
    assert_eq!(run(&program(&text("KILL_PROCESS", ""), 0).unwrap(), native, 1000, [0; 6]), Action::errno(38).0);
}

#[test]
fn mistakes_are_named() {
    let bad = |text: &str| program(text, 0).unwrap_err().to_string();
    assert!(bad("{").contains("seccomp profile"));
    assert!(bad(r#"{"defaultAction":"NOPE"}"#).contains("'NOPE'"));
    let rule = |r: &str| format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{r}]}}"#);
    let notify = rule(r#"{"names":["read"],"action":"SCMP_ACT_NOTIFY"}"#);
    let custom = compile(&SeccompProfile::Custom(notify.clone()), 0, String::new).unwrap_err().to_string();
    assert!(custom.contains("nobody listens"), "{custom}");
    assert!(compile_spec(&notify, "6.1").unwrap().notifies);
    assert!(bad(&notify.replace("read", "write")).contains("cannot be for write"));
    assert!(bad(r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#).contains("cannot be the default"));
    let flags = |flag: &str| format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_{flag}"]}}"#);
    assert_eq!(compile_spec(&flags("LOG"), "6.1").unwrap().flags, crate::sys::confine::FILTER_LOG);
    assert_eq!(compile_spec(&flags("SPEC_ALLOW"), "6.1").unwrap().flags, crate::sys::confine::FILTER_SPEC_ALLOW);
    assert_eq!(compile_spec(&flags("TSYNC"), "6.1").unwrap().flags, 0);
    assert!(bad(&flags("WAIT_KILLABLE_RECV")).contains("SCMP_ACT_NOTIFY only"));
    assert!(bad(&flags("X")).contains("flag 'SECCOMP_FILTER_FLAG_X'"));
    assert!(bad(r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_Z80"]}"#).contains("'SCMP_ARCH_Z80'"));
    let errno = |action: &str, n: u32| format!(r#"{{"defaultAction":"SCMP_ACT_{action}","defaultErrnoRet":{n}}}"#);
    for (action, n, fits) in [
        ("ERRNO", 4095, true),
        ("ERRNO", 4096, false),
        ("TRACE", 65535, true),
        ("TRACE", 65536, false),
        ("ALLOW", 1, false),
        ("KILL", 1, false),
    ] {
        assert_eq!(program(&errno(action, n), 0).is_ok(), fits, "{action} {n}");
    }
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
