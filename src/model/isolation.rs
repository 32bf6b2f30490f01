//! What a container shares with the host or with another container, and which of the host's devices it gets.

use serde::{Deserialize, Serialize};

/// The namespaces that can be shared. The network has its own words: see `model::network`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Isolation {
    pub ipc: Ipc,
    pub pid: Sharing,
    pub uts: Sharing,
    /// See the machine's control groups instead of one's own as the root.
    pub host_cgroups: bool,
    pub users: Users,
    /// Fixed when the container is created; `None`: it has no user namespace of its own.
    pub user_map: Option<UserMap>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sharing {
    #[default]
    Private,
    Host,
    /// That of another container: its id, or its name before the container is created.
    Container(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ipc {
    /// Nobody else's.
    #[default]
    Private,
    /// One's own, which other containers may join.
    Shareable,
    /// One's own, without a /dev/shm.
    None,
    Host,
    Container(String),
}

impl Ipc {
    pub fn container(&self) -> Option<&str> {
        if let Ipc::Container(id) = self { Some(id) } else { None }
    }

    /// Docker's word.
    pub fn word(&self) -> String {
        match self {
            Ipc::Private => "private".into(),
            Ipc::Shareable => "shareable".into(),
            Ipc::None => "none".into(),
            Ipc::Host => "host".into(),
            Ipc::Container(id) => format!("container:{id}"),
        }
    }
}

impl Sharing {
    pub fn container(&self) -> Option<&str> {
        if let Sharing::Container(id) = self { Some(id) } else { None }
    }

    /// Docker's word: nothing for a namespace of one's own.
    pub fn word(&self) -> String {
        match self {
            Sharing::Private => String::new(),
            Sharing::Host => "host".into(),
            Sharing::Container(id) => format!("container:{id}"),
        }
    }
}

impl Isolation {
    /// Those of other containers.
    pub fn containers(&self) -> impl Iterator<Item = &str> {
        [self.ipc.container(), self.pid.container(), self.uts.container()].into_iter().flatten()
    }
}

/// `--device HOST:INSIDE:ACCESS`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceMapping {
    /// A node, or a directory whose nodes are meant.
    pub host: String,
    pub inside: String,
    /// Some of `r`, `w` and `m` (mknod).
    pub access: String,
}

/// `--device-cgroup-rule`: what may be done with device nodes, wherever they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// `c`, `b`, or `a` for both.
    pub kind: char,
    /// `None`: any.
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub access: String,
}

/// As the kernel's lists have it: `c 10:229 rwm`.
impl std::fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
        write!(f, "{} {}:{} {}", self.kind, number(self.major), number(self.minor), self.access)
    }
}

/// Whose user namespace a container is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Users {
    /// Root's, or the one that all containers of an ordinary user share.
    #[default]
    Shared,
    /// The ordinary user who runs teu has the same ids inside, or those given.
    KeepId { uid: Option<u32>, gid: Option<u32> },
    /// A range of so many ids that no other container has.
    Auto { size: Option<u32> },
    /// A map that was given.
    Map,
}

impl Users {
    /// Podman's word.
    pub fn word(&self) -> &'static str {
        match self {
            Users::Shared => "",
            Users::KeepId { .. } => "keep-id",
            Users::Auto { .. } => "auto",
            Users::Map => "private",
        }
    }
}

/// What ids inside a container are outside of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMap {
    pub uid: Vec<IdRange>,
    pub gid: Vec<IdRange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    pub inside: u32,
    pub outside: u32,
    pub count: u32,
}

impl IdRange {
    /// The id outside of one inside.
    pub fn of(ranges: &[IdRange], id: u32) -> Option<u32> {
        ranges.iter().find_map(|r| {
            let at = id.checked_sub(r.inside).filter(|at| *at < r.count)?;
            r.outside.checked_add(at)
        })
    }

    /// Two ids of an identity map that change places: `own` inside is 0 outside, and the other way round.
    pub fn swapped(own: u32, count: u32) -> Vec<IdRange> {
        let range = |inside, outside, count| IdRange { inside, outside, count };
        if own == 0 {
            return vec![range(0, 0, count)];
        }
        if own >= count {
            // Beyond the range: nobody's place is taken.
            return vec![range(own, 0, 1), range(0, 1, count.saturating_sub(1))];
        }
        let all = [range(0, own, 1), range(1, 1, own - 1), range(own, 0, 1), range(own + 1, own + 1, count - own - 1)];
        all.into_iter().filter(|r| r.count > 0).collect()
    }
}

/// As the kernel's maps and podman's inspect have it: `inside:outside:count`.
impl std::fmt::Display for IdRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.inside, self.outside, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_map_loses_and_doubles_no_id() {
        for (own, count) in [(0, 10), (1, 10), (5, 10), (9, 10), (1, 2)] {
            let map = IdRange::swapped(own, count);
            let mut outside: Vec<u32> = (0..count).filter_map(|id| IdRange::of(&map, id)).collect();
            outside.sort_unstable();
            assert_eq!(outside, (0..count).collect::<Vec<_>>(), "{own} {map:?}");
            assert_eq!((IdRange::of(&map, own), IdRange::of(&map, 0)), (Some(0), Some(own)), "{map:?}");
        }
        let far = IdRange::swapped(70_000, 65_537);
        assert_eq!(
            (IdRange::of(&far, 70_000), IdRange::of(&far, 0), IdRange::of(&far, 65_536)),
            (Some(0), Some(1), None)
        );
    }
}
