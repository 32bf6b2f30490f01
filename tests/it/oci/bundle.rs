//! A bundle made from the static busybox, and the runtime called on it.

use crate::support::program::{self, Answer, binary};
use crate::support::wait_until;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A bundle with a runtime root of its own. Dropped, its containers go with it.
pub struct Bundle {
    pub dir: PathBuf,
    pub id: String,
    pub config: Value,
    _temporary: tempfile::TempDir,
}

impl Bundle {
    /// Runs `script` by the shell; what it prints goes to the file `out`.
    pub fn new(script: &str) -> Bundle {
        let temporary = tempfile::Builder::new().prefix("teu-test-oci.").tempdir().unwrap();
        let dir = temporary.path().to_owned();
        let bin = dir.join("rootfs/bin");
        for path in ["bin", "etc", "root", "tmp", "proc", "sys", "dev"] {
            fs::create_dir_all(dir.join("rootfs").join(path)).unwrap();
        }
        fs::copy(busybox(), bin.join("busybox")).unwrap();
        for name in [
            "sh", "cat", "id", "sleep", "hostname", "env", "pwd", "ls", "readlink", "mount", "touch", "grep", "stat",
            "stty", "true", "kill", "head", "test", "cut", "nice", "ps", "echo", "date", "dd", "uname",
        ] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        fs::write(dir.join("rootfs/etc/passwd"), "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/tmp:/bin/sh\n").unwrap();
        let mut config = template(&dir);
        config["process"]["args"] = json!(["/bin/sh", "-c", script]);
        let id = format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Bundle { dir, id, config, _temporary: temporary }
    }

    pub fn write(&self) {
        fs::write(self.dir.join("config.json"), self.config.to_string()).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(["oci", "--root"]).arg(self.dir.join("state")).args(args);
        command.stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR");
        command
    }

    pub fn call(&self, args: &[&str]) -> Answer {
        program::finish(&mut self.command(args))
    }

    /// With the id at the end.
    pub fn on(&self, args: &[&str]) -> Answer {
        self.call(&[args, &[self.id.as_str()]].concat())
    }

    /// `create` with the configuration as it is now. The container's streams go to `out`, which nobody has to read.
    pub fn create(&self) -> Answer {
        self.create_with(&[])
    }

    pub fn create_with(&self, flags: &[&str]) -> Answer {
        self.write();
        let out = File::create(self.dir.join("out")).unwrap();
        let errors = File::create(self.dir.join("errors")).unwrap();
        let bundle = self.dir.to_string_lossy().into_owned();
        let words = [&["create", "-b", &bundle], flags, &[self.id.as_str()]].concat();
        let status = self.command(&words).stdout(out).stderr(errors).status().unwrap();
        let stderr = fs::read_to_string(self.dir.join("errors")).unwrap();
        Answer { code: status.code().unwrap_or(-1), stdout: String::new(), stderr }
    }

    /// `run` in the foreground.
    pub fn run(&self) -> Answer {
        self.write();
        let bundle = self.dir.to_string_lossy().into_owned();
        self.on(&["run", "-b", &bundle])
    }

    /// `run` in the foreground, in a mount namespace of its own that `script` has prepared (in the bundle).
    pub fn run_after(&self, script: &str, flags: &[&str]) -> Answer {
        self.run_within("--mount", &format!("{script}; exec \"$@\""), flags)
    }

    /// A script in the bundle, in a namespace of its own, where `"$@"` is `run` in the foreground.
    pub fn run_within(&self, namespace: &str, script: &str, flags: &[&str]) -> Answer {
        self.write();
        let mut command = Command::new("unshare");
        command.args([namespace, "sh", "-c", &format!("set -e; cd \"$0\"; {script}")]).arg(&self.dir).arg(binary());
        command.args(["oci", "--root"]).arg(self.dir.join("state")).args(["run", "-b"]).arg(&self.dir);
        program::finish(command.args(flags).arg(&self.id).stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR"))
    }

    /// The directories of the container's group.
    pub fn groups(&self) -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let mounts = fs::read_dir(root).unwrap().flatten().map(|entry| entry.path()).chain([root.into()]);
        let all = mounts.flat_map(|mount| self.places().map(|place| mount.join(place)));
        all.filter(|dir| dir.is_dir()).collect()
    }

    /// Below a hierarchy's mount: v2's and v1's.
    fn places(&self) -> [String; 2] {
        [format!("teu-oci/{}", self.id), format!("teu-oci-{}", self.id)]
    }

    /// As a `cgroupsPath`.
    pub fn group(&self) -> String {
        let groups = self.groups();
        let place = self.places().into_iter().find(|place| groups.iter().any(|dir| dir.ends_with(place)));
        format!("/{}", place.expect("it has a group"))
    }

    pub fn state(&self) -> Value {
        serde_json::from_str(&self.on(&["state"]).exits(0).stdout).unwrap()
    }

    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap().to_owned()
    }

    pub fn out(&self) -> String {
        fs::read_to_string(self.dir.join("out")).unwrap_or_default()
    }

    /// Created and started; runs to its end, and what it said.
    pub fn outcome(&self) -> String {
        self.create().exits(0);
        self.on(&["start"]).exits(0);
        wait_until("the container stops", || (self.status() == "stopped").then_some(()));
        self.on(&["delete"]).exits(0);
        self.out()
    }

    /// A program of the host's that notes the moment and the state it is told.
    pub fn hook(&self, word: &str) -> Value {
        let log = self.dir.join("hooks");
        let script = format!("cat >{0}.{word}; echo {word} >>{0}", log.display());
        json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }])
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    /// Nothing of the container is left: no state, no group.
    #[track_caller]
    pub fn assert_gone(&self) {
        assert!(!self.dir.join("state").join(&self.id).exists(), "the state directory is left");
        for controller in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            for place in self.places().into_iter().chain([self.id.clone()]) {
                assert!(!controller.path().join(place).exists(), "a control group is left");
            }
        }
        let name = self.dir.to_string_lossy().into_owned();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&name), "a mount is left");
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.command(&["delete", "--force", &self.id]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn busybox() -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').map(|dir| Path::new(dir).join("busybox")).find(|p| p.exists()).expect("busybox-static")
}

/// What the runtime itself offers to begin with, for a bundle whose streams are files.
fn template(dir: &Path) -> Value {
    let mut command = Command::new(binary());
    let rootless = !crate::support::needs::is_root();
    command.args(["oci", "spec", "-b"]).arg(dir).args(rootless.then_some("--rootless"));
    program::finish(&mut command).exits(0);
    let mut config: Value = serde_json::from_slice(&fs::read(dir.join("config.json")).unwrap()).unwrap();
    config["process"]["terminal"] = false.into();
    config["root"]["readonly"] = false.into();
    let list = namespaces(&mut config);
    if list.iter().all(|n| n["type"] != "cgroup") {
        list.push(json!({ "type": "cgroup" }));
    }
    config
}

pub fn namespaces(config: &mut Value) -> &mut Vec<Value> {
    config["linux"]["namespaces"].as_array_mut().unwrap()
}

pub fn mounts(config: &mut Value) -> &mut Vec<Value> {
    config["mounts"].as_array_mut().unwrap()
}
