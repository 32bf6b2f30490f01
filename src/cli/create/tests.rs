//! Whole command lines in, requests out.

use super::*;
use crate::cli::verbs;
use crate::model::container::SeccompProfile;
use crate::model::mount::MountSource;

fn parse(line: &[&str]) -> Result<CreateArgs> {
    let row = verbs::find("", "run").expect("run is a verb");
    let argv = std::iter::once("run").chain(line.iter().copied());
    let matches = verbs::command(row).try_get_matches_from(argv).map_err(|e| misuse(e.to_string()))?;
    create_args(Args(&matches))
}

fn good(line: &[&str]) -> CreateArgs {
    parse(line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
}

fn bad(line: &[&str], part: &str) {
    let error = parse(line).expect_err(part).to_string();
    assert!(error.contains(part), "{line:?}: {error}");
}

#[test]
fn what_people_type() {
    let a = good(&[
        "--rm", "-it", "-m", "64m", "--cpus", "0.5", "-e", "A=1", "--name=x", "-v", "/a:/b:ro", "img", "sh", "-c",
        "a b",
    ]);
    assert_eq!((a.image.as_str(), a.name.as_deref()), ("img", Some("x")));
    assert_eq!(a.command, ["sh", "-c", "a b"]);
    let c = a.config;
    assert!(c.tty && c.open_stdin && c.auto_remove);
    assert_eq!((c.limits.memory, c.limits.nano_cpus), (Some(64 << 20), Some(500_000_000)));
    assert_eq!(c.env, ["A=1"]);
    assert_eq!(c.mounts[0].source, MountSource::Bind { path: "/a".into(), create: true });
}

#[test]
fn flags_after_the_image_belong_to_the_command() {
    let a = good(&["-d", "img", "-d", "--name", "y", "--", "-x"]);
    assert_eq!(a.command, ["-d", "--name", "y", "--", "-x"]);
    assert_eq!(a.name, None);
    assert_eq!(good(&["--", "img", "-x"]).command, ["-x"]);
    assert_eq!(good(&["img", "--", "x"]).command, ["--", "x"]);
}

#[test]
fn go_style_booleans_and_attached_values() {
    let a = good(&["--rm=false", "-t=true", "-m64m", "-eA=1", "--memory-swap", "-1", "--oom-score-adj", "-5", "img"]);
    assert!(!a.config.auto_remove && a.config.tty);
    assert_eq!(a.config.limits.memory_swap, Some(-1));
    assert_eq!(a.config.limits.oom_score_adj, Some(-5));
    assert_eq!(a.config.env, ["A=1"]);
    assert_eq!(good(&["--pids-limit", "-1", "img"]).config.limits.pids, None);
    assert_eq!(good(&["-h", "box", "img"]).config.hostname, "box");
}

#[test]
fn options_of_all_kinds() {
    let a = good(&[
        "--entrypoint",
        "",
        "--network",
        "host",
        "--restart",
        "on-failure:3",
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        "no-new-privileges",
        "--cap-add",
        "net_admin",
        "--cap-drop=ALL",
        "--ulimit",
        "nofile=10:20",
        "--label",
        "a=b=c",
        "--label",
        "k",
        "--add-host",
        "h:::1",
        "--add-host",
        "g=10.0.0.1",
        "--platform",
        "linux/arm64/v8",
        "--log-opt",
        "max-size=1m",
        "--tmpfs",
        "/t:size=1m",
        "--pull=never",
        "img",
    ]);
    assert_eq!(a.entrypoint, Some(vec![]));
    assert_eq!(a.config.restart, RestartPolicy::OnFailure(3));
    assert_eq!(a.config.security.seccomp, SeccompProfile::Unconfined);
    assert_eq!(a.config.security.no_new_privileges, Some(true));
    assert_eq!((a.config.security.cap_add, a.config.security.cap_drop), (vec!["NET_ADMIN".into()], vec!["ALL".into()]));
    assert_eq!((a.config.ulimits[0].soft, a.config.ulimits[0].hard), (10, 20));
    assert_eq!(a.config.labels["a"], "b=c");
    assert_eq!(a.config.extra_hosts, ["h:::1", "g:10.0.0.1"]);
    assert_eq!(a.platform.map(|p| p.to_string()).as_deref(), Some("linux/arm64/v8"));
    assert_eq!(a.config.log.max_size, 1 << 20);
}

#[test]
fn mistakes_name_the_flag_and_the_value() {
    bad(&["-m", "lots", "img"], "invalid --memory 'lots'");
    bad(&["-m", "1m", "img"], "the least that a container can start in is 6m");
    bad(&["--cpus", "-1", "img"], "invalid --cpus '-1'");
    bad(&["--cpus", "0.1234567891", "img"], "nine digits");
    bad(&["--memory-swap", "1g", "img"], "needs --memory");
    bad(&["-m", "2g", "--memory-swap", "1g", "img"], "must not be smaller");
    bad(&["-p", "80:80", "img"], "-p, --publish is not supported yet");
    bad(&["--gpus", "all", "img"], "--gpus is not supported yet");
    bad(&["--network", "web", "img"], "--network web is not supported yet");
    bad(&["--pid", "host", "img"], "--pid host is not supported yet");
    bad(&["--rm", "--restart", "always", "img"], "conflicting options");
    bad(&["-v", "/a:/b", "--tmpfs", "/b", "img"], "duplicate mount point: /b");
    bad(&["--ulimit", "files=3", "img"], "there is no limit 'files'");
    bad(&["--name", "a b", "img"], "invalid name 'a b'");
    bad(&["-e", "=x", "img"], "the name is missing");
    bad(&["--bogus", "img"], "unexpected argument");
    bad(&["--security-opt", "seccomp=/nonexistent/p", "img"], "reading the seccomp profile /nonexistent/p");
    bad(&[], "required");
}
