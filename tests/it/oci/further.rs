//! `exec` as the container's processes see it: one who may trace others (CAP_SYS_PTRACE) can do with a process on its way
//! to its program whatever he likes. It must have nothing by then that its program has not.

use super::bundle::{Bundle, mounts};
use crate::needs;
use crate::support::wait_until;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;

/// Looks at every other process as often as it can, and says what is new: powers, and what descriptors lead to.
const WATCHER: &str = r#"
    $| = 1; my %seen; print "ready\n";
    until (-e "/stop") {
        opendir my $proc, "/proc" or die;
        for my $pid (grep { /^\d+$/ && $_ > 1 } readdir $proc) {
            open my $status, "<", "/proc/$pid/status" or next;
            for (<$status>) { print "$1 $2\n" if /^(CapPrm|CapEff|CapInh|Uid|Groups):\s*(.*?)\s*$/ && !$seen{"$1$2"}++ }
            opendir my $fds, "/proc/$pid/fd" or next;
            for (grep { /^\d+$/ } readdir $fds) {
                my $to = readlink "/proc/$pid/fd/$_" or next;
                $to =~ s/\d{2,}/N/; print "fd $to\n" unless $seen{$to}++;
            }
        }
    }
    print "done\n";
"#;

#[test]
fn a_process_on_its_way_must_have_nothing_that_its_program_has_not() {
    needs!(Root, Perl);
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!(["/usr/bin/perl", "-e", WATCHER]);
    for dir in ["/usr", "/lib", "/lib64"] {
        let real = fs::canonicalize(dir).unwrap();
        mounts(&mut bundle.config)
            .push(json!({ "destination": dir, "type": "bind", "source": real, "options": ["rbind", "ro"] }));
    }
    let names = ["CAP_SYS_PTRACE", "CAP_KILL"];
    bundle.config["process"]["capabilities"] = json!({ "bounding": names, "effective": names, "permitted": names });
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    wait_until("it watches", || bundle.out().starts_with("ready\n").then_some(()));
    for round in 0..12 {
        let user = ["0:0", "1000:1000"][round % 2];
        bundle.call(&["exec", "--user", user, "-g", "7", &bundle.id, "/bin/true"]).exits(0);
    }
    // With everything that makes it wait for the runtime.
    let file = bundle.dir.join("process.json");
    let mut process = bundle.config["process"].clone();
    process["args"] = json!(["/bin/true"]);
    process["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 5 });
    process["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 64, "hard": 64 }]);
    fs::write(&file, process.to_string()).unwrap();
    for _ in 0..4 {
        bundle.call(&["exec", "--process", file.to_str().unwrap(), &bundle.id]).exits(0);
    }
    fs::write(bundle.dir.join("rootfs/stop"), "").unwrap();
    wait_until("it has seen enough", || bundle.out().ends_with("done\n").then_some(()));
    let out = bundle.out();
    let seen: BTreeSet<&str> = out.lines().filter(|line| !["ready", "done"].contains(line)).collect();
    let known = |line: &str| {
        let powers = ["0000000000080020", "0000000000000000"];
        match line.split_once(' ').unwrap() {
            ("CapPrm" | "CapEff" | "CapInh", set) => powers.contains(&set),
            ("Uid", ids) => ["0\t0\t0\t0", "1000\t1000\t1000\t1000"].contains(&ids),
            ("Groups", groups) => ["", "7"].contains(&groups),
            // The streams, and the connection over which it tells how far it is.
            (_, to) => ["/dev/null", "pipe:[N]", "socket:[N]"].contains(&to),
        }
    };
    let more: Vec<_> = seen.iter().filter(|line| !known(line)).collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(seen.contains("CapPrm 0000000000080020"), "it saw something: {seen:?}");
}
