//! Ranges of ids given out to users: subuid(5), subgid(5), and what to write into them.

use std::path::Path;

const UIDS: &str = "/etc/subuid";
const GIDS: &str = "/etc/subgid";
/// What distributions give each user, from `SUB_UID_MIN` on (login.defs(5)).
const COUNT: u64 = 65536;
const FIRST: u64 = 100_000;
/// `SUB_UID_MAX`.
const LAST: u64 = 600_100_000;

/// Start and count.
pub type Range = (u32, u32);

/// The user's ranges of uids and of gids, or why there are none, with what gives them.
pub fn of_user(uid: u32) -> Result<(Vec<Range>, Vec<Range>), String> {
    let name = user_name(uid);
    let ranges = |file: &str| {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
        match parse(&text, name.as_deref(), uid) {
            found if found.is_empty() => {
                let who = name.clone().unwrap_or_else(|| uid.to_string());
                Err(format!("{file} has no range for {who} ({})", remedy(uid)))
            }
            found => Ok(found),
        }
    };
    Ok((ranges(UIDS)?, ranges(GIDS)?))
}

/// The ranges of uids that a name has, none where it has none.
pub fn of_name(name: &str) -> Vec<Range> {
    parse(&std::fs::read_to_string(UIDS).unwrap_or_default(), Some(name), u32::MAX)
}

/// The ranges of uids of one name and of gids of another; an error says who has none.
pub fn of_names(user: &str, group: &str) -> Result<(Vec<Range>, Vec<Range>), String> {
    let ranges = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
        let found = parse(&text, Some(name), u32::MAX);
        if found.is_empty() { Err(format!("{file} has no range for {name}")) } else { Ok(found) }
    };
    Ok((ranges(UIDS, user)?, ranges(GIDS, group)?))
}

/// All ranges of both kinds that are given out, but those of `except`.
pub fn given(except: &str) -> Vec<Range> {
    let mut all = Vec::new();
    for file in [UIDS, GIDS] {
        for line in std::fs::read_to_string(file).unwrap_or_default().lines() {
            let fields: Vec<&str> = line.trim().split(':').collect();
            if let [who, start, count] = fields[..]
                && who != except
                && let (Ok(start), Ok(count)) = (start.parse(), count.parse())
            {
                all.push((start, count));
            }
        }
    }
    all
}

/// What an administrator types to give the user a range that nobody has yet.
pub fn remedy(uid: u32) -> String {
    let given = [UIDS, GIDS].map(|file| std::fs::read_to_string(file).unwrap_or_default());
    command(user_name(uid).as_deref(), uid, free_start(&given.concat()))
}

fn command(name: Option<&str>, uid: u32, start: u64) -> String {
    let last = start + COUNT - 1;
    match name {
        Some(name) => format!("usermod --add-subuids {start}-{last} --add-subgids {start}-{last} {name}"),
        // usermod knows local users only.
        None => format!("add the line '{uid}:{start}:{COUNT}' to {UIDS} and {GIDS}"),
    }
}

/// The first place for a range that overlaps none in `lines`.
fn free_start(lines: &str) -> u64 {
    let mut taken: Vec<(u64, u64)> = lines
        .lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':').skip(1).map(str::parse::<u64>);
            let (start, count) = (fields.next()?.ok()?, fields.next()?.ok()?);
            Some((start, start.saturating_add(count)))
        })
        .collect();
    taken.sort_unstable();
    let after =
        taken.iter().fold(FIRST, |at, (start, end)| if start.saturating_sub(at) >= COUNT { at } else { at.max(*end) });
    if after + COUNT <= LAST { after } else { FIRST }
}

fn user_name(uid: u32) -> Option<String> {
    let text = std::fs::read_to_string(Path::new("/etc/passwd")).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
    })
}

/// Lines `name-or-uid:start:count`; the same range under both names counts once.
fn parse(text: &str, name: Option<&str>, uid: u32) -> Vec<Range> {
    let mut found = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.trim().split(':').collect();
        let [who, start, count] = fields[..] else { continue };
        let mine = Some(who) == name || who.parse::<u32>() == Ok(uid);
        let (Ok(start), Ok(count)) = (start.parse::<u32>(), count.parse::<u32>()) else { continue };
        if mine && count > 0 && start.checked_add(count).is_some() && !found.contains(&(start, count)) {
            found.push((start, count));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let text = "a:100000:65536\nb:165536:65536\n1000:300000:10\na:100000:65536\nbad\na:x:1\na:5:0\n";
        assert_eq!(parse(text, Some("a"), 1000), [(100_000, 65536), (300_000, 10)]);
        assert_eq!(parse(text, None, 1000), [(300_000, 10)]);
        assert_eq!(parse(text, Some("c"), 1), []);
        assert_eq!(parse("a:4294967290:100\n", Some("a"), 1), []);
    }

    #[test]
    fn a_proposed_range_is_nobody_s() {
        for (given, start) in [
            ("", 100_000),
            ("a:100000:65536", 165_536),
            ("b:165536:65536\na:100000:65536", 231_072),
            ("a:100000:65536\nb:165600:65536", 231_136),
            ("a:300000:65536", 100_000),
            ("a:150000:10", 150_010),
            ("broken\na:x:y\nb:100000:1", 100_001),
            ("a:524288:1\nb:100000:500000", 600_000),
        ] {
            assert_eq!(free_start(given), start, "{given}");
        }
        assert_eq!(
            command(Some("ann"), 1000, 165_536),
            "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ann"
        );
        assert!(command(None, 1000, 100_000).contains("'1000:100000:65536'"));
    }
}
