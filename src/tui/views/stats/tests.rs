//! The stats view's plots and words as text.

use super::*;
use crate::model::stats::Pressure;
use crate::model::time::Timestamp;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const MIB: u64 = 1 << 20;

fn sample(second: u64) -> Arc<Sample> {
    // A saw of 0 to 90 % of the limit of two CPUs.
    let cpu_usec = (1..=second).map(|s| s % 10 * 200_000).sum();
    Arc::new(Sample {
        time: Timestamp(second as i64 * 1_000_000_000),
        cpu_usec,
        periods: Some(second * 10),
        throttled: Some(second * 10 * 63 / 100),
        memory: 300 * MIB,
        memory_limit: Some(512 * MIB),
        memory_anon: Some(200 * MIB),
        memory_file: Some(100 * MIB),
        memory_inactive_file: Some(60 * MIB),
        oom_kills: Some(1),
        pids: 14,
        pids_limit: Some(512),
        net_rx: second * 310 * 1024,
        net_tx: second * 42 * 1024,
        net_rx_packets: Some(second * 240),
        net_tx_packets: Some(second * 31),
        net_rx_dropped: Some(3),
        net_tx_dropped: Some(0),
        io_write: second * 1024 * 1024,
        cpu_limit_millis: Some(2000),
        psi_cpu: Some(Pressure { some_avg10: 30, ..Pressure::default() }),
        ..Sample::default()
    })
}

fn view(seconds: impl IntoIterator<Item = u64>) -> StatsView {
    let mut view = StatsView::default();
    view.set(seconds.into_iter().map(sample).collect());
    view
}

fn text_of(buf: &Buffer) -> Vec<String> {
    let area = buf.area;
    (0..area.height)
        .map(|y| (0..area.width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned())
        .collect()
}

fn compact(view: &StatsView, width: u16, height: u16) -> Vec<String> {
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    view.draw_compact_with(buf.area, &mut buf, &Theme::default(), 2);
    text_of(&buf)
}

fn full(view: &StatsView, width: u16, height: u16) -> Vec<String> {
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    view.draw_full(buf.area, &mut buf, &Theme::default());
    text_of(&buf)
}

#[test]
fn the_compact_form_says_it_all_in_five_rows() {
    let shown = compact(&view(0..=60), 48, 7);
    assert_eq!(
        shown,
        [
            " cpu 0.0% of 200%   throttled 70%   psi 0.3",
            " ▁▂▂▄▅▆▇▁▁▂▃▄▅▆▇▁▂▂▃▅▆▆▇▁▂▂▄▅▆▇▁▁▂▃▄▅▆▇▁▂▂▃▅▆▆▇",
            " mem 240M/512M 47%  ████▒▒░░░░░  OOM killed 1x",
            " net ↓310K/s ↑42K/s   disk r 0/s w 1.0M/s",
            " pids 14/512   cpu.max 2.0   mem.max 512M",
            "",
            ""
        ]
        .map(str::to_owned)
    );
}

#[test]
fn gaps_are_left_out_and_the_cursor_reads_a_moment() {
    let mut view = view((0..=20).chain(41..=60));
    let shown = compact(&view, 62, 7);
    assert_eq!(shown[1].chars().skip(22).take(20).collect::<String>(), " ".repeat(20));
    view.move_cursor(0);
    view.move_cursor(-3);
    assert_eq!(view.status(), "LIVE 60s · at -3s");
    assert!(compact(&view, 62, 7)[0].starts_with(" cpu 140% of 200%"), "{:?}", compact(&view, 62, 7)[0]);
    assert!(view.escape() && !view.escape());
}

#[test]
fn hold_and_zoom_keep_the_picture() {
    let mut view = view(0..=100);
    view.zoom(false);
    view.toggle_hold();
    let before = full(&view, 60, 20);
    view.push(sample(101));
    view.push(sample(50));
    assert_eq!(full(&view, 60, 20), before);
    assert_eq!(view.status(), "HELD 30s");
    (0..9).for_each(|_| view.zoom(true));
    assert_eq!(view.status(), "HELD 1h");
}

#[test]
fn the_full_form_names_every_figure() {
    let shown = full(&view(0..=60), 100, 30).join("\n");
    for word in [
        "cpu 0.0% of 200%",
        "throttled 70%",
        "mem 240M 47%   limit 512M   OOM killed 1x   anon 200M   cache 100M",
        "pressure (10 s)   cpu 0.3%",
        "net in 310K/s   out 42K/s   240/31 packets/s   dropped 3 in, 0 out   total 18M in, 2.5M out",
        "disk read 0/s   write 1.0M/s",
        "pids 14   limit 512",
        "-60s───",
        "now",
        "limit 512M",
    ] {
        assert!(shown.contains(word), "{word} is not in\n{shown}");
    }
}

#[test]
fn every_glyph_set_and_size_can_be_drawn() {
    let mut view = view(0..=60);
    view.move_cursor(-5);
    for _ in 0..3 {
        for width in [0, 1, 2, 7, 40] {
            for height in [0, 1, 2, 3, 9] {
                compact(&view, width, height);
                full(&view, width, height);
            }
        }
        view.cycle_glyphs();
    }
    view.cycle_glyphs();
    view.cycle_glyphs();
    let ascii = compact(&view, 40, 5)[1].clone();
    assert!(ascii.replace('│', "").is_ascii(), "{ascii}");
    assert!(compact(&StatsView::default(), 40, 5).iter().all(String::is_empty));
}

#[test]
fn a_sparkline_is_as_wide_as_asked() {
    assert_eq!(sparkline(&[0.0, 50.0, 100.0], 100.0, 4), " ▁▄█");
    assert_eq!(sparkline(&[1.0; 9], 1.0, 3), "███");
    assert_eq!(sparkline(&[], 1.0, 2), "  ");
}
