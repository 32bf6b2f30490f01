//! The containers pane: one dense line for each.

use super::Scratch;
use super::panel::{self, message};
use crate::model::container::Status;
use crate::model::health::HealthStatus;
use crate::tui::app::containers::{ContainerRow, SORTS};
use crate::tui::app::{App, Hit};
use crate::tui::panes::Pane;
use crate::tui::theme::Role;
use crate::tui::{figures, glyphs, list, ports, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Column starts for a pane's width; narrow panes do without some.
struct Columns {
    name: u16,
    name_width: u16,
    state: u16,
    cpu: u16,
    spark: bool,
    memory: u16,
    /// Memory is shown with its limit.
    limit: bool,
    /// Behind the figures.
    after: u16,
    /// Wide panes only.
    image: Option<(u16, u16)>,
    /// Only where something is published.
    ports: Option<(u16, u16)>,
    up: Option<u16>,
    shells: Option<u16>,
}

impl Columns {
    const LEAST_NAME: u16 = 10;
    /// `*:8080→8080` and a blank, at least.
    const PORTS: u16 = 13;
    const UP: u16 = 5;
    const SHELLS: u16 = 3;
    const SPARK: u16 = 5;
    const LIMIT: u16 = 6;

    fn of(inner: Rect, publishing: bool) -> Columns {
        // Marks 3, state 3, cpu 5 and a blank, memory 4 and a blank.
        let mut free = inner.width.saturating_sub(3 + 3 + 6 + 5);
        let with_ports = publishing && free >= Self::LEAST_NAME + Self::PORTS + Self::SHELLS;
        let mut take = |wanted: bool, columns: u16| {
            let fits = wanted && free >= Self::LEAST_NAME + columns;
            free -= if fits { columns } else { 0 };
            fits
        };
        // History and limit are in the stats pane too; who can reach a container must be seen from the list.
        let ports_first = take(with_ports, Self::PORTS) && take(true, Self::SHELLS);
        let up_first = take(ports_first, Self::UP);
        let limit = take(true, Self::LIMIT);
        let up = up_first || take(!ports_first, Self::UP);
        let spark = take(true, Self::SPARK);
        let shells = ports_first || take(true, Self::SHELLS);
        let image_width = if free >= 40 { free - 20 } else { free.saturating_sub(16) };
        let with_image = image_width >= 10;
        let name_width = if with_image { free - image_width } else { free };
        let name = inner.x + 3;
        let state = name + name_width;
        let cpu = state + 3;
        let memory = cpu + 6 + if spark { Self::SPARK } else { 0 };
        let after = memory + 5 + if limit { Self::LIMIT } else { 0 };
        // In a wide pane there is room for a few ports.
        let more = if with_ports { image_width.saturating_sub(30).min(17) } else { 0 };
        let ports = after + if with_image { image_width - more } else { 0 };
        let end = ports + if with_ports { Self::PORTS + more } else { 0 };
        Columns {
            name,
            name_width,
            state,
            cpu,
            spark,
            memory,
            limit,
            after,
            image: with_image.then_some((after, image_width - more)),
            ports: with_ports.then_some((ports, end - ports)),
            up: up.then_some(end),
            shells: shells.then_some(end + if up { Self::UP } else { 0 }),
        }
    }
}

pub fn draw(app: &App, scratch: &mut Scratch, area: Rect, buf: &mut Buffer) {
    let inner = panel::pieces(
        app,
        Pane::Containers,
        &[("Containers", Role::Title), (&title(app), Role::Dim)],
        &foot(&app.containers.list),
        area,
        buf,
    );
    if inner.height < 2 {
        return;
    }
    let columns = Columns::of(inner, app.containers.rows.iter().any(|r| !r.ports.is_empty()));
    headings(app, scratch, &columns, inner, buf);
    let body = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    let list = &app.containers.list;
    if app.containers.rows.is_empty() {
        return empty(app, body, buf);
    }
    let height = usize::from(body.height);
    let offset = list::scroll(scratch.offsets[0], list.selected_index(), list.order.len(), height);
    scratch.offsets[0] = offset;
    for (i, row) in app.containers.rows.iter().enumerate().skip(offset).take(height) {
        let y = body.y + (i - offset) as u16;
        let line = Rect { y, height: 1, ..body };
        scratch.mark(line, Hit::Row(Pane::Containers, i));
        draw_row(app, row, &columns, line, buf);
    }
}

fn title(app: &App) -> String {
    let list = &app.containers.list;
    let shown = if app.containers.show_all { "all" } else { "running" };
    format!(" {} · {} · {shown}", list.total, sort_title(list.sort, list.reverse))
}

fn sort_title(sort: usize, reverse: bool) -> &'static str {
    const DOWN: [&str; 6] = ["new first", "by name", "by status", "cpu↓", "memory↓", "uptime"];
    const UP: [&str; 6] = ["old first", "by name, reversed", "by status, reversed", "cpu↑", "memory↑", "uptime↑"];
    let names = if reverse { UP } else { DOWN };
    names[sort.min(SORTS.len() - 1)]
}

/// Filter, marks and counts of a list.
pub fn foot<K>(list: &list::List<K>) -> String {
    let mut foot = String::new();
    if list.filtering || !list.filter.is_empty() {
        foot = format!("/{}{} · ", list.filter.text(), if list.filtering { "_" } else { "" });
    }
    if !list.marks.is_empty() {
        foot.push_str(&format!("{} marked · ", list.marks.len()));
    }
    foot.push_str(&format!("{} of {}", list.order.len(), list.total));
    foot
}

fn headings(app: &App, scratch: &mut Scratch, c: &Columns, inner: Rect, buf: &mut Buffer) {
    let style = app.theme.style(Role::Header);
    let mut put = |x: u16, width: u16, name: &str, sort: usize| {
        text::put(buf, x, inner.y, width.min(inner.right().saturating_sub(x)), name, style);
        scratch.mark(Rect::new(x, inner.y, width, 1), Hit::Heading(Pane::Containers, sort));
    };
    put(c.name, c.name_width, "NAME", 1);
    put(c.state, 3, "ST", 2);
    put(c.cpu, 10, " CPU%", 3);
    put(c.memory, c.after - c.memory - 1, if c.limit { "     MEM" } else { " MEM" }, 4);
    if let Some((x, width)) = c.image {
        put(x, width, "IMAGE", 1);
    }
    if let Some((x, width)) = c.ports {
        put(x, width, "PORTS", 1);
    }
    if let Some(x) = c.up {
        put(x, 4, "UP", 5);
    }
    if let Some(x) = c.shells {
        put(x, 2, "SH", 0);
    }
}

fn draw_row(app: &App, row: &ContainerRow, c: &Columns, line: Rect, buf: &mut Buffer) {
    let list = &app.containers.list;
    let selected = list.selected.as_ref() == Some(&row.id);
    let put = |buf: &mut Buffer, x: u16, width: u16, content: &str, role: Role| {
        text::put(buf, x, line.y, width.min(line.right().saturating_sub(x)), content, app.theme.style(role));
    };
    if list.marks.contains(&row.id) {
        put(buf, line.x + 1, 1, glyphs::MARK, Role::Mark);
    } else if selected {
        put(buf, line.x + 1, 1, glyphs::CURSOR, Role::Accent);
    }
    let name_role = if row.status.is_live() { Role::Text } else { Role::Exited };
    put(
        buf,
        c.name,
        c.name_width,
        &text::fit(&text::sanitize(&row.name), usize::from(c.name_width.saturating_sub(1))),
        name_role,
    );
    let (glyph, role) = state_glyph(row);
    put(buf, c.state, 1, glyph, role);
    if let Some((glyph, role)) = row.health.map(health_glyph) {
        put(buf, c.state + 1, 1, glyph, role);
    }
    if row.ending.is_empty() {
        figures_of(app, row, c, line, buf);
    } else {
        let restarts = if row.restarts > 0 { format!("  x{}", row.restarts) } else { String::new() };
        let role = if row.failed { Role::Failed } else { Role::Exited };
        // What has ended publishes nothing: its end is told across the column.
        let end =
            c.ports.filter(|(x, _)| *x == c.after && row.ports.is_empty()).map_or(c.after, |(x, width)| x + width);
        let width = end - c.cpu - 1;
        let ending = format!("{}{restarts}", row.ending);
        put(buf, c.cpu, width, &text::truncate(&ending, usize::from(width)), role);
    }
    if let Some((x, width)) = c.image {
        let image = text::fit(&text::sanitize(&row.image), usize::from(width) - 1);
        put(buf, x, width, &image, Role::Dim);
    }
    if let Some((x, width)) = c.ports {
        let mut at = x;
        for (piece, role) in ports::fit(&row.ports, usize::from(width) - 1) {
            put(buf, at, x + width - at, &piece, role);
            at += text::width(&piece) as u16 + 1;
        }
    }
    let since = row.since.unwrap_or(row.created);
    if let Some(x) = c.up {
        put(buf, x, 4, &figures::age(app.now.seconds_since(since)), Role::Text);
    }
    match c.shells {
        Some(x) if row.alert => put(buf, x, 2, "!", Role::Warn),
        Some(x) if row.shells > 0 => put(buf, x, 2, &row.shells.to_string(), Role::Accent),
        _ => {}
    }
    if selected {
        let focused = app.panes.focus == Pane::Containers;
        buf.set_style(line, app.theme.style(if focused { Role::Selection } else { Role::SelectionDim }));
    }
}

/// CPU with its sparkline, memory with its limit.
fn figures_of(app: &App, row: &ContainerRow, c: &Columns, line: Rect, buf: &mut Buffer) {
    let put = |buf: &mut Buffer, x: u16, width: u16, content: &str, role: Role| {
        text::put(buf, x, line.y, width.min(line.right().saturating_sub(x)), content, app.theme.style(role));
    };
    if let Some(cpu) = row.cpu {
        let role = threshold(cpu / row.cpu_limit, Role::Text);
        put(buf, c.cpu, 5, &format!("{cpu:>5.1}"), role);
        if let Some(kills) = app.containers.recent_ooms(&row.id, app.now) {
            let word = if c.spark { format!("OOM{kills}") } else { String::new() };
            put(buf, c.cpu + 6, 5, &word, Role::Failed);
        } else if let Some(history) = app.containers.history.get(&row.id).filter(|_| c.spark) {
            let top = history.iter().copied().fold(5.0, f32::max);
            let spark = glyphs::sparkline(history.iter().copied(), 4, top);
            put(buf, c.cpu + 6, 4, &spark, threshold(cpu / row.cpu_limit, Role::Graph));
        }
    } else {
        put(buf, c.cpu, 5, "    -", Role::Dim);
    }
    match row.memory {
        Some(memory) => {
            let used = text::fit_right(&text::short_bytes(memory as f64), 4);
            let limit = row.memory_limit.map_or_else(|| String::from("-"), |l| text::short_bytes(l as f64));
            let share = row.memory_limit.map_or(0.0, |l| memory as f64 / l.max(1) as f64);
            put(buf, c.memory, 4, &used, threshold(share, Role::Text));
            if c.limit {
                put(buf, c.memory + 4, 6, &format!("/{limit}"), Role::Dim);
            }
        }
        None => put(buf, c.memory, 4, "   -", Role::Dim),
    }
}

/// Colour by how near a limit something is.
pub fn threshold(share: f64, normal: Role) -> Role {
    if share >= 0.9 {
        Role::GraphCritical
    } else if share >= 0.7 {
        Role::GraphHigh
    } else {
        normal
    }
}

/// A shape and a colour, because colour alone fails.
pub fn state_glyph(row: &ContainerRow) -> (&'static str, Role) {
    match row.status {
        Status::Running => (glyphs::RUNNING, Role::Running),
        Status::Orphaned => (glyphs::ORPHANED, Role::Warn),
        Status::Paused => (glyphs::PAUSED, Role::Paused),
        Status::Restarting => (glyphs::RESTARTING, Role::Paused),
        _ if row.failed => (glyphs::FAILED, Role::Failed),
        Status::Created => (glyphs::CREATED, Role::Exited),
        Status::Exited => (glyphs::EXITED, Role::Exited),
    }
}

/// Beside the state's.
fn health_glyph(health: HealthStatus) -> (&'static str, Role) {
    match health {
        HealthStatus::Starting => (glyphs::STARTING, Role::Paused),
        HealthStatus::Healthy => (glyphs::HEALTHY, Role::Running),
        HealthStatus::Unhealthy => (glyphs::FAILED, Role::Failed),
    }
}

/// An empty list says what to do next.
fn empty(app: &App, body: Rect, buf: &mut Buffer) {
    let list = &app.containers.list;
    let line = |text: String, role| (text, role);
    let lines = if !app.loaded {
        vec![line("reading...".into(), Role::Dim)]
    } else if list.total > 0 {
        vec![
            line(format!("none of {} matches the filter", list.total), Role::Text),
            line(String::from("Esc clears it"), Role::Dim),
        ]
    } else if !app.inventory.containers.is_empty() {
        vec![line("nothing runs".into(), Role::Text), line("a shows the stopped ones too".into(), Role::Dim)]
    } else {
        vec![
            line("No containers yet.".into(), Role::Title),
            line(String::new(), Role::Text),
            line("Enter  a shell in localhost/starter, made from".into(), Role::Accent),
            line("       this machine's own tools; works offline".into(), Role::Dim),
            line("n      run any image    P  pull one".into(), Role::Accent),
        ]
    };
    message(&lines, app, body, buf);
}
