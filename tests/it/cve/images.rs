//! What an image or a container has written down or planted, and the engine's own walks over it on the host.

use crate::needs;
use crate::support::image::{Layer, applets, files, push};
use crate::support::{StateRoot, image, leaks};
use serde_json::json;
use std::fs;

/// CVE-2022-23648 (containerd): the image's own volume leads out of the root, and the host's files are copied into it.
#[test]
fn cve_2022_23648_an_image_s_volumes_stay_inside() {
    needs!(Registry, Userns);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let host = outside.path().to_str().unwrap();
    let up = format!("/../../../..{host}");
    let lures = Layer::new().symlink("lure", host).symlink("climb", &format!("../../../../..{host}")).finish();
    let config = json!({"Cmd": ["sh"], "Env": ["PATH=/bin"], "Volumes": {"/lure": {}, "/climb": {}, up: {}}});
    let image = push("lures", &[applets(), lures], config);
    let root = StateRoot::new();
    let look = "ls /lure /climb | grep secret; cat /lure/secret /climb/secret; echo mine >/lure/made";
    let answer = root.teu(&["run", "--name", "box", "--network", "none", &image, "sh", "-c", look]);
    assert!(!answer.stdout.contains("secret"), "{answer:?}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "made on the host");
    let found = std::process::Command::new("grep").args(["-rl", "secret"]).arg(root.path().join("volumes")).output();
    assert_eq!(String::from_utf8_lossy(&found.unwrap().stdout), "", "copied from the host");
    root.teu(&["rm", "-f", "-v", "box"]).exits(0);
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
    leaks::assert_none(root.path());
}

/// CVE-2026-53488 (containerd): labels of an image were read as the engine's own words. Here they are words and no more,
/// in whichever engine's spelling.
#[test]
fn cve_2026_53488_an_image_s_labels_decide_nothing() {
    needs!(Registry, Userns);
    let words = [
        ("teu.privileged", "true"),
        ("privileged", "true"),
        ("io.podman.annotations.privileged", "TRUE"),
        ("io.podman.annotations.seccomp", "unconfined"),
        ("io.containers.autoupdate", "registry"),
        ("io.containers.capabilities", "SYS_ADMIN"),
        ("io.cri-containerd.image", "managed"),
        ("containerd.io/restart.loguri", "binary:///bin/sh?-c=id"),
        ("run.oci.hooks.stderr", "/tmp/x"),
        ("run.oci.keep_original_groups", "1"),
        ("org.opencontainers.image.stopSignal", "KILL"),
        ("run", "docker run --privileged IMAGE"),
    ];
    let labels: serde_json::Map<_, _> = words.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let config = json!({"Cmd": ["sh"], "Env": ["PATH=/bin", "FLAVOUR=test"], "Labels": labels});
    let image = push("labels", &[applets(), files()], config);
    let root = StateRoot::with_image();
    let look =
        ["sh", "-c", "grep -E '^(Cap|NoNew|Seccomp:|Groups)' /proc/self/status; mount | cut -d' ' -f3-; env | sort"];
    let said = |image: &str, name: &str| {
        let words = [&["run", "--name", name, "--hostname", "box", "--network", "none", image][..], &look].concat();
        let out = root.teu(&words).exits(0).stdout;
        // The root's own layers differ.
        let lines = out.lines().filter(|line| !line.starts_with("/ type"));
        (lines.map(str::to_owned).collect::<Vec<_>>(), root.inspect(name)["HostConfig"].clone())
    };
    let plain = said(&image::name(), "plain");
    let labelled = said(&image, "labelled");
    assert_eq!(labelled, plain);
    assert_eq!(root.inspect("labelled")["Config"]["Labels"]["teu.privileged"], "true", "a word that can be read");
}

/// CVE-2023-0778, CVE-2024-9341, CVE-2025-9566 (podman) and their like: the engine goes through what containers have
/// written (to count it, to list it, to remove it) as root on the host, and follows no link.
#[test]
fn cve_2023_0778_walks_on_the_host_follow_no_links() {
    needs!(Registry, Userns);
    let outside = tempfile::tempdir().unwrap();
    let deep = outside.path().join("deep");
    fs::create_dir(&deep).unwrap();
    fs::write(deep.join("kept"), vec![7; 3 << 20]).unwrap();
    let root = StateRoot::with_image();
    let plant = format!(
        "for at in /v /; do ln -s {0} $at/out; ln -s ../../../../../../../..{0} $at/climb; ln -s /proc/1/root $at/proc1; \
        mkfifo $at/fifo; done; echo word >/v/file",
        outside.path().display()
    );
    let args = ["run", "--name", "box", "--network", "none", "-v", "vol:/v", &image::name(), "sh", "-c", &plant];
    root.teu(&args).exits(0);
    let used = root.teu(&["system", "df"]).exits(0).stdout;
    let own = used.lines().filter(|line| line.starts_with("Containers") || line.starts_with("Local Volumes"));
    assert!(own.clone().count() == 2 && own.clone().all(|line| !line.contains("MB")), "through a link:\n{used}");
    let changed = root.teu(&["diff", "box"]).exits(0).stdout;
    assert!(changed.contains("A /out") && !changed.contains("kept"), "{changed}");
    root.teu(&["ps", "-a", "--size"]).exits(0);
    root.teu(&["rm", "box"]).exits(0);
    root.teu(&["volume", "rm", "vol"]).exits(0);
    assert_eq!(fs::metadata(deep.join("kept")).unwrap().len(), 3 << 20);
    assert!(!root.path().join("volumes/vol").exists());
}
