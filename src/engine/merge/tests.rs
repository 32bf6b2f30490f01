//! Docker's rules for what a container gets from its image.

use super::*;
use crate::model::reference::Digest;
use crate::model::time::Timestamp;

fn image(config: &str) -> Image {
    Image {
        id: Digest::of(b"i"),
        manifest: Digest::of(b"m"),
        references: Vec::new(),
        repo_digests: Vec::new(),
        created: None,
        stored: Timestamp(0),
        size: 0,
        architecture: "amd64".into(),
        os: "linux".into(),
        variant: String::new(),
        layers: Vec::new(),
        config_json: format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[]}},"config":{config}}}"#
        ),
    }
}

const BOTH: &str = r#"{"Entrypoint":["/e","-x"],"Cmd":["c","d"],"Env":["PATH=/bin","A=1"],"WorkingDir":"w",
    "User":"daemon","Labels":{"a":"image","b":"image"},"Volumes":{"/data/":{},"/v":{}},"StopSignal":"SIGINT"}"#;

fn merged(args: &CreateArgs, config: &str) -> Result<ContainerConfig> {
    let mut n = 0;
    merge(args, &image(config), || {
        n += 1;
        format!("anon{n}")
    })
}

fn argv(entrypoint: Option<&[&str]>, command: &[&str]) -> Result<(String, usize)> {
    let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let args = CreateArgs { entrypoint: entrypoint.map(strings), command: strings(command), ..CreateArgs::default() };
    merged(&args, BOTH).map(|c| (c.args.join(" "), c.entrypoint_len))
}

#[test]
fn entrypoint_and_command() {
    assert_eq!(argv(None, &[]).unwrap(), ("/e -x c d".into(), 2));
    assert_eq!(argv(None, &["u"]).unwrap(), ("/e -x u".into(), 2));
    assert_eq!(argv(Some(&["/mine"]), &[]).unwrap(), ("/mine".into(), 1));
    assert_eq!(argv(Some(&["/mine"]), &["u"]).unwrap(), ("/mine u".into(), 1));
    assert_eq!(argv(Some(&[""]), &["u"]).unwrap(), ("u".into(), 0));
    assert_eq!(argv(Some(&[]), &["u"]).unwrap(), ("u".into(), 0));
    assert!(argv(Some(&[]), &[]).is_err());
    assert!(argv(None, &["a\0b"]).is_err());
}

#[test]
fn the_rest_comes_from_the_image_unless_given() {
    let mut args = CreateArgs::default();
    args.config.env = vec!["A=2".into(), "PATH".into(), "B=".into()];
    args.config.labels.insert("a".into(), "user".into());
    args.config.mounts.push(Mount::new(MountSource::Bind { path: "/h".into(), create: false }, "/v"));
    let config = merged(&args, BOTH).unwrap();
    assert_eq!(config.env, ["A=2", "B="]);
    assert_eq!(
        (config.workdir.as_str(), config.user.as_str(), config.stop_signal.as_str()),
        ("/w", "daemon", "SIGINT")
    );
    assert_eq!((config.labels["a"].as_str(), config.labels["b"].as_str()), ("user", "image"));
    let targets: Vec<_> = config.mounts.iter().map(|m| m.target.as_str()).collect();
    assert_eq!(targets, ["/v", "/data"]);
    assert_eq!(config.mounts[1].source, MountSource::Anonymous { name: "anon1".into() });
}

#[test]
fn mistakes_are_named() {
    let mut args = CreateArgs { command: vec!["x".into()], ..CreateArgs::default() };
    args.config.workdir = "rel".into();
    assert!(merged(&args, "{}").unwrap_err().to_string().contains("'rel'"));
    args.config.workdir.clear();
    args.config.stop_signal = "SIGNOPE".into();
    assert!(merged(&args, "{}").unwrap_err().to_string().contains("SIGNOPE"));
    assert!(merged(&CreateArgs::default(), "{}").unwrap_err().to_string().contains("no command specified"));
}
