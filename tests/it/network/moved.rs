//! Published ports that the monitor forwards follow the container from network to network.

use super::{start, web};
use crate::needs;
use crate::support::host::{on_own_host, page};
use crate::support::wait_until;

#[test]
fn a_forwarded_port_follows_its_container() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        for name in ["one", "two"] {
            root.teu(&["network", "create", "--ipv6", name]).exits(0);
        }
        // The kernel leads nothing to ::1.
        web(root, "front", &["--network", "one", "-p", "[::1]:8080:80"]);
        start(root, "other", &["--network", "one"], &["sleep", "1000"]);
        let at = || page("http://[::1]:8080");
        assert_eq!(at().as_deref(), Some("front"));
        for _ in 0..2 {
            root.teu(&["network", "disconnect", "one", "front"]).exits(0);
            assert_eq!(at(), None);
            root.teu(&["network", "connect", "one", "front"]).exits(0);
            assert_eq!(at().as_deref(), Some("front"));
            root.teu(&["network", "connect", "two", "front"]).exits(0);
            root.teu(&["network", "disconnect", "one", "front"]).exits(0);
            assert_eq!(at().as_deref(), Some("front"));
            root.teu(&["network", "connect", "one", "front"]).exits(0);
            root.teu(&["network", "disconnect", "two", "front"]).exits(0);
            assert_eq!(at().as_deref(), Some("front"));
        }
        // Who asks while nothing can be reached does not keep the monitor awake.
        root.teu(&["network", "disconnect", "one", "front"]).exits(0);
        let waiting = std::net::TcpStream::connect("[::1]:8080");
        let monitor = root.inspect("front")["State"]["MonitorPid"].to_string();
        let asleep = || {
            let text = std::fs::read_to_string(format!("/proc/{monitor}/stat")).unwrap();
            text.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
        };
        let ticks = || {
            let text = std::fs::read_to_string(format!("/proc/{monitor}/stat")).unwrap();
            let rest = text.rsplit(") ").next().unwrap().to_owned();
            rest.split(' ').skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum::<u64>()
        };
        let mut calm = 0;
        let mut before = ticks();
        wait_until("the monitor sleeps", || {
            let now = ticks();
            calm = if asleep() && now == before { calm + 1 } else { 0 };
            before = now;
            (calm >= 10).then_some(())
        });
        drop(waiting);
    });
}
