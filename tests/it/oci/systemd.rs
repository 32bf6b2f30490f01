//! `--systemd-cgroup`: control groups that a real systemd makes, in a pid namespace of the test's own.

use super::bundle::Bundle;
use crate::needs;
use crate::support::program::{self, Answer, binary};
use crate::support::wait_until;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

/// Nothing but the manager and its bus.
const UNITS: [(&str, &str); 3] = [
    ("test.target", "[Unit]\nDefaultDependencies=no\nRequires=dbus.socket dbus.service\n"),
    (
        "dbus.socket",
        "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/dbus/system_bus_socket\nSocketMode=0666\n",
    ),
    (
        "dbus.service",
        "[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\n[Service]\nType=notify\n\
         ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation\n",
    ),
];

/// In the root group of its own namespaces; its end is the end of all that it started.
struct Machine {
    child: Child,
    pid: String,
    /// In each hierarchy.
    groups: Vec<PathBuf>,
    dir: tempfile::TempDir,
}

fn v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// Where the machine's hierarchies are mounted: one, or v1's.
fn hierarchies() -> Vec<PathBuf> {
    if v2() {
        return vec!["/sys/fs/cgroup".into()];
    }
    let all = fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
    // Links stand for controllers that are mounted together.
    let mut all: Vec<_> = all.filter(|dir| dir.join("cgroup.procs").exists() && !dir.is_symlink()).collect();
    all.retain(|dir| !dir.ends_with("unified"));
    all
}

/// A group that can have processes: a new cpuset has no processors.
fn make(group: &Path) {
    fs::create_dir_all(group).unwrap();
    for file in ["cpuset.cpus", "cpuset.mems"].into_iter().filter(|file| !v2() && group.join(file).exists()) {
        fs::write(group.join(file), fs::read(group.parent().unwrap().join(file)).unwrap()).unwrap();
    }
}

/// A new machine's hierarchies, its group as their root.
fn mounts() -> String {
    if v2() {
        return "mount -t cgroup2 cgroup2 /sys/fs/cgroup".into();
    }
    let names = hierarchies().into_iter().map(|dir| dir.file_name().unwrap().to_string_lossy().into_owned());
    let mount = |name: String| {
        let options = if name == "systemd" { "none,name=systemd".to_owned() } else { name.clone() };
        format!("mkdir /sys/fs/cgroup/{name}; mount -t cgroup -o {options} cgroup /sys/fs/cgroup/{name}")
    };
    let each: Vec<String> = names.map(mount).collect();
    format!("mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup; {}", each.join("; "))
}

impl Machine {
    fn boot() -> Machine {
        let dir = tempfile::Builder::new().prefix("teu-test-systemd.").tempdir().unwrap();
        for (name, text) in UNITS {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let name = format!("teu-test-systemd-{}", std::process::id());
        let groups: Vec<PathBuf> = hierarchies().into_iter().map(|dir| dir.join(&name)).collect();
        groups.iter().for_each(|group| make(group));
        let enter: String = groups.iter().map(|group| format!("echo $$ >{}/cgroup.procs;", group.display())).collect();
        let script = format!(
            "set -e; {enter} exec unshare --pid --fork --kill-child --mount --cgroup sh -ec '
            mount -t proc proc /proc; mount -t tmpfs tmpfs /run; umount -R -l /sys/fs/cgroup
            {0}; mkdir -p /run/systemd/system; cp {1}/* /run/systemd/system
            export container=other SYSTEMD_LOG_TARGET=console
            exec /lib/systemd/systemd --system --unit=test.target --show-status=no'",
            mounts(),
            dir.path().display()
        );
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut machine = Machine { child: command.spawn().unwrap(), pid: String::new(), groups, dir };
        wait_until("systemd runs", || {
            let children = format!("/proc/{0}/task/{0}/children", machine.child.id());
            machine.pid = fs::read_to_string(children).ok()?.trim().to_owned();
            let name = fs::read_to_string(format!("/proc/{}/comm", machine.pid)).ok()?;
            (name == "systemd\n").then_some(())
        });
        // A group whose children have controllers has no process of its own.
        for group in &machine.groups {
            make(&group.join("caller"));
            fs::write(group.join("caller/cgroup.procs"), machine.child.id().to_string()).unwrap();
        }
        wait_until("it hears", || {
            let listed = machine.call(Command::new("systemctl").args(["is-active", "dbus.service"]));
            (listed.out() == "active").then_some(())
        });
        machine
    }

    /// The command, inside: also of its groups, because nobody is moved over the border of a delegated one.
    fn call(&self, command: &Command) -> Answer {
        let enter = self.groups.iter().map(|group| format!("echo $$ >{}/caller/cgroup.procs;", group.display()));
        let script = format!("{} exec nsenter \"$@\"", enter.collect::<String>());
        let mut inside = Command::new("sh");
        inside.args(["-c", &script, "sh"]).args(["-t", &self.pid, "-m", "-p", "-C", "--"]);
        inside.arg(command.get_program()).args(command.get_args());
        program::finish(inside.stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR").env_remove("DBUS_SYSTEM_BUS_ADDRESS"))
    }

    fn teu(&self, bundle: &Bundle, words: &[&str]) -> Answer {
        let mut command = Command::new("sh");
        // Its streams are the container's: nobody may wait for their end.
        let script = "out=$1; shift; if [ \"$6\" = create ]; then exec \"$@\" >$out.1 2>$out.2; fi; exec \"$@\"";
        command.args(["-c", script, "sh"]).arg(bundle.dir.join("out")).arg(binary()).args(["oci", "--root"]);
        command.arg(bundle.dir.join("state")).arg("--systemd-cgroup").args(words);
        self.call(&command)
    }

    fn create(&self, bundle: &Bundle) -> Answer {
        bundle.write();
        let dir = bundle.dir.to_string_lossy().into_owned();
        let answer = self.teu(bundle, &["create", "-b", &dir, &bundle.id]);
        Answer { stderr: bundle.read("out.2") + &answer.stderr, ..answer }
    }

    fn show(&self, unit: &str, property: &str) -> String {
        let words = ["show", "--value", "-p", property, unit];
        self.call(Command::new("systemctl").args(words)).out().to_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for dir in &self.groups {
            let remove = format!("find {} -depth -type d -exec rmdir {{}} + 2>/dev/null", dir.display());
            for _ in 0..100 {
                let _ = Command::new("sh").args(["-c", &remove]).status();
                if !dir.exists() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        let _ = &self.dir;
    }
}

/// For one test after the other.
static ONE: Mutex<()> = Mutex::new(());

#[test]
fn a_scope_must_be_made_changed_and_removed() {
    needs!(Root, CgroupV2, Systemd);
    let _one = ONE.lock();
    let machine = Machine::boot();
    let mut bundle = Bundle::new("cat /proc/self/cgroup; sleep 1000");
    let (unit, id) = (format!("libpod-{}.scope", bundle.id), bundle.id.clone());
    bundle.config["linux"]["cgroupsPath"] = format!("machine-x.slice:libpod:{id}").into();
    bundle.config["linux"]["resources"] = json!({
        "memory": { "limit": 67108864 }, "pids": { "limit": 40 }, "cpu": { "shares": 1024, "quota": 50000, "period": 100000 },
    });
    bundle.config["annotations"] = json!({ "org.systemd.property.TimeoutStopUSec": "uint64 7000000" });
    machine.create(&bundle).exits(0);
    for (property, value) in [
        ("ActiveState", "active"),
        ("Slice", "machine-x.slice"),
        ("Delegate", "yes"),
        ("TasksMax", "40"),
        ("MemoryMax", "67108864"),
        ("CPUWeight", "100"),
        ("CPUQuotaPerSecUSec", "500ms"),
        ("TimeoutStopUSec", "7s"),
        ("ControlGroup", &format!("/machine.slice/machine-x.slice/{unit}")),
    ] {
        assert_eq!(machine.show(&unit, property), value, "{property}");
    }
    let group = machine.groups[0].join("machine.slice/machine-x.slice").join(&unit);
    let read = |file: &str| fs::read_to_string(group.join(file)).unwrap().trim().to_owned();
    assert_eq!((read("pids.max"), read("memory.max")), ("40".into(), "67108864".into()));
    assert_eq!(read("cgroup.procs").lines().count(), 1);
    machine.teu(&bundle, &["start", &id]).exits(0);
    machine.teu(&bundle, &["exec", &id, "true"]).exits(0);
    machine.teu(&bundle, &["update", "--pids-limit", "50", "--memory", "128M", &id]).exits(0);
    assert_eq!((read("pids.max"), machine.show(&unit, "TasksMax")), ("50".into(), "50".into()));
    assert_eq!((read("memory.max"), machine.show(&unit, "MemoryMax")), ("134217728".into(), "134217728".into()));
    // Each by itself leaves the other what it was.
    for (flag, number, now, manager) in
        [("--cpu-period", "50000", "50000 50000", "1s"), ("--cpu-quota", "10000", "10000 50000", "200ms")]
    {
        machine.teu(&bundle, &["update", flag, number, &id]).exits(0);
        assert_eq!((read("cpu.max").as_str(), &*machine.show(&unit, "CPUQuotaPerSecUSec")), (now, manager));
    }
    machine.teu(&bundle, &["pause", &id]).exits(0);
    let state: Value = serde_json::from_str(&machine.teu(&bundle, &["state", &id]).exits(0).stdout).unwrap();
    assert_eq!(state["status"], "paused");
    machine.teu(&bundle, &["delete", "--force", &id]).exits(0);
    assert!(!group.exists(), "the group is gone");
    assert_eq!(machine.show(&unit, "LoadState"), "not-found");
    assert!(!bundle.dir.join("state").join(&id).exists());
}

/// With v1's hierarchies the manager has other words, and but some of the controllers.
#[test]
fn a_scope_of_v1_must_be_made_changed_and_removed() {
    needs!(Root, CgroupV1, Systemd);
    let _one = ONE.lock();
    let machine = Machine::boot();
    let mut bundle = Bundle::new("sleep 1000");
    let (unit, id) = (format!("libpod-{}.scope", bundle.id), bundle.id.clone());
    bundle.config["linux"]["cgroupsPath"] = format!("machine-x.slice:libpod:{id}").into();
    bundle.config["linux"]["resources"] = json!({
        "memory": { "limit": 67108864, "reservation": 33554432 }, "pids": { "limit": 40 },
        "cpu": { "shares": 512, "quota": 50000, "period": 100000, "cpus": "0" }, "blockIO": { "weight": 500 },
        "devices": [{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" }],
    });
    machine.create(&bundle).exits(0);
    for (property, value) in [
        ("Slice", "machine-x.slice"),
        ("TasksMax", "40"),
        ("MemoryLimit", "67108864"),
        ("CPUShares", "512"),
        ("CPUQuotaPerSecUSec", "500ms"),
        ("BlockIOWeight", "500"),
        ("BlockIOAccounting", "yes"),
        ("DevicePolicy", "strict"),
        ("ControlGroup", &format!("/machine.slice/machine-x.slice/{unit}")),
    ] {
        assert_eq!(machine.show(&unit, property), value, "{property}");
    }
    let allowed = machine.show(&unit, "DeviceAllow");
    assert!(allowed.contains("/dev/char/10:229 rw") && allowed.contains("char-pts rwm"), "{allowed}");
    let place = |hierarchy: &str| {
        let root = machine.groups.iter().find(|group| group.parent().unwrap().ends_with(hierarchy)).unwrap();
        root.join("machine.slice/machine-x.slice").join(&unit)
    };
    let read = |hierarchy: &str, file: &str| fs::read_to_string(place(hierarchy).join(file)).unwrap().trim().to_owned();
    let memory = || [read("memory", "memory.limit_in_bytes"), read("memory", "memory.soft_limit_in_bytes")];
    assert_eq!((read("pids", "pids.max"), memory()), ("40".into(), ["67108864".into(), "33554432".into()]));
    assert_eq!((read("cpu", "cpu.shares"), read("cpuset", "cpuset.cpus")), ("512".into(), "0".into()));
    // Also where the manager is not.
    for hierarchy in ["memory", "cpuset", "freezer", "devices"] {
        assert_eq!(read(hierarchy, "cgroup.procs").lines().count(), 1, "{hierarchy}");
    }
    let devices = || -> std::collections::BTreeSet<String> {
        read("devices", "devices.list").lines().map(str::to_owned).collect()
    };
    let before = devices();
    assert!(before.contains("c 10:229 rw") && !before.contains("a *:* rwm"), "{before:?}");
    machine.call(Command::new("systemctl").arg("daemon-reload")).exits(0);
    assert_eq!(devices(), before);
    machine.teu(&bundle, &["start", &id]).exits(0);
    machine.teu(&bundle, &["exec", &id, "true"]).exits(0);
    machine.teu(&bundle, &["update", "--pids-limit", "50", "--memory", "128M", "--cpu-share", "256", &id]).exits(0);
    assert_eq!((read("pids", "pids.max"), machine.show(&unit, "TasksMax")), ("50".into(), "50".into()));
    assert_eq!((memory()[0].as_str(), &*machine.show(&unit, "MemoryLimit")), ("134217728", "134217728"));
    assert_eq!((read("cpu", "cpu.shares"), machine.show(&unit, "CPUShares")), ("256".into(), "256".into()));
    // Each by itself leaves the other what it was.
    let cpu = || (read("cpu", "cpu.cfs_quota_us"), read("cpu", "cpu.cfs_period_us"));
    for (flag, number, now, manager) in
        [("--cpu-period", "50000", ("50000", "50000"), "1s"), ("--cpu-quota", "10000", ("10000", "50000"), "200ms")]
    {
        machine.teu(&bundle, &["update", flag, number, &id]).exits(0);
        assert_eq!((cpu(), &*machine.show(&unit, "CPUQuotaPerSecUSec")), ((now.0.into(), now.1.into()), manager));
    }
    machine.teu(&bundle, &["pause", &id]).exits(0);
    let state: Value = serde_json::from_str(&machine.teu(&bundle, &["state", &id]).exits(0).stdout).unwrap();
    assert_eq!(state["status"], "paused");
    machine.teu(&bundle, &["delete", "--force", &id]).exits(0);
    for group in &machine.groups {
        assert!(!group.join("machine.slice/machine-x.slice").join(&unit).exists(), "{}", group.display());
    }
    assert_eq!(machine.show(&unit, "LoadState"), "not-found");
    // Nor is anything left of one that cannot be made.
    bundle.config["process"]["args"] = json!(["nope"]);
    machine.create(&bundle).exits(1);
    assert_eq!(machine.show(&unit, "LoadState"), "not-found");
    assert!(!place("freezer").exists() && !bundle.dir.join("state").join(&id).exists());
}

#[test]
fn what_the_manager_cannot_make_must_be_an_error_without_a_trace() {
    needs!(Root, CgroupV2, Systemd);
    let _one = ONE.lock();
    let machine = Machine::boot();
    let mut bundle = Bundle::new("true");
    let refused = |bundle: &Bundle, words: &str| {
        let answer = machine.create(bundle).exits(1);
        assert!(answer.stderr.contains(words), "{words}: {}", answer.stderr);
        assert!(!bundle.dir.join("state").join(&bundle.id).exists());
        let units = machine.call(Command::new("systemctl").args(["list-units", "--all", "--no-legend", "*.scope"]));
        assert!(!units.stdout.contains(&bundle.id), "{}", units.stdout);
    };
    bundle.config["linux"]["cgroupsPath"] = "/a/b".into();
    refused(&bundle, "is not slice:prefix:name");
    bundle.config["linux"]["cgroupsPath"] = format!("a.slice:x:{}", bundle.id).into();
    bundle.config["annotations"] = json!({ "org.systemd.property.NoSuchThing": "true" });
    refused(&bundle, "systemd control group manager");
    bundle.config["annotations"] = json!({});
    bundle.config["linux"]["resources"] = json!({ "unified": { "nothing.max": "1" } });
    refused(&bundle, "nothing controller");
    bundle.config["linux"]["resources"] = json!({});
    bundle.config["process"]["args"] = json!(["nope"]);
    refused(&bundle, "executable file not found");
    // In the foreground: gone at its end.
    bundle.config["process"]["args"] = json!(["sh", "-c", "cat /proc/self/cgroup; exit 6"]);
    bundle.write();
    let dir = bundle.dir.to_string_lossy().into_owned();
    let answer = machine.teu(&bundle, &["run", "-b", &dir, &bundle.id]).exits(6);
    assert_eq!(answer.stdout, "0::/\n");
    assert_eq!(machine.show(&format!("x-{}.scope", bundle.id), "LoadState"), "not-found");
}

#[test]
fn without_a_manager_it_must_be_an_error_that_says_so() {
    needs!(Root, Cgroup);
    let bundle = Bundle::new("true");
    bundle.write();
    let dir = bundle.dir.to_string_lossy().into_owned();
    let mut command = bundle.command(&["--systemd-cgroup", "create", "-b", &dir, &bundle.id]);
    let answer = program::finish(command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")).exits(1);
    assert!(answer.stderr.contains("/nonexistent/bus"), "{}", answer.stderr);
    bundle.assert_gone();
}
