//! `update --publish-add` and `--publish-rm`: what is open and what is recorded are the same, or nothing has changed.

use super::{fails, start};
use crate::needs;
use crate::support::host::on_own_host;
use crate::support::{StateRoot, image};
use serde_json::{Value, json};
use std::net::TcpListener;

const SLEEP: [&str; 2] = ["sleep", "1000"];

/// What is open, and what is recorded.
fn published(root: &StateRoot, name: &str) -> (Vec<String>, Value) {
    let open = root.teu(&["port", name]).exits(0).stdout;
    let recorded = root.inspect(name)["HostConfig"]["PortBindings"].clone();
    (open.lines().map(|line| line.trim_start_matches("80/tcp -> ").to_owned()).collect(), recorded)
}

#[track_caller]
fn refused(root: &StateRoot, parts: &[&str], name: &str, flag: &str, port: &str) {
    let before = published(root, name);
    fails(root, 1, parts, &["update", flag, port, name]);
    assert_eq!(published(root, name), before, "{flag} {port}");
}

/// Takes the port away, and it is gone after the next start too.
#[track_caller]
fn removes(root: &StateRoot, name: &str, port: &str) {
    root.teu(&["update", "--publish-rm", port, name]).exits(0);
    assert_eq!(published(root, name), (Vec::new(), json!({})));
    root.teu(&["restart", "-t", "0", name]).exits(0);
    assert_eq!(published(root, name), (Vec::new(), json!({})));
}

#[test]
fn what_is_taken_away_stays_away_and_what_is_not_published_is_refused() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        start(root, "named", &["-p", "8010:80"], &SLEEP);
        let other_address = ["port 0.0.0.0:8010:80/tcp is not published", "published: 127.0.0.1:8010->80/tcp"];
        refused(root, &other_address, "named", "--publish-rm", "0.0.0.0:8010:80");
        removes(root, "named", "127.0.0.1:8010:80");
        start(root, "any", &["-p", "80"], &SLEEP);
        refused(
            root,
            &["port 9999:80/tcp is not published", "published: 127.0.0.1:"],
            "any",
            "--publish-rm",
            "9999:80",
        );
        let open = published(root, "any").0;
        removes(root, "any", &format!("{}:80", open[0]));
        // It got the second of its range, and is named by it.
        let taken = TcpListener::bind("127.0.0.1:8020").unwrap();
        start(root, "range", &["-p", "8020-8022:80"], &SLEEP);
        drop(taken);
        refused(root, &["published: 127.0.0.1:8021->80/tcp"], "range", "--publish-rm", "8020:80");
        removes(root, "range", "8021:80");
    });
}

#[test]
fn of_all_exposed_ports_those_that_are_left_are_published() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        start(root, "all", &["-P", "--expose", "80"], &SLEEP);
        removes(root, "all", "80");
        start(root, "both", &["-P", "--expose", "80", "--expose", "81"], &SLEEP);
        root.teu(&["update", "--publish-rm", "81", "both"]).exits(0);
        // One more is one more, after the next start as well.
        root.teu(&["update", "--publish-add", "8030:80", "both"]).exits(0);
        for restarted in [false, true] {
            let open = published(root, "both").0;
            assert!(open.len() == 2 && open.contains(&"127.0.0.1:8030".to_owned()), "{restarted} {open:?}");
            root.teu(&["restart", "-t", "0", "both"]).exits(0);
        }
    });
}

#[test]
fn a_stopped_containers_ports_are_what_is_recorded() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        let create = |name: &str, flags: &[&str]| {
            let image = image::name();
            root.teu(&[&["create", "--name", name], flags, &[&image, "sleep", "1000"]].concat()).exits(0);
        };
        create("one", &["-p", "8040:80"]);
        let twice = "cannot both be had: they are one port of this machine";
        for port in ["8040:80", "8040:81", "0.0.0.0:8040:80"] {
            refused(root, &[twice], "one", "--publish-add", port);
        }
        root.teu(&["update", "--publish-add", "8041:80", "one"]).exits(0);
        refused(root, &[twice], "one", "--publish-add", "8041:80");
        for port in ["0.0.0.0:8040:80", "9999:80"] {
            refused(root, &["is not published", "published: 8040:80/tcp, 8041:80/tcp"], "one", "--publish-rm", port);
        }
        // It moves: the range takes what nobody asks for by its number.
        root.teu(&["update", "--publish-rm", "8041:80", "--publish-add", "8040-8041:80", "one"]).exits(0);
        root.teu(&["start", "one"]).exits(0);
        let mut open = published(root, "one").0;
        open.sort();
        assert_eq!(open, ["127.0.0.1:8040", "127.0.0.1:8041"]);
        create("all", &["-P", "--expose", "80"]);
        refused(root, &["is not published"], "all", "--publish-rm", "9999:80");
        root.teu(&["update", "--publish-rm", "80", "all"]).exits(0);
        root.teu(&["start", "all"]).exits(0);
        assert_eq!(published(root, "all"), (Vec::new(), json!({})));
    });
}
