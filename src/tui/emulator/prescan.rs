//! Finds OSC 7 (directory) and OSC 133 (prompt marks) in output before the engine sees it, because the engine drops them.

use super::{Effects, PromptMark};
use crate::tui::text;

/// Longer ones are ignored: no path is.
const LONGEST: usize = 4096;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Osc,
    /// Too long, or not one of ours: skipped to its end.
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Prescan {
    state: State,
    osc: Vec<u8>,
}

impl Prescan {
    pub fn feed(&mut self, bytes: &[u8], out: &mut Effects) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if self.state == State::Ground {
                // By far the most bytes pass here.
                let Some(at) = rest.iter().position(|b| *b == 0x1b) else { return };
                self.state = State::Escape;
                rest = &rest[at + 1..];
                continue;
            }
            self.step(byte, out);
            rest = &rest[1..];
        }
    }

    fn step(&mut self, byte: u8, out: &mut Effects) {
        match (self.state, byte) {
            (State::Escape, b']') => {
                self.osc.clear();
                self.state = State::Osc;
            }
            (State::Escape, 0x1b) => {}
            (State::Escape | State::Ground, _) => self.state = State::Ground,
            (State::Osc, 0x07) => {
                finish(&self.osc, out);
                self.state = State::Ground;
            }
            (State::Osc, 0x1b) => {
                finish(&self.osc, out);
                self.state = State::Escape;
            }
            (State::Other, 0x1b) => self.state = State::Escape,
            (State::Osc | State::Other, 0x18 | 0x1a) | (State::Other, 0x07) => self.state = State::Ground,
            (State::Other, _) => {}
            (State::Osc, _) => {
                self.osc.push(byte);
                if self.osc.len() > LONGEST || !could_be_ours(&self.osc) {
                    self.state = State::Other;
                }
            }
        }
    }
}

fn could_be_ours(osc: &[u8]) -> bool {
    let starts = |mark: &[u8]| osc.iter().zip(mark).all(|(a, b)| a == b);
    starts(b"7;") || starts(b"133;")
}

fn finish(osc: &[u8], out: &mut Effects) {
    let osc = String::from_utf8_lossy(osc);
    if let Some(url) = osc.strip_prefix("7;") {
        if let Some(path) = path_of(url) {
            out.cwd = Some(path);
        }
    } else if let Some(mark) = osc.strip_prefix("133;") {
        let mut fields = mark.split(';');
        let mark = match fields.next() {
            Some("A") => PromptMark::PromptStart,
            Some("B") => PromptMark::CommandStart,
            Some("C") => PromptMark::OutputStart,
            Some("D") => PromptMark::CommandEnd(fields.next().and_then(|status| status.parse().ok())),
            _ => return,
        };
        out.marks.push(mark);
    }
}

/// `file://host/a%20b` to `/a b`; a bare path is taken as it is.
fn path_of(url: &str) -> Option<String> {
    let path = match url.strip_prefix("file://") {
        Some(rest) => &rest[rest.find('/')?..],
        None if url.starts_with('/') => url,
        None => return None,
    };
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| byte == b'%').and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    Some(text::strip(&String::from_utf8_lossy(&bytes), LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(chunks: &[&[u8]]) -> Effects {
        let (mut scan, mut out) = (Prescan::default(), Effects::default());
        for chunk in chunks {
            scan.feed(chunk, &mut out);
        }
        out
    }

    #[test]
    fn finds_directories_and_marks_across_chunks() {
        let out = scan(&[b"x\x1b]7;file://h/a%2", b"0b\x1b", b"\\y\x1b]133;D;3\x07\x1b]133;A\x07\x1b]0;t\x07"]);
        assert_eq!(out.cwd.as_deref(), Some("/a b"));
        assert_eq!(out.marks, [PromptMark::CommandEnd(Some(3)), PromptMark::PromptStart]);
    }

    #[test]
    fn ignores_the_rest() {
        let long = [b"\x1b]7;/".as_slice(), &vec![b'a'; 5000], b"\x07\x1b]7;relative\x07\x1b]7;/ok\x18x"].concat();
        assert_eq!(scan(&[&long]), Effects::default());
    }
}
