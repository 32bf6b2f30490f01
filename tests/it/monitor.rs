//! The monitor with real containers: a busybox directory as root file system, the built program as the monitor.

use crate::needs;
use crate::support::program::binary;
use crate::support::{StateRoot, wait_until};
use oci_spec::runtime::Spec;
use serde_json::json;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;
use teu::model::container::{ExitStatus, Limits, LogOptions, RestartPolicy, State, Status};
use teu::model::id::{ContainerId, ExecId};
use teu::runtime::launch::{Launch, Rootfs};
use teu::runtime::protocol::{ExecSpec, FailureKind, VERSION};
use teu::runtime::task::{self, Attach, Error, Output, Session, Task};
use teu::runtime::{eventlog, log, state};

pub fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(binary);
    &PROGRAM
}

/// One container's directories in a state root of its own.
pub struct Fixture {
    pub root: StateRoot,
    pub id: String,
}

impl Fixture {
    pub fn new() -> Fixture {
        let fixture = Fixture { root: StateRoot::new(), id: ContainerId::random().as_str().to_owned() };
        let bin = fixture.rootfs().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        for dir in ["proc", "dev", "sys", "tmp", "etc"] {
            std::fs::create_dir_all(fixture.rootfs().join(dir)).unwrap();
        }
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|p| Path::new(p).exists()).unwrap();
        std::fs::copy(busybox, bin.join("busybox")).unwrap();
        for name in [
            "sh", "cat", "sleep", "true", "echo", "seq", "yes", "kill", "stty", "head", "dd", "tr", "nslookup", "wget",
            "httpd", "nc", "netstat", "readlink", "ip",
        ] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        std::fs::create_dir_all(fixture.dir()).unwrap();
        fixture
    }

    pub fn rootfs(&self) -> PathBuf {
        self.root.path().join("rootfs")
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("containers").join(&self.id)
    }

    fn run_dir(&self) -> PathBuf {
        self.root.path().join("run/containers").join(&self.id)
    }

    pub fn launch(&self, script: &str) -> Launch {
        let mut spec = serde_json::to_value(Spec::default()).unwrap();
        spec["process"]["args"] = json!(["/bin/sh", "-c", script]);
        spec["process"]["env"] = json!(["PATH=/bin", "TERM=xterm-256color"]);
        // The bundle mounts what there is on this machine; here only what every kernel has.
        let mounts = spec["mounts"].as_array().unwrap().iter();
        spec["mounts"] = mounts.filter(|m| m["type"] != "cgroup").cloned().collect();
        Launch {
            version: VERSION,
            id: self.id.clone(),
            name: "box".into(),
            image: "busybox".into(),
            dir: self.dir(),
            run_dir: self.run_dir(),
            event_log: self.root.path().join("events.log"),
            health: None,
            spec: serde_json::from_value(spec).unwrap(),
            rootfs: Rootfs::Directory { path: self.rootfs(), read_only: false },
            user: String::new(),
            group_add: Vec::new(),
            seccomp: Vec::new(),
            seccomp_flags: 0,
            limits: Limits::default(),
            cgroup_parent: String::new(),
            user_namespace: false,
            users: None,
            init: false,
            tty: false,
            open_stdin: false,
            size: None,
            isolation: teu::model::isolation::Isolation::default(),
            network: teu::net::plan::NetworkPlan::default(),
            log: LogOptions::default(),
            restart: RestartPolicy::No,
            restarts: 0,
            stop_signal: 15,
            stop_timeout_secs: 10,
            on_end: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub fn state(&self) -> State {
        state::read(&self.dir(), &self.run_dir()).unwrap()
    }

    pub fn task(&self) -> Task {
        Task::at(self.run_dir())
    }

    /// Waits until the monitor is gone.
    pub fn wait_over(&self) -> State {
        wait_until("the monitor has left", || (!state::monitor_lives(&self.run_dir()).unwrap()).then_some(()));
        self.state()
    }

    fn actions(&self) -> Vec<String> {
        eventlog::history(&self.root.path().join("events.log")).unwrap().into_iter().map(|e| e.action).collect()
    }

    pub fn log_lines(&self) -> Vec<String> {
        let page = log::Reader::open(&self.dir().join("log")).unwrap().read_after(0, usize::MAX).unwrap();
        page.records.iter().map(|r| String::from_utf8_lossy(&r.bytes).into_owned()).collect()
    }
}

/// Runs a test body on a runtime, with a limit for the whole.
pub fn run<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), body).await.expect("the test hangs") })
}

fn attach() -> Option<Attach> {
    Some(Attach { stdin: true, lossless: true, ..Attach::default() })
}

/// Everything a session says until its exit.
pub async fn finish(session: &mut Session) -> (String, String, ExitStatus) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        match session.reader.next().await.unwrap().expect("the exit comes before the end") {
            Output::Stdout(b) | Output::Console(b) => out.extend_from_slice(&b),
            Output::Stderr(b) => err.extend_from_slice(&b),
            Output::Exit(exit) => {
                return (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), exit);
            }
            _ => {}
        }
    }
}

/// Reads until the text has come.
async fn expect(session: &mut Session, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        match session.reader.next().await.unwrap().expect("more output") {
            Output::Stdout(b) | Output::Console(b) | Output::Screen(b) => seen.push_str(&String::from_utf8_lossy(&b)),
            Output::Exit(exit) => panic!("ended with {exit} before {text:?}: {seen:?}"),
            _ => {}
        }
    }
    seen
}

#[test]
fn output_exit_code_log_events_and_nothing_left() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let launch = fixture.launch("echo out; echo err >&2; read line; echo got $line; exit 7");
        let launch = Launch { open_stdin: true, ..launch };
        let mut started = task::spawn(program(), &launch, attach()).await.unwrap();
        assert!(started.pid > 0);
        let state = fixture.state();
        assert_eq!((state.status, state.pid), (Status::Running, started.pid));
        let mut session = started.session.take().unwrap();
        session.writer.stdin(b"words\n").await.unwrap();
        let (out, err, exit) = finish(&mut session).await;
        assert_eq!((out.as_str(), err.as_str(), exit.code), ("out\ngot words\n", "err\n", 7));
    });
    let state = fixture.wait_over();
    assert_eq!((state.status, state.exit.unwrap().code, state.pid), (Status::Exited, 7, 0));
    assert!(state.cgroup.is_empty());
    assert!(!fixture.run_dir().exists());
    let mut lines = fixture.log_lines();
    lines.sort();
    assert_eq!(lines, ["err", "got words", "out"]);
    assert_eq!(fixture.actions(), ["start", "die"]);
}

#[test]
fn a_command_that_is_not_there_leaves_nothing_but_the_reason() {
    needs!(Root);
    let fixture = Fixture::new();
    let mut launch = fixture.launch("");
    let mut spec = serde_json::to_value(&launch.spec).unwrap();
    spec["process"]["args"] = json!(["/bin/nothing"]);
    launch.spec = serde_json::from_value(spec).unwrap();
    match run(task::spawn(program(), &launch, attach())) {
        Err(Error::Failed(failure)) => assert_eq!(failure.kind, FailureKind::CommandNotFound, "{failure:?}"),
        other => panic!("{other:?}"),
    }
    let state = fixture.wait_over();
    assert_eq!((state.status, state.exit.unwrap().code), (Status::Created, 127));
    assert!(state.error.contains("/bin/nothing"), "{}", state.error);
    assert!(!fixture.run_dir().exists());
}

#[test]
fn a_lossless_client_gets_every_byte_however_slow_it_is() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let launch = fixture.launch("seq 1 300000");
        let mut session = task::spawn(program(), &launch, attach()).await.unwrap().session.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (out, _, exit) = finish(&mut session).await;
        assert_eq!(exit.code, 0);
        assert_eq!(out.lines().count(), 300_000);
        assert_eq!(out.lines().last(), Some("300000"));
    });
    fixture.wait_over();
}

#[test]
fn a_terminal_is_shown_again_to_whoever_comes_back() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let launch = Launch { tty: true, open_stdin: true, size: Some((90, 30)), ..fixture.launch("exec sh") };
        let first = Attach { stdin: true, size: Some((90, 30)), ..Attach::default() };
        let mut session = task::spawn(program(), &launch, Some(first)).await.unwrap().session.unwrap();
        session.writer.stdin(b"stty size; echo mark$((40+2))\n").await.unwrap();
        let seen = expect(&mut session, "mark42").await;
        assert!(seen.contains("30 90"), "{seen:?}");
        drop(session);
        let again = Attach { stdin: true, replay: true, size: Some((100, 20)), ..Attach::default() };
        let mut session = fixture.task().attach(again).await.unwrap();
        match session.reader.next().await.unwrap() {
            Some(Output::Screen(screen)) => assert!(String::from_utf8_lossy(&screen).contains("mark42")),
            other => panic!("{other:?}"),
        }
        session.writer.stdin(b"stty size\n").await.unwrap();
        expect(&mut session, "20 100").await;
        session.writer.stdin(b"exit 3\n").await.unwrap();
        assert_eq!(finish(&mut session).await.2.code, 3);
    });
    fixture.wait_over();
}

#[test]
fn one_client_writes_the_others_watch_until_they_take_over() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let launch = Launch { open_stdin: true, ..fixture.launch("exec cat") };
        let ask = || Attach { stdin: true, ..Attach::default() };
        let mut first = task::spawn(program(), &launch, Some(ask())).await.unwrap().session.unwrap();
        assert_eq!(first.reader.next().await.unwrap(), Some(Output::Writer(true)));
        let mut second = fixture.task().attach(ask()).await.unwrap();
        assert_eq!(second.reader.next().await.unwrap(), Some(Output::Writer(false)));
        second.writer.stdin(b"unheard\n").await.unwrap();
        first.writer.stdin(b"one\n").await.unwrap();
        assert_eq!(expect(&mut second, "one\n").await, "one\n");
        second.writer.take_over().await.unwrap();
        assert_eq!(second.reader.next().await.unwrap(), Some(Output::Writer(true)));
        assert_eq!(expect(&mut first, "one\n").await, "one\n");
        assert_eq!(first.reader.next().await.unwrap(), Some(Output::Writer(false)));
        second.writer.stdin(b"two\n").await.unwrap();
        expect(&mut first, "two\n").await;
        drop(second);
        assert_eq!(first.reader.next().await.unwrap(), Some(Output::Writer(true)));
        first.writer.eof().await.unwrap();
        assert_eq!(finish(&mut first).await.2.code, 0);
    });
    fixture.wait_over();
}

pub fn exec_spec(script: &str, tty: bool) -> ExecSpec {
    ExecSpec {
        id: ExecId::random().as_str().to_owned(),
        args: vec!["/bin/sh".into(), "-c".into(), script.into()],
        env: Vec::new(),
        user: None,
        workdir: None,
        tty,
        stdin: true,
        detach: false,
        privileged: false,
        size: Some((80, 24)),
    }
}

#[test]
fn the_end_of_an_exec_is_written_down_before_it_is_told() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        task::spawn(program(), &fixture.launch("exec sleep 600"), None).await.unwrap();
        for n in 1..=16 {
            let spec = ExecSpec { detach: true, ..exec_spec("true", false) };
            assert!(fixture.task().exec(spec).await.unwrap().is_none());
            // Looks all the time, as a screen would that is told at once.
            while fixture.actions().iter().filter(|a| *a == "exec_die").count() < n {}
            assert!(fixture.state().execs.iter().all(|e| e.exit.is_some()), "at the {n}th");
        }
        fixture.task().stop(None, 0).await.unwrap();
    });
    fixture.wait_over();
}

#[test]
fn an_exec_without_a_command_is_called_by_the_shell_it_found() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        task::spawn(program(), &fixture.launch("exec sleep 600"), None).await.unwrap();
        let shell = ExecSpec { args: Vec::new(), ..exec_spec("", true) };
        let session = fixture.task().exec(shell).await.unwrap().unwrap();
        let args = fixture.task().state().await.unwrap().execs[0].args.clone();
        assert!(args.len() == 1 && args[0].ends_with("sh"), "{args:?}");
        drop(session);
        fixture.task().stop(None, 0).await.unwrap();
    });
    fixture.wait_over();
}

#[test]
fn exec_sessions_outlive_their_client_and_end_with_the_container() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let launch = Launch { restart: RestartPolicy::Always, ..fixture.launch("exec sleep 600") };
        task::spawn(program(), &launch, None).await.unwrap();
        let task = task::connect(&fixture.run_dir()).await.unwrap();
        let mut plain = task.exec(exec_spec("cat; exit 5", false)).await.unwrap().unwrap();
        plain.writer.stdin(b"through").await.unwrap();
        plain.writer.eof().await.unwrap();
        let (out, _, exit) = finish(&mut plain).await;
        assert_eq!((out.as_str(), exit.code), ("through", 5));
        let spec = exec_spec("echo first; exec sh", true);
        let id = spec.id.clone();
        let mut shell = task.exec(spec).await.unwrap().unwrap();
        expect(&mut shell, "first").await;
        drop(shell);
        let again = || Attach { exec: Some(id.clone()), stdin: true, replay: true, ..Attach::default() };
        let mut shell = task.attach(again()).await.unwrap();
        expect(&mut shell, "first").await;
        let execs = task.state().await.unwrap().execs;
        let shown: Vec<_> = execs.iter().map(|e| (e.tty, e.clients, e.exit.map(|x| x.code))).collect();
        assert_eq!(shown, [(false, 0, Some(5)), (true, 1, None)]);
        shell.writer.stdin(b"exit 9\n").await.unwrap();
        assert_eq!(finish(&mut shell).await.2.code, 9);
        let mut ended = task.attach(again()).await.unwrap();
        assert_eq!(finish(&mut ended).await.2.code, 9);
        let mut last = task.exec(exec_spec("sleep 600", false)).await.unwrap().unwrap();
        let waiting = tokio::spawn({
            let task = task.clone();
            async move { task.wait().await }
        });
        let exit = task.stop(Some(9), 10).await.unwrap();
        assert_eq!((exit.code, exit.signal), (137, Some(9)));
        assert_eq!(finish(&mut last).await.2.code, 137);
        assert!(waiting.await.unwrap().unwrap().stopped_by_user);
        assert!(matches!(task.state().await, Err(Error::Gone(_))));
    });
    assert_eq!(fixture.wait_over().status, Status::Exited);
}

#[test]
fn a_stop_is_gentle_first_and_works_on_a_paused_container() {
    needs!(Root, Cgroup);
    let fixture = Fixture::new();
    run(async {
        let launch = fixture.launch("trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.05; done");
        let mut session = task::spawn(program(), &launch, attach()).await.unwrap().session.unwrap();
        expect(&mut session, "ready").await;
        let task = fixture.task();
        task.pause().await.unwrap();
        assert_eq!(fixture.state().status, Status::Paused);
        assert!(matches!(task.pause().await, Err(Error::Failed(f)) if f.kind == FailureKind::Conflict));
        let (exit, (out, _, _)) = tokio::join!(task.stop(None, 20), finish(&mut session));
        assert_eq!((exit.unwrap().code, out.as_str()), (4, "bye\n"));
    });
    fixture.wait_over();
    assert_eq!(fixture.actions(), ["start", "pause", "kill", "die", "stop"]);
}

#[test]
fn a_deaf_container_is_killed_after_the_time_out() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let launch = fixture.launch("trap '' TERM; echo ready; while :; do sleep 0.05; done");
        let mut session = task::spawn(program(), &launch, attach()).await.unwrap().session.unwrap();
        expect(&mut session, "ready").await;
        assert_eq!(fixture.task().stop(None, 0).await.unwrap().code, 137);
    });
    fixture.wait_over();
}

#[test]
fn restarts_follow_the_policy() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let launch = Launch { restart: RestartPolicy::OnFailure(2), ..fixture.launch("echo run; exit 3") };
        task::spawn(program(), &launch, None).await.unwrap();
        let state = fixture.task().wait().await.unwrap();
        assert_eq!((state.status, state.restarts, state.exit.unwrap().code), (Status::Exited, 2, 3));
    });
    fixture.wait_over();
    assert_eq!(fixture.log_lines(), ["run", "run", "run"]);
    assert_eq!(fixture.actions(), ["start", "die", "start", "die", "start", "die"]);
}

/// Does it when dropped.
struct Finally<F: Fn()>(F);

impl<F: Fn()> Drop for Finally<F> {
    fn drop(&mut self) {
        self.0();
    }
}

#[test]
fn a_killed_client_does_not_matter_a_killed_monitor_leaves_an_orphan() {
    needs!(Root, Cgroup);
    let fixture = Fixture::new();
    let session = run(async {
        let launch = fixture.launch("while :; do echo tick; sleep 0.05; done");
        task::spawn(program(), &launch, attach()).await.unwrap().session.unwrap()
    });
    drop(session);
    let before = fixture.state();
    assert_eq!(before.status, Status::Running);
    let kill = std::process::Command::new("kill").args(["-9", &before.monitor_pid.to_string()]).status().unwrap();
    assert!(kill.success());
    let orphan = wait_until("it is seen as an orphan", || {
        let state = fixture.state();
        (state.status == Status::Orphaned).then_some(state)
    });
    assert_eq!(orphan.pid, before.pid);
    assert!(matches!(run(fixture.task().state()), Err(Error::Gone(_))));
    // Whoever else ends it waits for the first; whoever looks never sees it with a living monitor.
    let (done, clearing) = (std::sync::atomic::AtomicBool::new(false), std::sync::Barrier::new(5));
    let end = || {
        clearing.wait();
        state::end_orphan(&fixture.dir(), &fixture.run_dir(), teu::model::time::Timestamp(1)).unwrap()
    };
    let looked = std::thread::scope(|scope| {
        // Also when one of them fails: the looking must end.
        let _done = Finally(|| done.store(true, std::sync::atomic::Ordering::Relaxed));
        let ends: Vec<_> = (0..4).map(|_| scope.spawn(end)).collect();
        let look = scope.spawn(|| {
            let mut seen = Vec::new();
            clearing.wait();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                seen.push(fixture.state().status);
            }
            seen
        });
        for end in ends {
            let state = end.join().unwrap();
            assert!(state.exit.unwrap().unknown);
            assert_eq!((state.status, state.cgroup.as_str()), (Status::Exited, ""));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        look.join().unwrap()
    });
    assert!(looked.iter().all(|s| matches!(s, Status::Orphaned | Status::Exited)), "{looked:?}");
    assert!(!fixture.run_dir().exists());
}

/// The end of an orphan keeps new monitors away: what it kills is never a container started meanwhile.
#[test]
fn a_container_is_not_ended_as_an_orphan_while_its_monitor_lives() {
    needs!(Root, Cgroup);
    let fixture = Fixture::new();
    run(async { task::spawn(program(), &fixture.launch("exec sleep 600"), None).await.unwrap() });
    let before = fixture.state();
    let state = state::end_orphan(&fixture.dir(), &fixture.run_dir(), teu::model::time::Timestamp(1)).unwrap();
    assert_eq!((state.status, state.pid), (Status::Running, before.pid));
    assert_eq!(fixture.state().pid, before.pid);
    run(async { fixture.task().stop(Some(9), 0).await.unwrap() });
    fixture.wait_over();
}

#[test]
fn an_idle_monitor_is_small() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let launch = Launch { tty: true, open_stdin: true, ..fixture.launch("exec sh") };
        task::spawn(program(), &launch, None).await.unwrap();
        let mut shell = fixture.task().attach(Attach { stdin: true, ..Attach::default() }).await.unwrap();
        shell.writer.stdin(b"echo $((6*7))\n").await.unwrap();
        expect(&mut shell, "42").await;
        let pid = fixture.state().monitor_pid;
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let kib = |name: &str| -> u64 {
            let line = rollup.lines().find(|l| l.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let private = kib("Private_Dirty") + kib("Private_Clean");
        println!("monitor: private {private} KiB (dirty {}), rss {} KiB", kib("Private_Dirty"), kib("Rss"));
        assert!(kib("Private_Dirty") <= 1024, "{rollup}");
        fixture.task().stop(Some(9), 0).await.unwrap();
    });
    fixture.wait_over();
}

#[test]
fn a_slow_viewer_of_a_terminal_gets_a_gap_and_the_screen_and_nobody_waits_for_it() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let launch =
            Launch { tty: true, open_stdin: true, ..fixture.launch("read x; seq 1 400000; echo the-end; read y") };
        let slow = Attach { stdin: true, ..Attach::default() };
        let mut slow = task::spawn(program(), &launch, Some(slow)).await.unwrap().session.unwrap();
        let mut quick = fixture.task().attach(Attach::default()).await.unwrap();
        slow.writer.stdin(b"\n").await.unwrap();
        expect(&mut quick, "the-end").await;
        let mut gap = 0;
        let screen = loop {
            match slow.reader.next().await.unwrap().unwrap() {
                Output::Gap(bytes) => gap = bytes,
                Output::Screen(screen) => break String::from_utf8_lossy(&screen).into_owned(),
                _ => {}
            }
        };
        assert!(gap > 500_000, "{gap}");
        assert!(screen.contains("the-end") && screen.contains("400000"), "{screen:?}");
        slow.writer.stdin(b"\n").await.unwrap();
        assert_eq!(finish(&mut slow).await.2.code, 0);
    });
    fixture.wait_over();
}

#[test]
fn the_log_is_rotated_and_complete_at_its_end() {
    needs!(Root);
    let fixture = Fixture::new();
    run(async {
        let log = LogOptions { max_size: 256 << 10, max_files: 2, ..LogOptions::default() };
        let launch = Launch { log, ..fixture.launch("seq 1 200000; echo last >&2") };
        task::spawn(program(), &launch, None).await.unwrap();
        let _ = fixture.task().wait().await;
    });
    fixture.wait_over();
    let files: Vec<_> = std::fs::read_dir(fixture.dir().join("log")).unwrap().collect();
    assert_eq!(files.len(), 4);
    let lines = fixture.log_lines();
    let numbers: Vec<u32> = lines.iter().filter_map(|l| l.parse().ok()).collect();
    assert!(numbers.len() > 20_000 && numbers.windows(2).all(|w| w[1] == w[0] + 1));
    assert_eq!(numbers.last(), Some(&200_000));
    assert!(lines.contains(&"last".to_owned()));
}

#[test]
fn an_oom_kill_is_named() {
    needs!(Root, Cgroup);
    let fixture = Fixture::new();
    run(async {
        let limits = Limits { memory: Some(16 << 20), memory_swap: Some(16 << 20), ..Limits::default() };
        let launch = Launch { limits, ..fixture.launch("x=0123456789; while :; do x=$x$x; done") };
        let mut session = task::spawn(program(), &launch, attach()).await.unwrap().session.unwrap();
        let (_, err, exit) = finish(&mut session).await;
        assert_eq!((exit.code, exit.oom), (137, true), "{err}");
    });
    assert!(fixture.wait_over().exit.unwrap().oom);
    assert_eq!(fixture.actions(), ["start", "oom", "die"]);
}

#[test]
fn an_oom_kill_long_ago_does_not_explain_a_kill_by_hand() {
    needs!(Root, Cgroup);
    let fixture = Fixture::new();
    run(async {
        let limits = Limits { memory: Some(16 << 20), memory_swap: Some(16 << 20), ..Limits::default() };
        let script = "(x=0123456789; while :; do x=$x$x; done); echo survived; sleep 600";
        let launch = Launch { limits, ..fixture.launch(script) };
        let mut session = task::spawn(program(), &launch, attach()).await.unwrap().session.unwrap();
        expect(&mut session, "survived").await;
        task::connect(&fixture.run_dir()).await.unwrap().kill(9).await.unwrap();
        let (_, _, exit) = finish(&mut session).await;
        assert_eq!((exit.code, exit.oom), (137, false));
    });
    fixture.wait_over();
}

#[test]
fn after_the_end_something_is_run_and_the_container_may_be_started_again() {
    needs!(Root);
    let fixture = Fixture::new();
    let mark = fixture.root.path().join("mark");
    let on_end = vec!["/bin/sh".to_owned(), "-c".to_owned(), format!("echo done > {}", mark.display())];
    run(async {
        for code in [1, 2] {
            let launch = Launch { on_end: on_end.clone(), ..fixture.launch(&format!("exit {code}")) };
            let mut session = task::spawn(program(), &launch, attach()).await.unwrap().session.unwrap();
            assert_eq!(finish(&mut session).await.2.code, code);
        }
    });
    wait_until("the command ran", || mark.exists().then_some(()));
    fixture.wait_over();
}

#[test]
fn a_second_monitor_is_refused_and_the_built_in_init_keeps_nothing_of_the_monitor() {
    needs!(Root, Cgroup);
    let fixture = Fixture::new();
    run(async {
        let launch = || Launch { init: true, ..fixture.launch("exec sleep 600") };
        task::spawn(program(), &launch(), None).await.unwrap();
        match task::spawn(program(), &launch(), None).await {
            Err(Error::Failed(failure)) => assert_eq!(failure.kind, FailureKind::Conflict),
            other => panic!("{other:?}"),
        }
    });
    let before = fixture.state();
    let kill = std::process::Command::new("kill").args(["-9", &before.monitor_pid.to_string()]).status().unwrap();
    assert!(kill.success());
    let orphan = wait_until("it is seen as an orphan", || {
        let state = fixture.state();
        (state.status == Status::Orphaned).then_some(state)
    });
    assert_eq!(orphan.pid, before.pid);
    let ended = state::end_orphan(&fixture.dir(), &fixture.run_dir(), teu::model::time::Timestamp(1)).unwrap();
    assert_eq!(ended.status, Status::Exited);
}
