//! One in a container who looks at everything that processes on their way to their program have.

use std::collections::BTreeSet;

/// Looks at every other process as often as it can, and says what is new: powers, and what descriptors lead to.
pub const WATCHER: &str = r#"
    $| = 1; my %seen; my $stop; $SIG{USR1} = sub { $stop = 1 }; print "ready\n";
    until ($stop || -e "/stop") {
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

/// What it has seen that no program has: other powers than these sets, other users than root and 1000, other groups than
/// these, other descriptors than the streams, libraries and the connection over which a process tells how far it is.
pub fn seen_besides(said: &str, powers: &[&str], groups: &[&str]) -> Vec<String> {
    let seen: BTreeSet<&str> = said.lines().filter(|line| !["ready", "done"].contains(line)).collect();
    let known = |line: &&&str| match line.split_once(' ').unwrap() {
        ("CapPrm" | "CapEff" | "CapInh", set) => powers.contains(&set),
        ("Uid", ids) => ["0\t0\t0\t0", "1000\t1000\t1000\t1000"].contains(&ids),
        ("Groups", found) => groups.contains(&found),
        (_, to) => {
            ["/dev/null", "pipe:[N]", "socket:[N]"].contains(&to)
                || to.starts_with("/dev/pts/")
                || to.starts_with("/usr/lib")
        }
    };
    seen.iter().filter(|line| !known(line)).map(|line| (*line).to_owned()).collect()
}
