//! The log view as a user meets it: what is shown after records and keys.

use super::*;
use crate::model::log::Stream;
use crate::tui::theme::Theme;
use bytes::Bytes;
use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

fn record(second: i64, text: &str) -> LogRecord {
    let time = Timestamp(second * 1_000_000_000);
    LogRecord { time, stream: Stream::Stdout, partial: false, bytes: Bytes::copy_from_slice(text.as_bytes()) }
}

fn records(lines: impl IntoIterator<Item = String>) -> Vec<LogRecord> {
    lines.into_iter().enumerate().map(|(n, text)| record(n as i64, &text)).collect()
}

fn numbered(count: usize) -> LogView {
    let mut view = LogView::default();
    view.push(records((0..count).map(|n| format!("line {n}"))));
    view
}

fn screen(view: &mut LogView, width: u16, height: u16) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    view.draw(area, &mut buf, &Theme::default(), true, Timestamp(100_000_000_000));
    (0..height).map(|y| (0..width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned()).collect()
}

fn typed(view: &mut LogView, text: &str) {
    for c in text.chars() {
        let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
        view.prompt_key(KeyEvent::new(code, KeyModifiers::NONE));
    }
}

#[test]
fn follows_until_scrolled_and_counts_what_is_new() {
    let mut view = numbered(10);
    assert_eq!(screen(&mut view, 24, 3)[2], " 00:00:09 line 9       █");
    view.scroll(-3);
    assert!(!view.following());
    assert_eq!(screen(&mut view, 24, 3)[0], "▸00:00:06 line 6       │");
    view.push(vec![record(10, "later")]);
    assert_eq!(screen(&mut view, 24, 3)[0], "▸00:00:06 line 6       │");
    assert_eq!(view.status(), "PAUSED · 1 new · ts local · wrap · 11 lines");
    view.to_end();
    assert_eq!(screen(&mut view, 24, 3)[2], " 00:00:10 later        █");
    assert!(view.status().starts_with("FOLLOW"));
}

#[test]
fn search_counts_jumps_and_turns_into_a_filter() {
    let mut view = LogView::default();
    view.push(records((0..40).map(|n| if n % 10 == 0 { format!("Timed out {n}") } else { format!("ok {n}") })));
    screen(&mut view, 60, 5);
    view.search();
    typed(&mut view, "timed out\n");
    let shown = screen(&mut view, 70, 5);
    assert_eq!(shown[4], " /timed out   4 of 4   n/N next  & keep  ! drop  ^R regex  Esc close");
    assert!(shown.iter().any(|line| line.starts_with("▸00:00:30 Timed out 30")), "{shown:?}");
    view.next_hit(true);
    assert!(screen(&mut view, 70, 5)[4].contains("1 of 4"));
    view.filter(true);
    view.to_end();
    assert_eq!(screen(&mut view, 30, 4)[0], " 00:00:00 Timed out 0");
    assert!(view.status().ends_with("&timed out · 4 of 40 lines"), "{}", view.status());
    view.search();
    typed(&mut view, "0 20");
    assert_eq!(view.index.hits.len(), 0);
    view.escape();
    view.filter(false);
    typed(&mut view, "20\n");
    assert!(view.status().ends_with("3 of 40 lines"));
    assert!(view.escape() && view.escape() && !view.escape());
    assert!(view.status().ends_with(" 40 lines"));
}

#[test]
fn a_bad_expression_is_said_and_a_good_one_works() {
    let mut view = numbered(20);
    view.toggle_regex();
    view.search();
    typed(&mut view, "line (");
    assert!(screen(&mut view, 60, 4)[3].contains("unclosed group"));
    typed(&mut view, "1|2)$\n");
    screen(&mut view, 60, 4);
    let first = view.ring.first();
    assert_eq!(view.index.hits, [first + 1, first + 2]);
}

#[test]
fn errors_are_found_on_plain_json_and_stderr_lines() {
    let mut view = numbered(3);
    view.push(vec![record(3, r#"{"level":"error","msg":"x"}"#), record(4, "fine"), record(5, "ERROR: y")]);
    view.push(vec![LogRecord { stream: Stream::Stderr, ..record(6, "plain on stderr") }, record(7, "fine")]);
    let mut found = Vec::new();
    while view.next_error(false) {
        found.push(view.view.cursor.unwrap() - view.ring.first());
    }
    assert_eq!(found, [6, 5, 3]);
    assert!(view.next_error(true) && view.view.cursor == Some(view.ring.first() + 5));
}

#[test]
fn structured_lines_fold_and_unfold() {
    let mut view = LogView::default();
    view.cycle_time();
    view.cycle_time();
    view.push(vec![record(0, "plain"), record(1, r#"{"ts":1,"msg":"retry","level":"error"}"#)]);
    view.scroll(0);
    assert_eq!(screen(&mut view, 60, 3)[1], "▸{…} level=error msg=retry ts=1            Enter to unfold");
    assert!(view.unfold());
    assert_eq!(screen(&mut view, 40, 5)[1..], ["▸{…}", "▸    ts     1", "▸    msg    retry", "▸    level  error"]);
    view.to_start();
    assert!(!view.unfold());
}

#[test]
fn partial_records_join_and_long_lines_stay_cheap() {
    let mut view = LogView::default();
    let mut part = record(0, &"x".repeat(16 * 1024));
    part.partial = true;
    view.push(vec![part; 63]);
    view.push(vec![record(1, "end"), record(2, "next")]);
    assert_eq!(view.len(), 2);
    let shown = screen(&mut view, 80, 500);
    assert!(shown.iter().any(|line| line.contains("1.0M")), "{:?}", &shown[460..]);
    view.to_start();
    assert_eq!(view.copy_text().unwrap().len(), 63 * 16 * 1024 + 3);
}

#[test]
fn hostile_bytes_are_shown_harmless() {
    let mut view = LogView::default();
    view.cycle_time();
    view.cycle_time();
    view.push(vec![record(0, "a\x1b[2J\x1b]0;t\x07b\x1b[31mred\x1b[0m\x08\u{9b}c")]);
    let area = Rect::new(0, 0, 20, 1);
    let mut buf = Buffer::empty(area);
    view.draw(area, &mut buf, &Theme::default(), false, Timestamp(0));
    let line: String = (0..12).map(|x| buf[(x, 0)].symbol()).collect();
    assert_eq!(line, " abred␈c    ");
    assert_eq!(buf[(3, 0)].fg, ratatui::style::Color::Red);
}

#[test]
fn the_ring_is_bounded_and_keeps_its_indices() {
    let mut view = LogView::with_capacity(100, 1 << 20);
    view.query.search = Some(Matcher::new("line", false).unwrap());
    for batch in 0..50 {
        view.push(records((0..7).map(|n| format!("ERROR line {batch} {n}"))));
    }
    assert_eq!(view.len(), 100);
    assert_eq!((view.index.hits.len(), view.index.errors.len()), (100, 100));
    let mut small = LogView::with_capacity(1000, 1000);
    small.push(records((0..100).map(|n| format!("{n:100}"))));
    assert!(small.len() < 10);
    screen(&mut small, 20, 5);
}

#[test]
fn older_lines_come_before_those_held_and_are_searched_too() {
    let mut view = LogView::with_capacity(12, 1 << 20);
    let line = |n: i64| record(n, &format!("line {n}"));
    view.push((10..14).map(line).collect());
    view.set_older(10);
    screen(&mut view, 30, 3);
    assert!(!view.wants_older(), "nobody looks there");
    assert!(view.status().ends_with("last 4 lines"));
    view.to_start();
    let top =
        |view: &mut LogView| screen(view, 30, 3)[0].split(" line ").nth(1).map(|rest| rest[..2].trim().to_owned());
    assert_eq!(top(&mut view).as_deref(), Some("10"));
    assert!(view.wants_older(), "at the first line");
    view.set_search("line 9");
    view.prepend((7..10).map(line).collect());
    assert_eq!(view.index.hits.len(), 1);
    assert_eq!((view.older(), view.len()), (7, 7));
    view.to_start();
    assert_eq!(top(&mut view).as_deref(), Some("7"));
    // No more than there is room for, and then it is not asked for again.
    view.prepend((0..7).map(line).collect());
    assert_eq!((view.len(), view.wants_older()), (12, false));
    view.to_start();
    assert_eq!(top(&mut view).as_deref(), Some("2"));
    assert!(view.status().contains("last 12 lines"), "{}", view.status());
}

#[test]
fn a_filter_that_nothing_passes_shows_nothing() {
    let mut view = numbered(20);
    screen(&mut view, 30, 4);
    view.add_filter(true, Matcher::new("nowhere", false).unwrap());
    assert!(screen(&mut view, 30, 4).iter().all(|line| !line.contains("line")), "{:?}", screen(&mut view, 30, 4));
    assert!(view.status().ends_with("0 of 20 lines"));
}

#[test]
fn merged_sources_are_sorted_by_time() {
    let mut view = LogView::default();
    view.set_sources(vec!["web".into(), "db".into()]);
    view.push_from(0, vec![record(1, "a"), record(3, "c"), record(5, "e")]);
    view.push_from(1, vec![record(2, "b"), record(4, "d")]);
    let shown = screen(&mut view, 24, 5);
    let names: Vec<&str> = shown.iter().map(|line| &line[10..15]).collect();
    assert_eq!(names, ["web a", "db  b", "web c", "db  d", "web e"]);
}

#[test]
fn selection_copies_lines_and_marks_divide() {
    let mut view = numbered(5);
    view.mark(Timestamp(5_000_000_000));
    assert!(screen(&mut view, 40, 6)[5].starts_with(" ──── mark 1 · 00:00:05 ───"));
    view.scroll(-2);
    view.toggle_select();
    view.scroll(-1);
    assert_eq!(view.copy_text().as_deref(), Some("line 2\nline 3\n"));
    assert!(view.escape());
    assert_eq!(view.copy_text().as_deref(), Some("line 2"));
}

#[test]
fn every_size_can_be_drawn() {
    let mut view = numbered(50);
    view.push(vec![record(60, "漢字漢字漢字"), record(61, r#"{"a":1}"#)]);
    view.search();
    for wrap in [true, false] {
        for width in 0..14 {
            for height in 0..5 {
                screen(&mut view, width, height);
                view.scroll(-1);
                view.pan(3);
            }
        }
        view.to_end();
        if wrap {
            view.toggle_wrap();
        }
    }
}
