//! Forms: labelled fields checked while they are typed, and the command line that does the same.

use super::{Flow, boxed, field, network_form, run_form, wrap};
use crate::engine::Request;
use crate::model::container::Limits;
use crate::model::id::check_name;
use crate::model::reference::Reference;
use crate::model::units::parse_bytes;
use crate::tui::app::work::{Purpose, Ticket};
use crate::tui::app::{App, Hit};
use crate::tui::command;
use crate::tui::input::Input;
use crate::tui::keys::Chord;
use crate::tui::text;
use crate::tui::theme::Role;
use crate::tui::views::Scratch;
use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

#[derive(Clone)]
pub(super) enum Value {
    Text(Input),
    Toggle(bool),
}

#[derive(Clone)]
pub(super) struct Field {
    pub label: &'static str,
    pub value: Value,
    /// What may be written, shown while the field is empty or focused.
    pub help: &'static str,
}

#[derive(Clone)]
enum Kind {
    Run,
    Limits(Vec<String>),
    Rename(String),
    Tag(String),
    Network,
    /// To the network of this name.
    Connect(String),
}

/// A field's index and why it is wrong.
pub(super) type Problem = (usize, String);

#[derive(Clone)]
pub struct Form {
    kind: Kind,
    title: String,
    pub(super) fields: Vec<Field>,
    focus: usize,
    /// What is wrong now, or what will be done.
    verdict: Result<String, Problem>,
    /// Sent, and not yet answered.
    asked: Option<Ticket>,
    /// Why the engine did not do what is written.
    refused: Option<String>,
}

impl Field {
    pub(super) fn text(label: &'static str, value: &str, help: &'static str) -> Field {
        Field { label, value: Value::Text(Input::new(value)), help }
    }

    pub(super) fn as_text(&self) -> &str {
        match &self.value {
            Value::Text(input) => input.text().trim(),
            Value::Toggle(on) => {
                if *on {
                    "yes"
                } else {
                    "no"
                }
            }
        }
    }
}

impl Form {
    fn new(kind: Kind, title: String, fields: Vec<Field>) -> Form {
        let mut form = Form { kind, title, fields, focus: 0, verdict: Ok(String::new()), asked: None, refused: None };
        form.check();
        form
    }

    /// `last`: the texts of the fields when something was last run.
    pub fn run(image: &str, last: &[String]) -> Form {
        Form::new(Kind::Run, String::from("Run a container"), run_form::fields(image, last))
    }

    pub fn limits(names: Vec<String>, now: &Limits) -> Form {
        let memory = now.memory.map(command::bytes).unwrap_or_default();
        let cpus = now.nano_cpus.map(|n| format!("{}", n as f64 / 1e9)).unwrap_or_default();
        let pids = now.pids.map(|p| p.to_string()).unwrap_or_default();
        let fields = vec![
            Field::text("memory", &memory, "64m, 1.5g"),
            Field::text("cpus", &cpus, "0.5, 2"),
            Field::text("pids", &pids, "number of processes"),
        ];
        Form::new(Kind::Limits(names.clone()), format!("Limits of {}", names.join(", ")), fields)
    }

    pub fn rename(name: &str) -> Form {
        let fields = vec![Field::text("name", name, "letters, digits, _ . -")];
        Form::new(Kind::Rename(name.to_owned()), format!("Rename {name}"), fields)
    }

    pub fn tag(image: &str) -> Form {
        let fields = vec![Field::text("new name", "", "registry/repository:tag")];
        Form::new(Kind::Tag(image.to_owned()), format!("Another name for {image}"), fields)
    }

    pub fn network() -> Form {
        Form::new(Kind::Network, String::from("Make a network"), network_form::fields())
    }

    /// `container`: the one that is offered.
    pub fn connect(network: &str, container: &str) -> Form {
        let title = format!("Connect a container to {network}");
        Form::new(Kind::Connect(network.to_owned()), title, network_form::connect_fields(container))
    }

    pub fn paste(&mut self, pasted: &str) {
        if let Value::Text(input) = &mut self.fields[self.focus].value {
            input.insert(pasted);
            self.check();
        }
    }

    pub fn click(&mut self, row: usize) -> Flow {
        if row < self.fields.len() {
            self.focus = row;
            self.toggle();
        }
        Flow::Keep
    }

    pub fn key(&mut self, app: &mut App, chord: Chord) -> Flow {
        let count = self.fields.len();
        match chord.code {
            KeyCode::Esc => return Flow::Close,
            KeyCode::Char('c') if chord.mods.contains(KeyModifiers::CONTROL) => return Flow::Close,
            KeyCode::Enter if self.asked.is_some() => {}
            KeyCode::Enter => return self.submit(app),
            KeyCode::Tab if chord.mods.contains(KeyModifiers::SHIFT) => self.focus = (self.focus + count - 1) % count,
            KeyCode::Up => self.focus = (self.focus + count - 1) % count,
            KeyCode::Tab | KeyCode::Down => self.focus = (self.focus + 1) % count,
            _ => {
                match &mut self.fields[self.focus].value {
                    Value::Text(input) => {
                        input.key(chord);
                    }
                    _ if matches!(chord.code, KeyCode::Char(' ') | KeyCode::Left | KeyCode::Right) => self.toggle(),
                    _ => {}
                }
                self.check();
            }
        }
        Flow::Keep
    }

    fn toggle(&mut self) {
        match &mut self.fields[self.focus].value {
            Value::Toggle(on) => *on = !*on,
            Value::Text(_) => {}
        }
        self.check();
    }

    fn submit(&mut self, app: &mut App) -> Flow {
        let request = match self.request() {
            Ok(request) => request,
            Err((field, _)) => {
                self.focus = field;
                self.check();
                return Flow::Keep;
            }
        };
        self.refused = None;
        self.asked = match (&self.kind, request) {
            (Kind::Run, Request::Run(args)) => {
                let texts = self.fields.iter().map(|f| f.as_text().to_owned()).collect();
                app.run(*args, texts, self)
            }
            (_, request) => Some(app.submit(Purpose::Act, request)),
        };
        if self.asked.is_some() { Flow::Keep } else { Flow::Close }
    }

    /// It is this request's answer that decides whether it stays.
    pub fn waits_for(&self, ticket: Ticket) -> bool {
        self.asked == Some(ticket)
    }

    /// What is written cannot be done; it can be changed and sent again.
    pub fn refuse(&mut self, why: String) {
        self.asked = None;
        self.refused = Some(why);
    }

    fn check(&mut self) {
        self.refused = None;
        self.verdict = self.request().map(|r| command::line(&r));
    }

    fn request(&self) -> Result<Request, Problem> {
        let text = |i: usize| self.fields[i].as_text();
        match &self.kind {
            Kind::Run => run_form::request(&self.fields),
            Kind::Network => network_form::create(&self.fields),
            Kind::Connect(network) => network_form::connect(network, &self.fields),
            Kind::Rename(name) => {
                check_name(text(0)).map_err(|e| (0, e.to_string()))?;
                Ok(Request::Rename { container: name.clone(), name: text(0).to_owned() })
            }
            Kind::Tag(_) if text(0).is_empty() => Err((0, String::from("what is it to be called?"))),
            Kind::Tag(image) => {
                let target: Reference = text(0).parse().map_err(|e| (0, format!("{e}")))?;
                Ok(Request::Tag(crate::engine::request::TagArgs { image: image.clone(), target }))
            }
            Kind::Limits(names) => {
                let limits = limits(&self.fields, [0, 1, 2])?;
                Ok(Request::Update { containers: names.clone(), limits: Box::new(limits), restart: None })
            }
        }
    }

    pub fn draw(&self, app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
        let height = self.fields.len() as u16 + 7;
        let foot = "Tab next · Space toggles · Enter does it · Esc closes";
        let inner = boxed(app, &self.title, foot, (84, height), area, buf);
        let label_width = self.fields.iter().map(|f| text::width(f.label)).max().unwrap_or(0) as u16;
        // On low screens the focused field stays in view.
        let rows = inner.height.saturating_sub(3).max(1);
        let first = (self.focus as u16 + 1).saturating_sub(rows);
        for (i, field) in self.fields.iter().enumerate().skip(usize::from(first)).take(usize::from(rows)) {
            let y = inner.y + i as u16 - first;
            if y >= inner.bottom() {
                break;
            }
            let line = Rect { y, height: 1, ..inner };
            scratch.mark(line, Hit::Overlay(i));
            self.draw_field(app, scratch, i, field, label_width, line, buf);
        }
        let room = usize::from(inner.width);
        let (note, role) = self.note(app);
        let top = inner.y + (self.fields.len() as u16).min(rows) + 1;
        for (y, line) in (top..inner.bottom()).zip(wrap(&note, room).iter().take(4)) {
            text::put(buf, inner.x, y, inner.width, line, app.theme.style(role));
        }
    }

    fn note(&self, app: &App) -> (String, Role) {
        let under_way = self.asked.and_then(|ticket| app.work.running.get(&ticket));
        match (under_way, &self.refused, &self.verdict) {
            (Some(task), _, _) => (format!("{} … Esc leaves it to itself", task.title), Role::Dim),
            (None, Some(why), _) => (why.clone(), Role::Error),
            (None, None, Ok(command)) => (command.clone(), Role::Dim),
            (None, None, Err((i, why))) => (format!("{}: {why}", self.fields[*i].label), Role::Error),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn draw_field(
        &self,
        app: &App,
        scratch: &mut Scratch,
        index: usize,
        field_: &Field,
        label_width: u16,
        line: Rect,
        buf: &mut Buffer,
    ) {
        let focused = index == self.focus;
        let role = if focused { Role::Accent } else { Role::Key };
        let label = text::fit(field_.label, usize::from(label_width));
        let x = text::put(buf, line.x, line.y, line.width, &label, app.theme.style(role)) + 2;
        let rest = Rect { x, width: line.right().saturating_sub(x), ..line };
        match &field_.value {
            Value::Text(input) => {
                if input.is_empty() {
                    text::put(
                        buf,
                        x + 1,
                        line.y,
                        rest.width.saturating_sub(1),
                        field_.help,
                        app.theme.style(Role::Dim),
                    );
                }
                if let Some(cursor) = field(app, input, rest, focused, buf) {
                    scratch.cursor = Some(cursor.into());
                }
            }
            Value::Toggle(on) => {
                let mark = if *on { "[x]" } else { "[ ]" };
                let end = text::put(buf, x, line.y, rest.width, mark, app.theme.style(Role::Text));
                let room = line.right().saturating_sub(end + 1);
                text::put(buf, end + 1, line.y, room, field_.help, app.theme.style(Role::Dim));
            }
        }
        if focused && !matches!(field_.value, Value::Text(_)) {
            buf.set_style(rest, app.theme.style(Role::Selection));
        }
    }
}

/// Memory, cpus and pids from three fields; empty means none.
pub(super) fn limits(fields: &[Field], at: [usize; 3]) -> Result<Limits, Problem> {
    let [memory, cpus, pids] = at.map(|i| fields[i].as_text());
    let mut limits = Limits::default();
    if !memory.is_empty() {
        let bytes = parse_bytes(memory).ok_or_else(|| (at[0], format!("'{memory}' is not a size such as 64m")))?;
        if bytes < 6 << 20 {
            return Err((at[0], String::from("at least 6m")));
        }
        limits.memory = Some(bytes);
    }
    if !cpus.is_empty() {
        let count = cpus.parse::<f64>().ok().filter(|c| c.is_finite() && *c >= 0.01 && *c <= 10_000.0);
        let count = count.ok_or_else(|| (at[1], format!("'{cpus}' is not a number of CPUs such as 0.5")))?;
        limits.nano_cpus = Some((count * 1e9) as u64);
    }
    if !pids.is_empty() {
        let count = pids.parse::<u64>().ok().filter(|c| *c > 0);
        limits.pids = Some(count.ok_or_else(|| (at[2], format!("'{pids}' is not a number of processes")))?);
    }
    Ok(limits)
}
