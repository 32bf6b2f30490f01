//! What others took away of the host's side is put back for all, whoever comes first.

use super::{fails, start};
use crate::needs;
use crate::support::host::on_own_host;
use crate::support::wait_until;

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
