//! The screen without a terminal: messages in, commands and drawn text out.

macro_rules! snapshot {
    ($name:literal, $text:expr) => {{
        let path = crate::support::program::sources().join("tests/it/snapshots");
        insta::with_settings!({ snapshot_path => path, prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        });
    }};
}

mod fixture;
mod forms;
mod health;
mod idle;
mod logs;
mod mistakes;
mod networks;
mod tabs;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use fixture::NOW;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::Arc;
use teu::engine::job::{Chunk, Input, Job, JobId, JobStatus, Part, PartState, Progress, UNDOABLE, Unit};
use teu::engine::{Inventory, Output, Request};
use teu::tui::app::work::Ticket;
use teu::tui::app::{App, Cmd, Msg};
use teu::tui::keys::Chord;
use teu::tui::panes::Pane;
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

fn submitted(cmds: &[Cmd]) -> Vec<&Request> {
    cmds.iter().filter_map(|c| if let Cmd::Submit(_, request) = c { Some(request) } else { None }).collect()
}

#[test]
fn from_nothing_to_a_shell_is_one_key() {
    let mut app = fixture::empty_app(120, 36);
    app.update(Msg::Inventory(Arc::default()), NOW);
    let cmds = press(&mut app, "enter");
    let requests = submitted(&cmds);
    assert!(
        matches!(requests[..], [Request::Run(run)] if run.create.image == "localhost/starter" && run.create.config.tty && run.create.default_network
            && run.size == Some((68, 14))),
        "{cmds:?}"
    );
    assert_eq!(app.panes.focus, Pane::Shells);
}

#[test]
fn removal_asks_with_cancel_focused() {
    let mut app = fixture::app(120, 36);
    press(&mut app, "j");
    assert!(submitted(&press(&mut app, "D")).is_empty());
    snapshot!("ui_confirm_120x36", screen(&mut app));
    assert!(submitted(&press(&mut app, "enter")).is_empty(), "Enter is Cancel");
    press(&mut app, "D");
    let cmds = press(&mut app, "y");
    assert!(
        matches!(submitted(&cmds)[..], [Request::Remove(a)] if a.force && a.containers == ["worker-1"]),
        "{cmds:?}"
    );
}

#[test]
fn a_removal_is_told_when_it_is_out_of_sight_and_can_be_taken_back() {
    let mut app = fixture::app(120, 36);
    press(&mut app, "D");
    let removal = ticket(&press(&mut app, "y"));
    assert!(!screen(&mut app).contains("u undo"));
    let progress = Progress { stage: UNDOABLE.into(), ..Progress::default() };
    app.update(Msg::Progress(removal, progress), NOW);
    let text = screen(&mut app);
    assert!(text.contains(" ok  rm crashy  0.0s") && text.contains("u undo"), "{text}");
    let cmds = press(&mut app, "u");
    assert!(matches!(cmds[..], [Cmd::Cancel(t)] if t == removal));
    let cancelled = teu::engine::Error::cancelled();
    app.update(Msg::Done(removal, Err(cancelled)), NOW);
    let text = screen(&mut app);
    assert!(text.contains("rm crashy  taken back") && !text.contains("u undo"), "{text}");
    press(&mut app, "u");
    assert!(screen(&mut app).contains("there is nothing to undo"));
}

#[test]
fn the_palette_does_what_was_typed_out() {
    let mut app = fixture::app(120, 36);
    for name in ["nord", "terminal", "light"] {
        press(&mut app, ":");
        type_text(&mut app, &format!("theme {name}"));
        press(&mut app, "enter");
        assert_eq!(app.theme_name, name);
        assert!(screen(&mut app).contains(&format!(" ok  theme {name}")));
    }
}

#[test]
fn marks_work_with_verbs() {
    let mut app = fixture::app(120, 36);
    press(&mut app, "home space space");
    let cmds = press(&mut app, "r");
    assert!(matches!(submitted(&cmds)[..], [Request::Restart(a)] if a.containers.len() == 2), "{cmds:?}");
}

#[test]
fn inspecting_does_not_ask_again_for_its_own_echo() {
    let mut app = fixture::app(120, 36);
    let cmds = press(&mut app, "4 ] ]");
    assert_eq!(submitted(&cmds).iter().filter(|r| matches!(r, Request::Inspect(_))).count(), 1);
    let mut later = fixture::inventory();
    later.revision = 99;
    let cmds = app.update(Msg::Inventory(Arc::new(later)), NOW);
    assert!(submitted(&cmds).is_empty(), "{cmds:?}");
}

#[test]
fn overlays_as_drawn() {
    let mut app = fixture::app(120, 36);
    press(&mut app, "?");
    type_text(&mut app, "mark");
    snapshot!("ui_help_120x36", screen(&mut app));
    press(&mut app, "esc 2 R");
    snapshot!("ui_run_form_120x36", screen(&mut app));
    press(&mut app, "esc P");
    type_text(&mut app, "nginx:1.29");
    snapshot!("ui_pull_80x24", {
        app.update(Msg::Resize(80, 24), NOW);
        screen(&mut app)
    });
    let cmds = press(&mut app, "enter");
    assert!(matches!(submitted(&cmds)[..], [Request::Pull(_)]));
}

/// The ticket of the first request among these.
fn ticket(cmds: &[Cmd]) -> Ticket {
    cmds.iter().find_map(|c| if let Cmd::Submit(ticket, _) = c { Some(*ticket) } else { None }).expect("a request")
}

#[test]
fn a_pull_shows_its_layers_and_can_be_stopped() {
    let mut app = fixture::app(80, 24);
    press(&mut app, "P");
    type_text(&mut app, "debian:13");
    let pull = ticket(&press(&mut app, "enter"));
    let part = |name: &str, state, done| Part { name: name.into(), state, done, total: Some(40 << 20) };
    let parts = vec![
        part("95eb23bb1158", PartState::Exists, 40 << 20),
        part("f24ef96dd80c", PartState::Downloading, 10 << 20),
        part("ff84b063e2f8", PartState::Extracting, 20 << 20),
    ];
    let stage = String::from("downloading");
    let progress = Progress {
        stage,
        done: 60 << 20,
        arrived: 90 << 20,
        total: Some(120 << 20),
        unit: Unit::Bytes,
        parts,
        ..Progress::default()
    };
    app.update(Msg::Progress(pull, progress.clone()), NOW);
    snapshot!("ui_pulling_80x24", screen(&mut app));
    let more = Progress { done: 65 << 20, arrived: 100 << 20, ..progress.clone() };
    app.update(Msg::Progress(pull, more), teu::model::time::Timestamp(NOW.0 + 1_000_000_000));
    assert!(
        screen(&mut app).contains("54%  10M/s  11s left"),
        "the speed is that of the network: {}",
        screen(&mut app)
    );
    // The rest has arrived: what is left to do is to extract it.
    let rest = Progress { stage: "extracting".into(), arrived: 120 << 20, ..progress };
    app.update(Msg::Progress(pull, rest), NOW);
    assert!(screen(&mut app).contains("pull debian:13  50%  extracting"), "{}", screen(&mut app));
    let cmds = press(&mut app, "ctrl-x");
    assert!(matches!(cmds[..], [Cmd::Cancel(t)] if t == pull));
    press(&mut app, "esc 2");
    assert!(screen(&mut app).contains("pull debian:13"), "goes on in the images pane");
}

#[test]
fn an_interrupted_pull_is_offered_again() {
    let job = Job {
        id: JobId(7),
        name: "pull",
        subject: "debian:13".into(),
        parent: None,
        status: JobStatus::Interrupted,
        progress: Progress::default(),
        started: NOW,
        ended: Some(NOW),
        owner_pid: 1,
    };
    let mut app = fixture::empty_app(120, 36);
    let inventory = Inventory { jobs: vec![Arc::new(job)], ..fixture::inventory() };
    app.update(Msg::Inventory(Arc::new(inventory)), NOW);
    assert!(screen(&mut app).contains("the pull of debian:13 was interrupted"));
    press(&mut app, "f2");
    assert!(screen(&mut app).contains("r goes on with it"), "{}", screen(&mut app));
    let cmds = press(&mut app, "r");
    assert!(matches!(submitted(&cmds)[..], [Request::Pull(_)]));
    press(&mut app, "esc P");
    assert!(!screen(&mut app).contains("interrupted;"), "it runs again");
}

#[test]
fn an_oom_kill_is_named_in_its_row() {
    let mut app = fixture::app(120, 36);
    for kills in [0, 2] {
        let mut board = fixture::board(4);
        for figures in board.latest.values_mut().filter(|f| f.name == "web") {
            let mut figures_now = (**figures).clone();
            figures_now.sample.as_mut().expect("it runs").oom_kills = Some(kills);
            *figures = Arc::new(figures_now);
        }
        app.update(Msg::Stats(Arc::new(board)), NOW);
    }
    press(&mut app, "3");
    snapshot!("ui_oom_120x36", screen(&mut app));
}

#[test]
fn a_limit_that_is_not_in_force_is_not_shown() {
    let mut app = fixture::app(120, 36);
    assert!(screen(&mut app).contains("/512M"), "{}", screen(&mut app));
    let mut board = fixture::board(5);
    for stats in board.latest.values_mut() {
        Arc::make_mut(stats).sample.as_mut().unwrap().memory_limit = None;
    }
    app.update(Msg::Stats(Arc::new(board)), NOW);
    assert!(!screen(&mut app).contains("/512M"), "{}", screen(&mut app));
}

#[test]
fn an_enlarged_pane_of_figures_has_all_plots() {
    let mut app = fixture::app(120, 36);
    press(&mut app, "/");
    type_text(&mut app, "web");
    press(&mut app, "enter");
    for tick in 4..8_u64 {
        let later = teu::model::time::Timestamp(NOW.0 + tick as i64 * 1_000_000_000);
        app.update(Msg::Stats(Arc::new(fixture::board(tick))), later);
    }
    assert!(!screen(&mut app).contains("disk read"), "{}", screen(&mut app));
    press(&mut app, "3 z");
    assert!(screen(&mut app).contains("disk read"), "{}", screen(&mut app));
}

#[test]
fn a_shells_exit_code_stays_until_it_is_closed() {
    let mut app = fixture::empty_app(60, 15);
    app.update(Msg::Inventory(Arc::default()), NOW);
    let shell = ticket(&press(&mut app, "enter"));
    app.update(Msg::Session(shell, Chunk::Console(b"# exit 3\r\n".as_slice().into())), NOW);
    assert!(screen(&mut app).contains("Ctrl-] then  d leave"));
    app.update(Msg::Done(shell, Ok(Output::Exited { code: 3, oom: false })), NOW);
    snapshot!("ui_exit_60x15", screen(&mut app));
    press(&mut app, "enter");
    assert_eq!(app.panes.focus, Pane::Containers);
}

/// What a program puts into the clipboard, ours when it has the keyboard.
#[test]
fn only_the_shell_that_has_the_keyboard_reaches_the_clipboard() {
    let mut app = fixture::empty_app(120, 36);
    app.update(Msg::Inventory(Arc::default()), NOW);
    let shell = ticket(&press(&mut app, "enter"));
    let copied = |app: &mut App| {
        let osc52 = Chunk::Console(b"\x1b]52;c;aGVsbG8=\x07".as_slice().into());
        let cmds = app.update(Msg::Session(shell, osc52), NOW);
        cmds.iter().any(|c| matches!(c, Cmd::Copy(text) if text == "hello"))
    };
    assert!(copied(&mut app));
    assert!(screen(&mut app).contains(":sh put 5 characters into the clipboard"));
    press(&mut app, "ctrl-] d");
    assert!(!copied(&mut app), "out of sight");
}

#[test]
fn keys_go_to_the_shell_but_the_leader() {
    let mut app = fixture::empty_app(120, 36);
    app.update(Msg::Inventory(Arc::default()), NOW);
    press(&mut app, "enter");
    let cmds = press(&mut app, "q ctrl-c esc");
    let sent = cmds.iter().filter(|c| matches!(c, Cmd::Send(_, Input::Bytes(_)))).count();
    assert_eq!((sent, app.quit), (3, false));
    press(&mut app, "ctrl-] d");
    assert_eq!(app.panes.focus, Pane::Containers);
    press(&mut app, "q");
    assert!(!app.quit, "asks while a shell is open");
    press(&mut app, "y");
    assert!(app.quit);
}

#[test]
fn either_line_of_a_border_can_be_dragged() {
    for (grab, to) in [((49, 5), (69, 5)), ((50, 5), (69, 5))] {
        let mut app = fixture::app(120, 36);
        let (_, scratch) = draw(&mut app);
        let mut mouse = |kind, (column, row): (u16, u16), scratch: &Scratch| {
            let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
            app.update(Msg::Mouse(event, scratch.hit(column, row)), NOW)
        };
        mouse(MouseEventKind::Down(MouseButton::Left), grab, &scratch);
        mouse(MouseEventKind::Drag(MouseButton::Left), to, &scratch);
        let cmds = mouse(MouseEventKind::Up(MouseButton::Left), to, &scratch);
        assert!(cmds.iter().any(|c| matches!(c, Cmd::Save(_))), "the layout is remembered");
        let text = screen(&mut app);
        let title = text.lines().nth(1).expect("titles");
        assert_eq!(title.chars().position(|c| c == '┓'), Some(68), "{text}");
    }
}

#[test]
fn the_leader_is_offered_once_chosen_and_remembered() {
    let mut app = fixture::empty_app(120, 36);
    app.update(Msg::Inventory(Arc::default()), NOW);
    let cmds = press(&mut app, "enter");
    assert!(cmds.iter().any(|c| matches!(c, Cmd::Save(state) if state["leader"] == "ctrl-]")), "{cmds:?}");
    assert!(
        screen(&mut app).contains("Ctrl-] leads out of a shell; Ctrl-] : leader chooses Ctrl-\\ or F12"),
        "{}",
        screen(&mut app)
    );
    press(&mut app, "ctrl-] :");
    type_text(&mut app, "leader key");
    press(&mut app, "enter down");
    let saved = press(&mut app, "down enter");
    assert!(saved.iter().any(|c| matches!(c, Cmd::Save(state) if state["leader"] == "f12")), "{saved:?}");
    assert!(matches!(press(&mut app, "ctrl-]")[..], [Cmd::Send(..)]), "it is the program's again");
    press(&mut app, "f12 d");
    assert_eq!(app.panes.focus, Pane::Containers);
    let mut later = fixture::remembering(&app.remember());
    press(&mut later, "enter f12 d");
    assert_eq!(later.panes.focus, Pane::Containers, "the choice is remembered");
    assert!(!screen(&mut later).contains("leads out of a shell"), "and not offered again");
}

#[test]
fn ascii_screens_are_ascii() {
    let mut app = fixture::app(120, 36);
    app.ascii = true;
    assert!(screen(&mut app).is_ascii());
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
