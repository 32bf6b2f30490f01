//! What a monitor makes for a container it knows only the id of: used when it fits, taken back when it does not.

use crate::monitor::{Fixture, finish, program, run};
use crate::needs;
use crate::support::wait_until;
use serde_json::json;
use std::path::{Path, PathBuf};
use teu::model::container::Status;
use teu::model::id::ContainerId;
use teu::net::plan::NetworkPlan;
use teu::runtime::announced::Announced;
use teu::runtime::launch::{Launch, RootAhead, Rootfs};
use teu::runtime::task::{self, Attach, Error, Starting};

fn announced(fixture: &Fixture, child: bool) -> Announced {
    Announced { id: Some(ContainerId::try_from(fixture.id.clone()).unwrap()), child }
}

fn begin(announced: Announced) -> Starting {
    task::begin(program(), &[], announced).unwrap()
}

/// Groups anywhere whose name has the id in it.
fn groups(id: &str) -> Vec<PathBuf> {
    fn below(dir: &Path, id: &str, depth: u8, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_string_lossy().contains(id) {
                found.push(entry.path());
            } else if depth > 0 {
                below(&entry.path(), id, depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    below(Path::new("/sys/fs/cgroup"), id, 3, &mut found);
    found
}

/// Processes in those groups.
fn members(id: &str) -> usize {
    let pids = |dir: PathBuf| std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default().lines().count();
    groups(id).into_iter().map(pids).max().unwrap_or(0)
}

/// With namespaces as the engine asks for them, changed.
fn namespaces(launch: Launch, change: impl Fn(&mut Vec<serde_json::Value>)) -> Launch {
    let mut spec = serde_json::to_value(&launch.spec).unwrap();
    let list = spec["linux"]["namespaces"].as_array_mut().unwrap();
    list.retain(|n| n["type"] != "cgroup");
    list.push(json!({"type": "cgroup"}));
    change(list);
    Launch { spec: serde_json::from_value(spec).unwrap(), ..launch }
}

/// Which of the test's own namespaces the container is in, and its exit code.
async fn shared(launch: &Launch, monitor: Starting) -> (Vec<&'static str>, u8) {
    let attach = Some(Attach { lossless: true, ..Attach::default() });
    let mut session = monitor.launch(launch, attach).await.unwrap().session.unwrap();
    let (out, _, exit) = finish(&mut session).await;
    let own = |name: &str| std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap().display().to_string();
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
    (kinds.into_iter().filter(|kind| out.contains(&own(kind))).collect(), exit.code)
}

const TELL: &str = "for n in mnt pid uts ipc net cgroup; do readlink /proc/self/ns/$n; done; exit 3";

#[test]
fn an_init_waits_in_its_group_and_becomes_the_container() {
    needs!(Root);
    for child in [true, false] {
        let fixture = Fixture::new();
        let launch = namespaces(fixture.launch(TELL), |_| {});
        run(async {
            let monitor = begin(announced(&fixture, child));
            wait_until("the init is in its group", || (members(&fixture.id) == 1).then_some(()));
            assert_eq!(shared(&launch, monitor).await, (vec![], 3), "{child}");
        });
        assert_eq!(fixture.wait_over().status, Status::Exited);
        assert!(groups(&fixture.id).is_empty());
    }
}

#[test]
fn other_namespaces_than_were_foreseen_are_right_too() {
    needs!(Root);
    for missing in [vec!["net"], vec!["ipc", "net"], vec!["uts"]] {
        let fixture = Fixture::new();
        let mut launch = namespaces(fixture.launch(TELL), |list| {
            let dropped = |n: &serde_json::Value| {
                missing.iter().any(|name| n["type"] == if *name == "net" { "network" } else { name })
            };
            list.retain(|n| !dropped(n));
        });
        if missing.contains(&"net") {
            launch.network = NetworkPlan::Host;
        }
        let got = run(async { shared(&launch, begin(announced(&fixture, true))).await });
        assert_eq!(got, (missing, 3));
        fixture.wait_over();
        assert!(groups(&fixture.id).is_empty());
    }
}

/// What the launch says of the network is right, whatever was foreseen.
#[test]
fn a_network_namespace_that_was_foreseen_is_used_only_where_it_is_meant() {
    needs!(Root);
    let pid = i32::try_from(std::process::id()).unwrap();
    let pid_start = teu::sys::process::start_time(pid).unwrap();
    for (name, foreseen) in [("isolated", true), ("isolated", false), ("host", true), ("joined", true)] {
        let fixture = Fixture::new();
        let mut launch = namespaces(fixture.launch(TELL), |_| {});
        match name {
            "host" => {
                launch = namespaces(launch, |list| list.retain(|n| n["type"] != "network"));
                launch.network = NetworkPlan::Host;
            }
            "joined" => launch.network = NetworkPlan::Join { container: "this".into(), pid, pid_start },
            _ => {}
        }
        let got = run(async {
            let mut monitor = begin(announced(&fixture, true));
            if foreseen {
                monitor.expect_network().await.unwrap();
            }
            shared(&launch, monitor).await
        });
        let expected = if name == "isolated" { vec![] } else { vec!["net"] };
        assert_eq!(got, (expected, 3), "{name} {foreseen}");
        fixture.wait_over();
        assert!(groups(&fixture.id).is_empty());
    }
}

#[test]
fn nothing_stays_of_what_was_made_for_nothing() {
    needs!(Root);
    for child in [true, false] {
        let fixture = Fixture::new();
        run(async {
            let monitor = begin(announced(&fixture, child));
            wait_until("the init is in its group", || (members(&fixture.id) == 1).then_some(()));
            drop(monitor);
        });
        wait_until("nothing is left", || groups(&fixture.id).is_empty().then_some(()));
    }
}

#[test]
fn a_launch_for_another_container_takes_nothing_of_it() {
    needs!(Root);
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let launch = other.launch("exit 5");
    let got = run(async { shared(&launch, begin(announced(&fixture, true))).await });
    assert_eq!(got.1, 5);
    other.wait_over();
    assert!(groups(&fixture.id).is_empty() && groups(&other.id).is_empty());
}

#[test]
fn what_cannot_be_set_up_is_told_and_taken_back() {
    needs!(Root);
    let fixture = Fixture::new();
    let mut launch = fixture.launch("true");
    let mut spec = serde_json::to_value(&launch.spec).unwrap();
    spec["mounts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"destination": "/x", "type": "bind", "source": "/nowhere-to-be-found"}));
    launch.spec = serde_json::from_value(spec).unwrap();
    match run(async { begin(announced(&fixture, true)).launch(&launch, None).await }) {
        Err(Error::Failed(failure)) => assert!(failure.chain.concat().contains("/nowhere-to-be-found"), "{failure:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fixture.wait_over().status, Status::Created);
    wait_until("nothing is left", || groups(&fixture.id).is_empty().then_some(()));
}

/// Over the fixture's root file system; what the container writes goes to the directory `upper`.
fn overlay(fixture: &Fixture, lower: &Path, upper: &str) -> Rootfs {
    let (upper, work) = (fixture.root.path().join(upper), fixture.root.path().join(format!("work of {upper}")));
    for dir in [&upper, &work] {
        std::fs::create_dir_all(dir).unwrap();
    }
    Rootfs::Overlay { lower: vec![lower.to_owned()], upper, work, read_only: false }
}

#[test]
fn the_root_is_mounted_before_the_launch_is_known_and_another_one_is_not_taken() {
    needs!(Root);
    let nowhere = Path::new("/nowhere-to-be-found");
    for (foreseen, exists) in [("own", true), ("other", true), ("own", false)] {
        let fixture = Fixture::new();
        let lower = fixture.rootfs();
        let rootfs = overlay(&fixture, &lower, "own");
        let mut launch = Launch { rootfs, ..namespaces(fixture.launch("echo words >/file; exit 4"), |_| {}) };
        launch.spec.set_root(None);
        let rootfs = overlay(&fixture, if exists { &lower } else { nowhere }, foreseen);
        let root = RootAhead { rootfs, user_namespace: false, volatile: false };
        let got = run(async {
            let mut monitor = begin(announced(&fixture, true));
            monitor.expect_root(&root).await.unwrap();
            let mounted = fixture.root.path().join(format!("work of {foreseen}/work"));
            if exists {
                wait_until("it is mounted", || mounted.exists().then_some(()));
            }
            shared(&launch, monitor).await
        });
        assert_eq!(got, (vec![], 4), "{foreseen} {exists}");
        assert_eq!(std::fs::read_to_string(fixture.root.path().join("own/file")).unwrap(), "words\n");
        assert!(!fixture.root.path().join("other/file").exists());
        fixture.wait_over();
        assert!(groups(&fixture.id).is_empty());
    }
}

#[test]
fn a_monitor_killed_while_it_waits_takes_the_init_with_it() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let monitor = begin(announced(&fixture, true));
        wait_until("the init is in its group", || (members(&fixture.id) == 1).then_some(()));
        // On v1 it enters one group after the other.
        let pid = |dir: PathBuf| std::fs::read_to_string(dir.join("cgroup.procs")).ok()?.trim().parse().ok();
        let init: i32 = groups(&fixture.id).into_iter().find_map(pid).unwrap();
        let status = std::fs::read_to_string(format!("/proc/{init}/status")).unwrap();
        let parent: i32 = status.lines().find_map(|l| l.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
        teu::sys::process::kill(parent, 9).unwrap();
        wait_until("the init is gone", || (members(&fixture.id) == 0).then_some(()));
        assert!(monitor.launch(&fixture.launch("true"), None).await.is_err());
    });
    assert!(groups(&fixture.id).is_empty());
}
