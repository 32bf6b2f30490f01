//! Ages, durations, figures that do not tremble, and command words as people read and write them.

/// At most four columns: `12s`, `9m`, `3h`, `11d`, `2mo`, `3y`.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m", seconds / 60),
        3600..=86_399 => format!("{}h", seconds / 3600),
        86_400..=5_183_999 => format!("{}d", seconds / 86_400),
        5_184_000..=63_071_999 => format!("{}mo", seconds / 2_592_000),
        _ => format!("{}y", (seconds / 31_536_000).min(999)),
    }
}

/// How long an act took: `0.2s`, `12s`, `3m05s`.
pub fn duration(nanos: i64) -> String {
    let tenths = nanos.max(0) / 100_000_000;
    match tenths {
        0..=99 => format!("{}.{}s", tenths / 10, tenths % 10),
        100..=599 => format!("{}s", tenths / 10),
        _ => format!("{}m{:02}s", tenths / 600, tenths / 10 % 60),
    }
}

/// What is shown of a figure that trembles: it follows only when it has moved by a whole step. Nothing is told as nothing.
pub fn steady(shown: f64, value: f64, step: f64) -> f64 {
    if value != 0.0 && (value - shown).abs() < step { shown } else { value }
}

/// The same for memory in bytes: the kernel charges a group in batches of up to 64 pages for each CPU, so its count
/// trembles while nothing happens.
pub fn steady_memory(shown: u64, value: u64) -> u64 {
    const STEP: u64 = 64 << 10;
    if shown.abs_diff(value) < STEP.min(shown / 4) { shown } else { value }
}

/// A word as a POSIX shell would need it written.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Splits a command line into words by quotes and backslashes. `Err` names what is not closed.
pub fn split_words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\\' => match chars.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("a backslash at the end"),
            },
            '\'' | '"' => {
                let current = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some(next) if next == c => break,
                        Some('\\') if c == '"' => current.extend(chars.next()),
                        Some(next) => current.push(next),
                        None => return Err("a quote that is not closed"),
                    }
                }
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, text) in [(59, "59s"), (3599, "59m"), (86_400 * 11, "11d"), (86_400 * 70, "2mo")] {
            assert_eq!(age(seconds), text);
        }
        assert_eq!((duration(1_250_000_000), duration(185_000_000_000)), ("1.2s".into(), "3m05s".into()));
    }

    #[test]
    fn words_round_trip() {
        let words = split_words(r#"sh -c 'a b' "c\"d" e\ f ''"#).expect("well formed");
        assert_eq!(words, ["sh", "-c", "a b", "c\"d", "e f", ""]);
        assert_eq!(quote("a'b c"), r"'a'\''b c'");
        assert!(split_words("'x").is_err());
    }
}
