//! What a container may do, and what it shares with the host or with another: each option as docker and podman have it,
//! in real containers, as whoever runs this.

mod devices;
mod exec;
mod extras;
mod limits;
mod mounts;
mod namespaces;
mod security;
mod users;

use crate::support::program::Answer;
use crate::support::{StateRoot, image};

/// `teu run --rm --network none OPTIONS IMAGE sh -c SCRIPT`
#[track_caller]
pub fn run(root: &StateRoot, options: &[&str], script: &str) -> Answer {
    let image = image::name();
    let mut args = vec!["run", "--rm", "--network", "none"];
    args.extend(options);
    args.extend([&image, "sh", "-c", script]);
    root.teu(&args)
}

/// What that prints.
#[track_caller]
pub fn out(root: &StateRoot, options: &[&str], script: &str) -> String {
    run(root, options, script).exits(0).stdout
}

/// It is refused with these words, and nothing is left of it.
#[track_caller]
pub fn refused(root: &StateRoot, options: &[&str], words: &str) {
    let answer = run(root, options, "true").exits(125);
    assert!(answer.stderr.contains(words), "{options:?}: {}", answer.stderr);
    assert_eq!(root.teu(&["ps", "-aq"]).exits(0).stdout, "", "{options:?}");
}
