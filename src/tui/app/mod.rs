//! The whole state of the screen, what comes in (`Msg`) and what is asked of the world (`Cmd`). No IO, no clock.

pub mod containers;
pub mod images;
mod keys;
mod update;
pub mod work;

use super::keymap::Keymap;
use super::panes::{Pane, Panes, Proportions};
use super::theme::Theme;
use crate::config::Config;
use crate::engine::job::{Chunk, Input, JobId, Progress};
use crate::engine::{Error, Inventory, Output, Request, StatsBoard};
use crate::model::event::EventRecord;
use crate::model::id::ContainerId;
use crate::model::stats::Sample;
use crate::model::time::Timestamp;
use containers::Containers;
use crossterm::event::{KeyEvent, MouseEvent};
use images::Images;
use std::collections::BTreeMap;
use std::sync::Arc;
use work::{Ticket, Work};

/// What reaches the screen.
#[derive(Clone, Debug)]
pub enum Msg {
    Key(KeyEvent),
    Paste(String),
    /// With what the last frame drew under the pointer.
    Mouse(MouseEvent, Option<Hit>),
    Resize(u16, u16),
    Focus(bool),
    Inventory(Arc<Inventory>),
    Stats(Arc<StatsBoard>),
    Event(Arc<EventRecord>),
    Started(Ticket, JobId),
    Progress(Ticket, Progress),
    Done(Ticket, Result<Output, Error>),
    Session(Ticket, Chunk),
    History(ContainerId, Vec<Arc<Sample>>),
    /// A moment asked for by [`App::wake_at`] has come.
    Wake,
    /// The process is asked to end.
    Terminate,
}

/// What the screen wants done.
#[derive(Debug)]
pub enum Cmd {
    Submit(Ticket, Request),
    Cancel(Ticket),
    Send(Ticket, Input),
    /// Leaves a session; what it was attached to goes on.
    Leave(Ticket),
    History(ContainerId),
    Copy(String),
    Mouse(bool),
    Save(BTreeMap<String, String>),
    Suspend,
    Redraw,
    Bell,
}

/// What lies under a cell of the last frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Hit {
    Pane(Pane),
    /// A row of a list, by its index in the order.
    Row(Pane, usize),
    /// A column heading, by its index in the pane's sorts.
    Heading(Pane, usize),
    Action(super::action::Action),
    Tab(usize),
    Edge(super::panes::Edge),
}

/// The tabs of the detail pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tab {
    Logs,
    Stats,
    Inspect,
    Env,
    Layers,
}

impl Tab {
    pub fn title(self) -> &'static str {
        match self {
            Tab::Logs => "Logs",
            Tab::Stats => "Stats",
            Tab::Inspect => "Inspect",
            Tab::Env => "Env",
            Tab::Layers => "Layers",
        }
    }
}

/// One line below the panes: what was done last.
#[derive(Clone, Debug)]
pub struct Status {
    pub ok: bool,
    pub text: String,
}

/// A notice in the corner that goes by itself.
#[derive(Clone, Debug)]
pub struct Toast {
    pub text: String,
    pub bad: bool,
    pub until: Timestamp,
}

pub struct App {
    pub now: Timestamp,
    pub size: (u16, u16),
    pub panes: Panes,
    pub keymap: Keymap,
    pub theme: Theme,
    pub ascii: bool,
    pub mouse: bool,
    pub inventory: Arc<Inventory>,
    /// The first inventory has come.
    pub loaded: bool,
    pub stats: Arc<StatsBoard>,
    /// The host's share of CPU over the last seconds, in percent of all its CPUs.
    pub host_cpu: Vec<f32>,
    pub containers: Containers,
    pub images: Images,
    pub container_tab: Tab,
    pub image_tab: Tab,
    pub work: Work,
    pub status: Option<Status>,
    pub toasts: Vec<Toast>,
    /// Something visible may have changed.
    pub dirty: bool,
    pub quit: bool,
    /// The border under a pressed mouse button.
    dragging: Option<super::panes::Edge>,
    cmds: Vec<Cmd>,
}

impl App {
    /// `remembered`: what [`Cmd::Save`] wrote last time.
    pub fn new(config: &Config, remembered: &BTreeMap<String, String>) -> App {
        let (keymap, mut problems) = Keymap::build(&config.tui.preset, &config.tui.keys);
        problems.splice(0..0, config.warnings.iter().cloned());
        let mut panes = Panes::default();
        if let Some(p) = remembered.get("layout").and_then(|t| Proportions::parse(t)) {
            panes.proportions = p;
        }
        let mut app = App {
            now: Timestamp::default(),
            size: (80, 24),
            panes,
            keymap,
            theme: Theme::default(),
            ascii: config.tui.ascii.unwrap_or(false),
            mouse: config.tui.mouse,
            inventory: Arc::default(),
            loaded: false,
            stats: Arc::default(),
            host_cpu: Vec::new(),
            containers: Containers::default(),
            images: Images::default(),
            container_tab: Tab::Logs,
            image_tab: Tab::Layers,
            work: Work::default(),
            status: None,
            toasts: Vec::new(),
            dirty: true,
            quit: false,
            dragging: None,
            cmds: Vec::new(),
        };
        if let Some(first) = problems.first() {
            let more = problems.len() - 1;
            let tail = if more > 0 { format!(" (and {more} more, L shows all)") } else { String::new() };
            app.status = Some(Status { ok: false, text: format!("configuration: {first}{tail}") });
            for problem in problems {
                app.work.note(app.now, "configuration", Err(problem), String::new());
            }
        }
        app
    }

    pub fn push(&mut self, cmd: Cmd) {
        self.cmds.push(cmd);
    }

    pub fn say(&mut self, text: impl Into<String>) {
        self.status = Some(Status { ok: true, text: text.into() });
    }

    pub fn complain(&mut self, text: impl Into<String>) {
        self.status = Some(Status { ok: false, text: text.into() });
    }

    pub fn toast(&mut self, text: impl Into<String>, bad: bool) {
        let until = Timestamp(self.now.0.saturating_add(6_000_000_000));
        self.toasts.push(Toast { text: text.into(), bad, until });
        let extra = self.toasts.len().saturating_sub(4);
        self.toasts.drain(..extra);
    }

    /// Hands a request to the engine; its end comes back as [`Msg::Done`].
    pub fn submit(&mut self, purpose: work::Purpose, request: Request) -> Ticket {
        let ticket = self.work.begin(self.now, purpose, &request);
        self.push(Cmd::Submit(ticket, request));
        ticket
    }

    /// When the screen changes by itself next: a toast goes.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.toasts.iter().map(|t| t.until).min()
    }

    /// The tabs of what is selected, and which of them is open.
    pub fn tabs(&self) -> (&'static [Tab], Tab) {
        if self.panes.last_list == Pane::Images {
            (&[Tab::Layers, Tab::Inspect, Tab::Env], self.image_tab)
        } else {
            (&[Tab::Logs, Tab::Stats, Tab::Inspect, Tab::Env], self.container_tab)
        }
    }

    /// What is remembered between runs.
    pub fn remember(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(String::from("layout"), self.panes.proportions.to_text())])
    }
}
