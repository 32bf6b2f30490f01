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
