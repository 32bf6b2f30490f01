//! Images and commands that try to get out; each test names the fault of others it is about.

use super::{Place, exec, output};
use std::fs;
use std::os::unix::fs::symlink;
use teu::model::mount::{Mount, MountSource};

/// CVE-2019-5736: the command, a script's interpreter, or a program's loader is the runtime itself.
#[test]
fn the_runtime_is_not_run_inside() {
    let place = Place::new(&["/proc/self/exe"]);
    let failure = place.run().failure.expect("a refusal");
    assert!(failure.chain[0].contains("leads to the program that starts containers"), "{failure:?}");
    let script = |args: &[&str]| {
        use std::os::unix::fs::PermissionsExt;
        let place = Place::new(args);
        let path = place.root().join("bin/trap");
        fs::write(&path, "#!/proc/self/exe\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        symlink("trap", place.root().join("bin/lure")).unwrap();
        place
    };
    assert!(script(&["lure"]).run().failure.is_some());
    let result = script(&["sleep", "1000"]).run_with(&[exec(&["trap"]), exec(&["/proc/self/exe"])]);
    assert!(result.execs.iter().all(|e| e.failure.is_some()), "{result:?}");
}

/// The same, with the measure that holds whatever leaks: a program started through its sealed view cannot be written
/// by any descriptor of it, by root neither.
#[test]
fn a_sealed_program_cannot_be_written() {
    use std::os::unix::process::CommandExt;
    let place = Place::sh("true");
    let busybox = place.root().join("bin/busybox");
    let (held, name) = teu::sys::process::read_only_program(&busybox).unwrap();
    let before = (fs::read(&busybox).unwrap(), fs::metadata(&busybox).unwrap().permissions());
    // While it runs some kernels say "text file busy" first; by what it leaves behind in another program it is writable again.
    let leaked = "echo x >> /proc/self/fd/3; echo x > /proc/self/fd/3; chmod 777 /proc/self/fd/3";
    let try_it = format!(
        "exec 3< /proc/self/exe; echo x >> /proc/self/exe; chmod 777 /proc/self/exe; exec /bin/sh -c '{leaked}'"
    );
    let answer = std::process::Command::new(name).arg0("sh").args(["-c", &try_it]).output().unwrap();
    drop(held);
    let words = String::from_utf8(answer.stderr).unwrap();
    assert!(words.matches("Read-only file system").count() >= 4, "{words}");
    assert_eq!(words.lines().count(), 5, "{words}");
    assert_eq!((fs::read(&busybox).unwrap(), fs::metadata(&busybox).unwrap().permissions()), before);
}

/// The same, by looking at a session's process from inside before it has become its command.
#[test]
fn the_runtime_is_not_seen_inside() {
    let place = Place::sh(
        "while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in *busybox|'') ;; *) readlink $p/exe;; esac; done; done",
    );
    let sessions: Vec<_> = (0..20).map(|_| exec(&["true"])).collect();
    let result = place.run_with(&sessions);
    assert!(result.execs.iter().all(|e| e.failure.is_none() && e.code == 0), "{result:?}");
    assert_eq!(result.out, "");
}

/// CVE-2026-41579, CVE-2026-47766: the image's /dev is a link out of the root.
#[test]
fn dev_as_a_link_stays_inside() {
    let place = Place::sh("readlink /dev; ls /dev/null; ls /elsewhere/null");
    let outside = place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(place.root().join("elsewhere")).unwrap();
    symlink("/elsewhere", place.root().join("dev")).unwrap();
    assert_eq!(output(&place), "/elsewhere\n/dev/null\n/elsewhere/null\n");
    let place = Place::sh("ls /dev/null");
    fs::create_dir(place.path().join("outside")).unwrap();
    symlink("../../../../../../../../../outside", place.root().join("dev")).unwrap();
    assert_eq!(output(&place), "/dev/null\n");
    assert_eq!(fs::read_dir(place.path().join("outside")).unwrap().count(), 0);
}

/// CVE-2021-30465, CVE-2024-45310: mount points are links out of the root.
#[test]
fn mount_points_as_links_stay_inside() {
    let mut place = Place::sh("cat /mnt/point/file; ls -d /made/inside");
    let outside = place.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("file"), "bound\n").unwrap();
    let target = place.path().join("never");
    fs::create_dir(place.root().join("mnt")).unwrap();
    symlink(&target, place.root().join("mnt/point")).unwrap();
    symlink("/made/inside", place.root().join("dangling")).unwrap();
    let mount = |target: &str| Mount {
        source: MountSource::Bind { path: outside.to_str().unwrap().into(), create: false },
        target: target.into(),
        read_only: false,
        propagation: None,
        no_copy: false,
    };
    place.config.mounts = vec![mount("/mnt/point"), mount("/dangling")];
    assert_eq!(output(&place), "bound\n/made/inside\n");
    assert!(!target.exists(), "made on the host");
}

/// CVE-2019-19921, CVE-2025-31133: /proc is a link, and what is masked through it is the container's own.
#[test]
fn proc_as_a_link_stays_inside() {
    let place = Place::sh("cat /proc/self/comm; readlink /proc");
    symlink("/p", place.root().join("proc")).unwrap();
    assert_eq!(output(&place), "cat\n/p\n");
}

/// CVE-2024-21626: a working directory through a descriptor of the host.
#[test]
fn working_directories_stay_inside() {
    for number in 3..12 {
        let mut place = Place::sh("pwd");
        place.config.workdir = format!("/proc/self/fd/{number}");
        let result = place.run();
        assert!(result.failure.is_some(), "{number}: {result:?}");
    }
}

/// CVE-2026-47262, CVE-2024-9676: account files that block, act, or never end.
#[test]
fn account_files_are_files() {
    for kind in ["fifo", "link", "huge"] {
        let mut place = Place::sh("echo ran");
        let passwd = place.root().join("etc/passwd");
        fs::remove_file(&passwd).unwrap();
        match kind {
            "fifo" => assert!(std::process::Command::new("mkfifo").arg(&passwd).status().unwrap().success()),
            "link" => symlink("/dev/zero", &passwd).unwrap(),
            _ => fs::File::create(&passwd).unwrap().set_len(1 << 30).unwrap(),
        }
        assert_eq!(output(&place), "ran\n", "{kind}: numbers need no file");
        place.config.user = "ann".into();
        let failure = place.run().failure.expect("names do");
        assert!(failure.chain[0].contains("looking up the user"), "{failure:?}");
    }
}
