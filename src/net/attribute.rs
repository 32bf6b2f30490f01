//! Netlink attributes: a type, a length, a value that may hold further attributes. Written and walked.

const NESTED: u16 = 0x8000;
const KIND: u16 = 0x3fff;

/// Attributes one after another, each padded to four bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// After a message's fixed part, whose length is a multiple of four.
    pub fn after(head: &[u8]) -> Attributes {
        Attributes(head.to_vec())
    }

    pub fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.extend(((value.len() + 4) as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub fn be32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// With the zero byte at the end.
    pub fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    pub fn nested(self, kind: u16, inner: &Attributes) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The attributes in `bytes`: type without flags, and value. Ends at the first that is cut short.
pub fn walk(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (length, kind) = match *bytes {
            [l0, l1, k0, k1, ..] => (usize::from(u16::from_ne_bytes([l0, l1])), u16::from_ne_bytes([k0, k1])),
            _ => return None,
        };
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & KIND, value))
    })
}

/// The first attribute of that type.
pub fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    walk(bytes).find(|(k, _)| *k == kind).map(|(_, value)| value)
}

/// A text without the zero bytes at its end.
pub fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_again() {
        let inner = Attributes::default().be32(1, 7).text(2, "abc");
        let outer = Attributes::after(&[9; 4]).bytes(5, &[1]).nested(6, &inner);
        let seen: Vec<_> = walk(&outer.as_bytes()[4..]).collect();
        assert_eq!(seen[0], (5, &[1][..]));
        assert_eq!(seen[1].0, 6);
        assert_eq!(text(find(seen[1].1, 2).unwrap()), "abc");
        assert_eq!(find(seen[1].1, 1), Some(&[0, 0, 0, 7][..]));
        assert_eq!(find(seen[1].1, 3), None);
    }

    #[test]
    fn cut_short_ends() {
        let whole = Attributes::default().be32(1, 7).be32(2, 8);
        assert_eq!(walk(&whole.as_bytes()[..12]).count(), 1);
        assert_eq!(walk(&[3, 0, 0, 0]).count(), 0);
        assert_eq!(walk(&[0; 16]).count(), 0);
    }
}
