//! Who hears of a container: a service manager that waits for its readiness (sd_notify(3)), and whoever wants a handle of
//! its process.

use super::bundle::Bundle;
use crate::needs;
use crate::support::{program, wait_until};
use serde_json::json;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Stdio;

/// Tells the socket in its environment what it has to say, in datagrams; then goes on for a while. busybox has no word for
/// that kind of socket, and perl is on every Debian.
const TELLS: &str = r#"
use Socket;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!;
connect($s, pack_sockaddr_un($ENV{NOTIFY_SOCKET})) or die $!;
for (@ARGV) { defined send($s, $_, 0) or die $!; }
sleep 1000;
"#;

/// A bundle whose root is the machine's own programs, read-only, for their perl.
fn telling(words: &[&str]) -> Bundle {
    let mut bundle = Bundle::new("true");
    for (dir, to) in [("lib", "usr/lib"), ("lib64", "usr/lib64")] {
        std::os::unix::fs::symlink(to, bundle.dir.join("rootfs").join(dir)).unwrap();
    }
    let mount = json!({ "destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"] });
    super::bundle::mounts(&mut bundle.config).push(mount);
    let args = [&["/usr/bin/perl", "-e", TELLS, "--"], words].concat();
    bundle.config["process"]["args"] = json!(args);
    bundle.write();
    bundle
}

fn heard(manager: &UnixDatagram) -> (String, Option<OwnedFd>) {
    let mut bytes = [0; 4096];
    let (length, fd) = teu::sys::channel::recv_fd(manager, &mut bytes).unwrap();
    (String::from_utf8_lossy(&bytes[..length]).into_owned(), fd)
}

#[test]
fn start_waits_for_readiness_and_tells_the_service_manager() {
    needs!(Userns);
    let bundle = telling(&["STATUS=soon", "FDSTORE=1\nMAINPID=1", "READY=1\nSTATUS=now"]);
    let path = bundle.dir.join("manager");
    let manager = UnixDatagram::bind(&path).unwrap();
    let words = ["create", "-b", &bundle.dir.to_string_lossy(), &bundle.id];
    let create = bundle.command(&words).env("NOTIFY_SOCKET", &path).stdout(Stdio::null()).status().unwrap();
    assert!(create.success());
    let mut start = bundle.command(&["start", &bundle.id]).env("NOTIFY_SOCKET", &path).spawn().unwrap();
    assert_eq!(heard(&manager).0, "STATUS=soon");
    // Not which process it is, and nothing to keep open: that is not a container's to say.
    let pid = bundle.state()["pid"].to_string();
    assert_eq!(heard(&manager).0, format!("READY=1\nSTATUS=now\nMAINPID={pid}"));
    let (barrier, held) = heard(&manager);
    assert_eq!(barrier, "BARRIER=1");
    assert!(start.try_wait().unwrap().is_none(), "it is there until the manager has read");
    drop(held);
    assert!(start.wait().unwrap().success());
    assert_eq!(bundle.status(), "running");
}

#[test]
fn start_does_not_wait_for_the_readiness_of_what_has_ended() {
    needs!(Userns);
    let bundle = Bundle::new("exit 3");
    bundle.write();
    let path = bundle.dir.join("manager");
    let _manager = UnixDatagram::bind(&path).unwrap();
    let words = ["run", "--detach", "-b", &bundle.dir.to_string_lossy(), &bundle.id];
    let mut command = bundle.command(&words);
    let quiet = command.env("NOTIFY_SOCKET", &path).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(quiet.status().unwrap().success());
    // Nobody is there to be told: a clear error, and nothing begun.
    let other = Bundle::new("true");
    other.write();
    let words = ["run", "-b", &other.dir.to_string_lossy(), &other.id];
    let answer = program::finish(other.command(&words).env("NOTIFY_SOCKET", other.dir.join("nobody"))).exits(1);
    assert!(answer.stderr.contains("NOTIFY_SOCKET") && answer.stderr.contains("nobody"), "{}", answer.stderr);
    other.assert_gone();
}

#[test]
fn a_run_in_the_foreground_passes_on_what_the_container_says() {
    needs!(Userns);
    let bundle = telling(&["READY=1", "WATCHDOG=1", "STOPPING=1"]);
    let path = bundle.dir.join("manager");
    let manager = UnixDatagram::bind(&path).unwrap();
    let words = ["run", "-b", &bundle.dir.to_string_lossy(), &bundle.id];
    let mut run = bundle.command(&words).env("NOTIFY_SOCKET", &path).stdout(Stdio::null()).spawn().unwrap();
    for word in ["READY=1", "WATCHDOG=1", "STOPPING=1"] {
        assert_eq!(heard(&manager).0, word);
    }
    bundle.call(&["kill", &bundle.id, "KILL"]).exits(0);
    assert_eq!(run.wait().unwrap().code(), Some(137));
    bundle.assert_gone();
}

#[test]
fn the_pidfd_socket_gets_a_handle_of_the_process() {
    needs!(Userns);
    let bundle = Bundle::new("sleep 1000");
    let path = bundle.dir.join("watcher");
    let refused = bundle.create_with(&["--pidfd-socket", &path.to_string_lossy()]).exits(1);
    assert!(refused.stderr.contains("pidfd socket"), "{}", refused.stderr);
    bundle.assert_gone();
    let listener = UnixListener::bind(&path).unwrap();
    let take = || {
        let (stream, _) = listener.accept().unwrap();
        teu::sys::channel::recv_fd(&stream, &mut [0; 64]).unwrap().1.expect("a handle")
    };
    bundle.create_with(&["--pidfd-socket", &path.to_string_lossy()]).exits(0);
    let init = take();
    bundle.on(&["start"]).exits(0);
    let number = bundle.dir.join("pid");
    let flags = ["--pidfd-socket", &path.to_string_lossy(), "--pid-file", &number.to_string_lossy()].map(str::to_owned);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let words = [&["exec", "--detach"], &flags[..], &[&bundle.id, "sleep", "1000"]].concat();
    // It keeps what it was given: nothing that somebody waits for.
    assert!(bundle.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    let process = take();
    let pid = fs::read_to_string(&number).unwrap();
    teu::sys::process::pidfd_signal(process.as_fd(), 9).unwrap();
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    wait_until("the other process ends", || (state().is_empty() || state().contains(") Z ")).then_some(()));
    assert_eq!(bundle.status(), "running");
    teu::sys::process::pidfd_signal(init.as_fd(), 9).unwrap();
    wait_until("the container ends", || (bundle.status() == "stopped").then_some(()));
}
