//! Identifiers and the rules for names. Ids are 64 lower-case hex digits, as docker's; people see the first 12.

use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a string is not a usable id or name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("invalid name '{0}': use letters, digits, '_', '.' and '-', starting with a letter or digit")]
    Name(String),
    #[error("invalid id '{0}': expected 64 lower-case hex digits")]
    Id(String),
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A fresh id from the system's random source.
            pub fn random() -> Self {
                let bytes: [u8; 32] = random();
                Self(bytes.iter().map(|b| format!("{b:02x}")).collect())
            }

            /// The whole id, 64 hex digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first 12 digits, as shown to people.
            pub fn short(&self) -> &str {
                &self.0[..12]
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(s: String) -> Result<Self, IdError> {
                if s.len() == 64 && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    Ok(Self(s))
                } else {
                    Err(IdError::Id(s))
                }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.short())
            }
        }
    };
}

hex_id!(
    /// One container.
    ContainerId
);
hex_id!(
    /// One exec session inside a container.
    ExecId
);

/// Checks a container or volume name against docker's rule `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, at most 128 bytes.
pub fn check_name(name: &str) -> Result<(), IdError> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    if first && name.len() <= 128 && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
        Ok(())
    } else {
        Err(IdError::Name(name.to_owned()))
    }
}

/// From the kernel at each call: a generator of our own is seeded from there too, and to start one takes longer.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).expect("getrandom(2) works on every kernel that has namespaces");
    bytes
}

const ADJECTIVES: [&str; 32] = [
    "able", "amber", "bold", "brave", "bright", "brisk", "calm", "clear", "clever", "coral", "deft", "eager", "fair",
    "fleet", "gentle", "glad", "grand", "keen", "kind", "lively", "lucid", "merry", "nimble", "noble", "proud",
    "quick", "quiet", "sharp", "steady", "sunny", "swift", "warm",
];
const NOUNS: [&str; 32] = [
    "anchor", "beacon", "bollard", "bosun", "bridge", "buoy", "cargo", "compass", "crane", "deck", "dock", "ferry",
    "galley", "gantry", "harbour", "hawser", "helm", "hold", "hull", "jetty", "keel", "lantern", "mast", "mooring",
    "pilot", "quay", "rudder", "sail", "sextant", "tide", "tug", "wharf",
];

/// A name such as `swift_gantry`, for a container that was given none. `attempt` > 0 appends a number, for a retry.
pub fn random_name(attempt: u32) -> String {
    let [a, b]: [u8; 2] = random();
    let (adjective, noun) = (ADJECTIVES[usize::from(a) % 32], NOUNS[usize::from(b) % 32]);
    match attempt {
        0 => format!("{adjective}_{noun}"),
        n => format!("{adjective}_{noun}{n}"),
    }
}
