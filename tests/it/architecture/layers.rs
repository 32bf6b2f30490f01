//! Who may import whom, and which foreign crates belong to one layer.

use super::scan::{Source, head, imports};
use super::{House, Rule};
use std::collections::BTreeMap;

/// Layer, and the layers it may name. Order is upwards; nothing imports upwards, so there is no cycle.
const IMPORTS: [(&str, &[&str]); 11] = [
    ("model", &[]),
    ("sys", &[]),
    ("store", &["model", "sys"]),
    ("image", &["model", "sys", "store"]),
    ("net", &["model", "sys"]),
    // `net` writes the hosts and resolv.conf that a bundle mounts, and attaches a network before the process starts.
    ("runtime", &["model", "sys", "net"]),
    ("engine", &["model", "sys", "store", "image", "net", "runtime"]),
    ("config", &["model"]),
    ("tui", &["engine", "model", "config"]),
    ("cli", &["engine", "model", "config"]),
    // Of `runtime` only the role, see MAIN.
    ("main", &["model", "config", "engine", "tui", "cli", "runtime"]),
];

/// What `main` may name of a layer below the engine: the roles that run without one.
const MAIN: &[&str] = &["runtime::monitor::main"];

/// Crate, and the paths below `src/` that may name it.
const RESERVED: [(&str, &[&str]); 21] = [
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("alacritty_terminal", &["tui"]),
    ("nucleo_matcher", &["tui"]),
    ("rusqlite", &["store"]),
    ("reqwest", &["image"]),
    ("rustls", &["image"]),
    ("http_auth", &["image"]),
    ("tar", &["image"]),
    // The log takes its checksum, and nothing else.
    ("flate2", &["image", "runtime/log/format"]),
    ("zstd", &["image"]),
    ("nix", &["sys"]),
    ("libc", &["sys"]),
    ("rustix", &["sys"]),
    ("caps", &["sys"]),
    ("syscalls", &["runtime/seccomp"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("toml", &["config", "tui/theme"]),
    ("vt100", &["runtime/monitor"]),
    ("directories", &["config"]),
];

pub const RULES: &[Rule] = &[
    Rule {
        holds: "a layer imports only what the table in src/lib.rs allows",
        cure: "pass the value in, or move the code to the layer it belongs to; do not widen the table in passing",
        check: |house| house.sources.iter().flat_map(forbidden_imports).collect(),
        broken: &[
            ("engine/x.rs", "use crate::{model::id, tui::{App, Msg}};"),
            ("cli/x.rs", "fn f() { crate::store::x() }"),
            ("tui/x.rs", "use crate::cli;"),
            ("new/x.rs", "use crate::model;"),
            ("main.rs", "use teu::sys::process;"),
            ("main.rs", "fn f() { teu::runtime::task::spawn() }"),
        ],
    },
    Rule {
        holds: "there is no cycle among the top-level modules",
        cure: "the lower one must not know the upper one",
        check: cycles,
        broken: &[("model/x.rs", "use crate::engine::Engine;")],
    },
    Rule {
        holds: "a path says which layer it means, and only engine's face re-exports from below",
        cure: "write crate::layer::..., and import a type from where it is declared",
        check: |house| house.sources.iter().flat_map(hidden_paths).collect(),
        broken: &[
            ("tui/x.rs", "use super::super::app;"),
            ("tui/mod.rs", "pub use crate::engine::Engine;"),
            ("engine/job.rs", "pub use crate::model::log::Stream;"),
            ("engine/x.rs", "pub(crate) use crate::model::log::Stream;"),
        ],
    },
    Rule {
        holds: "a foreign crate is named only in the layer it is reserved to",
        cure: "wrap what is needed in that layer",
        check: |house| house.sources.iter().flat_map(strangers).collect(),
        broken: &[
            ("engine/x.rs", "use ratatui::buffer::Buffer;"),
            ("image/x.rs", "fn f(fd: &rustix::fd::OwnedFd) {}"),
            ("store/x.rs", "use libc;"),
        ],
    },
];

fn forbidden_imports(source: &Source) -> Vec<String> {
    let layer = source.layer();
    if ["lib", "build"].contains(&layer) {
        return Vec::new();
    }
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("{}:1: {layer} is in no row of the table", source.path)];
    };
    let is_layer = |name: &str| IMPORTS.iter().any(|(layer, _)| *layer == name);
    let mut findings = Vec::new();
    for (line, path) in imports(source) {
        let name = head(&path);
        if !is_layer(&name) || name == layer {
            continue;
        }
        let role = layer != "main" || name != "runtime" || MAIN.iter().any(|role| path.starts_with(role));
        if !allowed.contains(&name.as_str()) || !role {
            findings.push(format!("{}:{line}: {layer} may not name {path}", source.path));
        }
    }
    findings
}

/// The knot over the top-level modules must be 1: from none is there a way back to itself.
fn cycles(house: &House) -> Vec<String> {
    let mut named: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for source in house.sources.iter().filter(|s| !["lib", "main", "build"].contains(&s.layer())) {
        for (line, path) in imports(source) {
            let place = format!("{}:{line}", source.path);
            named.entry(source.layer().to_owned()).or_default().entry(head(&path)).or_insert(place);
        }
    }
    // The example of what breaks this has only one half of a circle: the other half is the table's.
    for (layer, allowed) in IMPORTS {
        let row = named.entry(layer.to_owned()).or_default();
        for name in allowed {
            row.entry((*name).to_owned()).or_insert_with(|| "the table".to_owned());
        }
    }
    let mut findings = Vec::new();
    for layer in named.keys() {
        let mut reached: Vec<&String> = Vec::new();
        let mut next: Vec<&String> = named[layer].keys().filter(|name| *name != layer).collect();
        while let Some(name) = next.pop() {
            if !reached.contains(&name) {
                reached.push(name);
                next.extend(named.get(name).into_iter().flat_map(|row| row.keys()));
            }
        }
        if reached.contains(&layer) {
            let via = named[layer].iter().filter(|(name, _)| *name != layer).map(|(n, place)| format!("{n} ({place})"));
            findings.push(format!("{layer} reaches itself: it names {}", via.collect::<Vec<_>>().join(", ")));
        }
    }
    findings
}

fn hidden_paths(source: &Source) -> Vec<String> {
    let place = |line| format!("{}:{line}", source.path);
    let mut findings: Vec<String> = source
        .lines_with("super::super")
        .map(|line| format!("{}: super::super hides the layer", place(line)))
        .collect();
    for (at, line) in source.code.lines().enumerate() {
        let line = line.trim_start();
        let exported =
            line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(")?.split_once(") ").map(|(_, l)| l));
        let Some(path) = exported.and_then(|line| line.strip_prefix("use crate::")) else { continue };
        let own = head(path) == source.layer();
        if !own && source.path != "engine/mod.rs" {
            findings.push(format!("{}: re-exports {}", place(at + 1), path.trim_end_matches(';')));
        }
    }
    findings
}

/// Is there a module of ours by this name in use here (`use crate::runtime::caps`)?
fn is_local(source: &Source, name: &str) -> bool {
    let ours = ["use crate::", "use super::", "use self::", "pub use self::", "mod "];
    let mut lines =
        source.code.lines().map(str::trim_start).filter(|line| ours.iter().any(|start| line.starts_with(start)));
    lines.any(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name))
}

fn strangers(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, places) in RESERVED {
        if source.below(places) || is_local(source, name) {
            continue;
        }
        let path = format!("{name}::");
        let imported = format!("use {name};");
        let lines = source.lines_with(&path).filter(|line| {
            // `crate::model::x::tar::` and a local module of the same name are no crate.
            let text = source.code.lines().nth(line - 1).unwrap_or("");
            [" ", "(", "<", "&"].iter().any(|before| text.contains(&format!("{before}{path}")))
                || text.trim_start().starts_with(&path)
        });
        for line in lines.chain(source.lines_with(&imported)) {
            findings.push(format!("{}:{line}: {name} belongs to {}", source.path, places.join(", ")));
        }
    }
    findings
}
