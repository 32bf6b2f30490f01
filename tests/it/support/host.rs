//! A machine of a test's own: a network namespace that plays the host, and another machine on a wire to it.

use super::program::{Answer, finish};
use super::{StateRoot, needs};
use std::process::{Child, Command, Stdio};
use teu::sys::{clone, loopback};

/// The host's address on the wire, and the other machine's.
pub const HOST: &str = "198.51.100.1";
pub const OUTSIDE: &str = "198.51.100.2";
pub const HOST6: &str = "2001:db8::1";
pub const OUTSIDE6: &str = "2001:db8::2";

/// The other machine: a namespace that lives as long as a sleeping process.
pub struct Outside(Child);

/// Runs `test` on a host of its own: with a state root that has the test image, and a machine outside.
pub fn on_own_host(test: impl FnOnce(&StateRoot, &Outside) + Send + 'static) {
    // The registry is on the real loopback.
    let root = StateRoot::with_image();
    in_own_namespace(move || {
        let outside = Outside::new();
        test(&root, &outside);
    });
}

/// Runs `test` where a container on the default network changes nothing of this machine's own: for root in a network
/// namespace with loopback alone. An ordinary user's networks are always in one of their own.
pub fn on_own_loopback(test: impl FnOnce() + Send + 'static) {
    if needs::is_root() { in_own_namespace(test) } else { test() }
}

fn in_own_namespace(test: impl FnOnce() + Send + 'static) {
    let body = move || {
        clone::unshare(clone::NEWNET).expect("a network namespace");
        loopback::up().expect("its loopback");
        test();
    };
    let name = std::thread::current().name().unwrap_or("host").to_owned();
    let thread = std::thread::Builder::new().name(name).spawn(body).expect("a thread");
    if let Err(failure) = thread.join() {
        std::panic::resume_unwind(failure);
    }
}

impl Outside {
    fn new() -> Outside {
        // It says a word once it is in its namespace.
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec sleep 1000"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let mut word = [0];
        std::io::Read::read_exact(child.stdout.as_mut().expect("its stdout"), &mut word).expect("its word");
        let outside = Outside(child);
        let pid = outside.0.id().to_string();
        ip(&["link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", &pid]);
        for (address, options) in [(format!("{HOST}/24"), &[][..]), (format!("{HOST6}/64"), &["nodad"][..])] {
            ip(&[&["address", "add", &address, "dev", "lan0"], options].concat());
        }
        ip(&["link", "set", "lan0", "up"]);
        outside.run(&["ip", "link", "set", "lo", "up"]).exits(0);
        outside.run(&["ip", "address", "add", &format!("{OUTSIDE}/24"), "dev", "eth0"]).exits(0);
        outside.run(&["ip", "address", "add", &format!("{OUTSIDE6}/64"), "dev", "eth0", "nodad"]).exits(0);
        outside.run(&["ip", "link", "set", "eth0", "up"]).exits(0);
        // What must not pass is not saved by a missing route.
        outside.run(&["ip", "route", "add", "default", "via", HOST]).exits(0);
        outside.run(&["ip", "route", "add", "default", "via", HOST6]).exits(0);
        outside
    }

    /// Runs a command on the other machine.
    #[track_caller]
    pub fn run(&self, command: &[&str]) -> Answer {
        let pid = self.0.id().to_string();
        finish(Command::new("nsenter").args(["-t", &pid, "-n"]).args(command).stdin(Stdio::null()))
    }

    /// What a page says, or `None` when nobody answers within three seconds.
    #[track_caller]
    pub fn page(&self, url: &str) -> Option<String> {
        let answer = self.run(&["timeout", "3", "busybox", "wget", "-q", "-O", "-", url]);
        (answer.code == 0).then(|| answer.out().to_owned())
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `ip ARGS...` on the test's host.
#[track_caller]
pub fn ip(args: &[&str]) -> String {
    finish(Command::new("ip").args(args).stdin(Stdio::null())).exits(0).stdout
}

/// What a page says to the host itself, or `None` when nobody answers within three seconds.
#[track_caller]
pub fn page(url: &str) -> Option<String> {
    let answer =
        finish(Command::new("timeout").args(["3", "busybox", "wget", "-q", "-O", "-", url]).stdin(Stdio::null()));
    (answer.code == 0).then(|| answer.out().to_owned())
}
