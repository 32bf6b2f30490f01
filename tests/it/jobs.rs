//! Jobs: steps below their parent, cancellation, history that other processes see, interruption.

use super::engine::{Bench, open, run, run_args, targets};
use super::support::{StateRoot, program};
use crate::needs;
use std::time::Duration;
use teu::engine::request::{InspectArgs, InspectKind, StopArgs};
use teu::engine::{ErrorKind, Event, Request};

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

#[test]
fn a_command_leaves_its_job_ended() {
    needs!(Root);
    run(async {
        let root = StateRoot::new();
        program::run(root.path(), &["run", "--rm", "--network", "none", "localhost/starter", "sleep", "0.2"]).exits(0);
        program::run(root.path(), &["run", "--rm", "--network", "none", "localhost/starter", "true"]).exits(0);
        let jobs = open(&root, false).await.inventory().jobs.clone();
        let words: Vec<_> = jobs.iter().map(|j| (j.name, j.status.word())).collect();
        assert_eq!(words, [("run", "done"), ("from-host", "done"), ("run", "done")]);
    });
}

/// Runs this test again in a process of its own, whose memory no other test changes. True in that process.
fn alone(test: &str) -> bool {
    const VARIABLE: &str = "TEU_TEST_ALONE";
    if std::env::var_os(VARIABLE).is_some() {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", test, "--nocapture"]).env(VARIABLE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    false
}

#[test]
fn questions_that_wait_have_a_bound_and_acts_of_people_none() {
    needs!(Root);
    // On one thread nothing is answered while the questions are asked.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let root = StateRoot::new();
        program::run(root.path(), &["image", "from-host"]).exits(0);
        let engine = open(&root, false).await;
        let args = InspectArgs { names: vec!["localhost/starter".into()], kind: InspectKind::Any, size: false };
        let asked: Vec<_> = (0..4096 + 3).map(|_| engine.submit(Request::Inspect(args.clone())).outcome()).collect();
        let stop =
            engine.submit(Request::Stop(StopArgs { containers: vec!["nosuch".into()], timeout: None, signal: None }));
        let mut refused = Vec::new();
        for answer in asked {
            refused.extend(answer.await.err());
        }
        assert_eq!(refused.len(), 3);
        assert_eq!(refused[0].kind(), ErrorKind::Unavailable);
        assert_eq!(refused[0].what(), "inspect localhost/starter: 4096 questions wait already");
        assert_eq!(stop.outcome().await.unwrap_err().kind(), ErrorKind::NotFound);
        engine.submit(Request::Inspect(args)).outcome().await.unwrap();
    });
}

/// Bytes of memory that this process holds.
fn memory() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn thousands_of_questions_are_no_news_and_leave_nothing() {
    needs!(Root);
    if !alone("jobs::thousands_of_questions_are_no_news_and_leave_nothing") {
        return;
    }
    run(async {
        let root = StateRoot::new();
        program::run(root.path(), &["image", "from-host"]).exits(0);
        let engine = open(&root, true).await;
        let ask = async |times: usize| {
            let args = InspectArgs { names: vec!["localhost/starter".into()], kind: InspectKind::Any, size: false };
            let asked: Vec<_> = (0..times).map(|_| engine.submit(Request::Inspect(args.clone())).outcome()).collect();
            for answer in asked {
                answer.await.unwrap();
            }
        };
        ask(2000).await;
        let (before, mut events) = (memory(), engine.events());
        for _ in 0..4 {
            ask(2000).await;
        }
        let grown = memory().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes more");
        // Forgetting them comes after their answers; the time limit of the whole is this wait's too.
        while engine.inventory().jobs.len() >= 500 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while let Ok(event) = events.try_recv() {
            assert!(!matches!(event, Event::Job(_)), "{event:?}");
        }
        engine.shutdown(Duration::from_secs(5)).await;
    });
}
