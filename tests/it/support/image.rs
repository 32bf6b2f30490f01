//! The test image: a static busybox with its applets, in two layers, pushed into the test registry once per process.

use super::{program, registry_server};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `127.0.0.1:PORT/busybox:latest`, pushed on first use.
pub fn name() -> String {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        push("busybox", &[applets(), files()], json!({"Cmd": ["sh"], "Env": ["PATH=/bin", "FLAVOUR=test"]}))
    })
    .clone()
}

/// Makes an image of uncompressed tar layers and pushes it as `NAME:latest`; returns its full reference.
pub fn push(name: &str, layers: &[Vec<u8>], config: Value) -> String {
    let server = registry_server::get();
    let layout = std::env::temp_dir().join(format!("teu-test-layout-{}-{name}", std::process::id()));
    write_layout(&layout, layers, config);
    let reference = format!("{}/{name}:latest", server.address);
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"]);
    skopeo.arg(format!("oci:{}:latest", layout.display())).arg(format!("docker://{reference}"));
    // skopeo keeps its own directories out of the way, also for a user without a home.
    skopeo.env("HOME", &layout).env("XDG_RUNTIME_DIR", &layout);
    program::finish(&mut skopeo).exits(0);
    fs::remove_dir_all(&layout).expect("removing the layout");
    reference
}

fn write_layout(dir: &Path, layers: &[Vec<u8>], config: Value) {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("blobs");
    let put = |bytes: &[u8], kind: &str| {
        let hex = hex(bytes);
        fs::write(blobs.join(&hex), bytes).expect("a blob");
        json!({"mediaType": kind, "digest": format!("sha256:{hex}"), "size": bytes.len()})
    };
    let diff_ids: Vec<String> = layers.iter().map(|tar| format!("sha256:{}", hex(tar))).collect();
    let packed: Vec<Value> =
        layers.iter().map(|tar| put(&gzip(tar), "application/vnd.oci.image.layer.v1.tar+gzip")).collect();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({"architecture": architecture, "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids}, "created": "2026-01-02T03:04:05Z",
        "history": diff_ids.iter().map(|_| json!({"created_by": "test"})).collect::<Vec<_>>()});
    let config = put(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json");
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": packed});
    let mut manifest = put(manifest.to_string().as_bytes(), kind);
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(dir.join("index.json"), index.to_string()).expect("index");
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("layout");
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

/// One tar in memory.
pub struct Layer(tar::Builder<Vec<u8>>);

impl Layer {
    pub fn new() -> Layer {
        Layer(tar::Builder::new(Vec::new()))
    }

    fn entry(mut self, kind: tar::EntryType, path: &str, mode: u32, link: Option<&str>, body: &[u8]) -> Layer {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(body.len() as u64);
        header.set_mtime(1_700_000_000);
        match link {
            Some(target) => self.0.append_link(&mut header, path, target).expect("in memory"),
            None => self.0.append_data(&mut header, path, body).expect("in memory"),
        }
        self
    }

    pub fn dir(self, path: &str, mode: u32) -> Layer {
        self.entry(tar::EntryType::Directory, path, mode, None, &[])
    }

    pub fn file(self, path: &str, mode: u32, body: &[u8]) -> Layer {
        self.entry(tar::EntryType::Regular, path, mode, None, body)
    }

    pub fn symlink(self, path: &str, target: &str) -> Layer {
        self.entry(tar::EntryType::Symlink, path, 0o777, Some(target), &[])
    }

    pub fn finish(self) -> Vec<u8> {
        self.0.into_inner().expect("in memory")
    }
}

/// `bin/busybox`, a link for each applet, and the usual empty directories.
pub fn applets() -> Vec<u8> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from).into_iter().find(|path| path.exists());
    let busybox = fs::read(busybox.expect("a busybox")).expect("reading busybox");
    let list = program::finish(Command::new("busybox").arg("--list")).exits(0).stdout;
    let mut layer = Layer::new();
    for (dir, mode) in [
        ("bin", 0o755),
        ("etc", 0o755),
        ("tmp", 0o1777),
        ("root", 0o700),
        ("proc", 0o555),
        ("sys", 0o555),
        ("dev", 0o755),
    ] {
        layer = layer.dir(dir, mode);
    }
    layer = layer.file("bin/busybox", 0o755, &busybox).file("etc/gone-in-layer-two", 0o644, b"x");
    for applet in list.split_whitespace().filter(|applet| *applet != "busybox") {
        layer = layer.symlink(&format!("bin/{applet}"), "busybox");
    }
    layer.finish()
}

pub fn files() -> Vec<u8> {
    let passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/tmp:/bin/sh\n";
    let layer = Layer::new().file("etc/passwd", 0o644, passwd.as_bytes());
    let layer = layer.file("etc/group", 0o644, b"root:x:0:\napp:x:1000:\nextra:x:2000:app\n");
    layer.file("etc/.wh.gone-in-layer-two", 0o644, b"").file("etc/from-layer-two", 0o644, b"two\n").finish()
}
