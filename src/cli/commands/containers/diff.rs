//! What a container changed of its image: docker's letter and path, a line each.

use super::Context;
use crate::cli::report;
use crate::engine::{Output, Request, Result};

pub(in crate::cli::commands) async fn diff(cx: &Context<'_>) -> Result<u8> {
    let container = cx.args.text("names").unwrap_or_default().to_owned();
    let Output::Changes(changes) = cx.ask(Request::Diff { container }).await? else { return Ok(0) };
    // A path is the container's to choose: control characters are written as escapes, so a line stays a line.
    let plain = |path: &std::path::Path| -> String {
        let text = path.to_string_lossy();
        text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
    };
    report::out(&changes.iter().map(|c| format!("{} {}\n", c.kind.letter(), plain(&c.path))).collect::<String>());
    Ok(0)
}
