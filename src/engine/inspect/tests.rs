//! The fields scripts read, where docker has them.

use super::*;
use crate::model::container::{Container, ContainerConfig, ExitStatus, Limits, State, Status};
use crate::model::id::ContainerId;
use crate::model::mount::{Mount, MountSource};
use crate::model::network::Protocol;
use crate::model::reference::Digest;
use crate::model::time::Timestamp;
use crate::store::StateRoot;

#[test]
fn a_container_as_docker_shows_it() {
    let config = ContainerConfig {
        args: vec!["/e".into(), "-x".into(), "c".into()],
        entrypoint_len: 2,
        limits: Limits { memory: Some(64 << 20), nano_cpus: Some(500_000_000), ..Limits::default() },
        mounts: vec![Mount { read_only: true, ..Mount::new(MountSource::Volume { name: "v".into() }, "/data") }],
        exposed: vec![(80, Protocol::Tcp)],
        ..ContainerConfig::default()
    };
    let id = ContainerId::random();
    let record = Container {
        id: id.clone(),
        name: "web".into(),
        image: Digest::of(b"i"),
        image_ref: "nginx".into(),
        created: Timestamp(0),
        config,
    };
    let exit = Some(ExitStatus { code: 137, signal: Some(9), oom: true, unknown: false });
    let state = State { status: Status::Exited, exit, finished: Some(Timestamp(1)), ..State::default() };
    let v = container(&record, &state, &StateRoot::new("/d", "/r"), "overlay2");
    let at = |path: &str| v.pointer(path).unwrap_or_else(|| panic!("{path}")).clone();
    assert_eq!(at("/Name"), "/web");
    assert_eq!(at("/HostConfig/Memory"), 67_108_864);
    assert_eq!(at("/HostConfig/MemorySwap"), 134_217_728);
    assert_eq!(at("/HostConfig/NanoCpus"), 500_000_000);
    assert_eq!(at("/HostConfig/Binds"), json!(["v:/data:ro"]));
    assert_eq!(at("/Config/Entrypoint"), json!(["/e", "-x"]));
    assert_eq!(at("/Config/Cmd"), json!(["c"]));
    assert_eq!(at("/Config/Hostname"), id.short());
    assert_eq!(at("/Config/ExposedPorts"), json!({"80/tcp": {}}));
    assert_eq!(at("/State/OOMKilled"), true);
    assert_eq!(at("/State/ExitCode"), 137);
    assert_eq!(at("/State/StartedAt"), NEVER);
    assert_eq!(at("/State/FinishedAt"), "1970-01-01T00:00:00.000000001Z");
    assert_eq!(at("/Mounts/0/Source"), "/d/volumes/v/_data");
    assert_eq!(at("/HostConfig/CapAdd"), json!([]));
}

#[test]
fn an_image_has_arrays_where_its_configuration_has_null() {
    let image_json = r#"{"architecture":"amd64","os":"linux","config":{"Cmd":null,"Env":["A=1"]}}"#;
    let record = Image {
        id: Digest::of(b"i"),
        manifest: Digest::of(b"m"),
        references: vec!["nginx:1".parse().unwrap()],
        repo_digests: Vec::new(),
        created: None,
        stored: Timestamp(0),
        size: 9,
        architecture: "amd64".into(),
        os: "linux".into(),
        variant: String::new(),
        layers: Vec::new(),
        config_json: image_json.into(),
    };
    let v = image(&record, std::path::Path::new("/l"));
    assert_eq!(v["Config"]["Cmd"], json!([]));
    assert_eq!(v["Config"]["Env"], json!(["A=1"]));
    assert_eq!(v["RepoTags"], json!(["nginx:1"]));
    assert_eq!(v["Config"]["Labels"], json!({}));
}
