//! Shell completion: scripts that call back into teu, which answers with live names of containers and images.

use super::verbs::{self, GROUPS, ROWS};
use crate::config::Overrides;
use crate::engine::{Error, ErrorKind, Inventory, Result};
use clap::builder::{Arg, Command};
use clap_complete::ArgValueCandidates;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, OnceLock};

/// The variable by which a completion script calls: `TEU_COMPLETE=bash teu -- WORDS`.
pub const COMPLETE_VARIABLE: &str = "TEU_COMPLETE";

/// Opens the state named by the words so far; `None` when that cannot be had (then there are no names to offer).
type Open = fn(&Overrides) -> Option<Arc<Inventory>>;

/// Answers one call of a completion script. `args` as the program got them.
pub fn complete(shell: &OsStr, args: &[OsString], open: Open) -> u8 {
    let words = args.iter().position(|a| a == "--").map_or(&[][..], |at| &args[at + 1..]);
    let shells = Shells::builtins();
    let Some(shell) = shell.to_str().and_then(|name| shells.completer(name)) else { return 1 };
    let mut buffer = Vec::new();
    let names = Names { overrides: overrides(words), open, inventory: Arc::default() };
    let mut command = tree(&names);
    command.build();
    let answered =
        shell.write_complete(&mut command, words.to_vec(), std::env::current_dir().ok().as_deref(), &mut buffer);
    super::report::out(&String::from_utf8_lossy(&buffer));
    u8::from(answered.is_err())
}

/// The script that a shell evaluates; `program` is the name it completes.
pub(super) fn script(shell: &str, program: &str) -> Result<String> {
    let fail =
        |why: String| Error::new(ErrorKind::Invalid, format!("writing the completion script for {shell}")).because(why);
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or_else(|| fail("unknown shell".into()))?;
    let mut buffer = Vec::new();
    let written = completer.write_registration(COMPLETE_VARIABLE, "teu", program, program, &mut buffer);
    written.map_err(|e| fail(e.to_string()))?;
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}

/// `--root DIR` wherever it stands on the line.
fn overrides(words: &[OsString]) -> Overrides {
    let after = words.windows(2).find(|pair| pair[0] == "--root").map(|pair| pair[1].clone());
    let attached = words.iter().find_map(|w| w.to_str()?.strip_prefix("--root=").map(OsString::from));
    Overrides { root: after.or(attached).map(Into::into), ..Overrides::default() }
}

/// Where names come from: opened once, and only when a name is completed.
#[derive(Clone)]
struct Names {
    overrides: Overrides,
    open: Open,
    inventory: Arc<OnceLock<Option<Arc<Inventory>>>>,
}

impl Names {
    fn inventory(&self) -> Option<Arc<Inventory>> {
        self.inventory.get_or_init(|| (self.open)(&self.overrides)).clone()
    }

    fn containers(&self) -> Vec<CompletionCandidate> {
        let all = self.inventory();
        let help = |state: &str, image: &str| Some(format!("{state}, {image}").into());
        let one = |c: &Arc<crate::engine::ContainerEntry>| {
            let state = c.state.status.word();
            CompletionCandidate::new(&c.container.name).help(help(state, &c.container.image_ref))
        };
        all.iter().flat_map(|i| &i.containers).map(one).collect()
    }

    fn images(&self) -> Vec<CompletionCandidate> {
        let all = self.inventory();
        let names = all.iter().flat_map(|i| &i.images).flat_map(|i| &i.image.references);
        names.map(|r| CompletionCandidate::new(r.familiar())).collect()
    }

    fn volumes(&self) -> Vec<CompletionCandidate> {
        self.inventory().iter().flat_map(|i| &i.volumes).map(|v| CompletionCandidate::new(&v.name)).collect()
    }

    fn networks(&self) -> Vec<CompletionCandidate> {
        self.inventory().iter().flat_map(|i| &i.networks).map(|n| CompletionCandidate::new(&n.name)).collect()
    }

    /// What an argument is about is said by the name its value has in the help.
    fn offer(&self, arg: Arg) -> Arg {
        let kind = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        let names = self.clone();
        match kind.as_deref() {
            Some("CONTAINER") => arg.add(ArgValueCandidates::new(move || names.containers())),
            Some("IMAGE" | "SOURCE" | "REPOSITORY[:TAG]") => arg.add(ArgValueCandidates::new(move || names.images())),
            Some("VOLUME") => arg.add(ArgValueCandidates::new(move || names.volumes())),
            Some("NETWORK") => arg.add(ArgValueCandidates::new(move || names.networks())),
            Some("NAME") if arg.get_long().is_none() => arg.add(ArgValueCandidates::new(move || {
                [names.containers(), names.images(), names.volumes()].into_iter().flatten().collect()
            })),
            _ => arg,
        }
    }
}

/// All verbs as one clap command: needed for completion alone.
fn tree(names: &Names) -> Command {
    let verbs = |group: &'static str| {
        let rows = ROWS.iter().filter(move |row| row.group == group && !row.about.is_empty());
        rows.map(|row| verbs::command(row).mut_args(|arg| names.offer(arg)))
    };
    let groups = GROUPS.iter().map(|(name, about)| Command::new(*name).about(*about).subcommands(verbs(name)));
    Command::new("teu").arg(super::flags::root()).subcommands(verbs("")).subcommands(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_the_whole_tree() {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            assert!(script(shell, "teu").unwrap().contains(COMPLETE_VARIABLE), "{shell}");
        }
        let names = Names { overrides: Overrides::default(), open: |_| None, inventory: Arc::default() };
        tree(&names).debug_assert();
        let words = ["teu", "--root", "/r", "ps"].map(OsString::from);
        assert_eq!(overrides(&words).root.as_deref(), Some(std::path::Path::new("/r")));
    }
}
