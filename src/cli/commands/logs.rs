//! `logs`: records to the stream they came from.

use super::Context;
use crate::cli::args::{Args, wrong};
use crate::cli::output::text::{now, point_in_time};
use crate::cli::report;
use crate::engine::job::{Chunk, JobIo};
use crate::engine::request::LogsArgs;
use crate::engine::{Request, Result};
use crate::model::log::{LogRecord, Stream};
use std::io::Write;

pub(super) async fn logs(cx: &Context<'_>) -> Result<u8> {
    let args = cx.args;
    let request = LogsArgs {
        container: cx.names().pop().unwrap_or_default(),
        follow: args.on("follow"),
        tail: tail(args)?,
        since: time(args, "since")?,
        until: time(args, "until")?,
        before: None,
    };
    let timestamps = args.on("timestamps");
    let mut handle = cx.engine.submit(Request::Logs(request));
    let Some(JobIo { mut output, .. }) = handle.io.take() else { return cx.finish(handle).await.map(|_| 0) };
    let mut writer = Writer { timestamps, open: [false; 2] };
    while let Some(chunk) = output.recv().await {
        let written = match chunk {
            Chunk::Log(records) => writer.write(&records),
            Chunk::Notice(text) => {
                report::err(&format!("teu: {text}\n"));
                Ok(())
            }
            _ => Ok(()),
        };
        if written.is_err() {
            // The reader went away: that is the end of the matter.
            handle.cancel();
            return Ok(0);
        }
    }
    cx.finish(handle).await.map(|_| 0)
}

/// `all`, a number; negative is all, as docker has it.
fn tail(args: Args) -> Result<Option<u64>> {
    match args.text("tail") {
        None | Some("all" | "") => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(n) => Ok(u64::try_from(n).ok()),
            Err(_) => Err(wrong("tail", text, "it must be a number or all")),
        },
    }
}

pub(super) fn time(args: Args, flag: &str) -> Result<Option<i64>> {
    let parse = |text: &str| {
        point_in_time(text, now())
            .ok_or_else(|| wrong(flag, text, "it is neither a time (2026-01-02T13:23:37Z) nor an age (42m)"))
    };
    args.text(flag).filter(|t| !t.is_empty()).map(parse).transpose()
}

struct Writer {
    timestamps: bool,
    /// A line of stdout, of stderr that has begun and goes on in the next record.
    open: [bool; 2],
}

impl Writer {
    fn write(&mut self, records: &[LogRecord]) -> std::io::Result<()> {
        let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
        for record in records {
            match record.stream {
                Stream::Stdout => self.record(&mut stdout, record, 0)?,
                Stream::Stderr => {
                    stdout.flush()?;
                    let mut line = Vec::new();
                    self.record(&mut line, record, 1)?;
                    std::io::stderr().lock().write_all(&line)?;
                }
            }
        }
        stdout.flush()
    }

    fn record(&mut self, to: &mut impl Write, record: &LogRecord, stream: usize) -> std::io::Result<()> {
        if self.timestamps && !self.open[stream] {
            write!(to, "{} ", record.time.rfc3339())?;
        }
        to.write_all(&record.bytes)?;
        self.open[stream] = record.partial;
        if record.partial { Ok(()) } else { to.write_all(b"\n") }
    }
}
