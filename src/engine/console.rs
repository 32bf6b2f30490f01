//! The user's own terminal, for front ends that have no terminal library of their own.

pub use crate::sys::console::{RawMode, window_size};
