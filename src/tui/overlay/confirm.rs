//! A question before something is lost: names the objects, says what follows, shows the command; Cancel has the focus.

use super::{Flow, boxed, wrap};
use crate::engine::Request;
use crate::tui::app::work::Purpose;
use crate::tui::app::{App, Hit};
use crate::tui::keys::Chord;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::views::Scratch;
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What "yes" does.
#[derive(Debug)]
pub enum Intent {
    Submit(Box<Request>),
    Quit,
}

#[derive(Debug)]
pub struct Confirm {
    title: String,
    lines: Vec<String>,
    /// The same act as a command; empty: none.
    command: String,
    yes: &'static str,
    focus_yes: bool,
    intent: Option<Intent>,
}

impl Confirm {
    pub fn new(title: &str, lines: Vec<String>, command: String, yes: &'static str, intent: Intent) -> Confirm {
        Confirm { title: title.to_owned(), lines, command, yes, focus_yes: false, intent: Some(intent) }
    }

    pub fn key(&mut self, app: &mut App, chord: Chord) -> Flow {
        match chord.code {
            KeyCode::Char('y' | 'Y') => self.go(app),
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => Flow::Close,
            KeyCode::Enter | KeyCode::Char(' ') if self.focus_yes => self.go(app),
            KeyCode::Enter | KeyCode::Char(' ') => Flow::Close,
            KeyCode::Tab | KeyCode::Left | KeyCode::Right | KeyCode::Char('h' | 'l') => {
                self.focus_yes = !self.focus_yes;
                Flow::Keep
            }
            _ => Flow::Keep,
        }
    }

    pub fn click(&mut self, app: &mut App, button: usize) -> Flow {
        match button {
            0 => Flow::Close,
            1 => self.go(app),
            _ => Flow::Keep,
        }
    }

    fn go(&mut self, app: &mut App) -> Flow {
        match self.intent.take() {
            Some(Intent::Submit(request)) => {
                app.submit(Purpose::Act, *request);
            }
            Some(Intent::Quit) => app.quit = true,
            None => {}
        }
        Flow::Close
    }

    pub fn draw(&self, app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
        let width = 64.min(area.width);
        let room = usize::from(width.saturating_sub(4));
        let mut lines: Vec<(String, Role)> = Vec::new();
        for line in &self.lines {
            lines.extend(wrap(line, room).into_iter().map(|l| (l, Role::Text)));
        }
        if !self.command.is_empty() {
            lines.push((String::new(), Role::Text));
            lines.extend(wrap(&self.command, room).into_iter().take(3).map(|l| (l, Role::Dim)));
        }
        let height = lines.len() as u16 + 5;
        let inner = boxed(app, &self.title, "y/n", (width, height), area, buf);
        for (i, (line, role)) in lines.iter().enumerate() {
            let y = inner.y + 1 + i as u16;
            if y + 2 < inner.bottom() {
                text::put(buf, inner.x, y, inner.width, line, app.theme.style(*role));
            }
        }
        let y = inner.bottom().saturating_sub(1);
        let mut x = inner.x;
        for (button, label) in [(0, "Cancel"), (1, self.yes)] {
            let focused = self.focus_yes == (button == 1);
            let label = if focused { format!("[ {label} ]") } else { format!("  {label}  ") };
            let role = if focused { Role::Selection } else { Role::Text };
            let width = text::width(&label) as u16;
            text::put(buf, x, y, inner.right().saturating_sub(x), &label, app.theme.style(role));
            scratch.mark(Rect::new(x, y, width, 1), Hit::Overlay(button));
            x += width + 2;
        }
    }
}
