//! What the screen says of networks, with real containers.

use crate::needs;
use crate::support::StateRoot;
use crate::support::host::on_own_loopback;
use crate::support::screen::Screen;

#[test]
fn the_screen_says_who_shares_a_network_and_who_reaches_its_ports() {
    needs!(Root, Cgroup, Tmux);
    on_own_loopback(|| {
        let root = StateRoot::new();
        root.teu(&["network", "create", "shop"]).exits(0);
        let run = |name: &str, flags: &[&str]| {
            let args = [&["run", "-d", "--name", name], flags, &["localhost/starter", "sleep", "1000"]].concat();
            root.teu(&args).exits(0);
        };
        run("own", &["--network", "shop", "-p", "19310:80", "-p", "0.0.0.0:19311:81"]);
        run("joined", &["--network", "container:own"]);
        let screen = Screen::start(120, 36, &root.command());
        let text = screen.wait_for("*:19311… +1");
        assert!(text.contains("PORTS"), "{text}");
        screen.press(&["F6"]);
        let text = screen.wait_for("joined  shares own's network");
        let network = text.lines().skip_while(|line| !line.contains("shop · bridge")).collect::<Vec<_>>();
        assert!(network[0].contains("2 containers") && network[1].contains("own  172."), "{text}");
        assert!(network[2].contains("127.0.0.1:19310->80/tcp  this machine only"), "{text}");
        assert!(network[3].contains("0.0.0.0:19311->81/tcp  everyone who reaches this machine"), "{text}");
        assert!(network[4].contains("joined  shares own's network"), "{text}");
        // Docker's answer is about who has an address.
        let members = root.inspect("shop")["Containers"].as_object().unwrap().len();
        assert_eq!(members, 1);
        // In a namespace that has lost its interfaces.
        root.teu(&["restart", "-t", "0", "own"]).exits(0);
        let text = screen.wait_for("joined  cut off: own was started after it, restart it too");
        assert!(text.contains("shop · bridge") && text.contains("· 1 container "), "{text}");
        root.teu(&["restart", "-t", "0", "joined"]).exits(0);
        screen.wait_for("joined  shares own's network");
        root.teu(&["rm", "-f", "own"]).exits(0);
        screen.wait_for("joined  cut off: the container whose network it shared was removed");
        root.teu(&["rm", "-f", "joined"]).exits(0);
    });
}
