//! The screen: ratatui and crossterm live here and nowhere else. `update` is pure; the loop alone touches the world.

pub mod action;
pub mod app;
mod away;
pub mod colour;
pub mod command;
pub mod emulator;
pub mod encode;
pub mod figures;
pub mod filter;
pub mod glyphs;
pub mod input;
pub mod keymap;
pub mod keys;
pub mod list;
pub mod overlay;
pub mod panes;
mod ports;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod views;
mod world;

use crate::config::{Browser, Config, UiState, user_themes, write_new};
use crate::engine::{Engine, Event};
use crate::model::time::Timestamp;
use app::{App, Cmd, Msg};
use crossterm::event::{Event as TerminalEvent, EventStream, KeyEventKind};
use futures_util::StreamExt;
use ratatui::Terminal;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use terminal::{ENDING, Guard, Quiet};
use tokio::signal::unix::{Signal, signal};
use tokio::sync::broadcast;
use views::Scratch;
use world::World;

/// At most this many messages are taken in before the screen is drawn.
const DRAIN: usize = 256;
const FRAME: Duration = Duration::from_millis(16);

/// Runs the TUI until the user quits; returns the process's exit code.
pub async fn run(engine: Engine, config: Config) -> io::Result<u8> {
    let anchor = (Instant::now(), wall_clock());
    let remembered = UiState::load(&config.ui_state_file).0;
    let mut app = App::new(&config, &remembered, &user_themes(&config), anchor);
    app.detail.logs.set_time_zone(jiff::tz::TimeZone::system());
    let _guard = Guard::enter(app.mouse)?;
    let screen = Terminal::new(Quiet::new(config.colours))?;
    let mut signals = Vec::new();
    for kind in ENDING {
        signals.push(signal(kind)?);
    }
    let mut ui = Ui {
        events: engine.events(),
        world: World::new(engine.clone()),
        engine,
        app,
        screen,
        scratch: Scratch::default(),
        keys: Some(EventStream::new()),
        signals,
        drawn: Instant::now() - FRAME,
        urgent: true,
        anchor,
        state_file: config.ui_state_file.clone(),
        run_dir: config.run_dir.clone(),
        browser: config.browser.clone(),
    };
    ui.start()?;
    while !ui.app.quit {
        ui.turn().await?;
    }
    terminal::leave();
    ui.save(ui.app.remember());
    ui.engine.clone().shutdown(Duration::from_secs(5)).await;
    Ok(0)
}

/// The loop's possessions.
struct Ui {
    app: App,
    engine: Engine,
    events: broadcast::Receiver<Event>,
    world: World,
    screen: Terminal<Quiet>,
    scratch: Scratch,
    /// `None` only while an editor has the terminal.
    keys: Option<EventStream>,
    signals: Vec<Signal>,
    drawn: Instant,
    /// Input has come: its effect is shown at once.
    urgent: bool,
    /// One moment on both clocks.
    anchor: (Instant, Timestamp),
    state_file: PathBuf,
    /// Ours alone: where a text waits for the editor.
    run_dir: PathBuf,
    /// What opens web addresses.
    browser: Option<Browser>,
}

/// What one wait can bring.
enum Turn {
    Signal,
    Key(Option<io::Result<TerminalEvent>>),
    Engine(Result<Event, broadcast::error::RecvError>),
    World(Msg),
    FrameDue,
    Wake,
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl Ui {
    /// Wall-clock time that does not jump while we run.
    fn now(&self) -> Timestamp {
        let nanos = i64::try_from(self.anchor.0.elapsed().as_nanos()).unwrap_or(i64::MAX);
        Timestamp(self.anchor.1.0.saturating_add(nanos))
    }

    fn start(&mut self) -> io::Result<()> {
        let size = self.screen.size()?;
        self.take(Msg::Resize(size.width, size.height))?;
        self.take(Msg::Inventory(self.engine.inventory()))?;
        self.take(Msg::Stats(self.engine.stats()))?;
        self.draw()
    }

    /// Waits for one thing, takes in all that is ready, draws when a frame is due.
    async fn turn(&mut self) -> io::Result<()> {
        let frame_due = tokio::time::Instant::from_std(self.drawn + FRAME);
        let wake = self.app.wake_at().map(|t| Duration::from_nanos(t.0.saturating_sub(self.now().0).max(0) as u64));
        let turn = tokio::select! { biased;
            _ = any_signal(&mut self.signals) => Turn::Signal,
            key = next_key(&mut self.keys) => Turn::Key(key),
            event = self.events.recv() => Turn::Engine(event),
            msg = self.world.next() => Turn::World(msg),
            () = tokio::time::sleep_until(frame_due), if self.app.dirty => Turn::FrameDue,
            () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => Turn::Wake,
        };
        self.handle(turn)?;
        self.drain().await?;
        if self.app.dirty && (self.urgent || self.drawn.elapsed() >= FRAME) {
            self.draw()?;
        }
        Ok(())
    }

    fn handle(&mut self, turn: Turn) -> io::Result<()> {
        match turn {
            Turn::Signal => self.take(Msg::Terminate),
            Turn::Key(Some(Ok(event))) => self.input(event),
            // The terminal is gone, or its input ended: nothing more can be asked of us.
            Turn::Key(Some(Err(_)) | None) => {
                self.app.quit = true;
                Ok(())
            }
            Turn::Engine(event) => self.engine_event(event),
            Turn::World(msg) => self.take(msg),
            Turn::FrameDue => Ok(()),
            Turn::Wake => self.take(Msg::Wake),
        }
    }

    /// Takes what is ready without waiting, input first, bounded so that frames keep coming. Asks with this task's own
    /// waker: crossterm's stream keeps the first it is given, and would wake nobody ever after.
    async fn drain(&mut self) -> io::Result<()> {
        for _ in 0..DRAIN {
            let ready = if let Some(key) = ready(next_key(&mut self.keys)).await {
                Turn::Key(key)
            } else if let Ok(event) = self.events.try_recv() {
                Turn::Engine(Ok(event))
            } else if let Some(msg) = ready(self.world.next()).await {
                Turn::World(msg)
            } else {
                return Ok(());
            };
            self.handle(ready)?;
            if self.app.quit || self.urgent && self.drawn.elapsed() >= FRAME {
                return Ok(());
            }
        }
        Ok(())
    }

    fn input(&mut self, event: TerminalEvent) -> io::Result<()> {
        self.urgent = true;
        match event {
            TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => self.take(Msg::Key(key)),
            TerminalEvent::Key(_) => Ok(()),
            TerminalEvent::Mouse(mouse) => {
                let hit = self.scratch.hit(mouse.column, mouse.row);
                self.take(Msg::Mouse(mouse, hit))
            }
            TerminalEvent::Paste(text) => self.take(Msg::Paste(text)),
            TerminalEvent::Resize(..) => {
                // A storm of sizes may be stale by the time it is read: the terminal's own word counts.
                self.screen.autoresize()?;
                let size = self.screen.size()?;
                self.take(Msg::Resize(size.width, size.height))
            }
            TerminalEvent::FocusGained => self.take(Msg::Focus(true)),
            TerminalEvent::FocusLost => self.take(Msg::Focus(false)),
        }
    }

    /// Hints of one moment are taken together: the inventory is read once for all of them.
    fn engine_event(&mut self, first: Result<Event, broadcast::error::RecvError>) -> io::Result<()> {
        let (mut inventory, mut stats) = (false, false);
        let mut next = Some(first);
        while let Some(event) = next {
            match event {
                Ok(Event::Stats) => stats = true,
                Ok(Event::Log(record)) => self.take(Msg::Event(record))?,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => inventory = true,
                Err(broadcast::error::RecvError::Closed) => {
                    self.app.quit = true;
                    return Ok(());
                }
            }
            next = self.events.try_recv().ok().map(Ok);
        }
        if inventory {
            self.take(Msg::Inventory(self.engine.inventory()))?;
        }
        if stats {
            self.take(Msg::Stats(self.engine.stats()))?;
        }
        Ok(())
    }

    fn take(&mut self, msg: Msg) -> io::Result<()> {
        for cmd in self.app.update(msg, self.now()) {
            self.perform(cmd)?;
        }
        Ok(())
    }

    fn perform(&mut self, cmd: Cmd) -> io::Result<()> {
        match cmd {
            Cmd::Submit(ticket, request) => {
                let started = self.world.submit(ticket, request);
                self.take(started)?;
            }
            Cmd::Cancel(ticket) => self.world.cancel(ticket),
            Cmd::Send(ticket, input) => self.world.send(ticket, input),
            Cmd::Leave(ticket) => self.world.leave(ticket),
            Cmd::History(id) => {
                let samples = self.engine.history(&id);
                self.take(Msg::History(id, samples))?;
            }
            Cmd::Copy(text) => terminal::copy(&text)?,
            Cmd::Browse(url) => self.browse(&url)?,
            Cmd::Mouse(on) => terminal::capture_mouse(on)?,
            Cmd::Save(state) => self.save(state),
            Cmd::Edit(text) => self.edit(&text)?,
            Cmd::Pipe(command, bytes) => self.pipe(&command, &bytes)?,
            Cmd::WriteFile(name, bytes) => match write_new(&name, &bytes) {
                Ok(()) => self.app.toast(format!("saved {name}"), false),
                Err(error) => self.app.complain(format!("saving {name}: {error}")),
            },
            Cmd::Suspend => self.suspend()?,
            Cmd::Redraw => {
                self.screen.backend_mut().forget();
                self.screen.clear()?;
            }
            Cmd::Bell => terminal::bell()?,
        }
        Ok(())
    }

    /// Losing it costs comfort only.
    fn save(&self, state: BTreeMap<String, String>) {
        if let Err(error) = UiState(state).save(&self.state_file) {
            tracing::warn!(%error, "the layout could not be remembered");
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let (app, scratch) = (&mut self.app, &mut self.scratch);
        self.screen.draw(|frame| views::draw(app, scratch, frame))?;
        self.app.dirty = false;
        self.urgent = false;
        self.drawn = Instant::now();
        Ok(())
    }
}

/// What this future gives at once, if anything.
async fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn next_key(keys: &mut Option<EventStream>) -> Option<io::Result<TerminalEvent>> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// Resolves when one of the signals that end us comes.
async fn any_signal(signals: &mut [Signal]) {
    std::future::poll_fn(|context| {
        if signals.iter_mut().any(|s| s.poll_recv(context).is_ready()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
