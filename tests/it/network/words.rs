//! Docker's words for networks, beyond those that everybody uses: each does what it says, or is refused by name.

use super::{fails, inside, start, web};
use crate::needs;
use crate::support::host::{OUTSIDE, on_own_host, on_own_loopback};
use crate::support::{StateRoot, image};

#[test]
fn addresses_that_are_spoken_for_are_nobodys() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        let flags = ["--subnet", "10.61.0.0/29", "--aux-address", "router=10.61.0.2", "--aux-address", "nas=10.61.0.4"];
        root.teu(
            &[&["network", "create"], &flags[..], &["--scope", "local", "--ipam-driver", "default", "few"]].concat(),
        )
        .exits(0);
        let config = root.inspect("few")["IPAM"]["Config"][0].clone();
        assert_eq!(config["AuxiliaryAddresses"]["router"], "10.61.0.2", "{config}");
        for (name, address) in [("a", "10.61.0.3"), ("b", "10.61.0.5"), ("c", "10.61.0.6")] {
            start(root, name, &["--network", "few"], &["sleep", "1000"]);
            assert_eq!(root.inspect(name)["NetworkSettings"]["Networks"]["few"]["IPAddress"], address);
        }
        let image = image::name();
        fails(root, 125, &["every address of 10.61.0.0/29 is taken"], &["run", "--network", "few", &image, "true"]);
        let taken = ["run", "--network", "few", "--ip", "10.61.0.4", &image, "true"];
        fails(root, 125, &["10.61.0.4 is the auxiliary address"], &taken);
        // Of a range it is the range that is full.
        root.teu(&["network", "create", "--subnet", "10.62.0.0/24", "--ip-range", "10.62.0.8/32", "one"]).exits(0);
        start(root, "d", &["--network", "one"], &["sleep", "1000"]);
        fails(root, 125, &["every address of 10.62.0.8/32 is taken"], &["run", "--network", "one", &image, "true"]);
        for (flag, value, why) in [
            ("--aux-address", "x=10.9.9.9", "no matching subnet for auxiliary address 10.9.9.9"),
            ("--aux-address", "10.9.9.9", "it must be NAME=IP"),
            ("--aux-address", "x=y", "'y' is not an IP address"),
            ("--scope", "swarm", "--scope is not supported"),
            ("--ipam-driver", "dhcp", "--ipam-driver is not supported"),
            ("--ipam-opt", "a=b", "--ipam-opt is not supported"),
            ("--config-from", "few", "--config-from is not supported"),
            ("--opt", "com.docker.network.bridge.gateway_mode_ipv4=routed", "is not supported for a bridge network"),
        ] {
            fails(root, 1, &[why], &["network", "create", flag, value, "bad"]);
        }
        for flag in ["--config-only", "--ingress", "--config-only=true", "--ingress=1", "--ipv4=false"] {
            let name = flag.split('=').next().unwrap_or(flag);
            fails(root, 1, &[&format!("{name} is not supported")], &["network", "create", flag, "bad"]);
        }
        // Podman's words are understood far enough to say what is to be done.
        for (word, what) in
            [("pasta:-t,80", "leave it out"), ("ns:/proc/1/ns/net", "container:NAME"), ("private", "say none")]
        {
            fails(root, 125, &["no such network", what], &["run", "--network", word, &image, "true"]);
        }
        root.teu(&["network", "create", "--ipv4", "--config-only=false", "--ingress=false", "good"]).exits(0);
        fails(
            root,
            1,
            &["subnet 10.62.0.128/25 overlaps with another network's: network one has 10.62.0.0/24"],
            &["network", "create", "--subnet", "10.62.0.128/25", "bad"],
        );
        for filter in ["dangling=maybe", "type=own"] {
            fails(root, 1, &["invalid --filter"], &["network", "ls", "--filter", filter]);
        }
    });
}

#[test]
fn neighbours_that_are_not_to_meet() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, outside| {
        root.teu(&["network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "apart"]).exits(0);
        // Where bridged packets go through the rules, one to a published port goes on to its container straight, and no further
        // than any other between the two.
        let bridged =
            ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"].map(|f| format!("/proc/sys/net/bridge/{f}"));
        let warned = || {
            let said = root.teu(&["run", "--rm", "--network", "apart", &image::name(), "true"]).exits(0).stderr;
            said.contains("do not reach each other's published ports")
        };
        for file in bridged.iter().filter(|f| std::path::Path::new(f).exists()) {
            std::fs::write(file, "1").unwrap();
            assert!(warned(), "{file}");
            std::fs::write(file, "0").unwrap();
        }
        assert!(!warned());
        web(root, "a", &["--network", "apart", "-p", "0.0.0.0:8080:80"]);
        start(root, "b", &["--network", "apart"], &["sleep", "1000"]);
        let address = root.inspect("a")["NetworkSettings"]["Networks"]["apart"]["IPAddress"].clone();
        let direct = format!("http://{}", address.as_str().unwrap());
        let refused = || {
            let url = format!("http://{OUTSIDE}:9");
            root.teu(&["exec", "b", "timeout", "3", "wget", "-q", "-O", "-", &url]).stderr.contains("refused")
        };
        let port = format!("http://{}:8080", crate::support::host::HOST);
        for _ in 0..2 {
            assert_eq!(inside(root, "b", &direct), None);
            // Not by way of the gateway either, which is where somebody with a route of his own sends it.
            assert!(refused(), "the outside is reached");
            assert_eq!(inside(root, "b", &port).as_deref(), Some("a"), "what is published is for everybody");
            assert_eq!(outside.page(&port).as_deref(), Some("a"));
            // A bridge that was lost comes back no other than it was.
            let bridge = format!("tb{}", &root.inspect("apart")["Id"].as_str().unwrap()[..12]);
            crate::support::host::ip(&["link", "del", &bridge]);
            root.teu(&["network", "reload"]).exits(0);
        }
    });
}

#[test]
fn the_way_out_and_the_names_of_interfaces_are_chosen() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        root.teu(&["network", "create", "--subnet", "10.63.0.0/24", "one"]).exits(0);
        let prefix = "com.docker.network.container_iface_prefix=web";
        root.teu(&["network", "create", "--subnet", "10.64.0.0/24", "-o", prefix, "two"]).exits(0);
        root.teu(&["network", "create", "--subnet", "10.65.0.0/24", "three"]).exits(0);
        let ifname = "com.docker.network.endpoint.ifname";
        let named = format!("name=one,driver-opt={ifname}=lan0");
        start(root, "c", &["--network", &named, "--network", "name=two,gw-priority=2"], &["sleep", "1000"]);
        let route = || root.teu(&["exec", "c", "ip", "route"]).exits(0).stdout;
        assert!(route().contains("default via 10.64.0.1 dev web0"), "{}", route());
        assert!(route().contains("10.63.0.0/24 dev lan0"), "{}", route());
        let option = format!("{ifname}=up0");
        root.teu(&["network", "connect", "--gw-priority", "3", "--driver-opt", &option, "three", "c"]).exits(0);
        assert!(route().contains("default via 10.65.0.1 dev up0"), "{}", route());
        let details = root.inspect("c")["NetworkSettings"]["Networks"]["three"].clone();
        assert_eq!((&details["GwPriority"], &details["DriverOpts"][ifname]), (&3.into(), &"up0".into()), "{details}");
        root.teu(&["network", "disconnect", "three", "c"]).exits(0);
        assert!(route().contains("default via 10.64.0.1 dev web0"), "{}", route());
        root.teu(&["restart", "-t", "0", "c"]).exits(0);
        assert!(route().contains("default via 10.64.0.1 dev web0") && route().contains("dev lan0"), "{}", route());
        let taken = format!("{ifname}=lan0");
        fails(
            root,
            1,
            &["the container has an interface lan0 already"],
            &["network", "connect", "--driver-opt", &taken, "three", "c"],
        );
        fails(
            root,
            1,
            &["unknown driver option 'mtu'"],
            &["network", "connect", "--driver-opt", "mtu=1", "three", "c"],
        );
        fails(root, 1, &["invalid --alias 'a b'"], &["network", "connect", "--alias", "a b", "three", "c"]);
        fails(root, 1, &["--link is not supported"], &["network", "connect", "--link", "c:d", "three", "c"]);
        let image = image::name();
        let twice = ["run", "--network", &named, "--network", "three:interface_name=lan0", &image, "true"];
        fails(root, 125, &["cannot both be called lan0"], &twice);
    });
}

#[test]
fn bridges_have_one_network_and_go_with_it() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        let named = |name: &str| format!("com.docker.network.bridge.name={name}");
        let there = |name: &str| {
            std::process::Command::new("ip").args(["link", "show", name]).output().unwrap().status.success()
        };
        root.teu(&["network", "create", "-o", &named("mine"), "-o", "mtu=1400", "one"]).exits(0);
        fails(root, 1, &["bridge mine is network one's already"], &["network", "create", "-o", &named("mine"), "two"]);
        let image = image::name();
        let shown =
            root.teu(&["run", "--rm", "--network", "one", &image, "ip", "link", "show", "eth0"]).exits(0).stdout;
        assert!(shown.contains("mtu 1400"), "{shown}");
        assert!(there("mine"));
        root.teu(&["network", "rm", "one"]).exits(0);
        assert!(!there("mine"), "made for the network, gone with it");
        // Somebody's own bridge stays his.
        crate::support::host::ip(&["link", "add", "theirs", "type", "bridge"]);
        root.teu(&["network", "create", "-o", &named("theirs"), "two"]).exits(0);
        root.teu(&["run", "--rm", "--network", "two", &image, "true"]).exits(0);
        root.teu(&["network", "rm", "two"]).exits(0);
        assert!(there("theirs"));
        // Neither the wire to the outside nor the next network's name for it is a bridge.
        let why = ["lan0", "it is an interface already, and no bridge", "com.docker.network.bridge.name"];
        fails(root, 1, &why, &["network", "create", "-o", &named("lan0"), "three"]);
        let narrow = ["network", "create", "--ipv6", "-o", "com.docker.network.driver.mtu=1000", "three"];
        fails(root, 1, &["IPv6 needs 1280 bytes or more"], &narrow);
    });
}

#[test]
fn a_network_that_is_no_more_can_be_left() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        root.teu(&["network", "create", "gone"]).exits(0);
        let image = image::name();
        root.teu(&["create", "--name", "c", "--network", "gone", &image, "sleep", "1000"]).exits(0);
        root.teu(&["network", "rm", "gone"]).exits(0);
        fails(root, 1, &["no such network: gone", "`teu network disconnect gone c` does without"], &["start", "c"]);
        root.teu(&["network", "connect", "bridge", "c"]).exits(0);
        root.teu(&["network", "disconnect", "gone", "c"]).exits(0);
        fails(root, 1, &["no such network: gone"], &["network", "disconnect", "gone", "c"]);
        root.teu(&["start", "c"]).exits(0);
        let networks = root.inspect("c")["NetworkSettings"]["Networks"].clone();
        assert_eq!(
            networks.as_object().map(|n| n.keys().cloned().collect::<Vec<_>>()),
            Some(vec!["bridge".to_owned()])
        );
    });
}

#[test]
fn what_docker_calls_attachable_is_shown() {
    needs!(Registry);
    on_own_loopback(|| {
        let root = StateRoot::new();
        root.teu(&["network", "create", "plain"]).exits(0);
        root.teu(&["network", "create", "--attachable", "open"]).exits(0);
        let shown = |name: &str| root.inspect(name)["Attachable"].clone();
        assert_eq!((shown("open"), shown("plain"), shown("bridge")), (true.into(), false.into(), false.into()));
        // What is predefined is as old as all the rest, not as the clock.
        let listed = root.teu(&["network", "ls", "--format", "{{.Name}} {{.CreatedAt}}"]).exits(0).stdout;
        assert!(listed.contains("none ") && !listed.contains("1970"), "{listed}");
    });
}

#[test]
fn prune_takes_what_is_asked_for() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        for (name, label) in [("a", "keep=no"), ("b", "keep=yes"), ("c", "other")] {
            root.teu(&["network", "create", "--label", label, name]).exits(0);
        }
        let names = || root.teu(&["network", "ls", "--filter", "type=custom", "--format", "{{.Name}}"]).exits(0).stdout;
        let prune = |filter: &str| root.teu(&["network", "prune", "-f", "--filter", filter]).exits(0);
        prune("until=1h");
        prune("label=nothing");
        assert_eq!(names(), "a\nb\nc\n");
        prune("label!=keep");
        assert_eq!(names(), "a\nb\n");
        prune("label=keep=no");
        assert_eq!(names(), "b\n");
        fails(root, 1, &["invalid filter 'name'"], &["network", "prune", "-f", "--filter", "name=b"]);
        fails(root, 1, &["it is not a time"], &["network", "prune", "-f", "--filter", "until=soon"]);
        // Containers know the same filters.
        let image = image::name();
        root.teu(&["create", "--name", "x", "--label", "keep", &image, "true"]).exits(0);
        root.teu(&["container", "prune", "-f", "--filter", "label!=keep"]).exits(0);
        assert_eq!(root.teu(&["ps", "-a", "--format", "{{.Names}}"]).exits(0).stdout, "x\n");
        root.teu(&["container", "prune", "-f", "--filter", "label=keep"]).exits(0);
        assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
    });
}

#[test]
fn one_port_is_published_once() {
    needs!(Root, Registry, Cgroup);
    on_own_host(|root, _| {
        let image = image::name();
        for pair in [["8080:80", "0.0.0.0:8080:81"], ["[::]:8080:80", "[::1]:8080:81"]] {
            let run = ["run", "--rm", "-p", pair[0], "-p", pair[1], &image, "true"];
            fails(root, 125, &["cannot both be had: they are one port of this machine"], &run);
        }
        let run = [
            "run",
            "--rm",
            "-p",
            "8080:80",
            "-p",
            "127.0.0.2:8080:80",
            "-p",
            "8080:80/udp",
            "-p",
            "0:90",
            &image,
            "true",
        ];
        root.teu(&run).exits(0);
    });
}

#[test]
fn as_many_ports_as_there_are_can_be_named() {
    needs!(Root, Registry);
    on_own_host(|root, _| {
        // Compared each with each, they took a debug build more than a minute of the processor.
        let teu = root.command();
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", "ulimit -t 20; exec \"$0\" \"$@\""]).arg(teu.get_program()).args(teu.get_args());
        limited.envs(teu.get_envs().filter_map(|(name, value)| Some((name, value?))));
        limited.args(["create", "-p", "1024-65535:1024-65535", "-p", "80:80", &image::name(), "true"]);
        crate::support::program::finish(limited.stdin(std::process::Stdio::null())).exits(0);
    });
}
