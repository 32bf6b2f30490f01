//! A list to choose from by typing a few letters: help, palette, signals, copy menu, themes.

mod contents;

use super::{Flow, boxed, field};
use crate::engine::Request;
use crate::engine::request::KillArgs;
use crate::model::id::ContainerId;
use crate::model::reference::Reference;
use crate::tui::action::{Action, spec};
use crate::tui::app::work::Purpose;
use crate::tui::app::{App, Hit};
use crate::tui::input::{Edit, Input};
use crate::tui::keys::Chord;
use crate::tui::theme::{Role, Theme};
use crate::tui::views::Scratch;
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
    /// An address for a browser.
    Browse(String),
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
    Ports,
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

const WIDTH: u16 = 96;

impl Picker {
    fn new(kind: Kind, title: String, items: Vec<Item>) -> Picker {
        let shown = (0..items.len()).collect();
        Picker { kind, title, items, input: Input::default(), shown, selected: 0, targets: Vec::new(), former: None }
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
        if self.kind != Kind::Themes {
            return;
        }
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
            Choice::Browse(url) => app.browse(url),
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
        // What was typed out is meant, however well the letters fit elsewhere.
        let begins = |i: usize| self.items[i].label.to_lowercase().starts_with(&typed.to_lowercase());
        scored.sort_by_cached_key(|(score, i)| (!begins(*i), std::cmp::Reverse(*score), *i));
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
