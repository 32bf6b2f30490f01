//! An image of a usual shape, made anew the same each time: 11 layers, 12,000 small files among few large ones, 1.37 GB
//! that gzip makes 0.58 GB of.

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Megabytes and small files of each layer: a distribution, its packages, a runtime, libraries, the program.
const LAYERS: [(u64, u32); 11] = [
    (124, 3000),
    (48, 400),
    (178, 1500),
    (560, 2500),
    (92, 900),
    (60, 1200),
    (1, 20),
    (12, 180),
    (200, 1800),
    (70, 400),
    (25, 100),
];

/// Of the bytes, in a hundred: what no compressor finds anything in.
const NOISE: u64 = 16;

/// Writes the image as an OCI layout, tagged `latest`.
pub fn write_layout(dir: &Path) -> io::Result<()> {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let (mut packed, mut diff_ids) = (Vec::new(), Vec::new());
    for (number, (megabytes, files)) in (0..).zip(LAYERS) {
        let path = blobs.join("unnamed");
        let gzip = GzEncoder::new(Hashed::new(File::create(&path)?), Compression::default());
        let mut tar = tar::Builder::new(Hashed::new(gzip));
        fill_layer(&mut tar, number, megabytes * 1_000_000, files)?;
        let (gzip, diff_id, _) = tar.into_inner()?.finish();
        let (_, digest, size) = gzip.finish()?.finish();
        fs::rename(&path, blobs.join(&digest))?;
        diff_ids.push(format!("sha256:{diff_id}"));
        let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
        packed.push(json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": size}));
    }
    let put = |value: Value, kind: &str| -> io::Result<Value> {
        let text = value.to_string();
        let digest = hex(&Sha256::digest(&text));
        fs::write(blobs.join(&digest), &text)?;
        Ok(json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": text.len()}))
    };
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let rootfs = json!({"type": "layers", "diff_ids": diff_ids});
    let config = json!({"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs});
    let config = put(config, "application/vnd.oci.image.config.v1+json")?;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut manifest = put(json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": packed}), kind)?;
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    fs::write(dir.join("index.json"), json!({"schemaVersion": 2, "manifests": [manifest]}).to_string())?;
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
}

/// A fifth of a layer, at the most, is small files; the rest is files of 16 MB.
fn fill_layer(tar: &mut tar::Builder<impl Write>, number: u64, size: u64, files: u32) -> io::Result<()> {
    let mut content = Content::new(number + 1);
    let mut left = size;
    for file in 0..files {
        let most = (size / 5 / u64::from(files)).min(16_000) * 2;
        let length = content.number() % most.max(2);
        let path = format!("usr/lib{number}/package-{}/file-{file}", file % 100);
        append(tar, &path, length, &mut content)?;
        left = left.saturating_sub(length);
    }
    for file in 0.. {
        let length = left.min(16_000_000);
        if length == 0 {
            break;
        }
        append(tar, &format!("usr/bin{number}/program-{file}"), length, &mut content)?;
        left -= length;
    }
    Ok(())
}

fn append(tar: &mut tar::Builder<impl Write>, path: &str, length: u64, content: &mut Content) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(length);
    header.set_mtime(1_700_000_000);
    tar.append_data(&mut header, path, io::Read::take(content, length))
}

/// Words and noise, the same for the same seed.
struct Content {
    state: u64,
    words: Vec<[u8; 8]>,
    piece: Vec<u8>,
}

impl Content {
    fn new(seed: u64) -> Content {
        let mut content = Content { state: seed, words: Vec::new(), piece: Vec::new() };
        content.words = (0..1024).map(|_| content.number().to_le_bytes().map(|b| b'a' + b % 26)).collect();
        content
    }

    /// SplitMix64.
    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl io::Read for Content {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let noise = self.number() % 100 < NOISE;
        self.piece.clear();
        while self.piece.len() < 512 {
            let number = self.number();
            match noise {
                true => self.piece.extend(number.to_le_bytes()),
                // The smaller of two: some words are frequent, as in texts and code.
                false => self.piece.extend(self.words[((number & 1023).min(number >> 10 & 1023)) as usize]),
            }
        }
        let length = into.len().min(self.piece.len());
        into[..length].copy_from_slice(&self.piece[..length]);
        Ok(length)
    }
}

/// Hashes and counts what goes through.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    length: u64,
}

impl<W: Write> Hashed<W> {
    fn new(inner: W) -> Hashed<W> {
        Hashed { inner, hash: Sha256::new(), length: 0 }
    }

    fn finish(self) -> (W, String, u64) {
        (self.inner, hex(&self.hash.finalize()), self.length)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
