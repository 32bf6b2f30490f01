//! A container whose monitor was killed goes on, and so do its ports: no socket holds them, and nobody else gets them.

use super::{fails, start, web};
use crate::needs;
use crate::support::host::{HOST, on_own_host};
use crate::support::{StateRoot, image, wait_until};

fn loses_its_monitor(root: &StateRoot, name: &str) {
    let pid = i32::try_from(root.inspect(name)["State"]["MonitorPid"].as_i64().unwrap()).unwrap();
    teu::sys::process::kill(pid, 9).unwrap();
    let status = || root.teu(&["ps", "--format", "{{.Names}} {{.Status}}"]).exits(0).stdout;
    wait_until("its monitor is gone", || {
        status().lines().any(|l| l.starts_with(name) && l.ends_with("(monitor lost)")).then_some(())
    });
}

#[test]
fn nobody_gets_the_port_of_a_container_whose_monitor_is_gone() {
    needs!(Root, Registry, Cgroup, Nft);
    on_own_host(|root, outside| {
        let served = || outside.page(&format!("http://{HOST}:8051"));
        web(root, "front", &["-p", "0.0.0.0:8051:80"]);
        start(root, "other", &[], &["sleep", "1000"]);
        loses_its_monitor(root, "front");
        let owned = ["8051/tcp is in use by container front (its monitor was killed, ", "hint: choose another port"];
        let image = image::name();
        for port in ["0.0.0.0:8051:80", "8051:80"] {
            fails(root, 125, &owned, &["run", "--rm", "-p", port, &image, "true"]);
            fails(root, 1, &owned, &["update", "--publish-add", port, "other"]);
        }
        root.teu(&["update", "--publish-add", "8051-8052:80", "other"]).exits(0);
        assert_eq!(root.teu(&["port", "other"]).exits(0).out(), "80/tcp -> 127.0.0.1:8052");
        // Of these two the kernel prefers the odd one.
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "8050 8051").unwrap();
        let any = ["run", "--rm", "-p", "80", &image, "sh", "-c", "true"];
        root.teu(&any).exits(0);
        start(root, "any", &["-p", "80"], &["sleep", "1000"]);
        assert_eq!(root.teu(&["port", "any"]).exits(0).out(), "80/tcp -> 127.0.0.1:8050");
        fails(root, 125, &owned[..1], &any);
        assert_eq!(served().as_deref(), Some("front"));
        root.teu(&["restart", "-t", "0", "front"]).exits(0);
        wait_until("front is back", served);
        // Its end frees the port.
        loses_its_monitor(root, "front");
        root.teu(&["rm", "-f", "front"]).exits(0);
        web(root, "next", &["-p", "0.0.0.0:8051:80"]);
        assert_eq!(served().as_deref(), Some("next"));
    });
}
