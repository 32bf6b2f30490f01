//! teu: a container workstation in the terminal.
//!
//! One program: a TUI and a command line over an embedded engine; a small monitor process per container outlives both.
//!
//! # Life of a command
//!
//! `main` chooses the role before any thread exists: the screen, one command, or the monitor of one container. An
//! ordinary user's teu first enters a user namespace of its own. A front end hands typed requests to the engine, each of
//! which becomes a job with progress, cancellation and undo. To start a container the engine writes down everything as
//! one launch message and starts a monitor with it; the monitor clones the container's first process, owns its terminal
//! or pipes, its log and its attach socket, and writes how it ended. Nothing else runs in the background.
//!
//! # Code map (who may import whom is held by `tests/it/architecture/`)
//!
//! | module | what it is | imports |
//! |---|---|---|
//! | `model` | pure data and rules | – |
//! | `sys` | the kernel, safely; the only `unsafe` | – |
//! | `store` | durable truth on disk | model, sys |
//! | `image` | registry to root file system | model, sys, store |
//! | `net` | networks of containers | model, sys |
//! | `runtime` | bundle to living process: monitor, init, cgroup, log; the OCI runtime | model, sys |
//! | `engine` | requests, jobs, inventory, events: the only door for front ends | all above |
//! | `config` | the user's settings | model |
//! | `tui`, `cli` | front ends; never each other, never below engine | engine, model, config |
//!
//! # What is absent
//!
//! - No daemon, and no process of teu's that a container needs, but its own monitor. UIs come and go.
//! - `model` has no clock, no files, no environment; "now" is always handed in.
//! - `unsafe`, and the crates of the kernel's interface, are nowhere but in `sys`; `sys` knows no container.
//! - `runtime::monitor` and `runtime::init` have one thread and no async runtime: they clone and go on in Rust. They
//!   never open the database and never speak HTTP.
//! - The database is never the truth about a running container. That is its state file together with the lock its
//!   monitor holds and the boot it was written in; content of layers is on disk, by digest.
//! - No host mount: a container's file systems exist in its own mount namespace only, so none can be left behind.
//! - No path inside an image, a layer or a container is opened from outside by joining strings: only below a directory's
//!   descriptor, with links resolved inside it.
//! - The engine knows no escape sequence, no key and no column; front ends know no process, mount or row.
//! - The screen has no locks: its state has one owner. The one exception is a `Mutex` in `tui::emulator::alacritty`, whose
//!   callbacks take `&self`; one thread uses it.
//! - Nobody polls lists: changes travel through the event log, exits through pidfds, output through sockets.
#![deny(unsafe_code)]

pub mod cli;
pub mod config;
pub mod engine;
pub mod image;
pub mod model;
pub mod net;
pub mod runtime;
pub mod store;
#[allow(unsafe_code)]
pub mod sys;
pub mod tui;
