//! A registry inside the test that answers as it is told: refuses, stalls, lies, cuts off. And images to serve.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use teu::model::reference::Digest;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What to answer.
pub enum Reply {
    /// Status, headers, body; Content-Length is the body's.
    Full(u16, Vec<(String, String)>, Vec<u8>),
    /// The head promises `promised` bytes; these come, then the connection is cut.
    Cut { status: u16, headers: Vec<(String, String)>, promised: usize, body: Vec<u8> },
    /// The same, but the connection stays open and silent.
    Silent { status: u16, headers: Vec<(String, String)>, promised: usize, body: Vec<u8> },
    /// Closed without a byte.
    Drop,
    /// A body without end, in chunks of zeros.
    Endless,
}

impl Reply {
    pub fn status(status: u16) -> Reply {
        Reply::Full(status, Vec::new(), Vec::new())
    }

    pub fn body(kind: &str, bytes: &[u8]) -> Reply {
        Reply::Full(200, vec![("content-type".into(), kind.into())], bytes.to_vec())
    }

    pub fn with(self, name: &str, value: &str) -> Reply {
        let add = |mut headers: Vec<(String, String)>| {
            headers.push((name.into(), value.into()));
            headers
        };
        match self {
            Reply::Full(status, headers, body) => Reply::Full(status, add(headers), body),
            other => other,
        }
    }
}

type Answer = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

/// Serves `content` by path unless `answer` says otherwise; keeps every request.
pub struct Registry {
    pub address: String,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Registry {
    pub fn start(image: &Image, answer: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, image, answer): (_, _, Arc<Answer>) = (requests.clone(), Arc::new(image.clone()), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, image, answer) = (log.clone(), image.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &log, &image, &*answer));
            }
        });
        Registry { address, requests }
    }

    pub fn count(&self, part: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|r| r.path.contains(part)).count()
    }

    pub fn seen(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Request>>, image: &Image, answer: &Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(request) = read_request(&mut reader) {
        log.lock().unwrap().push(request.clone());
        let reply = answer(&request).unwrap_or_else(|| image.reply(&request));
        if write_reply(&mut stream, &mut reader, reply).is_none() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let mut request =
        Request { method: words.next()?.to_owned(), path: words.next()?.to_owned(), ..Request::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Some(request)
}

fn write_reply(stream: &mut TcpStream, reader: &mut BufReader<TcpStream>, reply: Reply) -> Option<()> {
    let head = |status: u16, headers: &[(String, String)], length: usize| {
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    };
    match reply {
        Reply::Full(status, headers, body) => {
            stream.write_all(head(status, &headers, body.len()).as_bytes()).ok()?;
            stream.write_all(&body).ok()
        }
        Reply::Cut { status, headers, promised, body } => {
            stream.write_all(head(status, &headers, promised).as_bytes()).ok()?;
            stream.write_all(&body).ok()?;
            None
        }
        Reply::Silent { status, headers, promised, body } => {
            stream.write_all(head(status, &headers, promised).as_bytes()).ok()?;
            stream.write_all(&body).ok()?;
            // Until the client hangs up.
            let _ = reader.read(&mut [0]);
            None
        }
        Reply::Drop => None,
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
            let chunk = [b"10000\r\n", &[b' '; 65536][..], b"\r\n"].concat();
            while stream.write_all(&chunk).is_ok() {}
            None
        }
    }
}

/// Blobs and manifests by path below `/v2/app/`.
#[derive(Clone, Default)]
pub struct Image {
    pub paths: HashMap<String, (String, Vec<u8>)>,
    pub manifest: String,
    pub layers: Vec<Digest>,
}

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Image {
    /// One layer per list of files, gzip-compressed, tagged `latest` and `one`.
    pub fn new(layers: &[&[(&str, &[u8])]]) -> Image {
        Image::of_tars(layers.iter().map(|files| tar(files)).collect())
    }

    pub fn of_tars(tars: Vec<Vec<u8>>) -> Image {
        let blobs: Vec<(Vec<u8>, Digest)> = tars.iter().map(|tar| (gzip(tar), Digest::of(tar))).collect();
        Image::of_blobs(blobs)
    }

    /// From compressed layers and the diff ids they claim.
    pub fn of_blobs(blobs: Vec<(Vec<u8>, Digest)>) -> Image {
        let mut image = Image::default();
        let mut layers = Vec::new();
        let mut diff_ids = Vec::new();
        for (blob, diff_id) in blobs {
            let (digest, size) = (Digest::of(&blob), blob.len());
            image.layers.push(digest.clone());
            diff_ids.push(diff_id.to_string());
            let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
            layers.push(serde_json::json!({"mediaType": kind, "digest": digest.to_string(), "size": size}));
            image.paths.insert(format!("blobs/{digest}"), ("application/octet-stream".into(), blob));
        }
        let config = serde_json::json!({
            "architecture": teu::image::platform::host().architecture, "os": "linux",
            "config": {"Cmd": ["/bin/sh"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = config.to_string().into_bytes();
        let digest = Digest::of(&config);
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest.to_string(),
                "size": config.len()},
        });
        image.paths.insert(format!("blobs/{digest}"), ("application/octet-stream".into(), config));
        image.manifest = manifest.to_string();
        image.tag("latest", MANIFEST, image.manifest.clone().into_bytes());
        image
    }

    /// Serves `bytes` under a tag and under their digest.
    pub fn tag(&mut self, tag: &str, kind: &str, bytes: Vec<u8>) {
        self.paths.insert(format!("manifests/{}", Digest::of(&bytes)), (kind.into(), bytes.clone()));
        self.paths.insert(format!("manifests/{tag}"), (kind.into(), bytes));
    }

    pub fn blob(&self, layer: usize) -> &[u8] {
        &self.paths[&format!("blobs/{}", self.layers[layer])].1
    }

    /// The honest answer, with Range.
    pub fn reply(&self, request: &Request) -> Reply {
        let Some((kind, bytes)) = request.path.strip_prefix("/v2/app/").and_then(|path| self.paths.get(path)) else {
            let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
            return Reply::Full(404, Vec::new(), body.to_vec());
        };
        let start = request.header("range").strip_prefix("bytes=").and_then(|r| r.trim_end_matches('-').parse().ok());
        match start {
            Some(start) => {
                let _: usize = start;
                let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
                Reply::Full(206, vec![("content-range".into(), range)], bytes[start..].to_vec())
            }
            None => Reply::body(kind, bytes),
        }
    }
}

pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}
