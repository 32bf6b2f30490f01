//! Chooses the role before any thread or runtime exists.

fn main() {}
