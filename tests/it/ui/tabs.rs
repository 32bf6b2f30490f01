//! The detail pane's tables: what runs in a container, and what it made of its image.

use super::{fixture, press, screen, submitted, ticket, type_text};
use fixture::NOW;
use std::path::PathBuf;
use std::sync::Arc;
use teu::engine::{Output, Request};
use teu::model::change::{Change, ChangeKind};
use teu::model::process::Process;
use teu::model::time::Timestamp;
use teu::tui::app::{App, Cmd, Msg};

fn second(app: &mut App, tick: u64) -> Vec<Cmd> {
    app.update(Msg::Stats(Arc::new(fixture::board(tick))), Timestamp(NOW.0 + tick as i64 * 1_000_000_000))
}

/// Selects by these keys and waits until the selection rests.
fn rest_on(app: &mut App, keys: &str) {
    press(app, keys);
    app.update(Msg::Wake, Timestamp(NOW.0 + 1_000_000_000));
}

fn processes(tick: u64) -> Output {
    let process = |inside: i32, user: &str, command: &str, cpu_usec: u64, memory: u64| Process {
        pid: 4000 + inside,
        parent: 1,
        inside,
        uid: 0,
        user: user.into(),
        state: 'S',
        cpu_usec,
        started: 99,
        memory,
        command: command.into(),
    };
    Output::Processes(vec![
        process(1, "root", "nginx: master process", 2_000_000, 12 << 20),
        process(7, "nginx", "nginx: worker \u{1b}[2Jprocess", 61_000_000 + tick * 120_000, 34 << 20),
    ])
}

#[test]
fn top_asks_each_second_while_it_is_in_view_and_one_question_at_a_time() {
    let mut app = fixture::app(120, 36);
    rest_on(&mut app, "j");
    let cmds = press(&mut app, "4 ] ] ] ]");
    assert!(matches!(submitted(&cmds)[..], [.., Request::Top { .. }]), "{cmds:?}");
    assert!(submitted(&second(&mut app, 5)).is_empty(), "the first is not answered yet");
    app.update(Msg::Done(ticket_of_last(&cmds), Ok(processes(0))), Timestamp(NOW.0 + 5_000_000_000));
    let cmds = second(&mut app, 6);
    app.update(Msg::Done(ticket(&cmds), Ok(processes(1))), Timestamp(NOW.0 + 6_000_000_000));
    snapshot!("ui_top_120x36", screen(&mut app));
    press(&mut app, "o o o");
    let text = screen(&mut app);
    let line = |word: &str| text.lines().position(|l| l.contains(word)).expect(word);
    assert!(line("worker") < line("master"), "by cpu:\n{text}");
    press(&mut app, "]");
    assert!(submitted(&second(&mut app, 7)).iter().all(|r| !matches!(r, Request::Top { .. })), "out of view");
}

fn ticket_of_last(cmds: &[Cmd]) -> teu::tui::app::work::Ticket {
    cmds.iter().rev().find_map(|c| if let Cmd::Submit(t, _) = c { Some(*t) } else { None }).expect("a request")
}

#[test]
fn files_lists_changes_and_is_filtered() {
    let mut app = fixture::app(120, 36);
    rest_on(&mut app, "j");
    let cmds = press(&mut app, "4 [");
    assert!(matches!(submitted(&cmds)[..], [.., Request::Diff { .. }]), "{cmds:?}");
    let change = |kind, path: &str, size: Option<u64>| Change {
        kind,
        path: PathBuf::from(path),
        directory: size.is_none() && kind != ChangeKind::Deleted,
        size,
    };
    let found = vec![
        change(ChangeKind::Changed, "/etc", None),
        change(ChangeKind::Added, "/etc/new\u{1b}[2J.conf", Some(1536)),
        change(ChangeKind::Deleted, "/usr/bin/vi", None),
    ];
    app.update(Msg::Done(ticket_of_last(&cmds), Ok(Output::Changes(found))), NOW);
    snapshot!("ui_files_120x36", screen(&mut app));
    press(&mut app, "/");
    type_text(&mut app, "kind:del");
    let text = screen(&mut app);
    assert!(text.contains("/usr/bin/vi") && !text.contains("/etc/new") && text.contains("1 of 3"), "{text}");
    press(&mut app, "enter esc");
    assert!(screen(&mut app).contains("1 added · 1 changed · 1 deleted"));
}
