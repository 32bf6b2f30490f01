//! Rules and names that a killed monitor leaves lead nobody to whoever has its container's address next.

use super::{start, web};
use crate::needs;
use crate::support::host::{HOST, ip, on_own_host, page};
use crate::support::{StateRoot, wait_until};

/// A server on the one address of network `tiny`, its port published to all; then dead, without its monitor's help.
fn dies(root: &StateRoot, name: &str, host_port: &str) {
    web(root, name, &["--network", "tiny", "-p", &format!("0.0.0.0:{host_port}:80")]);
    kill(root, name);
}

fn kill(root: &StateRoot, name: &str) {
    let state = root.inspect(name)["State"].clone();
    for key in ["MonitorPid", "Pid"] {
        let pid = i32::try_from(state[key].as_i64().unwrap()).unwrap();
        teu::sys::process::kill(pid, 9).unwrap();
    }
    wait_until("it is seen as ended", || (root.inspect(name)["State"]["Status"] == "exited").then_some(()));
}

fn tiny(root: &StateRoot) {
    root.teu(&["network", "create", "--subnet", "10.9.0.0/30", "tiny"]).exits(0);
}

#[test]
fn a_dead_containers_ports_lead_to_nobody_else() {
    needs!(Root, Registry, Cgroup, Nft);
    on_own_host(|root, outside| {
        tiny(root);
        let nobody = |port: &str| {
            let answer = outside.page(&format!("http://{HOST}:{port}"));
            assert_eq!(answer, None, "port {port} was another container's");
        };
        // Removed, its address goes to the next one.
        dies(root, "one", "8081");
        root.teu(&["rm", "one"]).exits(0);
        web(root, "two", &["--network", "tiny"]);
        nobody("8081");
        root.teu(&["rm", "-f", "two"]).exits(0);
        // It starts again without the port.
        dies(root, "three", "8082");
        root.teu(&["update", "--publish-rm", "8082:80", "three"]).exits(0);
        root.teu(&["start", "three"]).exits(0);
        wait_until("three serves", || super::inside(root, "three", "http://127.0.0.1"));
        nobody("8082");
        root.teu(&["rm", "-f", "three"]).exits(0);
        // Its network goes, and another one has the same subnet.
        dies(root, "four", "8083");
        root.teu(&["network", "rm", "tiny"]).exits(0);
        tiny(root);
        web(root, "five", &["--network", "tiny"]);
        nobody("8083");
        root.teu(&["rm", "-f", "four", "five"]).exits(0);
        root.teu(&["network", "rm", "tiny"]).exits(0);
        assert!(!ip(&["-o", "link"]).contains("tb"));
    });
}

#[test]
fn a_dead_containers_name_is_nobodys() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        root.teu(&["network", "create", "names"]).exits(0);
        start(root, "client", &["--network", "names"], &["sleep", "1000"]);
        let known = |name: &str| root.teu(&["exec", "client", "nslookup", name, "127.0.0.11"]).code == 0;
        let flags = ["--network", "names", "-p", "0.0.0.0:8084:80"];
        let loses_monitor = |name: &str| {
            start(root, name, &flags, &["sleep", "1000"]);
            assert!(known(name));
            let state = root.inspect(name)["State"].clone();
            let pid = |key: &str| i32::try_from(state[key].as_i64().unwrap()).unwrap();
            teu::sys::process::kill(pid("MonitorPid"), 9).unwrap();
            pid("Pid")
        };
        let dies = |name: &str| {
            teu::sys::process::kill(loses_monitor(name), 9).unwrap();
            wait_until("it is seen as ended", || (root.inspect(name)["State"]["Status"] == "exited").then_some(()));
        };
        loses_monitor("stopped");
        assert!(known("stopped"), "it lives, and has its address");
        root.teu(&["stop", "stopped"]).exits(0);
        assert!(!known("stopped"));
        loses_monitor("removed");
        root.teu(&["rm", "-f", "removed"]).exits(0);
        assert!(!known("removed"));
        dies("gone");
        root.teu(&["rm", "gone"]).exits(0);
        assert!(!known("gone"));
        dies("tidied");
        root.teu(&["network", "reload"]).exits(0);
        assert!(!known("tidied") && known("client"));
    });
}

/// Who is in a container's network namespace from outside, as one who debugs it is, keeps it after the container's end. Ends with the
/// value.
struct Held(std::process::Child);

impl Held {
    #[track_caller]
    fn of(root: &StateRoot, name: &str) -> Held {
        let pid = root.inspect(name)["State"]["Pid"].to_string();
        let inside = std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        let mut command = std::process::Command::new("nsenter");
        let child = command.args(["-t", &pid, "-n", "sleep", "1000"]).spawn().unwrap();
        let there = format!("/proc/{}/ns/net", child.id());
        wait_until("it is inside", || (std::fs::read_link(&there).ok()? == inside).then_some(()));
        Held(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The host's ends of pairs, each with whether it is on a bridge.
#[track_caller]
fn pairs() -> Vec<bool> {
    let links = ip(&["-o", "link", "show", "type", "veth"]);
    links.lines().filter(|l| l.contains(": tv")).map(|l| l.contains(" master ")).collect()
}

#[test]
fn who_stays_in_a_removed_containers_namespace_reaches_nobody_by_it() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        tiny(root);
        web(root, "one", &["--network", "tiny"]);
        let held = Held::of(root, "one");
        root.teu(&["rm", "-f", "one"]).exits(0);
        assert_eq!(pairs(), [false], "the pair is still on its bridge");
        // Whose address it was has nothing to do with it any more.
        let pid = held.0.id().to_string();
        let addresses = std::process::Command::new("nsenter").args(["-t", &pid, "-n", "ip", "-o", "addr"]).output();
        let addresses = String::from_utf8(addresses.unwrap().stdout).unwrap();
        assert!(addresses.contains("127.0.0.1") && !addresses.contains("10.9.0."), "{addresses}");
        web(root, "two", &["--network", "tiny"]);
        drop(held);
        wait_until("the pair is gone", || (pairs() == [true]).then_some(()));
        root.teu(&["rm", "-f", "two"]).exits(0);
    });
}

#[test]
fn who_stays_in_a_dead_containers_namespace_has_no_address_that_is_anothers() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        tiny(root);
        // Who would have taken the address away inside is dead too.
        let dies_held = |name: &str| {
            web(root, name, &["--network", "tiny"]);
            let held = Held::of(root, name);
            kill(root, name);
            assert_eq!(pairs(), [true]);
            held
        };
        let held = dies_held("one");
        web(root, "two", &["--network", "tiny", "-p", "8080:80"]);
        assert_eq!(pairs(), [true], "the dead container's pair is there");
        assert_eq!(page("http://127.0.0.1:8080").as_deref(), Some("two"));
        root.teu(&["rm", "-f", "two"]).exits(0);
        drop(held);
        wait_until("the pair is gone", || pairs().is_empty().then_some(()));
        let _held = dies_held("three");
        root.teu(&["rm", "three"]).exits(0);
        assert!(pairs().is_empty());
    });
}

/// A container that may change its own firewall, as those that keep a tunnel do, throws the way to its resolver away with the rest.
#[test]
fn flushed_names_come_back() {
    needs!(Root, Registry, Cgroup, Nft);
    on_own_host(|root, _| {
        start(root, "tunnel", &["--cap-add", "NET_ADMIN"], &["sleep", "1000"]);
        let known = || root.teu(&["exec", "tunnel", "nslookup", "tunnel", "127.0.0.11"]).code == 0;
        assert!(known());
        let pid = root.inspect("tunnel")["State"]["Pid"].to_string();
        let flushed = ["-t", &pid, "-n", "nft", "flush", "ruleset"];
        assert!(std::process::Command::new("nsenter").args(flushed).status().unwrap().success());
        assert!(!known());
        for _ in 0..2 {
            root.teu(&["network", "reload", "tunnel"]).exits(0);
            assert!(known());
        }
    });
}
