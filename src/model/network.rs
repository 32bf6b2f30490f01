//! Which network a container joins.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkMode {
    /// A network namespace with loopback alone.
    #[default]
    None,
    /// The host's own network.
    Host,
}

impl NetworkMode {
    /// Docker's word for it.
    pub fn word(&self) -> &'static str {
        match self {
            NetworkMode::None => "none",
            NetworkMode::Host => "host",
        }
    }
}
