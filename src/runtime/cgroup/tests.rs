//! Groups made for real on this machine, when it lets this user make them.

use super::*;
use crate::model::time::Timestamp;

/// A test enters no user namespace, but what it may do is the user's.
fn identity() -> Identity {
    let found = crate::sys::userns::identity();
    Identity { rootless: found.uid != 0, ..found.clone() }
}

/// A group of its own name, or `None` with the reason printed where none can be had.
fn group(name: &str, limits: &Limits) -> Option<Group> {
    let support = support(&identity());
    if !support.usable() {
        eprintln!("SKIP cgroup::{name}: {:?}", support.reasons);
        return None;
    }
    let id = format!("unit-{}-{name}", std::process::id());
    Some(Group::create(&id, limits, &identity()).expect("a group with these limits").0)
}

#[test]
fn a_group_lives_and_goes() {
    let limits = Limits { memory: Some(64 << 20), nano_cpus: Some(500_000_000), pids: Some(50), ..Limits::default() };
    let Some(group) = group("lives", &limits) else { return };
    let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("sleep");
    group.join(child.id() as i32).expect("joining");
    assert!(group.populated());
    assert_eq!(group.pids(), [child.id() as i32]);

    let mut sampler = Sampler::open(group.path(), child.id() as i32).expect("sampler");
    let sample = sampler.sample(Timestamp(1), true).expect("sample");
    assert_eq!(sample.memory_limit, Some(64 << 20));
    assert_eq!(sample.cpu_limit_millis, Some(500));
    assert_eq!((sample.pids, sample.pids_limit), (1, Some(50)));
    assert_eq!(sample.oom_kills, Some(0));

    group.freeze().expect("freezing");
    group.thaw().expect("thawing");
    group.freeze().expect("freezing again");
    group.kill_all().expect("killing what is frozen");
    group.thaw().expect("thawing");
    child.wait().expect("the killed child");
    group.remove().expect("removing");
    group.remove().expect("removing twice");
    group.thaw().expect("of what is gone nothing stands still");
    assert!(!group.populated());
    assert!(matches!(sampler.sample(Timestamp(2), false), Err(Error::Gone(_))));
    assert!(Sampler::open(group.path(), 1).is_err());
}

#[test]
fn limits_change_in_both_directions() {
    let memory = |mib: u64| Limits { memory: Some(mib << 20), ..Limits::default() };
    let Some(group) = group("changes", &memory(64)) else { return };
    let limit =
        || Sampler::open(group.path(), 1).expect("open").sample(Timestamp(1), false).expect("read").memory_limit;
    for mib in [512, 32, 128] {
        group.update(&memory(mib)).expect("new limit");
        assert_eq!(limit(), Some(mib << 20));
    }
    assert!(group.update(&memory(1)).is_err());
    group.update(&Limits { pids: Some(7), ..Limits::default() }).expect("only pids");
    assert_eq!(limit(), Some(128 << 20));
    group.remove().expect("removing");
}

#[test]
fn a_wrong_limit_leaves_no_group() {
    let limits = Limits { memory: Some(1 << 20), ..Limits::default() };
    let id = format!("unit-{}-wrong", std::process::id());
    let error = Group::create(&id, &limits, &identity()).expect_err("1 MiB is refused");
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    assert!(Sampler::open(&format!("/teu/{id}"), 1).is_err());
}

#[test]
fn devices_beyond_the_rules_do_not_open() {
    let Some(group) = group("devices", &Limits::default()) else { return };
    if identity().rootless {
        eprintln!("SKIP cgroup::devices: not root");
        return group.remove().expect("removing");
    }
    if let Some(warning) = group.restrict_if_possible(&devices::rules(&[]).expect("rules")).expect("restricting") {
        eprintln!("SKIP cgroup::devices: {warning}");
        return group.remove().expect("removing");
    }
    // Joins by itself before it opens: null must work, the kernel's log device (1:11) must not.
    let script = "read go; head -c0 /dev/null && echo null; head -c0 /dev/kmsg && echo kmsg; true";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("sh");
    group.join(child.id() as i32).expect("joining");
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("output");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "null\n");
    group.remove().expect("removing");
}

#[test]
fn without_a_group_the_processes_are_added_up() {
    let mut command = std::process::Command::new("unshare");
    command.args([
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount-proc",
        "--net",
        "sh",
        "-c",
        "echo up; sleep 600; true",
    ]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("unshare");
    let mut line = String::new();
    let mut output = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut output, &mut line).expect("reading");
    if line != "up\n" {
        eprintln!("SKIP cgroup::processes: no user namespaces");
        child.wait().expect("unshare");
        return;
    }
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let init = std::fs::read_to_string(children).expect("children").trim().parse().expect("its pid");
    let mut sampler = Sampler::open("", init).expect("figures");
    let sample = sampler.sample(Timestamp(1), true).expect("figures");
    assert!((1..=2).contains(&sample.pids), "{sample:?}");
    assert!(sample.memory > 0 && sample.memory_limit.is_none(), "{sample:?}");
    crate::sys::process::kill(init, files::SIGKILL).expect("killing");
    child.wait().expect("unshare");
    assert!(matches!(sampler.sample(Timestamp(2), true), Err(Error::Gone(_))));
}

/// As in a delegated scope that teu itself was started in: its own process must not make the group a threaded one.
#[test]
fn a_delegated_group_with_a_process_of_its_own_takes_containers() {
    let Hierarchies::V2(mount) = Hierarchies::read() else {
        return eprintln!("SKIP cgroup::occupied: no pure cgroup v2");
    };
    let scope = format!("/unit-{}-occupied", std::process::id());
    if std::fs::create_dir(hierarchy::below(&mount, &scope)).is_err() {
        return eprintln!("SKIP cgroup::occupied: not root");
    }
    let sleeper = || std::process::Command::new("sleep").arg("600").spawn().expect("sleep");
    let (mut host, mut inside) = (sleeper(), sleeper());
    v2::Group::open(&mount, &scope).join(&host.id().to_string()).expect("the scope's own process");

    let plan = Plan::new(&Limits::default()).expect("no limits");
    let parent = format!("{scope}/teu");
    let group = v2::Group::create(&mount, &parent, "one").expect("a group beside the process");
    let warnings = group.apply(&plan).expect("its limits");
    assert_eq!(warnings, [""; 0]);
    group.join(&inside.id().to_string()).expect("a group that takes processes");
    group.kill_all().expect("killing");
    inside.wait().expect("the killed one");
    group.remove().expect("removing");
    host.kill().expect("killing");
    host.wait().expect("the scope's own");
    files::remove_tree(&hierarchy::below(&mount, &scope)).expect("removing the scope");
}

#[test]
fn a_group_that_nobody_holds_is_swept_and_no_other() {
    if !support(&identity()).usable() {
        eprintln!("SKIP cgroup::swept: {:?}", support(&identity()).reasons);
        return;
    }
    let named = || crate::model::id::ContainerId::random().to_string();
    let make = |id: &str| Group::make(id, &identity()).expect("a group");
    let (held, lived_in, orphan) = (make(&named()), make(&named()), make(&named()));
    let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("sleep");
    lived_in.join(child.id() as i32).expect("joining");
    let paths = [lived_in.path().to_owned(), orphan.path().to_owned()];
    drop((lived_in, orphan));
    let [lived_in, orphan] = paths.map(|path| Group::open(&path));
    // Another test's child has its lock, too, from the fork to the exec: then it is swept the next time.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(10);
    sweep(&identity()).expect("sweeping");
    while orphan.exists() && std::time::Instant::now() < patience {
        std::thread::yield_now();
        sweep(&identity()).expect("sweeping");
    }
    assert!(!orphan.exists(), "{orphan:?}");
    assert!(held.exists() && lived_in.exists());
    assert!(
        held.directories().iter().filter(|(name, _)| name != "cpuset").all(|(_, dir)| dir.is_dir()),
        "in all of them"
    );
    child.kill().expect("killing");
    child.wait().expect("the killed child");
    held.remove().expect("removing");
    lived_in.remove().expect("removing");
    assert!(!held.exists() && !lived_in.exists());
}
