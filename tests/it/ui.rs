//! The screen without a terminal: messages in, commands and drawn text out.

mod fixture;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use fixture::NOW;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::Arc;
use teu::tui::app::{App, Cmd, Msg};
use teu::tui::keys::Chord;
use teu::tui::views::{self, Scratch};

fn draw(app: &mut App) -> (String, Scratch) {
    let mut terminal = Terminal::new(TestBackend::new(app.size.0, app.size.1)).unwrap();
    let mut scratch = Scratch::default();
    terminal.draw(|frame| views::draw(app, &mut scratch, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let lines = buffer.content.chunks(usize::from(app.size.0).max(1)).map(|row| {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned()
    });
    (lines.collect::<Vec<_>>().join("\n"), scratch)
}

fn screen(app: &mut App) -> String {
    draw(app).0
}

fn press(app: &mut App, keys: &str) -> Vec<Cmd> {
    let mut cmds = Vec::new();
    for key in keys.split(' ') {
        let chord = Chord::parse(key).unwrap_or_else(|e| panic!("{e}"));
        cmds.extend(app.update(Msg::Key(KeyEvent::new(chord.code, chord.mods)), NOW));
    }
    cmds
}

fn type_text(app: &mut App, text: &str) -> Vec<Cmd> {
    text.chars().flat_map(|c| app.update(Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)), NOW)).collect()
}

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

#[test]
fn everything_at_120x36() {
    snapshot!("ui_120x36", screen(&mut fixture::app(120, 36)));
}

#[test]
fn two_panes_at_80x24() {
    snapshot!("ui_80x24", screen(&mut fixture::app(80, 24)));
}

#[test]
fn one_pane_at_60x15() {
    snapshot!("ui_60x15", screen(&mut fixture::app(60, 15)));
}

#[test]
fn an_empty_machine_says_what_to_do() {
    let mut app = fixture::empty_app(120, 36);
    app.update(Msg::Inventory(Arc::default()), NOW);
    snapshot!("ui_empty_120x36", screen(&mut app));
}

#[test]
fn too_small_is_a_notice() {
    assert!(screen(&mut fixture::app(39, 9)).contains("40x10"));
}

#[test]
fn zoom_and_back_is_identical() {
    let mut app = fixture::app(120, 36);
    for pane in ["1", "2", "3", "4"] {
        press(&mut app, pane);
        let before = screen(&mut app);
        press(&mut app, "z");
        assert_ne!(screen(&mut app), before);
        press(&mut app, "z");
        assert_eq!(screen(&mut app), before);
    }
}

#[test]
fn a_filter_is_typed_shown_and_cleared() {
    let mut app = fixture::app(120, 36);
    press(&mut app, "/");
    type_text(&mut app, "we");
    assert!(screen(&mut app).contains("/we_ · 1 of 8"), "{}", screen(&mut app));
    press(&mut app, "enter");
    type_text(&mut app, "q");
    assert!(app.quit, "after Enter, letters are keys again");
    press(&mut app, "esc");
    assert_eq!(app.containers.rows.len(), 8);
}

#[test]
fn hostile_names_do_not_move_the_cursor() {
    let mut inventory = fixture::inventory();
    let mut entry = (*inventory.containers[0]).clone();
    entry.container.name = "a\x1b[2Jb\r\n\u{202e}c".into();
    entry.container.image_ref = "日本\x07語".into();
    inventory.containers[0] = Arc::new(entry);
    let mut app = fixture::app(120, 36);
    app.update(Msg::Inventory(Arc::new(inventory)), NOW);
    let text = screen(&mut app);
    assert!(!text.contains(['\x1b', '\r', '\x07', '\u{202e}']), "{text}");
    assert_eq!(text.lines().count(), 36);
}

fn any_msg() -> impl Strategy<Value = Msg> {
    let code = prop_oneof![
        6 => proptest::char::range(' ', '~').prop_map(KeyCode::Char),
        1 => Just(KeyCode::Enter),
        1 => Just(KeyCode::Esc),
        1 => Just(KeyCode::Tab),
        1 => Just(KeyCode::Up),
        1 => Just(KeyCode::Down),
        1 => Just(KeyCode::Left),
        1 => Just(KeyCode::Backspace),
        1 => (1u8..12).prop_map(KeyCode::F),
    ];
    let mods =
        prop_oneof![8 => Just(KeyModifiers::NONE), 1 => Just(KeyModifiers::CONTROL), 1 => Just(KeyModifiers::ALT)];
    let kind = prop_oneof![
        Just(MouseEventKind::Down(MouseButton::Left)),
        Just(MouseEventKind::Up(MouseButton::Left)),
        Just(MouseEventKind::Drag(MouseButton::Left)),
        Just(MouseEventKind::ScrollDown),
        Just(MouseEventKind::ScrollUp),
        Just(MouseEventKind::Moved),
    ];
    prop_oneof![
        10 => (code, mods).prop_map(|(code, mods)| Msg::Key(KeyEvent::new(code, mods))),
        2 => (kind, 0u16..200, 0u16..70).prop_map(|(kind, column, row)| {
            Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }, None)
        }),
        2 => (0u16..220, 0u16..70).prop_map(|(w, h)| Msg::Resize(w, h)),
        1 => any::<String>().prop_map(Msg::Paste),
        1 => Just(Msg::Wake),
        1 => (0u64..9).prop_map(|tick| Msg::Stats(Arc::new(fixture::board(tick)))),
        1 => Just(Msg::Inventory(Arc::default())),
        1 => Just(Msg::Inventory(Arc::new(fixture::inventory()))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn no_input_and_no_size_panics(msgs in proptest::collection::vec(any_msg(), 1..60)) {
        let mut app = fixture::app(120, 36);
        let mut scratch = Scratch::default();
        for msg in msgs {
            let msg = match msg {
                Msg::Mouse(event, _) => Msg::Mouse(event, scratch.hit(event.column, event.row)),
                other => other,
            };
            app.update(msg, NOW);
            scratch = draw(&mut app).1;
        }
    }
}
