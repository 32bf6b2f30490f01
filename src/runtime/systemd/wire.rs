//! Messages of the bus (the D-Bus specification, "Message Protocol"), as far as a service manager is spoken to: written
//! and read in this machine's byte order.

use std::fmt;

/// Larger ones are not for us.
pub const MAX_MESSAGE: usize = 1 << 20;
const ORDER: u8 = if cfg!(target_endian = "little") { b'l' } else { b'B' };
/// Byte order, kind, flags, version, length of the body, serial number, length of the fields.
pub const HEAD: usize = 16;

pub const CALL: u8 = 1;
pub const RETURN: u8 = 2;
pub const ERROR: u8 = 3;
pub const SIGNAL: u8 = 4;

/// A value of a property or an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Bool(bool),
    I32(i32),
    U32(u32),
    I64(i64),
    U64(u64),
    Text(String),
    Texts(Vec<String>),
    Numbers(Vec<u32>),
    Bytes(Vec<u8>),
    /// `a(ss)`
    Pairs(Vec<(String, String)>),
    /// `a(sv)`
    Properties(Vec<(String, Value)>),
    /// `a(sa(sv))`, of which there are never any here.
    NoUnits,
}

impl Value {
    pub fn signature(&self) -> &'static str {
        match self {
            Value::Bool(_) => "b",
            Value::I32(_) => "i",
            Value::U32(_) => "u",
            Value::I64(_) => "x",
            Value::U64(_) => "t",
            Value::Text(_) => "s",
            Value::Texts(_) => "as",
            Value::Numbers(_) => "au",
            Value::Bytes(_) => "ay",
            Value::Pairs(_) => "a(ss)",
            Value::Properties(_) => "a(sv)",
            Value::NoUnits => "a(sa(sv))",
        }
    }
}

/// Bytes that are being written; alignment counts from their beginning.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn u32(&mut self, value: u32) {
        self.align(4);
        self.0.extend(value.to_ne_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.align(8);
        self.0.extend(value.to_ne_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(text.len() as u8);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// The length counts neither itself nor the padding before the first element.
    fn array(&mut self, align: usize, fill: impl FnOnce(&mut Writer)) {
        self.u32(0);
        let place = self.0.len() - 4;
        self.align(align);
        let start = self.0.len();
        fill(self);
        let length = (self.0.len() - start) as u32;
        self.0[place..place + 4].copy_from_slice(&length.to_ne_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(on) => self.u32(u32::from(*on)),
            Value::I32(number) => self.u32(number.cast_unsigned()),
            Value::U32(number) => self.u32(*number),
            Value::I64(number) => self.u64(number.cast_unsigned()),
            Value::U64(number) => self.u64(*number),
            Value::Text(text) => self.text(text),
            Value::Texts(texts) => self.array(4, |w| texts.iter().for_each(|text| w.text(text))),
            Value::Numbers(numbers) => self.array(4, |w| numbers.iter().for_each(|number| w.u32(*number))),
            Value::Bytes(bytes) => self.array(1, |w| w.0.extend(bytes)),
            Value::Pairs(pairs) => self.array(8, |w| {
                for (first, second) in pairs {
                    w.align(8);
                    w.text(first);
                    w.text(second);
                }
            }),
            Value::Properties(all) => self.array(8, |w| {
                for (name, value) in all {
                    w.align(8);
                    w.text(name);
                    w.signature(value.signature());
                    w.value(value);
                }
            }),
            Value::NoUnits => self.array(8, |_| {}),
        }
    }
}

/// Whom a call is for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub destination: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
}

pub fn call(serial: u32, target: Target<'_>, member: &str, arguments: &[Value]) -> Vec<u8> {
    let mut body = Writer::default();
    arguments.iter().for_each(|value| body.value(value));
    let signature: String = arguments.iter().map(Value::signature).collect();
    let fields = [
        (1, "o", target.path),
        (2, "s", target.interface),
        (3, "s", member),
        (6, "s", target.destination),
        (8, "g", &signature),
    ];
    let mut out = Writer(vec![ORDER, CALL, 0, 1]);
    out.u32(body.0.len() as u32);
    out.u32(serial);
    out.array(8, |w| {
        for (code, kind, text) in fields.into_iter().filter(|(_, _, text)| !text.is_empty()) {
            w.align(8);
            w.0.push(code);
            w.signature(kind);
            if kind == "g" { w.signature(text) } else { w.text(text) }
        }
    });
    out.align(8);
    out.0.extend(body.0);
    out.0
}

/// A message that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    pub member: String,
    pub error: String,
    pub reply_to: Option<u32>,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bus sent a message that is not understood")
    }
}

/// Reads values from bytes; alignment counts from their beginning.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(Malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.align(4);
        Ok(u32::from_ne_bytes(self.take(4)?.try_into().map_err(|_| Malformed)?))
    }

    pub fn text(&mut self) -> Result<String, Malformed> {
        let length = self.u32()? as usize;
        let bytes = self.take(length)?;
        self.take(1)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
    }

    pub fn signature(&mut self) -> Result<String, Malformed> {
        let length = usize::from(self.take(1)?[0]);
        let bytes = self.take(length)?;
        self.take(1)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
    }
}

/// How long the whole message is whose first bytes these are.
pub fn length(head: &[u8; HEAD]) -> Result<usize, Malformed> {
    let number = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
    let (body, fields) = (number(4), number(12));
    if head[0] != ORDER || head[3] != 1 || body > MAX_MESSAGE || fields > MAX_MESSAGE {
        return Err(Malformed);
    }
    Ok((HEAD + fields).next_multiple_of(8) + body)
}

pub fn read(bytes: &[u8]) -> Result<Message, Malformed> {
    let mut message = Message { kind: *bytes.get(1).ok_or(Malformed)?, ..Message::default() };
    let fields = Reader { bytes, at: 12 }.u32()? as usize;
    let end = HEAD.checked_add(fields).filter(|end| *end <= bytes.len()).ok_or(Malformed)?;
    let mut reader = Reader { bytes: &bytes[..end], at: HEAD };
    while reader.at < end {
        reader.align(8);
        let code = reader.take(1)?[0];
        match (code, reader.signature()?.as_str()) {
            (5, "u") => message.reply_to = Some(reader.u32()?),
            (3, "s") => message.member = reader.text()?,
            (4, "s") => message.error = reader.text()?,
            (_, "s" | "o") => drop(reader.text()?),
            (_, "g") => drop(reader.signature()?),
            (_, "u") => drop(reader.u32()?),
            _ => return Err(Malformed),
        }
    }
    message.body = bytes.get(end.next_multiple_of(8)..).ok_or(Malformed)?.to_vec();
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: Target<'_> = Target { destination: "a.b", path: "/a", interface: "a.b.C" };

    #[test]
    fn what_is_written_can_be_read() {
        let arguments = [
            Value::Text("unit".into()),
            Value::Properties(vec![("PIDs".into(), Value::Numbers(vec![7])), ("Delegate".into(), Value::Bool(true))]),
            Value::NoUnits,
        ];
        let bytes = call(9, TARGET, "Start", &arguments);
        assert_eq!(length(bytes[..HEAD].try_into().unwrap()).unwrap(), bytes.len());
        let message = read(&bytes).unwrap();
        assert_eq!((message.kind, message.member.as_str()), (CALL, "Start"));
        let mut body = Reader::new(&message.body);
        assert_eq!(body.text().unwrap(), "unit");
        assert!(body.u32().unwrap() > 0);
        body.align(8);
        assert_eq!((body.text().unwrap(), body.signature().unwrap()), ("PIDs".into(), "au".into()));
        assert_eq!((body.u32().unwrap(), body.u32().unwrap()), (4, 7));
        body.align(8);
        assert_eq!((body.text().unwrap(), body.signature().unwrap()), ("Delegate".into(), "b".into()));
        assert_eq!((body.u32().unwrap(), body.u32().unwrap()), (1, 0));
    }

    proptest! {
        #[test]
        fn no_message_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..200) {
            let _ = read(&bytes);
            let mut near = call(1, TARGET, "Get", &[Value::Text("x".into())]);
            let at = at % near.len();
            near[at] ^= bytes.first().copied().unwrap_or(0xff);
            let _ = read(&near);
        }
    }
}
