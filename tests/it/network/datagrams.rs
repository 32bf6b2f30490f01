//! UDP through published ports: by the kernel, by the monitor, from outside, over restarts.

use crate::needs;
use crate::support::host::{HOST, HOST6, on_own_host};
use crate::support::{StateRoot, wait_until};
use std::net::UdpSocket;
use std::time::Duration;

const STARTER: &str = "localhost/starter";

/// Says what it was told, with a word before it: on port 54 of both families.
const ECHO: &str = r#"
use IO::Socket::IP; use IO::Select;
my @all = map { IO::Socket::IP->new(LocalHost => $_, LocalPort => 54, Proto => "udp", V6Only => 1) or die "$_: $@" } @ARGV;
my $ready = IO::Select->new(@all);
$| = 1; print "ready\n";
while (1) { for my $s ($ready->can_read) { my $from = $s->recv(my $m, 65535); $s->send("echo:$m", 0, $from) } }
"#;

/// A container with the server, on this network, with these ports.
#[track_caller]
pub fn serve(root: &StateRoot, name: &str, flags: &[&str], addresses: &[&str]) {
    let args = [&["run", "-d", "--name", name, "-v", "/usr:/usr:ro"], flags, &[STARTER, "perl", "-e", ECHO], addresses];
    root.teu(&args.concat()).exits(0);
    ready(root, name, 1);
}

#[track_caller]
fn ready(root: &StateRoot, name: &str, times: usize) {
    wait_until("the server is ready", || {
        let log = root.teu(&["logs", name]);
        (log.stdout.matches("ready").count() == times).then_some(()).ok_or(log.stderr).ok()
    });
}

/// Asks from this machine until there is an answer: a first datagram may get lost, never its meaning.
#[track_caller]
pub fn echoes(address: &str) {
    assert!(answers(address), "no echo from {address}");
}

pub fn answers(address: &str) -> bool {
    let own = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(own).unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    for _ in 0..6 {
        let mut buffer = [0; 64];
        // A refusal of the last one is told at the next call.
        if socket.send(b"there").is_ok()
            && let Ok(length) = socket.recv(&mut buffer)
        {
            assert_eq!(&buffer[..length], b"echo:there");
            return true;
        }
    }
    false
}

/// The same from the machine outside.
fn outside_asks(outside: &crate::support::host::Outside, host: &str, port: &str) -> String {
    let script = "use IO::Socket::IP; my $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Proto => 'udp') or die;
        $SIG{ALRM} = sub { exit 1 }; alarm 3; $s->send('out'); $s->recv(my $m, 99) // exit 1; print $m";
    outside.run(&["perl", "-e", script, host, port]).stdout
}

#[test]
fn udp_ports_answer_by_either_way() {
    needs!(Root, Registry, Cgroup, Perl);
    on_own_host(|root, outside| {
        root.teu(&["network", "create", "--ipv6", "six"]).exits(0);
        let kernel = ["-p", "127.0.0.1:5353:54/udp", "-p", "0.0.0.0:5354:54/udp"];
        // The kernel leads no ::1 elsewhere: that one the monitor forwards.
        let six = format!("[{HOST6}]:5355:54/udp");
        let flags = [&["--network", "six"], &kernel[..], &["-p", "[::1]:5353:54/udp", "-p", &six]].concat();
        serve(root, "echo", &flags, &["0.0.0.0", "::"]);
        let all = |times| {
            ready(root, "echo", times);
            for address in ["127.0.0.1:5353", "127.0.0.1:5354", &format!("{HOST}:5354"), "[::1]:5353"] {
                echoes(address);
            }
            echoes(&format!("[{HOST6}]:5355"));
            assert_eq!(outside_asks(outside, HOST, "5354"), "echo:out");
            assert_eq!(outside_asks(outside, HOST6, "5355"), "echo:out");
            assert_eq!(outside_asks(outside, HOST, "5353"), "", "on the loopback alone");
        };
        all(1);
        // Whoever talked to the first one talks to the second one.
        root.teu(&["restart", "-t", "0", "echo"]).exits(0);
        all(2);
        root.teu(&["update", "--publish-add", "5360:54/udp", "--publish-rm", "5353:54/udp", "echo"]).exits(0);
        echoes("127.0.0.1:5360");
        assert!(!answers("127.0.0.1:5353"));
        let taken = ["run", "--rm", "-p", "5360:54/udp", STARTER, "true"];
        let refused = root.teu(&taken).exits(125);
        let whose = "port 127.0.0.1:5360/udp is in use by container echo (its monitor has pid ";
        assert!(refused.stderr.contains(whose), "{}", refused.stderr);
        root.teu(&["rm", "-f", "echo"]).exits(0);
        assert!(!answers("127.0.0.1:5360"));
    });
}
