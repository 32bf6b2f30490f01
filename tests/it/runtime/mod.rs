//! Real containers, started by the runtime alone from a directory or an overlay of busybox.

mod containers;
pub mod driver;
mod filter;
mod sessions;

use driver::{Job, Output};
use oci_spec::image::ImageConfiguration;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use teu::model::container::{Container, ContainerConfig};
use teu::model::id::ContainerId;
use teu::model::reference::Digest;
use teu::runtime::bundle::{self, BundleInput};
use teu::runtime::launch::{Launch, Rootfs};
use teu::runtime::protocol::ExecSpec;
use teu::sys::userns;

/// Called by [`driver::run`] in a process of its own; as a test of its own it does nothing.
#[test]
fn serve_a_job() {
    driver::serve();
}

/// A place with a busybox root and what a container needs around it.
pub struct Place {
    dir: tempfile::TempDir,
    pub config: ContainerConfig,
    pub overlay: bool,
    /// What starts the process that starts the container.
    pub wrap: Vec<&'static str>,
    pub input: String,
    pub volumes: BTreeMap<String, PathBuf>,
}

impl Place {
    pub fn new(args: &[&str]) -> Place {
        let dir = tempfile::Builder::new().prefix("teu-it-").tempdir().unwrap();
        for sub in ["container", "run", "upper", "work"] {
            fs::create_dir(dir.path().join(sub)).unwrap();
        }
        let place = Place {
            dir,
            config: ContainerConfig {
                args: args.iter().map(|a| (*a).to_owned()).collect(),
                workdir: "/".into(),
                hostname: "box".into(),
                env: vec!["FLAVOUR=test".into()],
                ..ContainerConfig::default()
            },
            overlay: true,
            wrap: Vec::new(),
            input: String::new(),
            volumes: BTreeMap::new(),
        };
        busybox(&place.root());
        place
    }

    pub fn sh(script: &str) -> Place {
        Place::new(&["sh", "-c", script])
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub fn launch(&self) -> Launch {
        let rootfs = if self.overlay {
            Rootfs::Overlay {
                lower: vec![self.root()],
                upper: self.path().join("upper"),
                work: self.path().join("work"),
                read_only: false,
            }
        } else {
            Rootfs::Directory { path: self.root(), read_only: false }
        };
        let container = Container {
            id: ContainerId::random(),
            name: "it".into(),
            image: digest(),
            image_ref: "busybox".into(),
            created: serde_json::from_str("0")
                .unwrap_or_else(|_| serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap()),
            config: self.config.clone(),
        };
        bundle::launch(&BundleInput {
            network: Default::default(),
            container: &container,
            image: &ImageConfiguration::default(),
            rootfs,
            dir: self.path().join("container"),
            run_dir: self.path().join("run"),
            event_log: self.path().join("events"),
            volumes: &self.volumes,
            identity: userns::identity(),
            machine: teu::runtime::machine::Machine::HERE,
            size: Some((91, 37)),
            restarts: 0,
            on_end: Vec::new(),
        })
        .unwrap()
    }

    pub fn run(&self) -> Output {
        self.job(&[], 0)
    }

    pub fn run_with(&self, execs: &[ExecSpec]) -> Output {
        self.job(execs, 0)
    }

    pub fn job(&self, execs: &[ExecSpec], repeat: u32) -> Output {
        let execs = serde_json::from_value(serde_json::to_value(execs).unwrap()).unwrap();
        driver::run(self.path(), &Job { launch: self.launch(), input: self.input.clone(), execs, repeat }, &self.wrap)
    }
}

fn digest() -> Digest {
    serde_json::from_value(format!("sha256:{}", "0".repeat(64)).into()).unwrap()
}

fn busybox(root: &Path) {
    for dir in ["bin", "etc", "tmp", "root", "home/ann"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let from = ["/bin/busybox", "/usr/bin/busybox"].iter().find(|p| Path::new(p).exists()).unwrap();
    fs::copy(from, root.join("bin/busybox")).unwrap();
    let list = Command::new(from).arg("--list").output().unwrap().stdout;
    for name in String::from_utf8(list).unwrap().split_whitespace().filter(|n| *n != "busybox") {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100:Ann:/home/ann:/bin/ash\n")
        .unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nusers:x:100:\nwheel:x:10:ann\n").unwrap();
}

/// Runs a script as it is and returns its standard output; anything else is a failure of the test.
#[track_caller]
pub fn output(place: &Place) -> String {
    let out = place.run();
    assert_eq!((out.failure.as_ref().map(|f| &f.chain), out.code), (None, 0), "{}{}", out.out, out.err);
    out.out
}

pub fn exec(args: &[&str]) -> ExecSpec {
    ExecSpec {
        id: "e".repeat(64),
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        env: Vec::new(),
        user: None,
        workdir: None,
        tty: false,
        stdin: false,
        detach: false,
        privileged: false,
        size: None,
    }
}
