//! `--filter key=value`: several values of one key are alternatives (labels: all must hold), different keys all hold.

use crate::cli::args::{misuse, wrong};
use crate::engine::Result;
use std::collections::BTreeMap;

/// The filters of one command line.
#[derive(Debug, Default)]
pub(in crate::cli) struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// `known`: the keys this list can be filtered by.
    pub fn parse(texts: &[&str], known: &[&str]) -> Result<Filters> {
        let mut filters = BTreeMap::<String, Vec<String>>::new();
        for text in texts {
            let (key, value) = text.split_once('=').ok_or_else(|| wrong("filter", text, "it must be KEY=VALUE"))?;
            let key = key.trim().to_lowercase();
            if !known.contains(&key.as_str()) {
                return Err(
                    misuse(format!("invalid filter '{key}'")).because(format!("there are {}", known.join(", ")))
                );
            }
            filters.entry(key).or_default().push(value.trim().to_owned());
        }
        Ok(Filters(filters))
    }

    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.get(key).into_iter().flatten().map(String::as_str)
    }

    /// No such filter, or one of its values fits.
    pub fn any(&self, key: &str, fits: impl Fn(&str) -> bool) -> bool {
        self.0.get(key).is_none_or(|values| values.iter().any(|v| fits(v)))
    }

    /// `label=key` and `label=key=value`; every one must hold.
    pub fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        self.values("label").all(|wanted| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|v| v == value),
            None => labels.contains_key(wanted),
        })
    }
}

/// Docker's name filter: a pattern that may match anywhere; text that is no pattern is searched as it is.
pub(in crate::cli) fn name_matches(pattern: &str, name: &str) -> bool {
    let plain = |p: &str| p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if plain(pattern) {
        return name.contains(pattern);
    }
    let pattern = pattern.replace("^/", "^");
    regex::Regex::new(&pattern).map_or_else(|_| name.contains(&pattern), |r| r.is_match(name))
}

/// Shell-like: `*` within a path component, `?` one character.
pub(in crate::cli) fn glob(pattern: &str, text: &str) -> bool {
    fn matches(p: &[u8], t: &[u8], fuel: &mut u32) -> bool {
        *fuel = fuel.saturating_sub(1);
        match (p.first(), t.first()) {
            _ if *fuel == 0 => false,
            (None, None) => true,
            (Some(b'*'), _) => {
                matches(&p[1..], t, fuel) || (t.first().is_some_and(|c| *c != b'/') && matches(p, &t[1..], fuel))
            }
            (Some(b'?'), Some(c)) if *c != b'/' => matches(&p[1..], &t[1..], fuel),
            (Some(a), Some(b)) if a == b => matches(&p[1..], &t[1..], fuel),
            _ => false,
        }
    }
    matches(pattern.as_bytes(), text.as_bytes(), &mut 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        let f = Filters::parse(&["name=a", "name=b", "label=x", "label=y=1"], &["name", "label"]).unwrap();
        assert!(f.any("name", |v| v == "b") && !f.any("name", |v| v == "c") && f.any("status", |_| false));
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert!(f.labels(&labels(&[("x", ""), ("y", "1")])));
        assert!(!f.labels(&labels(&[("x", ""), ("y", "2")])));
        assert!(
            Filters::parse(&["colour=red"], &["name"]).unwrap_err().to_string().starts_with("invalid filter 'colour'")
        );
        assert!(Filters::parse(&["name"], &["name"]).is_err());
        assert!(name_matches("^web$", "web") && !name_matches("^web$", "web2") && name_matches("eb", "web"));
        assert!(glob("ngin*:1.?", "nginx:1.2") && !glob("*", "a/b") && glob("*/b", "a/b"));
    }
}
