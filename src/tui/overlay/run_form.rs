//! The fields of the run form and the request they make.

use super::form::{Field, Problem, Value, limits};
use crate::engine::Request;
use crate::engine::request::{CreateArgs, RunArgs};
use crate::model::container::ContainerConfig;
use crate::model::endpoint::{self, Choice};
use crate::model::id::check_name;
use crate::model::mount::{Mount, MountSource};
use crate::model::network::{EndpointConfig, NetworkMode};
use crate::model::publish;
use crate::model::reference::Reference;
use crate::tui::figures::split_words;

/// `last`: texts of the same fields, when something was last run; they come back where the image is the same.
pub(super) fn fields(image: &str, last: &[String]) -> Vec<Field> {
    let same = last.first().is_some_and(|l| l == image);
    let old = |i: usize| if same { last.get(i).map_or("", String::as_str) } else { "" };
    let yes = |i: usize, default: bool| if same { last.get(i).is_some_and(|t| t == "yes") } else { default };
    vec![
        Field::text("image", image, "alpine:3.22, localhost/starter"),
        Field::text("name", "", "made up when empty"),
        Field::text("command", old(2), "the image's own when empty"),
        Field::text("env", old(3), "KEY=value KEY2='two words'"),
        Field::text("mounts", old(4), "/host/dir:/in/side:ro volume:/data"),
        Field::text("memory", old(5), "64m, 1.5g; no limit when empty"),
        Field::text("cpus", old(6), "0.5, 2; no limit when empty"),
        Field::text("pids", old(7), "number of processes; no limit when empty"),
        Field::text("network", old(8), "a network, container:NAME, none or host; bridge when empty"),
        Field { label: "terminal", value: Value::Toggle(yes(9, true)), help: "interactive, in a pane" },
        Field { label: "remove", value: Value::Toggle(yes(10, false)), help: "when it has ended" },
        Field::text("ports", old(11), "8080:80 53:53/udp for this machine; 0.0.0.0:8080:80 for everyone"),
    ]
}

pub(super) fn request(fields: &[Field]) -> Result<Request, Problem> {
    let text = |i: usize| fields[i].as_text();
    let words = |i: usize| split_words(text(i)).map_err(|why| (i, why.to_owned()));
    if text(0).is_empty() {
        return Err((0, String::from("which image?")));
    }
    let is_id = text(0).len() >= 6 && text(0).bytes().all(|b| b.is_ascii_hexdigit());
    if !is_id {
        text(0).parse::<Reference>().map_err(|e| (0, e.to_string()))?;
    }
    let name = Some(text(1)).filter(|n| !n.is_empty()).map(str::to_owned);
    if let Some(name) = &name {
        check_name(name).map_err(|e| (1, e.to_string()))?;
    }
    let env = words(3)?;
    if let Some(bad) = env.iter().find(|e| !e.contains('=') || e.starts_with('=')) {
        return Err((3, format!("'{bad}' is not KEY=value")));
    }
    let mounts = words(4)?.iter().map(|m| mount(m)).collect::<Result<_, _>>().map_err(|why| (4, why))?;
    let terminal = text(9) == "yes";
    let (network, endpoints) = network(text(8)).map_err(|why| (8, why))?;
    let mut ports = Vec::new();
    for word in words(11)? {
        ports.extend(publish::parse(&word).map_err(|e| (11, e.to_string()))?);
    }
    let config = ContainerConfig {
        env,
        mounts,
        limits: limits(fields, [5, 6, 7])?,
        network,
        endpoints,
        ports,
        tty: terminal,
        open_stdin: terminal,
        auto_remove: text(10) == "yes",
        ..ContainerConfig::default()
    };
    let create = CreateArgs {
        image: text(0).to_owned(),
        name,
        command: words(2)?,
        config,
        default_network: text(8).is_empty(),
        ..CreateArgs::default()
    };
    Ok(Request::Run(Box::new(RunArgs { create, detach: !terminal, stdin: terminal, size: None })))
}

/// One `--network`; nothing: the engine chooses.
fn network(text: &str) -> Result<(NetworkMode, Vec<EndpointConfig>), String> {
    if text.is_empty() {
        return Ok((NetworkMode::None, Vec::new()));
    }
    match endpoint::parse(text).map_err(|e| e.to_string())? {
        Choice::Mode(mode) => Ok((mode, Vec::new())),
        Choice::Endpoint(endpoint) => Ok((NetworkMode::Attached, vec![endpoint])),
    }
}

/// `/host:/inside[:ro]`, `volume:/inside`, `/inside`.
fn mount(text: &str) -> Result<Mount, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => return Err(format!("'{text}' is not source:/inside[:ro]")),
    };
    if !target.starts_with('/') || target.split('/').any(|p| p == "..") {
        return Err(format!("'{target}' is not an absolute path inside"));
    }
    let read_only = match mode {
        "" | "rw" => false,
        "ro" => true,
        other => return Err(format!("'{other}' is neither ro nor rw")),
    };
    let source = match source {
        "" => MountSource::Anonymous { name: String::new() },
        path if path.starts_with('/') => MountSource::Bind { path: path.to_owned(), create: true },
        name => {
            check_name(name).map_err(|_| format!("'{name}' is neither an absolute path nor a volume's name"))?;
            MountSource::Volume { name: name.to_owned() }
        }
    };
    Ok(Mount { read_only, ..Mount::new(source, target) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changes: &[(usize, &str)]) -> Result<Request, Problem> {
        let mut fields = fields("alpine", &[]);
        for (i, text) in changes {
            if let Value::Text(input) = &mut fields[*i].value {
                input.set(text);
            }
        }
        request(&fields)
    }

    #[test]
    fn good_fields_make_a_request() {
        let Ok(Request::Run(run)) =
            with(&[(2, "sh -c 'echo hi'"), (3, "A=1 B='x y'"), (4, "/srv:/data:ro v:/v"), (5, "64m")])
        else {
            panic!("refused");
        };
        assert_eq!(run.create.command, ["sh", "-c", "echo hi"]);
        assert_eq!(run.create.config.env, ["A=1", "B=x y"]);
        assert_eq!(run.create.config.mounts.len(), 2);
        assert_eq!(run.create.config.limits.memory, Some(64 << 20));
        assert!(run.create.config.tty && !run.detach && run.create.default_network);
        let Ok(Request::Run(run)) = with(&[(8, "web:alias=a"), (11, "8080:80 53:53/udp")]) else { panic!("refused") };
        assert_eq!((run.create.config.endpoints[0].network.as_str(), run.create.config.ports.len()), ("web", 2));
        assert!(!run.create.default_network);
    }

    #[test]
    fn mistakes_name_their_field() {
        for (i, bad) in [
            (0, "Not An Image"),
            (1, "-x"),
            (2, "sh -c 'open"),
            (3, "NOVALUE"),
            (4, "relative:/x:maybe"),
            (4, "/a:../b"),
            (5, "lots"),
            (5, "1k"),
            (6, "-1"),
            (7, "0"),
            (8, "web:colour=red"),
            (11, "80:http"),
        ] {
            let problem = with(&[(i, bad)]).expect_err(bad);
            assert_eq!(problem.0, i, "{bad}: {}", problem.1);
        }
    }
}
