//! The engine without a front end: names, bulk results, images and volumes in use; what the other engine tests share.

use super::support::{StateRoot, program};
use crate::needs;
use std::time::Duration;
use teu::engine::job::{Chunk, JobIo};
use teu::engine::request::*;
use teu::engine::{Engine, ErrorKind, Options, Output, Request, Result};

/// An engine on a root of its own, with the starter image.
pub struct Bench {
    pub root: StateRoot,
    pub engine: Engine,
}

/// What a session gave, as text.
#[derive(Default, Debug)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub log: Vec<String>,
}

pub fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let value = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), work).await });
    runtime.shutdown_timeout(Duration::from_secs(5));
    value.expect("a test of the engine takes less than a minute")
}

pub async fn open(root: &StateRoot, background: bool) -> Engine {
    let options = Options {
        data_dir: root.path().to_owned(),
        run_dir: root.path().join("run"),
        program: program::binary(),
        background,
        ..Options::default()
    };
    std::fs::create_dir_all(&options.run_dir).unwrap();
    Engine::open(options).await.unwrap()
}

pub fn targets(names: &[&str]) -> Targets {
    Targets { containers: names.iter().map(|n| (*n).to_owned()).collect() }
}

/// `run` of the starter image.
pub fn run_args(name: &str, command: &[&str], detach: bool) -> RunArgs {
    let create = CreateArgs {
        image: "localhost/starter".into(),
        name: (!name.is_empty()).then(|| name.to_owned()),
        command: command.iter().map(|c| (*c).to_owned()).collect(),
        ..CreateArgs::default()
    };
    RunArgs { create, detach, stdin: false, size: None }
}

impl Bench {
    pub async fn new() -> Bench {
        let root = StateRoot::new();
        let engine = open(&root, false).await;
        Bench { root, engine }
    }

    pub async fn ask(&self, request: Request) -> Result<Output> {
        self.session(request).await.0
    }

    /// To the end of the job, with all that its session said.
    pub async fn session(&self, request: Request) -> (Result<Output>, Said) {
        let mut job = self.engine.submit(request);
        let mut said = Said::default();
        if let Some(JobIo { input, mut output }) = job.io.take() {
            let _open = input;
            while let Some(chunk) = output.recv().await {
                match chunk {
                    Chunk::Stdout(b) | Chunk::Console(b) => said.stdout.push_str(&String::from_utf8_lossy(&b)),
                    Chunk::Stderr(b) => said.stderr.push_str(&String::from_utf8_lossy(&b)),
                    Chunk::Log(records) => {
                        said.log.extend(records.iter().map(|r| String::from_utf8_lossy(&r.bytes).into_owned()));
                    }
                    _ => {}
                }
            }
        }
        (job.outcome().await, said)
    }

    /// A running container that only waits.
    pub async fn sleeper(&self, name: &str) -> String {
        let args = run_args(name, &["sleep", "1000"], true);
        match self.ask(Request::Run(Box::new(args))).await.unwrap() {
            Output::Container { id, .. } => id.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    pub async fn inspect(&self, name: &str) -> serde_json::Value {
        let args = InspectArgs { names: vec![name.into()], kind: InspectKind::Any, size: false };
        match self.ask(Request::Inspect(args)).await.unwrap() {
            Output::Inspected(mut values) => values.remove(0),
            other => panic!("{other:?}"),
        }
    }

    pub fn remove(names: &[&str], force: bool) -> Request {
        Request::Remove(RemoveArgs { containers: targets(names).containers, force, volumes: true, undo: None })
    }
}

#[test]
fn what_is_not_there_is_named_with_a_hint() {
    run(async {
        let bench = Bench::new().await;
        let error = bench.ask(Request::Start(targets(&["nosuch"]))).await.unwrap_err();
        assert_eq!((error.kind(), error.what()), (ErrorKind::NotFound, "no such container: nosuch"));
        assert!(error.hint_text().unwrap().contains("teu ps -a"));
        let args = RemoveImagesArgs { images: vec!["nosuch:1".into()], force: false, undo: None };
        let error = bench.ask(Request::RemoveImages(args)).await.unwrap_err();
        assert!(error.to_string().contains("no such image: nosuch:1"), "{error}");
        let args = InspectArgs { names: vec!["x".into()], kind: InspectKind::Any, size: false };
        let error = bench.ask(Request::Inspect(args)).await.unwrap_err();
        assert_eq!(error.what(), "no such object: x");
    });
}

#[test]
fn several_targets_have_one_result_each() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.sleeper("one").await;
        let stop =
            StopArgs { containers: vec!["one".into(), "nosuch".into()], timeout: Some(Duration::ZERO), signal: None };
        let Output::Many(results) = bench.ask(Request::Stop(stop)).await.unwrap() else { panic!() };
        assert_eq!(results[0].1.as_deref().unwrap(), "one");
        assert_eq!(results[1].1.as_ref().unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn images_and_names_in_use_are_kept() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.sleeper("web").await;
        let remove = |force| {
            Request::RemoveImages(RemoveImagesArgs { images: vec!["localhost/starter".into()], force, undo: None })
        };
        let error = bench.ask(remove(false)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(bench.ask(remove(true)).await.is_err(), "a running container keeps its image");
        let again = bench.ask(Request::Run(Box::new(run_args("web", &["true"], true)))).await.unwrap_err();
        assert!(again.to_string().contains("the name 'web' is taken"), "{again}");
        assert_eq!(again.kind(), ErrorKind::Conflict);
        let error = bench.ask(Bench::remove(&["web"], false)).await.unwrap_err();
        assert!(error.hint_text().unwrap().contains("-f"), "{error}");
        bench.ask(Bench::remove(&["web"], true)).await.unwrap();
        let target = "localhost/other:1".parse().unwrap();
        bench.ask(Request::Tag(TagArgs { image: "localhost/starter".into(), target })).await.unwrap();
        let Output::RemovedImages { untagged, deleted } = bench.ask(remove(false)).await.unwrap() else { panic!() };
        assert_eq!((untagged.len(), deleted.len()), (1, 0));
        let args = RemoveImagesArgs { images: vec!["localhost/other:1".into()], force: false, undo: None };
        let Output::RemovedImages { deleted, .. } = bench.ask(Request::RemoveImages(args)).await.unwrap() else {
            panic!()
        };
        assert_eq!(deleted.len(), 1);
        let layers = std::fs::read_dir(bench.root.path().join("layers")).unwrap().count();
        assert_eq!(layers, 0, "the layers went with the last name");
    });
}

#[test]
fn prune_shows_first_and_then_removes_the_same() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.ask(Request::Run(Box::new(run_args("done", &["true"], false)))).await.unwrap();
        bench.sleeper("alive").await;
        let prune = |dry_run| Request::Prune(PruneArgs { containers: true, dry_run, ..PruneArgs::default() });
        let Output::Pruned { containers: shown, .. } = bench.ask(prune(true)).await.unwrap() else { panic!() };
        let Output::Pruned { containers: gone, .. } = bench.ask(prune(false)).await.unwrap() else { panic!() };
        assert_eq!((shown.len(), &shown), (1, &gone));
        assert_eq!(bench.engine.inventory().containers.len(), 1);
    });
}
