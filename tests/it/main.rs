//! One binary for all integration tests. Each module is one subject; `support` is what they share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::too_many_lines)]

mod ahead;
mod architecture;
mod cli;
mod crash;
mod cve;
mod docker;
mod engine;
mod forked;
mod further;
mod harness;
mod health;
mod isolation;
mod jobs;
mod lifecycle;
mod main_job;
mod monitor;
mod names;
mod net;
mod network;
mod oci;
mod pull;
mod requests;
mod restore;
mod rootless;
mod runtime;
mod served;
mod stats;
mod support;
mod traces;
mod ui;
mod undo;
mod users;
mod words;
