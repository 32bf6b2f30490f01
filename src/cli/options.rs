//! From the user's settings to the engine's options.

use crate::config::{self, Config};
use crate::engine::Options;

/// How the engine is opened for this configuration.
pub fn options(config: &Config, background: bool) -> Options {
    Options {
        data_dir: config.data_dir.clone(),
        run_dir: config.run_dir.clone(),
        insecure_registries: config.insecure_registries.clone(),
        auth_files: config.auth_files.clone(),
        program: "/proc/self/exe".into(),
        settings_problems: config.warnings.clone(),
        environment: config::lasting_environment(),
        publish_address: config.publish_address,
        default_network: config.default_network,
        background,
    }
}
