//! What the screen's parts cost: parsing output, drawing a terminal, taking in, searching and drawing logs, plotting.

use bytes::Bytes;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use teu::model::log::{LogRecord, Stream};
use teu::model::stats::Sample;
use teu::model::time::Timestamp;
use teu::tui::emulator::{Look, SLICE, Terminal};
use teu::tui::theme::Theme;
use teu::tui::views::logs::LogView;
use teu::tui::views::stats::StatsView;

const AREA: Rect = Rect { x: 0, y: 0, width: 200, height: 60 };

fn main() {
    for (name, line) in [
        ("y", "y\r\n".to_string()),
        ("text", format!("{}\r\n", "lorem ipsum dolor sit amet ".repeat(4))),
        ("colours", "\x1b[01;34mdir\x1b[0m  \x1b[01;32mprogram\x1b[0m  file.txt\r\n".to_string()),
        ("wide", "漢字かな交じり文 😀 текст\r\n".to_string()),
    ] {
        parse(name, &line);
    }
    frame();
    logs();
    stats();
}

fn parse(name: &str, line: &str) {
    let bytes = line.repeat((16 << 20) / line.len());
    let mut terminal = Terminal::new(AREA.width, AREA.height, 10_000);
    let took = time(|| bytes.as_bytes().chunks(SLICE).for_each(|slice| drop(terminal.feed(slice))));
    println!("parse {name:8} {:8.1} MB/s", bytes.len() as f64 / 1e6 / took.as_secs_f64());
}

fn frame() {
    let mut terminal = Terminal::new(AREA.width, AREA.height, 100);
    for n in 0..12_000u32 {
        let colour = format!("\x1b[38;2;{};{};{}m#", n % 256, n / 7 % 256, n / 50 % 256);
        terminal.feed(colour.as_bytes());
    }
    let mut buf = Buffer::empty(AREA);
    let rounds = 200;
    let took = time(|| (0..rounds).for_each(|_| terminal.render(AREA, &mut buf, &Look::default())));
    println!("terminal frame 200x60, every cell its own colour: {:?}", took / rounds);
}

fn logs() {
    let lines = 500_000;
    let records = |from: i64| -> Vec<LogRecord> {
        (from..from + 1000)
            .map(|n| LogRecord {
                time: Timestamp(n * 1_000_000),
                stream: Stream::Stdout,
                partial: false,
                bytes: Bytes::from(format!("10.0.0.{} GET /api/v1/items/{n} 200 {}ms", n % 256, n % 97)),
            })
            .collect()
    };
    let batches: Vec<_> = (0..lines / 1000).map(|n| records(n * 1000)).collect();
    let mut view = LogView::default();
    let took = time(|| batches.into_iter().for_each(|batch| view.push(batch)));
    println!("logs taken in: {:.0} lines/s, {} held", lines as f64 / took.as_secs_f64(), view.len());
    let mut buf = Buffer::empty(AREA);
    let mut draw = |view: &mut LogView| view.draw(AREA, &mut buf, &Theme::default(), true, Timestamp(0));
    let rounds = 200;
    let took = time(|| (0..rounds).for_each(|_| draw(&mut view)));
    println!("log frame 200x60: {:?}", took / rounds);
    let took = time(|| {
        view.search();
        view.paste("items/4999 ");
        while view.advance() {}
    });
    println!("log search over {} lines: {took:?}", view.len());
}

fn stats() {
    let sample = |n: i64| {
        Arc::new(Sample {
            time: Timestamp(n * 1_000_000_000),
            cpu_usec: (n * n) as u64 * 100,
            memory: 1 << 28,
            memory_limit: Some(1 << 29),
            ..Sample::default()
        })
    };
    let mut view = StatsView::default();
    view.set((0..3600).map(sample).collect());
    (0..9).for_each(|_| view.zoom(true));
    let mut buf = Buffer::empty(AREA);
    let rounds = 100;
    let took = time(|| (0..rounds).for_each(|_| view.draw_full(AREA, black_box(&mut buf), &Theme::default())));
    println!("stats frame 200x60, one hour: {:?}", took / rounds);
}

fn time(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}
