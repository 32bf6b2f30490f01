//! teu: a container workstation in the terminal.
//!
//! One program: a TUI and a command line over an embedded engine; a small monitor process per container outlives both.
//!
//! # Code map (who may import whom is held by `tests/it/architecture.rs`)
//!
//! | module | what it is | imports |
//! |---|---|---|
//! | `model` | pure data and rules | – |
//! | `sys` | the kernel, safely; the only `unsafe` | – |
//! | `store` | durable truth on disk | model, sys |
//! | `image` | registry to root file system | model, sys, store |
//! | `net` | networks of containers | model, sys |
//! | `runtime` | bundle to living process: monitor, init, cgroup, log | model, sys |
//! | `engine` | requests, jobs, inventory, events: the only door for front ends | all above |
//! | `config` | the user's settings | model |
//! | `tui`, `cli` | front ends; never each other, never below engine | engine, model, config |
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
