//! A container's devices in the service manager's words. With control groups v1 it writes the list anew whenever its
//! units are read again: what it is not told would be allowed, or forbidden, from then on. Pure.

use super::Value;
use super::unit::Properties;
use crate::runtime::cgroup::devices::{Kind, MAKE, READ, Rule, WRITE};

/// `known`: the kernel's `/proc/devices`, because the manager names major numbers as they are named there. Rules that
/// it has no words for stand in the group's own files alone.
pub fn properties(rules: &[Rule], known: &str) -> Properties {
    let policy = |word: &str, list| {
        vec![("DevicePolicy".to_owned(), Value::Text(word.into())), ("DeviceAllow".to_owned(), Value::Pairs(list))]
    };
    // It has a list of what is allowed, and none of what is not.
    match allowed(rules) {
        Some(rules) => policy("strict", rules.iter().flat_map(|rule| words(rule, known)).collect()),
        None => policy("auto", Vec::new()),
    }
}

/// The rules that allow, when the others are as good as not there.
fn allowed(rules: &[Rule]) -> Option<Vec<Rule>> {
    let mut list: Vec<Rule> = Vec::new();
    for rule in rules {
        let everything = rule.kind == Kind::All && (rule.major, rule.minor) == (None, None);
        match (rule.allow, everything) {
            (true, true) => return None,
            (false, true) => list.clear(),
            (true, false) => list.push(*rule),
            (false, false) => {
                let same = |other: &Rule| (other.kind, other.major, other.minor) == (rule.kind, rule.major, rule.minor);
                for other in list.iter_mut().filter(|other| same(other)) {
                    other.access &= !rule.access;
                }
            }
        }
    }
    list.retain(|rule| rule.access != 0);
    Some(list)
}

fn words(rule: &Rule, known: &str) -> Vec<(String, String)> {
    let kinds: &[(&str, &str)] = match rule.kind {
        Kind::All => &[("char", "Character"), ("block", "Block")],
        Kind::Character => &[("char", "Character")],
        Kind::Block => &[("block", "Block")],
    };
    let access = [(READ, 'r'), (WRITE, 'w'), (MAKE, 'm')];
    let access: String = access.iter().filter(|(bit, _)| rule.access & bit != 0).map(|(_, letter)| letter).collect();
    let place = |(kind, title): &(&str, &str)| match (rule.major, rule.minor) {
        (None, None) => Some(format!("{kind}-*")),
        (None, Some(_)) => None,
        (Some(major), None) => name(known, title, major).map(|name| format!("{kind}-{name}")),
        (Some(major), Some(minor)) => Some(format!("/dev/{kind}/{major}:{minor}")),
    };
    kinds.iter().filter_map(place).map(|place| (place, access.clone())).collect()
}

/// The name of a major number: sections "Character devices:" and "Block devices:", lines of number and name.
fn name<'a>(known: &'a str, title: &str, major: u32) -> Option<&'a str> {
    let section = known.split("\n\n").find(|section| section.trim_start().starts_with(title))?;
    section.lines().find_map(|line| {
        let (number, name) = line.trim().split_once(' ')?;
        (number.parse() == Ok(major)).then(|| name.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::cgroup::devices;
    use serde_json::{Value as Json, json};

    const KNOWN: &str = "Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  7 loop\n253 zram\n";

    fn list(rules: Json) -> (String, Vec<String>) {
        let rules: Vec<_> = serde_json::from_value(rules).unwrap();
        let mut all = properties(&devices::rules(&rules).unwrap(), KNOWN).into_iter().map(|(_, value)| value);
        let (Some(Value::Text(policy)), Some(Value::Pairs(list))) = (all.next(), all.next()) else { panic!() };
        (policy, list.into_iter().map(|(place, access)| format!("{place} {access}")).collect())
    }

    #[test]
    fn lists() {
        let rule = |allow: bool, kind: &str, major: i64, minor: i64, access: &str| json!({ "allow": allow, "type": kind, "major": major, "minor": minor, "access": access });
        let (policy, found) = list(json!([]));
        assert_eq!(policy, "strict");
        assert_eq!(found[..3], ["char-* m", "block-* m", "/dev/char/1:3 rwm"]);
        assert_eq!(found.last().unwrap(), "char-pts rwm");
        let (_, found) = list(json!([
            rule(true, "b", 7, -1, "rw"),
            rule(true, "c", 10, 229, "rwm"),
            rule(false, "c", 10, 229, "w"),
            rule(true, "c", -1, 5, "r"),
            rule(true, "b", 99, -1, "r")
        ]));
        assert_eq!(found[..3], ["block-loop rw", "/dev/char/10:229 rm", "char-* m"]);
        assert_eq!(list(json!([{ "allow": true, "access": "rwm" }])), ("auto".into(), Vec::new()));
    }
}
