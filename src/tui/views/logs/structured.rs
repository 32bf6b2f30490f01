//! Lines that are JSON objects or logfmt: shown on one line with level and message first, and unfolded into fields.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Longer lines are shown as they are: nobody reads them on one line.
const LONGEST: usize = 32 * 1024;

/// The fields of a structured line, in their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fields {
    pub json: bool,
    fields: Vec<(String, Value)>,
}

/// The fields of a line that is a JSON object, or has at least two `key=value`; `None`: plain text.
pub(super) fn parse(text: &str) -> Option<Fields> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    if text.starts_with('{') {
        let fields = serde_json::from_str::<Ordered>(text).ok()?.0;
        return (!fields.is_empty()).then_some(Fields { json: true, fields });
    }
    // The first word decides for nearly all plain lines.
    let first = text.split(' ').next()?;
    first.split_once('=').filter(|(key, _)| is_key(key))?;
    logfmt(text).filter(|fields| fields.len() >= 2).map(|fields| Fields { json: false, fields })
}

impl Fields {
    /// `level=error msg=retry attempt=2`.
    pub fn one_line(&self) -> String {
        let rank = |key: &str| match key.to_ascii_lowercase().as_str() {
            "level" | "lvl" | "severity" => 0,
            "msg" | "message" => 1,
            _ => 2,
        };
        let mut fields: Vec<&(String, Value)> = self.fields.iter().collect();
        fields.sort_by_key(|(key, _)| rank(key));
        let words: Vec<String> = fields.iter().map(|(key, value)| format!("{key}={}", short(value))).collect();
        words.join(" ")
    }

    /// One field a line, nested values indented.
    pub fn lines(&self) -> Vec<String> {
        let widest = self.fields.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0).min(24);
        let mut out = Vec::new();
        for (key, value) in &self.fields {
            let shown = match value {
                Value::String(text) => text.clone(),
                nested => serde_json::to_string_pretty(nested).unwrap_or_default(),
            };
            let mut lines = shown.lines();
            out.push(format!("{key:widest$}  {}", lines.next().unwrap_or_default()));
            out.extend(lines.map(|line| format!("{:widest$}  {line}", "")));
        }
        out
    }

    /// Whether a field has this value (nested ones by `a.b`), for filters like `level=error`.
    pub fn has(&self, path: &str, wanted: &str) -> bool {
        let mut steps = path.split('.');
        let Some(first) = steps.next() else { return false };
        let Some((_, mut value)) = self.fields.iter().find(|(key, _)| key == first).map(|(k, v)| (k, v)) else {
            return false;
        };
        for step in steps {
            match value.get(step) {
                Some(inner) => value = inner,
                None => return false,
            }
        }
        match value {
            Value::String(text) => text.eq_ignore_ascii_case(wanted),
            other => {
                let text = other.to_string();
                text == wanted
            }
        }
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains([' ', '"', '=', '\n']) => text.clone(),
        other => other.to_string(),
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '/'))
}

fn logfmt(text: &str) -> Option<Vec<(String, Value)>> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let key = &rest[..end];
        if !is_key(key) {
            return None;
        }
        rest = &rest[end..];
        let Some(after) = rest.strip_prefix('=') else {
            fields.push((key.to_owned(), Value::Bool(true)));
            rest = rest.trim_start();
            continue;
        };
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(' ').unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        fields.push((key.to_owned(), Value::String(value)));
        rest = after.trim_start();
    }
    Some(fields)
}

/// A quoted value up to its end, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

/// A JSON object whose fields keep their order.
struct Ordered(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Ordered;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Ordered(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_order_with_level_and_message_first() {
        let fields = parse(r#"{"ts":1,"msg":"two words","level":"error","ctx":{"a":[1]}}"#).unwrap();
        assert_eq!(fields.one_line(), r#"level=error msg="two words" ts=1 ctx={"a":[1]}"#);
        assert_eq!(fields.lines()[..3], ["ts     1", "msg    two words", "level  error"]);
        assert!(fields.has("level", "ERROR") && fields.has("ctx.a", "[1]") && !fields.has("ctx.b", "1"));
    }

    #[test]
    fn logfmt_needs_two_fields() {
        let fields = parse(r#"level=warn msg="a \"b\"" n=2 flag"#).unwrap();
        assert_eq!(fields.one_line(), r#"level=warn msg="a \"b\"" n=2 flag=true"#);
        for plain in ["GET /?a=b 200", "x=1", "hello", "", "a=1 b=\"unfinished", "{not json}", "=x y=z"] {
            assert_eq!(parse(plain), None, "{plain}");
        }
    }
}
