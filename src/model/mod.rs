//! Pure data and rules: what an image, a container, a job's figures *are*. No IO, no clock, no async, no kernel.

pub mod asked;
pub mod change;
pub mod container;
pub mod endpoint;
pub mod event;
pub mod health;
pub mod id;
pub mod image;
pub mod isolation;
pub mod log;
pub mod mount;
pub mod network;
pub mod process;
pub mod publish;
pub mod reference;
pub mod signal;
pub mod stats;
pub mod time;
pub mod units;
