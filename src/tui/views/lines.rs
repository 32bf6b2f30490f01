//! Detail tabs that are plain lines: a container's environment and settings, an image's layers and settings.

use crate::engine::{ContainerEntry, ImageEntry};
use crate::model::mount::{Mount, MountSource};
use crate::model::network::{EndpointConfig, NetworkMode};
use crate::tui::app::{App, Tab};
use crate::tui::figures::{age, quote};
use crate::tui::panes::Pane;
use crate::tui::theme::Role;
use crate::tui::{ports, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;

/// Label and value; a label alone is a heading.
pub type Line = (String, String);

/// The lines of the open tab.
pub fn lines(app: &App) -> Vec<Line> {
    if app.panes.last_list == Pane::Images {
        let entry = app.images.selected().and_then(|row| app.inventory.images.iter().find(|e| e.image.id == row.id));
        match (entry, app.tabs().1) {
            (Some(entry), Tab::Layers) => layers(app, entry),
            (Some(entry), _) => image_settings(entry),
            (None, _) => Vec::new(),
        }
    } else {
        app.selected_container().map(|entry| container_settings(app, entry)).unwrap_or_default()
    }
}

fn pair(label: &str, value: impl Into<String>) -> Line {
    (label.to_owned(), value.into())
}

fn heading(lines: &mut Vec<Line>, title: &str) {
    if !lines.is_empty() {
        lines.push(pair("", ""));
    }
    lines.push(pair(title, ""));
}

fn container_settings(app: &App, entry: &ContainerEntry) -> Vec<Line> {
    let (container, config) = (&entry.container, &entry.container.config);
    let words: Vec<String> = config.args.iter().map(|a| quote(a)).collect();
    let mut lines = vec![
        pair("id", container.id.as_str()),
        pair("image", &*container.image_ref),
        pair("command", words.join(" ")),
        pair("created", format!("{} ago", age(app.now.seconds_since(container.created)))),
        pair("user", if config.user.is_empty() { "root" } else { &config.user }),
        pair("workdir", if config.workdir.is_empty() { "/" } else { &config.workdir }),
        pair("network", network(app, &config.network, &config.endpoints)),
    ];
    lines.extend(entry.state.published().iter().map(|port| pair("port", format!("{port}  {}", ports::reach(port).0))));
    if entry.state.pid != 0 {
        lines.push(pair("pid", entry.state.pid.to_string()));
    }
    if !entry.state.error.is_empty() {
        lines.push(pair("error", &*entry.state.error));
    }
    let limits = &config.limits;
    let cpus = limits.nano_cpus.map(|n| format!("{}", n as f64 / 1e9));
    let memory = limits.memory.map(|m| text::short_bytes(m as f64));
    for (label, value) in [("memory", memory), ("cpus", cpus), ("pids", limits.pids.map(|p| p.to_string()))] {
        lines.push(pair(label, value.unwrap_or_else(|| String::from("no limit"))));
    }
    heading(&mut lines, "Environment");
    environment(&mut lines, config.env.iter().map(String::as_str));
    if !config.mounts.is_empty() || !config.tmpfs.is_empty() {
        heading(&mut lines, "Mounts");
        lines.extend(config.mounts.iter().map(mount));
        lines.extend(config.tmpfs.iter().map(|t| pair(&t.target, "tmpfs")));
    }
    if !config.labels.is_empty() {
        heading(&mut lines, "Labels");
        lines.extend(config.labels.iter().map(|(k, v)| pair(k, &**v)));
    }
    lines
}

/// By names: whose it is, or which it is to be on.
fn network(app: &App, mode: &NetworkMode, asked: &[EndpointConfig]) -> String {
    match mode {
        NetworkMode::Attached if asked.is_empty() => NetworkMode::None.word().to_owned(),
        NetworkMode::Attached => asked.iter().map(|e| e.network.as_str()).collect::<Vec<_>>().join(", "),
        NetworkMode::Container(id) => {
            let owner = app.inventory.containers.iter().find(|e| e.container.id.as_str() == id);
            format!("{}'s", owner.map_or("a removed container", |e| &e.container.name))
        }
        mode => mode.word().to_owned(),
    }
}

fn environment<'a>(lines: &mut Vec<Line>, env: impl Iterator<Item = &'a str>) {
    lines.extend(env.map(|e| {
        let (name, value) = e.split_once('=').unwrap_or((e, ""));
        pair(name, value)
    }));
}

fn mount(m: &Mount) -> Line {
    let source = match &m.source {
        MountSource::Bind { path, .. } => path.clone(),
        MountSource::Volume { name } => format!("volume {name}"),
        MountSource::Anonymous { .. } => String::from("anonymous volume"),
    };
    pair(&m.target, if m.read_only { format!("{source} (read only)") } else { source })
}

/// Newest on top, with the command that made each, as far as the image tells.
fn layers(app: &App, entry: &ImageEntry) -> Vec<Line> {
    let image = &entry.image;
    let mut lines = vec![
        pair("id", image.id.to_string()),
        pair("size", format!("{} in {} layers", text::short_bytes(image.size as f64), image.layers.len())),
        pair("platform", format!("{}/{}", image.os, image.architecture)),
        pair("pulled", format!("{} ago", age(app.now.seconds_since(image.stored)))),
    ];
    let users: Vec<&str> =
        entry.used_by.iter().filter_map(|id| app.inventory.container(id)).map(|c| c.container.name.as_str()).collect();
    if !users.is_empty() {
        lines.push(pair("used by", users.join(", ")));
    }
    heading(&mut lines, "Layers, newest first");
    let config: Value = serde_json::from_str(&image.config_json).unwrap_or_default();
    let made: Vec<&str> = config["history"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|h| h["empty_layer"].as_bool() != Some(true))
        .map(|h| h["created_by"].as_str().unwrap_or(""))
        .collect();
    for (i, layer) in image.layers.iter().enumerate().rev() {
        let by = made.get(i).copied().unwrap_or("");
        let by = by.strip_prefix("/bin/sh -c #(nop) ").or_else(|| by.strip_prefix("/bin/sh -c ")).unwrap_or(by);
        lines.push(pair(
            &text::fit_right(&text::short_bytes(layer.size as f64), 5),
            format!("{} {by}", layer.diff_id.short()),
        ));
    }
    lines
}

fn image_settings(entry: &ImageEntry) -> Vec<Line> {
    let config: Value = serde_json::from_str(&entry.image.config_json).unwrap_or_default();
    let config = &config["config"];
    let words = |v: &Value| -> String {
        v.as_array().into_iter().flatten().filter_map(Value::as_str).map(quote).collect::<Vec<_>>().join(" ")
    };
    let keys = |v: &Value| -> String {
        v.as_object().map(|m| m.keys().cloned().collect::<Vec<_>>().join(" ")).unwrap_or_default()
    };
    let mut lines = vec![
        pair("entrypoint", words(&config["Entrypoint"])),
        pair("command", words(&config["Cmd"])),
        pair("user", config["User"].as_str().unwrap_or("")),
        pair("workdir", config["WorkingDir"].as_str().unwrap_or("")),
        pair("ports", keys(&config["ExposedPorts"])),
        pair("volumes", keys(&config["Volumes"])),
    ];
    lines.retain(|(_, value)| !value.is_empty());
    heading(&mut lines, "Environment");
    environment(&mut lines, config["Env"].as_array().into_iter().flatten().filter_map(Value::as_str));
    if let Some(labels) = config["Labels"].as_object().filter(|l| !l.is_empty()) {
        heading(&mut lines, "Labels");
        lines.extend(labels.iter().map(|(k, v)| pair(k, v.as_str().unwrap_or(""))));
    }
    lines
}

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    let all = lines(app);
    let label_width = all.iter().filter(|(_, v)| !v.is_empty()).map(|(l, _)| text::width(l)).max().unwrap_or(0);
    let label_width = label_width.min(usize::from(area.width) / 3).max(4);
    for (row, (label, value)) in all.iter().skip(app.detail.offset).take(usize::from(area.height)).enumerate() {
        let y = area.y + row as u16;
        let label = text::sanitize(label);
        if value.is_empty() {
            text::put(buf, area.x + 1, y, area.width - 1, &label, app.theme.style(Role::Title));
            continue;
        }
        let label = text::fit(&label, label_width);
        let x = text::put(buf, area.x + 1, y, area.width - 1, &label, app.theme.style(Role::Key)) + 1;
        let room = area.right().saturating_sub(x);
        let value = text::sanitize(value);
        text::put(buf, x, y, room, &text::truncate(&value, usize::from(room)), app.theme.style(Role::Text));
    }
}
