//! The stats tab: every metric as a plot, one below the other on the same time axis.

use super::compact::{Word, cpu_words, oom_word, words};
use super::series::{Metric, Moment};
use super::{StatsView, WINDOWS, bytes, cpu_limit, percent, plot, rate, share_role, window_name};
use crate::model::stats::{Pressure, Rates, Sample};
use crate::tui::text;
use crate::tui::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A title line and the plots below it.
struct Panel {
    words: Vec<Word>,
    plots: Vec<(Metric, Option<f64>)>,
}

impl StatsView {
    /// Draws as many plots as there is room for, the most telling first.
    pub fn draw_full(&self, area: Rect, buf: &mut Buffer, theme: &Theme) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let Some(moment) = self.told() else {
            text::put(buf, area.x + 1, area.y, area.width.saturating_sub(1), "no figures yet", theme.style(Role::Dim));
            return;
        };
        let mut panels = panels(moment);
        let plots = Rect { height: area.height.saturating_sub(1), ..area };
        let needed = |panels: &[Panel]| panels.iter().map(|p| 1 + p.plots.len() as u16).sum::<u16>();
        while panels.len() > 1 && needed(&panels) > plots.height {
            panels.pop();
        }
        let plot_count = panels.iter().map(|p| p.plots.len() as u16).sum::<u16>().max(1);
        let mut spare = plots.height.saturating_sub(needed(&panels));
        let extra = spare / plot_count;
        spare %= plot_count;
        let mut y = plots.y;
        for panel in panels {
            words(Rect { y, height: u16::from(y < plots.bottom()), ..plots }, buf, theme, &panel.words);
            y += 1;
            for (metric, limit) in panel.plots {
                let height = 1 + extra + u16::from(spare > 0);
                spare = spare.saturating_sub(1);
                let place =
                    Rect { x: plots.x + 1, y, width: plots.width.saturating_sub(2), height }.intersection(plots);
                self.draw_metric(place, buf, theme, metric, limit);
                y += height;
            }
        }
        self.draw_axis(Rect { y: area.bottom() - 1, height: 1, ..area }, buf, theme);
    }

    fn draw_metric(&self, place: Rect, buf: &mut Buffer, theme: &Theme, metric: Metric, limit: Option<f64>) {
        if place.is_empty() {
            return;
        }
        let top = self.draw_plot(place, buf, theme, metric, limit);
        if metric == Metric::Memory {
            self.draw_cache(place, buf, theme, top);
        }
        let label = scale_label(metric, top, limit.is_some());
        let width = text::width(&label) as u16;
        if place.width > width + 10 {
            let x = place.right() - width;
            // Only where the plot leaves the corner free.
            if (x..place.right()).all(|x| buf[(x, place.y)].symbol() == " ") {
                text::put(buf, x, place.y, width, &label, theme.style(Role::Dim));
            }
        }
        if limit.is_some_and(|l| l * 1.1 >= top) {
            limit_line(place, buf, theme);
        }
    }

    /// What of the memory is page cache is drawn lighter, over the plot's upper part.
    fn draw_cache(&self, place: Rect, buf: &mut Buffer, theme: &Theme, top: f64) {
        let Some(axis) = self.axis(place.width.into()) else { return };
        let anon = axis.values(&self.moments, Metric::MemoryAnon);
        let per = plot::per_cell(self.glyphs);
        for (cell, anon) in anon.chunks(per).enumerate() {
            let Some(anon) = anon.iter().flatten().copied().reduce(f64::max).filter(|_| top > 0.0) else { continue };
            for row in 0..place.height {
                let floor = f64::from(place.height - 1 - row) / f64::from(place.height);
                let Some(out) = buf.cell_mut((place.x + cell as u16, place.y + row)) else { continue };
                if floor >= anon / top && out.symbol() != " " && out.symbol() != "│" {
                    out.set_style(theme.style(Role::GraphTrack));
                }
            }
        }
    }

    fn draw_axis(&self, row: Rect, buf: &mut Buffer, theme: &Theme) {
        let style = theme.style(Role::Dim);
        let start = format!("-{}", window_name(WINDOWS[self.window]));
        let end = if self.held.is_some() { "held" } else { "now" };
        let line =
            format!("{start}{}{end}", "─".repeat(usize::from(row.width).saturating_sub(start.len() + end.len() + 2)));
        text::put(buf, row.x + 1, row.y, row.width.saturating_sub(1), &line, style);
        if let (Some(cursor), Some(end)) = (self.cursor, self.end()) {
            let label = format!(" -{}s ", end.seconds_since(cursor));
            let x = row.x + row.width / 2;
            text::put(buf, x, row.y, row.right() - x, &label, theme.style(Role::Accent));
        }
    }
}

/// A dotted line where the scale ends at a limit, behind what is drawn there.
pub(super) fn limit_line(place: Rect, buf: &mut Buffer, theme: &Theme) {
    if place.height < 2 {
        return;
    }
    for x in place.x..place.right() {
        if let Some(cell) = buf.cell_mut((x, place.y)).filter(|c| c.symbol() == " ") {
            cell.set_symbol("┈").set_style(theme.style(Role::Dim));
        }
    }
}

fn panels(moment: &Moment) -> Vec<Panel> {
    let sample = &moment.sample;
    let rates = moment.rates;
    let mut cpu = vec![(Metric::Cpu, cpu_limit(sample))];
    if sample.periods.is_some() && sample.cpu_limit_millis.is_some() {
        cpu.push((Metric::Throttled, Some(100.0)));
    }
    let mut all = vec![
        Panel { words: cpu_words(moment), plots: cpu },
        Panel { words: memory_words(sample), plots: vec![(Metric::Memory, sample.memory_limit.map(|l| l as f64))] },
        Panel {
            words: vec![
                (format!("net in {}", rate(rates.map(|r| r.net_rx))), Role::Text),
                (format!("out {}", rate(rates.map(|r| r.net_tx))), Role::Text),
                packets_word(moment),
                dropped_word(sample),
                (format!("total {} in, {} out", bytes(sample.net_rx), bytes(sample.net_tx)), Role::Dim),
            ],
            plots: vec![(Metric::NetIn, None), (Metric::NetOut, None)],
        },
        Panel {
            words: vec![
                (format!("disk read {}", rate(rates.map(|r| r.io_read))), Role::Text),
                (format!("write {}", rate(rates.map(|r| r.io_write))), Role::Text),
                (format!("total {} read, {} written", bytes(sample.io_read), bytes(sample.io_write)), Role::Dim),
            ],
            plots: vec![(Metric::DiskRead, None), (Metric::DiskWrite, None)],
        },
        Panel { words: pids_words(sample), plots: vec![(Metric::Pids, sample.pids_limit.map(|l| l as f64))] },
    ];
    let pressures = pressure_words(sample);
    if !pressures.is_empty() {
        all.insert(2, Panel { words: pressures, plots: vec![(Metric::Pressure, None)] });
    }
    all
}

/// Packets a second, both ways.
fn packets_word(moment: &Moment) -> Word {
    let counted = moment.rates.filter(|_| moment.sample.net_rx_packets.is_some());
    let word = |r: Rates| format!("{:.0}/{:.0} packets/s", r.net_rx_packets, r.net_tx_packets);
    (counted.map(word).unwrap_or_default(), Role::Text)
}

/// Packets lost so far.
fn dropped_word(sample: &Sample) -> Word {
    match (sample.net_rx_dropped, sample.net_tx_dropped) {
        (Some(0), Some(0)) => (String::from("none dropped"), Role::Dim),
        (Some(rx), Some(tx)) => (format!("dropped {rx} in, {tx} out"), Role::Warn),
        _ => (String::new(), Role::Text),
    }
}

fn memory_words(sample: &Sample) -> Vec<Word> {
    let used = sample.memory_used();
    let share = sample.memory_limit.map(|limit| used as f64 / limit.max(1) as f64);
    let role = share.filter(|s| *s >= 0.7).map_or(Role::Text, share_role);
    let figure = |name: &str, value: Option<u64>| value.map(|v| format!("{name} {}", bytes(v))).unwrap_or_default();
    let limit = match sample.memory_limit {
        Some(limit) => format!("limit {}", bytes(limit)),
        None => "no limit".into(),
    };
    let events = |name: &str, n: Option<u64>| n.filter(|n| *n > 0).map(|n| format!("{name} {n}x")).unwrap_or_default();
    vec![
        (format!("mem {}{}", bytes(used), share.map(|s| format!(" {:.0}%", s * 100.0)).unwrap_or_default()), role),
        (limit, Role::Text),
        oom_word(sample),
        (figure("anon", sample.memory_anon), Role::Text),
        (figure("cache", sample.memory_file), Role::Dim),
        (figure("kernel", sample.memory_kernel), Role::Dim),
        (figure("swap", sample.swap.filter(|s| *s > 0)), Role::Warn),
        (events("at limit", sample.memory_max_events), Role::Warn),
        (events("at high", sample.memory_high_events), Role::Warn),
    ]
}

fn pids_words(sample: &Sample) -> Vec<Word> {
    let limit = match sample.pids_limit {
        Some(limit) => format!("limit {limit}"),
        None => "no limit".into(),
    };
    vec![(format!("pids {}", sample.pids), Role::Text), (limit, Role::Text)]
}

fn pressure_words(sample: &Sample) -> Vec<Word> {
    let word = |name: &str, p: Option<Pressure>| {
        p.map(|p| {
            let some = f64::from(p.some_avg10) / 100.0;
            (format!("{name} {}", percent(Some(some))), if some >= 10.0 { Role::Warn } else { Role::Text })
        })
    };
    let all: Vec<Word> = [word("cpu", sample.psi_cpu), word("memory", sample.psi_memory), word("io", sample.psi_io)]
        .into_iter()
        .flatten()
        .collect();
    if all.is_empty() {
        return all;
    }
    [vec![("pressure (10 s)".to_string(), Role::Text)], all].concat()
}

fn scale_label(metric: Metric, top: f64, limited: bool) -> String {
    let value = match metric {
        Metric::Cpu | Metric::Throttled | Metric::Pressure => format!("{top:.0}%"),
        Metric::Pids => format!("{top:.0}"),
        Metric::Memory | Metric::MemoryAnon => text::short_bytes(top),
        Metric::NetIn | Metric::NetOut | Metric::DiskRead | Metric::DiskWrite => rate(Some(top)),
    };
    let name = match metric {
        Metric::Throttled => "throttled ",
        Metric::NetIn => "in ",
        Metric::NetOut => "out ",
        Metric::DiskRead => "read ",
        Metric::DiskWrite => "write ",
        _ if limited => "limit ",
        _ => "top ",
    };
    format!("{name}{value}")
}
