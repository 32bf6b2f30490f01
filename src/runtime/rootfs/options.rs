//! Mount options as fstab and the OCI runtime spec write them.

use super::{ALONE, COPY_UP, DIRECTORY, Error, GIVE, ID_MAPPED, JOINED, LINK, OPTIONAL};
use crate::sys::mount::{self, Change, Propagation};
use crate::sys::mount_op::Node;

/// A list of options, understood.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Parsed {
    pub bind: bool,
    pub recursive_bind: bool,
    pub change: Change,
    pub data: Vec<(String, Option<String>)>,
    pub content: Vec<Node>,
    pub copy_up: bool,
    pub optional: bool,
    pub joined: bool,
    alone: bool,
}

/// Bits to set and to clear; a later option wins over an earlier one.
pub(in crate::runtime) fn attribute(option: &str) -> Option<(u64, u64)> {
    Some(match option {
        "ro" => (mount::RDONLY, 0),
        "rw" => (0, mount::RDONLY),
        "nosuid" => (mount::NOSUID, 0),
        "suid" => (0, mount::NOSUID),
        "nodev" => (mount::NODEV, 0),
        "dev" => (0, mount::NODEV),
        "noexec" => (mount::NOEXEC, 0),
        "exec" => (0, mount::NOEXEC),
        "nosymfollow" => (mount::NOSYMFOLLOW, 0),
        "symfollow" => (0, mount::NOSYMFOLLOW),
        "nodiratime" => (mount::NODIRATIME, 0),
        "diratime" => (0, mount::NODIRATIME),
        // The three share one field; relatime is its zero.
        "noatime" => (mount::NOATIME, mount::ATIME),
        "strictatime" => (mount::STRICTATIME, mount::ATIME),
        "relatime" | "atime" | "norelatime" | "nostrictatime" => (0, mount::ATIME),
        _ => return None,
    })
}

pub(in crate::runtime) fn propagation(option: &str) -> Option<(Propagation, bool)> {
    let recursive = option.starts_with('r');
    let kind = match option {
        "private" | "rprivate" => Propagation::Private,
        "slave" | "rslave" => Propagation::Slave,
        "shared" | "rshared" => Propagation::Shared,
        "unbindable" | "runbindable" => Propagation::Unbindable,
        _ => return None,
    };
    Some((kind, recursive))
}

pub(in crate::runtime) fn parse(target: &str, options: &[String]) -> Result<Parsed, Error> {
    let mut parsed = Parsed::default();
    for option in options {
        one(&mut parsed, option).ok_or_else(|| Error::Option { target: target.to_owned(), option: option.clone() })?;
    }
    // "ro" on a recursive bind means all of it: a writable mount below would be a surprise.
    if parsed.recursive_bind && (parsed.change.set | parsed.change.clear) != 0 {
        parsed.change.recursive = true;
    }
    if parsed.alone {
        parsed.change.recursive = false;
    }
    Ok(parsed)
}

fn one(parsed: &mut Parsed, option: &str) -> Option<()> {
    if let Some((set, clear)) = attribute(option) {
        apply(&mut parsed.change, set, clear);
    } else if let Some((set, clear)) = option.strip_prefix('r').and_then(attribute) {
        apply(&mut parsed.change, set, clear);
        parsed.change.recursive = true;
    } else if let Some((kind, recursive)) = propagation(option) {
        parsed.change.propagation = Some(kind);
        parsed.change.recursive |= recursive;
    } else if let Some(link) = option.strip_prefix(LINK) {
        let (name, to) = link.split_once(':')?;
        parsed.content.push(Node::Link { name: name.to_owned(), to: to.to_owned() });
    } else if let Some(name) = option.strip_prefix(DIRECTORY) {
        parsed.content.push(Node::Directory { name: name.to_owned(), mode: 0o755 });
    } else {
        match option {
            "bind" => parsed.bind = true,
            "rbind" => (parsed.bind, parsed.recursive_bind) = (true, true),
            COPY_UP => parsed.copy_up = true,
            OPTIONAL => parsed.optional = true,
            JOINED => parsed.joined = true,
            ALONE => parsed.alone = true,
            // Not the mount's: see `init`.
            GIVE | ID_MAPPED => {}
            "defaults" | "async" | "nolazytime" | "nomand" | "loud" => {}
            "" => return None,
            other => parsed.data.push(match other.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (other.to_owned(), None),
            }),
        }
    }
    Some(())
}

pub(in crate::runtime) fn apply(change: &mut Change, set: u64, clear: u64) {
    change.set = (change.set & !clear) | set;
    change.clear = (change.clear & !set) | clear;
}
