//! Waiting in words: poll until it is so, or fail saying what never happened.

use std::time::{Duration, Instant};

/// How much longer everything may take (a guest with slow system calls): `TEU_TEST_PATIENCE`, default 1.
pub fn patience() -> u32 {
    std::env::var("TEU_TEST_PATIENCE").ok().and_then(|value| value.parse().ok()).unwrap_or(1)
}

/// Polls `check` until it gives a value; panics with `why` after 30 seconds (times the patience).
#[track_caller]
pub fn wait_until<T>(why: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let limit = Duration::from_secs(30) * patience();
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < end, "never happened within {limit:?}: {why}");
        std::thread::sleep(Duration::from_millis(15));
    }
}
