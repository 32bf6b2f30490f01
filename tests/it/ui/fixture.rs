//! A world to draw: the containers and images of the design's sketch, at a fixed moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use teu::config::Config;
use teu::engine::{ContainerEntry, ContainerStats, HostInfo, ImageEntry, Inventory, StatsBoard};
use teu::model::container::{Container, ContainerConfig, ExecState, ExitStatus, Limits, State, Status};
use teu::model::id::{ContainerId, ExecId};
use teu::model::image::{Image, Layer};
use teu::model::reference::Digest;
use teu::model::stats::{Rates, Sample};
use teu::model::time::Timestamp;
use teu::tui::app::{App, Msg};

pub const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

fn ago(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 - seconds * 1_000_000_000)
}

pub fn id(n: u8) -> ContainerId {
    ContainerId::try_from(format!("{n:02x}").repeat(32)).unwrap()
}

pub struct Row {
    pub name: &'static str,
    pub status: Status,
    pub age: i64,
    pub exit: Option<ExitStatus>,
    pub restarts: u32,
    pub shells: u8,
    pub cpu: f64,
    pub memory: u64,
    pub limit: Option<u64>,
}

const M: u64 = 1 << 20;

fn row(name: &'static str, status: Status, age: i64, cpu: f64, memory: u64, limit: Option<u64>) -> Row {
    Row { name, status, age, exit: None, restarts: 0, shells: 0, cpu, memory, limit }
}

pub fn rows() -> Vec<Row> {
    let exit = |code, oom| Some(ExitStatus { code, oom, ..ExitStatus::default() });
    vec![
        row("worker-1", Status::Running, 9 * MINUTE, 96.8, 410 * M, Some(512 * M)),
        Row { shells: 1, ..row("api", Status::Running, 3 * HOUR, 21.0, 640 * M, Some(1024 * M)) },
        Row { shells: 2, ..row("web", Status::Running, 3 * HOUR, 12.4, 182 * M, Some(512 * M)) },
        row("db", Status::Running, 2 * DAY, 3.1, 1229 * M, Some(2048 * M)),
        row("cache", Status::Running, 2 * DAY, 0.4, 38 * M, None),
        row("batch", Status::Paused, HOUR, 0.0, 64 * M, None),
        Row { exit: exit(0, false), ..row("migrate", Status::Exited, HOUR, 0.0, 0, None) },
        Row { exit: exit(137, true), restarts: 4, ..row("crashy", Status::Exited, 2 * MINUTE, 0.0, 0, None) },
    ]
}

fn exec(container: u8, n: u8) -> ExecState {
    ExecState {
        id: ExecId::try_from(format!("{container:02x}{n:02x}").repeat(16)).unwrap(),
        args: vec!["sh".into()],
        user: String::new(),
        tty: false,
        pid: 4000,
        started: ago(60),
        exit: None,
        clients: 0,
    }
}

fn entry(n: u8, row: &Row) -> Arc<ContainerEntry> {
    let limits = Limits { memory: row.limit, ..Limits::default() };
    let live = row.status.is_live();
    let config = ContainerConfig {
        args: vec!["nginx".into(), "-g".into(), "daemon off;".into()],
        env: vec!["PATH=/usr/bin:/bin".into(), "MODE=live".into()],
        limits,
        ..ContainerConfig::default()
    };
    let container = Container {
        id: id(n),
        name: row.name.into(),
        image: Digest::of(b"nginx"),
        image_ref: "nginx:1.29".into(),
        created: ago(row.age + i64::from(n)),
        config,
    };
    let state = State {
        status: row.status,
        pid: if live { 3000 + i32::from(n) } else { 0 },
        started: Some(ago(row.age)),
        finished: (!live).then(|| ago(row.age)),
        exit: row.exit,
        restarts: row.restarts,
        execs: (0..row.shells).map(|s| exec(n, s)).collect(),
        ..State::default()
    };
    Arc::new(ContainerEntry { container, state })
}

fn image(name: &str, mib: u64, days: i64, used: usize) -> Arc<ImageEntry> {
    let digest = Digest::of(name.as_bytes());
    let layer = Layer {
        blob: digest.clone(),
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".into(),
        blob_size: mib * M / 3,
        diff_id: digest.clone(),
        chain_id: digest.clone(),
        size: mib * M,
    };
    let image = Image {
        id: digest.clone(),
        manifest: digest,
        references: name.parse().into_iter().collect(),
        repo_digests: Vec::new(),
        created: Some(ago(days * DAY)),
        stored: ago(DAY),
        size: mib * M,
        architecture: "amd64".into(),
        os: "linux".into(),
        variant: String::new(),
        layers: vec![layer],
        config_json: r#"{"config":{"Env":["PATH=/bin"]},"history":[{"created_by":"ADD rootfs / # buildkit"}]}"#.into(),
    };
    Arc::new(ImageEntry { image, used_by: (0..used as u8).map(id).collect() })
}

pub fn inventory() -> Inventory {
    let containers = rows().iter().enumerate().map(|(n, row)| entry(n as u8 + 1, row)).collect();
    let images = vec![
        image("alpine:3.22", 8, 11, 2),
        image("nginx:1.29", 54, 3, 1),
        image("postgres:17", 162, 20, 1),
        image("redis:8", 41, 40, 1),
        image("UPPER not a name", 210, 70, 0),
    ];
    let host = HostInfo {
        hostname: "box".into(),
        kernel: "6.18.5".into(),
        cpus: 4,
        memory: 16 << 30,
        cgroup_version: "v2".into(),
        graph_driver: "overlay".into(),
        rootless: true,
        sub_ids: true,
        ..HostInfo::default()
    };
    Inventory { revision: 1, containers, images, host: Arc::new(host), ..Inventory::default() }
}

pub fn board(tick: u64) -> StatsBoard {
    let latest = rows()
        .iter()
        .enumerate()
        .filter(|(_, row)| row.status.is_live())
        .map(|(n, row)| {
            let id = id(n as u8 + 1);
            let wobble = 0.6 + 0.1 * (tick % 5) as f64;
            let sample = Sample {
                time: Timestamp(NOW.0 + tick as i64 * 1_000_000_000),
                memory: row.memory,
                memory_limit: row.limit,
                pids: 14,
                ..Sample::default()
            };
            let rates = Rates { cpu_percent: if tick == 4 { row.cpu } else { row.cpu * wobble }, ..Rates::default() };
            (id.clone(), Arc::new(ContainerStats { id, name: row.name.into(), sample: Some(sample), rates }))
        })
        .collect();
    StatsBoard { tick, latest }
}

pub fn empty_app(width: u16, height: u16) -> App {
    let mut app = App::new(&Config::default(), &BTreeMap::new(), &[], (Instant::now(), NOW));
    app.update(Msg::Resize(width, height), NOW);
    app
}

/// An empty one that remembers what another one saved.
pub fn remembering(state: &BTreeMap<String, String>) -> App {
    let mut app = App::new(&Config::default(), state, &[], (Instant::now(), NOW));
    app.update(Msg::Resize(120, 36), NOW);
    app.update(Msg::Inventory(Arc::default()), NOW);
    app
}

/// The sketch's world after five seconds.
pub fn app(width: u16, height: u16) -> App {
    let mut app = empty_app(width, height);
    app.update(Msg::Inventory(Arc::new(inventory())), NOW);
    for tick in 0..5 {
        app.update(Msg::Stats(Arc::new(board(tick))), NOW);
    }
    app
}
