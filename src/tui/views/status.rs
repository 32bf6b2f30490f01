//! The two bottom lines: what was done last, and the keys that matter here.

use super::Scratch;
use crate::tui::action::{Action, Scope, spec};
use crate::tui::app::work::{Purpose, Task};
use crate::tui::app::{App, Hit};
use crate::tui::panes::{Layout, Pane};
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::views::shell::LEADER_KEYS;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const COPY_KEYS: [(&str, &str); 5] = [("v", "select"), ("V", "lines"), ("y", "copy"), ("/", "search"), ("q", "leave")];
const ENDED_KEYS: [(&str, &str); 4] = [("Enter", "close"), ("r", "run again"), ("Esc", "leave"), ("Tab", "pane")];

pub fn draw(app: &App, scratch: &mut Scratch, layout: &Layout, buf: &mut Buffer) {
    if layout.hint.height == 0 {
        return;
    }
    last_act(app, scratch, layout.status, buf);
    hints(app, scratch, layout.hint, buf);
}

fn last_act(app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    let mut end = area.right();
    let undo = app.work.undoable().is_some();
    let buttons = [
        (!app.work.log.is_empty(), Action::ActionLog, "action log", Role::Dim),
        (undo, Action::Undo, "undo", Role::Accent),
    ];
    for (_, action, word, role) in buttons.into_iter().filter(|(shown, ..)| *shown) {
        let hint = format!("{} {word} ", app.keymap.key_text(action));
        let width = text::width(&hint) as u16;
        if width + 20 < end - area.x {
            end -= width;
            text::put(buf, end, area.y, width, &hint, app.theme.style(role));
            scratch.mark(Rect::new(end, area.y, width, 1), Hit::Action(action));
            // A gap to the next one on the left.
            end -= 2;
        }
    }
    let busy = |t: &&Task| t.purpose == Purpose::Act && !t.is_undoable();
    let under_way = app.work.running.values().rev().find(busy);
    if let Some(task) = under_way {
        let x = text::put(buf, area.x + 1, area.y, 8, "busy", app.theme.style(Role::Accent)) + 2;
        let words = [task.title.as_str(), &task.progress.stage].join("  ");
        let line = text::sanitize(words.trim_end()).into_owned();
        let room = end.saturating_sub(x + 1);
        text::put(buf, x, area.y, room, &text::truncate(&line, usize::from(room)), app.theme.style(Role::Text));
        return;
    }
    let Some(status) = &app.status else { return };
    let (word, role) = if status.ok { ("ok", Role::Ok) } else { ("failed", Role::Error) };
    let x = text::put(buf, area.x + 1, area.y, 8, word, app.theme.style(role)) + 2;
    let room = end.saturating_sub(x + 1);
    let line = text::sanitize(&status.text).into_owned();
    text::put(buf, x, area.y, room, &text::truncate(&line, usize::from(room)), app.theme.style(Role::Text));
}

/// Actions with a hint word, those of the focused pane first; each is a button. Where the line is short the later ones of
/// the pane go before the ones that lead on: filter, palette, help.
fn hints(app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    if app.panes.focus == Pane::Shells && app.overlays.is_empty() && app.terms.takes_keys() {
        return shell_hints(app, area, buf);
    }
    let buttons = |actions: Vec<Action>| -> Vec<(Action, String, &'static str)> {
        let whole = actions.into_iter().map(|a| (a, app.keymap.key_text(a), spec(a).hint));
        whole.filter(|(_, key, word)| !key.is_empty() && !word.is_empty()).collect()
    };
    let width = |(_, key, word): &(Action, String, &str)| text::width(key) + text::width(word) + 3;
    let last = buttons(vec![Action::Filter, Action::Palette, Action::Help]);
    let room = usize::from(area.width).saturating_sub(last.iter().map(width).sum());
    let mut used = 0;
    let mut shown = buttons(of_pane(app));
    shown.retain(|b| {
        used += width(b);
        used <= room
    });
    let mut x = area.x + 1;
    for (action, key, word) in shown.into_iter().chain(last) {
        let at = text::put(buf, x, area.y, area.right().saturating_sub(x), &key, app.theme.style(Role::Key));
        let end = text::put(buf, at + 1, area.y, area.right().saturating_sub(at + 1), word, app.theme.style(Role::Dim));
        scratch.mark(Rect::new(x, area.y, end.saturating_sub(x), 1), Hit::Action(action));
        x = end + 2;
    }
}

/// In a shell every key is its program's, so the line says what follows the leader.
fn shell_hints(app: &App, area: Rect, buf: &mut Buffer) {
    let view = &app.terms.view;
    let leader = view.leader().to_string();
    let (lead, keys): (&str, &[(&str, &str)]) = match (view.leader_pending(), view.in_copy_mode(), view.has_ended()) {
        (true, ..) => ("", LEADER_KEYS.as_slice()),
        (_, true, _) => ("", &COPY_KEYS),
        (.., true) => ("", &ENDED_KEYS),
        _ => (leader.as_str(), LEADER_KEYS.as_slice()),
    };
    let end = area.right();
    let mut x = area.x + 1;
    if !lead.is_empty() {
        x = text::put(buf, x, area.y, end - x, lead, app.theme.style(Role::Key));
        x = text::put(buf, x, area.y, end.saturating_sub(x), " then  ", app.theme.style(Role::Dim));
    }
    for (key, word) in keys {
        if x as usize + text::width(key) + text::width(word) + 1 > usize::from(end) {
            return;
        }
        x = text::put(buf, x, area.y, end.saturating_sub(x), key, app.theme.style(Role::Key));
        x = text::put(buf, x + 1, area.y, end.saturating_sub(x + 1), word, app.theme.style(Role::Dim)) + 2;
    }
}

fn of_pane(app: &App) -> Vec<Action> {
    let scopes = app.scopes();
    let rows = crate::tui::action::TABLE.iter().filter(|r| r.scope != Scope::Global && scopes.contains(&r.scope));
    let mut actions = vec![Action::NextPane];
    actions.extend(rows.filter(|r| !r.hint.is_empty()).map(|r| r.action));
    actions.push(Action::Zoom);
    actions
}
