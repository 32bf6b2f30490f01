//! Whole command lines in, requests out.

use super::*;
use crate::cli::verbs;
use crate::model::container::SeccompProfile;
use crate::model::mount::MountSource;
use crate::model::network::{NetworkMode, Protocol};

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
    bad(&["-p", "80:x", "img"], "invalid --publish '80:x': 'x' is not a port");
    bad(&["-p", "80:80", "-p", "80:81", "img"], "80:80/tcp has that port of the host already");
    bad(&["--network", "host", "--network", "web", "img"], "a container on network host can be on no other one");
    bad(&["--network", "none", "--ip", "10.0.0.5", "img"], "no address or alias of its own");
    bad(&["--network", "web:ip=10.0.0.5", "--ip", "10.0.0.6", "img"], "conflicting options: --ip");
    bad(&["--network-alias", "a b", "img"], "invalid --network-alias 'a b'");
    bad(&["--mac-address", "1:2", "img"], "invalid --mac-address '1:2'");
    bad(&["--expose", "80/x", "img"], "invalid --expose '80/x'");
    bad(&["--gpus", "all", "img"], "--gpus is not supported");
    bad(&["--pid", "bogus", "img"], "it must be private, host or container:NAME");
    bad(&["--rm", "--restart", "always", "img"], "conflicting options");
    bad(&["-v", "/a:/b", "--tmpfs", "/b", "img"], "duplicate mount point: /b");
    bad(&["--ulimit", "files=3", "img"], "there is no limit 'files'");
    bad(&["--name", "a b", "img"], "invalid name 'a b'");
    bad(&["-e", "=x", "img"], "the name is missing");
    bad(&["--bogus", "img"], "unexpected argument");
    bad(&["--security-opt", "seccomp=/nonexistent/p", "img"], "reading the seccomp profile /nonexistent/p");
    bad(&[], "required");
}

#[test]
fn networks_and_ports() {
    let a = good(&["img"]);
    assert!(a.default_network && a.config.endpoints.is_empty());
    let a = good(&["--network", "host", "img"]);
    assert!(!a.default_network && a.config.network == NetworkMode::Host);
    let a = good(&[
        "--network",
        "web",
        "--network",
        "name=db,alias=store",
        "--ip",
        "10.1.0.9",
        "--network-alias",
        "Api",
        "-p",
        "8080:80",
        "-p",
        "127.0.0.1:53:53/udp",
        "-P",
        "--expose",
        "9000-9001",
        "img",
    ]);
    let [web, db] = a.config.endpoints.as_slice() else { panic!("{:?}", a.config.endpoints) };
    assert_eq!((web.network.as_str(), web.ip.map(|ip| ip.to_string())), ("web", Some("10.1.0.9".into())));
    assert_eq!((web.aliases.as_slice(), db.aliases.as_slice()), (&["api".to_owned()][..], &["store".to_owned()][..]));
    assert_eq!(
        a.config.ports.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["8080:80/tcp", "127.0.0.1:53:53/udp"]
    );
    assert!(a.config.publish_all && !a.default_network);
    assert_eq!(a.config.exposed, [(9000, Protocol::Tcp), (9001, Protocol::Tcp)]);
    let a = good(&["--ip6", "fd00::9", "img"]);
    assert_eq!(a.config.endpoints[0].network, "bridge");
}
