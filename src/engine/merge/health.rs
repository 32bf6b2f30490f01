//! The health check: docker's own fields of an image's configuration, which OCI's do not have.

use crate::engine::{Error, ErrorKind, Result};
use crate::model::container::ContainerConfig;
use crate::model::health::HealthCheck;
use crate::model::image::Image;
use serde_json::Value;

/// Most images have none and are not read a second time.
pub(super) fn health(config: &mut ContainerConfig, image: &Image) -> Result<()> {
    if config.health.as_ref() == Some(&HealthCheck::none()) {
        return Ok(());
    }
    let has = |word: &str| image.config_json.contains(word);
    if !has("\"Healthcheck\"") && (config.health.is_none() || !has("\"Shell\"")) {
        return Ok(());
    }
    let unreadable = |e: serde_json::Error| {
        Error::new(ErrorKind::Corrupt, format!("the health check of image {} is not readable", image.id.short()))
            .because(e.to_string())
            .hint("--no-healthcheck runs it without one")
    };
    let mut document: Value = serde_json::from_str(&image.config_json).map_err(unreadable)?;
    let mut take = |key: &str| document.get_mut("config").and_then(|c| c.get_mut(key)).map(Value::take);
    let own: Option<HealthCheck> =
        take("Healthcheck").map(serde_json::from_value).transpose().map_err(unreadable)?.flatten();
    config.health = match (config.health.take(), own) {
        (Some(asked), Some(image)) => Some(asked.or(image)),
        (asked, image) => asked.or(image),
    };
    if config.health.is_some() {
        let shell: Option<Option<Vec<String>>> =
            take("Shell").map(serde_json::from_value).transpose().map_err(unreadable)?;
        config.shell = shell.flatten().unwrap_or_default();
    }
    Ok(())
}
