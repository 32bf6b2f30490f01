//! How bad a log line says it is, found by one pass over its first bytes, without regular expressions.

/// Severity; `None`: the line does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    #[default]
    None,
    Warn,
    Error,
}

/// A level stands near the start of a line.
const SCANNED: usize = 512;

const WORDS: [(&[u8], Level); 14] = [
    (b"error", Level::Error),
    (b"err", Level::Error),
    (b"fatal", Level::Error),
    (b"panic", Level::Error),
    (b"panicked", Level::Error),
    (b"crit", Level::Error),
    (b"critical", Level::Error),
    (b"emerg", Level::Error),
    (b"severe", Level::Error),
    (b"exception", Level::Error),
    (b"traceback", Level::Error),
    (b"warn", Level::Warn),
    (b"warning", Level::Warn),
    (b"wrn", Level::Warn),
];

/// The worst level named in the line.
pub(super) fn detect(line: &[u8]) -> Level {
    let line = &line[..line.len().min(SCANNED)];
    let mut worst = glog(line);
    let mut at = 0;
    while at < line.len() && worst < Level::Error {
        if !line[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let length = line[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        worst = worst.max(word(line, at, length));
        at += length;
    }
    worst
}

/// `E0110 09:00:00.000000 ...`
fn glog(line: &[u8]) -> Level {
    match line {
        [letter, digits @ ..]
            if digits.len() > 4 && digits[..4].iter().all(u8::is_ascii_digit) && digits[4] == b' ' =>
        {
            match letter {
                b'E' | b'F' => Level::Error,
                b'W' => Level::Warn,
                _ => Level::None,
            }
        }
        _ => Level::None,
    }
}

fn word(line: &[u8], at: usize, length: usize) -> Level {
    let text = &line[at..at + length];
    if text == b"level" || text == b"severity" {
        return numeric(&line[at + length..]);
    }
    // Python's own names for what went wrong: ValueError, KeyError.
    let named = text.len() > 5 && text.ends_with(b"Error") && line.get(at + length) == Some(&b':');
    let known = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, level)| *level);
    let Some(level) = known.or(named.then_some(Level::Error)) else { return Level::None };
    let before = at.checked_sub(1).map(|i| line[i]);
    let after = (line.get(at + length), line.get(at + length + 1));
    // `"error": null` is a field's name, not a level.
    if before == Some(b'"') && after == (Some(&b'"'), Some(&b':')) {
        return Level::None;
    }
    let stands_out = text.iter().all(u8::is_ascii_uppercase)
        || named
        || matches!(before, None | Some(b'=' | b'"' | b'[' | b'<' | b'(' | b'|'))
        || matches!(after.0, Some(b':'))
        || text.starts_with(b"Traceback")
        || text.starts_with(b"panicked");
    // `error=nil`, `err=<nil>`: a field again.
    if after.0 == Some(&b'=') || !stands_out { Level::None } else { level }
}

/// Numbers of bunyan and pino: 40 warn, 50 error, 60 fatal.
fn numeric(after: &[u8]) -> Level {
    let digits: Vec<u8> = after
        .iter()
        .copied()
        .skip_while(|b| matches!(b, b'"' | b':' | b'=' | b' '))
        .take(3)
        .take_while(u8::is_ascii_digit)
        .collect();
    match digits.as_slice() {
        b"40" => Level::Warn,
        b"50" | b"60" => Level::Error,
        _ => Level::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_real_lines() {
        let error = [
            "2026-01-10 ERROR cannot connect",
            r#"{"level":"error","msg":"x"}"#,
            r#"{"level":50,"msg":"x"}"#,
            "level=error msg=x",
            "[error] 7#7: *1 open() failed",
            "error: no such file",
            "E0110 09:00:00.1 main.go:1] x",
            "FATAL:  role does not exist",
            "thread 'main' panicked at src/main.rs:1",
            "Traceback (most recent call last):",
            "ValueError: bad",
        ];
        for line in error {
            assert_eq!(detect(line.as_bytes()), Level::Error, "{line}");
        }
        for line in ["WARN slow", "[warning] x", "level=warn x", r#"{"level":40}"#, "W0110 09:00:00.1 x"] {
            assert_eq!(detect(line.as_bytes()), Level::Warn, "{line}");
        }
        let none = [
            "GET /error 200",
            "0 errors found",
            r#"{"error":null,"level":"info"}"#,
            "err=nil done",
            "",
            "no error here",
        ];
        for line in none {
            assert_eq!(detect(line.as_bytes()), Level::None, "{line}");
        }
    }
}
