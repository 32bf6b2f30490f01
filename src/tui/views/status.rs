//! The two bottom lines: what was done last, and the keys that matter here.

use super::Scratch;
use crate::tui::action::{Action, Scope, spec};
use crate::tui::app::{App, Hit};
use crate::tui::panes::Layout;
use crate::tui::text;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn draw(app: &App, scratch: &mut Scratch, layout: &Layout, buf: &mut Buffer) {
    if layout.hint.height == 0 {
        return;
    }
    last_act(app, scratch, layout.status, buf);
    hints(app, scratch, layout.hint, buf);
}

fn last_act(app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    let mut end = area.right();
    if !app.work.log.is_empty() {
        let hint = format!("{} action log ", app.keymap.key_text(Action::ActionLog));
        let width = text::width(&hint) as u16;
        if width + 20 < area.width {
            end = area.right() - width;
            text::put(buf, end, area.y, width, &hint, app.theme.style(Role::Dim));
            scratch.mark(Rect::new(end, area.y, width, 1), Hit::Action(Action::ActionLog));
        }
    }
    let Some(status) = &app.status else { return };
    let (word, role) = if status.ok { ("ok", Role::Ok) } else { ("failed", Role::Error) };
    let x = text::put(buf, area.x + 1, area.y, 8, word, app.theme.style(role)) + 2;
    let room = end.saturating_sub(x + 1);
    let line = text::sanitize(&status.text).into_owned();
    text::put(buf, x, area.y, room, &text::truncate(&line, usize::from(room)), app.theme.style(Role::Text));
}

/// Actions with a hint word, those of the focused pane first; each is a button.
fn hints(app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    let mut x = area.x + 1;
    for action in hinted(app) {
        let key = if action == Action::NextPane { String::from("Tab") } else { app.keymap.key_text(action) };
        let word = spec(action).hint;
        let width = (text::width(&key) + 1 + text::width(word)) as u16;
        if key.is_empty() {
            continue;
        }
        if x + width + 1 > area.right() {
            break;
        }
        let at = text::put(buf, x, area.y, width, &key, app.theme.style(Role::Key));
        text::put(buf, at + 1, area.y, width, word, app.theme.style(Role::Dim));
        scratch.mark(Rect::new(x, area.y, width, 1), Hit::Action(action));
        x += width + 2;
    }
}

fn hinted(app: &App) -> Vec<Action> {
    let scopes = app.scopes();
    let of = |wanted: fn(&Scope) -> bool| {
        crate::tui::action::TABLE
            .iter()
            .filter(move |row| !row.hint.is_empty() && scopes.contains(&row.scope) && wanted(&row.scope))
            .map(|row| row.action)
    };
    let always = [Action::Filter, Action::Palette, Action::Help];
    let mut all = vec![Action::NextPane];
    all.extend(of(|s| *s != Scope::Global));
    all.truncate(7);
    all.extend(always);
    all.push(Action::Zoom);
    all
}
