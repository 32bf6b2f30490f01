//! The shells pane on the screen: terminals, the lines between them, the tab line and the hint for the border.

use super::input::LEADER_KEYS;
use super::layout::{Separator, Split};
use super::pane::Pane;
use super::{End, Shells, TermId};
use crate::tui::emulator::{CursorShape, Look};
use crate::tui::text;
use crate::tui::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Where and how the host terminal's cursor is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShellCursor {
    pub position: Position,
    pub shape: CursorShape,
}

impl Shells {
    /// Draws the shown tab into `area` (the border's inside) and returns the cursor when the pane has the keyboard.
    pub fn draw(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme, focused: bool) -> Option<ShellCursor> {
        let area = area.intersection(buf.area);
        let (panes, lines) = self.placement_in(area);
        let look = Look { selection: theme.style(Role::Selection), hit: theme.style(Role::SearchHit) };
        let current = self.current();
        let mut cursor = None;
        for (id, place) in &panes {
            let Some(pane) = self.pane_mut(*id) else { continue };
            pane.terminal.render(*place, buf, &look);
            let footer = draw_footer(pane, *place, buf, theme);
            if focused && current == Some(*id) && pane.end.is_none() && !footer {
                cursor = cursor_of(pane, *place);
            }
        }
        let active = panes.iter().find(|(id, _)| current == Some(*id)).map(|(_, place)| *place);
        for line in &lines {
            draw_separator(line, active.filter(|_| focused), buf, theme);
        }
        cursor
    }

    /// The tab line for the border: `[1 web:sh]  2 web:bash*  3 api:sh (exit 0)`; the first ones are left out where the
    /// shown one would not fit into `room` columns.
    pub fn tabs_line(&self, theme: &Theme, room: u16) -> Line<'static> {
        let mut spans = Vec::new();
        let first = self.first_tab(room);
        for (at, label) in self.tab_labels().into_iter().enumerate().skip(first) {
            if at > first {
                spans.push(Span::raw("  "));
            }
            let style = if at == self.active { theme.style(Role::Title) } else { self.badge_style(at, theme) };
            spans.push(Span::styled(label, style));
        }
        Line::from(spans)
    }

    /// The first tab that the line shows.
    fn first_tab(&self, room: u16) -> usize {
        let widths: Vec<usize> = self.tab_labels().iter().map(|label| text::width(label) + 2).collect();
        let upto = widths.len().min(self.active + 1);
        (0..self.active)
            .find(|first| widths[*first..upto].iter().sum::<usize>() <= usize::from(room))
            .unwrap_or(self.active)
    }

    /// The tab at a column of the tab line.
    pub fn tab_at(&self, column: u16, room: u16) -> Option<usize> {
        let mut left = 0;
        for (at, label) in self.tab_labels().iter().enumerate().skip(self.first_tab(room)) {
            let right = left + text::width(label);
            if (left..right).contains(&usize::from(column)) {
                return Some(at);
            }
            left = right + 2;
        }
        None
    }

    /// What the border says below: where input goes, the way out, how far the view is back.
    pub fn hint(&self, focused: bool) -> String {
        let Some(pane) = self.current().and_then(|id| self.pane(id)) else { return String::new() };
        if self.leader_pending {
            let keys: Vec<String> = LEADER_KEYS.iter().map(|(key, what)| format!("{key} {what}")).collect();
            return format!("{} … {}", self.leader, keys.join(" · "));
        }
        let mut parts = Vec::new();
        match (&pane.copy, &pane.end) {
            (Some(_), _) => parts.push("COPY v V select · y copy · / search · q leave".to_string()),
            (None, Some(_)) => parts.push("Enter close · r run again · q leave".to_string()),
            (None, None) if focused && self.broadcast => {
                parts.push(format!("BROADCAST → {} shells", self.receivers().len()));
            }
            (None, None) if focused => parts.push(format!("INPUT → {}", pane.label())),
            (None, None) => {}
        }
        if focused && pane.end.is_none() {
            parts.push(format!("leader {}", self.leader));
        }
        match (pane.terminal.offset(), pane.terminal.history_len()) {
            (0, 0) => {}
            (0, history) => parts.push(format!("back {history}")),
            (offset, history) => parts.push(format!("{offset} of {history} back")),
        }
        parts.join(" · ")
    }

    /// What the leader's keys are, for help.
    pub fn leader_keys() -> &'static [(&'static str, &'static str)] {
        &LEADER_KEYS
    }

    fn tab_labels(&self) -> Vec<String> {
        self.tabs
            .iter()
            .enumerate()
            .map(|(at, tab)| {
                let Some(pane) = self.pane(tab.focus) else { return String::new() };
                let label = text::sanitize(&pane.label()).into_owned();
                let leaves = tab.root.leaves();
                let badge = |f: fn(&Pane) -> bool| leaves.iter().filter_map(|id| self.pane(*id)).any(f);
                let mark = match () {
                    () if badge(|pane| pane.bell) => "!",
                    () if badge(|pane| pane.activity) => "*",
                    () => "",
                };
                let more = if leaves.len() > 1 { format!("+{}", leaves.len() - 1) } else { String::new() };
                let end = pane.end.as_ref().map(|end| format!(" ({})", end_word(end))).unwrap_or_default();
                let zoom = if tab.zoomed { " Z" } else { "" };
                let name = format!("{} {label}{more}{mark}{end}{zoom}", at + 1);
                if at == self.active { format!("[{name}]") } else { name }
            })
            .collect()
    }

    fn badge_style(&self, at: usize, theme: &Theme) -> Style {
        let leaves = self.tabs[at].root.leaves();
        let panes = || leaves.iter().filter_map(|id| self.pane(*id));
        if panes().any(|pane| pane.bell) {
            theme.style(Role::Warn)
        } else if panes().any(|pane| pane.activity) {
            theme.style(Role::Accent)
        } else {
            theme.style(Role::Dim)
        }
    }

    /// The shown terminals and where they are.
    pub(super) fn placement(&self) -> Vec<(TermId, Rect)> {
        self.placement_in(self.area).0
    }

    fn placement_in(&self, area: Rect) -> (Vec<(TermId, Rect)>, Vec<Separator>) {
        match self.tabs.get(self.active) {
            Some(tab) if tab.zoomed => (vec![(tab.focus, area)], Vec::new()),
            Some(tab) => tab.root.place(area),
            None => Default::default(),
        }
    }
}

fn cursor_of(pane: &Pane, place: Rect) -> Option<ShellCursor> {
    let cursor = pane.terminal.cursor();
    let inside = cursor.column < place.width && cursor.row < place.height;
    (cursor.visible && inside).then(|| ShellCursor {
        position: Position::new(place.x + cursor.column, place.y + cursor.row),
        shape: cursor.shape,
    })
}

/// `exit 0`, `exit 137 SIGKILL`.
pub(super) fn end_word(end: &End) -> String {
    match end {
        End::Exited(code) => format!("exit {code}"),
        End::Failed(_) => "failed".into(),
    }
}

/// The last row's note over the terminal: how it ended, or copy mode's prompt. Returns whether it holds a prompt's cursor.
fn draw_footer(pane: &Pane, place: Rect, buf: &mut Buffer, theme: &Theme) -> bool {
    if place.is_empty() {
        return false;
    }
    let y = place.bottom() - 1;
    let note = match (&pane.copy, &pane.end) {
        (Some(copy), _) => match copy.status() {
            Some(status) => (status, theme.style(Role::Input)),
            None => return false,
        },
        (None, Some(End::Exited(0))) => ("exit 0 · Enter closes, r runs it again".into(), theme.style(Role::Dim)),
        (None, Some(End::Exited(code))) => {
            (format!("exit {code} · Enter closes, r runs it again"), theme.style(Role::Failed))
        }
        (None, Some(End::Failed(why))) => (why.clone(), theme.style(Role::Error)),
        (None, None) => return false,
    };
    buf.set_style(Rect { y, height: 1, ..place }, Style::reset());
    let line = text::fit(&text::sanitize(&note.0), place.width.into());
    text::put(buf, place.x, y, place.width, &line, note.1);
    pane.copy.is_some()
}

fn draw_separator(line: &Separator, active: Option<Rect>, buf: &mut Buffer, theme: &Theme) {
    let beside = |place: Rect| {
        let grown = Rect {
            x: place.x.saturating_sub(1),
            y: place.y.saturating_sub(1),
            width: place.width.saturating_add(2),
            height: place.height.saturating_add(2),
        };
        grown.intersects(line.area)
    };
    let style = theme.style(if active.is_some_and(beside) { Role::ShellFocus } else { Role::Border });
    let symbol = match line.split {
        Split::Right => "│",
        Split::Below => "─",
    };
    for position in line.area.intersection(buf.area).positions() {
        buf[position].reset();
        buf[position].set_symbol(symbol).set_style(style);
    }
}
