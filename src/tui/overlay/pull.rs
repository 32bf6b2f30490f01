//! The pull prompt: a name to type, and every pull under way with its layers; any of them can be stopped.

use super::{Flow, boxed, field};
use crate::model::reference::Reference;
use crate::tui::app::App;
use crate::tui::app::work::{Task, Ticket};
use crate::tui::input::{Edit, Input};
use crate::tui::keys::Chord;
use crate::tui::theme::Role;
use crate::tui::views::{Scratch, images::share};
use crate::tui::{glyphs, text};
use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const EXAMPLES: [&str; 4] = [
    "alpine:3.22              from docker.io",
    "ghcr.io/owner/app:tag    from another registry",
    "127.0.0.1:5000/app       from this machine, in plain HTTP",
    "debian@sha256:...        by digest",
];

#[derive(Default)]
pub struct PullPrompt {
    input: Input,
    error: Option<String>,
    /// The pull that Ctrl-x stops, from the newest.
    selected: usize,
}

impl PullPrompt {
    pub fn paste(&mut self, app: &App, pasted: &str) {
        self.input.insert(pasted.trim());
        self.check(app);
    }

    pub fn key(&mut self, app: &mut App, chord: Chord) -> Flow {
        let control = chord.mods.contains(KeyModifiers::CONTROL);
        match chord.code {
            KeyCode::Esc => return Flow::Close,
            KeyCode::Char('c') if control => return Flow::Close,
            KeyCode::Char('x') if control => {
                let ticket = app.work.pulls().map(|(t, _)| t).collect::<Vec<_>>().into_iter().rev().nth(self.selected);
                if let Some(ticket) = ticket {
                    app.cancel(ticket);
                }
            }
            KeyCode::Down => self.selected = (self.selected + 1).min(app.work.pulls().count().saturating_sub(1)),
            KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::Tab => self.complete(app),
            KeyCode::Enter => match self.input.text().trim().parse::<Reference>() {
                Ok(reference) => {
                    app.pull(reference);
                    self.input.set("");
                    self.selected = 0;
                }
                Err(_) if self.input.text().trim().is_empty() => return Flow::Close,
                Err(e) => self.error = Some(e.to_string()),
            },
            _ => {
                if self.input.key(chord) == Edit::Changed {
                    self.check(app);
                }
            }
        }
        Flow::Keep
    }

    fn check(&mut self, _app: &App) {
        let typed = self.input.text().trim();
        // Half a name is no mistake yet.
        let unfinished = typed.is_empty() || typed.ends_with([':', '/', '@', '.', '-']);
        self.error = if unfinished { None } else { typed.parse::<Reference>().err().map(|e| e.to_string()) };
    }

    /// The first known name that begins with what is typed.
    fn complete(&mut self, app: &App) {
        let typed = self.input.text().trim().to_owned();
        if typed.is_empty()
            && let Some(name) = app.interrupted_pulls().first()
        {
            return self.input.set(name);
        }
        let known = app.images.rows.iter().filter(|r| !r.dangling).map(|r| r.name.as_str());
        let found =
            known.chain(["alpine", "debian", "nginx", "postgres", "redis", "ubuntu"]).find(|n| n.starts_with(&typed));
        if let Some(name) = found {
            self.input.set(name);
            self.check(app);
        }
    }

    pub fn draw(&self, app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
        let pulls: Vec<(Ticket, &Task)> = app.work.pulls().collect();
        let resumable = app.interrupted_pulls();
        let layers: usize = pulls.iter().map(|(_, t)| 2 + t.progress.parts.len()).sum();
        let height = if pulls.is_empty() { 10 } else { layers as u16 + 6 };
        let foot = if pulls.is_empty() {
            "Enter pulls · Esc closes"
        } else {
            "Enter pulls · Ctrl-x stops one · Esc leaves them running"
        };
        let size = (78, height.min(area.height.saturating_sub(2)).max(7));
        let inner = boxed(app, "Pull an image", foot, size, area, buf);
        if inner.height < 4 {
            return;
        }
        let x = text::put(buf, inner.x, inner.y + 1, 6, "name  ", app.theme.style(Role::Key));
        let line = Rect { x, y: inner.y + 1, width: inner.right().saturating_sub(x), height: 1 };
        let cursor = field(app, &self.input, line, true, buf);
        scratch.cursor = cursor.map(|(x, y)| (x, y).into());
        let (note, role) = match &self.error {
            Some(error) => (error.clone(), Role::Error),
            None => match self.input.text().trim().parse::<Reference>() {
                Ok(reference) => (reference.to_string(), Role::Dim),
                Err(_) => (String::new(), Role::Dim),
            },
        };
        let room = usize::from(inner.width);
        text::put(
            buf,
            inner.x,
            inner.y + 2,
            inner.width,
            &text::truncate(&text::sanitize(&note), room),
            app.theme.style(role),
        );
        let body = Rect { y: inner.y + 3, height: inner.height - 3, ..inner };
        if pulls.is_empty() && !resumable.is_empty() {
            let head = String::from("interrupted; Tab takes the first, what was loaded is kept:");
            let names = resumable.into_iter().map(|name| (format!("  {name}"), Role::Text));
            for (i, (line, role)) in std::iter::once((head, Role::Warn)).chain(names).enumerate() {
                if i as u16 + 1 < body.height {
                    text::put(buf, body.x, body.y + 1 + i as u16, body.width, &line, app.theme.style(role));
                }
            }
        } else if pulls.is_empty() {
            for (i, example) in EXAMPLES.iter().enumerate().take(usize::from(body.height.saturating_sub(1))) {
                text::put(buf, body.x, body.y + 1 + i as u16, body.width, example, app.theme.style(Role::Dim));
            }
        } else {
            self.draw_pulls(app, &pulls, body, buf);
        }
    }

    fn draw_pulls(&self, app: &App, pulls: &[(Ticket, &Task)], body: Rect, buf: &mut Buffer) {
        let mut y = body.y;
        for (i, (_, task)) in pulls.iter().rev().enumerate() {
            if y >= body.bottom() {
                return;
            }
            let mark = if i == self.selected { glyphs::CURSOR } else { " " };
            text::put(buf, body.x, y, 1, mark, app.theme.style(Role::Accent));
            let head = headline(task);
            let room = usize::from(body.width.saturating_sub(2));
            text::put(buf, body.x + 2, y, body.width - 2, &text::truncate(&head, room), app.theme.style(Role::Title));
            y += 1;
            for part in &task.progress.parts {
                if y >= body.bottom() {
                    return;
                }
                let share = part.total.filter(|t| *t > 0).map(|t| part.done as f64 / t as f64);
                let width = usize::from(body.width / 3);
                let name = text::fit(&part.name, 12);
                let x = text::put(buf, body.x + 2, y, body.width - 2, &name, app.theme.style(Role::Dim)) + 1;
                let word = text::fit(part.state.word(), 19);
                let x = text::put(buf, x, y, body.right().saturating_sub(x), &word, app.theme.style(Role::Text));
                if let Some(share) = share {
                    let (full, empty) = glyphs::bar(share, width);
                    let x = text::put(buf, x, y, body.right().saturating_sub(x), &full, app.theme.style(Role::Graph));
                    let x =
                        text::put(buf, x, y, body.right().saturating_sub(x), &empty, app.theme.style(Role::GraphTrack));
                    let size = format!(
                        " {}/{}",
                        text::short_bytes(part.done as f64),
                        text::short_bytes(part.total.unwrap_or(0) as f64)
                    );
                    text::put(buf, x, y, body.right().saturating_sub(x), &size, app.theme.style(Role::Dim));
                }
                y += 1;
            }
            if !task.progress.note.is_empty() && y < body.bottom() {
                let note = text::sanitize(&task.progress.note).into_owned();
                text::put(
                    buf,
                    body.x + 2,
                    y,
                    body.width - 2,
                    &text::truncate(&note, room),
                    app.theme.style(Role::Warn),
                );
                y += 1;
            }
        }
    }
}

/// `pull debian:13  61%  9.8M/s  12s left`; once all is here `pull debian:13  85%  extracting  2s left`.
fn headline(task: &Task) -> String {
    let mut line = task.title.clone();
    if task.cancelling {
        line.push_str("  stopping");
        return line;
    }
    match share(task) {
        Some(share) => line.push_str(&format!("  {:.0}%", share * 100.0)),
        None if task.progress.stage.is_empty() => line.push_str("  starting"),
        None => line.push_str(&format!("  {}", task.progress.stage)),
    }
    match task.speed() {
        Some(speed) => line.push_str(&format!("  {}/s", text::short_bytes(speed))),
        None if share(task).is_some() => line.push_str(&format!("  {}", task.progress.stage)),
        None => {}
    }
    if let Some(left) = task.seconds_left() {
        line.push_str(&format!("  {} left", crate::tui::figures::age(left)));
    }
    line
}
