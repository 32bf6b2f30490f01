//! Samples of live containers: the latest second for everyone, an hour's ring for each.

use super::inventory::StatsBoard;
use crate::model::id::ContainerId;
use crate::model::stats::Sample;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// An hour at one a second.
const RING: usize = 3600;

#[derive(Default)]
pub(crate) struct Samples {
    board: Mutex<Arc<StatsBoard>>,
    rings: Mutex<HashMap<ContainerId, VecDeque<Arc<Sample>>>>,
}

impl Samples {
    pub fn board(&self) -> Arc<StatsBoard> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Oldest first.
    pub fn history(&self, id: &ContainerId) -> Vec<Arc<Sample>> {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.get(id).map(|ring| ring.iter().cloned().collect()).unwrap_or_default()
    }
}
