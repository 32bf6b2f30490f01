//! Root on a kernel without nf_tables, or with half of it, as the guest's of `tests/run`: bridges, names, and ports that
//! monitors forward.

use super::datagrams::{echoes, serve};
use super::{fails, inside, start, web};
use crate::needs;
use crate::support::host::{HOST, on_own_host, page};
use crate::support::{StateRoot, image, needs as probes, wait_until};
use std::process::{Command, Stdio};

/// Whether the kernel translates addresses: where it does, this is another test's.
fn translates() -> bool {
    let script = "nft add table inet t && nft add chain inet t c '{ type nat hook prerouting priority 0; }'";
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", script]).stdout(Stdio::null()).stderr(Stdio::null());
    probes::lacking(probes::Need::Nft).is_some() || command.status().unwrap().success()
}

const WARNING: &str =
    "this kernel has no nf_tables: containers do not reach the outside, and teu itself forwards ports";

fn warnings(root: &StateRoot, args: &[&str]) -> usize {
    root.teu(args).exits(0).stderr.matches(WARNING).count()
}

#[test]
fn without_nf_tables_monitors_forward_and_say_so() {
    needs!(Root, Registry, Cgroup, Perl);
    if translates() {
        return;
    }
    on_own_host(|root, outside| {
        let image = image::name();
        assert_eq!(warnings(root, &["run", "--rm", &image, "true"]), 1);
        web(root, "front", &["-p", "0.0.0.0:8081:80", "-p", "8080:80"]);
        let both = || {
            wait_until("front serves", || page("http://127.0.0.1:8080").filter(|text| text == "front"));
            assert_eq!(outside.page(&format!("http://{HOST}:8081")).as_deref(), Some("front"));
        };
        both();
        assert_eq!(outside.page(&format!("http://{HOST}:8080")), None);
        start(root, "client", &[], &["sleep", "1000"]);
        assert_eq!(inside(root, "client", "http://front").as_deref(), Some("front"));
        serve(root, "echo", &["-p", "5353:54/udp"], &["0.0.0.0"]);
        echoes("127.0.0.1:5353");
        // Connections that linger keep nobody from the port.
        root.teu(&["restart", "-t", "0", "front"]).exits(0);
        both();
        root.teu(&["update", "--publish-add", "8090:80", "--publish-rm", "8080:80", "front"]).exits(0);
        assert_eq!((page("http://127.0.0.1:8090").as_deref(), page("http://127.0.0.1:8080")), (Some("front"), None));
        root.teu(&["network", "reload"]).exits(0);
        assert_eq!(page("http://127.0.0.1:8090").as_deref(), Some("front"));
        root.teu(&["network", "create", "--internal", "closed"]).exits(0);
        fails(
            root,
            125,
            &["an internal network needs nf_tables"],
            &["run", "--rm", "--network", "closed", &image, "true"],
        );
        root.teu(&["rm", "-f", "front", "client", "echo"]).exits(0);
        root.teu(&["network", "prune", "-f"]).exits(0);
        assert_eq!(page("http://127.0.0.1:8090"), None);
    });
}
