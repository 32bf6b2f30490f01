//! From the user's settings to the engine's options.

use super::Length;
use crate::config::{self, Config, Overrides};
use crate::engine::{Error, ErrorKind, LoadingMonitor, Options, Result, entry};

/// Begins to load the monitor of a command that starts a container. See [`entry::load_monitor`].
pub fn load_monitor(length: Length) -> Option<LoadingMonitor> {
    match length {
        Length::Container { new } => Some(entry::load_monitor(config::lasting_environment(), new)),
        Length::Short | Length::Examination | Length::Long | Length::Screen => None,
    }
}

/// Settings, directories, and for an ordinary user the user namespace: to be called while there is one thread. `userns`:
/// the value of [`entry::USERNS_VARIABLE`].
pub fn prepare(overrides: &Overrides, userns: Option<&str>, length: Length) -> Result<Config> {
    let config = config::open(overrides).map_err(|e| {
        Error::from_source(ErrorKind::Denied, "preparing the directories of teu", &e)
            .hint("--root DIR (or TEU_ROOT) keeps all state in a directory of yours")
    })?;
    match entry::enter_user_namespace(&config.run_dir, userns) {
        // It is among what the doctor finds.
        Err(_) if length == Length::Examination => Ok(config),
        entered => entered.map(|()| config),
    }
}

/// How the engine is opened for this configuration.
pub fn options(config: &Config, background: bool) -> Options {
    Options {
        data_dir: config.data_dir.clone(),
        run_dir: config.run_dir.clone(),
        insecure_registries: config.insecure_registries.clone(),
        auth_files: config.auth_files.clone(),
        program: Options::PROGRAM.into(),
        settings_problems: config.warnings.clone(),
        environment: config::lasting_environment(),
        publish_address: config.publish_address,
        monitors_listen: config.monitors_listen,
        default_network: config.default_network,
        background,
    }
}
