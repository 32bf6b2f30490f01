//! Every request there is, submitted and cancelled at once: it ends soon, and what it worked on stays whole.

use super::engine::{Bench, run, run_args, targets};
use crate::needs;
use std::time::Duration;
use teu::engine::request::*;
use teu::engine::{ErrorKind, Request};
use teu::model::container::Limits;
use teu::model::network::{Driver, EndpointConfig};

fn names() -> Vec<String> {
    targets(&["web"]).containers
}

fn stop() -> StopArgs {
    StopArgs { containers: names(), timeout: Some(Duration::from_secs(1)), signal: Some("KILL".into()) }
}

/// Of a kind that touches nothing of the machine's until a container joins it.
fn network() -> CreateNetworkArgs {
    CreateNetworkArgs {
        name: "made".into(),
        driver: Driver::Bridge,
        subnets: vec!["10.213.0.0/24".parse().unwrap()],
        gateways: Vec::new(),
        ranges: Vec::new(),
        auxiliary: Vec::new(),
        internal: false,
        ipv6: false,
        attachable: false,
        labels: std::collections::BTreeMap::new(),
        options: std::collections::BTreeMap::new(),
    }
}

/// One of each, all about the container `web`. What would end it comes last.
fn all() -> Vec<Request> {
    let nowhere = "127.0.0.1:1/nothing:latest".parse().unwrap();
    vec![
        Request::Pull(PullArgs { reference: nowhere, platform: None, all_tags: false, only_if_missing: false }),
        Request::FromHost(FromHostArgs { programs: vec!["true".into()], name: None }),
        Request::Tag(TagArgs { image: "localhost/starter".into(), target: "localhost/other:1".parse().unwrap() }),
        Request::RemoveImages(RemoveImagesArgs { images: vec!["localhost/other:1".into()], force: false, undo: None }),
        Request::Create(Box::new(run_args("made", &["true"], true).create)),
        Request::Run(Box::new(run_args("ran", &["true"], false))),
        Request::Inspect(InspectArgs { names: names(), kind: InspectKind::Any, size: true }),
        Request::Logs(LogsArgs { container: "web".into(), follow: true, ..LogsArgs::default() }),
        Request::Stats(StatsArgs { containers: names(), ..StatsArgs::default() }),
        Request::Events(EventsArgs::default()),
        Request::Attach(AttachArgs {
            container: "web".into(),
            exec: None,
            stdin: false,
            replay: false,
            size: None,
            start: false,
        }),
        Request::Exec(Box::new(ExecArgs {
            container: "web".into(),
            command: ["sleep", "1000"].map(String::from).into(),
            ..ExecArgs::default()
        })),
        Request::Wait(targets(&["web"])),
        Request::Update {
            containers: names(),
            limits: Box::new(Limits { pids: Some(100), ..Limits::default() }),
            restart: None,
        },
        Request::Pause(targets(&["web"])),
        Request::Resume(targets(&["web"])),
        Request::Rename { container: "web".into(), name: "web".into() },
        Request::CreateNetwork(Box::new(network())),
        Request::ConnectNetwork(Box::new(ConnectArgs {
            container: "web".into(),
            endpoint: EndpointConfig { network: "none".into(), ..EndpointConfig::default() },
        })),
        Request::DisconnectNetwork { network: "none".into(), container: "web".into(), force: false },
        Request::ReloadNetworks(targets(&["web"])),
        Request::Publish(Box::new(PublishArgs { containers: names(), add: Vec::new(), remove: Vec::new() })),
        Request::RemoveNetworks { networks: vec!["made".into()], force: false },
        Request::Top { container: "web".into() },
        Request::Diff { container: "web".into() },
        Request::Doctor,
        Request::Sample,
        Request::Reconcile,
        Request::CreateVolume(CreateVolumeArgs { name: Some("fresh".into()), ..CreateVolumeArgs::default() }),
        Request::RemoveVolumes { volumes: vec!["none".into()], force: true },
        Request::Prune(PruneArgs { containers: true, images: true, volumes: true, ..PruneArgs::default() }),
        Request::Restart(stop()),
        Request::Start(targets(&["web"])),
        Request::Kill(KillArgs { containers: names(), signal: "KILL".into() }),
        Request::Stop(stop()),
        Request::Reap { container: "web".into() },
        Request::Remove(RemoveArgs { containers: names(), force: true, volumes: true, undo: None }),
    ]
}

#[test]
fn every_request_can_be_cancelled() {
    needs!(Root);
    run(async {
        let bench = Bench::new().await;
        bench.sleeper("web").await;
        for request in all() {
            let name = request.name();
            let mut job = bench.engine.submit(request);
            // A session whose streams nobody takes must end all the same.
            let io = job.io.take();
            job.cancel();
            let outcome = tokio::time::timeout(Duration::from_secs(20), job.outcome()).await;
            let outcome = outcome.unwrap_or_else(|_| panic!("{name} goes on after its cancellation"));
            drop(io);
            if let Err(e) = outcome {
                // It may have been done before the cancellation came; a half-done one says that it was cancelled.
                let known = [ErrorKind::Cancelled, ErrorKind::Conflict, ErrorKind::NotFound, ErrorKind::Unavailable];
                let senseless = ["rename", "network-connect", "network-disconnect", "publish"];
                assert!(known.contains(&e.kind()) || senseless.contains(&name), "{name}: {e}");
            }
        }
        let left: Vec<_> =
            bench.engine.inventory().jobs.iter().filter(|j| !j.status.is_over()).map(|j| j.name).collect();
        assert!(left.is_empty(), "still at work: {left:?}");
        // Whatever was cut short, the container can be told apart and taken away.
        for name in ["web", "made", "ran"] {
            match bench.ask(Bench::remove(&[name], true)).await {
                Err(e) if e.kind() != ErrorKind::NotFound => panic!("{name}: {e}"),
                _ => {}
            }
        }
        assert_eq!(bench.engine.inventory().containers.len(), 0);
    });
}
