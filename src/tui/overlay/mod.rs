//! What lies above the panes and has the keyboard: questions, pickers, forms, pages. The last one is on top.

mod confirm;
mod form;
mod jobs;
mod network_form;
mod networks;
mod page;
mod picker;
mod pull;
mod run_form;

pub use confirm::{Confirm, Intent};
pub use form::Form;
pub use networks::NetworksPage;
pub use page::{Page, PageKind};
pub use picker::Picker;
pub use pull::PullPrompt;

use super::app::App;
use super::keys::Chord;
use super::text;
use super::theme::Role;
use super::views::{Scratch, panel};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub enum Overlay {
    Confirm(Confirm),
    Picker(Picker),
    Form(Form),
    Page(Page),
    Networks(NetworksPage),
    Pull(PullPrompt),
}

/// Whether an overlay stays after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Keep,
    Close,
}

impl Overlay {
    pub fn key(&mut self, app: &mut App, chord: Chord) -> Flow {
        match self {
            Overlay::Confirm(o) => o.key(app, chord),
            Overlay::Picker(o) => o.key(app, chord),
            Overlay::Form(o) => o.key(app, chord),
            Overlay::Page(o) => o.key(app, chord),
            Overlay::Networks(o) => o.key(app, chord),
            Overlay::Pull(o) => o.key(app, chord),
        }
    }

    pub fn paste(&mut self, app: &mut App, pasted: &str) {
        match self {
            Overlay::Confirm(_) | Overlay::Page(_) | Overlay::Networks(_) => {}
            Overlay::Picker(o) => o.paste(pasted),
            Overlay::Form(o) => o.paste(pasted),
            Overlay::Pull(o) => o.paste(app, pasted),
        }
    }

    /// A click on a row or button of it, counted as it was drawn.
    pub fn click(&mut self, app: &mut App, row: usize) -> Flow {
        match self {
            Overlay::Confirm(o) => o.click(app, row),
            Overlay::Picker(o) => o.click(app, row),
            Overlay::Form(o) => o.click(row),
            Overlay::Page(o) => o.click(row),
            Overlay::Networks(o) => o.click(app, row),
            Overlay::Pull(_) => Flow::Keep,
        }
    }

    pub fn wheel(&mut self, app: &App, by: isize) {
        match self {
            Overlay::Picker(o) => o.step(by.signum()),
            Overlay::Page(o) => o.scroll(by),
            Overlay::Networks(o) => o.step(app, by.signum()),
            _ => {}
        }
    }

    pub fn draw(&self, app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
        match self {
            Overlay::Confirm(o) => o.draw(app, scratch, area, buf),
            Overlay::Picker(o) => o.draw(app, scratch, area, buf),
            Overlay::Form(o) => o.draw(app, scratch, area, buf),
            Overlay::Page(o) => o.draw(app, scratch, area, buf),
            Overlay::Networks(o) => o.draw(app, scratch, area, buf),
            Overlay::Pull(o) => o.draw(app, scratch, area, buf),
        }
    }
}

/// An empty framed box in the middle of `area`, at most this large; returns what is inside its margins.
pub fn boxed(app: &App, title: &str, foot: &str, size: (u16, u16), area: Rect, buf: &mut Buffer) -> Rect {
    let (width, height) = (size.0.min(area.width), size.1.min(area.height));
    let place = Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height);
    for position in place.positions() {
        buf[position].reset();
    }
    buf.set_style(place, app.theme.style(Role::Text));
    let inner = panel::frame(place, app.theme.style(Role::BorderFocus), true, buf);
    let room = usize::from(width.saturating_sub(4));
    let title = text::truncate(title, room.saturating_sub(2)).into_owned();
    text::put(buf, place.x + 2, place.y, width.saturating_sub(3), &format!(" {title} "), app.theme.style(Role::Title));
    panel::footer(&text::truncate(foot, room.saturating_sub(2)), place, app.theme.style(Role::Dim), buf);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

/// An input field on one line, its end kept in view; returns where the cursor is.
pub fn field(
    app: &App,
    input: &super::input::Input,
    area: Rect,
    focused: bool,
    buf: &mut Buffer,
) -> Option<(u16, u16)> {
    let width = usize::from(area.width.saturating_sub(1));
    let before = text::suffix(input.before(), width);
    let x = text::put(buf, area.x, area.y, area.width, before.0, app.theme.style(Role::Input));
    let after = &input.text()[input.before().len()..];
    text::put(buf, x, area.y, area.right().saturating_sub(x), after, app.theme.style(Role::Input));
    focused.then_some((x, area.y))
}

/// Breaks text into lines of at most `width` columns, at blanks where there are any.
pub fn wrap(content: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text::sanitize(content).split(' ') {
        let mut word = word;
        loop {
            let line = match lines.last_mut() {
                Some(line) => line,
                None => return lines,
            };
            let gap = usize::from(!line.is_empty());
            if text::width(line) + gap + text::width(word) <= width {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if line.is_empty() {
                let (head, _) = text::prefix(word, width.max(2));
                line.push_str(head);
                word = &word[head.len()..];
            }
            lines.push(String::new());
            if word.is_empty() {
                break;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_at_blanks_and_cuts_long_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), [""]);
        assert!(wrap(&"x".repeat(50), 0).len() >= 20);
    }
}
