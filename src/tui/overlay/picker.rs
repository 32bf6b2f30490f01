//! A list to choose from by typing a few letters: help, palette, signals, copy menu, themes.

use super::{Flow, boxed, field};
use crate::engine::Request;
use crate::engine::request::KillArgs;
use crate::model::id::ContainerId;
use crate::model::reference::Reference;
use crate::tui::action::{Action, Scope, TABLE, spec};
use crate::tui::app::leader::LEADERS;
use crate::tui::app::work::Purpose;
use crate::tui::app::{App, Hit};
use crate::tui::input::{Edit, Input};
use crate::tui::keys::Chord;
use crate::tui::theme::{Role, Theme};
use crate::tui::views::Scratch;
use crate::tui::views::shell::{Leader, Shells};
use crate::tui::{list, text};
use crossterm::event::{KeyCode, KeyModifiers};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What choosing an entry does.
#[derive(Clone, Debug)]
enum Choice {
    Action(Action),
    Container(ContainerId),
    Image(String),
    Signal(&'static str),
    Copy {
        what: &'static str,
        text: String,
    },
    Theme(String),
    Leader(&'static str),
    Pull(Reference),
    /// Shown, not to be chosen.
    Nothing,
}

#[derive(Clone, Debug)]
struct Item {
    label: String,
    detail: String,
    key: String,
    choice: Choice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Help,
    Palette,
    Signals,
    Copy,
    Themes,
    Leaders,
}

/// A titled list with a filter field.
pub struct Picker {
    kind: Kind,
    title: String,
    items: Vec<Item>,
    input: Input,
    /// Indices of the items shown, best first.
    shown: Vec<usize>,
    selected: usize,
    /// Containers a signal goes to.
    targets: Vec<String>,
    /// The theme to go back to.
    former: Option<(String, Theme)>,
}

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

const WIDTH: u16 = 96;

impl Picker {
    fn new(kind: Kind, title: String, items: Vec<Item>) -> Picker {
        let shown = (0..items.len()).collect();
        Picker { kind, title, items, input: Input::default(), shown, selected: 0, targets: Vec::new(), former: None }
    }

    /// Every action that means something here, with its keys.
    pub fn help(app: &App) -> Picker {
        let scopes = app.scopes();
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

    pub fn paste(&mut self, pasted: &str) {
        self.input.insert(pasted);
        self.narrow();
    }

    pub fn step(&mut self, by: isize) {
        self.selected = self.selected.saturating_add_signed(by).min(self.shown.len().saturating_sub(1));
    }

    pub fn click(&mut self, app: &mut App, row: usize) -> Flow {
        if row >= self.shown.len() {
            return Flow::Keep;
        }
        self.selected = row;
        self.choose(app)
    }

    pub fn key(&mut self, app: &mut App, chord: Chord) -> Flow {
        let control = chord.mods.contains(KeyModifiers::CONTROL);
        match chord.code {
            KeyCode::Esc => return self.cancel(app),
            KeyCode::Char('c') if control => return self.cancel(app),
            KeyCode::Enter => return self.choose(app),
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            KeyCode::Char('p') if control => self.step(-1),
            KeyCode::Char('n') if control => self.step(1),
            KeyCode::PageUp => self.step(-10),
            KeyCode::PageDown => self.step(10),
            KeyCode::Tab => {
                if let Some(item) = self.current() {
                    let label = item.label.clone();
                    self.input.set(&label);
                    self.narrow();
                }
            }
            _ => {
                if self.input.key(chord) == Edit::Changed {
                    self.narrow();
                }
            }
        }
        self.preview(app);
        Flow::Keep
    }

    fn current(&self) -> Option<&Item> {
        self.shown.get(self.selected).map(|i| &self.items[*i])
    }

    fn cancel(&mut self, app: &mut App) -> Flow {
        if let Some((name, theme)) = self.former.take() {
            (app.theme_name, app.theme) = (name, theme);
        }
        Flow::Close
    }

    /// A theme is seen before it is chosen.
    fn preview(&self, app: &mut App) {
        if let Some(Choice::Theme(name)) = self.current().map(|i| &i.choice) {
            app.use_theme(&name.clone());
        }
    }

    fn choose(&mut self, app: &mut App) -> Flow {
        let Some(item) = self.current().cloned() else { return Flow::Keep };
        match item.choice {
            Choice::Nothing => return Flow::Keep,
            Choice::Action(action) => {
                if self.kind == Kind::Palette {
                    app.remember_palette(spec(action).name);
                }
                app.enter_scope(spec(action).scope);
                app.act(action);
            }
            Choice::Container(id) => app.show_container(&id),
            Choice::Image(key) => app.show_image(&key),
            Choice::Signal(name) => {
                let containers = self.targets.clone();
                app.submit(Purpose::Act, Request::Kill(KillArgs { containers, signal: name.to_owned() }));
            }
            Choice::Copy { what, text } => app.copy(text, what),
            Choice::Theme(name) => app.choose_theme(&name),
            Choice::Leader(name) => app.choose_leader(name),
            Choice::Pull(reference) => app.pull(reference),
        }
        Flow::Close
    }

    /// Shows what matches the typed text, the best first.
    fn narrow(&mut self) {
        self.items.retain(|i| !matches!(i.choice, Choice::Pull(_)));
        let typed = self.input.text().trim().to_owned();
        self.selected = 0;
        if typed.is_empty() {
            self.shown = (0..self.items.len()).collect();
            return;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(&typed, CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize)> = self
            .items
            .iter()
            .enumerate()
            .filter_map(|(i, item)| {
                let haystack = format!("{} {} {}", item.label, item.detail, item.key);
                pattern.score(Utf32Str::new(&haystack, &mut buffer), &mut matcher).map(|s| (s, i))
            })
            .collect();
        scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        self.shown = scored.into_iter().map(|(_, i)| i).collect();
        if self.kind == Kind::Palette
            && let Some(Ok(reference)) = typed.strip_prefix("pull ").map(|r| r.trim().parse::<Reference>())
        {
            self.items.push(Item {
                label: format!("pull {}", reference.familiar()),
                detail: String::from("from its registry"),
                key: String::new(),
                choice: Choice::Pull(reference),
            });
            self.shown.insert(0, self.items.len() - 1);
        }
    }

    pub fn draw(&self, app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
        let wanted = self.items.len() as u16 + 4;
        let height = wanted.clamp(6, area.height.saturating_sub(4).max(6));
        let foot = format!("{} of {} · Enter chooses · Esc closes", self.shown.len(), self.items.len());
        let inner = boxed(app, &self.title, &foot, (WIDTH, height), area, buf);
        if inner.height < 3 {
            return;
        }
        let prompt = text::put(buf, inner.x, inner.y, 2, "> ", app.theme.style(Role::Key));
        let line = Rect { x: prompt, width: inner.right().saturating_sub(prompt), height: 1, ..inner };
        let cursor = field(app, &self.input, line, true, buf);
        scratch.cursor = cursor.map(|(x, y)| (x, y).into());
        let body = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
        let rows = usize::from(body.height);
        let offset = list::scroll(0, Some(self.selected), self.shown.len(), rows);
        for (i, index) in self.shown.iter().enumerate().skip(offset).take(rows) {
            let row = Rect { y: body.y + (i - offset) as u16, height: 1, ..body };
            scratch.mark(row, Hit::Overlay(i));
            draw_item(app, &self.items[*index], self.columns(row.width), row, i == self.selected, buf);
        }
    }

    /// Where details begin and how wide keys are: the same for all rows, whatever is filtered.
    fn columns(&self, width: u16) -> (u16, u16) {
        let widest = |f: fn(&Item) -> &str| self.items.iter().map(|i| text::width(f(i))).max().unwrap_or(0) as u16;
        let keys = widest(|i| &i.key).min(width / 4);
        (widest(|i| &i.label).min(42).min((width - keys) * 3 / 5), keys)
    }
}

fn draw_item(app: &App, item: &Item, columns: (u16, u16), row: Rect, selected: bool, buf: &mut Buffer) {
    let (column, key_width) = columns;
    let key = text::fit_right(&item.key, usize::from(key_width));
    let room = row.width.saturating_sub(key_width + 1);
    let label = text::sanitize(&item.label).into_owned();
    let end =
        text::put(buf, row.x, row.y, room, &text::truncate(&label, usize::from(room)), app.theme.style(Role::Text));
    let x = (end + 1).max(row.x + column);
    let left = (row.x + room).saturating_sub(x + 2);
    let detail = text::sanitize(&item.detail).into_owned();
    text::put(buf, x + 2, row.y, left, &text::truncate(&detail, usize::from(left)), app.theme.style(Role::Dim));
    text::put(buf, row.right() - key_width, row.y, key_width, &key, app.theme.style(Role::Key));
    if selected {
        buf.set_style(row, app.theme.style(Role::Selection));
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
        Scope::Shells => "shells",
    }
}
