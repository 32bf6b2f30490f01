//! The keys that leave a session (`ctrl-p,ctrl-q`): found across reads, and passed on when they turn out to be others.

use super::args::wrong;
use crate::engine::Result;

/// Watches typed bytes for the sequence.
pub(super) struct DetachKeys {
    sequence: Vec<u8>,
    /// How much of the sequence has been typed and is held back.
    matched: usize,
}

/// What typed bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// To be passed on.
    pub bytes: Vec<u8>,
    /// The sequence is complete; what was typed after it is dropped.
    pub detach: bool,
}

impl DetachKeys {
    /// Docker's notation: letters, `ctrl-x`, commas between; empty: the default.
    pub fn parse(text: Option<&str>) -> Result<DetachKeys> {
        let text = text.filter(|t| !t.is_empty()).unwrap_or("ctrl-p,ctrl-q");
        let key = |key: &str| match key.as_bytes() {
            [one] => Some(*one),
            [b'c', b't', b'r', b'l', b'-', key] => match key {
                b'a'..=b'z' => Some(key - b'a' + 1),
                b'@' => Some(0),
                b'['..=b'_' => Some(key - b'[' + 27),
                _ => None,
            },
            _ => None,
        };
        let sequence: Option<Vec<u8>> = text.split(',').map(key).collect();
        let sequence =
            sequence.ok_or_else(|| wrong("detach-keys", text, "keys are like a or ctrl-p, with commas between"))?;
        Ok(DetachKeys { sequence, matched: 0 })
    }

    pub fn feed(&mut self, typed: &[u8]) -> Typed {
        let mut bytes = Vec::with_capacity(typed.len() + self.matched);
        for byte in typed {
            if *byte == self.sequence[self.matched] {
                self.matched += 1;
                if self.matched == self.sequence.len() {
                    self.matched = 0;
                    return Typed { bytes, detach: true };
                }
                continue;
            }
            bytes.extend_from_slice(&self.sequence[..self.matched]);
            // The byte that broke the sequence may begin it again.
            self.matched = usize::from(*byte == self.sequence[0]);
            if self.matched == 0 {
                bytes.push(*byte);
            }
        }
        Typed { bytes, detach: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &str, reads: &[&[u8]], passed: &[u8], detached: bool) {
        let mut watch = DetachKeys::parse(Some(keys)).unwrap();
        let (mut all, mut left) = (Vec::new(), false);
        for read in reads {
            let typed = watch.feed(read);
            all.extend(typed.bytes);
            left = typed.detach;
        }
        assert_eq!((all.as_slice(), left), (passed, detached), "{keys} {reads:?}");
    }

    #[test]
    fn sequences_across_reads() {
        check("", &[b"ab\x10", b"\x11"], b"ab", true);
        check("", &[b"\x10", b"x\x11"], b"\x10x\x11", false);
        check("", &[b"\x10\x10\x11"], b"\x10", true);
        check("", &[b"\x11\x10"], b"\x11", false);
        check("ctrl-],q", &[b"\x1d\x1dq"], b"\x1d", true);
        check("a", &[b"xay"], b"x", true);
    }

    #[test]
    fn keys_that_are_none() {
        for bad in ["ctrl-", "ctrl-p,,x", "meta-x", "ctrl-P"] {
            assert!(DetachKeys::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
