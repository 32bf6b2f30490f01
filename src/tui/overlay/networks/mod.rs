//! The page of networks: their addresses, who is on them, who can reach which port; and what is done to them.

mod rows;

use self::rows::{Key, Row, Sharer, members, rows};
use super::{Flow, Form, Overlay, Picker, boxed};
use crate::engine::request::{PruneArgs, Targets};
use crate::engine::{ContainerEntry, Request};
use crate::model::id::ContainerId;
use crate::model::network::{DEFAULT, Driver, Network, NetworkMode};
use crate::tui::action::{Action, Scope};
use crate::tui::app::work::Purpose;
use crate::tui::app::{App, Hit};
use crate::tui::keys::Chord;
use crate::tui::views::Scratch;
use crate::tui::{list, text};
use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;

/// Actions the foot names, as far as there is room.
const HINTS: [Action; 5] =
    [Action::NetworkNew, Action::NetworkConnect, Action::NetworkDisconnect, Action::NetworkRemove, Action::NetworkPort];

#[derive(Debug, Default)]
pub struct NetworksPage {
    /// What is selected, and where it was last: its row may have moved, or gone.
    selected: Option<Key>,
    at: usize,
}

impl NetworksPage {
    fn place(&self, rows: &[Row<'_>]) -> usize {
        let found = self.selected.as_ref().and_then(|key| rows.iter().position(|row| row.key() == *key));
        found.unwrap_or(self.at).min(rows.len().saturating_sub(1))
    }

    fn select(&mut self, rows: &[Row<'_>], at: usize) {
        self.at = at.min(rows.len().saturating_sub(1));
        self.selected = rows.get(self.at).map(Row::key);
    }

    pub fn step(&mut self, app: &App, by: isize) {
        let rows = rows(&app.inventory);
        self.select(&rows, self.place(&rows).saturating_add_signed(by));
    }

    pub fn click(&mut self, app: &App, row: usize) -> Flow {
        self.select(&rows(&app.inventory), row);
        Flow::Keep
    }

    pub fn key(&mut self, app: &mut App, chord: Chord) -> Flow {
        if let Some(action) = app.keymap.action(&[Scope::Networks], chord) {
            self.act(app, action);
            return Flow::Keep;
        }
        let control = chord.mods.contains(KeyModifiers::CONTROL);
        match chord.code {
            KeyCode::Esc | KeyCode::Char('q') => return Flow::Close,
            KeyCode::Char('c') if control => return Flow::Close,
            KeyCode::Enter => return self.enter(app),
            KeyCode::Up | KeyCode::Char('k') => self.step(app, -1),
            KeyCode::Down | KeyCode::Char('j') => self.step(app, 1),
            KeyCode::PageUp => self.step(app, -10),
            KeyCode::PageDown => self.step(app, 10),
            KeyCode::Home | KeyCode::Char('g') => self.step(app, isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.step(app, isize::MAX),
            KeyCode::Char('?') | KeyCode::F(1) => {
                app.overlays.push(Overlay::Picker(Picker::help(app, &[Scope::Networks])));
            }
            _ => {}
        }
        Flow::Keep
    }

    /// A port is opened, a container shown in its list.
    fn enter(&mut self, app: &mut App) -> Flow {
        let inventory = app.inventory.clone();
        let rows = rows(&inventory);
        match rows.get(self.place(&rows)) {
            Some(Row::Port { .. }) => self.act(app, Action::NetworkPort),
            Some(Row::Member { entry, .. } | Row::Sharer { sharer: Sharer { entry, .. }, .. }) => {
                app.show_container(&entry.container.id);
                return Flow::Close;
            }
            _ => {}
        }
        Flow::Keep
    }

    pub fn act(&mut self, app: &mut App, action: Action) {
        let inventory = app.inventory.clone();
        let rows = rows(&inventory);
        let at = self.place(&rows);
        self.select(&rows, at);
        match (action, rows.get(at)) {
            (Action::NetworkNew, _) => app.overlays.push(Overlay::Form(Form::network())),
            (Action::NetworkPrune, _) => prune(app),
            (Action::NetworkReload, _) => {
                app.submit(Purpose::Act, Request::ReloadNetworks(Targets { containers: Vec::new() }));
            }
            (_, None) => app.complain("there is no network"),
            (Action::NetworkConnect, Some(row)) => connect(app, row.network()),
            (Action::NetworkRemove, Some(row)) => remove(app, row.network()),
            (Action::NetworkDisconnect, Some(row)) => disconnect(app, row),
            (Action::NetworkPort, Some(Row::Network { network, .. })) => {
                let of_it = rows.iter().filter(|r| matches!(r, Row::Port { .. }) && r.network().id == network.id);
                app.open_one_of(of_it.flat_map(Row::ports));
            }
            (Action::NetworkPort, Some(row)) => app.open_one_of(row.ports().into_iter()),
            _ => {}
        }
    }

    pub fn draw(&self, app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
        let rows = rows(&app.inventory);
        let width = area.width.saturating_sub(6).min(110);
        let most = area.height.saturating_sub(4).max(6);
        let size = (width, (rows.len().min(500) as u16 + 2).clamp(6, most));
        let hints = HINTS.map(|action| {
            let row = crate::tui::action::spec(action);
            format!("{} {}", app.keymap.key_text(action), row.hint)
        });
        let foot = format!("{} · ? help · Esc closes", hints.join(" · "));
        let inner = boxed(app, "Networks", &foot, size, area, buf);
        let (selected, height) = (self.place(&rows), usize::from(inner.height));
        let offset = list::scroll(0, Some(selected), rows.len(), height);
        for (i, row) in rows.iter().enumerate().skip(offset).take(height) {
            let place = Rect { y: inner.y + (i - offset) as u16, height: 1, ..inner };
            scratch.mark(place, Hit::Overlay(i));
            let (line, role) = row.line();
            let line = text::sanitize(&line);
            let line = text::truncate(&line, usize::from(place.width));
            text::put(buf, place.x, place.y, place.width, &line, app.theme.style(role));
            if i == selected {
                buf.set_style(place, app.theme.style(crate::tui::theme::Role::Selection));
            }
        }
    }
}

/// Made by nobody and removed by nobody.
fn is_predefined(network: &Network) -> bool {
    network.name == DEFAULT || matches!(network.driver, Driver::Host | Driver::Null)
}

fn connect(app: &mut App, network: &Network) {
    if matches!(network.driver, Driver::Host | Driver::Null) {
        return app.complain(format!("a container is on {} from its start or never", network.name));
    }
    // Offered: the one selected in the list, if it can be there and is not yet.
    let there = |id: &ContainerId| members(&app.inventory, network).any(|(entry, _)| entry.container.id == *id);
    let can = |entry: &&Arc<ContainerEntry>| entry.container.config.network == NetworkMode::Attached;
    let offered = app.selected_container().filter(can).filter(|entry| !there(&entry.container.id));
    let offered = offered.map(|entry| entry.container.name.clone()).unwrap_or_default();
    app.overlays.push(Overlay::Form(Form::connect(&network.name, &offered)));
}

fn disconnect(app: &mut App, row: &Row<'_>) {
    if let Row::Sharer { sharer, .. } = row {
        let owner = sharer.owner.map_or("another container", |owner| &owner.container.name);
        return app
            .complain(format!("{} shares {owner}'s network from its start or never", sharer.entry.container.name));
    }
    let (Row::Member { network, entry, endpoint } | Row::Port { network, entry, endpoint, .. }) = row else {
        return app.complain("choose a container of the network first");
    };
    if matches!(network.driver, Driver::Host | Driver::Null) {
        return app.complain(format!("a container is on {} from its start or never", network.name));
    }
    let (name, container) = (&network.name, &entry.container.name);
    let lines = match endpoint {
        Some(_) if entry.state.endpoints.len() == 1 => {
            vec![format!("{name} is {container}'s only network: nobody will reach it, and it nobody.")]
        }
        Some(_) => vec![format!("{container} loses its address there, and the connections that go over it.")],
        None => vec![format!("{container} does not run; its next start will be without {name}.")],
    };
    let request = Request::DisconnectNetwork { network: name.clone(), container: container.clone(), force: false };
    app.confirm(&format!("Take {container} off {name}?"), lines, "Disconnect", request);
}

fn remove(app: &mut App, network: &Network) {
    let name = &network.name;
    if is_predefined(network) {
        return app.complain(format!("{name} is always there"));
    }
    let (live, dead): (Vec<_>, Vec<_>) = members(&app.inventory, network).partition(|(_, endpoint)| endpoint.is_some());
    let named = |list: &[(_, _)]| names(list.iter().map(|(entry, _): &(&_, _)| entry));
    if !live.is_empty() {
        return app.complain(format!("{name} is in use by {}", named(&live)));
    }
    let mut lines = vec![String::from("No running container is on it.")];
    if !dead.is_empty() {
        lines.push(format!("It is needed to start {}.", named(&dead)));
    }
    let request = Request::RemoveNetworks { networks: vec![name.clone()], force: false };
    app.confirm(&format!("Remove network {name}?"), lines, "Remove", request);
}

fn names<'a>(entries: impl Iterator<Item = &'a &'a Arc<ContainerEntry>>) -> String {
    entries.map(|entry| entry.container.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn prune(app: &mut App) {
    let networks = app.inventory.networks.iter();
    let unused = networks.filter(|n| !is_predefined(n) && members(&app.inventory, n).next().is_none());
    let unused: Vec<&str> = unused.map(|n| n.name.as_str()).collect();
    let mut lines = match unused[..] {
        [] => vec![String::from("Every network that was made has a container.")],
        _ => vec![format!("No container is to be on: {}", unused.join(", "))],
    };
    lines.push(format!("While nobody is on {DEFAULT}, its bridge leaves this machine until it is needed."));
    let request = Request::Prune(PruneArgs { networks: true, ..PruneArgs::default() });
    app.confirm("Remove unused networks?", lines, "Remove", request);
}
