//! `config.toml`: every mistake is reported with its line, and costs only the key it is in.

use super::Config;
use toml::de::{DeTable, DeValue};

const KEYS: [&str; 10] = [
    "theme",
    "leader",
    "mouse",
    "ascii",
    "preset",
    "scrollback",
    "insecure-registries",
    "publish-address",
    "network",
    "keys",
];
const PRESETS: [&str; 3] = ["default", "lazydocker", "k9s"];
const MAX_SCROLLBACK: i64 = 1_000_000;

/// Applies what is right in `text` to `config`; the rest becomes warnings.
pub(super) fn apply(config: &mut Config, text: &str) {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = error.span().map_or_else(String::new, |s| place(text, s.start));
        config.warnings.push(format!("config.toml{place}: {}", error.message().replace('\n', ", ")));
    }
    for (key, value) in table.get_ref() {
        let outcome = set(config, text, key.get_ref(), value.get_ref());
        if let Err(why) = outcome {
            let at = if why.at_key { key.span() } else { value.span() };
            config.warnings.push(format!("config.toml{}: {}", place(text, at.start), why.text));
        }
    }
}

struct Mistake {
    text: String,
    at_key: bool,
}

impl From<String> for Mistake {
    fn from(text: String) -> Self {
        Mistake { text, at_key: false }
    }
}

/// ` line 7 column 3`, from 1.
fn place(text: &str, offset: usize) -> String {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
    format!(" line {line} column {column}")
}

fn set(config: &mut Config, text: &str, key: &str, value: &DeValue) -> Result<(), Mistake> {
    let tui = &mut config.tui;
    match key {
        "theme" => tui.theme = string(key, value)?,
        "leader" => tui.leader = string(key, value)?,
        "mouse" => tui.mouse = boolean(key, value)?,
        "ascii" => tui.ascii = Some(boolean(key, value)?),
        "preset" => {
            let preset = string(key, value)?;
            if !PRESETS.contains(&preset.as_str()) {
                return Err(format!("unknown preset `{preset}`; there are {}", PRESETS.join(", ")).into());
            }
            tui.preset = preset;
        }
        "scrollback" => {
            let lines = integer(key, value)?;
            if !(0..=MAX_SCROLLBACK).contains(&lines) {
                return Err(format!("`scrollback` is {lines}; it must be 0 to {MAX_SCROLLBACK} lines").into());
            }
            tui.scrollback = usize::try_from(lines).unwrap_or_default();
        }
        "insecure-registries" => config.insecure_registries.extend(strings(key, value)?),
        "publish-address" => {
            let address = string(key, value)?;
            let parsed = address.parse().map_err(|_| format!("`{key}` is '{address}'; it must be an IP address"))?;
            config.publish_address = Some(parsed);
        }
        "network" => set_network(config, text, value)?,
        "keys" => set_keys(config, text, value)?,
        _ => {
            let hint = nearest(key, &KEYS).map(|k| format!("; did you mean `{k}`?")).unwrap_or_default();
            return Err(Mistake { text: format!("unknown key `{key}`{hint}"), at_key: true });
        }
    }
    Ok(())
}

/// `network.default`: where containers are that name no network; `network.ports`: who takes what comes to a published port.
fn set_network(config: &mut Config, text: &str, value: &DeValue) -> Result<(), Mistake> {
    let DeValue::Table(table) = value else {
        return Err(format!("`network` must be a table, not {}: write network.default = ...", value.type_str()).into());
    };
    for (key, value) in table {
        let name = format!("network.{}", key.get_ref());
        let set = match key.get_ref().as_ref() {
            "default" => either(&name, value.get_ref(), ["none", "bridge"]).map(|is| config.default_network = is),
            "ports" => either(&name, value.get_ref(), ["kernel", "monitor"]).map(|is| config.monitors_listen = is),
            other => {
                let known = nearest(other, &["default", "ports"]).unwrap_or("default");
                Err(Mistake { text: format!("unknown key `{name}`; did you mean `network.{known}`?"), at_key: true })
            }
        };
        if let Err(why) = set {
            let at = if why.at_key { key.span() } else { value.span() };
            config.warnings.push(format!("config.toml{}: {}", place(text, at.start), why.text));
        }
    }
    Ok(())
}

/// Whether it is the second of two words.
fn either(name: &str, value: &DeValue, [first, second]: [&str; 2]) -> Result<bool, Mistake> {
    match string(name, value)? {
        word if word == first => Ok(false),
        word if word == second => Ok(true),
        word => Err(format!("`{name}` is '{word}'; it must be {first} or {second}").into()),
    }
}

/// `[keys]`: action to one key or a list of keys. Whether the action exists is the screen's to say.
fn set_keys(config: &mut Config, text: &str, value: &DeValue) -> Result<(), Mistake> {
    let DeValue::Table(table) = value else {
        return Err(format!("`keys` must be a table, not {}", value.type_str()).into());
    };
    for (action, keys) in table {
        let list = match keys.get_ref() {
            DeValue::String(one) => Ok(vec![one.to_string()]),
            other => strings(action.get_ref(), other),
        };
        match list {
            Ok(list) => {
                config.tui.keys.insert(action.get_ref().to_string(), list);
            }
            Err(why) => {
                let place = place(text, keys.span().start);
                config.warnings.push(format!("config.toml{place}: {why}"));
            }
        }
    }
    Ok(())
}

fn string(key: &str, value: &DeValue) -> Result<String, String> {
    match value {
        DeValue::String(s) => Ok(s.to_string()),
        other => Err(format!("`{key}` must be a string, not {}", other.type_str())),
    }
}

fn boolean(key: &str, value: &DeValue) -> Result<bool, String> {
    match value {
        DeValue::Boolean(b) => Ok(*b),
        other => Err(format!("`{key}` must be true or false, not {}", other.type_str())),
    }
}

fn integer(key: &str, value: &DeValue) -> Result<i64, String> {
    match value {
        DeValue::Integer(n) => {
            let parsed = i64::from_str_radix(n.as_str(), n.radix());
            parsed.map_err(|_| format!("`{key}` is out of range: {n}"))
        }
        other => Err(format!("`{key}` must be a number, not {}", other.type_str())),
    }
}

fn strings(key: &str, value: &DeValue) -> Result<Vec<String>, String> {
    let wrong = || format!("`{key}` must be a list of strings");
    let DeValue::Array(items) = value else { return Err(wrong()) };
    items.iter().map(|item| string(key, item.get_ref()).map_err(|_| wrong())).collect()
}

/// The known word that is closest, when it is close enough to be what was meant.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, best) = known.iter().map(|k| (edit_distance(word, k), *k)).min()?;
    (distance <= 1 + word.len() / 4).then_some(best)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Config {
        let mut config = Config::default();
        apply(&mut config, text);
        config
    }

    #[test]
    fn the_sample_is_right_and_says_the_defaults() {
        let uncommented: String = crate::config::sample()
            .lines()
            .map(|l| l.strip_prefix("#: ").unwrap_or(l))
            .fold(String::new(), |all, l| all + l + "\n");
        let config = load(&uncommented);
        assert_eq!(config.warnings, Vec::<String>::new());
        let expected = crate::config::TuiConfig {
            ascii: Some(false),
            keys: [("quit".into(), vec!["q".into()])].into(),
            ..Default::default()
        };
        assert_eq!(config.tui, expected);
        assert_eq!(config.publish_address, Some(std::net::Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn a_mistake_is_told_by_its_line_and_costs_only_its_key() {
        let config = load("# one\n# two\nmouse = false\n\n\n\nthem = \"x\"\nscrollback = 5\n");
        assert_eq!(config.warnings, ["config.toml line 7 column 1: unknown key `them`; did you mean `theme`?"]);
        assert!(!config.tui.mouse);
        assert_eq!(config.tui.scrollback, 5);
    }

    #[test]
    fn absurd_values_are_refused_one_by_one() {
        let config = load("scrollback = -4\nmouse = 3\npreset = 'vim'\nascii = true\n[keys]\nquit = 7\nhelp = 'F1'\n");
        assert_eq!(
            config.warnings,
            [
                "config.toml line 6 column 8: `quit` must be a list of strings",
                "config.toml line 2 column 9: `mouse` must be true or false, not integer",
                "config.toml line 3 column 10: unknown preset `vim`; there are default, lazydocker, k9s",
                "config.toml line 1 column 14: `scrollback` is -4; it must be 0 to 1000000 lines",
            ]
        );
        assert_eq!(config.tui.ascii, Some(true));
        assert_eq!(config.tui.keys["help"], ["F1"]);
    }

    #[test]
    fn ports_may_be_published_elsewhere_than_on_the_loopback() {
        assert_eq!(load("publish-address = '0.0.0.0'\n").publish_address, "0.0.0.0".parse().ok());
        let config = load("publish-address = 'lo'\n");
        assert_eq!(
            config.warnings,
            ["config.toml line 1 column 19: `publish-address` is 'lo'; it must be an IP address"]
        );
        assert_eq!(config.publish_address, None);
    }

    #[test]
    fn containers_may_be_on_no_network_unless_they_name_one() {
        assert!(load("").default_network && load("network.default = 'bridge'\n").default_network);
        assert!(!load("[network]\ndefault = 'none'\n").default_network);
        let config = load("network.default = 'web'\nnetwork.mtu = 5\n");
        assert_eq!(
            config.warnings,
            [
                "config.toml line 1 column 19: `network.default` is 'web'; it must be none or bridge",
                "config.toml line 2 column 9: unknown key `network.mtu`; did you mean `network.default`?",
            ]
        );
        assert!(load("network = 'none'\n").warnings[0].contains("must be a table"));
        assert!(!load("").monitors_listen && !load("network.ports = 'kernel'\n").monitors_listen);
        assert!(load("network.ports = 'monitor'\n").monitors_listen);
        let wrong = load("network.ports = true\nnetwork.port = 'kernel'\n").warnings;
        assert!(wrong[0].contains("did you mean `network.ports`?"), "{wrong:?}");
        assert!(wrong[1].contains("`network.ports` must be a string"), "{wrong:?}");
    }

    #[test]
    fn broken_toml_keeps_the_rest() {
        let config = load("mouse = false\ntheme = \"unclosed\nscrollback = 7\n");
        assert!(config.warnings[0].starts_with("config.toml line 2 column"), "{:?}", config.warnings);
        assert!(!config.tui.mouse);
        assert_eq!(config.tui.scrollback, 7);
    }
}
