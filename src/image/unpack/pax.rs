//! Pax extended header records (POSIX.1 `pax`), read by their stated lengths, into what an entry needs of them.

use crate::sys::files::Time;

/// The records that change an entry. Unknown ones are passed over, as the standard says.
#[derive(Debug, Default, PartialEq)]
pub struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<Time>,
    /// Name without the `SCHILY.xattr.` prefix, and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Option<Sparse>,
}

/// How a pax archive says that a file has holes.
#[derive(Debug, Default, PartialEq)]
pub struct Sparse {
    /// `GNU.sparse.major`: 1 has its map before the data, 0 has it in the records.
    pub major: u64,
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
    /// Offset and length of each data segment (formats 0.0 and 0.1).
    pub map: Vec<(u64, u64)>,
}

impl Pax {
    /// Errors name the record that is malformed.
    pub fn parse(mut data: &[u8]) -> Result<Pax, String> {
        let mut pax = Pax::default();
        let mut pending_offset = None;
        while !data.is_empty() && data[0] != 0 {
            let (key, value, rest) = record(data)?;
            data = rest;
            pax.apply(key, value, &mut pending_offset)
                .ok_or_else(|| format!("pax record '{}' is malformed", String::from_utf8_lossy(key)))?;
        }
        Ok(pax)
    }

    fn apply(&mut self, key: &[u8], value: &[u8], pending_offset: &mut Option<u64>) -> Option<()> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.xattrs.push((name.to_vec(), value.to_vec()));
            return Some(());
        }
        match key {
            b"path" => self.path = Some(text(value)?),
            b"linkpath" => self.link = Some(text(value)?),
            b"size" => self.size = once(self.size, number(value)?)?,
            b"uid" => self.uid = Some(number(value)?),
            b"gid" => self.gid = Some(number(value)?),
            b"mtime" => self.mtime = Some(time(value)?),
            b"GNU.sparse.major" => self.sparse().major = number(value)?,
            b"GNU.sparse.name" => self.sparse().name = Some(text(value)?),
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse().real_size = Some(number(value)?),
            b"GNU.sparse.offset" => *pending_offset = Some(number(value)?),
            b"GNU.sparse.numbytes" => {
                let segment = (pending_offset.take()?, number(value)?);
                self.sparse().map.push(segment);
            }
            b"GNU.sparse.map" => self.sparse().map = map(value)?,
            _ => {}
        }
        Some(())
    }

    fn sparse(&mut self) -> &mut Sparse {
        self.sparse.get_or_insert_default()
    }
}

/// Key, value, and what follows the record.
type Record<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record.
fn record(data: &[u8]) -> Result<Record<'_>, String> {
    let bad = || String::from("a pax record has a wrong length");
    let space = data.iter().take(12).position(|b| *b == b' ').ok_or_else(bad)?;
    let length = number(&data[..space]).and_then(|n| usize::try_from(n).ok()).ok_or_else(bad)?;
    if length <= space + 1 || length > data.len() || data[length - 1] != b'\n' {
        return Err(bad());
    }
    let body = &data[space + 1..length - 1];
    let equals = body.iter().position(|b| *b == b'=').ok_or_else(bad)?;
    Ok((&body[..equals], &body[equals + 1..], &data[length..]))
}

/// Two different sizes for one entry are how archives are made that two readers see differently.
#[expect(clippy::option_option, reason = "outer: well-formed; inner: the value")]
fn once(old: Option<u64>, new: u64) -> Option<Option<u64>> {
    match old {
        Some(old) if old != new => None,
        _ => Some(Some(new)),
    }
}

fn text(value: &[u8]) -> Option<Vec<u8>> {
    (!value.contains(&0)).then(|| value.to_vec())
}

fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// `[-]SECONDS[.FRACTION]`
fn time(value: &[u8]) -> Option<Time> {
    let value = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let secs: i64 = whole.parse().ok()?;
    let nanos: u32 = format!("{fraction:0<9.9}").parse().ok()?;
    match (whole.starts_with('-'), nanos) {
        (true, 1..) => Some(Time { secs: secs.checked_sub(1)?, nanos: 1_000_000_000 - nanos }),
        _ => Some(Time { secs, nanos }),
    }
}

/// `offset,length,offset,length,...`
fn map(value: &[u8]) -> Option<Vec<(u64, u64)>> {
    let numbers: Vec<u64> = value.split(|b| *b == b',').filter(|n| !n.is_empty()).map(number).collect::<Option<_>>()?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[offset, length]| (*offset, *length)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, value: &[u8]) -> Vec<u8> {
        let body = key.len() + value.len() + 3;
        let mut length = body + 1;
        while length != body + length.to_string().len() {
            length = body + length.to_string().len();
        }
        [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
    }

    #[test]
    fn a_value_may_hold_newlines_and_looks_like_no_other_record() {
        let value = b"a\n17 path=etc/evil\n\0\x01";
        let pax = Pax::parse(&[line("SCHILY.xattr.user.x", value), line("size", b"12")].concat()).unwrap();
        assert_eq!(pax.xattrs, [(b"user.x".to_vec(), value.to_vec())]);
        assert_eq!((pax.path, pax.size), (None, Some(12)));
    }

    #[test]
    fn times_have_fractions_before_and_after_the_epoch() {
        for (text, secs, nanos) in
            [("5", 5, 0), ("5.25", 5, 250_000_000), ("-1.5", -2, 500_000_000), ("7.1234567899", 7, 123_456_789)]
        {
            assert_eq!(time(text.as_bytes()), Some(Time { secs, nanos }), "{text}");
        }
        assert_eq!(time(b"x"), None);
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in [&b"5 a=b"[..], b"99 a=b\n", b"x a=b\n", b"6 ab\n\n"] {
            assert!(Pax::parse(bad).is_err(), "{bad:?}");
        }
        let twice = [line("size", b"1"), line("size", b"2")].concat();
        assert!(Pax::parse(&twice).unwrap_err().contains("size"));
        assert!(Pax::parse(&line("path", b"a\0b")).is_err());
        assert!(Pax::parse(&line("GNU.sparse.map", b"1,2,3")).is_err());
    }
}
