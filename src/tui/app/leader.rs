//! Which key leads out of a shell: offered once, chosen at any time, remembered.

use super::App;
use crate::tui::action::Action;
use crate::tui::views::shell::Leader;

/// What is offered: the name in the configuration, and what it takes from the programs in shells.
pub const LEADERS: [(&str, &str); 3] = [
    ("ctrl-]", "vim's jump to a tag, telnet's way out"),
    ("ctrl-\\", "the QUIT signal"),
    ("f12", "seldom used by programs; some desktops and terminals keep it"),
];

impl App {
    /// The configuration's word counts, unless it is the one that everybody starts with.
    pub(super) fn recall_leader(&mut self, remembered: Option<&String>) {
        if self.terms.view.leader() == Leader::default()
            && let Some(leader) = remembered.and_then(|name| Leader::parse(name))
        {
            self.terms.view.set_leader(leader);
        }
        self.leader_offered = remembered.is_some();
    }

    /// At the first shell of all: how to get out again, and that another key may lead there.
    pub(super) fn offer_leader(&mut self) {
        if std::mem::replace(&mut self.leader_offered, true) {
            return;
        }
        let leader = self.terms.view.leader();
        let palette = self.keymap.key_text(Action::Palette);
        let others: Vec<String> = LEADERS
            .iter()
            .filter_map(|(name, _)| Leader::parse(name))
            .filter(|other| *other != leader)
            .map(|other| other.to_string())
            .collect();
        self.say(format!("{leader} leads out of a shell; {leader} {palette} leader chooses {}", others.join(" or ")));
        self.save();
    }

    pub fn choose_leader(&mut self, name: &str) {
        if let Some(leader) = Leader::parse(name) {
            self.terms.view.set_leader(leader);
            self.leader_offered = true;
            self.say(format!("{leader} leads out of a shell"));
            self.save();
        }
    }

    /// For the remembered state; `None`: not yet offered.
    pub(super) fn leader_to_remember(&self) -> Option<(String, String)> {
        let name = self.terms.view.leader().to_string().to_lowercase();
        self.leader_offered.then(|| (String::from("leader"), name))
    }
}
