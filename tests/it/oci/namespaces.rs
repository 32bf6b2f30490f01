//! Namespaces by path, of every kind (config-linux.md, "Namespaces"); and what a service manager gives along.

use super::bundle::{Bundle, mounts, namespaces};
use crate::needs;
use crate::support::program::{self, binary};
use crate::support::wait_until;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process that holds namespaces.
struct Holder(Child);

impl Holder {
    fn new(flags: &[&str]) -> Holder {
        let mut command = Command::new("unshare");
        let child = command.args(flags).args(["sleep", "1000"]).stdin(Stdio::null()).spawn().unwrap();
        let holder = Holder(child);
        wait_until("the holder's namespaces", || {
            let name = fs::read_to_string(format!("/proc/{}/comm", holder.0.id())).unwrap_or_default();
            (name == "sleep\n").then_some(())
        });
        holder
    }

    fn path(&self, file: &str) -> String {
        format!("/proc/{}/ns/{file}", self.0.id())
    }

    fn inode(&self, file: &str) -> String {
        fs::read_link(self.path(file)).unwrap().to_string_lossy().into_owned()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_process_must_be_in_the_namespaces_of_the_paths() {
    needs!(Root);
    let holder = Holder::new(&["--mount", "--uts", "--ipc", "--net", "--cgroup"]);
    let kinds = [("mount", "mnt"), ("uts", "uts"), ("ipc", "ipc"), ("network", "net"), ("cgroup", "cgroup")];
    let script: String = kinds.iter().map(|(_, file)| format!("readlink /proc/self/ns/{file};")).collect();
    let mut bundle = Bundle::new(&script);
    bundle.config.as_object_mut().unwrap().remove("hostname");
    namespaces(&mut bundle.config).retain(|n| n["type"] == "pid");
    for (kind, file) in kinds {
        namespaces(&mut bundle.config).push(json!({ "type": kind, "path": holder.path(file) }));
    }
    let out = bundle.outcome();
    let expected: Vec<String> = kinds.iter().map(|(_, file)| holder.inode(file)).collect();
    assert_eq!(out.lines().collect::<Vec<_>>(), expected, "{out}");
}

#[test]
fn a_time_namespace_by_path_must_be_the_one() {
    needs!(Root);
    if !Path::new("/proc/self/ns/time").exists() {
        return;
    }
    // Only children are in it.
    let holder = Holder::new(&["--time", "--boottime", "90000000"]);
    let mut bundle = Bundle::new("cut -d. -f1 /proc/uptime; sleep 1000");
    namespaces(&mut bundle.config).push(json!({ "type": "time", "path": holder.path("time_for_children") }));
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    wait_until("its words", || bundle.out().ends_with('\n').then_some(()));
    assert!(bundle.out().trim().parse::<u64>().unwrap() > 90_000_000, "{}", bundle.out());
    let inside = bundle.call(&["exec", &bundle.id, "cut", "-d.", "-f1", "/proc/uptime"]).exits(0);
    assert!(inside.out().parse::<u64>().unwrap() > 90_000_000, "{}", inside.stdout);
}

#[test]
fn a_user_namespace_by_path_must_be_the_one() {
    needs!(Root);
    let holder = Holder::new(&["--user", "--map-root-user", "--net"]);
    let mut bundle = Bundle::new("readlink /proc/self/ns/user; id -u");
    namespaces(&mut bundle.config).retain(|n| n["type"] != "network");
    for (kind, file) in [("user", "user"), ("network", "net")] {
        namespaces(&mut bundle.config).push(json!({ "type": kind, "path": holder.path(file) }));
    }
    mounts(&mut bundle.config).retain(|m| m["destination"] != "/sys/fs/cgroup");
    // One id only: no group for terminals.
    for mount in mounts(&mut bundle.config) {
        if let Some(options) = mount["options"].as_array_mut() {
            options.retain(|o| o != "gid=5");
        }
    }
    let out = bundle.outcome();
    assert_eq!(out, format!("{}\n0\n", holder.inode("user")));
}

/// `teu oci run` behind a shell's redirections.
fn run_with(bundle: &Bundle, redirections: &str, variables: &str, flags: &[&str]) -> program::Answer {
    bundle.write();
    let mut command = Command::new("sh");
    let script = format!("exec {redirections}; {variables} exec \"$@\"");
    command.args(["-c", &script, "sh"]).arg(binary()).args(["oci", "--root"]).arg(bundle.dir.join("state"));
    command.args(["run", "-b"]).arg(&bundle.dir).args(flags).arg(&bundle.id).stdin(Stdio::null());
    program::finish(command.env_remove("XDG_RUNTIME_DIR"))
}

#[test]
fn sockets_of_a_service_manager_reach_the_program() {
    needs!(Userns);
    let script =
        "echo $LISTEN_FDS,$LISTEN_PID,$LISTEN_FDNAMES,$$; for n in 3 4 5; do readlink /proc/$$/fd/$n; done; true";
    let bundle = Bundle::new(script);
    let (one, two) = (bundle.dir.join("rootfs/etc/one"), bundle.dir.join("rootfs/etc/two"));
    fs::write(&one, "").unwrap();
    fs::write(&two, "").unwrap();
    let files = format!("3<{} 4<{}", one.display(), two.display());
    let variables = "LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=web";
    let answer = run_with(&bundle, &files, variables, &["--preserve-fds", "1"]).exits(0);
    assert!(answer.stdout.starts_with("1,1,web,1\n"), "{}", answer.stdout);
    assert!(answer.stdout.contains("etc/one\n") && answer.stdout.contains("etc/two\n"), "{}", answer.stdout);
    // Meant for somebody else: nothing of it reaches the program.
    let answer = run_with(&bundle, &files, "LISTEN_FDS=1 LISTEN_PID=1", &[]).exits(0);
    assert_eq!(answer.stdout, ",,,1\n");
    let answer = run_with(&bundle, &files, "A=b", &["--preserve-fds", "3"]).exits(1);
    assert!(answer.stderr.contains("preserved-fd 5"), "{}", answer.stderr);
    bundle.assert_gone();
}

#[test]
fn without_a_mount_namespace_everything_is_mounted_where_the_caller_is_and_goes_with_the_container() {
    needs!(Root);
    let mut bundle = Bundle::new("ls /; grep -c . /proc/self/mounts; cat /proc/sys/kernel/shmmax; sleep 1000");
    namespaces(&mut bundle.config).retain(|n| n["type"] != "mount");
    bundle.config["root"]["readonly"] = true.into();
    bundle.config["hooks"] = json!({ "createRuntime": bundle.hook("createRuntime") });
    let rootfs = bundle.dir.canonicalize().unwrap().join("rootfs");
    let mounted = || fs::read_to_string("/proc/self/mounts").unwrap().matches(rootfs.to_str().unwrap()).count();
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    assert_eq!(bundle.read("hooks"), "createRuntime\n");
    assert!(mounted() > 8, "in the namespace of the caller: {}", mounted());
    for (words, said) in
        [(["ls", "/"], "bin\ndev\n"), (["touch", "/x"], ""), (["ls", "/proc/self/root/../../bin/sh"], "")]
    {
        let answer = bundle.call(&[&["exec", bundle.id.as_str()], &words[..]].concat());
        assert!(answer.stdout.starts_with(said), "{words:?}: {}{}", answer.stdout, answer.stderr);
        assert_eq!(answer.code == 0, words[0] == "ls", "{words:?}: {}", answer.stderr);
    }
    wait_until("its words", || bundle.out().lines().count().ge(&9).then_some(()));
    assert!(bundle.out().starts_with("bin\ndev\netc\n"), "{}", bundle.out());
    bundle.on(&["delete", "--force"]).exits(0);
    bundle.assert_gone();
    // Of one that cannot be made nothing is left either, nor of one that runs to its end.
    bundle.config["process"]["args"] = json!(["/nothing"]);
    bundle.create().exits(1);
    bundle.config["process"]["args"] = json!(["/bin/true"]);
    bundle.run().exits(0);
    bundle.assert_gone();
}

#[test]
fn a_user_namespace_that_cannot_be_had_must_be_an_error_that_says_how_to_mend_it() {
    needs!(Userns);
    let mut bundle = Bundle::new("true");
    let ids = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
    bundle.config["linux"]["uidMappings"] = ids.clone();
    bundle.config["linux"]["gidMappings"] = ids;
    let namespaces = super::bundle::namespaces(&mut bundle.config);
    namespaces.retain(|n| n["type"] != "user");
    namespaces.push(json!({ "type": "user" }));
    let switched_off = "echo 0 >/proc/sys/user/max_user_namespaces";
    let mut command = Command::new("unshare");
    bundle.write();
    command.args(["-Ur", "sh", "-c", &format!("{switched_off}; exec \"$@\""), "sh"]).arg(binary());
    command.args(["oci", "--root"]).arg(bundle.dir.join("state")).args(["run", "-b"]).arg(&bundle.dir).arg(&bundle.id);
    let answer = program::finish(command.env_remove("XDG_RUNTIME_DIR"));
    assert_ne!(answer.code, 0);
    assert!(answer.stderr.contains("sysctl user.max_user_namespaces="), "{}", answer.stderr);
    bundle.assert_gone();
    if !crate::support::needs::is_root() {
        super::bundle::namespaces(&mut bundle.config).retain(|n| n["type"] != "user");
        let linux = bundle.config["linux"].as_object_mut().unwrap();
        linux.remove("uidMappings");
        linux.remove("gidMappings");
        let answer = bundle.run().exits(1);
        assert!(answer.stderr.contains("needs a user namespace of its own"), "{}", answer.stderr);
        bundle.assert_gone();
    }
}
