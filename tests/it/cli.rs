//! The command line as scripts and fingers know docker's, on the starter image: no registry is needed.

use crate::needs;
use crate::support::program::binary;
use crate::support::screen::Screen;
use crate::support::{StateRoot, leaks, wait_until};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const STARTER: &str = "localhost/starter";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

#[test]
fn what_is_wrong_is_said_once_with_docker_s_exit_code() {
    let root = StateRoot::new();
    let fails = |code: i32, part: &str, args: &[&str]| {
        let answer = root.teu(args).exits(code);
        assert!(answer.stderr.starts_with("teu: ") && answer.stderr.contains(part), "{args:?}: {}", answer.stderr);
        assert_eq!(answer.stdout, "", "{args:?}");
    };
    fails(125, "`frobnicate` is not a teu command", &["frobnicate"]);
    fails(125, "`build` is not supported yet", &["build", "."]);
    fails(125, "tar -C DIR -cf - FILES", &["cp", "web:/etc/hosts", "."]);
    fails(125, "the logins of docker, podman and skopeo are used", &["login"]);
    fails(1, "volume driver nfs is not supported", &["volume", "create", "-d", "nfs", "v"]);
    fails(125, "unknown flag: --no-such", &["ps", "--no-such"]);
    fails(125, "invalid --publish '80:http'", &["run", "-p", "80:http", STARTER]);
    fails(125, "--gpus is not supported", &["run", "--gpus=all", STARTER]);
    fails(125, "invalid --network 'web:colour=red'", &["run", "--network", "web:colour=red", STARTER]);
    fails(125, "invalid --memory 'lots'", &["run", "-m", "lots", STARTER]);
    fails(125, "the path inside the container must be absolute", &["run", "-v", "/a:b", STARTER]);
    fails(125, "UPPER", &["run", "--pull", "never", "UPPER"]);
    fails(1, "invalid image reference", &["pull", "a//b"]);
    fails(1, "no such container: nobody", &["stop", "nobody"]);
    fails(1, "no such container: nobody", &["logs", "nobody"]);
    fails(1, "invalid filter 'colour'", &["ps", "--filter", "colour=red"]);
    fails(1, "unclosed action", &["ps", "--format", "{{.ID"]);
    fails(1, "it is neither a time", &["events", "--since", "whenever"]);
    let answer = root.teu(&["inspect", "nobody"]).exits(1);
    assert_eq!(answer.stdout, "[]\n");
    assert!(answer.stderr.contains("no such object: nobody"));
    assert!(root.teu(&["--help"]).exits(0).stdout.contains("\n  run "));
    assert!(root.teu(&["run", "--help"]).exits(0).stdout.contains("--memory-swap"));
    assert!(root.teu(&["container", "--help"]).exits(0).stdout.contains("\n  ls "));
    assert!(root.teu(&["version", "--format", "{{.Client.Version}}"]).exits(0).out().starts_with('0'));
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
}

#[test]
fn a_closed_standard_stream_is_the_null_device_and_a_lost_reader_no_signal() {
    needs!(Userns);
    let root = StateRoot::new();
    let script = "exec <&- >&- 2>&-; exec \"$@\"";
    let mut follower = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(binary())
        .arg("--root")
        .arg(root.path())
        .arg("events")
        .spawn()
        .unwrap();
    let stream = |number: u32| std::fs::read_link(format!("/proc/{}/fd/{number}", follower.id()));
    wait_until("all three are there", || {
        (0..3).all(|number| stream(number).is_ok_and(|file| file == Path::new("/dev/null"))).then_some(())
    });
    follower.kill().unwrap();
    follower.wait().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(Command::new(binary()).arg("--help").stdout(writer).status().unwrap().code(), Some(0));
}

#[test]
fn lists_and_formats_are_docker_s() {
    needs!(Userns);
    let root = StateRoot::new();
    let id = root
        .teu(&[
            "run",
            "-d",
            "--name",
            "web",
            "-l",
            "tier=front",
            "-m",
            "64m",
            "--network",
            "none",
            STARTER,
            "sleep",
            "1000",
        ])
        .exits(0);
    let id = id.out();
    assert_eq!(id.len(), 64);
    root.teu(&["run", "--name", "gone", "--network", "none", STARTER, "sh", "-c", "exit 3"]).exits(3);
    let ps = root.teu(&["ps"]).exits(0).stdout;
    let head = "CONTAINER ID   IMAGE               COMMAND        CREATED";
    assert!(ps.starts_with(head) && ps.lines().count() == 2, "{ps}");
    let rows = lines(&root.teu(&["ps", "-a", "--no-trunc", "--format", "json"]).exits(0).stdout);
    let web = rows.iter().find(|r| r["Names"] == "web").unwrap();
    assert_eq!((web["ID"].as_str(), web["State"].as_str()), (Some(id), Some("running")));
    assert!(web["Status"].as_str().unwrap().starts_with("Up "));
    let gone = rows.iter().find(|r| r["Names"] == "gone").unwrap();
    assert!(gone["Status"].as_str().unwrap().starts_with("Exited (3) "));
    let names = |args: &[&str]| {
        let all = [&["ps", "--format", "{{.Names}}"], args].concat();
        root.teu(&all).exits(0).out().to_owned()
    };
    assert_eq!(names(&["--filter", "exited=3"]), "gone");
    assert_eq!(names(&["-a", "--filter", "label=tier=front"]), "web");
    assert_eq!(names(&["-a", "--filter", "ancestor=localhost/starter", "--filter", "name=^g"]), "gone");
    assert_eq!(names(&["-l"]), "gone");
    assert_eq!(root.teu(&["container", "ls", "-q", "--no-trunc"]).exits(0).out(), id);
    let inspected =
        root.teu(&["inspect", "-f", "{{.HostConfig.Memory}} {{index .Config.Labels \"tier\"}}", "web"]).exits(0);
    assert_eq!(inspected.out(), "67108864 front");
    let images = lines(&root.teu(&["images", "--format", "json"]).exits(0).stdout);
    assert_eq!((images[0]["Repository"].as_str(), images[0]["Tag"].as_str()), (Some(STARTER), Some("latest")));
    root.teu(&["rm", "web"]).exits(1);
    let answer = root.teu(&["rm", "-f", "web", "nobody", "gone"]).exits(0);
    assert_eq!(answer.stdout, "web\ngone\n");
    leaks::assert_none(root.path());
}

#[test]
fn streams_codes_and_stdin_are_the_process_s_own() {
    needs!(Userns);
    let root = StateRoot::new();
    let answer =
        root.teu(&["run", "--rm", "--network", "none", STARTER, "sh", "-c", "echo out; echo err >&2; exit 7"]).exits(7);
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("out\n", "err\n"));
    let mut cat = root
        .command()
        .args(["run", "--rm", "-i", "--network", "none", STARTER, "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    cat.stdin.take().unwrap().write_all(b"through the pipe\n").unwrap();
    assert_eq!(cat.wait_with_output().unwrap().stdout, b"through the pipe\n");
    let answer = root.teu(&["run", "--rm", "-it", "--network", "none", STARTER, "true"]).exits(1);
    assert!(answer.stderr.contains("the input device is not a TTY"), "{}", answer.stderr);
    let file = root.path().join("id");
    let path = file.to_str().unwrap();
    root.teu(&[
        "run",
        "--name",
        "kept",
        "--cidfile",
        path,
        "-e",
        "A=b c",
        "-w",
        "/tmp",
        "--network",
        "none",
        STARTER,
        "sh",
        "-c",
        "echo $A; pwd",
    ])
    .exits(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap().len(), 64);
    root.teu(&["run", "--cidfile", path, STARTER, "true"]).exits(125);
    assert_eq!(root.teu(&["logs", "kept"]).exits(0).stdout, "b c\n/tmp\n");
    assert_eq!(root.teu(&["start", "-a", "kept"]).exits(0).stdout, "b c\n/tmp\n");
    assert_eq!(root.teu(&["logs", "--tail", "1", "kept"]).exits(0).stdout, "/tmp\n");
    assert_eq!(root.teu(&["wait", "kept"]).exits(0).stdout, "0\n");
    root.teu(&["run", "--rm", "-v", "data:/d", "--network", "none", STARTER, "touch", "/d/f"]).exits(0);
    root.teu(&["run", "--rm", "-v", "data:/d:ro", "--network", "none", STARTER, "touch", "/d/g"]).exits(1);
    assert_eq!(root.teu(&["volume", "ls", "-q"]).exits(0).stdout, "data\n");
    assert_eq!(root.teu(&["volume", "rm", "data"]).exits(0).stdout, "data\n");
    root.teu(&["container", "prune", "-f"]).exits(0);
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
    leaks::assert_none(root.path());
}

/// An image names its command, its user, its labels: none of that may speak to the terminal of who looks at it.
#[test]
fn a_terminal_obeys_nothing_that_an_image_says() {
    needs!(Userns);
    let root = StateRoot::new();
    let title = "\u{1b}]0;owned\u{7}evil";
    for options in [["--entrypoint", title], ["--user", title]] {
        let answer = root.teu(&["run", "-d", "--network", "none", options[0], options[1], STARTER, "sh"]);
        assert!(answer.code >= 125 && answer.stderr.contains("\\u001b]0;owned\\u0007evil"), "{options:?}: {answer:?}");
        assert!(!answer.stderr.contains('\u{1b}'), "{options:?}: {answer:?}");
    }
    let label = "said=\u{1b}[2J\u{9b}31m";
    root.teu(&["create", "--name", "box", "--label", label, "--network", "none", STARTER, "sh"]).exits(0);
    let looks = [&["ps", "-a", "--format", "{{.Labels}}"][..], &["inspect", "-f", "{{.Config.Labels}}", "box"]];
    for look in looks {
        // It stays for as long as it is looked at.
        let (command, mut shell) = (root.command(), Command::new("sh"));
        shell.args(["-c", "\"$@\"; sleep 1000", "sh"]).arg(command.get_program()).args(command.get_args()).args(look);
        let screen = Screen::start(100, 30, &shell);
        screen.wait_for("said");
        assert!(screen.text().contains("\\u001b[2J\\u009b31m"), "{look:?}: {}", screen.text());
        // A program reads it as it is.
        assert!(root.teu(look).exits(0).stdout.contains("\u{1b}[2J\u{9b}31m"), "{look:?}");
    }
    root.teu(&["rm", "-f", "box"]).exits(0);
}

#[test]
fn a_terminal_is_resized_left_and_taken_up_again() {
    needs!(Userns);
    let root = StateRoot::new();
    let start = |columns, rows, args: &[&str]| {
        let mut command = root.command();
        command.args(args).env("TERM", "xterm-256color");
        Screen::start(columns, rows, &command)
    };
    let screen = start(90, 20, &["run", "-it", "--name", "shell", "--network", "none", STARTER, "sh"]);
    screen.wait_for("#");
    screen.write("stty size\r");
    screen.wait_for("20 90");
    screen.resize(100, 30);
    screen.write("stty size\r");
    screen.wait_for("30 100");
    screen.write("\u{10}\u{11}");
    screen.wait_for("read escape sequence");
    assert_eq!(root.teu(&["ps", "--format", "{{.Names}}"]).exits(0).out(), "shell");
    let again = start(100, 30, &["attach", "shell"]);
    again.wait_for("30 100");
    again.write("exit 5\r");
    let code = crate::support::wait_until("the attached teu ends", || again.exit_code());
    assert_eq!(code, 5);
    // Their terminals name the root in their own command lines.
    drop((screen, again));
    root.teu(&["rm", "shell"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn a_mistake_in_the_settings_is_told_by_its_line() {
    let root = StateRoot::new();
    let user = root.path().join("config");
    std::fs::create_dir_all(user.join("teu")).unwrap();
    std::fs::write(user.join("teu/config.toml"), "mouse = true\n\n\n\n\n\nthem = \"dark\"\n").unwrap();
    let mut command = root.command();
    command.env("XDG_CONFIG_HOME", &user).args(["info", "--format", "{{range .Warnings}}{{.}}{{end}}"]);
    let answer = crate::support::program::finish(&mut command).exits(0);
    // Root's settings are the system's: this machine's file, not the one above.
    if !crate::support::needs::is_root() {
        assert_eq!(answer.out(), "config.toml line 7 column 1: unknown key `them`; did you mean `theme`?");
    }
}

#[test]
fn what_can_never_start_is_refused_before_anything_is_made() {
    needs!(Userns);
    let root = StateRoot::new();
    let refused: [(&str, &[&str]); 7] = [
        ("larger than the memory limit", &["-m", "64m", "--memory-reservation", "128m"]),
        ("100000 cpus are out of range", &["--cpus", "100000"]),
        ("unknown capability 'FOO'", &["--cap-add", "FOO"]),
        ("sysctl 'kernel.foo' cannot be set", &["--sysctl", "kernel.foo=1"]),
        ("invalid mount source /not/there", &["--mount", "type=bind,src=/not/there,dst=/x"]),
        ("not linux/riscv64", &["--platform", "linux/riscv64"]),
        ("making the container id file /not/there/id", &["--cidfile", "/not/there/id"]),
    ];
    for (part, flags) in refused {
        for (verb, code) in [("create", 1), ("run", 125)] {
            let args = [&[verb], flags, &[STARTER, "true"]].concat();
            let answer = root.teu(&args).exits(code);
            assert!(answer.stderr.contains(part), "{args:?}: {}", answer.stderr);
            assert_eq!(answer.stdout, "", "{args:?}");
        }
    }
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
    let id = root.path().join("id");
    root.teu(&["run", "--cidfile", id.to_str().unwrap(), "-m", "lots", STARTER]).exits(125);
    root.teu(&["run", "--cidfile", id.to_str().unwrap(), "--cpus", "100000", STARTER]).exits(125);
    assert!(!id.exists(), "nothing was made, so there is no id");
    leaks::assert_none(root.path());
}

#[test]
fn a_log_is_what_was_written_to_the_last_byte() {
    needs!(Userns);
    let root = StateRoot::new();
    root.teu(&["run", "--name", "talker", "--network", "none", STARTER, "printf", "one\\ntwo"]).exits(0);
    assert_eq!(root.teu(&["logs", "talker"]).exits(0).stdout, "one\ntwo");
    root.teu(&["start", "-a", "talker"]).exits(0);
    assert_eq!(root.teu(&["logs", "talker"]).exits(0).stdout, "one\ntwoone\ntwo");
}

#[test]
fn an_exec_makes_no_working_directory_and_names_count() {
    needs!(Userns);
    let root = StateRoot::new();
    root.teu(&["run", "-d", "--name", "box", "--network", "none", STARTER, "sleep", "100"]).exits(0);
    root.teu(&["exec", "-w", "/not/there", "box", "true"]).exits(127);
    root.teu(&["exec", "-w", "/etc/passwd", "box", "true"]).exits(126);
    root.teu(&["exec", "box", "ls", "/not"]).exits(2);
    let fails = |code: i32, part: &str, args: &[&str]| {
        let answer = root.teu(args).exits(code);
        assert!(answer.stderr.contains(part), "{args:?}: {}", answer.stderr);
    };
    fails(1, "missing <NAME>", &["inspect"]);
    fails(1, "unexpected argument 'extra'", &["ps", "extra"]);
    fails(125, "unknown flag: --extra", &["inspect", "--extra"]);
    root.teu(&["rm", "-f", "box"]).exits(0);
    leaks::assert_none(root.path());
}

#[test]
fn top_and_diff_tell_what_runs_and_what_was_changed() {
    needs!(Userns);
    let root = StateRoot::new();
    let script =
        "mkdir -p /srv/new && echo hi >/srv/new/file && rm /bin/vi && rm -r /opt && mkdir /opt && exec sleep 1000";
    root.teu(&["run", "-d", "--name", "web", "-v", "/data", "--network", "none", STARTER, "sh", "-c", script]).exits(0);
    crate::support::wait_until("the script is done", || {
        let top = root.teu(&["top", "web"]).exits(0).stdout;
        let row: Vec<&str> = top.lines().nth(1)?.split_whitespace().collect();
        (row.len() > 6 && row[6..] == ["sleep", "1000"]).then_some(())
    });
    let as_ps = root.teu(&["top", "web", "-eo", "comm,pid"]).exits(0).stdout;
    let rows: Vec<&str> = as_ps.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(rows, ["COMMAND", "sleep"], "{as_ps}");
    assert!(root.teu(&["top", "web", "-o", "comm"]).exits(1).stderr.contains("name pid among the columns"));
    let shown = root.teu(&["ps", "--no-trunc", "--format", "{{.Command}}"]).exits(0).stdout;
    assert!(shown.starts_with("\"sh -c 'mkdir -p /srv/new"), "{shown}");
    let diff = root.teu(&["diff", "web"]).exits(0);
    assert_eq!(diff.out(), "C /opt\nC /srv\nA /srv/new\nA /srv/new/file\nC /usr\nC /usr/bin\nD /usr/bin/vi");
    root.teu(&["create", "--name", "fresh", STARTER]).exits(0);
    assert_eq!(root.teu(&["container", "diff", "fresh"]).exits(0).stdout, "");
    assert!(root.teu(&["top", "fresh"]).exits(1).stderr.contains("not running"));
    assert!(root.teu(&["diff", "nobody"]).exits(1).stderr.contains("no such container: nobody"));
    root.teu(&["rm", "-f", "web", "fresh"]).exits(0);
}

#[test]
fn a_volume_made_on_request_is_filled_by_its_first_user_unless_it_holds_something() {
    needs!(Userns);
    let root = StateRoot::new();
    assert_eq!(root.teu(&["volume", "create", "--label", "a=b", "etc"]).exits(0).stdout, "etc\n");
    assert_eq!(root.teu(&["volume", "create", "etc"]).exits(0).stdout, "etc\n", "it is there: as good");
    assert_eq!(root.teu(&["volume", "ls", "-q", "--filter", "label=a=b"]).exits(0).stdout, "etc\n");
    assert_eq!(root.teu(&["volume", "create"]).exits(0).out().len(), 64);
    assert!(root.teu(&["volume", "create", "a/b"]).exits(1).stderr.contains("a/b"));
    root.teu(&["volume", "create", "mine"]).exits(0);
    let place = root.teu(&["volume", "inspect", "mine", "-f", "{{.Mountpoint}}"]).exits(0);
    std::fs::write(std::path::Path::new(place.out()).join("kept"), "x").unwrap();
    let list = |volume: &str| {
        let mount = format!("{volume}:/etc");
        root.teu(&["run", "--rm", "--network", "none", "-v", &mount, STARTER, "ls", "/etc"]).exits(0).stdout
    };
    assert!(list("etc").contains("passwd\n"));
    assert!(list("mine").contains("kept\n") && !list("mine").contains("passwd\n"));
    root.teu(&["volume", "rm", "etc", "mine"]).exits(0);
}
