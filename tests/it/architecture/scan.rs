//! A text scan of Rust sources with comments and strings blanked: what it finds, it finds in code.
//!
//! Test code (`#[cfg(test)] mod tests` at a file's foot, `tests.rs`) is blanked too: rules are for what ships.

use std::fs;
use std::path::{Path, PathBuf};

pub struct Source {
    /// Below `src/`, such as `engine/mod.rs`.
    pub path: String,
    pub raw: String,
    /// Production code only, comments and strings blanked, line for line as in the file.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, raw: &str) -> Source {
        let blanked = blank(raw);
        let production = blanked.find("#[cfg(test)]\nmod tests").unwrap_or(blanked.len());
        let is_test = path.ends_with("tests.rs") || path.contains("/tests/");
        let code = if is_test { String::new() } else { blanked[..production].to_owned() };
        Source { path: path.to_owned(), raw: raw.to_owned(), code }
    }

    /// Of a test: all of it counts.
    pub fn whole(path: &str, raw: &str) -> Source {
        Source { path: path.to_owned(), raw: raw.to_owned(), code: blank(raw) }
    }

    pub fn layer(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or("")
    }

    pub fn below(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            self.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
        })
    }

    /// Line numbers at which `needle` stands as a whole path or word.
    pub fn lines_with<'a>(&'a self, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.code.match_indices(needle).filter_map(move |(at, _)| {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let before = self.code[..at].chars().next_back().is_some_and(word) && needle.starts_with(word);
            let after = self.code[at + needle.len()..].chars().next().is_some_and(word) && needle.ends_with(word);
            (!before && !after).then(|| self.code[..at].matches('\n').count() + 1)
        })
    }
}

/// All sources below `root`; `whole`: with their test code.
pub fn read(root: &Path, whole: bool) -> Vec<Source> {
    let mut files = Vec::new();
    walk(root, &mut files);
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        let text = fs::read_to_string(path).unwrap();
        if whole { Source::whole(name, &text) } else { Source::new(name, &text) }
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

/// Paths of ours that are named: what follows `crate::` (in main: `teu::`), with groups `crate::{x, y::z}` opened.
pub fn imports(source: &Source) -> Vec<(usize, String)> {
    let root = if source.layer() == "main" { "teu::" } else { "crate::" };
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices(root) {
        if source.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let line = source.code[..at].matches('\n').count() + 1;
        let rest = &source.code[at + root.len()..];
        let paths = if let Some(group) = rest.strip_prefix('{') { group_paths(group) } else { vec![path(rest)] };
        found.extend(paths.into_iter().map(|path| (line, path)));
    }
    found
}

/// The first segment of a path.
pub fn head(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn path(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || ['_', ':'].contains(c)).collect()
}

fn group_paths(text: &str) -> Vec<String> {
    let (mut depth, mut paths, mut start) = (0, Vec::new(), 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => {
                paths.push(path(&text[start..at]));
                start = at + 1;
            }
            '}' if depth == 0 => {
                paths.push(path(&text[start..at]));
                break;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    paths.retain(|path| !path.is_empty());
    paths
}

#[test]
fn the_scan_sees_through_comments_and_groups() {
    let text = "// use crate::tui;\nuse crate::{model::id, tui::{App, Msg}};\nlet s = \"unsafe { crate::cli }\";\n\
                let r = r#\"crate::cli \" x\"#; let c = '\"'; let l: &'static str = x;\nfn f() { crate::cli::x() }\n\
                #[cfg(test)]\nmod tests { use crate::tui::App; }\n";
    let source = Source::new("engine/x.rs", text);
    let paths: Vec<_> = imports(&source).into_iter().map(|(line, path)| format!("{line} {path}")).collect();
    assert_eq!(paths, ["2 model::id", "2 tui::", "5 cli::x"]);
    assert_eq!(source.lines_with("unsafe {").count(), 0);
    assert_eq!(Source::new("tui/x.rs", "use std::sync::Mutex;").lines_with("Mutex").count(), 1);
    assert_eq!(Source::new("tui/x.rs", "use a::MutexGuard;").lines_with("Mutex").count(), 0);
}
