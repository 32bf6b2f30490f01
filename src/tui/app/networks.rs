//! What networks and published ports ask of the application.

use super::{App, Cmd};
use crate::model::network::{Protocol, PublishedPort};
use crate::tui::action::Action;
use crate::tui::overlay::{NetworksPage, Overlay, Picker};
use crate::tui::ports::url;

impl App {
    pub(super) fn open_networks(&mut self) {
        if !self.overlays.iter().any(|o| matches!(o, Overlay::Networks(_))) {
            self.overlays.push(Overlay::Networks(NetworksPage::default()));
        }
    }

    /// On what is selected in the page of networks, which is opened if it is not.
    pub(super) fn act_on_networks(&mut self, action: Action) {
        self.open_networks();
        let Some(at) = self.overlays.iter().position(|o| matches!(o, Overlay::Networks(_))) else { return };
        // Taken out meanwhile: it asks the application for what lies above it.
        let mut page = self.overlays.remove(at);
        if let Overlay::Networks(page) = &mut page {
            page.act(self, action);
        }
        self.overlays.insert(at, page);
    }

    /// A port of the selected container.
    pub(super) fn open_port(&mut self) {
        let Some(entry) = self.selected_container().cloned() else { return };
        self.open_one_of(entry.state.published().iter().map(|p| (entry.container.name.as_str(), p)));
    }

    /// The only one of these ports (of the containers named), or one that is chosen.
    pub fn open_one_of<'a>(&mut self, ports: impl Iterator<Item = (&'a str, &'a PublishedPort)>) {
        let mut urls: Vec<(String, String)> = ports
            .filter(|(_, port)| port.protocol == Protocol::Tcp)
            .map(|(name, port)| (format!("{name} port {}", port.container_port), url(port)))
            .collect();
        // A port of both families is one to a browser.
        urls.dedup();
        match urls.len() {
            0 => self.complain("no TCP port is published: `teu update --publish-add 8080:80 NAME` adds one"),
            1 => self.browse(urls.swap_remove(0).1),
            _ => self.overlays.push(Overlay::Picker(Picker::ports(urls))),
        }
    }

    pub fn browse(&mut self, url: String) {
        self.push(Cmd::Browse(url));
    }
}
