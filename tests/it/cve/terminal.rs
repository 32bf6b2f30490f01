//! Consoles: what the container's terminal is opened from, and where it is shown.

use crate::needs;
use crate::oci::bundle::{Bundle, mounts};
use crate::runtime::Place;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;
use teu::model::mount::{Mount, MountSource};

/// Creates with a terminal; what was said instead of its master.
fn create(bundle: &mut Bundle) -> Result<fs::File, String> {
    bundle.config["process"]["terminal"] = true.into();
    let socket = bundle.dir.join("console");
    let listener = UnixListener::bind(&socket).unwrap();
    let answer = bundle.create_with(&["--console-socket", &socket.to_string_lossy()]);
    if answer.code != 0 {
        return Err(answer.stderr);
    }
    let (stream, _) = listener.accept().unwrap();
    let (_, master) = teu::sys::channel::recv_fd(&stream, &mut [0; 64]).unwrap();
    Ok(fs::File::from(master.expect("the master")))
}

/// CVE-2025-52565: /dev/console leads to a file of the host, which would become a terminal.
#[test]
fn cve_2025_52565_a_console_that_is_a_link_stays_inside() {
    needs!(Userns);
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let mut place = Place::sh(&format!("tty >/dev/null; ls -l {} | cut -c1", victim.display()));
    // A /dev of the user's own, in which a link waits; its devpts is the container's.
    let dev = place.path().join("dev");
    fs::create_dir_all(dev.join("pts")).unwrap();
    fs::write(dev.join("null"), "").unwrap();
    symlink(&victim, dev.join("console")).unwrap();
    let source = MountSource::Bind { path: dev.to_str().unwrap().into(), create: false };
    let mount = |source| Mount::new(source, "/dev");
    place.config.mounts = vec![mount(source)];
    place.config.tty = true;
    let result = place.run();
    assert_eq!(result.failure.map(|f| f.chain), None);
    assert_eq!(result.out.replace('\r', ""), "c\n", "the link's target in the container is the terminal");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");

    let mut bundle = Bundle::new(&format!("test -c {} && echo terminal", victim.display()));
    fs::create_dir_all(bundle.dir.join("dev/pts")).unwrap();
    symlink(&victim, bundle.dir.join("dev/console")).unwrap();
    let own = json!({ "destination": "/dev", "type": "bind", "source": "dev", "options": ["rbind"] });
    *mounts(&mut bundle.config).iter_mut().find(|m| m["destination"] == "/dev").unwrap() = own;
    let mut master = create(&mut bundle).unwrap();
    bundle.on(&["start"]).exits(0);
    let mut text = String::new();
    let _ = std::io::Read::read_to_string(&mut master, &mut text);
    assert_eq!(text, "terminal\r\n");
}

/// CVE-2025-52565: what the image offers as its terminals' multiplexer is none, or is one elsewhere.
#[test]
fn cve_2025_52565_a_terminal_is_of_a_devpts() {
    needs!(Root);
    for (kind, make) in [
        ("a file", "touch ptmx"),
        ("a FIFO", "mkfifo ptmx"),
        ("a link", "ln -s /dev/ptmx ptmx"),
        ("null", "mknod ptmx c 1 3"),
        // The kernel looks for the file system beside such a node, and finds the container's real one.
        ("a node beside a devpts", "mknod ptmx c 5 2 && mkdir pts"),
    ] {
        let mut bundle = Bundle::new("true");
        let pts = bundle.dir.join("dev/pts");
        fs::create_dir_all(&pts).unwrap();
        if !Command::new("sh").args(["-c", make]).current_dir(&pts).status().unwrap().success() {
            assert!(make.starts_with("mknod"), "{make}");
            // In a user namespace nobody makes nodes, an image's author neither.
            continue;
        }
        let list = mounts(&mut bundle.config);
        list.retain(|m| !m["destination"].as_str().unwrap().starts_with("/dev"));
        list.push(json!({ "destination": "/dev", "type": "bind", "source": "dev", "options": ["rbind"] }));
        if pts.join("pts").exists() {
            list.push(json!({ "destination": "/dev/pts/pts", "type": "devpts", "source": "devpts",
                "options": ["newinstance", "ptmxmode=0666"] }));
        }
        let said = create(&mut bundle).expect_err(kind);
        let refused = ["not the terminal multiplexer", "opening the container's terminal"];
        assert!(refused.iter().any(|words| said.contains(words)), "{kind}: {said}");
        if !matches!(kind, "a link" | "a FIFO") {
            assert!(said.contains(refused[0]), "{kind}: {said}");
        }
        bundle.assert_gone();
    }
}
