//! Images, volumes and hosts that try to lead a mount, a mask or a setting elsewhere.

use crate::needs;
use crate::oci::bundle::{Bundle, mounts};
use crate::runtime::{Place, output};
use crate::support::program::{Answer, finish};
use crate::support::{StateRoot, image};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use teu::model::mount::{Mount, MountSource};

fn bind(source: &Path, target: &str) -> Mount {
    Mount::new(MountSource::Bind { path: source.to_str().unwrap().into(), create: false }, target)
}

/// CVE-2025-31133: what masks a file is the null device itself. Here the host's own is something else.
#[test]
fn cve_2025_31133_a_mask_is_the_null_device() {
    needs!(Root, Registry);
    let root = StateRoot::with_image();
    let fake = root.path().join("fake");
    fs::write(&fake, "").unwrap();
    let with_fake = |command: &Command| -> Answer {
        let mut unshared = Command::new("unshare");
        unshared.args(["-m", "sh", "-c", "mount --bind \"$0\" /dev/null && exec \"$@\""]).arg(&fake);
        unshared.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        finish(unshared.env("HOME", root.path()).env_remove("XDG_CONFIG_HOME").env_remove("XDG_RUNTIME_DIR"))
    };
    let mut command = root.command();
    command.args(["run", "--rm", "--network", "none", &image::name(), "true"]);
    let answer = with_fake(&command).exits(125);
    assert!(answer.stderr.contains("not the null device"), "{}", answer.stderr);
    let bundle = Bundle::new("true");
    bundle.write();
    let answer = with_fake(&bundle.command(&["run", "-b", bundle.dir.to_str().unwrap(), &bundle.id])).exits(1);
    assert!(answer.stderr.contains("not the null device"), "{}", answer.stderr);
    bundle.assert_gone();
}

/// What masks a file, and what stands for a device where none can be made, is the host's own node: a container's root is
/// its owner, and could close it to everybody on the host.
#[test]
fn the_host_s_nodes_stay_as_they_are() {
    needs!(Registry, Userns);
    let try_all = |node: &str| {
        format!(
            "touch -d 2001-01-01 {node} && echo touched; chmod 666 {node} && echo changed; chown 0:0 {node} && echo given; \
            echo word >{node} || echo closed; cat {node}; test -c {node} || echo none"
        )
    };
    let root = StateRoot::with_image();
    let run = |options: &[&str], node: &str| {
        let script = try_all(node);
        let image = image::name();
        let words = [&["run", "--rm", "--network", "none"], options, &[&image, "sh", "-c", &script]].concat();
        let answer = root.teu(&words).exits(0);
        assert_eq!(answer.stdout, "", "{options:?} {node}: {}", answer.stderr);
    };
    run(&[], "/proc/keys");
    run(&["--privileged", "--security-opt", "mask=/etc/passwd:/etc/group"], "/etc/group");
    // An ordinary user's containers share one map.
    if fs::read_to_string("/proc/self/uid_map").unwrap().contains("4294967295") {
        run(&["--userns", "0:0:10"], "/dev/null");
        run(&["--userns", "0:0:10", "--device", "/dev/null:/opt/null"], "/opt/null");
    }
    let mut bundle = Bundle::new(&try_all("/proc/keys"));
    bundle.config["linux"]["maskedPaths"] = json!(["/etc/passwd", "/proc/keys"]);
    let all: Vec<String> = bundle.outcome().lines().map(str::to_owned).collect();
    assert!(all.iter().all(|line| line.contains("Read-only file system") || line.contains("not permitted")), "{all:?}");
}

/// CVE-2019-19921, CVE-2019-16884: a volume on /proc, or on a name of something inside it.
#[test]
fn cve_2019_19921_proc_stays_the_kernel_s() {
    needs!(Userns);
    let own = ["/proc", "/proc/", "//proc", "/./proc", "/proc/sys", "/proc/sys/net/ipv4", "/lure", "/proc/1/attr"];
    for target in own {
        let mut place = Place::sh("echo ran");
        let volume = place.path().join("volume");
        fs::create_dir(&volume).unwrap();
        fs::write(volume.join("ip_forward"), "0").unwrap();
        symlink("/proc/sys", place.root().join("lure")).unwrap();
        place.config.mounts = vec![bind(&volume, target)];
        place.config.sysctls = [("net.ipv4.ip_forward".to_owned(), "1".to_owned())].into();
        let failure = place.run().failure.unwrap_or_else(|| panic!("{target} was mounted on"));
        assert!(failure.chain.join(": ").contains("/proc"), "{target}: {failure:?}");
        assert_eq!(fs::read_to_string(volume.join("ip_forward")).unwrap(), "0");

        let mut bundle = Bundle::new("echo ran");
        symlink("/proc/sys", bundle.dir.join("rootfs/lure")).unwrap();
        fs::create_dir(bundle.dir.join("volume")).unwrap();
        let volume = json!({ "destination": target, "type": "bind", "source": "volume", "options": ["rbind"] });
        mounts(&mut bundle.config).push(volume);
        let answer = bundle.create().exits(1);
        assert!(answer.stderr.contains("/proc"), "{target}: {}", answer.stderr);
        bundle.assert_gone();
    }
    // What tools show a container of its limits they may.
    let mut place = Place::sh("cat /proc/uptime");
    fs::write(place.path().join("uptime"), "1.00 1.00\n").unwrap();
    place.config.mounts = vec![bind(&place.path().join("uptime"), "/proc/uptime")];
    assert_eq!(output(&place), "1.00 1.00\n");
}

/// CVE-2019-19921, CVE-2023-27561: /proc or /sys is a link. It may lead into a volume, where another container can put
/// another directory in its place before the masks are made: they would be made there.
#[test]
fn cve_2019_19921_proc_is_no_link() {
    needs!(Userns);
    let outside = tempfile::tempdir().unwrap();
    for name in ["proc", "sys"] {
        for target in [Path::new("/p"), outside.path()] {
            let place = Place::sh("echo ran");
            symlink(target, place.root().join(name)).unwrap();
            let failure = place.run().failure.unwrap_or_else(|| panic!("{name} was mounted through a link"));
            assert!(failure.chain.join(": ").contains("it is a link"), "{failure:?}");

            let bundle = Bundle::new("echo ran");
            fs::remove_dir(bundle.dir.join("rootfs").join(name)).unwrap();
            symlink(target, bundle.dir.join("rootfs").join(name)).unwrap();
            let answer = bundle.create().exits(1);
            assert!(answer.stderr.contains("it is a link"), "{}", answer.stderr);
            bundle.assert_gone();
        }
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

/// CVE-2023-27561: whoever has the root's directories in hand moves /proc away before its masks are made.
#[test]
fn cve_2023_27561_masks_are_on_the_procfs_wherever_it_is_moved() {
    needs!(Userns);
    let script = "cat /moved/kcore | head -c 1; ls /moved/bus; (: >>/moved/sys/kernel/hostname) 2>&1; echo end";
    let mut bundle = Bundle::new(script);
    let root = bundle.dir.join("rootfs");
    let swap =
        format!("cd {} && mv proc moved && mkdir proc proc/bus proc/sys && echo secret >proc/kcore", root.display());
    bundle.config["hooks"] =
        json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", swap], "env": ["PATH=/usr/bin:/bin"] }] });
    bundle.config["linux"]["maskedPaths"] = json!(["/proc/kcore", "/proc/bus"]);
    bundle.config["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
    let out = bundle.outcome();
    // In a user namespace the file is somebody else's, too.
    let refused = ["Read-only file system", "Permission denied"].iter().any(|why| out.contains(why));
    assert!(refused && out.ends_with("end\n"), "{out}");
    assert_eq!(out.lines().count(), 2, "something masked was read: {out}");
}

/// CVE-2026-41579, CVE-2026-47766: the image's /dev is a link out of the root.
#[test]
fn cve_2026_41579_dev_as_a_link_stays_inside() {
    needs!(Userns);
    let place = Place::sh("readlink /dev; ls /dev/null; ls /elsewhere/null");
    fs::create_dir(place.root().join("elsewhere")).unwrap();
    symlink("/elsewhere", place.root().join("dev")).unwrap();
    assert_eq!(output(&place), "/elsewhere\n/dev/null\n/elsewhere/null\n");
    let outside = tempfile::tempdir().unwrap();
    let up = format!("../../../../../../../../..{}", outside.path().display());
    for link in [outside.path().to_str().unwrap(), &up] {
        let place = Place::sh("ls /dev/null");
        symlink(link, place.root().join("dev")).unwrap();
        assert_eq!(output(&place), "/dev/null\n");
        let bundle = Bundle::new("ls /dev/null");
        fs::remove_dir(bundle.dir.join("rootfs/dev")).unwrap();
        symlink(link, bundle.dir.join("rootfs/dev")).unwrap();
        assert_eq!(bundle.outcome(), "/dev/null\n");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

/// CVE-2021-30465: a mount point is a link out of the root, to something that is there.
#[test]
fn cve_2021_30465_mount_points_as_links_stay_inside() {
    needs!(Userns);
    let source = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(source.path().join("file"), "bound\n").unwrap();
    let mut place = Place::sh("cat /mnt/point/file");
    fs::create_dir(place.root().join("mnt")).unwrap();
    symlink(outside.path(), place.root().join("mnt/point")).unwrap();
    place.config.mounts = vec![bind(source.path(), "/mnt/point")];
    assert_eq!(output(&place), "bound\n");
    let mut bundle = Bundle::new("cat /mnt/point/file");
    fs::create_dir(bundle.dir.join("rootfs/mnt")).unwrap();
    symlink(outside.path(), bundle.dir.join("rootfs/mnt/point")).unwrap();
    let wanted = json!({ "destination": "/mnt/point", "type": "bind", "source": source.path(), "options": ["rbind"] });
    mounts(&mut bundle.config).push(wanted);
    assert_eq!(bundle.outcome(), "bound\n");
    // In the root, and not on the host's directory of the same name: in the root that one was missing, and is made.
    let inside = bundle.dir.join("rootfs").join(outside.path().strip_prefix("/").unwrap());
    assert!(inside.is_dir());
}

/// CVE-2024-45310: what is missing is made in the root, whatever links are on the way.
#[test]
fn cve_2024_45310_missing_mount_points_are_made_inside() {
    needs!(Userns);
    let source = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let (never, file) = (outside.path().join("never/made"), source.path().join("file"));
    fs::write(&file, "bound\n").unwrap();
    let mut place = Place::sh("cat /dangling/file /way/out/and/on; ls -d /made/inside");
    symlink(&never, place.root().join("dangling")).unwrap();
    symlink(outside.path(), place.root().join("way")).unwrap();
    symlink("/made/inside", place.root().join("inner")).unwrap();
    place.config.mounts =
        vec![bind(source.path(), "/dangling"), bind(&file, "/way/out/and/on"), bind(source.path(), "/inner")];
    assert_eq!(output(&place), "bound\nbound\n/made/inside\n");
    let mut bundle = Bundle::new("cat /dangling/file /way/out/and/on");
    symlink(&never, bundle.dir.join("rootfs/dangling")).unwrap();
    symlink(outside.path(), bundle.dir.join("rootfs/way")).unwrap();
    let wanted = json!([
        { "destination": "/dangling", "type": "bind", "source": source.path(), "options": ["rbind"] },
        { "destination": "/way/out/and/on", "type": "bind", "source": file, "options": ["bind"] },
    ]);
    mounts(&mut bundle.config).extend(wanted.as_array().unwrap().iter().cloned());
    assert_eq!(bundle.outcome(), "bound\nbound\n");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "made on the host");
}
