//! The network of containers that name none.

use super::{fails, inside, start, web};
use crate::needs;
use crate::support::host::{HOST, OUTSIDE, ip, on_own_host, on_own_loopback};
use crate::support::{StateRoot, program};
use std::process::{Command, Stdio};

const STARTER: &str = "localhost/starter";

fn mode(root: &StateRoot, name: &str) -> String {
    root.inspect(name)["HostConfig"]["NetworkMode"].as_str().unwrap().to_owned()
}

/// The bridges there are.
fn bridges() -> Vec<String> {
    let list = ip(&["-o", "link", "show", "type", "bridge"]);
    list.lines().filter_map(|line| Some(line.split(": ").nth(1)?.to_owned())).collect()
}

#[test]
fn who_names_no_network_is_on_bridge() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, outside| {
        web(root, "one", &[]);
        web(root, "two", &["-p", "0.0.0.0:8081:80"]);
        assert_eq!((mode(root, "one").as_str(), mode(root, "two").as_str()), ("bridge", "bridge"));
        let settings = root.inspect("one")["NetworkSettings"].clone();
        assert_eq!(settings["IPAddress"], settings["Networks"]["bridge"]["IPAddress"]);
        assert_eq!(settings["IPPrefixLen"], 16);
        assert_eq!(
            (settings["GlobalIPv6Address"].as_str(), settings["HairpinMode"].as_bool()),
            (Some(""), Some(false))
        );
        // Each other by name, the outside by a route, the outside's way in by a port alone.
        assert_eq!(inside(root, "one", "http://two").as_deref(), Some("two"));
        assert_eq!(outside.page(&format!("http://{HOST}:8081")).as_deref(), Some("two"));
        assert_eq!(outside.page(&format!("http://{}", settings["IPAddress"].as_str().unwrap())), None);
        let url = format!("http://{OUTSIDE}:9");
        let answer = root.teu(&["exec", "one", "timeout", "3", "wget", "-q", "-O", "-", &url]);
        assert!(answer.stderr.contains("refused"), "{}", answer.stderr);
        // The bridge stays for the next start, until somebody tidies up.
        assert_eq!(bridges().len(), 1);
        root.teu(&["network", "prune", "-f"]).exits(0);
        assert_eq!(bridges().len(), 1, "it is in use");
        root.teu(&["rm", "-f", "one", "two"]).exits(0);
        assert_eq!(bridges().len(), 1);
        root.teu(&["network", "prune", "-f"]).exits(0);
        assert_eq!(bridges(), [""; 0]);
        web(root, "one", &[]);
    });
}

#[test]
fn pruning_takes_the_firewall_table_off_the_host() {
    needs!(Root, Registry, Cgroup, Nft);
    on_own_host(|root, _| {
        let tables = || program::finish(Command::new("nft").args(["list", "tables"]).stdin(Stdio::null())).exits(0);
        root.teu(&["network", "create", "other"]).exits(0);
        start(root, "one", &[], &["sleep", "1000"]);
        start(root, "two", &["--network", "other"], &["sleep", "1000"]);
        root.teu(&["rm", "-f", "one"]).exits(0);
        root.teu(&["network", "prune", "-f"]).exits(0);
        assert_eq!((bridges().len(), tables().stdout.lines().count()), (1, 1), "the other network is in use");
        root.teu(&["rm", "-f", "two"]).exits(0);
        root.teu(&["network", "prune", "-f"]).exits(0);
        assert_eq!((bridges().len(), tables().stdout.as_str()), (0, ""));
    });
}

#[test]
fn two_roots_have_their_own() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        let other = StateRoot::new();
        let run = |root: &StateRoot| {
            root.teu(&["run", "-d", "--name", "box", STARTER, "sleep", "1000"]).exits(0);
            root.inspect("box")["NetworkSettings"]["IPAddress"].as_str().unwrap().to_owned()
        };
        start(root, "box", &[], &["sleep", "1000"]);
        let first = root.inspect("box")["NetworkSettings"]["IPAddress"].as_str().unwrap().to_owned();
        let second = run(&other);
        assert_ne!(first, second);
        assert_eq!(bridges().len(), 2);
        // The first one's bridge goes; the host comes to use its subnet; the first finds another one.
        root.teu(&["rm", "-f", "box"]).exits(0);
        root.teu(&["network", "prune", "-f"]).exits(0);
        ip(&["address", "add", "172.17.9.9/16", "dev", "lan0"]);
        start(root, "box", &[], &["sleep", "1000"]);
        let third = root.inspect("box")["NetworkSettings"]["IPAddress"].as_str().unwrap().to_owned();
        assert!(!third.starts_with("172.17.") && third != second, "{first} {second} {third}");
        other.teu(&["rm", "-f", "box"]).exits(0);
    });
}

/// The starter image's shell has to come up on any machine.
#[test]
fn where_no_network_can_be_had_there_is_loopback_and_a_word() {
    needs!(Root, Cgroup);
    on_own_loopback(|| {
        let root = StateRoot::new();
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        let teu = |args: &[&str]| {
            // Nobody may switch forwarding on.
            let script = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec \"$@\"";
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", script, "sh"]).arg(program::binary());
            command.arg("--root").arg(root.path()).env("HOME", root.path()).env_remove("TEU_ROOT");
            program::finish(command.args(args).stdin(Stdio::null()))
        };
        let answer = teu(&["run", "--rm", STARTER, "sh", "-c", "ls /sys/class/net | wc -w"]).exits(0);
        let warned = answer.stderr.matches("warning: the container has no network but loopback: ").count();
        assert_eq!((answer.out(), warned), ("1", 1), "{}", answer.stderr);
        let answer = teu(&["create", "--name", "made", STARTER, "true"]).exits(0);
        assert!(answer.stderr.contains("packets are not forwarded on this machine"), "{}", answer.stderr);
        assert_eq!(mode(&root, "made"), "none");
        teu(&["run", "-d", "--name", "kept", STARTER, "sleep", "1000"]).exits(0);
        root.teu(&["network", "create", "more"]).exits(0);
        for change in [&["network", "connect", "more", "kept"][..], &["update", "--publish-add", "8080:80", "kept"]] {
            let refused = teu(change).exits(1).stderr;
            assert!(refused.contains("it has no network but loopback: packets are not forwarded"), "{refused}");
            assert!(refused.contains("`teu restart kept` puts it on network bridge"), "{refused}");
        }
        teu(&["restart", "-t", "0", "kept"]).exits(0);
        assert_eq!(mode(&root, "kept"), "none");
        let refused = teu(&["run", "-p", "8080:80", STARTER, "true"]).exits(125);
        assert!(refused.stderr.contains("ports cannot be published"), "{}", refused.stderr);
        assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout.lines().count(), 2);
        assert_eq!(bridges(), [""; 0]);
        // Where it can be had now, the next start has it.
        fails(&root, 1, &["none could be had when it was started"], &["network", "disconnect", "bridge", "kept"]);
        root.teu(&["restart", "-t", "0", "kept"]).exits(0);
        root.teu(&["start", "made"]).exits(0);
        assert_eq!((mode(&root, "kept").as_str(), mode(&root, "made").as_str()), ("bridge", "bridge"));
        root.teu(&["network", "connect", "more", "kept"]).exits(0);
        // Who was asked to have none has none.
        root.teu(&["run", "-d", "--name", "none", "--network", "none", STARTER, "sleep", "1000"]).exits(0);
        fails(&root, 1, &["it was created with --network none"], &["network", "connect", "more", "none"]);
        root.teu(&["restart", "-t", "0", "none"]).exits(0);
        assert_eq!(mode(&root, "none"), "none");
        root.teu(&["rm", "-f", "kept", "made", "none"]).exits(0);
    });
}

#[test]
fn an_ordinary_user_without_a_helper_has_loopback_and_a_word() {
    needs!(User, Userns);
    let root = StateRoot::new();
    // A PATH with everything but pasta and slirp4netns.
    let bin = root.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["sh", "newuidmap", "newgidmap"] {
        let found =
            ["/bin", "/usr/bin"].map(|d| format!("{d}/{name}")).into_iter().find(|p| std::fs::exists(p).unwrap());
        if let Some(path) = found {
            std::os::unix::fs::symlink(path, bin.join(name)).unwrap();
        }
    }
    let teu = |args: &[&str]| {
        let mut command = root.command();
        program::finish(command.env("PATH", &bin).args(args).stdin(Stdio::null()))
    };
    let answer = teu(&["run", "--rm", STARTER, "sh", "-c", "ls /sys/class/net | wc -w"]).exits(0);
    let words = "warning: the container has no network but loopback: neither pasta nor slirp4netns is installed";
    assert_eq!(answer.out(), "1");
    assert_eq!(answer.stderr.matches(words).count(), 1, "{}", answer.stderr);
    assert_eq!(teu(&["run", "--rm", "--network", "none", STARTER, "true"]).exits(0).stderr, "");
    teu(&["run", "-d", "--name", "kept", STARTER, "sleep", "1000"]).exits(0);
    teu(&["restart", "-t", "0", "kept"]).exits(0);
    let refused = teu(&["network", "disconnect", "bridge", "kept"]).exits(1).stderr;
    for part in ["no network but loopback: neither pasta nor slirp4netns is installed", "`teu restart kept` puts it on"]
    {
        assert!(refused.contains(part), "{refused}");
    }
    teu(&["rm", "-f", "kept"]).exits(0);
}

#[test]
fn the_settings_may_say_none() {
    needs!(User, Userns);
    let root = StateRoot::new();
    let settings = root.path().join(".config/teu");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("config.toml"), "network.default = 'none'\n").unwrap();
    let answer = root.teu(&["create", "--name", "made", STARTER, "true"]).exits(0);
    assert_eq!((mode(&root, "made").as_str(), answer.stderr.as_str()), ("none", ""));
    // Who publishes ports needs a network all the same.
    root.teu(&["create", "--name", "open", "-p", "8080:80", STARTER, "true"]).exits(0);
    assert_eq!(mode(&root, "open"), "bridge");
}
