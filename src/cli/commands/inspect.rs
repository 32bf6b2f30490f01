//! `inspect` and its relatives for one kind of object.

use super::Context;
use crate::cli::args::{Args, wrong};
use crate::cli::output::render_one;
use crate::cli::report;
use crate::cli::template::Data;
use crate::engine::request::{InspectArgs, InspectKind};
use crate::engine::{Output, Request, Result};
use serde::Serialize;
use serde_json::Value;

/// `--type`
pub(super) fn kind(args: Args) -> Result<InspectKind> {
    match args.text("type") {
        None | Some("") => Ok(InspectKind::Any),
        Some("container") => Ok(InspectKind::Container),
        Some("image") => Ok(InspectKind::Image),
        Some("volume") => Ok(InspectKind::Volume),
        Some("network") => Ok(InspectKind::Network),
        Some(other) => Err(wrong("type", other, "there are container, image, network and volume")),
    }
}

/// What is there is printed although something else is not: then the exit code is 1.
pub(super) async fn inspect(cx: &Context<'_>, kind: InspectKind) -> Result<u8> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for name in cx.names() {
        let request = InspectArgs { names: vec![name], kind, size: cx.args.on("size") };
        match cx.ask(Request::Inspect(request)).await {
            Ok(Output::Inspected(found)) => values.extend(found),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    match cx.args.text("format") {
        None => report::out(&pretty(&values)),
        Some(format) => {
            for value in values {
                let data = Data { value, ..Data::default() };
                report::out(&render_one(&data, Some(format))?.unwrap_or_default());
            }
        }
    }
    errors.iter().for_each(report::print_error);
    Ok(u8::from(!errors.is_empty()))
}

/// An array with docker's indentation of four.
fn pretty(values: &[Value]) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    match values.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned() + "\n",
        Err(e) => format!("{e}\n"),
    }
}
