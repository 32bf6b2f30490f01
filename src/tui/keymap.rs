//! Keys to actions: the table's defaults, a preset's habits, the user's own; conflicts are told, not hidden.

use super::action::{Action, Scope, TABLE, by_name, spec};
use super::keys::Chord;
use std::collections::{BTreeMap, HashMap};

/// What each key does in each scope.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    bindings: HashMap<(Scope, Chord), Action>,
    keys: BTreeMap<Action, Vec<Chord>>,
}

/// Habits of lazydocker's users, where they differ from the defaults and do no harm.
const LAZYDOCKER: &[(&str, &[&str])] = &[
    ("logs", &["m", "l"]),
    ("attach", &["a", "A"]),
    ("show-all", &["e"]),
    ("limits", &["ctrl-e"]),
    ("remove", &["d", "del", "D"]),
    ("open", &["enter", "i"]),
    ("start-stop", &["s", "t"]),
    ("shell", &["E", "x"]),
    ("help", &["?", "f1"]),
];

/// Habits of k9s' users.
const K9S: &[(&str, &[&str])] = &[
    ("kill", &["ctrl-k", "X"]),
    ("remove", &["ctrl-d", "del", "D"]),
    ("open", &["enter", "d", "y"]),
    ("copy", &["c"]),
    ("page-down", &["pgdn", "ctrl-f"]),
    ("page-up", &["pgup", "ctrl-b"]),
    ("zoom", &["z", "f"]),
];

impl Keymap {
    /// Builds the map; the strings are mistakes and conflicts for people, the map is usable in any case.
    pub fn build(preset: &str, user: &BTreeMap<String, Vec<String>>) -> (Keymap, Vec<String>) {
        let mut problems = Vec::new();
        let mut keys: BTreeMap<Action, Vec<Chord>> = TABLE
            .iter()
            .map(|row| (row.action, row.keys.iter().filter_map(|k| Chord::parse(k).ok()).collect()))
            .collect();
        let preset_rows = match preset {
            "" | "default" => &[],
            "lazydocker" => LAZYDOCKER,
            "k9s" => K9S,
            other => {
                problems.push(format!("tui.preset: there is no preset '{other}' (default, lazydocker, k9s)"));
                &[][..]
            }
        };
        for (name, chords) in preset_rows {
            if let Some(action) = by_name(name) {
                take(&mut keys, action, chords.iter().filter_map(|k| Chord::parse(k).ok()).collect());
            }
        }
        let mut chosen: HashMap<(Scope, Chord), Action> = HashMap::new();
        for (name, texts) in user {
            let Some(action) = by_name(name) else {
                problems.push(format!("tui.keys: there is no action '{name}'"));
                continue;
            };
            let mut chords = Vec::new();
            for text in texts {
                match Chord::parse(text) {
                    Ok(chord) => chords.push(chord),
                    Err(why) => problems.push(format!("tui.keys.{name}: {why}")),
                }
            }
            for chord in &chords {
                if let Some(other) = chosen.insert((spec(action).scope, *chord), action) {
                    problems.push(format!("tui.keys.{name}: {chord} is given to '{}' too", spec(other).name));
                }
            }
            take(&mut keys, action, chords);
        }
        let mut bindings = HashMap::new();
        for (action, chords) in &keys {
            for chord in chords {
                bindings.entry((spec(*action).scope, *chord)).or_insert(*action);
            }
        }
        (Keymap { bindings, keys }, problems)
    }

    /// The action of a key in the first of these scopes that knows it.
    pub fn action(&self, scopes: &[Scope], chord: Chord) -> Option<Action> {
        scopes.iter().find_map(|scope| self.bindings.get(&(*scope, chord)).copied())
    }

    /// The keys of an action, the one to show first.
    pub fn keys(&self, action: Action) -> &[Chord] {
        self.keys.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The first key as text; empty when it has none.
    pub fn key_text(&self, action: Action) -> String {
        self.keys(action).first().map(Chord::to_string).unwrap_or_default()
    }
}

/// Gives the chords to `action` and takes them from all others of its scope.
fn take(keys: &mut BTreeMap<Action, Vec<Chord>>, action: Action, chords: Vec<Chord>) {
    let scope = spec(action).scope;
    for (other, theirs) in keys.iter_mut() {
        let other_scope = spec(*other).scope;
        let overlaps = other_scope == scope
            || matches!((other_scope, scope), (Scope::List, Scope::Containers | Scope::Images))
            || matches!((scope, other_scope), (Scope::List, Scope::Containers | Scope::Images));
        if overlaps {
            theirs.retain(|chord| !chords.contains(chord));
        }
    }
    keys.insert(action, chords);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chord(text: &str) -> Chord {
        Chord::parse(text).expect(text)
    }

    const LIST: &[Scope] = &[Scope::Containers, Scope::List, Scope::Global];

    #[test]
    fn the_users_keys_replace_an_actions_defaults() {
        let user = BTreeMap::from([(String::from("shell"), vec![String::from("ctrl-s"), String::from("r")])]);
        let (map, problems) = Keymap::build("default", &user);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(map.action(LIST, chord("ctrl-s")), Some(Action::Shell));
        assert_eq!(map.action(LIST, chord("s")), None);
        assert_eq!(map.action(LIST, chord("r")), Some(Action::Shell));
        assert!(map.keys(Action::Restart).is_empty());
    }

    #[test]
    fn mistakes_are_told_and_the_rest_works() {
        let user = BTreeMap::from([
            (String::from("fly"), vec![String::from("f")]),
            (String::from("logs"), vec![String::from("hyper-q"), String::from("L")]),
            (String::from("restart"), vec![String::from("L")]),
        ]);
        let (map, problems) = Keymap::build("emacs", &user);
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert_eq!(map.action(LIST, chord("s")), Some(Action::Shell));
    }

    #[test]
    fn presets_move_keys_without_double_meaning() {
        for preset in ["lazydocker", "k9s"] {
            let (map, problems) = Keymap::build(preset, &BTreeMap::new());
            assert!(problems.is_empty());
            assert_eq!(map.action(LIST, chord("del")), Some(Action::Remove));
        }
        let (map, _) = Keymap::build("lazydocker", &BTreeMap::new());
        assert_eq!(map.action(LIST, chord("d")), Some(Action::Remove));
    }
}
