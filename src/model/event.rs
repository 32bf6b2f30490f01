//! What happened, in docker's words: one record in the event log that every open teu follows.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    pub time: Timestamp,
    /// `container`, `image`, `volume`, `network`, `job`.
    pub kind: String,
    /// Docker's action: `create start die oom kill stop pause unpause restart destroy rename update
    /// exec_create exec_start exec_die attach resize`, `pull tag untag delete import`, ...
    pub action: String,
    /// Container id, image reference or digest, volume name, job id.
    pub id: String,
    /// `name`, `image`, `exitCode`, `signal`, ...
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}
