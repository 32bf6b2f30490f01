//! The whole state of the screen, what comes in (`Msg`) and what is asked of the world (`Cmd`). No IO, no clock.

mod act;
pub mod changes;
mod commands;
pub mod containers;
pub mod detail;
mod forms;
pub mod images;
mod keys;
pub mod leader;
mod mouse;
mod navigate;
mod networks;
mod older;
pub mod processes;
mod tab;
pub mod terms;
mod update;
mod verbs;
pub mod work;

pub use detail::Subject;
pub use tab::Tab;

use super::keymap::Keymap;
use super::overlay::{Form, Overlay};
use super::panes::{Pane, Panes, Proportions};
use super::theme::{self, Theme};
use super::views::{shell::Leader, stats::GlyphSet};
use crate::config::{Colours, Config};
use crate::engine::job::{Check, Chunk, Input, JobId, Progress};
use crate::engine::{Error, Inventory, Output, Request, StatsBoard};
use crate::model::event::EventRecord;
use crate::model::id::ContainerId;
use crate::model::stats::Sample;
use crate::model::time::Timestamp;
use containers::Containers;
use crossterm::event::{KeyEvent, MouseEvent};
use detail::Detail;
use images::Images;
use ratatui::layout::Rect;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use terms::Terms;
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
    /// Shows this address in a browser, or copies it where there is none.
    Browse(String),
    /// Shows this text in the user's editor.
    Edit(String),
    /// Runs this command line in the terminal with these bytes as its stdin, and tells how it ended.
    Pipe(String, Vec<u8>),
    /// Writes a new file of this name into the directory teu was started in, and tells how that went.
    WriteFile(String, Vec<u8>),
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
    /// A row or button of the overlay on top.
    Overlay(usize),
    ShellTab(usize),
    /// Inside the shells pane.
    Terminal,
    /// Inside the detail pane, by the row in it.
    Detail(u16),
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
    pub theme_name: String,
    pub themes: Vec<(String, Theme)>,
    pub ascii: bool,
    pub mouse: bool,
    pub inventory: Arc<Inventory>,
    /// The first inventory has come.
    pub loaded: bool,
    pub stats: Arc<StatsBoard>,
    /// The host's share of CPU over the last seconds, in percent of all its CPUs.
    pub host_cpu: Vec<f32>,
    /// The last of them as the header shows it.
    pub host_cpu_shown: f64,
    pub containers: Containers,
    pub images: Images,
    pub detail: Detail,
    pub terms: Terms,
    /// The last has the keyboard.
    pub overlays: Vec<Overlay>,
    /// The form whose container opens in a terminal: comes back when it cannot.
    sent_form: Option<(work::Ticket, Form)>,
    /// What the doctor found; `None`: still looking.
    pub doctor: Option<Result<Vec<Check>, String>>,
    /// What is wrong with keys and themes, for the doctor's page.
    problems: Vec<Check>,
    /// Since teu was opened, oldest first.
    pub events: VecDeque<Arc<EventRecord>>,
    pub palette_history: Vec<String>,
    /// The run form's texts of last time.
    pub last_run: Vec<String>,
    pub container_tab: Tab,
    pub image_tab: Tab,
    pub work: Work,
    pub status: Option<Status>,
    pub toasts: Vec<Toast>,
    /// The choice of a leader key has been told of.
    leader_offered: bool,
    /// Interrupted pulls have been told of.
    resume_offered: bool,
    /// Something visible may have changed.
    pub dirty: bool,
    pub quit: bool,
    /// The border under a pressed mouse button.
    dragging: Option<super::panes::Edge>,
    /// The last click and when, to know a double one.
    clicked: Option<(Hit, Timestamp)>,
    /// One moment on both clocks.
    anchor: (Instant, Timestamp),
    cmds: Vec<Cmd>,
}

impl App {
    /// `remembered`: what [`Cmd::Save`] wrote last time. `user_themes`: names and texts. `anchor`: this moment on both
    /// clocks.
    pub fn new(
        config: &Config,
        remembered: &BTreeMap<String, String>,
        user_themes: &[(String, String)],
        anchor: (Instant, Timestamp),
    ) -> App {
        let (keymap, key_problems) = Keymap::build(&config.tui.preset, &config.tui.keys);
        let (themes, theme_problems) = theme::load(user_themes, config.colours);
        let leader = Leader::parse(&config.tui.leader);
        let mut problems = [key_problems, theme_problems].concat();
        if leader.is_none() {
            problems.push(format!("tui.leader: '{}' cannot be the leader key", config.tui.leader));
        }
        let wanted = remembered.get("theme").unwrap_or(&config.tui.theme);
        let theme_name = if config.colours == Colours::None { "mono" } else { wanted.as_str() }.to_owned();
        if !themes.iter().any(|(n, _)| *n == theme_name) {
            problems.push(format!("tui.theme: there is no theme '{theme_name}'"));
        }
        let mut app = App {
            now: anchor.1,
            size: (80, 24),
            panes: Panes::default(),
            keymap,
            theme: Theme::default(),
            theme_name: String::from("terminal"),
            themes,
            ascii: config.tui.ascii.unwrap_or(false),
            mouse: config.tui.mouse,
            inventory: Arc::default(),
            loaded: false,
            stats: Arc::default(),
            host_cpu: Vec::new(),
            host_cpu_shown: 0.0,
            containers: Containers::default(),
            images: Images::default(),
            detail: Detail::default(),
            terms: Terms::new(leader.unwrap_or_default(), config.tui.scrollback),
            overlays: Vec::new(),
            sent_form: None,
            doctor: None,
            problems: Vec::new(),
            events: VecDeque::new(),
            palette_history: Vec::new(),
            last_run: Vec::new(),
            container_tab: Tab::Logs,
            image_tab: Tab::Layers,
            work: Work::default(),
            status: None,
            toasts: Vec::new(),
            leader_offered: false,
            resume_offered: false,
            dirty: true,
            quit: false,
            dragging: None,
            clicked: None,
            anchor,
            cmds: Vec::new(),
        };
        if app.ascii {
            app.detail.stats.set_glyphs(GlyphSet::Ascii);
        }
        app.use_theme(&theme_name);
        app.recall(remembered);
        app.problems = problems.iter().map(|problem| Check::settings(problem)).collect();
        app.tell_problems([config.warnings.clone(), problems].concat());
        app
    }

    /// Told once where people look first, and listed in the action log.
    fn tell_problems(&mut self, problems: Vec<String>) {
        let Some(first) = problems.first() else { return };
        let more = problems.len() - 1;
        let tail = if more > 0 { format!(" (and {more} more, L shows all)") } else { String::new() };
        self.complain(format!("configuration: {first}{tail}"));
        for problem in problems {
            self.work.note(self.now, "configuration", Err(problem), String::new());
        }
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
        let text = text.into();
        // The same news by another way is no news.
        self.toasts.retain(|t| t.text != text);
        self.toasts.push(Toast { text, bad, until });
        let extra = self.toasts.len().saturating_sub(4);
        self.toasts.drain(..extra);
    }

    /// Hands a request to the engine; its end comes back as [`Msg::Done`].
    pub fn submit(&mut self, purpose: work::Purpose, request: Request) -> Ticket {
        let ticket = self.work.begin(self.now, purpose, &request);
        self.push(Cmd::Submit(ticket, request));
        ticket
    }

    /// When the screen changes by itself next: a toast goes, a selection has rested, a program's update is overdue.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let toast = self.toasts.iter().map(|t| t.until).min();
        let terms = self.terms.view.next_deadline().map(|at| {
            let nanos = at.saturating_duration_since(self.anchor.0).as_nanos();
            Timestamp(self.anchor.1.0.saturating_add(i64::try_from(nanos).unwrap_or(i64::MAX)).saturating_add(1))
        });
        [toast, terms, self.detail.wake_at(), self.age_due()].into_iter().flatten().min()
    }

    /// While something runs each second's figures redraw the ages; else the youngest one's next change does.
    fn age_due(&self) -> Option<Timestamp> {
        if !self.stats.latest.is_empty() {
            return None;
        }
        let since = self.containers.rows.iter().map(|r| r.since.unwrap_or(r.created)).max()?;
        let age = self.now.seconds_since(since) as i64;
        let next = if age < 60 { age + 1 } else { age - age % 60 + 60 };
        Some(Timestamp(since.0.saturating_add(next.saturating_mul(1_000_000_000))))
    }

    /// The tabs of what is selected, and which of them is open.
    pub fn tabs(&self) -> (&'static [Tab], Tab) {
        if self.panes.last_list == Pane::Images {
            (&[Tab::Layers, Tab::Inspect, Tab::Env], self.image_tab)
        } else {
            (&[Tab::Logs, Tab::Stats, Tab::Inspect, Tab::Env, Tab::Top, Tab::Files], self.container_tab)
        }
    }

    /// What is remembered between runs.
    pub fn remember(&self) -> BTreeMap<String, String> {
        let list = |items: &[String]| items.join("\n");
        let sorts = format!(
            "{} {} {} {}",
            self.containers.list.sort, self.containers.list.reverse, self.images.list.sort, self.images.list.reverse
        );
        let mut all = BTreeMap::from([
            (String::from("layout"), self.panes.proportions.to_text()),
            (String::from("theme"), self.theme_name.clone()),
            (String::from("palette"), list(&self.palette_history)),
            (String::from("run"), list(&self.last_run)),
            (String::from("sort"), sorts),
        ]);
        all.extend(self.leader_to_remember());
        all
    }

    /// Takes back what was remembered; anything not understood is left out.
    fn recall(&mut self, remembered: &BTreeMap<String, String>) {
        let list = |name: &str| -> Vec<String> {
            remembered
                .get(name)
                .filter(|t| !t.is_empty())
                .map(|t| t.split('\n').map(str::to_owned).collect())
                .unwrap_or_default()
        };
        if let Some(p) = remembered.get("layout").and_then(|t| Proportions::parse(t)) {
            self.panes.proportions = p;
        }
        self.recall_leader(remembered.get("leader"));
        self.palette_history = list("palette");
        self.last_run = list("run");
        let sorts: Vec<&str> = remembered.get("sort").map(|t| t.split(' ').collect()).unwrap_or_default();
        if let [a, b, c, d] = sorts[..] {
            self.containers.list.sort = a.parse().unwrap_or(0).min(containers::SORTS.len() - 1);
            self.containers.list.reverse = b == "true";
            self.images.list.sort = c.parse().unwrap_or(0).min(images::SORTS.len() - 1);
            self.images.list.reverse = d == "true";
        }
    }

    /// Tells terminals their size when the layout has changed.
    pub(super) fn sync_layout(&mut self) {
        let layout = self.panes.layout(self.size.0, self.size.1);
        let Some((_, area)) = layout.panes.iter().find(|(p, _)| *p == Pane::Shells) else { return };
        let inner = Rect::new(area.x + 1, area.y + 1, area.width.saturating_sub(2), area.height.saturating_sub(2));
        for (id, cols, rows) in self.terms.view.resize(inner) {
            if let Some(ticket) = self.terms.terms.get(&id).and_then(|t| t.ticket) {
                self.push(Cmd::Send(ticket, Input::Resize { cols, rows }));
            }
        }
    }
}
