//! What the monitor of a new container makes while the engine still works out what the container is to run.

use crate::runtime::announced::Announced;
use crate::runtime::cgroup::Group;
use crate::runtime::init;
use crate::runtime::launch::Launch;
use crate::sys::userns;

/// A control group, and an init in it. What could not be made is made again with the launch: then the reason is told.
#[derive(Default)]
pub(super) struct Ahead {
    /// Ended before the group is removed: fields are dropped in this order.
    pub init: Option<init::Ahead>,
    pub group: Option<Group>,
}

impl Ahead {
    pub fn make(announced: &Announced) -> Self {
        let Some(id) = &announced.id else { return Self::default() };
        let Ok(group) = Group::make(id.as_str(), userns::identity()) else { return Self::default() };
        Self { init: init::Ahead::clone(&group).ok(), group: Some(group) }
    }

    /// What was made for another container, or in another place than it is to be in, is of no use.
    pub fn meant_for(self, announced: &Announced, launch: &Launch) -> Self {
        let announced = announced.id.as_ref().map(|id| id.as_str());
        if announced == Some(&launch.id) && launch.cgroup_parent.is_empty() {
            return self;
        }
        self.discard();
        Self::default()
    }

    pub fn discard(self) {
        drop(self.init);
        let _ = self.group.map(|group| group.remove());
    }
}
