//! Published ports while networks come and go: what leads nowhere refuses, and what was taken away comes back.

use super::{nft, web};
use crate::needs;
use crate::support::host::{on_own_host, page};
use crate::support::wait_until;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

/// `[::1]` of a network without IPv6 is forwarded by the container's monitor.
#[test]
fn a_port_that_leads_nowhere_refuses_and_comes_back() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        web(root, "front", &["-p", "[::1]:8080:80", "-p", "8081:80"]);
        // At once; a connection that was made is reset.
        let refused = |address| {
            let mut said = [0];
            let answer = TcpStream::connect(address).and_then(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_secs(10)))?;
                stream.read(&mut said)
            });
            let kind = answer.map_err(|e| e.kind());
            assert!(
                matches!(kind, Err(ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)),
                "{address} {kind:?}"
            );
            assert!(std::net::TcpListener::bind(address).is_err(), "{address} is not held");
        };
        for again in [false, true] {
            assert_eq!(page("http://[::1]:8080").as_deref(), Some("front"));
            root.teu(&["network", "disconnect", "bridge", "front"]).exits(0);
            refused("[::1]:8080");
            refused("127.0.0.1:8081");
            assert_eq!(root.teu(&["port", "front"]).exits(0).stdout, "");
            if again {
                // Nor does it keep the container from a start.
                root.teu(&["restart", "-t", "0", "front"]).exits(0);
                refused("[::1]:8080");
            }
            root.teu(&["network", "connect", "bridge", "front"]).exits(0);
            wait_until("front serves", || page("http://127.0.0.1:8081"));
            assert_eq!(root.teu(&["port", "front"]).exits(0).stdout.lines().count(), 2);
        }
        assert_eq!(page("http://[::1]:8080").as_deref(), Some("front"));
    });
}

#[test]
fn who_makes_the_firewall_table_anew_has_the_others_ports_come_back() {
    needs!(Root, Registry, Cgroup, Nft);
    on_own_host(|root, _| {
        root.teu(&["network", "create", "more"]).exits(0);
        web(root, "one", &["-p", "8081:80"]);
        web(root, "two", &["-p", "8082:80"]);
        for change in [["network", "connect", "more", "two"].as_slice(), &["network", "reload", "two"]] {
            nft(&["flush", "ruleset"]);
            assert_eq!(page("http://127.0.0.1:8081"), None);
            root.teu(change).exits(0);
            wait_until("the other's port is back", || page("http://127.0.0.1:8081"));
            assert_eq!(page("http://127.0.0.1:8082").as_deref(), Some("two"));
        }
    });
}
