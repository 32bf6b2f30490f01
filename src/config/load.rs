//! Reads the files and the environment into one value.

use super::environment::{browser, env_text, locale_is_utf8};
use super::{Colours, Config, Error, Overrides, dirs, file, registries};

/// [`load`], and the run directory made or found to be ours alone.
pub fn open(overrides: &Overrides) -> Result<Config, Error> {
    let config = load(overrides)?;
    dirs::check_data_dir(&config.data_dir)?;
    dirs::prepare_run_dir(&config.run_dir)?;
    Ok(config)
}

/// Reads the environment and the files.
pub fn load(overrides: &Overrides) -> Result<Config, Error> {
    let places = dirs::places(overrides)?;
    let mut config = Config {
        data_dir: places.data,
        run_dir: places.run,
        config_dir: places.config,
        ui_state_file: places.state.join("ui.json"),
        auth_files: dirs::auth_files(places.home.as_deref()),
        colours: Colours::of(
            env_text("NO_COLOR").is_some(),
            env_text("COLORTERM").as_deref(),
            env_text("TERM").as_deref(),
        ),
        browser: browser(),
        ..Config::default()
    };
    read_own_file(&mut config);
    if config.tui.ascii.is_none() {
        config.tui.ascii = Some(!locale_is_utf8());
    }
    registries::add_insecure(&mut config, places.home.as_deref());
    Ok(config)
}

fn read_own_file(config: &mut Config) {
    let path = config.config_dir.join("config.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => file::apply(config, &text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => config.warnings.push(format!("{}: {e}", path.display())),
    }
}

/// The documented sample of `config.toml`, every key with its default.
pub fn sample() -> &'static str {
    include_str!("../../assets/config.toml")
}
