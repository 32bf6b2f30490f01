//! What the screen remembers between runs: small texts by name (layout, last view), written by rename.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Larger files are not ours.
const MAX_BYTES: u64 = 256 << 10;

/// Remembered values. Losing them costs nothing but comfort, so a file that cannot be read is an empty state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UiState(pub BTreeMap<String, String>);

impl UiState {
    pub fn load(path: &Path) -> UiState {
        let small = std::fs::metadata(path).is_ok_and(|m| m.len() <= MAX_BYTES);
        let text = if small { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() };
        UiState(serde_json::from_str(&text).unwrap_or_default())
    }

    pub fn save(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(&self.0)?;
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let staged = path.with_extension(format!("{}.tmp", std::process::id()));
        std::fs::write(&staged, text)?;
        std::fs::rename(&staged, path).inspect_err(|_| {
            let _ = std::fs::remove_file(&staged);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_round_and_a_broken_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/ui.json");
        let state = UiState([("layout".into(), "60/40".into())].into());
        state.save(&path).unwrap();
        assert_eq!(UiState::load(&path), state);
        assert_eq!(std::fs::read_dir(dir.path().join("a")).unwrap().count(), 1);
        std::fs::write(&path, "{broken").unwrap();
        assert_eq!(UiState::load(&path), UiState::default());
    }
}
