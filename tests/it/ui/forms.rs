//! Forms and the engine's answers: who is refused keeps what was written, and is told why where it was written.

use super::{fixture, press, screen, submitted, ticket, type_text};
use fixture::NOW;
use teu::engine::job::Chunk;
use teu::engine::{Error, ErrorKind, Output, Request};
use teu::tui::app::{App, Cmd, Msg};

const WHY: &str = "because the moon is full";

fn refuse(app: &mut App, cmds: &[Cmd]) {
    app.update(Msg::Done(ticket(cmds), Err(Error::new(ErrorKind::Conflict, WHY))), NOW);
}

/// Sends the form, is refused, changes it, is not refused.
fn twice(app: &mut App, title: &str, text: &str) {
    let cmds = press(app, "enter");
    assert_eq!(submitted(&cmds).len(), 1, "{title}");
    assert!(screen(app).contains("Esc leaves it to itself"), "{}", screen(app));
    assert!(submitted(&press(app, "enter")).is_empty(), "{title} is sent once");
    refuse(app, &cmds);
    let shown = screen(app);
    assert!([title, text, WHY].iter().all(|part| shown.matches(part).count() >= 1), "{shown}");
    type_text(app, "2");
    assert_eq!(screen(app).matches(WHY).count(), 1, "the status line's alone: {}", screen(app));
    let cmds = press(app, "enter");
    app.update(Msg::Done(ticket(&cmds), Ok(Output::Nothing)), NOW);
    assert!(!screen(app).contains(title), "{}", screen(app));
}

#[test]
fn a_refused_form_keeps_its_text_and_says_why() {
    let mut app = fixture::app(120, 36);
    press(&mut app, "f6 n");
    type_text(&mut app, "lan");
    twice(&mut app, "Make a network", "lan");
    let mut app = fixture::app(120, 36);
    press(&mut app, "R");
    type_text(&mut app, "other");
    twice(&mut app, "Rename", "other");
}

#[test]
fn a_form_left_alone_leaves_its_request_to_itself() {
    let mut app = fixture::app(120, 36);
    press(&mut app, "f6 n");
    type_text(&mut app, "lan");
    let cmds = press(&mut app, "enter");
    press(&mut app, "esc");
    refuse(&mut app, &cmds);
    assert!(!screen(&mut app).contains("Make a network") && screen(&mut app).contains(WHY), "{}", screen(&mut app));
}

#[test]
fn a_container_that_cannot_be_run_brings_its_form_back() {
    let mut app = fixture::app(120, 36);
    let run = |app: &mut App| {
        press(app, "2 R tab");
        type_text(app, "twin");
        let cmds = press(app, "enter");
        assert!(matches!(submitted(&cmds)[..], [Request::Run(_)]));
        assert!(!screen(app).contains("Run a container"), "a terminal opens at once");
        cmds
    };
    let cmds = run(&mut app);
    refuse(&mut app, &cmds);
    let shown = screen(&mut app);
    assert!(["Run a container", "twin", WHY].iter().all(|part| shown.contains(part)), "{shown}");
    press(&mut app, "esc");
    assert!(app.terms.view.is_empty());
    // What has begun and then fails is the terminal's to tell; and who has gone on is not called back.
    let cmds = run(&mut app);
    let opened = Chunk::Opened { container: fixture::id(1), exec: None, tty: true };
    app.update(Msg::Session(ticket(&cmds), opened), NOW);
    refuse(&mut app, &cmds);
    assert!(!screen(&mut app).contains("Run a container"), "{}", screen(&mut app));
}
