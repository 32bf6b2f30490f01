//! What is shown inside panes: components that hold their own view state and draw themselves.

pub mod logs;
pub mod shell;
pub mod stats;
