//! Holds the house together: who may import whom, where dangerous things may be, how big a file may grow, and that
//! nothing a person can ask for is only half there.
//!
//! Each rule is a text scan of `src/` (see `scan`) with an example of what breaks it, so that no rule can fall asleep.
//! When one fails it says where, and what to do.

mod files;
mod layers;
mod places;
mod scan;
mod tables;

use scan::Source;
use std::fmt::Write;
use std::path::Path;

/// One rule of the house.
struct Rule {
    /// What must hold, as a sentence.
    holds: &'static str,
    cure: &'static str,
    /// Everything that breaks it, as `path:line: why`.
    check: fn(&House) -> Vec<String>,
    /// Files, each of which alone breaks it: path below `src/` (or `it/` for one below `tests/it/`) and text.
    broken: &'static [(&'static str, &'static str)],
}

/// All there is to look at.
#[derive(Default)]
struct House {
    sources: Vec<Source>,
    /// Below `tests/it/`.
    tests: Vec<Source>,
}

impl House {
    fn as_it_stands() -> House {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        House { sources: scan::read(&root.join("src"), false), tests: scan::read(&root.join("tests/it"), true) }
    }

    fn of(path: &str, text: &str) -> House {
        match path.strip_prefix("it/") {
            Some(path) => House { tests: vec![Source::whole(path, text)], ..House::default() },
            None => House { sources: vec![Source::new(path, text)], ..House::default() },
        }
    }

    /// Production code of the file; empty when it is not there.
    fn code(&self, path: &str) -> &str {
        self.sources.iter().find(|s| s.path == path).map_or("", |s| &s.code)
    }
}

fn rules() -> impl Iterator<Item = &'static Rule> {
    layers::RULES.iter().chain(places::RULES).chain(files::RULES).chain(tables::RULES)
}

#[test]
fn the_house_keeps_its_rules() {
    let house = House::as_it_stands();
    assert!(house.sources.len() > 200, "the scan lost the sources");
    let mut message = String::new();
    for rule in rules() {
        let findings = (rule.check)(&house);
        if !findings.is_empty() {
            let _ = writeln!(message, "\nbroken: {}\n  cure: {}\n  {}", rule.holds, rule.cure, findings.join("\n  "));
        }
    }
    assert!(message.is_empty(), "{message}");
}

/// A rule that has lost what it looks at would pass for ever.
#[test]
fn every_rule_finds_what_breaks_it() {
    for rule in rules() {
        assert!(!rule.broken.is_empty(), "no example of what breaks: {}", rule.holds);
        for (path, text) in rule.broken {
            let findings = (rule.check)(&House::of(path, text));
            assert!(!findings.is_empty(), "{} sees nothing in {path}: {text}", rule.holds);
        }
    }
}
