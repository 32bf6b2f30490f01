//! The tools of the tests, tested themselves: a registry that answers, a terminal that shows, a leak that is found.

use crate::needs;
use crate::support::{StateRoot, image, leaks, program, screen::Screen, wait_until};
use std::process::Command;

#[test]
fn the_test_image_is_in_a_real_registry() {
    needs!(Registry);
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["inspect", "--tls-verify=false", &format!("docker://{}", image::name())]);
    let text = program::finish(&mut skopeo).exits(0).stdout;
    let about: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(about["Layers"].as_array().map(Vec::len), Some(2), "{text}");
}

#[test]
fn a_screen_shows_what_is_typed_and_the_exit_code() {
    needs!(Tmux);
    let mut command = Command::new("sh");
    command.args(["-c", "echo ready; read line; echo got $line; read end; exit 7"]);
    let screen = Screen::start(80, 24, &command);
    screen.wait_for("ready");
    screen.write("some words");
    screen.press(&["Enter"]);
    // tmux may lose what a program prints right before its end.
    screen.wait_for("got some words");
    screen.press(&["Enter"]);
    assert_eq!(wait_until("the shell ended", || screen.exit_code()), 7);
}

#[test]
fn a_process_left_behind_is_found_and_killed() {
    let root = StateRoot::new();
    let mut sleep = Command::new("sleep");
    sleep.arg("601").stdin(std::fs::File::create(root.path().join("open")).unwrap());
    let child = program::Running(sleep.spawn().unwrap());
    assert_eq!(leaks::processes(root.path()), [child.0.id() as i32]);
    leaks::kill_leftovers(root.path());
    drop(child);
    assert!(leaks::leftovers(root.path()).is_empty());
}
