//! What is made for a container while the program of its monitor is still being loaded.

use crate::model::id::ContainerId;
use crate::runtime::cgroup::Group;
use crate::sys::userns;

/// The control group of a container that is going to be. Dropped, it is removed: the launch never came.
pub(super) struct Ahead {
    pub id: ContainerId,
    group: Option<Group>,
}

impl Ahead {
    /// Where it cannot be made the monitor finds out why, and says so.
    pub fn make(id: ContainerId) -> Ahead {
        let group = Group::make(id.as_str(), userns::identity()).ok();
        Ahead { id, group }
    }

    /// From now on it is the monitor's, which makes what is missing and takes all away at the end.
    pub fn hand_over(mut self) {
        self.group = None;
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            // An empty one that stays costs nothing.
            let _ = group.remove();
        }
    }
}
