//! The shells pane as a user meets it.

use super::*;
use crate::tui::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use std::time::Duration;

const AREA: Rect = Rect { x: 1, y: 2, width: 40, height: 6 };

fn shells(names: &[&str]) -> (Shells, Vec<TermId>) {
    let mut shells = Shells::new(Leader::default(), 1000);
    shells.resize(AREA);
    let open = |name: &&str| Open { container: (*name).into(), program: "sh".into(), owner: (*name).into() };
    let ids = names.iter().map(|name| shells.open(open(name), Place::Tab)).collect();
    (shells, ids)
}

fn key(c: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)
}

fn leader() -> KeyEvent {
    KeyEvent::new(KeyCode::Char('5'), KeyModifiers::CONTROL)
}

fn after_leader(shells: &mut Shells, c: char) -> ShellOutcome {
    assert_eq!(shells.key(leader()), ShellOutcome::None);
    assert!(shells.leader_pending());
    shells.key(key(c))
}

fn sent(outcome: ShellOutcome) -> Vec<(TermId, String)> {
    match outcome {
        ShellOutcome::Send(all) => all.into_iter().map(|(id, b)| (id, String::from_utf8(b).unwrap())).collect(),
        other => panic!("{other:?}"),
    }
}

fn screen(shells: &mut Shells) -> (Vec<String>, Option<ShellCursor>) {
    let mut buf = Buffer::empty(Rect::new(0, 0, 42, 9));
    let cursor = shells.draw(AREA, &mut buf, &Theme::default(), true);
    let row = |y| (0..42).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    ((0..9).map(row).collect(), cursor)
}

fn mouse(kind: MouseEventKind, column: u16, row: u16) -> MouseEvent {
    MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }
}

#[test]
fn every_key_but_the_leader_reaches_the_program() {
    let (mut shells, ids) = shells(&["web"]);
    for c in ['c', 'd', 'p', 'r', 'z', 'q'] {
        let control = KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        assert_eq!(sent(shells.key(control)), [(ids[0], char::from(c as u8 & 0x1f).to_string())]);
        assert_eq!(sent(shells.key(key(c))), [(ids[0], c.to_string())]);
    }
    assert_eq!(sent(shells.key(KeyEvent::from(KeyCode::Esc))), [(ids[0], "\x1b".into())]);
    shells.key(leader());
    assert_eq!(sent(shells.key(leader())), [(ids[0], "\x1d".into())]);
    assert_eq!(sent(after_leader(&mut shells, 'y')), [(ids[0], "\x1dy".into())]);
    assert_eq!(after_leader(&mut shells, 'd'), ShellOutcome::Leave);
    shells.key(leader());
    assert!(shells.hint(true).starts_with("Ctrl-] … d leave · ? help · c new"));
    assert_eq!(shells.key(KeyEvent::from(KeyCode::Esc)), ShellOutcome::None);
    assert!(!shells.leader_pending());
}

#[test]
fn tabs_show_names_badges_and_ends() {
    let (mut shells, ids) = shells(&["web", "web", "api"]);
    shells.select_tab(0);
    assert_eq!(shells.tabs_line(&Theme::default(), 60).to_string(), "[1 web:sh]  2 web:sh  3 api:sh");
    shells.feed(ids[1], b"output");
    shells.feed(ids[2], b"\x07");
    assert_eq!(shells.tabs_line(&Theme::default(), 60).to_string(), "[1 web:sh]  2 web:sh*  3 api:sh!");
    assert!(!shells.exited(ids[2], End::Exited(0)));
    after_leader(&mut shells, '2');
    assert_eq!(shells.tabs_line(&Theme::default(), 60).to_string(), "1 web:sh  [2 web:sh]  3 api:sh! (exit 0)");
    // Where they do not all fit, the shown one does.
    assert_eq!(shells.tabs_line(&Theme::default(), 14).to_string(), "[2 web:sh]  3 api:sh! (exit 0)");
    assert_eq!(shells.tab_at(0, 14), Some(1));
    assert_eq!(
        (shells.tab_at(0, 60), shells.tab_at(12, 60), shells.tab_at(8, 60), shells.tab_at(99, 60)),
        (Some(0), Some(1), None, None)
    );
    assert_eq!(shells.live(), 2);
    assert_eq!(shells.of_owner("web"), [ids[0], ids[1]]);
    after_leader(&mut shells, 'n');
    assert_eq!(shells.current(), Some(ids[2]));
    assert_eq!(shells.key(KeyEvent::from(KeyCode::Enter)), ShellOutcome::Command(ShellCommand::Close(ids[2])));
    shells.close(ids[2]);
    assert_eq!(shells.current(), Some(ids[1]));
    shells.close(ids[0]);
    shells.close(ids[1]);
    assert!(shells.is_empty() && shells.hint(true).is_empty());
    assert_eq!(shells.key(key('x')), ShellOutcome::Leave);
}

#[test]
fn what_is_fed_is_drawn_at_its_place() {
    let (mut shells, ids) = shells(&["web"]);
    assert_eq!(shells.size(ids[0]), Some((40, 6)));
    shells.feed(ids[0], b"/ # ls\r\nbin  etc\r\n/ # ");
    let (rows, cursor) = screen(&mut shells);
    assert_eq!(rows[2..5], [" / # ls", " bin  etc", " / #"]);
    assert_eq!(cursor.map(|c| (c.position.x, c.position.y)), Some((5, 4)));
    assert_eq!(shells.hint(true), "INPUT → web:sh · leader Ctrl-]");
    shells.exited(ids[0], End::Exited(137));
    let (rows, cursor) = screen(&mut shells);
    assert!(rows[7].contains("exit 137 · Enter closes") && cursor.is_none());
    assert!(shells.takes(key('r')) && shells.takes(leader()) && !shells.takes(key('?')));
    assert_eq!(shells.key(key('r')), ShellOutcome::Command(ShellCommand::Rerun(ids[0])));
}

#[test]
fn splits_share_the_area_and_tell_new_sizes() {
    let (mut shells, ids) = shells(&["web"]);
    assert_eq!(after_leader(&mut shells, '%'), ShellOutcome::Command(ShellCommand::New(Some(Split::Right))));
    let open = Open { container: "web".into(), program: "bash".into(), owner: "web".into() };
    let second = shells.open(open, Place::Split(Split::Right));
    assert_eq!(shells.size(second), Some((20, 6)));
    assert_eq!(shells.resize(AREA), [(ids[0], 19, 6)]);
    shells.feed(ids[0], b"left");
    shells.feed(second, b"right");
    let (rows, cursor) = screen(&mut shells);
    assert_eq!(rows[2], format!(" left{:15}│right", ""));
    assert_eq!(cursor.map(|c| c.position.x), Some(1 + 20 + 5));
    assert_eq!(shells.tabs_line(&Theme::default(), 60).to_string(), "[1 web:bash+1]");
    after_leader(&mut shells, 'o');
    assert_eq!(sent(shells.key(key('a'))), [(ids[0], "a".into())]);
    after_leader(&mut shells, '=');
    assert_eq!(shells.hint(true), "BROADCAST → 2 shells · leader Ctrl-]");
    assert_eq!(sent(shells.key(key('a'))), [(ids[0], "a".into()), (second, "a".into())]);
    shells.close(second);
    assert_eq!(shells.resize(AREA), [(ids[0], 40, 6)]);
}

#[test]
fn the_wheel_looks_back_and_a_key_returns() {
    let (mut shells, ids) = shells(&["web"]);
    (0..30).for_each(|n| drop(shells.feed(ids[0], format!("\r\nline {n}").as_bytes())));
    assert_eq!(shells.mouse(mouse(MouseEventKind::ScrollUp, 5, 3), Instant::now()), ShellOutcome::None);
    assert!(shells.hint(true).ends_with("3 of 25 back"));
    shells.key(KeyEvent::new(KeyCode::PageUp, KeyModifiers::SHIFT));
    assert!(shells.hint(true).ends_with("9 of 25 back"));
    sent(shells.key(key('x')));
    assert!(shells.hint(true).ends_with("back 25"));
    // A program with the mouse gets the wheel, at its own coordinates.
    shells.feed(ids[0], b"\x1b[?1000h\x1b[?1006h");
    let wheel = shells.mouse(mouse(MouseEventKind::ScrollUp, 5, 3), Instant::now());
    assert_eq!(sent(wheel), [(ids[0], "\x1b[<64;5;2M".into())]);
}

#[test]
fn a_drag_copies_and_two_clicks_copy_a_word() {
    let (mut shells, ids) = shells(&["web"]);
    shells.feed(ids[0], b"one two three");
    let now = Instant::now();
    let down = MouseEventKind::Down(MouseButton::Left);
    let up = MouseEventKind::Up(MouseButton::Left);
    shells.mouse(mouse(down, 1, 2), now);
    shells.mouse(mouse(MouseEventKind::Drag(MouseButton::Left), 3, 2), now);
    assert_eq!(shells.mouse(mouse(up, 3, 2), now), ShellOutcome::Copy("one".into()));
    let later = now + Duration::from_secs(1);
    shells.mouse(mouse(down, 6, 2), later);
    assert_eq!(shells.mouse(mouse(up, 6, 2), later), ShellOutcome::None);
    shells.mouse(mouse(down, 6, 2), later + Duration::from_millis(100));
    assert_eq!(shells.mouse(mouse(up, 6, 2), later), ShellOutcome::Copy("two".into()));
    assert_eq!(shells.mouse(mouse(down, 0, 0), now), ShellOutcome::None);
}

#[test]
fn copy_mode_selects_searches_and_leaves() {
    let (mut shells, ids) = shells(&["web"]);
    (0..30).for_each(|n| drop(shells.feed(ids[0], format!("\r\nline {n} end").as_bytes())));
    after_leader(&mut shells, '/');
    for c in "line 4 ".chars() {
        shells.key(key(c));
    }
    let (rows, _) = screen(&mut shells);
    assert_eq!(rows[7].trim(), "?line 4 _");
    shells.key(KeyEvent::from(KeyCode::Enter));
    shells.key(key('V'));
    shells.key(key('2'));
    shells.key(key('j'));
    let copied = shells.key(key('y'));
    assert_eq!(copied, ShellOutcome::Copy("line 4 end\nline 5 end\nline 6 end\n".into()));
    assert!(!shells.in_copy_mode());
    after_leader(&mut shells, '[');
    assert_eq!(shells.paste("ignored"), ShellOutcome::None);
    shells.key(key('q'));
    assert_eq!(sent(shells.paste("a\nb")), [(ids[0], "a\rb".into())]);
}

#[test]
fn programs_that_ask_hear_of_the_keyboard() {
    let (mut shells, ids) = shells(&["web"]);
    assert_eq!(shells.focus(true), ShellOutcome::None);
    shells.feed(ids[0], b"\x1b[?1004h");
    assert_eq!(sent(shells.focus(false)), [(ids[0], "\x1b[O".into())]);
}

#[test]
fn only_what_is_visible_makes_a_frame() {
    let (mut shells, ids) = shells(&["a", "b"]);
    screen(&mut shells);
    shells.take_dirty();
    assert!(!shells.take_dirty());
    shells.feed(ids[0], b"hidden");
    assert!(shells.take_dirty(), "the badge is new");
    shells.feed(ids[0], b"still hidden");
    assert!(!shells.take_dirty());
    shells.feed(ids[1], b"shown");
    assert!(shells.take_dirty());
}

#[test]
fn any_area_can_be_drawn() {
    let (mut shells, _) = shells(&["a"]);
    shells.open(Open::default(), Place::Split(Split::Below));
    shells.open(Open::default(), Place::Split(Split::Right));
    for width in 0..5 {
        for height in 0..4 {
            let area = Rect::new(0, 0, width, height);
            shells.resize(area);
            let mut buf = Buffer::empty(area);
            shells.draw(area, &mut buf, &Theme::default(), true);
        }
    }
}
