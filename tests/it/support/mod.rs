//! What the tests share: state roots, the real program, a real registry with a real image, a terminal, waiting.
#![allow(dead_code, unused_imports)] // Every helper is for whoever writes the next test.

pub mod host;
pub mod image;
pub mod leaks;
pub mod needs;
pub mod program;
pub mod registry;
pub mod registry_server;
pub mod screen;
pub mod state;
pub mod syscall;
pub mod wait;
pub mod watcher;

pub use program::Answer;
pub use state::StateRoot;
pub use wait::wait_until;
