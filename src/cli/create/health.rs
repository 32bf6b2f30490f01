//! `--health-*` and `--no-healthcheck`.

use crate::cli::args::{Args, misuse, wrong};
use crate::cli::output::text::go_duration;
use crate::engine::Result;
use crate::model::health::HealthCheck;

/// `None`: nothing was said, so the image's holds.
pub(super) fn check(args: Args) -> Result<Option<HealthCheck>> {
    let command = args.text("health-cmd").filter(|c| !c.is_empty());
    let check = HealthCheck {
        test: command.map(|c| vec!["CMD-SHELL".to_owned(), c.to_owned()]).unwrap_or_default(),
        interval: duration(args, "health-interval")?,
        timeout: duration(args, "health-timeout")?,
        start_period: duration(args, "health-start-period")?,
        start_interval: duration(args, "health-start-interval")?,
        retries: args.number("health-retries")?.unwrap_or(0),
    };
    if check.retries < 0 {
        return Err(wrong("health-retries", &check.retries.to_string(), "it cannot be negative"));
    }
    match (args.on("no-healthcheck"), check == HealthCheck::default()) {
        (true, false) => Err(misuse("--no-healthcheck conflicts with --health-* options")),
        (true, true) => Ok(Some(HealthCheck::none())),
        (false, nothing) => Ok((!nothing).then_some(check)),
    }
}

/// Nanoseconds; 0 is what is usual.
fn duration(args: Args, flag: &str) -> Result<i64> {
    let Some(text) = args.text(flag) else { return Ok(0) };
    if text == "0" {
        return Ok(0);
    }
    match go_duration(text) {
        Some(_) if text.starts_with('-') => Err(wrong(flag, text, "it cannot be negative")),
        Some(nanos) if (1..1_000_000).contains(&nanos) => Err(wrong(flag, text, "it cannot be less than 1ms")),
        Some(nanos) => Ok(nanos),
        None => Err(wrong(flag, text, "it is not a duration such as 30s, 1m30s or 500ms")),
    }
}
