//! System call filters in the real kernel: what each call of each ABI is answered.
#![cfg(target_arch = "x86_64")]

use super::{Place, output};
use crate::support::syscall::{self, Abi, DATA};
use teu::model::container::SeccompProfile;

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

/// A call that is made: its name in the output, ABI, number, arguments, data behind [`DATA`].
type Call<'a> = (&'a str, Abi, u32, &'a [u32], &'a [u32]);

/// What each call was answered: its errno, or 128 and the signal.
fn answers(place: &Place, calls: &[Call<'_>]) -> Vec<(String, i32)> {
    std::fs::create_dir(place.root().join("calls")).unwrap();
    for (name, abi, number, args, data) in calls {
        syscall::write(&place.root().join("calls").join(name), *abi, *number, args, data);
    }
    let out = output(place);
    let answer = |name: &str| {
        let line = out.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no answer to {name}: {out}")).parse().unwrap()
    };
    calls.iter().map(|call| (call.0.to_owned(), answer(call.0))).collect()
}

fn place() -> Place {
    Place::sh("cd /calls; for call in *; do ./$call 2>/dev/null; echo $call $?; done")
}

fn expect(place: &Place, calls: &[(Call<'_>, i32)]) {
    let asked: Vec<Call<'_>> = calls.iter().map(|c| c.0).filter(|c| syscall::works(c.1)).collect();
    let wanted: Vec<(String, i32)> =
        calls.iter().filter(|c| asked.contains(&c.0)).map(|c| (c.0.0.to_owned(), c.1)).collect();
    assert_eq!(answers(place, &asked), wanted);
}

#[test]
fn the_default_filter_answers_as_docker_s() {
    use Abi::X86_64 as Native;
    expect(
        &place(),
        &[
            (("getpid", Native, 39, &[], &[]), 0),
            (("af_unix", Native, 41, &[1, 1, 0], &[]), 0),
            (("af_inet", Native, 41, &[2, 1, 0], &[]), 0),
            (("clone3", Native, 435, &[0, 0], &[]), ENOSYS),
            (("keyctl", Native, 250, &[0, 0], &[]), EPERM),
            (("add_key", Native, 248, &[0, 0], &[]), EPERM),
            (("bpf", Native, 321, &[0, 0], &[]), EPERM),
            (("userfaultfd", Native, 323, &[1], &[]), EPERM),
            (("io_uring_setup", Native, 425, &[1, 0], &[]), EPERM),
            (("unshare_user", Native, 272, &[0x1000_0000], &[]), EPERM),
            (("clone_new_user", Native, 56, &[0x1000_0011, 0], &[]), EPERM),
            (("personality_odd", Native, 135, &[0x0040_0000], &[]), EPERM),
            (("personality_ask", Native, 135, &[0xffff_ffff], &[]), 0),
            (("no_such_call", Native, 1000, &[], &[]), ENOSYS),
            (("x32_getpid", Native, 0x4000_0027, &[], &[]), ENOSYS),
            (("i386_getpid", Abi::I386, 20, &[], &[]), 0),
            (("i386_mount", Abi::I386, 21, &[], &[]), EPERM),
            (("i386_clone3", Abi::I386, 435, &[], &[]), ENOSYS),
        ],
    );
}

/// CVE-2026-31431 ("Copy Fail"): AF_ALG out of reach; AF_VSOCK with it, which speaks to the machine's host. By any ABI.
#[test]
fn cve_2026_31431_af_alg() {
    use Abi::X86_64 as Native;
    expect(
        &place(),
        &[
            (("af_alg", Native, 41, &[38, 5, 0], &[]), EPERM),
            (("af_vsock", Native, 41, &[40, 1, 0], &[]), EPERM),
            (("af_alg_high_half_is_nothing", Native, 41, &[38, 5, 0, 1], &[]), EPERM),
            (("i386_af_alg", Abi::I386, 359, &[38, 5, 0], &[]), EPERM),
            (("i386_af_vsock", Abi::I386, 359, &[40, 1, 0], &[]), EPERM),
            (("i386_af_unix", Abi::I386, 359, &[1, 1, 0], &[]), 0),
            // The family is behind a pointer, where no filter sees it.
            (("i386_socketcall_af_alg", Abi::I386, 102, &[1, DATA], &[38, 5, 0]), ENOSYS),
            (("i386_socketcall_listen", Abi::I386, 102, &[4, DATA], &[99, 0]), 9),
        ],
    );
}

#[test]
fn every_action_of_a_user_s_profile_is_the_kernel_s() {
    let mut place = place();
    let rule = |call: &str, action: &str| format!(r#"{{"names":["{call}"],"action":"SCMP_ACT_{action}"}}"#);
    let rules = [
        rule("mincore", "KILL_PROCESS"),
        rule("msync", "KILL_THREAD"),
        rule("getitimer", "KILL"),
        rule("sched_get_priority_max", "TRAP"),
        rule("sched_yield", "TRACE"),
        rule("times", "LOG"),
        r#"{"names":["sched_get_priority_min"],"action":"SCMP_ACT_ERRNO","errnoRet":7}"#.to_owned(),
        // Either of two values of one argument; and only both of two arguments.
        r#"{"names":["alarm"],"action":"SCMP_ACT_ERRNO","errnoRet":8,"args":[
            {"index":0,"value":3,"op":"SCMP_CMP_EQ"},{"index":0,"value":5,"op":"SCMP_CMP_EQ"}]}"#
            .to_owned(),
        r#"{"names":["umask"],"action":"SCMP_ACT_ERRNO","errnoRet":9,"args":[
            {"index":0,"value":63,"valueTwo":18,"op":"SCMP_CMP_MASKED_EQ"},{"index":1,"value":1,"op":"SCMP_CMP_GE"}]}"#
            .to_owned(),
    ];
    let text = format!(
        r#"{{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
        "flags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW","SECCOMP_FILTER_FLAG_TSYNC"],
        "syscalls":[{}]}}"#,
        rules.join(",")
    );
    place.config.security.seccomp = SeccompProfile::Custom(text);
    use Abi::X86_64 as Native;
    expect(
        &place,
        &[
            (("kill_process", Native, 27, &[], &[]), 128 + 31),
            (("kill_thread", Native, 26, &[0], &[]), 128 + 31),
            (("kill", Native, 36, &[0], &[]), 128 + 31),
            (("trap", Native, 146, &[0], &[]), 128 + 31),
            (("trace_without_tracer", Native, 24, &[], &[]), ENOSYS),
            (("log", Native, 100, &[0], &[]), 0),
            (("errno", Native, 147, &[], &[]), 7),
            (("alarm_3", Native, 37, &[3], &[]), 8),
            (("alarm_5", Native, 37, &[5], &[]), 8),
            (("alarm_4", Native, 37, &[4], &[]), 0),
            (("umask_both", Native, 95, &[0o22, 1], &[]), 9),
            (("umask_masked", Native, 95, &[0o422, 7], &[]), 9),
            (("umask_one", Native, 95, &[0o22, 0], &[]), 0),
            // An ABI the profile does not name is no way around it.
            (("x32_getpid", Native, 0x4000_0027, &[], &[]), ENOSYS),
            (("i386_getpid", Abi::I386, 20, &[], &[]), 128 + 31),
        ],
    );
}
