//! What there is to choose from, for each kind of list.

use super::{Choice, Item, Kind, Picker};
use crate::tui::action::{Action, Scope, TABLE, spec};
use crate::tui::app::App;
use crate::tui::app::leader::LEADERS;
use crate::tui::keys::Chord;
use crate::tui::ports;
use crate::tui::views::shell::{Leader, Shells};

const SIGNALS: [(&str, &str); 10] = [
    ("TERM", "15  end in an orderly way"),
    ("KILL", "9   end at once, unsaved work is lost"),
    ("INT", "2   as Ctrl-C"),
    ("HUP", "1   many daemons read their configuration anew"),
    ("QUIT", "3   end, often with a core dump or in a graceful way"),
    ("USR1", "10  the program's own"),
    ("USR2", "12  the program's own"),
    ("STOP", "19  halt, cannot be caught"),
    ("CONT", "18  go on after STOP"),
    ("WINCH", "28 window size changed; apache and nginx stop gracefully"),
];

impl Picker {
    /// Every action that means something in these scopes, the nearest first, with its keys.
    pub fn help(app: &App, scopes: &[Scope]) -> Picker {
        let mut items: Vec<Item> = Vec::new();
        for scope in scopes {
            items.extend(TABLE.iter().filter(|r| r.scope == *scope).map(|r| action_item(app, r.action)));
        }
        let leader = app.terms.view.leader().to_string();
        items.extend(Shells::leader_keys().iter().map(|(key, what)| Item {
            label: format!("in a shell: {what}"),
            detail: String::from("Shells"),
            key: format!("{leader} {key}"),
            choice: Choice::Nothing,
        }));
        if scopes.contains(&Scope::Containers) {
            items.extend(ports::SIGNS.iter().map(|(port, who)| Item {
                label: format!("{port}  {who}"),
                detail: String::from("Ports"),
                key: String::new(),
                choice: Choice::Nothing,
            }));
        }
        let title = format!("Help: {}", scope_word(scopes[0]));
        Picker::new(Kind::Help, title, items)
    }

    /// Everything that can be done and everything there is.
    pub fn palette(app: &App) -> Picker {
        let mut items: Vec<Item> = Vec::new();
        for name in app.palette_history.iter().rev() {
            items.extend(crate::tui::action::by_name(name).map(|a| action_item(app, a)));
        }
        let rest = TABLE.iter().filter(|r| !app.palette_history.iter().any(|h| h == r.name));
        items.extend(rest.map(|r| action_item(app, r.action)));
        items.extend(app.inventory.containers.iter().map(|c| Item {
            label: c.container.name.clone(),
            detail: format!("container, {}", c.state.status.word()),
            key: String::new(),
            choice: Choice::Container(c.container.id.clone()),
        }));
        items.extend(app.images.rows.iter().map(|r| Item {
            label: r.name.clone(),
            detail: String::from("image"),
            key: String::new(),
            choice: Choice::Image(r.key.clone()),
        }));
        items.extend(app.themes.iter().map(|(name, theme)| Item {
            label: format!("theme {name}"),
            detail: theme.title().to_owned(),
            key: String::new(),
            choice: Choice::Theme(name.clone()),
        }));
        Picker::new(Kind::Palette, String::from("Command, container or image"), items)
    }

    pub fn signals(targets: Vec<String>) -> Picker {
        let items = SIGNALS
            .iter()
            .map(|(name, what)| Item {
                label: format!("SIG{name}"),
                detail: (*what).to_owned(),
                key: String::new(),
                choice: Choice::Signal(name),
            })
            .collect();
        Picker {
            targets: targets.clone(),
            ..Picker::new(Kind::Signals, format!("Signal to {}", targets.join(", ")), items)
        }
    }

    /// `texts`: what it is, and the text.
    pub fn copy(texts: Vec<(&'static str, String)>) -> Picker {
        let items = texts
            .into_iter()
            .map(|(what, text)| Item {
                label: what.to_owned(),
                detail: text.lines().next().unwrap_or("").to_owned(),
                key: String::new(),
                choice: Choice::Copy { what, text },
            })
            .collect();
        Picker::new(Kind::Copy, String::from("Copy"), items)
    }

    /// `ports`: what is reached by it, and its address for a browser.
    pub fn ports(ports: Vec<(String, String)>) -> Picker {
        let items = ports
            .into_iter()
            .map(|(label, url)| Item { label, detail: url.clone(), key: String::new(), choice: Choice::Browse(url) })
            .collect();
        Picker::new(Kind::Ports, String::from("Open a port"), items)
    }

    pub fn themes(app: &App) -> Picker {
        let items: Vec<Item> = app
            .themes
            .iter()
            .map(|(name, theme)| Item {
                label: name.clone(),
                detail: theme.title().to_owned(),
                key: String::new(),
                choice: Choice::Theme(name.clone()),
            })
            .collect();
        let mut picker = Picker::new(Kind::Themes, String::from("Theme"), items);
        picker.selected = app.themes.iter().position(|(n, _)| *n == app.theme_name).unwrap_or(0);
        picker.former = Some((app.theme_name.clone(), app.theme.clone()));
        picker
    }

    pub fn leaders(app: &App) -> Picker {
        let items: Vec<Item> = LEADERS
            .iter()
            .map(|(name, takes)| Item {
                label: Leader::parse(name).map_or_else(|| (*name).to_owned(), |leader| leader.to_string()),
                detail: format!("takes {takes}"),
                key: String::new(),
                choice: Choice::Leader(name),
            })
            .collect();
        let mut picker = Picker::new(Kind::Leaders, String::from("Key that leads out of a shell"), items);
        let now = Some(app.terms.view.leader());
        picker.selected = LEADERS.iter().position(|(name, _)| Leader::parse(name) == now).unwrap_or(0);
        picker
    }
}

fn action_item(app: &App, action: Action) -> Item {
    let row = spec(action);
    let keys: Vec<String> = app.keymap.keys(action).iter().take(3).map(Chord::to_string).collect();
    Item {
        label: row.title.to_owned(),
        detail: format!("{} · {}", scope_word(row.scope), row.name),
        key: keys.join(" "),
        choice: Choice::Action(action),
    }
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Global => "everywhere",
        Scope::List => "lists",
        Scope::Containers => "containers",
        Scope::Images => "images",
        Scope::Detail => "detail",
        Scope::Logs => "logs",
        Scope::Tree => "inspect",
        Scope::Stats => "stats",
        Scope::Processes => "top",
        Scope::Changes => "files",
        Scope::Networks => "networks",
        Scope::Shells => "shells",
    }
}
