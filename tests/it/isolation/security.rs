//! `--cap-add`, `--cap-drop`, `--privileged`, `--security-opt`, `--domainname`.

use super::{out, refused};
use crate::needs;
use crate::support::StateRoot;
use serde_json::json;

const STATUS: &str = "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t\\n' '  '";

fn bounding(root: &StateRoot, options: &[&str]) -> u64 {
    let text = out(root, options, "grep CapBnd /proc/self/status");
    u64::from_str_radix(text.split_whitespace().last().unwrap(), 16).unwrap()
}

#[test]
fn capabilities_in_any_spelling() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let default = bounding(&root, &[]);
    let net_admin = 1 << 12;
    assert_eq!(default & net_admin, 0);
    for name in ["NET_ADMIN", "net_admin", "CAP_NET_ADMIN", "Cap_Net_Admin"] {
        assert_eq!(bounding(&root, &["--cap-add", name]), default | net_admin, "{name}");
        assert_eq!(bounding(&root, &["--cap-drop", "ALL", "--cap-add", name]), net_admin, "{name}");
    }
    assert_eq!(bounding(&root, &["--cap-drop", "all"]), 0);
    let all = bounding(&root, &["--privileged"]);
    assert_eq!(bounding(&root, &["--cap-add", "all", "--cap-drop", "cap_net_admin"]), all & !net_admin);
    assert_eq!(bounding(&root, &["--privileged", "--cap-drop", "net_admin"]), all & !net_admin, "not forgotten");
    for flag in ["--cap-add", "--cap-drop"] {
        refused(&root, &[flag, "NO_SUCH_THING"], "NO_SUCH_THING");
        refused(&root, &[flag, "CAP_"], "CAP_");
    }
}

#[test]
fn security_options_are_applied_and_shown() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let status = |options: &[&str]| {
        let text = out(&root, options, STATUS);
        text.split_whitespace().filter(|w| w.len() == 1).collect::<String>()
    };
    assert_eq!(status(&[]), "12", "no new privileges, a filter");
    assert_eq!(status(&["--security-opt", "no-new-privileges:false", "--security-opt", "seccomp=unconfined"]), "00");
    assert_eq!(status(&["--security-opt", "no-new-privileges:true"]), "12");
    assert_eq!(status(&["--security-opt", "no-new-privileges"]), "12");
    let profile = root.path().join("profile.json");
    let rules = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]});
    std::fs::write(&profile, rules.to_string()).unwrap();
    let option = format!("seccomp={}", profile.display());
    let text = out(&root, &["--security-opt", &option], "mkdir /tmp/x 2>&1 || true");
    assert!(text.contains("not supported"), "{text}");
    let given = [
        "--security-opt",
        "no-new-privileges:false",
        "--security-opt",
        "label=disable",
        "--security-opt",
        "apparmor=unconfined",
    ];
    root.run_detached("box", &given, &["sleep", "600"]);
    let shown = root.inspect("box");
    assert_eq!(
        shown["HostConfig"]["SecurityOpt"],
        json!(["no-new-privileges=false", "label=disable", "apparmor=unconfined"])
    );
    assert_eq!(shown["AppArmorProfile"], "unconfined");
    root.teu(&["rm", "-f", "box"]).exits(0);
    refused(&root, &["--security-opt", "seccomp=/nonexistent.json"], "/nonexistent.json");
    refused(&root, &["--security-opt", "seccomp=/dev/zero"], "it is longer than");
    refused(&root, &["--env-file", "/dev/zero"], "it is longer than");
    refused(&root, &["--label-file", "/dev/zero"], "it is longer than");
    refused(&root, &["--security-opt", "label=type:thing_t"], "SELinux");
    refused(&root, &["--security-opt", "nonsense"], "there are apparmor");
    if !std::path::Path::new("/sys/kernel/security/apparmor").exists() {
        refused(&root, &["--security-opt", "apparmor=docker-default"], "AppArmor is not enabled");
    }
}

#[test]
fn paths_are_masked_and_unmasked() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let sealed = "mount | grep -c ' on /proc/'";
    let count = |options: &[&str]| out(&root, options, &format!("{sealed} || true")).trim().parse::<u32>().unwrap();
    let all = count(&[]);
    assert!(all >= 5, "{all}");
    for open in ["unmask=ALL", "unmask=all", "systempaths=unconfined", "unmask=/proc/*"] {
        assert_eq!(count(&["--security-opt", open]), 0, "{open}");
    }
    assert_eq!(count(&["--security-opt", "unmask=/proc/bus:/proc/fs"]), all - 2);
    let masked = ["--security-opt", "mask=/etc/passwd:/bin/../nothing"];
    refused(&root, &masked, "absolute path");
    let masked = ["--security-opt", "mask=/etc/passwd:/root:/not/there"];
    assert_eq!(out(&root, &masked, "cat /etc/passwd; ls -A /root; test -d /root"), "");
    root.run_detached("box", &masked, &["sleep", "600"]);
    let shown = root.inspect("box")["HostConfig"]["MaskedPaths"].clone();
    assert!(shown.as_array().unwrap().contains(&json!("/etc/passwd")), "{shown}");
}

#[test]
fn the_domain_is_set_and_in_the_hosts_file() {
    needs!(Registry, Userns);
    let root = StateRoot::with_image();
    let names = ["--hostname", "box", "--domainname", "example.test"];
    let text = out(&root, &names, "cat /proc/sys/kernel/domainname; hostname; tail -n 1 /etc/hosts");
    assert_eq!(text, "example.test\nbox\n127.0.1.1\tbox.example.test box\n");
    refused(&root, &["--domainname", "a b"], "domainname");
}
