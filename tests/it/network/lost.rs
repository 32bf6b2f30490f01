//! What others took away of the host's side is put back for all, whoever comes first.

use super::{fails, inside, start, web};
use crate::needs;
use crate::support::host::{HOST, ip, on_own_host};
use crate::support::{image, wait_until};

#[test]
fn a_lost_bridge_comes_back_for_all() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, outside| {
        root.teu(&["network", "create", "bv"]).exits(0);
        web(root, "x1", &["--network", "bv", "-p", "0.0.0.0:8080:80"]);
        for name in ["x2", "x3"] {
            start(root, name, &["--network", "bv"], &["sleep", "1000"]);
        }
        start(root, "x4", &[], &["sleep", "1000"]);
        root.teu(&["network", "create", "-o", "com.docker.network.bridge.name=theirs", "taken"]).exits(0);
        ip(&["link", "add", "theirs", "type", "veth", "peer", "name", "other"]);
        let bridge = format!("tb{}", &root.inspect("bv")["Id"].as_str().unwrap()[..12]);
        let lose = || ip(&["link", "del", &bridge]);
        let port = format!("http://{HOST}:8080");
        let meet = |names: &[&str]| {
            // Each puts its own end back, and nobody has waited for that.
            for name in names {
                wait_until(&format!("{name} reaches x1"), || inside(root, name, "http://x1"));
            }
            assert_eq!(outside.page(&port).as_deref(), Some("x1"));
        };
        lose();
        root.teu(&["restart", "-t", "0", "x2"]).exits(0);
        meet(&["x2", "x3"]);
        lose();
        root.teu(&["network", "reload", "x2"]).exits(0);
        meet(&["x2", "x3"]);
        lose();
        root.teu(&["network", "connect", "bv", "x4"]).exits(0);
        meet(&["x2", "x3", "x4"]);
        lose();
        // A start that comes to nothing has made the bridge all the same, and leaves it.
        let failing = ["run", "--rm", "--network", "bv", "--network", "taken", &image::name(), "true"];
        fails(root, 125, &["theirs is there already and is no bridge"], &failing);
        meet(&["x2", "x3", "x4"]);
    });
}

#[test]
fn a_network_is_not_reloaded_without_its_monitor() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        start(root, "r1", &[], &["sleep", "1000"]);
        let monitor = root.inspect("r1")["State"]["MonitorPid"].as_i64().unwrap();
        teu::sys::process::kill(i32::try_from(monitor).unwrap(), 9).unwrap();
        wait_until("its monitor is gone", || {
            root.teu(&["ps", "--format", "{{.Status}}"]).stdout.contains("monitor lost").then_some(())
        });
        fails(root, 1, &["its monitor is gone", "teu restart"], &["network", "reload", "r1"]);
        root.teu(&["restart", "-t", "0", "r1"]).exits(0);
        root.teu(&["network", "reload", "r1"]).exits(0);
    });
}
