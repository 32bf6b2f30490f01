//! Holds the house together: who may import whom, where dangerous things may be, and how big a file may grow.
//!
//! A text scan of `src/` with comments and strings blanked. When it fails it says which rule, where, and what to do.
//! Test code (`#[cfg(test)] mod tests` at a file's foot, `tests.rs`) is free of all rules but the file head.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Layer, and the layers it may name. Order is upwards; nothing imports upwards, so there is no cycle.
const IMPORTS: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("sys", &[]),
    ("store", &["model", "sys"]),
    ("image", &["model", "sys", "store"]),
    ("net", &["model", "sys"]),
    // `net::files` writes the hosts and resolv.conf that a bundle mounts.
    ("runtime", &["model", "sys", "net"]),
    ("engine", &["model", "sys", "store", "image", "net", "runtime"]),
    ("config", &["model"]),
    // `tui` and `cli`: front ends, see FRONT.
    ("main", &["model", "config", "engine", "tui", "cli", "sys", "runtime"]),
];
const FRONT: &[&str] = &["engine", "model", "config"];

/// Crate, and the paths below `src/` that may name it.
const RESERVED: &[(&str, &[&str])] = &[
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("alacritty_terminal", &["tui"]),
    ("rusqlite", &["store"]),
    ("reqwest", &["image"]),
    ("rustls", &["image"]),
    ("tar", &["image"]),
    ("flate2", &["image"]),
    ("zstd", &["image"]),
    ("nix", &["sys"]),
    ("libc", &["sys"]),
    ("rustix", &["sys"]),
    ("caps", &["sys"]),
    ("netlink_packet_core", &["net"]),
    ("netlink_packet_route", &["net"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("toml", &["config", "tui/theme"]),
    ("vt100", &["runtime/monitor"]),
    ("hickory_proto", &["net/dns"]),
];

/// Serde derives. The published rule (config, records, protocol, dto, output) is wider here on purpose: a container's
/// record, its launch message and its state file are the model's own types, so that no field is copied by hand between
/// two structs that must stay alike; and registries' documents are parsed where they are verified.
const SERDE: &[&str] = &[
    "model",
    "config",
    "store",
    "image",
    "net/plan",
    "runtime/launch",
    "runtime/protocol",
    "runtime/state",
    "runtime/log",
    "runtime/seccomp",
    "cli",
    "tui/theme",
    "engine/ops",
];

/// Code that is cloned from, or is, a single-threaded process, and pure data: no executor may be near.
const NO_TOKIO: &[&str] = &[
    "model",
    "sys",
    "net",
    "store",
    "runtime/init",
    "runtime/launch",
    "runtime/protocol",
    "runtime/monitor",
    "runtime/bundle",
    "runtime/cgroup",
    "runtime/state",
    "runtime/log",
    "runtime/seccomp",
];

const WARN_LINES: usize = 400;
const MOST_LINES: usize = 500;
/// Files allowed beyond the stop, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// The terminal emulator's callbacks take `&self` and must be `Sync`: what they collect needs interior mutability.
const LOCKS_IN_TUI: &[&str] = &["tui/emulator/alacritty/events"];

struct Source {
    /// Below `src/`, such as `engine/mod.rs`.
    path: String,
    raw: String,
    /// Production code only, comments and strings blanked, line for line as in the file.
    code: String,
}

impl Source {
    fn new(path: &str, raw: &str) -> Source {
        let blanked = blank(raw);
        let production = blanked.find("#[cfg(test)]\nmod tests").unwrap_or(blanked.len());
        let is_test = path.ends_with("tests.rs") || path.contains("/tests/");
        let code = if is_test { String::new() } else { blanked[..production].to_owned() };
        Source { path: path.to_owned(), raw: raw.to_owned(), code }
    }

    fn layer(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or("")
    }

    fn below(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            self.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
        })
    }

    /// Line numbers at which `needle` stands as a whole path or word.
    fn lines_with<'a>(&'a self, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.code.match_indices(needle).filter_map(move |(at, _)| {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let before = self.code[..at].chars().next_back().is_some_and(word) && needle.starts_with(word);
            let after = self.code[at + needle.len()..].chars().next().is_some_and(word) && needle.ends_with(word);
            (!before && !after).then(|| self.code[..at].matches('\n').count() + 1)
        })
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        Source::new(&name, &fs::read_to_string(path).unwrap())
    };
    files.iter().map(read).collect()
}

fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Blanks comments, strings and character literals with spaces; keeps line breaks and lifetimes.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['"', ..] => quoted(rest),
            ['r', '"' | '#', ..] if !identifier_before(&chars, at) => raw_string(rest),
            ['b', 'r', '"' | '#', ..] if !identifier_before(&chars, at) => 1 + raw_string(&rest[1..]),
            ['\'', '\\', ..] => 3 + rest[3..].iter().position(|c| *c == '\'').map_or(0, |n| n),
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if length == 0 {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        let end = (at + length).min(chars.len());
        out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

fn identifier_before(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of `r"..."` or `r#"..."#`; 0 when it is a raw identifier.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let mut at = 2 + hashes;
    while at < rest.len() {
        if rest[at] == '"' && rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    rest.len()
}

/// Layers named by `crate::x` (in main: `teu::x`), with groups `crate::{x, y::z}` opened.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let root = if source.layer() == "main" { "teu::" } else { "crate::" };
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices(root) {
        if identifier_before(&source.code.chars().collect::<Vec<_>>(), source.code[..at].chars().count()) {
            continue;
        }
        let line = source.code[..at].matches('\n').count() + 1;
        let rest = &source.code[at + root.len()..];
        let names = if let Some(group) = rest.strip_prefix('{') { group_heads(group) } else { vec![head(rest)] };
        found.extend(names.into_iter().map(|name| (line, name)));
    }
    found
}

fn head(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn group_heads(text: &str) -> Vec<String> {
    let (mut depth, mut heads, mut start) = (0, Vec::new(), 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => {
                heads.push(head(&text[start..at]));
                start = at + 1;
            }
            '}' if depth == 0 => {
                heads.push(head(&text[start..at]));
                break;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads.retain(|name| !name.is_empty());
    heads
}

/// Fails with every finding at once, so that one run shows the whole work.
fn verdict(rule: &str, cure: &str, findings: Vec<String>) {
    if findings.is_empty() {
        return;
    }
    let mut message = format!("{rule}\n  cure: {cure}\n");
    for finding in findings {
        let _ = writeln!(message, "  src/{finding}");
    }
    panic!("{message}");
}

fn allowed(layer: &str) -> Option<&'static [&'static str]> {
    match layer {
        "tui" | "cli" => Some(FRONT),
        _ => IMPORTS.iter().find(|(name, _)| *name == layer).map(|(_, allowed)| *allowed),
    }
}

fn forbidden_imports(source: &Source) -> Vec<String> {
    let layer = source.layer();
    let Some(allowed) = allowed(layer) else { return Vec::new() };
    let layers: Vec<&str> = IMPORTS.iter().map(|(name, _)| *name).chain(["tui", "cli"]).collect();
    let bad = imports(source)
        .into_iter()
        .filter(|(_, name)| layers.contains(&name.as_str()) && name != layer && !allowed.contains(&name.as_str()));
    bad.map(|(line, name)| format!("{}:{line}: {layer} may not name {name}", source.path)).collect()
}

#[test]
fn layers_import_only_downwards() {
    let mut findings: Vec<String> = sources().iter().flat_map(forbidden_imports).collect();
    for source in sources() {
        for line in source.lines_with("super::super") {
            findings.push(format!("{}:{line}: super::super hides which layer is meant; write crate::", source.path));
        }
        if source.layer() != "engine" {
            for line in source.lines_with("pub use crate::") {
                findings.push(format!("{}:{line}: only engine's face re-exports other layers' types", source.path));
            }
        }
    }
    verdict(
        "a layer imports what it may not (table: the crate documentation in src/lib.rs)",
        "pass the value in, or move the code to the layer it belongs to; do not widen the table in passing",
        findings,
    );
}

/// Is there a module of ours by this name in use here (`use crate::runtime::caps`)?
fn is_local(source: &Source, name: &str) -> bool {
    let ours = ["use crate::", "use super::", "use self::", "pub use self::", "mod "];
    let mut lines =
        source.code.lines().map(str::trim_start).filter(|line| ours.iter().any(|start| line.starts_with(start)));
    lines.any(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name))
}

#[test]
fn crates_stay_in_their_layer() {
    let mut findings = Vec::new();
    for source in sources() {
        for (name, places) in RESERVED {
            if source.below(places) || is_local(&source, name) {
                continue;
            }
            let path = format!("{name}::");
            let imported = format!("use {name};");
            let lines = source.lines_with(&path).filter(|line| {
                // `crate::model::x::tar::` and a local module of the same name are no crate.
                let text = source.code.lines().nth(line - 1).unwrap_or("");
                text.contains(&format!(" {path}"))
                    || text.contains(&format!("({path}"))
                    || text.trim_start().starts_with(&path)
                    || text.contains(&format!("<{path}"))
                    || text.contains(&format!("&{path}"))
            });
            for line in lines.chain(source.lines_with(&imported)) {
                findings.push(format!("{}:{line}: {name} belongs to {}", source.path, places.join(", ")));
            }
        }
    }
    verdict("a crate is used outside of the layer it is reserved to", "wrap what is needed in that layer", findings);
}

#[test]
fn unsafe_and_executors_are_fenced() {
    let mut findings = Vec::new();
    for source in sources() {
        if source.layer() != "sys" {
            findings.extend(
                ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"]
                    .iter()
                    .flat_map(|word| source.lines_with(word))
                    .map(|line| format!("{}:{line}: unsafe only under sys", source.path)),
            );
        }
        if source.below(NO_TOKIO) {
            let lines = source.lines_with("tokio");
            findings.extend(lines.map(|line| format!("{}:{line}: no tokio here", source.path)));
        }
    }
    verdict("unsafe or tokio where it may not be", "put the call into sys; wait with poll instead of tasks", findings);
}

#[test]
fn files_stay_small_and_say_what_they_are() {
    let mut findings = Vec::new();
    for source in sources() {
        let lines = source.code.lines().count();
        let excused = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        if lines > MOST_LINES && !excused {
            findings.push(format!("{}: {lines} lines of production code, the stop is {MOST_LINES}", source.path));
        } else if lines > WARN_LINES {
            eprintln!("warning: src/{}: {lines} lines, over {WARN_LINES}", source.path);
        }
        if !source.raw.starts_with("//!") {
            findings.push(format!("{}:1: the first line must be a //! sentence saying what the file is", source.path));
        }
    }
    verdict("a file is too long or does not introduce itself", "split it by idea; write the sentence", findings);
}

#[test]
fn every_file_is_reachable_and_every_layer_on_the_map() {
    let all = sources();
    let lib = all.iter().find(|s| s.path == "lib.rs").expect("lib.rs").raw.clone();
    let mut findings = Vec::new();
    for source in &all {
        if ["lib.rs", "main.rs", "build.rs"].contains(&source.path.as_str()) {
            continue;
        }
        let module = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let (dir, name) = module.rsplit_once('/').unwrap_or(("", module));
        let parents = match dir {
            "" => vec!["lib.rs".to_owned()],
            dir => vec![format!("{dir}/mod.rs"), format!("{dir}.rs")],
        };
        let named = all.iter().any(|s| parents.contains(&s.path) && s.raw.contains(&format!("mod {name};")));
        if !named {
            findings.push(format!("{}: no `mod {name};` in {}", source.path, parents.join(" or ")));
        }
        if dir.is_empty() && !lib.contains(&format!("`{name}`")) {
            findings.push(format!("{}: not on the code map in src/lib.rs", source.path));
        }
    }
    verdict("a file that is not compiled, or a layer missing on the map", "add the line", findings);
}

#[test]
fn serialisation_output_environment_and_files_have_their_places() {
    let mut findings = Vec::new();
    let rule = |findings: &mut Vec<String>, source: &Source, needle: &str, ok: bool, why: &str| {
        if !ok {
            findings.extend(source.lines_with(needle).map(|line| format!("{}:{line}: {needle}: {why}", source.path)));
        }
    };
    for source in &sources() {
        let talks = source.below(&["main", "cli", "build"]);
        if !source.below(SERDE) {
            let derived = source
                .code
                .lines()
                .enumerate()
                .filter(|(_, line)| line.contains("derive(") && line.contains("erialize"));
            findings.extend(derived.map(|(at, _)| {
                format!("{}:{}: a type that is stored or sent lives in another module", source.path, at + 1)
            }));
        }
        for needle in ["println!", "eprintln!", "print!", "eprint!"] {
            rule(&mut findings, source, needle, talks, "only main and cli talk to the terminal's streams");
        }
        for needle in ["env::var", "env::var_os", "env::vars"] {
            rule(
                &mut findings,
                source,
                needle,
                source.below(&["main", "config", "build"]),
                "only config and main read the environment",
            );
        }
        for needle in ["std::fs", "fs::read", "fs::write"] {
            let ok = !["tui", "model"].contains(&source.layer());
            rule(&mut findings, source, needle, ok, "the screen and the rules do no IO; ask the engine");
        }
        rule(
            &mut findings,
            source,
            "Mutex",
            source.layer() != "tui" || source.below(LOCKS_IN_TUI),
            "the screen's state has one owner; send a message",
        );
        for needle in ["unbounded_channel", "UnboundedSender", "UnboundedReceiver"] {
            rule(&mut findings, source, needle, false, "a queue without a bound is a leak waiting for a slow reader");
        }
        rule(&mut findings, source, "process::exit", talks, "return an exit code: destructors give the terminal back");
    }
    verdict("something is in the wrong place", "see each line", findings);
}

#[test]
fn every_request_is_dispatched_and_named() {
    let all = sources();
    let text = |path: &str| all.iter().find(|s| s.path == path).map(|s| s.code.clone()).unwrap_or_default();
    let requests = text("engine/request/mod.rs");
    let body = requests.split("pub enum Request {").nth(1).and_then(|rest| rest.split("\n}").next()).expect("the enum");
    let variants = body.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     ")).map(head);
    let variants: Vec<String> = variants.filter(|name| name.starts_with(char::is_uppercase)).collect();
    assert!(variants.len() > 20, "the scan lost the variants: {variants:?}");
    let mut findings = Vec::new();
    for name in &variants {
        if requests.matches(&format!("Request::{name}")).count() < 3 {
            findings.push(format!("engine/request/mod.rs: {name} lacks a name, a subject or an on_exit"));
        }
    }
    verdict("a request is only half there", "give it its arms in name(), subject() and on_exit()", findings);
}

#[test]
fn every_test_file_is_listed() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(dir.join("main.rs")).unwrap();
    for entry in fs::read_dir(&dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        if name != "main.rs" && name != "snapshots" {
            assert!(main.contains(&format!("mod {module};")), "tests/it/{name} is never compiled: add it to main.rs");
        }
    }
}

#[test]
fn the_scan_sees_through_comments_and_groups() {
    let text = "// use crate::tui;\nuse crate::{model::id, tui::{App, Msg}};\nlet s = \"unsafe { crate::cli }\";\n\
                let r = r#\"crate::cli \" x\"#; let c = '\"'; let l: &'static str = x;\nfn f() { crate::cli::x() }\n\
                #[cfg(test)]\nmod tests { use crate::tui::App; }\n";
    let source = Source::new("engine/x.rs", text);
    assert_eq!(
        forbidden_imports(&source),
        ["engine/x.rs:2: engine may not name tui", "engine/x.rs:5: engine may not name cli"]
    );
    assert_eq!(source.lines_with("unsafe {").count(), 0);
    assert_eq!(Source::new("tui/x.rs", "use std::sync::Mutex;").lines_with("Mutex").count(), 1);
}
