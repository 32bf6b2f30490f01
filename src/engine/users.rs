//! The user namespace of a new container: what its ids are outside, and ranges that no two containers share.

use super::core::Core;
use super::{Error, ErrorKind, Result};
use crate::model::container::ContainerConfig;
use crate::model::isolation::{IdRange, UserMap, Users};
use crate::model::network::NetworkMode;
use crate::store::lock::FileLock;
use crate::store::records;
use crate::sys::{sub_ids, userns};

/// How many ids a container of `--userns auto` has.
const COUNT: u32 = 65_536;
/// Where ranges come from that nobody else gives out: above what user managers and container managers use by default.
const FIRST: u32 = 0x7000_0000;
const LAST: u32 = 0x7fff_0000;

/// To be held until the container's row is written: its range is free up to then.
pub(crate) struct Reserved(#[allow(dead_code, reason = "held, not read")] Option<FileLock>);

/// Fixes the map of a container that is to have one.
pub(crate) fn choose(core: &Core, config: &mut ContainerConfig) -> Result<Reserved> {
    let who = userns::identity();
    let none = Ok(Reserved(None));
    let mut reserved = None;
    config.isolation.user_map = match &config.isolation.users {
        Users::Shared => return none,
        // One's own namespace is not the host's already.
        Users::Auto { size: None } if who.rootless && config.isolation.user_map.is_none() => {
            config.isolation.users = Users::Shared;
            return none;
        }
        Users::Auto { .. } | Users::Map if who.in_user_namespace => {
            return Err(Error::new(ErrorKind::Unsupported, "a map of ids for one container needs root")
                .because("all containers of an ordinary user share the map of his sub-ids, so that nothing is copied")
                .hint("--userns keep-id gives you your own ids inside"));
        }
        Users::KeepId { .. } if !who.rootless => {
            return Err(Error::new(ErrorKind::Invalid, "--userns keep-id is for ordinary users")
                .because("root inside is root outside unless there is a map")
                .hint("--userns auto gives the container ids of its own"));
        }
        Users::KeepId { uid, gid } => {
            let (uid, gid) = (uid.unwrap_or(who.uid), gid.unwrap_or(who.gid));
            if !who.sub_ids && (uid != 0 || gid != 0) {
                return Err(Error::new(ErrorKind::Unsupported, "--userns keep-id needs sub-ids")
                    .because(who.note.clone().unwrap_or_else(|| "there is a single id".into()))
                    .hint(sub_ids::remedy(who.uid)));
            }
            if config.user.is_empty() {
                config.user = format!("{uid}:{gid}");
            }
            let map = |own, file| {
                let count = userns::mapped_ids(file);
                count.map(|n| IdRange::swapped(own, n)).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
            };
            Some(UserMap { uid: map(uid, "uid_map")?, gid: map(gid, "gid_map")? })
        }
        Users::Auto { size } => {
            let lock = FileLock::exclusive(&core.root.run().join("locks").join("userns"))?;
            let count = size.unwrap_or(COUNT);
            let outside = free_range(&taken(core)?, &sub_ids::of_name("containers"), start_of(core), count);
            let outside = outside.ok_or_else(|| {
                Error::new(ErrorKind::Unavailable, format!("there is no free range of {count} ids"))
                    .hint("remove containers, or ask for less: --userns auto:size=4096")
            })?;
            reserved = Some(lock);
            let map = vec![IdRange { inside: 0, outside, count }];
            Some(UserMap { uid: map.clone(), gid: map })
        }
        Users::Map => config.isolation.user_map.take(),
    };
    alone(config)?;
    Ok(Reserved(reserved))
}

/// Namespaces of others belong to other users.
fn alone(config: &ContainerConfig) -> Result<()> {
    let network = matches!(config.network, NetworkMode::Container(_));
    if network || config.isolation.containers().next().is_some() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "conflicting options: a user namespace of its own and another container's namespaces",
        )
        .because("the other container's belong to its own users"));
    }
    Ok(())
}

/// Ranges of containers that there are, and of users.
fn taken(core: &Core) -> Result<Vec<(u32, u32)>> {
    let containers = core.db.read(records::containers)?;
    let maps = containers.iter().filter_map(|c| c.container.config.isolation.user_map.as_ref());
    let ranges = maps.flat_map(|m| m.uid.iter().chain(&m.gid)).map(|r| (r.outside, r.count));
    Ok(ranges.chain(sub_ids::given("containers")).collect())
}

/// Two state roots begin in different places: neither sees the other's containers.
fn start_of(core: &Core) -> u32 {
    let text = core.root.data().to_string_lossy().into_owned();
    let hash = text.bytes().fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    hash % ((LAST - FIRST) / COUNT)
}

/// In the ranges an administrator has set apart for containers, else in those that are nobody's.
fn free_range(taken: &[(u32, u32)], apart: &[(u32, u32)], start: u32, count: u32) -> Option<u32> {
    let free =
        |at: u32| taken.iter().all(|(from, n)| at >= from.saturating_add(*n) || from >= &at.saturating_add(count));
    let step = count.max(1);
    for (from, length) in apart {
        let end = from.saturating_add(*length);
        let mut at = *from;
        while at.checked_add(count).is_some_and(|to| to <= end) {
            if free(at) {
                return Some(at);
            }
            at = at.saturating_add(step);
        }
    }
    if !apart.is_empty() {
        return None;
    }
    let slots = (LAST - FIRST) / COUNT;
    let places = (0..slots).map(|n| FIRST + (start + n) % slots * COUNT);
    places.filter(|at| at.checked_add(count).is_some_and(|end| end <= LAST)).find(|at| free(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_nobody_else_s() {
        assert_eq!(free_range(&[], &[], 0, COUNT), Some(FIRST));
        assert_eq!(free_range(&[(FIRST, 1)], &[], 0, COUNT), Some(FIRST + COUNT));
        assert_eq!(free_range(&[(FIRST + COUNT - 1, 2)], &[], 0, COUNT), Some(FIRST + 2 * COUNT));
        let apart = [(500_000, 3 * COUNT)];
        assert_eq!(free_range(&[(500_000, COUNT)], &apart, 7, COUNT), Some(500_000 + COUNT));
        assert_eq!(free_range(&[(500_000, 3 * COUNT)], &apart, 0, COUNT), None);
        assert_eq!(free_range(&[], &apart, 0, 4 * COUNT), None);
    }
}
