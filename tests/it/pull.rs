//! Pulls from registries that behave and from those that do not.

use crate::needs;
use crate::support::registry::{INDEX, Image, MANIFEST, Registry, Reply, Request, gzip, tar};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use teu::image::layers::LayerStore;
use teu::image::pull::{LayerState, PullRequest, Pulled, Stores, Update, pull};
use teu::image::registry::{AuthSources, Options, Patience, RegistryClient};
use teu::image::{Error, platform};
use teu::model::reference::Digest;
use teu::model::time::Timestamp;
use teu::store::StateRoot;
use teu::store::content::ContentStore;
use tokio_util::sync::CancellationToken;

/// A store, a client with little patience, and what was said on the way.
struct Puller {
    dir: tempfile::TempDir,
    options: Options,
    updates: Arc<Mutex<Vec<Update>>>,
    cancel: CancellationToken,
}

impl Puller {
    fn new() -> Puller {
        let patience = Patience {
            attempts: 4,
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(5),
            longest_asked: Duration::from_millis(20),
            silence: Duration::from_secs(2),
            connect: Duration::from_secs(5),
        };
        let options = Options { patience, ..Options::default() };
        let dir = tempfile::tempdir().unwrap();
        Puller { dir, options, updates: Arc::default(), cancel: CancellationToken::new() }
    }

    fn auth(mut self, json: &str) -> Puller {
        let file = self.dir.path().join("auth.json");
        fs::write(&file, json).unwrap();
        self.options.auth = AuthSources { files: vec![file] };
        self
    }

    fn data(&self, below: &str) -> PathBuf {
        self.dir.path().join("data").join(below)
    }

    fn pull_as(&self, reference: &str, change: impl FnOnce(&mut PullRequest)) -> Result<Pulled, Error> {
        let data = self.data("");
        let root = StateRoot::new(&data, data.join("run"));
        let stores = Stores { content: ContentStore::open(&root).unwrap(), layers: LayerStore::open(&root).unwrap() };
        let client = RegistryClient::new(self.options.clone()).unwrap();
        let mut request =
            PullRequest { reference: reference.parse().unwrap(), platform: None, known: None, now: Timestamp(1) };
        change(&mut request);
        let updates = self.updates.clone();
        let sink = Arc::new(move |update| updates.lock().unwrap().push(update));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(pull(&client, &stores, request, sink, &self.cancel))
    }

    fn pull(&self, registry: &Registry) -> Result<Pulled, Error> {
        self.pull_as(&format!("{}/app", registry.address), |_| {})
    }

    fn names(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.data(below)).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Nothing visible, nothing half made; partial blobs may stay.
    fn assert_clean(&self) {
        assert_eq!(self.names("layers"), Vec::<String>::new());
        let left: Vec<String> = self.names("ingest").into_iter().filter(|n| !n.ends_with(".part")).collect();
        assert_eq!(left, Vec::<String>::new());
    }

    fn notes(&self) -> String {
        let updates = self.updates.lock().unwrap();
        let notes = updates.iter().filter_map(|u| match u {
            Update::Note(note) => Some(note.as_str()),
            _ => None,
        });
        notes.collect::<Vec<_>>().join("\n")
    }
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn two_layers() -> Image {
    let big = noise(2_000_000);
    Image::new(&[&[("etc/one", b"1"), ("big", &big)], &[("etc/two", b"2"), ("etc/.wh.one", b"")]])
}

fn is_blob(request: &Request, image: &Image, layer: usize) -> bool {
    request.path.ends_with(&format!("blobs/{}", image.layers[layer]))
}

#[test]
fn a_good_registry_gives_a_whole_image() {
    let image = two_layers();
    let registry = Registry::start(&image, |_| None);
    let puller = Puller::new();
    let pulled = puller.pull(&registry).unwrap();
    assert!(!pulled.up_to_date);
    let made = pulled.image;
    assert_eq!(made.manifest, Digest::of(image.manifest.as_bytes()));
    assert_eq!((made.layers.len(), made.os.as_str(), made.size), (2, "linux", 2_000_002));
    let top = puller.data("layers").join(made.layers[0].chain_id.hex()).join("fs/etc/one");
    assert_eq!(fs::read(top).unwrap(), b"1");
    assert_eq!(puller.names("ingest"), Vec::<String>::new());
    let done = |u: &Update| matches!(u, Update::Layer { index: 0, state: LayerState::Done, .. });
    assert!(puller.updates.lock().unwrap().iter().any(done));

    let blobs = registry.count("blobs");
    let again =
        puller.pull_as(&format!("{}/app", registry.address), |r| r.known = Some(made.manifest.clone())).unwrap();
    assert!(again.up_to_date);
    assert_eq!(registry.count("blobs"), blobs, "nothing is fetched twice");
}

#[test]
fn an_index_gives_the_image_of_the_platform() {
    let mut image = two_layers();
    let (digest, size) = (Digest::of(image.manifest.as_bytes()), image.manifest.len());
    let entry = |os: &str, arch: &str| {
        serde_json::json!({"mediaType": MANIFEST, "digest": digest.to_string(), "size": size,
            "platform": {"os": os, "architecture": arch}})
    };
    let host = platform::host();
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": INDEX,
        "manifests": [entry("windows", "amd64"), entry("linux", &host.architecture)]});
    image.tag("multi", INDEX, index.to_string().into_bytes());
    let registry = Registry::start(&image, |_| None);
    let puller = Puller::new();
    let reference = format!("{}/app:multi", registry.address);
    let pulled = puller.pull_as(&reference, |_| {}).unwrap();
    assert!(pulled.image.repo_digests[0].ends_with(&Digest::of(index.to_string().as_bytes()).to_string()));
    let error = puller.pull_as(&reference, |r| r.platform = platform::parse("linux/s390x")).unwrap_err();
    assert!(matches!(&error, Error::NoPlatform { available, .. } if available.contains("windows/amd64")), "{error}");
}

#[test]
fn what_is_not_there_is_said_at_once() {
    let registry = Registry::start(&two_layers(), |_| None);
    let puller = Puller::new();
    let error = puller.pull_as(&format!("{}/app:nope", registry.address), |_| {}).unwrap_err();
    assert!(matches!(&error, Error::NotFound { what, .. } if what.contains("app:nope")), "{error}");
    assert_eq!(registry.seen().len(), 1);
    let error = Puller::new().pull_as("127.0.0.1:1/app", |_| {}).unwrap_err();
    assert!(matches!(error, Error::Unavailable { attempts: 1, .. }), "{error}");
    puller.assert_clean();
}

#[test]
fn passing_failures_are_retried_on_every_kind_of_request() {
    let image = two_layers();
    let failures = Arc::new(AtomicUsize::new(0));
    let seen = Arc::new(Mutex::new(std::collections::HashMap::<String, usize>::new()));
    let counter = failures.clone();
    let registry = Registry::start(&image, move |request| {
        let mut seen = seen.lock().unwrap();
        let times = seen.entry(request.path.clone()).or_default();
        *times += 1;
        let reply = match *times {
            1 => Reply::status(500),
            2 => Reply::status(429).with("retry-after", "9999"),
            3 => Reply::Drop,
            _ => return None,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Some(reply)
    });
    let puller = Puller::new();
    let begin = Instant::now();
    puller.pull(&registry).unwrap();
    // Manifest, configuration, two layers: three failures each.
    assert_eq!(failures.load(Ordering::Relaxed), 12);
    assert!(begin.elapsed() < Duration::from_secs(60), "Retry-After is bounded");
    assert!(puller.notes().contains("429"), "{}", puller.notes());
}

#[test]
fn patience_ends() {
    let registry = Registry::start(&two_layers(), |_| Some(Reply::status(503)));
    let error = Puller::new().pull(&registry).unwrap_err();
    assert!(matches!(error, Error::Unavailable { attempts: 4, .. }), "{error}");
    let registry = Registry::start(&two_layers(), |_| Some(Reply::status(429)));
    let error = Puller::new().pull(&registry).unwrap_err();
    assert!(matches!(error, Error::RateLimited { .. }), "{error}");
    let registry = Registry::start(&two_layers(), |_| Some(Reply::status(403)));
    let error = Puller::new().pull(&registry).unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }), "{error}");
}

/// Answers the first request for the big layer with its first half, in the given manner.
fn half(image: &Image, reply: fn(Vec<u8>, usize) -> Reply) -> Registry {
    let (kept, first) = (image.clone(), AtomicUsize::new(0));
    Registry::start(image, move |request| {
        let ours = is_blob(request, &kept, 0) && first.fetch_add(1, Ordering::Relaxed) == 0;
        ours.then(|| reply(kept.blob(0)[..1_000_000].to_vec(), kept.blob(0).len()))
    })
}

#[test]
fn a_cut_or_silent_connection_is_resumed_by_range() {
    let cut: fn(Vec<u8>, usize) -> Reply =
        |body, promised| Reply::Cut { status: 200, headers: Vec::new(), promised, body };
    let silent: fn(Vec<u8>, usize) -> Reply =
        |body, promised| Reply::Silent { status: 200, headers: Vec::new(), promised, body };
    for reply in [cut, silent] {
        let image = two_layers();
        let registry = half(&image, reply);
        let puller = Puller::new();
        puller.pull(&registry).unwrap();
        let ranges: Vec<String> = registry.seen().iter().map(|r| r.header("range").to_owned()).collect();
        assert!(ranges.iter().any(|r| r == "bytes=1000000-"), "{ranges:?}");
    }
}

#[test]
fn a_registry_without_ranges_or_with_wrong_ones_still_serves() {
    for wrong in [false, true] {
        let image = two_layers();
        let (kept, times) = (image.clone(), AtomicUsize::new(0));
        let registry = Registry::start(&image, move |request| {
            if !is_blob(request, &kept, 0) {
                return None;
            }
            let blob = kept.blob(0);
            Some(match times.fetch_add(1, Ordering::Relaxed) {
                0 => Reply::Cut {
                    status: 200,
                    headers: Vec::new(),
                    promised: blob.len(),
                    body: blob[..900_000].to_vec(),
                },
                _ if wrong && !request.header("range").is_empty() => {
                    let range = format!("bytes 5-{}/{}", blob.len() - 1, blob.len());
                    Reply::Full(206, vec![("content-range".into(), range)], blob[5..].to_vec())
                }
                _ => Reply::Full(200, Vec::new(), blob.to_vec()),
            })
        });
        Puller::new().pull(&registry).unwrap();
    }
}

#[test]
fn content_that_is_not_what_was_promised_is_refused() {
    let image = two_layers();
    let good = image.blob(1).to_vec();
    type Lie = fn(Vec<u8>) -> Reply;
    let lies: [(&str, Lie); 4] = [
        ("other bytes", |mut blob| {
            let middle = blob.len() / 2;
            blob[middle] ^= 1;
            Reply::Full(200, Vec::new(), blob)
        }),
        ("too long", |mut blob| {
            blob.push(0);
            Reply::Full(200, Vec::new(), blob)
        }),
        ("too short", |mut blob| {
            blob.pop();
            Reply::Full(200, Vec::new(), blob)
        }),
        ("endless", |_| Reply::Endless),
    ];
    for (name, lie) in lies {
        let (kept, good) = (image.clone(), good.clone());
        let registry = Registry::start(&image, move |r| is_blob(r, &kept, 1).then(|| lie(good.clone())));
        let puller = Puller::new();
        let error = puller.pull(&registry).unwrap_err();
        assert!(matches!(error, Error::Mismatch { .. }), "{name}: {error}");
        let ours = format!("blob-{}.part", image.layers[1].hex());
        assert!(!puller.names("ingest").contains(&ours), "{name}: nothing of it is kept");
        assert_eq!(puller.names("ingest").iter().filter(|n| n.starts_with("layer-")).count(), 0, "{name}");
    }
}

#[test]
fn a_wrong_diff_id_or_archive_leaves_nothing() {
    let tar = tar(&[("a", b"1")]);
    let image = Image::of_blobs(vec![(gzip(&tar), Digest::of(b"something else"))]);
    let registry = Registry::start(&image, |_| None);
    let puller = Puller::new();
    let error = puller.pull(&registry).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    puller.assert_clean();
    assert_eq!(puller.names("ingest"), Vec::<String>::new());

    let evil = crate::support::registry::tar(&[("../../evil", b"x")]);
    let registry = Registry::start(&Image::of_tars(vec![evil]), |_| None);
    let error = puller.pull(&registry).unwrap_err();
    assert!(matches!(&error, Error::Invalid { what, .. } if what.starts_with("layer ")), "{error}");
    puller.assert_clean();
    assert!(!puller.dir.path().join("evil").exists());
}

#[test]
fn documents_are_bounded_in_size_and_depth() {
    let image = two_layers();
    let manifest =
        |reply: fn() -> Reply| Registry::start(&two_layers(), move |r| r.path.contains("manifests").then(reply));
    for (reply, why) in [
        ((|| Reply::Endless) as fn() -> Reply, "larger than"),
        (|| Reply::body(MANIFEST, &vec![b' '; 100 << 20]), "larger than"),
        (|| Reply::body(MANIFEST, "[".repeat(100_000).as_bytes()), "too deep"),
        (|| Reply::body("text/html", b"<html>"), "invalid"),
        (|| Reply::body(MANIFEST, br#"{"manifests":[],"layers":[]}"#), "both"),
    ] {
        let error = Puller::new().pull(&manifest(reply)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    // A tag whose header promises another digest than the body has.
    let body = image.manifest.clone();
    let registry = Registry::start(&image, move |r| {
        let reply = Reply::body(MANIFEST, body.as_bytes()).with("docker-content-digest", &Digest::of(b"x").to_string());
        r.path.contains("manifests").then_some(reply)
    });
    assert!(matches!(Puller::new().pull(&registry), Err(Error::Mismatch { .. })));
}

#[test]
fn a_cancelled_pull_is_resumed_and_a_rotten_part_is_not_trusted() {
    let image = two_layers();
    let silent: fn(Vec<u8>, usize) -> Reply =
        |body, promised| Reply::Silent { status: 200, headers: Vec::new(), promised, body };
    let registry = half(&image, silent);
    let mut puller = Puller::new();
    puller.options.patience.silence = Duration::from_secs(600);
    let part = puller.data("ingest").join(format!("blob-{}.part", image.layers[0].hex()));
    let error = std::thread::scope(|scope| {
        let pulling = scope.spawn(|| puller.pull(&registry).unwrap_err());
        crate::support::wait_until("half of the layer is here", || {
            fs::metadata(&part).is_ok_and(|m| m.len() == 1_000_000).then_some(())
        });
        puller.cancel.cancel();
        pulling.join().unwrap()
    });
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert_eq!(puller.names("ingest").iter().filter(|n| n.starts_with("layer-")).count(), 0);

    let keep = fs::read(&part).unwrap();
    puller.cancel = CancellationToken::new();
    puller.pull(&registry).unwrap();
    assert!(registry.seen().iter().any(|r| r.header("range") == "bytes=1000000-"));

    // The same again from a part that rotted on disk.
    let other = Puller::new();
    fs::create_dir_all(other.data("ingest")).unwrap();
    let mut rotten = keep;
    rotten[500_000] ^= 0xff;
    fs::write(other.data("ingest").join(part.file_name().unwrap()), rotten).unwrap();
    other.pull(&registry).unwrap();
    assert!(other.notes().contains("corrupt"), "{}", other.notes());
}

#[test]
fn a_killed_pull_is_resumed_by_the_next() {
    needs!(Userns);
    let image = two_layers();
    let silent: fn(Vec<u8>, usize) -> Reply =
        |body, promised| Reply::Silent { status: 200, headers: Vec::new(), promised, body };
    let registry = half(&image, silent);
    let root = crate::support::StateRoot::new();
    let reference = format!("{}/app", registry.address);
    let part = root.path().join(format!("ingest/blob-{}.part", image.layers[0].hex()));
    let mut pulling = root.start(&["pull", &reference]);
    crate::support::wait_until("half of the layer is here", || {
        fs::metadata(&part).is_ok_and(|m| m.len() == 1_000_000).then_some(())
    });
    pulling.0.kill().unwrap();
    pulling.0.wait().unwrap();
    assert_eq!(root.teu(&["images", "-q"]).exits(0).stdout, "", "nothing is visible before it is whole");
    assert!(part.exists(), "other commands leave the part alone");
    root.teu(&["pull", &reference]).exits(0);
    assert!(registry.seen().iter().any(|r| r.header("range") == "bytes=1000000-"));
    assert_eq!(root.teu(&["images", "-q"]).exits(0).stdout.lines().count(), 1);
    let left: Vec<_> = fs::read_dir(root.path().join("ingest")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    crate::support::leaks::assert_none(root.path());
}

#[test]
fn what_is_being_pulled_survives_a_prune() {
    needs!(Userns);
    let image = two_layers();
    let (hold, last) = (Arc::new(Mutex::new(())), image.layers[1].to_string());
    let (gate, path) = (hold.clone(), last.clone());
    let held = hold.lock().unwrap();
    // The last layer comes when the test lets it.
    let registry = Registry::start(&image, move |r| {
        if r.path.contains(&path) {
            drop(gate.lock().unwrap());
        }
        None
    });
    let root = crate::support::StateRoot::new();
    let reference = format!("{}/app", registry.address);
    let mut pulling = root.start(&["pull", "-q", &reference]);
    let layers = root.path().join("layers");
    crate::support::wait_until("the first layer is unpacked and the last asked for", || {
        let unpacked =
            fs::read_dir(&layers).is_ok_and(|mut l| l.any(|e| e.unwrap().path().join("layer.json").exists()));
        (unpacked && registry.count(&last) > 0).then_some(())
    });
    root.teu(&["system", "prune", "-af", "--volumes"]).exits(0);
    root.teu(&["image", "prune", "-af"]).exits(0);
    assert_eq!(fs::read_dir(&layers).unwrap().count(), 1);
    drop(held);
    assert!(pulling.0.wait().unwrap().success());
    assert_eq!(registry.count(&image.layers[0].to_string()), 1, "nothing had to be fetched again");
    root.teu(&["create", "-q", "--network", "none", &reference, "true"]).exits(0);
    assert_eq!(fs::read_dir(&layers).unwrap().count(), 2);
}

#[test]
fn two_pulls_at_once_share_the_work() {
    let image = two_layers();
    let registry = Registry::start(&image, |_| None);
    let puller = Puller::new();
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| puller.pull(&registry)), scope.spawn(|| puller.pull(&registry))];
        for pull in both {
            pull.join().unwrap().unwrap();
        }
    });
    assert_eq!(registry.count(&image.layers[0].to_string()), 1);
    assert_eq!(puller.names("ingest"), Vec::<String>::new());
}

/// A token service on the registry itself; tokens are valid for `uses` requests.
fn guarded(image: &Image, uses: usize, expected: &'static str) -> Registry {
    let address = Arc::new(Mutex::new(String::new()));
    let (shared, issued, left) = (address.clone(), AtomicUsize::new(0), Mutex::new((0, 0_usize)));
    let registry = Registry::start(image, move |request| {
        if request.path.starts_with("/token") {
            if request.header("authorization") != expected {
                return Some(Reply::status(401));
            }
            let number = issued.fetch_add(1, Ordering::Relaxed) + 1;
            *left.lock().unwrap() = (number, uses);
            return Some(Reply::body("application/json", format!("{{\"token\":\"t{number}\"}}").as_bytes()));
        }
        let mut left = left.lock().unwrap();
        if left.1 > 0 && request.header("authorization") == format!("Bearer t{}", left.0) {
            left.1 -= 1;
            return None;
        }
        let realm = format!("Bearer realm=\"http://{}/token\",service=\"s\"", shared.lock().unwrap());
        Some(Reply::status(401).with("www-authenticate", &realm))
    });
    address.lock().unwrap().clone_from(&registry.address);
    registry
}

#[test]
fn a_token_that_expires_in_mid_pull_is_renewed() {
    let registry = guarded(&two_layers(), 2, "");
    Puller::new().pull(&registry).unwrap();
    assert!(registry.count("/token") >= 2);
    let scope = registry.seen().iter().find(|r| r.path.starts_with("/token")).unwrap().path.clone();
    assert!(scope.contains("scope=repository%3Aapp%3Apull") && scope.contains("service=s"), "{scope}");
}

#[test]
fn saved_credentials_are_used_and_their_refusal_is_named() {
    let registry = guarded(&two_layers(), 100, "Basic dXNlcjpwYXNz");
    let auth = |secret: &str| format!(r#"{{"auths":{{"{}":{{"auth":"{secret}"}}}}}}"#, registry.address);
    Puller::new().auth(&auth("dXNlcjpwYXNz")).pull(&registry).unwrap();
    let error = Puller::new().auth(&auth("dXNlcjp3cm9uZw==")).pull(&registry).unwrap_err();
    assert!(matches!(&error, Error::Unauthorized { said, .. } if said.contains("saved")), "{error}");
    let error = Puller::new().pull(&registry).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");

    let basic = Registry::start(&two_layers(), |request| {
        let known = request.header("authorization") == "Basic dXNlcjpwYXNz";
        (!known).then(|| Reply::status(401).with("www-authenticate", "Basic realm=\"r\""))
    });
    let auth = format!(r#"{{"auths":{{"{}":{{"username":"user","password":"pass"}}}}}}"#, basic.address);
    Puller::new().auth(&auth).pull(&basic).unwrap();
}

#[test]
fn an_identity_token_is_exchanged_by_post() {
    let image = two_layers();
    let registry = Registry::start(&image, |request| {
        if request.path.starts_with("/token") {
            let right = request.method == "POST" && request.body.contains("refresh_token=idt");
            return Some(match right {
                true => Reply::body("application/json", br#"{"access_token":"x"}"#),
                false => Reply::status(400),
            });
        }
        let realm = format!("Bearer realm=\"http://{}/token\"", request.header("host"));
        (request.header("authorization") != "Bearer x").then(|| Reply::status(401).with("www-authenticate", &realm))
    });
    let auth = format!(r#"{{"auths":{{"{}":{{"identitytoken":"idt"}}}}}}"#, registry.address);
    Puller::new().auth(&auth).pull(&registry).unwrap();
}

#[test]
fn credentials_reach_no_other_host_also_not_over_two_redirects() {
    let image = two_layers();
    let storage = Registry::start(&image, |_| None);
    let middle = {
        let to = storage.address.clone();
        Registry::start(&image, move |r| Some(Reply::status(307).with("location", &format!("http://{to}{}", r.path))))
    };
    let (to, kept) = (middle.address.clone(), image.clone());
    let registry = Registry::start(&image, move |request| {
        if request.header("authorization") != "Basic dXNlcjpwYXNz" {
            return Some(Reply::status(401).with("www-authenticate", "Basic realm=\"r\""));
        }
        let location = format!("http://{to}{}", request.path);
        kept.layers
            .iter()
            .any(|l| request.path.contains(l.hex()))
            .then(|| Reply::status(307).with("location", &location))
    });
    let auth = format!(r#"{{"auths":{{"{}":{{"auth":"dXNlcjpwYXNz"}}}}}}"#, registry.address);
    Puller::new().auth(&auth).pull(&registry).unwrap();
    assert_eq!((middle.seen().len(), storage.seen().len()), (2, 2));
    for request in middle.seen().iter().chain(&storage.seen()) {
        assert_eq!(request.header("authorization"), "", "{request:?}");
    }
    let around = Registry::start(&image, |r| Some(Reply::status(302).with("location", &r.path)));
    assert!(Puller::new().pull(&around).unwrap_err().to_string().contains("redirects more than"));
    let away = Registry::start(&image, |_| Some(Reply::status(302).with("location", "file:///etc/passwd")));
    assert!(Puller::new().pull(&away).unwrap_err().to_string().contains("not HTTP"));
    let plain = Registry::start(&image, |_| Some(Reply::status(302).with("location", "http://192.0.2.1/x")));
    assert!(Puller::new().pull(&plain).unwrap_err().to_string().contains("plain HTTP"));
}

#[test]
fn a_registry_cannot_write_to_the_terminal() {
    let registry = Registry::start(&two_layers(), |_| {
        Some(Reply::Full(403, Vec::new(), b"{\"errors\":[{\"message\":\"\x1b]0;gotcha\x07 no\\u001b[2J\"}]}".to_vec()))
    });
    let error = Puller::new().pull(&registry).unwrap_err().to_string();
    assert!(!error.chars().any(char::is_control), "{error:?}");
}

#[test]
fn what_a_pull_was_killed_in_is_cleaned_up_later() {
    let puller = Puller::new();
    let data = puller.data("");
    let root = StateRoot::new(&data, data.join("run"));
    let store = LayerStore::open(&root).unwrap();
    fs::create_dir_all(data.join("ingest/layer-dead/fs/a")).unwrap();
    let alive = store.stage().unwrap();
    for dead in ["content-dead", "dead.lock"] {
        fs::write(data.join("ingest").join(dead), "").unwrap();
    }
    let blob = |n: u8| Digest::of(&[n]);
    let held = store.try_lock(&blob(1)).unwrap().unwrap();
    fs::write(data.join("ingest/blob-x.part"), "kept for a week").unwrap();
    let now = std::time::SystemTime::now();
    store.clean(now).unwrap();
    let names = puller.names("ingest");
    assert!(!names.iter().any(|name| name.contains("dead")) && names.len() == 3, "{names:?}");
    assert!(alive.fs().exists());
    assert!(store.try_lock(&blob(1)).unwrap().is_none(), "a lock in use stays");
    drop(held);
    store.clean(now + Duration::from_secs(8 * 24 * 3600)).unwrap();
    assert!(!puller.names("ingest").contains(&"blob-x.part".into()));
}

#[test]
fn a_clean_up_takes_no_lock_from_its_holder() {
    let data = tempfile::tempdir().unwrap();
    let root = StateRoot::new(data.path(), data.path().join("run"));
    let (store, key) = (LayerStore::open(&root).unwrap(), Digest::of(b"layer"));
    let (held, done, twice) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..3000 {
                    let Some(lock) = store.try_lock(&key).unwrap() else { continue };
                    twice.fetch_add(held.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                    std::thread::yield_now();
                    held.fetch_sub(1, Ordering::SeqCst);
                    drop(lock);
                }
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        while done.load(Ordering::SeqCst) < 3 {
            store.clean(std::time::SystemTime::now()).unwrap();
        }
    });
    assert_eq!(twice.into_inner(), 0, "two held one lock");
}
