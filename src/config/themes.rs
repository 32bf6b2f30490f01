//! The user's own themes: texts of `themes/*.toml` beside the configuration file, by name. What they mean is the screen's.

use super::Config;

/// More than a theme can need.
const MAX_BYTES: u64 = 64 << 10;

/// Name and text of each readable theme file, sorted.
pub fn user_themes(config: &Config) -> Vec<(String, String)> {
    let Ok(dir) = std::fs::read_dir(config.config_dir.join("themes")) else { return Vec::new() };
    let mut themes: Vec<(String, String)> = dir
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let small = path.metadata().is_ok_and(|m| m.is_file() && m.len() <= MAX_BYTES);
            if !small || path.extension()? != "toml" {
                return None;
            }
            Some((path.file_stem()?.to_str()?.to_owned(), std::fs::read_to_string(&path).ok()?))
        })
        .collect();
    themes.sort();
    themes
}
