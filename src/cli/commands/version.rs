//! `version` and `completion`: what needs no state.

use crate::cli::args::Args;
use crate::cli::complete;
use crate::cli::output::render_one;
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::Result;
use serde_json::json;

pub(super) fn version(args: Args) -> Result<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    let part =
        json!({"Version": version, "Os": std::env::consts::OS, "Arch": std::env::consts::ARCH, "ApiVersion": "1.44"});
    // The engine is a part of the program: client and server are one.
    let data = Data { value: json!({"Client": part, "Server": part}), ..Data::default() };
    let text = render_one(&data, args.text("format"))?;
    report::out(&text.unwrap_or_else(|| {
        format!("teu:\n Version:  {version}\n OS/Arch:  {platform}\n Engine:   embedded (no daemon)\n")
    }));
    Ok(0)
}

pub(super) fn completion(args: Args) -> Result<u8> {
    let shell = args.text("shell").unwrap_or_default();
    report::out(&complete::script(shell, args.text("name").unwrap_or("teu"))?);
    Ok(0)
}
