//! podman with teu as its runtime, called by name through a symbolic link.

use super::bundle::Bundle;
use crate::needs;
use crate::support::program::{self, Answer, binary};
use crate::support::wait_until;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

/// podman with everything of its own below the bundle's directory.
struct Podman {
    bundle: Bundle,
    /// podman takes no path of more than 50 bytes.
    run: tempfile::TempDir,
}

impl Podman {
    fn new() -> Podman {
        let bundle = Bundle::new("true");
        symlink(binary(), bundle.dir.join("teu-oci")).unwrap();
        // podman looks a runtime that is given by its path up by that path.
        let names = format!("[\"teu-oci\", {:?}]", bundle.dir.join("teu-oci"));
        let settings = format!(
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n[engine]\n\
             events_logger = \"file\"\nruntime_supports_json = {names}\nruntime_supports_nocgroup = {names}\n"
        );
        fs::write(bundle.dir.join("containers.conf"), settings).unwrap();
        let run = tempfile::Builder::new().prefix("teu-test-").tempdir_in("/tmp").unwrap();
        let podman = Podman { bundle, run };
        let layer = podman.bundle.dir.join("layer.tar");
        let rootfs = podman.bundle.dir.join("rootfs");
        program::finish(Command::new("tar").arg("-C").arg(rootfs).arg("-cf").arg(&layer).arg(".")).exits(0);
        podman.call(&["import", &layer.to_string_lossy(), "box"]).exits(0);
        podman
    }

    fn call(&self, words: &[&str]) -> Answer {
        let dir = &self.bundle.dir;
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", dir.join("containers.conf")).stdin(Stdio::null());
        command.arg("--runtime").arg(dir.join("teu-oci")).arg("--root").arg(dir.join("p/root"));
        command.arg("--runroot").arg(self.run.path()).args(["--storage-driver=vfs", "--cgroup-manager=cgroupfs"]);
        program::finish(command.args(words))
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.call(&["rm", "--all", "--force", "--time=0"]);
        // podman leaves its empty parents, once the last conmon has gone: nothing else is removed by rmdir.
        let empty = "for i in $(seq 100); do
            find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null
            ls -d /sys/fs/cgroup/libpod_parent /sys/fs/cgroup/*/libpod_parent >/dev/null 2>&1 || break
            sleep 0.1; done";
        let _ = Command::new("sh").args(["-c", empty]).status();
    }
}

#[test]
fn podman_runs_its_containers_by_teu() {
    needs!(Root, Cgroup, Podman);
    let podman = Podman::new();
    let run = |words: &[&str]| podman.call(&[&["run", "--rm", "--network=none"], words].concat());
    assert_eq!(run(&["box", "sh", "-c", "echo hello; exit 3"]).exits(3).stdout, "hello\n");
    // podman reads the log of the runtime and knows what a lacking command is.
    let lacking = run(&["box", "nope"]).exits(127);
    assert!(lacking.stderr.contains("executable file not found in $PATH"), "{}", lacking.stderr);
    run(&["box", "/etc/passwd"]).exits(126);
    assert_eq!(run(&["--user=1000", "--read-only", "--memory=64m", "box", "id", "-u"]).exits(0).stdout, "1000\n");
    run(&["--cgroups=disabled", "box", "true"]).exits(0);
    run(&["--systemd=always", "box", "true"]).exits(0);
    podman.call(&["run", "-d", "--name=one", "--network=host", "box", "sh", "-c", "echo out; sleep 1000"]).exits(0);
    wait_until("its words", || (podman.call(&["logs", "one"]).stdout == "out\n").then_some(()));
    assert_eq!(podman.call(&["exec", "one", "sh", "-c", "echo in; exit 4"]).exits(4).stdout, "in\n");
    podman.call(&["pause", "one"]).exits(0);
    podman.call(&["unpause", "one"]).exits(0);
    podman.call(&["stop", "--time=0", "one"]).exits(0);
    assert_eq!(podman.call(&["inspect", "-f", "{{.State.ExitCode}}", "one"]).exits(0).out(), "137");
    podman.call(&["start", "one"]).exits(0);
    podman.call(&["kill", "one"]).exits(0);
    podman.call(&["rm", "--force", "--time=0", "one"]).exits(0);
}
