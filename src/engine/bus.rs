//! The way out for news: docker-style records appended to the event log that every open teu follows.

use super::core::{Core, now};
use crate::model::container::Container;
use crate::model::event::EventRecord;
use crate::runtime::eventlog;

impl Core {
    /// Appends a record. An event that cannot be written is logged: it never fails the operation it tells of.
    pub fn emit<const N: usize>(&self, kind: &str, action: &str, id: &str, attributes: [(&str, String); N]) {
        let record = EventRecord {
            time: now(),
            kind: kind.to_owned(),
            action: action.to_owned(),
            id: id.to_owned(),
            attributes: attributes.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        };
        if let Err(e) = eventlog::append(&self.root.event_log(), &record) {
            tracing::warn!(error = %e, action, "writing the event log");
        }
    }

    pub fn emit_container(&self, action: &str, container: &Container) {
        let attributes = [("name", container.name.clone()), ("image", container.image_ref.clone())];
        self.emit("container", action, container.id.as_str(), attributes);
    }

    pub fn emit_renamed(&self, container: &Container, former: &str) {
        let attributes = [
            ("name", container.name.clone()),
            ("oldName", format!("/{former}")),
            ("image", container.image_ref.clone()),
        ];
        self.emit("container", "rename", container.id.as_str(), attributes);
    }
}
