//! The news of a pull as the progress of its job: what has arrived, and what is unpacked.

use super::JobContext;
use crate::engine::job::{Part, PartState, Progress, Unit};
use crate::image::pull::{LayerState, Sink, Update};
use crate::model::reference::Digest;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the pull tells its news; each becomes the job's progress.
pub(super) fn sink(cx: &JobContext) -> Sink {
    let (sink, state) = (cx.sink(), Mutex::new(Way::default()));
    Arc::new(move |update| {
        let mut way = state.lock().unwrap_or_else(PoisonError::into_inner);
        way.apply(update);
        sink.report(way.progress.clone());
    })
}

/// Layers are fetched and unpacked at the same time. A job is done when all is unpacked: that is its `done`.
#[derive(Default)]
struct Way {
    progress: Progress,
    /// Of each layer: bytes that have arrived, and bytes that are unpacked.
    layers: Vec<(u64, u64)>,
}

impl Way {
    fn apply(&mut self, update: Update) {
        match update {
            Update::Stage(stage) => self.progress.stage = stage.to_owned(),
            Update::Note(note) => self.progress.note = note,
            Update::Layers(layers) => self.expect(layers),
            Update::Layer { index, state, done } => self.layer(index, state, done),
        }
    }

    fn expect(&mut self, layers: Vec<(Digest, u64)>) {
        self.layers = vec![(0, 0); layers.len()];
        self.progress.unit = Unit::Bytes;
        self.progress.total = Some(layers.iter().map(|(_, size)| size).sum());
        let part = |(digest, size): (Digest, u64)| Part {
            name: digest.short().to_owned(),
            total: Some(size),
            ..Part::default()
        };
        self.progress.parts = layers.into_iter().map(part).collect();
    }

    fn layer(&mut self, index: usize, state: LayerState, done: u64) {
        let (Some(part), Some((arrived, unpacked))) = (self.progress.parts.get_mut(index), self.layers.get_mut(index))
        else {
            return;
        };
        let size = part.total.unwrap_or(0);
        match state {
            LayerState::Waiting | LayerState::Failed => (*arrived, *unpacked) = (0, 0),
            LayerState::Downloading => *arrived = done,
            LayerState::Extracting => *unpacked = done,
            LayerState::Verifying | LayerState::Done | LayerState::Exists => (*arrived, *unpacked) = (size, size),
        }
        (part.state, part.done) = match state {
            LayerState::Waiting => (PartState::Waiting, 0),
            LayerState::Failed => (PartState::Failed, 0),
            LayerState::Verifying => (PartState::Verifying, size),
            LayerState::Done => (PartState::Done, size),
            LayerState::Exists => (PartState::Exists, size),
            // While bytes still arrive, that is the layer's news.
            LayerState::Downloading | LayerState::Extracting if *arrived < size => (PartState::Downloading, *arrived),
            LayerState::Downloading | LayerState::Extracting if *unpacked == 0 => (PartState::Downloaded, size),
            LayerState::Downloading | LayerState::Extracting => (PartState::Extracting, *unpacked),
        };
        self.progress.arrived = self.layers.iter().map(|(arrived, _)| arrived).sum();
        self.progress.done = self.layers.iter().map(|(_, unpacked)| unpacked).sum();
        let all = self.progress.total == Some(self.progress.arrived);
        self.progress.stage = String::from(if all { "extracting" } else { "downloading" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_that_only_downloads_is_not_near_its_end() {
        let mut way = Way::default();
        way.apply(Update::Layers(vec![(Digest::of(b"a"), 100), (Digest::of(b"b"), 50)]));
        let mut tell = |index, state, done| {
            way.apply(Update::Layer { index, state, done });
            let p = &way.progress;
            (p.parts[index].state, p.parts[index].done, p.arrived, p.done, p.stage.clone())
        };
        let loading = || String::from("downloading");
        tell(0, LayerState::Downloading, 60);
        assert_eq!(tell(0, LayerState::Extracting, 40), (PartState::Downloading, 60, 60, 40, loading()));
        assert_eq!(tell(1, LayerState::Downloading, 50), (PartState::Downloaded, 50, 110, 40, loading()));
        let unpacking = || String::from("extracting");
        assert_eq!(tell(0, LayerState::Downloading, 100), (PartState::Extracting, 40, 150, 40, unpacking()));
        assert_eq!(tell(1, LayerState::Extracting, 20), (PartState::Extracting, 20, 150, 60, unpacking()));
        tell(1, LayerState::Done, 50);
        assert_eq!(tell(0, LayerState::Verifying, 100), (PartState::Verifying, 100, 150, 150, unpacking()));
    }
}
