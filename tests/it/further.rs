//! `exec` as the container's processes see it, see the runtime's own test of that name.

use crate::needs;
use crate::support::watcher::{WATCHER, seen_besides};
use crate::support::{StateRoot, wait_until};

#[test]
fn a_process_on_its_way_must_have_nothing_that_its_program_has_not() {
    needs!(Root, Perl);
    let root = &StateRoot::new();
    let flags = ["run", "-d", "--name", "watched", "-v", "/usr:/usr:ro", "--cap-drop", "all", "--network", "none"];
    // The filter of the first is loaded with a power that its programs have not; that of the second needs none.
    for (security, more) in [("seccomp=unconfined", 0), ("no-new-privileges", 0), ("label=disable", 1 << 21)] {
        let tracer = ["--cap-add", "SYS_PTRACE", "--cap-add", "KILL", "--security-opt", security];
        let command = ["localhost/starter", "perl", "-e", WATCHER];
        root.teu(&[&flags[..], &tracer, &command].concat()).exits(0);
        let said = || root.teu(&["logs", "watched"]).stdout;
        wait_until("it watches", || said().starts_with("ready\n").then_some(()));
        for round in 0..12 {
            let user = ["0:0", "1000:1000"][round % 2];
            root.teu(&["exec", "--user", user, "watched", "true"]).exits(0);
        }
        root.teu(&["kill", "-s", "USR1", "watched"]).exits(0);
        wait_until("it has seen enough", || said().ends_with("done\n").then_some(()));
        let set = |bits: u64| format!("{bits:016x}");
        let held = 1 << 19 | 1 << 5;
        let powers = [set(held), set(0), set(held | more), set(more)];
        let powers: Vec<&str> = powers.iter().map(String::as_str).collect();
        assert_eq!(seen_besides(&said(), &powers, &["", "0", "1000"]), Vec::<String>::new(), "{security}");
        assert!(said().contains(&format!("CapPrm {}", powers[0])), "it saw something: {}", said());
        root.teu(&["rm", "-f", "watched"]).exits(0);
    }
}
