//! `--userns`, `--uidmap`, `--gidmap`, `--subuidname`, `--subgidname`.

use crate::cli::args::{Args, misuse, wrong};
use crate::engine::{Error, ErrorKind, Result, sub_ids_of};
use crate::model::isolation::{IdRange, UserMap, Users};

/// The kernel's limit of lines in a map.
const MOST: usize = 340;

/// What is asked for, and the map when that is given.
pub(super) fn users(args: Args) -> Result<(Users, Option<UserMap>)> {
    let mapped = ["uidmap", "gidmap", "subuidname", "subgidname"].iter().any(|flag| args.given(flag));
    let text = args.text("userns").unwrap_or_default();
    if mapped && !matches!(text, "" | "private") {
        return Err(misuse("conflicting options: --userns and a map of one's own (--uidmap, --gidmap, --subuidname)"));
    }
    let (word, options) = text.split_once(':').unwrap_or((text, ""));
    match word {
        _ if mapped => Ok((Users::Map, Some(given(args)?))),
        "" | "host" if options.is_empty() => Ok((Users::Shared, None)),
        "private" if options.is_empty() => Ok((Users::Auto { size: None }, None)),
        "auto" => Ok((Users::Auto { size: auto_size(text, options)? }, None)),
        "keep-id" => {
            let (uid, gid) = kept(text, options)?;
            Ok((Users::KeepId { uid, gid }, None))
        }
        "container" | "ns" | "nomap" => {
            Err(Error::new(ErrorKind::Unsupported, format!("--userns {text} is not supported"))
                .because("there are host, private, auto, keep-id and a map"))
        }
        _ if word.bytes().all(|b| b.is_ascii_digit()) && !word.is_empty() => {
            let map = vec![range("userns", text)?];
            Ok((Users::Map, Some(UserMap { uid: map.clone(), gid: map })))
        }
        _ => Err(wrong("userns", text, "it must be host, private, auto, keep-id or INSIDE:OUTSIDE:COUNT")),
    }
}

/// `size=N`
fn auto_size(text: &str, options: &str) -> Result<Option<u32>> {
    let mut size = None;
    for option in options.split(',').filter(|o| !o.is_empty()) {
        let number = option.strip_prefix("size=").and_then(|n| n.parse().ok()).filter(|n| *n > 0);
        size = Some(number.ok_or_else(|| wrong("userns", text, format!("'{option}' is not size=N")))?);
    }
    Ok(size)
}

/// `uid=N,gid=N`
fn kept(text: &str, options: &str) -> Result<(Option<u32>, Option<u32>)> {
    let (mut uid, mut gid) = (None, None);
    for option in options.split(',').filter(|o| !o.is_empty()) {
        let bad = || wrong("userns", text, format!("'{option}' is neither uid=N nor gid=N"));
        let (key, number) = option.split_once('=').ok_or_else(bad)?;
        let number: u32 = number.parse().map_err(|_| bad())?;
        match key {
            "uid" => uid = Some(number),
            "gid" => gid = Some(number),
            _ => return Err(bad()),
        }
    }
    Ok((uid, gid))
}

/// What is missing for groups is as it is for users, and the other way round.
fn given(args: Args) -> Result<UserMap> {
    let read = |flag: &str| args.texts(flag).iter().map(|text| range(flag, text)).collect::<Result<Vec<_>>>();
    let (mut uid, mut gid) = (read("uidmap")?, read("gidmap")?);
    let named = |flag: &'static str| args.text(flag).map(|name| (flag, name));
    if let Some((flag, name)) = named("subuidname").or(named("subgidname")) {
        let group = args.text("subgidname").unwrap_or(name);
        let (uids, gids) =
            sub_ids_of(args.text("subuidname").unwrap_or(name), group).map_err(|e| wrong(flag, name, e))?;
        uid.extend(lined_up(&uids));
        gid.extend(lined_up(&gids));
    }
    if uid.is_empty() {
        uid.clone_from(&gid);
    }
    if gid.is_empty() {
        gid.clone_from(&uid);
    }
    for (flag, map) in [("uidmap", &uid), ("gidmap", &gid)] {
        if map.len() > MOST {
            return Err(misuse(format!("--{flag}: a map has at most {MOST} lines")));
        }
        if IdRange::of(map, 0).is_none() {
            return Err(misuse(format!("--{flag}: the container's id 0 must be mapped")));
        }
        if let Some(bad) = overlap(map) {
            return Err(wrong(flag, &bad.to_string(), "it overlaps with another line of the map"));
        }
    }
    Ok(UserMap { uid, gid })
}

fn lined_up(ranges: &[(u32, u32)]) -> Vec<IdRange> {
    let mut inside = 0;
    let mut one = |(outside, count): &(u32, u32)| {
        let range = IdRange { inside, outside: *outside, count: *count };
        inside = inside.saturating_add(*count);
        range
    };
    ranges.iter().map(&mut one).collect()
}

fn overlap(map: &[IdRange]) -> Option<&IdRange> {
    let meets = |a: u32, b: u32, n: u32, m: u32| a < b.saturating_add(m) && b < a.saturating_add(n);
    map.iter().enumerate().find_map(|(at, one)| {
        let earlier = map[..at].iter();
        let mut bad = earlier.filter(|other| {
            meets(one.inside, other.inside, one.count, other.count)
                || meets(one.outside, other.outside, one.count, other.count)
        });
        bad.next().map(|_| one)
    })
}

/// `INSIDE:OUTSIDE[:COUNT]`
fn range(flag: &str, text: &str) -> Result<IdRange> {
    let bad = || wrong(flag, text, "it must be INSIDE:OUTSIDE[:COUNT]");
    let numbers: Vec<u32> = text.split(':').map(|n| n.parse().map_err(|_| bad())).collect::<Result<_>>()?;
    let (inside, outside, count) = match numbers[..] {
        [inside, outside] => (inside, outside, 1),
        [inside, outside, count] if count > 0 => (inside, outside, count),
        _ => return Err(bad()),
    };
    if inside.checked_add(count).is_none() || outside.checked_add(count).is_none() {
        return Err(wrong(flag, text, "ids have 32 bits"));
    }
    Ok(IdRange { inside, outside, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_checked_before_the_kernel_sees_them() {
        let one = |text: &str| range("uidmap", text);
        assert_eq!(one("0:100000:65536").unwrap().to_string(), "0:100000:65536");
        assert_eq!(one("5:7").unwrap().count, 1);
        for text in ["", "0", "0:1:0", "a:1:1", "0:4294967295:2", "0:1:2:3", "-1:0:1"] {
            assert!(one(text).is_err(), "{text}");
        }
        let map: Vec<IdRange> = ["0:100000:10", "10:200000:10"].map(|t| one(t).unwrap()).into();
        assert_eq!(overlap(&map), None);
        for bad in ["5:300000:1", "30:100009:1"] {
            let mut map = map.clone();
            map.push(one(bad).unwrap());
            assert!(overlap(&map).is_some(), "{bad}");
        }
        assert_eq!(lined_up(&[(100, 5), (300, 2)])[1], one("5:300:2").unwrap());
    }
}
