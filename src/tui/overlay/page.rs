//! Pages to read: the action log, jobs, the doctor's findings, events.

use super::{Flow, boxed, jobs, wrap};
use crate::engine::job::{Check, CheckLevel};
use crate::tui::app::{App, Hit};
use crate::tui::figures::{age, duration};
use crate::tui::keys::Chord;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::views::Scratch;
use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    ActionLog,
    Jobs,
    Doctor,
    Events,
}

pub struct Page {
    pub kind: PageKind,
    /// The line at the top; jobs: the selected one.
    at: usize,
}

pub(super) type Line = (String, Role);

impl Page {
    pub fn new(kind: PageKind) -> Page {
        Page { kind, at: 0 }
    }

    pub fn scroll(&mut self, by: isize) {
        self.at = self.at.saturating_add_signed(by).min(100_000);
    }

    pub fn click(&mut self, row: usize) -> Flow {
        if self.kind == PageKind::Jobs {
            self.at = row;
        }
        Flow::Keep
    }

    pub fn key(&mut self, app: &mut App, chord: Chord) -> Flow {
        let control = chord.mods.contains(KeyModifiers::CONTROL);
        let last = self.lines(app, 80).len().saturating_sub(1);
        match chord.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => return Flow::Close,
            KeyCode::Char('c') if control => return Flow::Close,
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1),
            KeyCode::PageUp => self.scroll(-10),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll(10),
            KeyCode::Home | KeyCode::Char('g') => self.at = 0,
            KeyCode::End | KeyCode::Char('G') => self.at = last,
            KeyCode::Char('x') if self.kind == PageKind::Jobs => jobs::stop(app, self.at),
            KeyCode::Char('r') if self.kind == PageKind::Jobs => jobs::resume(app, self.at),
            KeyCode::Char('r') if self.kind == PageKind::Doctor => app.ask_doctor(),
            _ => {}
        }
        self.at = self.at.min(last);
        Flow::Keep
    }

    fn title(&self) -> &'static str {
        match self.kind {
            PageKind::ActionLog => "What was done",
            PageKind::Jobs => "Jobs",
            PageKind::Doctor => "What this machine can do",
            PageKind::Events => "Events",
        }
    }

    fn lines(&self, app: &App, width: usize) -> Vec<Line> {
        match self.kind {
            PageKind::ActionLog => action_log(app, width),
            PageKind::Jobs => jobs::lines(app),
            PageKind::Doctor => match &app.doctor {
                None => vec![(String::from("looking..."), Role::Dim)],
                Some(Ok(checks)) => checks.iter().flat_map(|c| check(c, width)).collect(),
                Some(Err(why)) => vec![(why.clone(), Role::Error)],
            },
            PageKind::Events => events(app),
        }
    }

    pub fn draw(&self, app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
        let width = area.width.saturating_sub(6).min(110);
        let lines = self.lines(app, usize::from(width.saturating_sub(4)));
        let most = area.height.saturating_sub(4).max(6);
        let size = (width, (lines.len().min(500) as u16 + 2).clamp(6, most));
        let foot = match self.kind {
            PageKind::Jobs => "x stops · r goes on with a pull · Esc closes",
            PageKind::Doctor => "r looks again · Esc closes",
            _ => "Esc closes",
        };
        let inner = boxed(app, self.title(), foot, size, area, buf);
        let rows = usize::from(inner.height);
        let selecting = self.kind == PageKind::Jobs;
        let offset = if selecting {
            self.at.saturating_sub(rows.saturating_sub(1))
        } else {
            self.at.min(lines.len().saturating_sub(rows))
        };
        for (i, (line, role)) in lines.iter().enumerate().skip(offset).take(rows) {
            let row = Rect { y: inner.y + (i - offset) as u16, height: 1, ..inner };
            scratch.mark(row, Hit::Overlay(i));
            let line = text::sanitize(line);
            text::put(
                buf,
                row.x,
                row.y,
                row.width,
                &text::truncate(&line, usize::from(row.width)),
                app.theme.style(*role),
            );
            if selecting && i == self.at {
                buf.set_style(row, app.theme.style(Role::Selection));
            }
        }
    }
}

/// Newest first: when, how long, what, what came of it, and the same as a command.
fn action_log(app: &App, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for entry in app.work.log.iter().rev() {
        let ago = age(app.now.seconds_since(entry.time));
        let took = if entry.nanos > 0 { duration(entry.nanos) } else { String::new() };
        let head = format!("{} {} {}", text::fit_right(&ago, 4), text::fit_right(&took, 6), entry.title);
        match &entry.result {
            Ok(detail) => lines.push((format!("{head}  {detail}").trim_end().to_owned(), Role::Text)),
            Err(why) => {
                lines.push((head, Role::Error));
                lines.extend(
                    wrap(why, width.saturating_sub(12)).into_iter().map(|l| (format!("            {l}"), Role::Error)),
                );
            }
        }
        if !entry.command.is_empty() {
            lines.push((format!("            $ {}", entry.command), Role::Dim));
        }
    }
    if lines.is_empty() {
        lines.push((String::from("nothing yet"), Role::Dim));
    }
    lines
}

fn check(check: &Check, width: usize) -> Vec<Line> {
    let (mark, role) = match check.level {
        CheckLevel::Ok => ("✓", Role::Ok),
        CheckLevel::Warn => ("!", Role::Warn),
        CheckLevel::Fail => ("✗", Role::Error),
    };
    let mut lines = vec![(format!("{mark} {}: {}", check.name, check.found), role)];
    let room = width.saturating_sub(6).max(10);
    if !check.effect.is_empty() {
        lines.extend(wrap(&check.effect, room).into_iter().map(|l| (format!("    {l}"), Role::Text)));
    }
    if !check.remedy.is_empty() {
        lines.extend(
            wrap(&format!("mend: {}", check.remedy), room).into_iter().map(|l| (format!("    {l}"), Role::Accent)),
        );
    }
    lines
}

fn events(app: &App) -> Vec<Line> {
    let mut lines: Vec<Line> = app
        .events
        .iter()
        .rev()
        // Jobs have a page of their own.
        .filter(|record| record.kind != "job")
        .map(|record| {
            let ago = text::fit_right(&age(app.now.seconds_since(record.time)), 4);
            let id: String = record.id.chars().take(12).collect();
            let name = record.attributes.get("name").cloned().unwrap_or(id);
            let rest: Vec<String> =
                record.attributes.iter().filter(|(k, _)| *k != "name").map(|(k, v)| format!("{k}={v}")).collect();
            let bad = matches!(record.action.as_str(), "oom" | "die");
            let line = format!("{ago} {:9} {:12} {name}  {}", record.kind, record.action, rest.join(" "));
            (line, if bad { Role::Warn } else { Role::Text })
        })
        .collect();
    if lines.is_empty() {
        lines.push((String::from("nothing has happened since teu was opened"), Role::Dim));
    }
    lines
}
