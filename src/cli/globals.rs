//! The first look at the arguments: options before the verb, the verb, and the rest left to that verb's own parser.
//!
//! Only the verb that was typed gets a clap command: building all of them would cost every `teu run` a part of its time.

use super::report;
use super::verbs::{self, Row, Verb};
use crate::config::Overrides;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// Options that hold for every verb.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    pub overrides: Overrides,
    pub color: ColorChoice,
}

/// What the arguments ask for.
pub enum Parsed {
    /// No verb: the TUI.
    Screen(Globals),
    Command(Command),
    /// Everything was said already (help, version, a usage error).
    Done(u8),
}

impl Parsed {
    /// Wants a control group that it may fill: it may bring a monitor to life, which then stays in this process's; or it
    /// tells what such a command would find.
    pub fn fills_a_group(&self) -> bool {
        match self {
            Parsed::Screen(_) => true,
            Parsed::Command(command) => {
                matches!(command.verb, Verb::Run | Verb::Start | Verb::Restart | Verb::Doctor | Verb::Info)
            }
            Parsed::Done(_) => false,
        }
    }
}

/// How long the program is going to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Short,
    /// A short one that looks at the machine: of use where nothing else is, too.
    Examination,
    /// Starts one container, a new one or one that is there: its monitor is worth loading before anything else.
    Container {
        new: bool,
    },
    /// Pulls and the like: worth a threaded runtime.
    Long,
    /// Until the user has enough, following what other processes change.
    Screen,
}

/// One verb with its parsed flags.
pub struct Command {
    pub globals: Globals,
    pub(super) verb: Verb,
    pub(super) matches: clap::ArgMatches,
}

impl Command {
    pub fn needs_engine(&self) -> bool {
        !matches!(self.verb, Verb::Version | Verb::Completion)
    }

    pub fn length(&self) -> Length {
        length(self.verb)
    }
}

fn length(verb: Verb) -> Length {
    match verb {
        Verb::Pull | Verb::FromHost => Length::Long,
        Verb::Run => Length::Container { new: true },
        Verb::Start => Length::Container { new: false },
        Verb::Doctor => Length::Examination,
        _ => Length::Short,
    }
}

/// The arguments up to the verb.
pub enum Look<'a> {
    Screen(Globals),
    /// The rest is left to the verb's own parser.
    Verb(Typed<'a>),
    /// Everything was said already.
    Done(u8),
}

pub struct Typed<'a> {
    row: &'static Row,
    globals: Globals,
    rest: &'a [OsString],
}

impl Look<'_> {
    /// Known before the verb's flags are read.
    pub fn length(&self) -> Length {
        match self {
            Look::Verb(typed) => length(typed.row.verb),
            Look::Screen(_) => Length::Screen,
            Look::Done(_) => Length::Short,
        }
    }

    /// Prints help and usage errors itself.
    pub fn parse(self) -> Parsed {
        match self {
            Look::Screen(globals) => Parsed::Screen(globals),
            Look::Verb(Typed { row, globals, rest }) => parse_verb(row, globals, rest),
            Look::Done(code) => Parsed::Done(code),
        }
    }
}

/// Parses `args` (without the program's name). Prints help and usage errors itself.
pub fn parse(args: &[OsString]) -> Parsed {
    look(args).parse()
}

/// The first part of [`parse`].
pub fn look(args: &[OsString]) -> Look<'_> {
    let mut globals = Globals::default();
    let mut rest = args;
    loop {
        match take_global(&mut globals, rest) {
            Ok(Taken::Some(n)) => rest = &rest[n..],
            Ok(Taken::None) => break,
            Ok(Taken::Done(code)) => return Look::Done(code),
            Err(message) => return usage_error(&message),
        }
    }
    let Some(first) = rest.first() else { return Look::Screen(globals) };
    let Some(first) = first.to_str() else { return usage_error("a command's name must be UTF-8") };
    if first == "help" {
        return help(&rest[1..]);
    }
    let group = verbs::is_group(first).then_some(first);
    let skip = usize::from(group.is_some());
    match (group, rest.get(skip).and_then(|a| a.to_str())) {
        (Some(group), None | Some("--help" | "-h" | "help")) => {
            report::out(&verbs::group_help(group));
            Look::Done(0)
        }
        (group, Some(name)) => match verbs::find(group.unwrap_or(""), name) {
            Some(row) => Look::Verb(Typed { row, globals, rest: &rest[skip + 1..] }),
            None => misuse(&verbs::unknown(group, name), verbs::hint(name)),
        },
        (None, None) => usage_error("a command's name must be UTF-8"),
    }
}

enum Taken {
    None,
    Some(usize),
    Done(u8),
}

fn take_global(globals: &mut Globals, args: &[OsString]) -> Result<Taken, String> {
    let Some(text) = args.first().and_then(|a| a.to_str()).filter(|a| a.starts_with('-') && a.len() > 1) else {
        return Ok(Taken::None);
    };
    let (name, attached) = text.split_once('=').map_or((text, None), |(n, v)| (n, Some(OsStr::new(v))));
    let value =
        || attached.or_else(|| args.get(1).map(|a| a.as_os_str())).ok_or(format!("flag needs an argument: {name}"));
    let path = || value().map(|v| Some(PathBuf::from(v)));
    match name {
        "--root" => globals.overrides.root = path()?,
        "--data-dir" => globals.overrides.data_dir = path()?,
        "--run-dir" => globals.overrides.run_dir = path()?,
        "--color" => globals.color = color(value()?)?,
        "-h" | "--help" => {
            report::out(&verbs::help());
            return Ok(Taken::Done(0));
        }
        "-v" | "--version" => {
            report::out(&format!("teu version {}\n", env!("CARGO_PKG_VERSION")));
            return Ok(Taken::Done(0));
        }
        "-H" | "--host" | "-c" | "--context" => {
            return Err(format!("{name} is not supported yet: teu works on this machine only"));
        }
        _ => return Err(format!("unknown flag: {name}")),
    }
    Ok(Taken::Some(if attached.is_some() { 1 } else { 2 }))
}

fn color(value: &OsStr) -> Result<ColorChoice, String> {
    match value.to_str() {
        Some("auto") => Ok(ColorChoice::Auto),
        Some("always") => Ok(ColorChoice::Always),
        Some("never") => Ok(ColorChoice::Never),
        _ => Err(format!("--color must be auto, always or never, not {}", value.display())),
    }
}

fn usage_error(message: &str) -> Look<'static> {
    misuse(message, verbs::HELP)
}

fn misuse(message: &str, hint: &str) -> Look<'static> {
    report::err(&format!("teu: {message}\nhint: {hint}\n"));
    Look::Done(report::USAGE)
}

/// `teu help [GROUP] VERB`
fn help(words: &[OsString]) -> Look<'static> {
    let mut args: Vec<OsString> = words.to_vec();
    args.push("--help".into());
    match parse(&args) {
        Parsed::Done(code) => Look::Done(code),
        // A word that takes --help for its own.
        Parsed::Screen(_) | Parsed::Command(_) => usage_error("help is for commands"),
    }
}

fn parse_verb(row: &'static Row, mut globals: Globals, args: &[OsString]) -> Parsed {
    let command = verbs::command(row);
    let path = row.path();
    let argv = std::iter::once(OsString::from(&path)).chain(args.iter().cloned());
    match command.try_get_matches_from(argv) {
        Ok(matches) => {
            if let Some(root) = matches.get_one::<String>("root") {
                globals.overrides.root = Some(root.into());
            }
            Parsed::Command(Command { globals, verb: row.verb, matches })
        }
        Err(e) => Parsed::Done(clap_error(&path, &e)),
    }
}

/// Help goes to stdout with 0; mistakes in our style to stderr with docker's 125.
fn clap_error(path: &str, error: &clap::Error) -> u8 {
    use clap::error::ErrorKind as Kind;
    if error.kind() == Kind::DisplayHelp {
        report::out(&error.render().to_string());
        return 0;
    }
    let rendered = error.render().to_string();
    let text = rendered.strip_prefix("error: ").unwrap_or(&rendered);
    let message = text.split("\n\n").next().unwrap_or(text).trim_end();
    let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let message = match error.kind() {
        Kind::UnknownArgument => match error.get(clap::error::ContextKind::InvalidArg) {
            Some(clap::error::ContextValue::String(flag)) if flag.starts_with('-') => format!("unknown flag: {flag}"),
            Some(clap::error::ContextValue::String(word)) => format!("unexpected argument '{word}'"),
            _ => message,
        },
        Kind::MissingRequiredArgument => {
            message.replace("the following required arguments were not provided:", "missing")
        }
        _ => message,
    };
    report::err(&format!("teu: {message}\nhint: see '{path} --help'\n"));
    // As docker: 125 for a flag, 1 for names that are missing or too many.
    let flag = error.get(clap::error::ContextKind::InvalidArg).is_none_or(|arg| arg.to_string().starts_with('-'));
    if flag { report::USAGE } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doctor_looks_from_where_containers_are_started() {
        for (line, fills) in
            [("run img", true), ("start web", true), ("doctor", true), ("info", true), ("ps -a", false)]
        {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(parse(&args).fills_a_group(), fills, "{line}");
        }
        assert!(parse(&[]).fills_a_group(), "the screen");
    }
}
