//! Insecure registries as the machine's other engines know them: docker's `daemon.json`, containers' `registries.conf`.

use super::Config;
use super::environment::env_path;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

pub(super) fn add_insecure(config: &mut Config, home: Option<&Path>) {
    read(config, Path::new("/etc/docker/daemon.json"), docker_insecure);
    let user = env_path("XDG_CONFIG_HOME").or_else(|| home.map(|h| h.join(".config")));
    let user = user.map(|d| d.join("containers/registries.conf"));
    // As podman: the user's file replaces the system's.
    let file = user.filter(|p| p.exists()).unwrap_or_else(|| PathBuf::from("/etc/containers/registries.conf"));
    read(config, &file, containers_insecure);
    config.insecure_registries.sort();
    config.insecure_registries.dedup();
}

fn read(config: &mut Config, path: &Path, parse: fn(&str) -> Result<Vec<String>, String>) {
    match std::fs::read_to_string(path).map(|text| parse(&text)) {
        Ok(Ok(hosts)) => config.insecure_registries.extend(hosts),
        Ok(Err(why)) => config.warnings.push(format!("{}: {why}", path.display())),
        // Unreadable or absent: another engine's file is none of our errors.
        Err(_) => {}
    }
}

fn docker_insecure(text: &str) -> Result<Vec<String>, String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let list = json.get("insecure-registries").and_then(serde_json::Value::as_array);
    Ok(list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect())
}

/// Version 2 of the format: `[[registry]]` with `location` (or `prefix`) and `insecure = true`.
fn containers_insecure(text: &str) -> Result<Vec<String>, String> {
    let table = DeTable::parse(text).map_err(|e| e.message().to_owned())?;
    let Some(DeValue::Array(registries)) = table.get_ref().get("registry").map(|v| v.get_ref()) else {
        return Ok(Vec::new());
    };
    let mut hosts = Vec::new();
    for registry in registries.iter() {
        let DeValue::Table(registry) = registry.get_ref() else { continue };
        let field = |name: &str| registry.get(name).map(|v| v.get_ref());
        if !matches!(field("insecure"), Some(DeValue::Boolean(true))) {
            continue;
        }
        if let Some(DeValue::String(location)) = field("location").or_else(|| field("prefix")) {
            let host = location.split('/').next().unwrap_or_default();
            hosts.push(host.to_owned());
        }
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats() {
        let docker = docker_insecure(r#"{"debug": true, "insecure-registries": ["reg.lan:5000", "10.0.0.1"]}"#);
        assert_eq!(docker.unwrap(), ["reg.lan:5000", "10.0.0.1"]);
        let conf = "unqualified-search-registries = ['a']\n[[registry]]\nlocation = 'r.lan:5000/team'\ninsecure = true\n\
                    [[registry]]\nprefix = 'x.lan'\n[[registry]]\nprefix = 'y.lan'\ninsecure = true\n";
        assert_eq!(containers_insecure(conf).unwrap(), ["r.lan:5000", "y.lan"]);
        assert!(docker_insecure("{").is_err());
    }
}
