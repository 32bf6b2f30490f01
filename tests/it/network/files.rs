//! `/etc/hosts` and `/etc/resolv.conf` while networks come and go.

use super::{fails, start};
use crate::needs;
use crate::support::StateRoot;
use crate::support::host::{HOST, on_own_host, page};
use crate::support::image;

fn hosts(root: &StateRoot, name: &str) -> String {
    let text = root.teu(&["exec", name, "cat", "/etc/hosts"]).exits(0).stdout;
    // After what every container has.
    text.split_once("ip6-allrouters\n").unwrap().1.to_owned()
}

fn address(root: &StateRoot, name: &str, network: &str) -> String {
    root.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"].as_str().unwrap().to_owned()
}

#[test]
fn own_addresses_are_in_the_hosts_file_as_long_as_they_are_had() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        for network in ["one", "two"] {
            root.teu(&["network", "create", network]).exits(0);
        }
        let flags =
            ["--network", "one", "--hostname", "box", "--add-host", "fixed:1.2.3.4", "--dns-search", "corp.test"];
        start(root, "c", &flags, &["sleep", "1000"]);
        let names = format!("box c {}", &root.inspect("c")["Id"].as_str().unwrap()[..12]);
        let own = |network: &str| format!("{}\t{names}\n", address(root, "c", network));
        let fixed = "1.2.3.4\tfixed\n";
        assert_eq!(hosts(root, "c"), format!("{fixed}{}", own("one")));
        // A container that shares its network shares the files.
        start(root, "guest", &["--network", "container:c"], &["sleep", "1000"]);
        root.teu(&["network", "connect", "two", "c"]).exits(0);
        let both = format!("{fixed}{}{}", own("one"), own("two"));
        assert_eq!((hosts(root, "c"), hosts(root, "guest")), (both.clone(), both));
        root.teu(&["network", "disconnect", "one", "c"]).exits(0);
        assert_eq!(hosts(root, "c"), format!("{fixed}{}", own("two")));
        root.teu(&["network", "disconnect", "two", "c"]).exits(0);
        assert_eq!(hosts(root, "c"), format!("{fixed}127.0.1.1\tbox\n"));
        assert_eq!(root.inspect("c")["HostConfig"]["NetworkMode"], "none");
        root.teu(&["network", "connect", "one", "c"]).exits(0);
        let alone = format!("{fixed}{}", own("one"));
        assert_eq!((hosts(root, "c"), hosts(root, "guest")), (alone.clone(), alone.clone()));
        let resolver = root.teu(&["exec", "c", "cat", "/etc/resolv.conf"]).exits(0).stdout;
        assert!(resolver.starts_with("search corp.test\nnameserver 127.0.0.11\n"), "{resolver}");
        root.teu(&["restart", "-t", "0", "c"]).exits(0);
        assert_eq!(hosts(root, "c"), alone);
        root.teu(&["rm", "-f", "guest", "c"]).exits(0);
    });
}

#[test]
fn the_host_has_a_name_on_every_network_that_leads_to_it() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        // A server of the host's own, on all its addresses.
        let dir = root.path().join("www");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("index.html"), "host\n").unwrap();
        let mut server = std::process::Command::new("busybox");
        let _server = crate::support::program::Running(
            server.args(["httpd", "-f", "-p", "8000", "-h"]).arg(&dir).spawn().unwrap(),
        );
        crate::support::wait_until("the host serves", || page(&format!("http://{HOST}:8000")));
        root.teu(&["network", "create", "one"]).exits(0);
        root.teu(&["network", "create", "--internal", "closed"]).exits(0);
        let image = image::name();
        for network in ["bridge", "one"] {
            let fetch = ["timeout", "3", "wget", "-q", "-O", "-", "http://up:8000"];
            let args = ["run", "--rm", "--network", network, "--add-host", "up:host-gateway", &image];
            assert_eq!(root.teu(&[&args[..], &fetch[..]].concat()).exits(0).out(), "host", "{network}");
        }
        let refused = ["run", "--rm", "--network", "closed", "--add-host", "up:host-gateway", &image, "true"];
        fails(root, 125, &["'up:host-gateway'", "no way to the host"], &refused);
    });
}
