//! The container's network, for as long as its monitor lives: carried out at the start, changed live, taken away at the end.

use super::Monitor;
use crate::net::plan::NetworkChange;

impl Monitor {
    pub(super) fn change_network(&mut self, id: u32, _change: NetworkChange) {
        self.conflict(id, "has no network of its own that could be changed");
    }
}
