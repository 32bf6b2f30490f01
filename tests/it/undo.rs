//! Removals that can be taken back: hidden first, deleted when the time is over.

use super::engine::{Bench, open, run, targets};
use super::support::StateRoot;
use crate::needs;
use crate::support::screen::Screen;
use std::time::Duration;
use teu::engine::job::{JobHandle, UNDOABLE};
use teu::engine::request::*;
use teu::engine::{Engine, ErrorKind, Output, Request};

fn removal(name: &str, window: Duration) -> Request {
    let containers = targets(&[name]).containers;
    Request::Remove(RemoveArgs { containers, force: true, volumes: false, undo: Some(window) })
}

fn image_removal(window: Duration) -> Request {
    let images = vec!["localhost/starter".into()];
    Request::RemoveImages(RemoveImagesArgs { images, force: false, undo: Some(window) })
}

/// Waits until what is removed is out of sight.
async fn hidden(engine: &Engine, request: Request) -> JobHandle {
    let job = engine.submit(request);
    job.progress().wait_for(|p| p.stage == UNDOABLE).await.expect("the window opens");
    job
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_container_comes_back_stopped_with_its_files() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        let id = bench.sleeper("web").await;
        let upper = bench.root.path().join("containers").join(&id).join("upper");
        std::fs::write(upper.join("mine"), "kept").unwrap();
        let job = hidden(&bench.engine, removal("web", LONG)).await;
        assert!(bench.engine.inventory().containers.is_empty());
        let error = bench.ask(Request::Start(targets(&["web"]))).await.unwrap_err();
        assert!(error.to_string().contains("is being removed"), "{error}");
        job.cancel();
        assert_eq!(job.outcome().await.unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(bench.inspect("web").await["State"]["Status"], "exited");
        assert_eq!(std::fs::read_to_string(upper.join("mine")).unwrap(), "kept");
        bench.ask(Request::Start(targets(&["web"]))).await.unwrap();
    });
}

#[test]
fn a_new_container_takes_the_name_and_the_old_one_comes_back_under_another() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        let old = bench.sleeper("web").await;
        let job = hidden(&bench.engine, removal("web", LONG)).await;
        // Also from another process, which knows nothing of the removal.
        let args = ["create", "--network", "none", "--name", "web", "localhost/starter", "true"];
        let new = bench.root.teu(&args).exits(0).out().to_owned();
        assert_eq!(bench.inspect("web").await["Id"], new);
        job.cancel();
        let error = job.outcome().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_eq!(
            error.cleanup_failures(),
            ["bringing container web back: its name was taken meanwhile, it is called web-2 now"]
        );
        assert_eq!(bench.inspect("web").await["Id"], new);
        assert_eq!(bench.inspect("web-2").await["Id"], old);
        // A name that is only hidden can be given by a renaming as well.
        let job = hidden(&bench.engine, removal("web", LONG)).await;
        bench.ask(Request::Rename { container: "web-2".into(), name: "web".into() }).await.unwrap();
        bench.engine.clone().shutdown(Duration::from_secs(20)).await;
        job.outcome().await.unwrap();
        assert_eq!(bench.root.teu(&["ps", "-a", "--format", "{{.Names}}"]).exits(0).out(), "web");
    });
}

#[test]
fn after_the_window_it_is_gone() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        let id = bench.sleeper("web").await;
        bench.ask(removal("web", Duration::from_millis(1))).await.unwrap();
        assert!(!bench.root.path().join("containers").join(&id).exists());
    });
}

#[test]
fn an_engine_that_closes_deletes_at_once() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        let id = bench.sleeper("web").await;
        let job = hidden(&bench.engine, removal("web", LONG)).await;
        bench.engine.clone().shutdown(Duration::from_secs(20)).await;
        job.outcome().await.unwrap();
        assert!(!bench.root.path().join("containers").join(&id).exists());
    });
}

#[test]
fn an_image_comes_back_with_its_names_though_others_clear_away() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.sleeper("web").await;
        bench.ask(Bench::remove(&["web"], true)).await.unwrap();
        let job = hidden(&bench.engine, image_removal(LONG)).await;
        assert!(bench.engine.inventory().images.is_empty());
        // Another process frees what nobody needs: the layers must survive it.
        let other = open(&bench.root, false).await;
        let prune = PruneArgs { images: true, all_images: true, ..PruneArgs::default() };
        other.submit(Request::Prune(prune)).outcome().await.unwrap();
        job.cancel();
        assert!(job.outcome().await.is_err());
        let inventory = bench.engine.inventory();
        assert_eq!(inventory.images[0].image.references[0].familiar(), "localhost/starter:latest");
        bench.sleeper("again").await;
    });
}

#[test]
fn an_image_goes_for_good_after_the_window() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.sleeper("web").await;
        bench.ask(Bench::remove(&["web"], true)).await.unwrap();
        let answer = bench.ask(image_removal(Duration::from_millis(1))).await.unwrap();
        assert!(matches!(answer, Output::RemovedImages { deleted, .. } if deleted.len() == 1));
        assert_eq!(std::fs::read_dir(bench.root.path().join("layers")).unwrap().count(), 0);
    });
}

#[test]
fn a_screen_killed_in_the_window_has_removed() {
    needs!(Root, Tmux);
    let root = StateRoot::new();
    let id = root.teu(&["create", "--name", "gone", "localhost/starter", "true"]).exits(0).out().to_owned();
    let screen = Screen::start(120, 36, &root.command());
    screen.wait_for("gone");
    screen.press(&["D", "y"]);
    screen.wait_for("u undo");
    let kill = std::process::Command::new("kill").args(["-9", &screen.pid().to_string()]).status().unwrap();
    assert!(kill.success());
    crate::support::wait_until("the screen is dead", || screen.is_over().then_some(()));
    // Nobody has asked for the screen's death, but for the removal somebody has: whoever looks next finishes it.
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
    assert!(!root.path().join("containers").join(&id).exists());
    root.teu(&["create", "--name", "gone", "localhost/starter", "true"]).exits(0);
}

#[test]
fn on_the_screen_u_brings_it_back_and_quitting_deletes() {
    needs!(Root, Tmux);
    let root = StateRoot::new();
    root.teu(&["create", "--name", "precious", "localhost/starter", "true"]).exits(0);
    let screen = Screen::start(120, 36, &root.command());
    screen.wait_for("precious");
    screen.press(&["D"]);
    screen.wait_for("takes it back");
    screen.press(&["y"]);
    screen.wait_for("No containers yet.");
    assert!(screen.wait_for("u undo").contains("rm precious"));
    screen.press(&["u"]);
    screen.wait_for("taken back");
    screen.wait_for("1 of 1");
    screen.press(&["D", "y"]);
    screen.wait_for("u undo");
    screen.press(&["q"]);
    crate::support::wait_until("teu has ended", || screen.is_over().then_some(()));
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "");
}
