//! JSON as a tree that folds and can be searched: the Inspect tab.

use crate::tui::input::Input;
use crate::tui::theme::{Role, Theme};
use crate::tui::{glyphs, list, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;
use std::collections::BTreeSet;

/// Deeper or longer documents are cut, with a line that says so.
const MOST_LINES: usize = 20_000;
const MOST_DEPTH: usize = 64;

struct Line {
    /// Keys from the root, joined by `/`: what folding remembers.
    path: String,
    depth: u16,
    key: String,
    value: String,
    role: Role,
    /// Has children: an object or array that is not empty.
    branch: bool,
}

/// A document with what is folded, selected and searched.
#[derive(Default)]
pub struct Tree {
    value: Option<Value>,
    lines: Vec<Line>,
    folded: BTreeSet<String>,
    cursor: usize,
    offset: usize,
    pub search: Input,
    pub searching: bool,
}

impl Tree {
    pub fn set(&mut self, value: Value) {
        let at = self.lines.get(self.cursor).map(|l| l.path.clone());
        self.value = Some(value);
        self.layout();
        if let Some(index) = at.and_then(|path| self.lines.iter().position(|l| l.path == path)) {
            self.cursor = index;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.value.is_none()
    }

    pub fn step(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.lines.len().saturating_sub(1));
    }

    /// Selects the line drawn at this row of the area.
    pub fn select_row(&mut self, row: usize) {
        self.cursor = (self.offset + row).min(self.lines.len().saturating_sub(1));
    }

    pub fn toggle(&mut self) {
        let Some(line) = self.lines.get(self.cursor).filter(|l| l.branch) else { return };
        let path = line.path.clone();
        if !self.folded.remove(&path) {
            self.folded.insert(path);
        }
        self.layout();
    }

    /// Folds all top-level branches, or opens everything when some are folded.
    pub fn toggle_all(&mut self) {
        if self.folded.is_empty() {
            self.folded = self.lines.iter().filter(|l| l.branch && l.depth == 0).map(|l| l.path.clone()).collect();
        } else {
            self.folded.clear();
        }
        self.layout();
    }

    /// To the next line (or the one before) that the search hits, around the ends.
    pub fn find(&mut self, forward: bool) -> bool {
        let needle = self.search.text().to_lowercase();
        let count = self.lines.len();
        if needle.is_empty() || count == 0 {
            return false;
        }
        let hit = (1..=count)
            .map(|by| if forward { (self.cursor + by) % count } else { (self.cursor + count - by) % count })
            .find(|i| self.lines[*i].hit(&needle));
        if let Some(index) = hit {
            self.cursor = index;
        }
        hit.is_some()
    }

    /// While typing: the first hit from here on.
    pub fn find_from_here(&mut self) {
        let needle = self.search.text().to_lowercase();
        if !needle.is_empty() && !self.lines.get(self.cursor).is_some_and(|l| l.hit(&needle)) {
            self.find(true);
        }
    }

    /// The value under the cursor as text.
    pub fn selected_text(&self) -> Option<String> {
        let line = self.lines.get(self.cursor)?;
        let mut value = self.value.as_ref()?;
        for key in line.path.split('\u{1}').skip(1) {
            value = match value {
                Value::Object(map) => map.get(key)?,
                Value::Array(items) => items.get(key.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        match value {
            Value::String(text) => Some(text.clone()),
            other => serde_json::to_string_pretty(other).ok(),
        }
    }

    /// The whole document.
    pub fn all_text(&self) -> Option<String> {
        serde_json::to_string_pretty(self.value.as_ref()?).ok()
    }

    pub fn status(&self) -> String {
        let mut status = String::new();
        if self.searching || !self.search.is_empty() {
            let needle = self.search.text().to_lowercase();
            let hits = if needle.is_empty() { 0 } else { self.lines.iter().filter(|l| l.hit(&needle)).count() };
            let cursor = if self.searching { "_" } else { "" };
            status = format!("/{}{cursor} {hits} hits · ", self.search.text());
        }
        status.push_str(&format!("{} of {}", (self.cursor + 1).min(self.lines.len()), self.lines.len()));
        status
    }

    fn layout(&mut self) {
        self.lines.clear();
        if let Some(value) = self.value.take() {
            self.children(&value, "", 0);
            self.value = Some(value);
        }
        self.cursor = self.cursor.min(self.lines.len().saturating_sub(1));
    }

    fn children(&mut self, value: &Value, path: &str, depth: usize) {
        match value {
            Value::Object(map) => {
                for (key, child) in map {
                    self.line(key.clone(), key, child, path, depth);
                }
            }
            Value::Array(items) => {
                for (index, child) in items.iter().enumerate() {
                    self.line(String::from("-"), &index.to_string(), child, path, depth);
                }
            }
            _ => {}
        }
    }

    fn line(&mut self, key: String, part: &str, value: &Value, path: &str, depth: usize) {
        if self.lines.len() >= MOST_LINES || depth >= MOST_DEPTH {
            return;
        }
        let path = format!("{path}\u{1}{part}");
        let (text, role, branch) = match value {
            Value::Null => (String::from("null"), Role::Dim, false),
            Value::Bool(b) => (b.to_string(), Role::Accent, false),
            Value::Number(n) => (n.to_string(), Role::Accent, false),
            Value::String(s) if s.is_empty() => (String::from("\"\""), Role::Dim, false),
            Value::String(s) => (s.clone(), Role::Text, false),
            Value::Array(items) if items.is_empty() => (String::from("[]"), Role::Dim, false),
            Value::Object(map) if map.is_empty() => (String::from("{}"), Role::Dim, false),
            Value::Array(items) => (format!("[{}]", items.len()), Role::Dim, true),
            Value::Object(map) => (format!("{{{}}}", map.len()), Role::Dim, true),
        };
        let open = branch && !self.folded.contains(&path);
        self.lines.push(Line { path: path.clone(), depth: depth as u16, key, value: text, role, branch });
        if open {
            self.children(value, &path, depth + 1);
        }
    }

    pub fn draw(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme, focused: bool) {
        let height = usize::from(area.height);
        self.offset = list::scroll(self.offset, Some(self.cursor), self.lines.len(), height);
        let needle = self.search.text().to_lowercase();
        for (i, line) in self.lines.iter().enumerate().skip(self.offset).take(height) {
            let y = area.y + (i - self.offset) as u16;
            let end = area.right();
            let put = |buf: &mut Buffer, x: u16, content: &str, role: Role| {
                text::put(buf, x, y, end.saturating_sub(x), content, theme.style(role))
            };
            let x = area.x + 1 + (line.depth * 2).min(area.width / 2);
            let fold = match (line.branch, self.folded.contains(&line.path)) {
                (true, true) => glyphs::FOLDED,
                (true, false) => glyphs::UNFOLDED,
                _ => " ",
            };
            let x = put(buf, x, fold, Role::Dim) + 1;
            let x = put(buf, x, &text::truncate(&text::sanitize(&line.key), 60), Role::Key) + 1;
            let room = usize::from(end.saturating_sub(x));
            let value = text::sanitize(&line.value);
            let role = if !needle.is_empty() && line.hit(&needle) { Role::SearchHit } else { line.role };
            put(buf, x, &text::truncate(&value, room), role);
            if i == self.cursor && focused {
                buf.set_style(Rect { y, height: 1, ..area }, theme.style(Role::Selection));
            }
        }
    }
}

impl Line {
    fn hit(&self, needle: &str) -> bool {
        self.key.to_lowercase().contains(needle) || self.value.to_lowercase().contains(needle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.set(json!({"Name": "web", "State": {"Pid": 7, "Deep": [1, 2]}, "Empty": {}}));
        tree
    }

    #[test]
    fn folds_and_keeps_its_place_over_new_values() {
        let mut t = tree();
        assert_eq!(t.lines.len(), 7);
        let state = t.lines.iter().position(|l| l.key == "State").expect("there");
        t.step(state as isize);
        t.toggle();
        assert_eq!(t.lines.len(), 3);
        t.set(json!({"A": 1, "Name": "web", "State": {"Pid": 8}, "Empty": {}}));
        assert_eq!(t.lines[t.cursor].key, "State");
        t.toggle_all();
        assert_eq!(t.lines.len(), 5);
    }

    #[test]
    fn searches_around_the_end_and_copies_values() {
        let mut t = tree();
        t.search.set("pid");
        assert!(t.find(true));
        assert_eq!(t.selected_text().as_deref(), Some("7"));
        t.search.set("nothing like it");
        assert!(!t.find(false));
    }

    #[test]
    fn a_very_deep_document_is_cut() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep]);
        }
        let mut t = Tree::default();
        t.set(deep);
        assert_eq!(t.lines.len(), MOST_DEPTH);
    }
}
