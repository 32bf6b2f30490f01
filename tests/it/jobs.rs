//! Jobs: steps below their parent, cancellation, history that other processes see, interruption.

use super::engine::{Bench, open, run, run_args, targets};
use crate::needs;
use std::time::Duration;
use teu::engine::{ErrorKind, Request};

#[test]
fn a_run_shows_its_steps() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.ask(Request::Run(Box::new(run_args("", &["true"], false)))).await.unwrap();
        let jobs = bench.engine.inventory().jobs.clone();
        let parent = jobs.iter().find(|j| j.name == "run").unwrap();
        let steps: Vec<_> = jobs.iter().filter(|j| j.parent == Some(parent.id)).map(|j| j.name).collect();
        assert_eq!(steps, ["start", "create", "from-host"], "newest first");
        assert!(jobs.iter().all(|j| j.status.word() == "done"));
    });
}

#[test]
fn a_waiting_job_can_be_cancelled() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.sleeper("web").await;
        let job = bench.engine.submit(Request::Wait(targets(&["web"])));
        let outcome = job.outcome();
        job.cancel();
        assert_eq!(outcome.await.unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(bench.inspect("web").await["State"]["Running"], true);
    });
}

#[test]
fn history_is_seen_by_the_next_process() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.sleeper("web").await;
        bench.ask(Bench::remove(&["web"], true)).await.unwrap();
        let failed = bench.ask(Request::Start(targets(&["web"]))).await;
        assert!(failed.is_err());
        let Bench { root, engine } = bench;
        engine.shutdown(Duration::from_secs(5)).await;
        let next = open(&root, false).await;
        let jobs = next.inventory().jobs.clone();
        let words: Vec<_> = jobs.iter().map(|j| (j.name, j.status.word())).collect();
        assert_eq!(words, [("start", "failed"), ("rm", "done"), ("from-host", "done"), ("run", "done")]);
    });
}
