//! What people are told when the machine, their settings or another user's files are in the way: the true reason, once.

use crate::needs;
use crate::support::{StateRoot, needs as probes, program};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

const STARTER: &str = "localhost/starter";

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_pull_that_fails_names_the_image_once() {
    let root = StateRoot::new();
    let answer = root.teu(&["pull", "127.0.0.1:1/some/image:tag"]).exits(1);
    let first = answer.stderr.lines().find(|line| line.starts_with("teu: ")).unwrap();
    assert_eq!(count(first, "127.0.0.1:1/some/image:tag"), 1, "{first}");
    assert!(first.starts_with("teu: pulling 127.0.0.1:1/some/image:tag: no usable answer"), "{first}");
    needs!(Registry);
    let missing = crate::support::image::name().replace(":latest", ":nosuch");
    let answer = root.teu(&["pull", &missing]).exits(1);
    let first = answer.stderr.lines().find(|line| line.starts_with("teu: ")).unwrap();
    assert_eq!(count(first, &missing), 1, "{first}");
}

#[test]
fn a_read_only_data_directory_is_not_called_a_refusal_of_overlay() {
    needs!(Root);
    let root = StateRoot::new();
    let (teu, dir) = (program::binary(), root.path().display().to_string());
    let script =
        "mount -t tmpfs none $1 && $0 --root $1 images -q && mount -o remount,ro $1 && exec $0 --root $1 doctor";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(teu).arg(&dir);
    let answer = program::finish(&mut command).exits(1);
    let line = answer.stdout.lines().find(|l| l.contains("data directory")).unwrap();
    assert!(line.starts_with("FAIL") && line.contains("Read-only file system"), "{}", answer.stdout);
    assert!(!answer.stdout.contains("refused"), "{}", answer.stdout);
}

#[test]
fn another_user_s_directory_is_not_used() {
    needs!(Root);
    let root = StateRoot::new();
    let other = root.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::chown(&other, Some(12345), None).unwrap();
    let teu = |dir: &std::path::Path| program::run(dir, &["ps"]);
    let answer = teu(&other).exits(125);
    assert!(answer.stderr.contains("it belongs to uid 12345, not to us (uid 0)"), "{}", answer.stderr);
    assert!(answer.stderr.contains("hint: --root DIR"), "{}", answer.stderr);
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0, "nothing is left in it");
    // Nor does somebody else's keep us out without a word on whose it is.
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "12345", "--regid", "12345", "--clear-groups"]).arg(program::binary());
    command.env("HOME", "/nonexistent").args(["--root", "/root/teu-not-ours", "ps"]);
    let answer = program::finish(&mut command);
    assert!(answer.code == 125 || answer.stderr.contains("setpriv: failed to execute"), "{}", answer.stderr);
    if answer.code == 125 {
        assert!(answer.stderr.contains("belongs to uid 0"), "{}", answer.stderr);
    }
}

/// Containers' environments are in the database, and the directory may have been made by somebody less careful.
#[test]
fn the_database_is_for_its_owner_alone() {
    let root = StateRoot::new();
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    root.teu(&["images", "-q"]).exits(0);
    for entry in std::fs::read_dir(root.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("teu.db") {
            assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{entry:?}");
        }
    }
}

#[test]
fn the_host_is_named_only_where_it_can_be_reached() {
    needs!(Userns);
    let root = StateRoot::new();
    let run = |network: &str| {
        let name = "--add-host=up:host-gateway";
        root.teu(&["run", "--rm", "--network", network, name, STARTER, "grep", "-w", "up", "/etc/hosts"])
    };
    assert_eq!(run("host").exits(0).out(), "127.0.0.1\tup");
    let refused = run("none").exits(125);
    assert!(refused.stderr.contains("'up:host-gateway'"), "{}", refused.stderr);
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
}

#[test]
fn stats_call_a_container_as_the_user_did() {
    needs!(Userns);
    let root = StateRoot::new();
    let id = root.teu(&["run", "-d", "--name", "box", "--network", "none", STARTER, "sleep", "600"]).exits(0);
    let id = id.out();
    let stats = |names: &[&str]| {
        let args = [&["stats", "--no-stream", "--format", "{{.Container}} {{.ID}} {{.Name}}"], names].concat();
        root.teu(&args).exits(0).out().to_owned()
    };
    let short = &id[..12];
    assert_eq!(stats(&[]), format!("{short} {short} box"));
    assert_eq!(stats(&["box"]), format!("box {short} box"));
    assert_eq!(stats(&[&id[..5]]), format!("{} {short} box", &id[..5]));
    assert_eq!(stats(&[id]), format!("{id} {short} box"));
}

#[test]
fn a_mistake_in_the_settings_is_told_by_every_command_once_and_by_the_doctor() {
    if probes::is_root() {
        return; // Root's settings are this machine's own file.
    }
    let root = StateRoot::new();
    let user = root.path().join("config");
    std::fs::create_dir_all(user.join("teu")).unwrap();
    std::fs::write(user.join("teu/config.toml"), "\n\nmuose = true\n").unwrap();
    let teu = |args: &[&str]| {
        let mut command = root.command();
        program::finish(command.env("XDG_CONFIG_HOME", &user).args(args))
    };
    let answer = teu(&["images", "-q"]).exits(0);
    assert_eq!((answer.stdout.as_str(), count(&answer.stderr, "config.toml line 3")), ("", 1), "{}", answer.stderr);
    let doctor = teu(&["doctor"]);
    assert_eq!(count(&doctor.stdout, "config.toml line 3"), 1, "{}", doctor.stdout);
    assert_eq!(doctor.stderr, "");
}

/// What a helper program says reaches the user when the pull fails for it; its credentials are used when it works.
#[test]
fn a_credential_helper_s_words_are_passed_on() {
    let root = StateRoot::new();
    let server = Locked::start();
    let bin = root.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(root.path().join("config.json"), format!(r#"{{"credHelpers":{{"{}":"mine"}}}}"#, server.address))
        .unwrap();
    let pull = |script: &str| {
        let helper = bin.join("docker-credential-mine");
        std::fs::write(&helper, format!("#!/bin/sh\nread server\n{script}\n")).unwrap();
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = root.command();
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("DOCKER_CONFIG", root.path());
        program::finish(command.args(["pull", "-q", &format!("{}/x:1", server.address)])).exits(1).stderr
    };
    let answer = |user: &str| format!(r#"echo '{{"ServerURL":"'$server'","Username":"{user}","Secret":"s3cret"}}'"#);
    // The registry knows the password, but no image.
    let good = pull(&answer("ann"));
    assert!(good.contains("was not found"), "{good}");
    let wrong = pull(&answer("eve"));
    assert!(wrong.contains("the saved user name and password were refused"), "{wrong}");
    let none = pull("echo credentials not found in native keychain; exit 1");
    assert!(none.contains("(no credentials are saved for it)"), "{none}");
    let locked = pull("echo the keychain is locked; exit 1");
    assert!(locked.contains("credential helper 'mine': failed: the keychain is locked"), "{locked}");
    let stderr = pull("echo no bus >&2; exit 2");
    assert!(stderr.contains("credential helper 'mine': failed: no bus"), "{stderr}");
    let silent = pull("exit 3");
    assert!(silent.contains("credential helper 'mine': failed (exit status: 3)"), "{silent}");
    let junk = pull("echo '{'");
    assert!(junk.contains("credential helper 'mine': answers no credentials"), "{junk}");
    let token = pull(&answer("<token>"));
    assert!(token.contains("a token is saved for it"), "{token}");
    std::fs::remove_file(bin.join("docker-credential-mine")).unwrap();
    let mut command = root.command();
    command.env("PATH", "/usr/bin:/bin").env("DOCKER_CONFIG", root.path());
    let gone = program::finish(command.args(["pull", "-q", &format!("{}/x:1", server.address)])).exits(1).stderr;
    assert!(gone.contains("credential helper 'mine': cannot be started"), "{gone}");
}

/// Answers 401 to everybody but ann, and 404 to her.
struct Locked {
    address: String,
}

impl Locked {
    fn start() -> Locked {
        use base64::Engine as _;
        use std::io::{BufRead, BufReader, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let right = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("ann:s3cret"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, right) = (stream.unwrap(), right.clone());
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    let head: Vec<String> =
                        lines.by_ref().map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
                    let ann = head
                        .iter()
                        .any(|line| line.to_lowercase().starts_with("authorization") && line.ends_with(&right));
                    let status =
                        if ann { "404 Not Found" } else { "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"" };
                    let _ = write!(&stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                });
            }
        });
        Locked { address }
    }
}

#[test]
fn what_of_an_image_cannot_be_kept_is_said() {
    needs!(Registry);
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Char);
    header.set_path("whiteout").unwrap();
    header.set_mode(0o600);
    header.set_size(0);
    header.set_device_major(0).unwrap();
    header.set_device_minor(0).unwrap();
    header.set_cksum();
    tar.append(&header, std::io::empty()).unwrap();
    let archive = tar.get_ref().clone();
    let name = crate::support::image::push("odd-device", &[archive], serde_json::json!({}));
    let answer = StateRoot::new().teu(&["pull", "-q", &name]).exits(0);
    assert!(answer.stderr.starts_with("WARNING: device 'whiteout' was left out"), "{}", answer.stderr);
    // Also when nobody asked for the pull by itself. The image has no command: the container is only made.
    needs!(Userns);
    let made = StateRoot::new().teu(&["create", "-q", "--network", "none", &name, "true"]).exits(0);
    assert_eq!(count(&made.stderr, "WARNING: device 'whiteout' was left out"), 1, "{}", made.stderr);
    let shell = std::fs::read("/bin/busybox").unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(shell.len() as u64);
    tar.append_data(&mut header, "sh", shell.as_slice()).unwrap();
    let name = crate::support::image::push("odd-shell", &[tar.into_inner().unwrap()], serde_json::json!({}));
    for detach in [true, false] {
        let how = if detach { "-d" } else { "--rm" };
        let run = StateRoot::new().teu(&["run", "-q", how, "--network", "none", &name, "/sh", "-c", "exit 0"]).exits(0);
        assert_eq!(count(&run.stderr, "device 'whiteout' was left out"), 1, "{how}: {}", run.stderr);
    }
}

#[test]
fn a_beginning_of_an_id_is_enough_when_it_is_one_thing_s() {
    needs!(Userns);
    let root = StateRoot::new();
    // With 17 ids two begin alike.
    let create = || root.teu(&["create", "--network", "none", STARTER, "true"]).exits(0).out().to_owned();
    let ids: Vec<String> = (0..17).map(|_| create()).collect();
    let twice = |first: &str| ids.iter().filter(|id| id.starts_with(first)).count() > 1;
    let first = ids.iter().map(|id| &id[..1]).find(|first| twice(first)).unwrap();
    for verb in ["start", "stop", "restart", "kill", "rm", "logs", "pause", "wait", "inspect"] {
        let answer = root.teu(&[verb, first]).exits(1);
        let said = format!("'{first}' is the beginning of several container ids: ");
        assert_eq!(count(&answer.stderr, &said), 1, "{verb}: {}", answer.stderr);
        assert_eq!(count(&answer.stderr, "hint: give more digits of the id"), 1, "{verb}: {}", answer.stderr);
    }
    root.teu(&["stop", &ids[0][..12]]).exits(0);
    assert_eq!(root.teu(&["rm", &ids[0][..10]]).exits(0).out(), &ids[0][..10]);
    root.teu(&[&["rm"][..], &ids[1..].iter().map(String::as_str).collect::<Vec<_>>()].concat()).exits(0);
    let image = root.teu(&["images", "-q"]).exits(0).out().to_owned();
    root.teu(&["rmi", &format!("sha256:{}", &image[..6])]).exits(0);
    assert_eq!(root.teu(&["images", "-q"]).exits(0).stdout, "");
}

#[test]
fn keys_that_detach_are_the_user_s_choice() {
    needs!(Userns);
    let root = StateRoot::new();
    let start = |args: &[&str]| {
        let mut command = root.command();
        crate::support::screen::Screen::start(90, 20, command.args(args).env("TERM", "xterm-256color"))
    };
    let keys = "--detach-keys=ctrl-x,q";
    let run = start(&["run", "-it", keys, "--network", "none", "--name", "box", STARTER, "sh"]);
    run.wait_for("#");
    // The default is an ordinary key then, and half of the sequence is passed on when the rest does not come.
    run.write("echo go''ne on \u{10}\u{11}\u{18}x\r");
    run.wait_for("gone on");
    run.write("\u{18}q");
    run.wait_for("read escape sequence");
    let attach = start(&["attach", keys, "box"]);
    attach.wait_for("gone on");
    attach.write("\u{18}q");
    crate::support::wait_until("it has left", || attach.exit_code());
    let exec = start(&["exec", "-it", "--detach-keys", "z", "box", "sh"]);
    exec.wait_for("#");
    exec.write("z");
    crate::support::wait_until("it has left", || exec.exit_code());
    assert_eq!(root.teu(&["ps", "--format", "{{.Names}}"]).exits(0).out(), "box");
}

/// Where overlay is refused: the finding is written down in the state root.
#[test]
fn the_copying_driver_gives_the_same_tree() {
    needs!(Userns);
    let root = StateRoot::new();
    root.teu(&["run", "--rm", "--network", "none", STARTER, "true"]).exits(0);
    let noted = root.path().join("driver");
    let finding = std::fs::read_to_string(&noted).unwrap();
    std::fs::write(&noted, finding.replace("overlay", "copy")).unwrap();
    let script = "stat -c '%a %u %n' / /etc /tmp /root; echo mine > /new; cat /new";
    let run =
        |name: &str| root.teu(&["run", "--name", name, "--network", "none", STARTER, "sh", "-c", script]).exits(0);
    let copied = run("copied");
    assert!(root.path().join("containers").read_dir().unwrap().any(|c| c.unwrap().path().join("rootfs").is_dir()));
    std::fs::write(&noted, finding).unwrap();
    assert_eq!(run("stacked").stdout, copied.stdout);
    root.teu(&["rm", "copied", "stacked"]).exits(0);
    assert_eq!(root.path().join("containers").read_dir().unwrap().count(), 0);
}
