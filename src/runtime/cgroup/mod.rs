//! Control groups of containers: limits, freezing, killing, and figures, on v2 and on v1 or hybrid machines alike.
//!
//! A container's group is `teu/<id>` below the root (below the nearest delegated group for an ordinary user), on v1
//! `teu-<id>` below each hierarchy's. Groups of the machine or of others are never touched.

mod cpuset;
mod device_limits;
mod device_program;
pub mod devices;
mod files;
mod hierarchy;
mod in_force;
mod interfaces;
mod limits;
mod oom;
mod orphans;
mod parent;
mod place;
mod processes;
pub mod resources;
mod sampler;
pub mod scope;
mod support;
mod v1;
mod v2;

pub use in_force::InForce;
pub use limits::{io_weight, parse_list, weight_of_shares};
pub use oom::OomWatch;
pub use orphans::sweep;
pub use place::version;
pub use sampler::Sampler;
pub use support::{Support, Version, support};

use crate::model::container::Limits;
use crate::sys::userns::Identity;
use hierarchy::Hierarchies;
use limits::Plan;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// Where groups of OCI containers are that name a relative place.
pub const OCI_PARENT: &str = "/teu-oci";

/// Where the group of an OCI container is that names no place: in that parent on v2, an ordinary user's in the group that
/// is delegated to him; beside the machine's own on v1 (see [`v1`]).
pub fn oci_group(id: &str) -> String {
    match version() {
        Version::V1 => format!("{OCI_PARENT}-{id}"),
        Version::V2 if crate::sys::channel::own_uid() != 0 => {
            format!("{}{OCI_PARENT}/{id}", v2::delegated_to_user().unwrap_or_default())
        }
        Version::V2 | Version::None => format!("{OCI_PARENT}/{id}"),
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A limit that cannot be had on any machine, or not on this one.
    #[error("{0}")]
    Invalid(String),
    #[error("{action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    /// Processes would not die, or a child group stays.
    #[error("the control group {} is still in use", .0.display())]
    Busy(PathBuf),
    /// One below the container's, named by a caller.
    #[error("the control group {} does not exist", .0.display())]
    Missing(PathBuf),
    /// The group was removed while it was being read.
    #[error("the control group {} is gone", .0.display())]
    Gone(PathBuf),
}

/// Refuses limits that cannot be had: absurd ones, and CPUs or memory nodes that this machine has not.
pub fn check(limits: &Limits) -> Result<()> {
    limits::Plan::new(limits).map(drop)
}

/// Of what a [`Group`] could not apply, the lines about the limits that these ask for.
pub fn about(limits: &Limits, warnings: Vec<String>) -> Vec<String> {
    let Ok(plan) = limits::Plan::new(limits) else { return warnings };
    let asked = plan.asked();
    warnings.into_iter().filter(|line| asked.iter().any(|name| line.starts_with(name))).collect()
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A container's group in every hierarchy that matters. Dropping it leaves the group alone: see [`Group::remove`].
#[derive(Debug)]
pub struct Group(Kind);

#[derive(Debug)]
enum Kind {
    V2(v2::Group),
    V1(v1::Group),
    /// No group can be had here (an ordinary user without delegation), and why: everything is a no-op.
    None(String),
}

impl Group {
    /// Makes the group and applies the limits. Returns it with one line per limit that could not be applied because
    /// this machine lacks the controller; a wrong value is an error, and leaves nothing behind.
    pub fn create(id: &str, limits: &Limits, identity: &Identity) -> Result<(Group, Vec<String>)> {
        check(limits)?;
        let group = Self::make(id, identity)?;
        match group.limit(limits) {
            Ok(warnings) => Ok((group, warnings)),
            Err(e) => {
                // The first failure is the news; what was made is taken back as far as it goes.
                let _ = group.remove();
                Err(e)
            }
        }
    }

    /// The group as yet without limits. See [`Group::limit`].
    pub fn make(id: &str, identity: &Identity) -> Result<Group> {
        let none = |reason: &str| Kind::None(reason.to_owned());
        Ok(Group(match &Hierarchies::read() {
            Hierarchies::V2(mount) => match v2::place(mount, identity) {
                Ok(parent) => Kind::V2(v2::Group::create(mount, &parent, id)?),
                Err(reason) => none(&reason),
            },
            Hierarchies::V1(_) if identity.rootless => none(support::ROOTLESS_V1),
            Hierarchies::V1(mounts) => Kind::V1(v1::Group::create(mounts, id)?),
            Hierarchies::None => none(support::NO_HIERARCHY),
        }))
    }

    /// Applies a new group's limits. Returns as [`Group::create`].
    pub fn limit(&self, limits: &Limits) -> Result<Vec<String>> {
        let plan = Plan::new(limits)?;
        match &self.0 {
            Kind::V2(group) => group.apply(&plan),
            Kind::V1(group) => group.apply(&plan),
            Kind::None(reason) => {
                Ok(plan.asked().into_iter().map(|name| format!("{name} not applied: {reason}")).collect())
            }
        }
    }

    /// Why there is no group.
    pub fn absent(&self) -> Option<&str> {
        if let Kind::None(reason) = &self.0 { Some(reason) } else { None }
    }

    /// The group with this path (as [`Group::path`] gave it), whether or not it still exists.
    pub fn open(path: &str) -> Group {
        if path.is_empty() {
            return Group(Kind::None(String::new()));
        }
        match Hierarchies::read() {
            Hierarchies::V2(mount) => Group(Kind::V2(v2::Group::open(&mount, path))),
            Hierarchies::V1(mounts) => Group(Kind::V1(v1::Group::open(&mounts, path))),
            Hierarchies::None => Group(Kind::None(String::new())),
        }
    }

    /// The path below each hierarchy's mount, such as `/teu/<id>`; empty when there is no group.
    pub fn path(&self) -> &str {
        match &self.0 {
            Kind::V2(group) => group.path(),
            Kind::V1(group) => group.path(),
            Kind::None(_) => "",
        }
    }

    /// For `clone3` with `CLONE_INTO_CGROUP`: the child is born inside. `None` on v1 and without a group: then the
    /// child calls [`Group::join_current`] before it does anything else.
    pub fn clone_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            Kind::V2(group) => group.clone_fd(),
            _ => None,
        }
    }

    /// [`Group::restrict`], with a warning where this machine cannot do it: there the container's capabilities still
    /// refuse much. For real root only: in a user namespace the kernel refuses devices by itself.
    pub fn restrict_if_possible(&self, rules: &[devices::Rule]) -> Result<Option<String>> {
        if matches!(self.0, Kind::None(_)) {
            return Ok(Some("devices are not restricted: the container has no control group".into()));
        }
        match self.restrict(rules) {
            Err(Error::Invalid(why)) => Ok(Some(why)),
            other => other.map(|()| None),
        }
    }

    /// Moves the calling, single-threaded process in. Where [`Group::clone_fd`] is `None` this is how a new child
    /// joins. It must come before `unshare(CLONE_NEWCGROUP)`, so that the group becomes the root of the namespace.
    ///
    /// On v1 it writes `0` to `tasks`: for the current thread the kernel takes no global lock (0.5 ms instead of the
    /// 19 ms of an RCU grace period that moving another process by its pid costs).
    pub fn join_current(&self) -> Result<()> {
        match &self.0 {
            Kind::V2(group) => group.join("0"),
            Kind::V1(group) => group.join_current(),
            Kind::None(_) => Ok(()),
        }
    }

    /// Moves another process (all its threads) in.
    pub fn join(&self, pid: i32) -> Result<()> {
        match &self.0 {
            Kind::V2(group) => group.join(&pid.to_string()),
            Kind::V1(group) => group.join(pid),
            Kind::None(_) => Ok(()),
        }
    }

    /// SIGKILL to everything inside, forks included. Does not wait: see [`Group::populated`].
    pub fn kill_all(&self) -> Result<()> {
        match &self.0 {
            Kind::V2(group) => group.kill_all(),
            Kind::V1(group) => group.kill_all(),
            Kind::None(_) => Ok(()),
        }
    }

    /// Stops everything inside; returns when the kernel says so. An error leaves the group thawed.
    pub fn freeze(&self) -> Result<()> {
        match &self.0 {
            Kind::V2(group) => group.freeze(),
            Kind::V1(group) => group.freeze(),
            Kind::None(_) => Err(Error::Invalid(format!(
                "a container without a control group cannot be paused: {}",
                support::unavailable()
            ))),
        }
    }

    pub fn thaw(&self) -> Result<()> {
        match &self.0 {
            Kind::V2(group) => group.thaw(),
            Kind::V1(group) => group.thaw(),
            Kind::None(_) => Ok(()),
        }
    }

    /// Changes the limits that are `Some`; the others stay. Returns one line per limit that could not be applied.
    pub fn update(&self, limits: &Limits) -> Result<Vec<String>> {
        let plan = Plan::new(limits)?;
        match &self.0 {
            Kind::V2(group) => group.apply(&plan),
            Kind::V1(group) => group.apply(&plan),
            Kind::None(_) if plan.asked().is_empty() => Ok(Vec::new()),
            Kind::None(_) => Err(Error::Invalid(format!(
                "{} cannot be changed: the container has no control group ({})",
                plan.asked().join(", "),
                support::unavailable()
            ))),
        }
    }

    /// Are there processes inside? The last word on "still running".
    pub fn populated(&self) -> bool {
        match &self.0 {
            Kind::V2(group) => group.populated(),
            Kind::V1(group) => group.populated(),
            Kind::None(_) => false,
        }
    }

    /// Host pids inside, in no order.
    pub fn pids(&self) -> Vec<i32> {
        match &self.0 {
            Kind::V2(group) => group.pids(),
            Kind::V1(group) => group.pids(),
            Kind::None(_) => Vec::new(),
        }
    }

    /// How often the OOM killer struck inside; 0 where that is not known.
    pub fn oom_kills(&self) -> u64 {
        match &self.0 {
            Kind::V2(group) => group.oom_kills(),
            Kind::V1(group) => group.oom_kills(),
            Kind::None(_) => 0,
        }
    }

    /// Removes the group, and teu's own parent group if it has become empty. A group already gone is success;
    /// processes still dying are waited for, up to two seconds.
    pub fn remove(&self) -> Result<()> {
        let removed = match &self.0 {
            Kind::V2(group) => group.remove(),
            Kind::V1(group) => group.remove(),
            Kind::None(_) => Ok(()),
        };
        self.remove_made_parents();
        removed
    }
}

#[cfg(test)]
mod tests;
