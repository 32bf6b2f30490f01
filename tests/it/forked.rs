//! The monitor as a fork of the command that starts its container: as if it had been executed.

use crate::needs;
use crate::support::{StateRoot, leaks};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use teu::sys::confine;

const SECRET: &str = "told-to-nobody-else";

/// A running container in `root` whose command was told a secret, and its monitor.
fn monitor(root: &StateRoot) -> (String, i32) {
    let mut command = root.command();
    command.args(["run", "-d", "--network", "none", "localhost/starter", "sleep", "1000"]);
    command.env("SECRET", SECRET).env_remove("XDG_CONFIG_HOME").env("XDG_RUNTIME_DIR", "/run/nowhere");
    let answer = command.output().unwrap();
    assert!(answer.status.success(), "{answer:?}");
    let id = String::from_utf8(answer.stdout).unwrap().trim().to_owned();
    let mut found = leaks::processes(root.path());
    found.retain(|pid| read(*pid, "cmdline").contains(&format!("--id={id}")));
    assert_eq!(found.len(), 1);
    (id, found[0])
}

fn read(pid: i32, file: &str) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default()).into_owned()
}

/// Changing nothing is refused on a read-only mount and nowhere else.
fn is_sealed(pid: i32) -> bool {
    let exe = format!("/proc/{pid}/exe");
    let permissions = fs::metadata(&exe).unwrap().permissions();
    fs::set_permissions(&exe, permissions).is_err_and(|e| e.kind() == std::io::ErrorKind::ReadOnlyFilesystem)
}

fn looks_executed(root: &StateRoot, id: &str, pid: i32) {
    let line = read(pid, "cmdline");
    let words: Vec<&str> = line.trim_end_matches('\0').split('\0').collect();
    assert_eq!(words, ["/proc/self/exe", "__monitor", "0", &format!("--id={id}"), "--child"]);
    let environment = read(pid, "environ");
    let mut names: Vec<_> =
        environment.trim_end_matches('\0').split('\0').map(|v| v.split_once('=').unwrap()).collect();
    names.retain(|(name, _)| *name != "TEU_USERNS");
    let path = std::env::var("PATH").unwrap();
    let home = root.path().to_str().unwrap();
    names.sort_unstable();
    assert_eq!(names, [("HOME", home), ("PATH", path.as_str()), ("XDG_RUNTIME_DIR", "/run/nowhere")]);
    assert_eq!(read(pid, "comm"), "teu-monitor\n");
}

#[test]
fn it_shows_its_own_words_and_nothing_of_its_callers() {
    needs!(Userns);
    let root = StateRoot::new();
    let (id, pid) = monitor(&root);
    looks_executed(&root, &id, pid);
    // CVE-2019-5736: also that of an ordinary user, who may own the file.
    assert!(is_sealed(pid));
    root.teu(&["rm", "-f", &id]).exits(0);
}

#[test]
fn its_memory_holds_nothing_of_its_callers_environment() {
    needs!(Root);
    let root = StateRoot::new();
    let (id, pid) = monitor(&root);
    let maps = read(pid, "maps");
    let mut memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut searched = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|n| u64::from_str_radix(n, 16).unwrap());
        memory.seek(SeekFrom::Start(start)).unwrap();
        let mut bytes = Vec::new();
        // The tail of a stack's mapping may not be there.
        let _ = (&mut memory).take(end - start).read_to_end(&mut bytes);
        let found = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found(SECRET), "{line}");
        searched.extend(found("__monitor").then_some(line));
    }
    assert!(!searched.is_empty(), "what was searched is its memory");
    root.teu(&["rm", "-f", &id]).exits(0);
}

/// A filter on this thread, and on what it starts: prctl(PR_SET_MM) is refused.
fn refuse_set_mm() {
    const PR_SET_MM: u64 = 35;
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, PR_SET_MM).unwrap();
    let rule = SeccompRule::new(vec![condition]).unwrap();
    let number = syscalls::Sysno::prctl as i64;
    let filter = SeccompFilter::new(
        [(number, vec![rule])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(1),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    let bytes = |i: &seccompiler::sock_filter| {
        let [a, b] = i.code.to_ne_bytes();
        let [c, d, e, f] = i.k.to_ne_bytes();
        [a, b, i.jt, i.jf, c, d, e, f]
    };
    confine::no_new_privileges().unwrap();
    confine::seccomp(&program.iter().flat_map(bytes).collect::<Vec<u8>>(), 0).unwrap();
}

#[test]
fn where_it_cannot_be_made_to_look_so_it_is_executed() {
    needs!(Root);
    let root = StateRoot::new();
    let (id, pid) = std::thread::scope(|scope| {
        let start = || {
            refuse_set_mm();
            monitor(&root)
        };
        scope.spawn(start).join().unwrap()
    });
    assert!(read(pid, "status").contains("\nSeccomp:\t2\n"));
    looks_executed(&root, &id, pid);
    assert!(is_sealed(pid));
    root.teu(&["exec", &id, "true"]).exits(0);
    root.teu(&["rm", "-f", &id]).exits(0);
}
