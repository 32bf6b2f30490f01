//! What a container sees of itself: processes, names, file systems, powers, limits.

use super::{Place, output};
use teu::runtime::protocol::FailureKind;

#[test]
fn a_command_runs_and_its_code_comes_back() {
    let place = Place::sh("echo out; echo err >&2; exit 7");
    let result = place.run();
    assert_eq!(result.failure.map(|f| f.chain), None);
    assert_eq!((result.code, result.out.as_str(), result.err.as_str()), (7, "out\n", "err\n"));
    assert_eq!(Place::sh("kill -9 $$; true").run().code, 0, "process 1 is not killed from inside");
}

#[test]
fn a_directory_can_be_the_root() {
    let mut place = Place::sh("echo made > /tmp/made; pwd");
    place.overlay = false;
    assert_eq!(output(&place), "/\n");
    assert_eq!(std::fs::read_to_string(place.root().join("tmp/made")).unwrap(), "made\n");
}

#[test]
fn writes_stay_in_the_upper_layer() {
    let place = Place::sh("echo x > /etc/new; rm /etc/group; ls /etc/group; true");
    let result = place.run();
    assert!(result.err.contains("No such file"), "{}", result.err);
    assert!(place.path().join("upper/etc/new").exists());
    assert!(place.root().join("etc/group").exists());
    // Nothing is left mounted on the host.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(place.path().to_str().unwrap()), "{mounts}");
}

#[test]
fn names_and_namespaces_are_its_own() {
    let place = Place::sh(
        "echo $$; hostname; echo $HOSTNAME; cat /etc/hostname; ls /proc >/tmp/list; grep -c '^[0-9]' /tmp/list; ls /sys/class/net; echo $FLAVOUR $HOME; ip link show lo | grep -q LOOPBACK,UP && echo up",
    );
    assert_eq!(output(&place), "1\nbox\nbox\nbox\n2\nlo\ntest /root\nup\n");
}

#[test]
fn devices_are_there() {
    let place = Place::sh(
        "ls /dev | tr '\\n' ' '; head -c4 /dev/zero | wc -c; head -c8 /dev/urandom | wc -c; echo x >/dev/null && \
         readlink /dev/stdin; readlink /dev/ptmx; df -k /dev/shm | awk 'END {print $2}'",
    );
    let seen = output(&place);
    assert_eq!(
        seen,
        "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero 4\n8\n/proc/self/fd/0\npts/ptmx\n65536\n"
    );
}

#[test]
fn powers_are_few() {
    let status = output(&Place::sh("grep -E '^(Cap|NoNew|Seccomp:|Groups)' /proc/self/status | tr -s '\\t' ' '"));
    let value = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap_or_default().to_owned()
    };
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(u64::from_str_radix(&value(set), 16).unwrap(), 0x8004_05fb, "{set}");
    }
    for set in ["CapInh", "CapAmb"] {
        assert_eq!(u64::from_str_radix(&value(set), 16).unwrap(), 0, "{set}");
    }
    assert_eq!((value("NoNewPrivs"), value("Seccomp")), ("1".into(), "2".into()));
    assert_eq!(value("Groups"), "0");
}

#[test]
fn another_user_has_no_powers() {
    let mut place =
        Place::sh("id; echo $HOME; grep -E 'CapEff|CapPrm' /proc/self/status; echo again > /dev/stdout; cat /root/x");
    place.config.user = "ann".into();
    place.config.group_add = vec!["7".into()];
    let result = place.run();
    assert!(
        result.out.starts_with("uid=1000(ann) gid=100(users) groups=10(wheel),7,100(users)\n/home/ann\n")
            || result.out.starts_with("uid=1000(ann) gid=100(users) groups="),
        "{}",
        result.out
    );
    assert_eq!(result.out.matches("0000000000000000").count(), 2, "{}", result.out);
    assert!(result.out.ends_with("again\n"), "{}{}", result.out, result.err);
}

#[test]
fn the_filter_refuses() {
    let seen = output(&Place::sh("unshare -m true 2>&1; mount -t tmpfs x /tmp 2>&1; true"));
    assert_eq!(
        seen.matches("Operation not permitted").count() + seen.matches("permission denied").count(),
        2,
        "{seen}"
    );
}

#[test]
fn privilege_is_privilege() {
    let mut place = Place::sh(
        "mount -t tmpfs x /tmp && echo mounted; grep -E 'NoNew|Seccomp:' /proc/self/status | tr -d '\\n\\t'; echo 0 > /proc/sys/net/ipv4/ip_forward && echo wrote",
    );
    place.config.security.privileged = true;
    assert_eq!(output(&place), "mounted\nNoNewPrivs:0Seccomp:0wrote\n");
}

/// Every default is applied: from the one table of the bundle.
#[test]
fn paths_are_masked_and_read_only() {
    let place = Place::sh("true");
    let launch = place.launch();
    let linux = launch.spec.linux().as_ref().unwrap();
    let masked = linux.masked_paths().clone().unwrap();
    let read_only = linux.readonly_paths().clone().unwrap();
    assert!(masked.len() >= 12 && read_only.len() == 5, "{masked:?} {read_only:?}");
    let mut script = String::new();
    for path in &masked {
        script += &format!(
            "if [ -d {path} ]; then [ -z \"$(ls -A {path})\" ] || echo readable {path}; \
            elif [ -e {path} ]; then [ -z \"$(head -c1 {path} 2>/dev/null)\" ] || echo readable {path}; fi; "
        );
    }
    for path in &read_only {
        script += &format!("[ ! -e {path} ] || grep -q \" {path} ro,\" /proc/self/mountinfo || echo writable {path}; ");
    }
    script += "grep -q ' /sys ro,' /proc/self/mountinfo || echo writable /sys; echo 1 > /proc/sys/kernel/panic && echo wrote; true";
    assert_eq!(output(&Place::sh(&script)), "");
}

#[test]
fn the_root_can_be_read_only() {
    let mut place = Place::sh(
        "touch /x 2>&1; touch /dev/shm/y && echo shm; touch /scratch/z && echo scratch; df -k /scratch | awk 'END {print $2}'",
    );
    place.config.read_only = true;
    place.config.tmpfs = vec![teu::model::mount::Tmpfs { target: "/scratch".into(), options: "size=1m".into() }];
    assert_eq!(output(&place), "touch: /x: Read-only file system\nshm\nscratch\n1024\n");
}

#[test]
fn binds_and_volumes() {
    use teu::model::mount::{Mount, MountSource};
    let mut place = Place::sh(
        "cat /data/given; touch /data/new 2>&1; cat /vol/first; stat -c %u:%a /vol; echo more > /vol/second; cat /deep/er/file; ls /made | wc -l",
    );
    std::fs::create_dir_all(place.root().join("vol")).unwrap();
    std::fs::write(place.root().join("vol/first"), "from the image\n").unwrap();
    let (data, volume) = (place.path().join("data"), place.path().join("volume"));
    std::fs::create_dir(&data).unwrap();
    std::fs::create_dir(&volume).unwrap();
    std::fs::write(data.join("given"), "given\n").unwrap();
    let mount = |source, target: &str, read_only| Mount { read_only, ..Mount::new(source, target) };
    let bind = |path: &std::path::Path, create| MountSource::Bind { path: path.to_str().unwrap().into(), create };
    place.config.mounts = vec![
        mount(bind(&data.join("given"), false), "/deep/er/file", false),
        mount(bind(&data, false), "/data", true),
        mount(MountSource::Volume { name: "v".into() }, "/vol", false),
        mount(bind(&place.path().join("made/on/demand"), true), "/made", false),
    ];
    place.volumes = [("v".to_owned(), volume.clone())].into();
    let seen = output(&place);
    assert_eq!(seen, "given\ntouch: /data/new: Read-only file system\nfrom the image\n0:755\ngiven\n0\n");
    assert_eq!(std::fs::read_to_string(volume.join("second")).unwrap(), "more\n");
    // The second time the volume is not filled again.
    std::fs::remove_file(volume.join("first")).unwrap();
    assert!(place.run().err.contains("/vol/first"), "copied twice");
}

#[test]
fn limits_and_sysctls() {
    let mut place = Place::sh(
        "ulimit -n; ulimit -Hc; cat /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/msgmax /proc/self/oom_score_adj; umask",
    );
    place.config.ulimits = vec![
        teu::model::container::Ulimit { name: "nofile".into(), soft: 500, hard: 600 },
        teu::model::container::Ulimit { name: "core".into(), soft: 0, hard: 0 },
    ];
    place.config.sysctls = [("kernel.msgmax".to_owned(), "4321".to_owned())].into();
    place.config.limits.oom_score_adj = Some(321);
    // Every group there is: in a user's namespace those that are mapped.
    let map = std::fs::read_to_string("/proc/self/gid_map").unwrap();
    let fields = map.lines().map(|line| line.split_whitespace().map(|f| f.parse::<u64>().unwrap()).collect::<Vec<_>>());
    let end = fields.map(|f| f[0] + f[2]).max().unwrap();
    let last = if end > u64::from(u32::MAX) - 1 { 2_147_483_647 } else { end - 1 };
    assert_eq!(output(&place), format!("500\n0\n0\t{last}\n4321\n321\n0022\n"));
}

#[test]
fn nothing_else_is_open() {
    assert_eq!(output(&Place::sh("ls /proc/self/fd | tr '\\n' ' '")).trim(), "0 1 2 3", "3 is ls's own");
}

#[test]
fn a_terminal_is_a_terminal() {
    let mut place = Place::sh(
        "tty; stty size; ls -l /dev/console | cut -c1; [ -t 1 ] && echo term $TERM; read line; echo got $line; exec </dev/tty && echo controlling",
    );
    place.config.tty = true;
    place.input = "typed\n".into();
    let result = place.run();
    assert_eq!(result.failure.map(|f| f.chain), None);
    // The terminal echoes what is typed at whatever moment it arrives: anywhere among the lines before `read`.
    let text = result.out.replace('\r', "");
    let (before, after) = text.split_once("got typed\n").unwrap_or_else(|| panic!("{text}"));
    assert_eq!(before.replacen("typed\n", "", 1), "/dev/pts/0\n37 91\nc\nterm xterm-256color\n", "{text}");
    assert_eq!(after, "controlling\n", "{text}");
}

#[test]
fn the_built_in_init_reaps_and_forwards() {
    let mut place = Place::sh(
        "echo $$; (sleep 0.01 &) ; trap 'echo term; exit 9' TERM; kill -TERM 1; for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; done",
    );
    place.config.init = true;
    let result = place.run();
    assert_eq!((result.code, result.out.as_str()), (9, "2\nterm\n"), "{}", result.err);
    let mut place = Place::sh("kill -SEGV $$");
    place.config.init = true;
    assert_eq!(place.run().code, 139);
}

#[test]
fn commands_that_cannot_run() {
    let check = |args: &[&str], kind: FailureKind, words: &str| {
        let place = Place::new(args);
        std::fs::write(place.root().join("bin/noexec"), "x").unwrap();
        let script = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = place.root().join("bin").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        script("garbage", "\u{1}\u{2}");
        script("orphan", "#!/no/such/interpreter\n");
        let failure = place.run().failure.expect("a failure");
        assert_eq!(failure.kind, kind, "{args:?} {failure:?}");
        assert!(failure.chain.join(": ").contains(words), "{args:?} {failure:?}");
        assert!(!place.path().join("container/rootfs").exists());
    };
    use FailureKind::{CommandNotExecutable, CommandNotFound};
    check(&["nope"], CommandNotFound, "\"nope\": executable file not found in $PATH");
    check(&["/nope"], CommandNotFound, "\"/nope\": no such file or directory");
    check(&["/bin/noexec"], CommandNotExecutable, "permission denied");
    check(&["noexec"], CommandNotExecutable, "permission denied");
    check(&["/etc"], CommandNotExecutable, "is a directory");
    check(&["garbage"], CommandNotExecutable, "exec format error");
    check(&["orphan"], CommandNotFound, "its interpreter or loader is not in the container");
}

#[test]
fn mistakes_have_names() {
    let fails = |change: &dyn Fn(&mut Place), words: &str| {
        let mut place = Place::sh("true");
        change(&mut place);
        let failure = place.run().failure.expect("a failure");
        assert!(failure.chain.join(": ").contains(words), "{failure:?}");
    };
    fails(&|p| p.config.user = "ghost".into(), "unable to find user ghost");
    fails(&|p| p.config.user = ":".into(), "invalid user ':'");
    fails(&|p| p.config.user = "0:nogroup".into(), "unable to find group nogroup");
    fails(&|p| p.config.workdir = "/etc/passwd".into(), "not a directory");
}

#[test]
fn a_missing_working_directory_is_made() {
    let mut place = Place::sh("pwd");
    place.config.workdir = "/srv/app".into();
    assert_eq!(output(&place), "/srv/app\n");
}

/// The figure of the whole path from the call to the executed command; printed, and bounded very generously.
#[test]
fn starting_is_quick() {
    let place = Place::new(&["true"]);
    let result = place.job(&[], 60);
    assert_eq!(result.failure.map(|f| f.chain), None);
    let times = result.times;
    println!("start: min {} us, median {} us", times[0], times[times.len() / 2]);
    assert!(times[times.len() / 2] < 200_000, "{times:?}");
}
