//! Mistakes in the user's own files: told at once, listed in the log, and among the doctor's findings.

use super::fixture::NOW;
use super::{press, screen, ticket};
use std::collections::BTreeMap;
use std::time::Instant;
use teu::config::Config;
use teu::engine::Output;
use teu::tui::app::{App, Msg};

#[test]
fn a_theme_s_mistake_is_told_and_among_the_doctor_s_findings() {
    let config = Config { warnings: vec!["config.toml line 7: what".into()], ..Config::default() };
    let theme = (String::from("mine"), String::from("\n\nacccent = \"red\"\n"));
    let mut app = App::new(&config, &BTreeMap::new(), &[theme], (Instant::now(), NOW));
    app.update(Msg::Resize(120, 36), NOW);
    let text = screen(&mut app);
    assert!(text.contains("configuration: config.toml line 7: what (and 1 more"), "{text}");
    let cmds = press(&mut app, "f3");
    // The engine tells of the settings file by itself.
    app.update(Msg::Done(ticket(&cmds), Ok(Output::Doctor(Vec::new()))), NOW);
    let text = screen(&mut app);
    assert!(text.contains("settings") && text.contains("theme mine, line 3"), "{text}");
}
