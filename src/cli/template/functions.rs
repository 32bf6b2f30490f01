//! Go's built-in functions and docker's own.

use super::eval::{is_true, kind, text_of};
use super::{Result, error};
use serde_json::Value;
use std::cmp::Ordering;

/// Calls `name`; the value piped in is the last argument.
pub(super) fn call(name: &str, arguments: Vec<Value>) -> Result<Value> {
    let text = |s: String| Ok(Value::String(s));
    match (name, arguments.as_slice()) {
        ("json", [value]) => text(value.to_string()),
        ("lower", [s]) => text(text_of(s).to_lowercase()),
        ("upper", [s]) => text(text_of(s).to_uppercase()),
        ("title", [s]) => text(title(&text_of(s))),
        ("join", [Value::Array(list), separator]) => {
            text(list.iter().map(text_of).collect::<Vec<_>>().join(&text_of(separator)))
        }
        ("join", [Value::Null, _]) => text(String::new()),
        ("split", [s, separator]) => {
            Ok(text_of(s).split(&text_of(separator)).map(|part| Value::String(part.to_owned())).collect())
        }
        ("pad", [s, before, after]) => {
            let spaces = |v: &Value| Ok::<_, super::TemplateError>(" ".repeat(count(v)?.min(1000)));
            text(format!("{}{}{}", spaces(before)?, text_of(s), spaces(after)?))
        }
        ("truncate", [s, length]) => text(text_of(s).chars().take(count(length)?).collect()),
        ("println", values) => text(spaced(values) + "\n"),
        ("print", values) => text(values.iter().map(text_of).collect::<Vec<_>>().join("")),
        ("printf", [Value::String(format), rest @ ..]) => super::functions::printf(format, rest).map(Value::String),
        ("len", [value]) => length(value).map(Value::from),
        ("index", [value, keys @ ..]) => keys.iter().try_fold(value.clone(), index),
        ("slice", [value, bounds @ ..]) if bounds.len() <= 2 => slice(value, bounds),
        ("not", [value]) => Ok(Value::Bool(!is_true(value))),
        ("and", [values @ .., last]) => Ok(values.iter().find(|v| !is_true(v)).unwrap_or(last).clone()),
        ("or", [values @ .., last]) => Ok(values.iter().find(|v| is_true(v)).unwrap_or(last).clone()),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            Ok(Value::Bool(others.iter().any(|o| compare(first, o) == Some(Ordering::Equal))))
        }
        ("ne", [a, b]) => Ok(Value::Bool(compare(a, b) != Some(Ordering::Equal))),
        ("lt" | "le" | "gt" | "ge", [a, b]) => ordered(name, a, b),
        (
            "json" | "lower" | "upper" | "title" | "join" | "split" | "pad" | "truncate" | "printf" | "len" | "index"
            | "slice" | "not" | "and" | "or" | "eq" | "ne" | "lt" | "le" | "gt" | "ge",
            _,
        ) => error(format!("wrong arguments for {name}")),
        _ => error(format!("function \"{name}\" not defined")),
    }
}

fn spaced(values: &[Value]) -> String {
    values.iter().map(text_of).collect::<Vec<_>>().join(" ")
}

fn title(text: &str) -> String {
    let mut start = true;
    let upper = |c: char| {
        let out: String = if start { c.to_uppercase().collect() } else { c.to_string() };
        start = !c.is_alphanumeric();
        out
    };
    text.chars().map(upper).collect()
}

fn count(value: &Value) -> Result<usize> {
    match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
        Some(n) => Ok(n),
        None => error(format!("expected a number, found {}", kind(value))),
    }
}

fn length(value: &Value) -> Result<usize> {
    match value {
        Value::String(s) => Ok(s.len()),
        Value::Array(list) => Ok(list.len()),
        Value::Object(map) => Ok(map.len()),
        Value::Null => Ok(0),
        other => error(format!("len of {}", kind(other))),
    }
}

/// A key that is not in a map gives the empty value, an index outside of a list is an error: as in Go.
fn index(value: Value, key: &Value) -> Result<Value> {
    match (&value, key) {
        (Value::Object(map), Value::String(key)) => {
            Ok(map.get(key).cloned().unwrap_or_else(|| Value::String(String::new())))
        }
        (Value::Array(list), Value::Number(_)) => match list.get(count(key)?) {
            Some(item) => Ok(item.clone()),
            None => error(format!("index out of range: {key}")),
        },
        (Value::Null, _) => error("index of nothing"),
        _ => error(format!("can't index {} with {}", kind(&value), kind(key))),
    }
}

/// From the first bound to before the second, in bytes or elements.
fn slice(value: &Value, bounds: &[Value]) -> Result<Value> {
    let all = length(value)?;
    let from = bounds.first().map_or(Ok(0), count)?;
    let to = bounds.get(1).map_or(Ok(all), count)?;
    match value {
        Value::String(text) => text.get(from..to).map(|part| Value::String(part.to_owned())),
        Value::Array(list) => list.get(from..to).map(|part| Value::Array(part.to_vec())),
        other => return error(format!("can't slice {}", kind(other))),
    }
    .ok_or_else(|| super::TemplateError(format!("slice bounds out of range: {from}:{to} of {all}")))
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (a, b) if a == b => Some(Ordering::Equal),
        _ => None,
    }
}

fn ordered(name: &str, a: &Value, b: &Value) -> Result<Value> {
    let Some(order) = compare(a, b) else {
        return error(format!("incompatible types for comparison: {} and {}", kind(a), kind(b)));
    };
    Ok(Value::Bool(match name {
        "lt" => order.is_lt(),
        "le" => order.is_le(),
        "gt" => order.is_gt(),
        _ => order.is_ge(),
    }))
}

/// `%s %v %d %q %x %f %t %%` with width, `-`, `0` and precision.
fn printf(format: &str, values: &[Value]) -> Result<String> {
    let (mut out, mut next) = (String::new(), values.iter());
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = String::new();
        while let Some(c) = chars.next_if(|c| matches!(c, '-' | '+' | '0'..='9' | '.' | ' ' | '#')) {
            flags.push(c);
        }
        let Some(verb) = chars.next() else { return error("printf: a lone '%'") };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(value) = next.next() else { return error("printf: too few values") };
        out.push_str(&verb_text(verb, &flags, value)?);
    }
    Ok(out)
}

fn verb_text(verb: char, flags: &str, value: &Value) -> Result<String> {
    let (head, precision) = flags.split_once('.').map_or((flags, None), |(h, p)| (h, p.parse::<usize>().ok()));
    let left = head.contains('-');
    let digits = head.trim_start_matches(['-', '+', ' ', '#']);
    let zero = digits.starts_with('0') && !left;
    let width = digits.parse::<usize>().unwrap_or(0).min(1000);
    let text = match (verb, value.as_f64()) {
        ('f' | 'F', Some(n)) => format!("{n:.*}", precision.unwrap_or(6).min(50)),
        ('x', Some(n)) => format!("{:x}", n as i64),
        ('d', Some(n)) => format!("{}", n as i64),
        ('q', _) => format!("{:?}", text_of(value)),
        ('s' | 'v' | 't', _) => {
            let all = text_of(value);
            precision.map_or(all.clone(), |p| all.chars().take(p).collect())
        }
        ('f' | 'F' | 'x' | 'd', None) => return error(format!("printf: %{verb} needs a number, not {}", kind(value))),
        _ => return error(format!("printf: %{verb} is not supported")),
    };
    Ok(match (left, zero) {
        (true, _) => format!("{text:<width$}"),
        (_, true) => format!("{text:0>width$}"),
        _ => format!("{text:>width$}"),
    })
}
