//! How big a file may grow, what its head says, where it is listed, and what a face may hold.

use super::scan::{Source, head};
use super::{House, Rule};

/// Production lines of a file.
const MOST_LINES: usize = 400;
/// For a file that is listed with its reason below.
const STOP: usize = 500;
const LONG_FILES: [(&str, &str); 0] = [];
/// `main` only chooses; what it chooses is elsewhere.
const MAIN_LINES: usize = 80;

/// Items that the faces hold beside the layer's error, by name: what the layer *is*.
const IN_FACES: [(&str, &[&str], &str); 4] = [
    ("sys/mod.rs", &["check"], "how a call's answer becomes the error"),
    ("store/mod.rs", &["Trouble"], "what the error can say of itself"),
    ("engine/mod.rs", &["Engine", "Options"], "the five verbs of the engine are all that a front end sees"),
    (
        "tui/mod.rs",
        &["run", "Ui", "Turn", "DRAIN", "FRAME", "wall_clock", "ready", "next_key", "any_signal"],
        "the loop is the screen: the only place that awaits",
    ),
];

pub const RULES: &[Rule] = &[
    Rule {
        holds: "a file stays within 400 lines of production code, main within 80",
        cure: "split it by idea",
        check: |house| house.sources.iter().filter_map(too_long).collect(),
        broken: &[
            ("model/x.rs", empty_lines(&[b'\n'; MOST_LINES + 1])),
            ("main.rs", empty_lines(&[b'\n'; MAIN_LINES + 1])),
        ],
    },
    Rule {
        holds: "every file begins with a //! sentence that says what it is",
        cure: "write the sentence",
        check: |house| {
            let silent = house.sources.iter().filter(|s| {
                let first = s.raw.lines().next().unwrap_or("");
                !first.starts_with("//! ") || !first.contains(' ') || first.len() < 20
            });
            silent.map(|s| format!("{}:1: says nothing", s.path)).collect()
        },
        broken: &[("model/x.rs", "use std::fmt;"), ("model/y.rs", "//! Things.\n")],
    },
    Rule {
        holds: "every file is compiled, and every layer is on the map in src/lib.rs",
        cure: "add the `mod` line; add the row",
        check: unreachable,
        broken: &[("model/x.rs", "//! A file that nobody names.")],
    },
    Rule {
        holds: "every test file is compiled",
        cure: "add the `mod` line to tests/it/main.rs",
        check: |house| {
            let main = house.tests.iter().find(|t| t.path == "main.rs").map_or("", |t| &t.raw);
            let modules = house.tests.iter().map(|t| t.path.split(['/', '.']).next().unwrap_or("").to_owned());
            let missing = modules.filter(|m| m != "main" && !main.contains(&format!("mod {m};")));
            missing.map(|m| format!("tests/it/{m}: never compiled")).collect()
        },
        broken: &[("it/forgotten.rs", "#[test] fn f() {}")],
    },
    Rule {
        holds: "a layer's face holds its modules, its names and its error",
        cure: "give the thing a file of its own, and name it in the face",
        check: |house| house.sources.iter().filter(|s| is_face(s)).flat_map(foreign_items).collect(),
        broken: &[
            ("store/mod.rs", "pub struct StateRoot {\n    data: PathBuf,\n}"),
            ("cli/mod.rs", "pub async fn options() {}"),
            ("image/mod.rs", "impl From<u8> for Layer {}"),
            ("lib.rs", "pub const X: u8 = 1;"),
            ("engine/mod.rs", "fn helper() {}"),
        ],
    },
    Rule {
        holds: "a folder's module is its mod.rs",
        cure: "git mv x.rs x/mod.rs",
        check: |house| {
            let twins = house.sources.iter().filter(|s| {
                let folder = s.path.trim_end_matches(".rs").to_owned() + "/";
                house.sources.iter().any(|other| other.path.starts_with(&folder)) || s.path.ends_with("/mod/mod.rs")
            });
            twins.map(|s| format!("{}: beside its folder", s.path)).collect()
        },
        broken: &[("model/mod/mod.rs", "//! A stand-in for two files of which one is beside the folder.")],
    },
];

const fn empty_lines(bytes: &'static [u8]) -> &'static str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

fn too_long(source: &Source) -> Option<String> {
    let lines = source.code.lines().count();
    let excused = LONG_FILES.iter().any(|(path, _)| *path == source.path);
    let most = match source.path.as_str() {
        "main.rs" => MAIN_LINES,
        _ if excused => STOP,
        _ => MOST_LINES,
    };
    (lines > most).then(|| format!("{}: {lines} lines of production code, {most} is the most", source.path))
}

fn unreachable(house: &House) -> Vec<String> {
    let map = house.sources.iter().find(|s| s.path == "lib.rs").map_or("", |s| &s.raw);
    let mut findings = Vec::new();
    for source in &house.sources {
        if ["lib.rs", "main.rs", "build.rs"].contains(&source.path.as_str()) {
            continue;
        }
        let module = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let (dir, name) = module.rsplit_once('/').unwrap_or(("", module));
        let parent = if dir.is_empty() { "lib.rs".to_owned() } else { format!("{dir}/mod.rs") };
        let line = format!("mod {name};");
        if !house.sources.iter().any(|s| s.path == parent && s.raw.contains(&line)) {
            findings.push(format!("{}: no `{line}` in {parent}", source.path));
        }
        if dir.is_empty() && !map.contains(&format!("`{name}`")) {
            findings.push(format!("{}: not on the code map in src/lib.rs", source.path));
        }
    }
    findings
}

fn is_face(source: &Source) -> bool {
    let (layer, file) = source.path.split_once('/').unwrap_or(("", &source.path));
    file == "lib.rs" || (!layer.is_empty() && file == "mod.rs")
}

/// Items of a face that are neither modules, nor names, nor the layer's error.
fn foreign_items(source: &Source) -> Vec<String> {
    let allowed = IN_FACES.iter().find(|(path, _, _)| *path == source.path).map_or(&[][..], |(_, names, _)| names);
    let mut findings = Vec::new();
    for (at, line) in source.code.lines().enumerate() {
        let Some(name) = item(line) else { continue };
        if !["Error", "Result"].contains(&name.as_str()) && !allowed.contains(&name.as_str()) {
            findings.push(format!("{}:{}: {name}", source.path, at + 1));
        }
    }
    findings
}

/// The name of the item that begins on this line; for an impl, of the type it is for.
fn item(line: &str) -> Option<String> {
    const KEYWORDS: [&str; 10] =
        ["async fn ", "const fn ", "fn ", "struct ", "enum ", "trait ", "type ", "const ", "static ", "macro_rules! "];
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("pub(").and_then(|rest| rest.split_once(") ")).map_or(line, |(_, rest)| rest);
    if let Some(rest) = line.strip_prefix("impl") {
        let whole = rest.strip_prefix('<').and_then(|rest| rest.split_once("> ")).map_or(rest, |(_, rest)| rest);
        return Some(head(whole.split_once(" for ").map_or(whole, |(_, target)| target)));
    }
    KEYWORDS.iter().find_map(|word| line.strip_prefix(word)).map(head)
}
