//! The log's time window, and its lines handed to a command or a file.

use super::{fixture, press, screen, submitted, ticket, type_text};
use fixture::NOW;
use teu::engine::job::Chunk;
use teu::engine::{Output, Request};
use teu::model::log::{LogRecord, Stream};
use teu::model::time::Timestamp;
use teu::tui::app::{App, Cmd, Msg};

fn record(text: &str) -> LogRecord {
    LogRecord { time: NOW, stream: Stream::Stdout, partial: false, bytes: text.as_bytes().to_vec().into() }
}

/// On the log of a running container that wrote three lines.
fn app() -> App {
    let mut app = fixture::app(120, 36);
    press(&mut app, "j");
    let cmds = app.update(Msg::Wake, Timestamp(NOW.0 + 1_000_000_000));
    let logs = ticket(&cmds);
    let lines = ["one", "two \u{1b}[31mred\u{1b}[0m", "three"].map(record);
    app.update(Msg::Session(logs, Chunk::Log(lines.into())), NOW);
    press(&mut app, "4");
    app
}

#[test]
fn digits_choose_the_time_window_and_the_title_shows_it() {
    let mut app = app();
    press(&mut app, "T");
    assert!(screen(&mut app).contains("2 5m"), "{}", screen(&mut app));
    let cmds = press(&mut app, "2");
    assert!(matches!(submitted(&cmds)[..], [Request::Logs(a)] if a.since == Some(NOW.0 - 300_000_000_000)), "{cmds:?}");
    let text = screen(&mut app);
    assert!(text.contains("FOLLOW · last 5m") && text.contains("no output in the last 5m"), "{text}");
    let cmds = press(&mut app, "T 0");
    assert!(matches!(submitted(&cmds)[..], [Request::Logs(a)] if a.since.is_none()), "{cmds:?}");
    assert!(!screen(&mut app).contains("last 5m"));
    press(&mut app, "T");
    assert!(press(&mut app, "esc 5").is_empty(), "a digit is a pane's number again");
}

#[test]
fn shown_lines_go_to_a_command_and_are_remembered_there() {
    let mut app = app();
    press(&mut app, "&");
    type_text(&mut app, "t");
    press(&mut app, "enter |");
    type_text(&mut app, "wc -l");
    assert!(screen(&mut app).contains("| wc -l_"));
    let cmds = press(&mut app, "enter");
    let piped = b"two \x1b[31mred\x1b[0m\nthree\n";
    assert!(matches!(&cmds[..], [Cmd::Pipe(command, bytes)] if command == "wc -l" && bytes == piped), "{cmds:?}");
    press(&mut app, "| up");
    assert!(screen(&mut app).contains("| wc -l_"), "the last command comes back");
}

#[test]
fn a_search_and_a_saved_file_reach_the_lines_before_the_last() {
    let mut app = app();
    let held = || Chunk::LogOlder { before: 8, records: 2 };
    let opened = |app: &mut App| {
        let logs = ticket(&press(app, "T 0"));
        app.update(Msg::Session(logs, held()), NOW);
        app.update(Msg::Session(logs, Chunk::Log(["nine", "ten"].map(record).into())), NOW);
    };
    let older = |cmds: &[Cmd]| match submitted(cmds)[..] {
        [Request::Logs(a)] => (a.before, a.tail, a.follow),
        _ => panic!("{cmds:?}"),
    };
    let arrive = |app: &mut App, ticket| {
        app.update(Msg::Session(ticket, Chunk::Log(["seven", "eight"].map(record).into())), NOW);
        app.update(Msg::Done(ticket, Ok(Output::Nothing)), NOW)
    };
    opened(&mut app);
    assert!(screen(&mut app).contains("last 2 lines"), "{}", screen(&mut app));
    press(&mut app, "/");
    let cmds = type_text(&mut app, "s");
    assert_eq!(older(&cmds), (Some(8), Some(2), false));
    arrive(&mut app, ticket(&cmds));
    let text = screen(&mut app);
    assert!(text.contains("seven") && text.contains("1 of 1"), "{text}");
    press(&mut app, "esc");
    opened(&mut app);
    let cmds = press(&mut app, "S");
    let wanted = ticket(&cmds);
    assert!(!cmds.iter().any(|c| matches!(c, Cmd::WriteFile(..))), "not before they are there: {cmds:?}");
    let cmds = arrive(&mut app, wanted);
    let whole = cmds.iter().any(|c| matches!(c, Cmd::WriteFile(_, bytes) if bytes == b"seven\neight\nnine\nten\n"));
    assert!(whole, "{cmds:?}");
}
