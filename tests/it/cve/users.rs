//! Users: the words that name one, and the image's own account files.

use crate::needs;
use crate::oci::bundle::Bundle;
use crate::runtime::{Place, exec, output};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Nothing of this is a user, and nothing of it is root.
const ODD: [&str; 13] = [
    ":",
    "ann:",
    ":users",
    "1:2:3",
    "-1",
    "+0",
    " ",
    "0x0",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "1:4294967295",
];

/// CVE-2026-30892 (crun), CVE-2024-40635 and CVE-2026-46680 (containerd): odd words for a user became root.
#[test]
fn cve_2026_30892_no_odd_user_becomes_root() {
    needs!(Userns);
    for user in ODD {
        let mut place = Place::sh("id -u");
        place.config.user = user.into();
        let result = place.run();
        assert!(result.failure.is_some(), "'{user}': {result:?}");
    }
    let sessions = ODD.map(|user| {
        let mut session = exec(&["id", "-u"]);
        session.user = Some(user.into());
        session
    });
    let result = Place::new(&["sleep", "1000"]).run_with(&sessions);
    for (user, session) in ODD.iter().zip(&result.execs) {
        assert!(session.failure.is_some(), "session of '{user}': {session:?}");
    }
    // In numbers alone the last one means "leave it as it is" to the kernel.
    let mut bundle = Bundle::new("id -u");
    for user in [
        json!({ "uid": u32::MAX, "gid": 0 }),
        json!({ "uid": 0, "gid": u32::MAX }),
        json!({ "uid": 0, "gid": 0, "additionalGids": [1_u32 << 31] }),
    ] {
        bundle.config["process"]["user"] = user.clone();
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains("out of range"), "{user}: {}", answer.stderr);
        bundle.assert_gone();
    }
    bundle.config["process"]["user"] = json!({ "uid": 0, "gid": 0 });
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.create().exits(0);
    bundle.on(&["start"]).exits(0);
    for user in ODD.into_iter().chain(["ann"]) {
        let answer = bundle.call(&["exec", "-u", user, &bundle.id, "id", "-u"]).exits(255);
        assert!(answer.stderr.contains("invalid user"), "'{user}': {}", answer.stderr);
    }
}

/// Puts something else where an account file should be.
fn replace(file: &Path, kind: &str) {
    let _ = fs::remove_file(file);
    match kind {
        "fifo" => assert!(Command::new("mkfifo").arg(file).status().unwrap().success()),
        "link" => symlink("/dev/zero", file).unwrap(),
        "link out" => symlink("/proc/1/root/etc/passwd", file).unwrap(),
        _ => fs::File::create(file).unwrap().set_len(1 << 30).unwrap(),
    }
}

/// CVE-2026-47262 (containerd), CVE-2024-9676 (containers/storage): account files that block, act, or never end.
#[test]
fn cve_2026_47262_account_files_are_small_files() {
    needs!(Userns);
    for kind in ["fifo", "link", "link out", "huge"] {
        for file in ["etc/passwd", "etc/group"] {
            let mut place = Place::sh("echo ran");
            replace(&place.root().join(file), kind);
            assert_eq!(output(&place), "ran\n", "{kind}: numbers need no file");
            place.config.user = "ann".into();
            let failure = place.run().failure.expect("names do");
            assert!(failure.chain[0].contains("looking up the user"), "{kind} {file}: {failure:?}");
            place.config.user = String::new();
            place.config.args = vec!["sleep".into(), "1000".into()];
            let mut session = exec(&["true"]);
            session.user = Some("ann".into());
            let result = place.run_with(&[session]);
            assert!(result.execs[0].failure.is_some(), "session: {kind} {file}: {result:?}");
        }
        // There a user is a number; only its home is looked up.
        let bundle = Bundle::new("echo $HOME");
        replace(&bundle.dir.join("rootfs/etc/passwd"), kind);
        assert_eq!(bundle.outcome(), "/\n", "{kind}");
    }
}
