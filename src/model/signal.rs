//! Signals by name and number, as docker and kill(1) take them.

const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// `SIGTERM`, `term`, `15`, `RTMIN+3`, `SIGRTMAX-1`; `None` for anything else.
pub fn parse(text: &str) -> Option<i32> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().filter(|n| (1..=RTMAX).contains(n));
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(name, _)| *name == bare) {
        return Some(*number);
    }
    match bare {
        "CLD" => return Some(17),
        "IOT" => return Some(6),
        "POLL" => return Some(29),
        "RTMIN" => return Some(RTMIN),
        "RTMAX" => return Some(RTMAX),
        _ => {}
    }
    let offset = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i32>().ok()).flatten();
    let number = match (bare.strip_prefix("RTMIN+"), bare.strip_prefix("RTMAX-")) {
        (Some(more), _) => RTMIN.checked_add(offset(more)?)?,
        (_, Some(less)) => RTMAX.checked_sub(offset(less)?)?,
        _ => return None,
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

/// `SIGTERM`; the number where there is no name.
pub fn name(number: i32) -> String {
    match NAMES.iter().find(|(_, n)| *n == number) {
        Some((name, _)) => format!("SIG{name}"),
        None if (RTMIN..=RTMAX).contains(&number) => format!("SIGRTMIN+{}", number - RTMIN),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, number) in [("SIGTERM", 15), ("term", 15), ("9", 9), ("RTMIN+3", 37), ("SIGRTMAX-1", 63), ("64", 64)]
        {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for text in ["", "0", "65", "SIG", "SIGNOPE", "RTMIN+99", "RTMIN+-1", "-9", "99999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(37), "SIGRTMIN+3");
        for (text, number) in NAMES {
            assert_eq!(parse(&name(number)), Some(number), "{text}");
        }
    }
}
