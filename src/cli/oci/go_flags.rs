//! Flags as Go's `flag` package takes them, which runc's callers are used to, in the words of this program's parser: one
//! dash is as good as two, a switch may have a value (`--force=false`), and of several the last counts.

use clap::{Arg, ArgAction, Command};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The arguments of `command` in clap's spelling. What is not known stays as it is, for clap to say so.
pub fn translate(command: &Command, args: &[OsString]) -> Result<Vec<OsString>, String> {
    // From there on the words are another program's.
    let opaque = command.get_arguments().any(Arg::is_trailing_var_arg_set);
    let (mut switched, mut out): (Vec<&str>, Vec<OsString>) = (Vec::new(), Vec::new());
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        let bytes = word.as_bytes();
        if bytes == b"--" || (opaque && !bytes.starts_with(b"-")) {
            out.push(word.clone());
            break;
        }
        let Some((name, value, flag)) = known(command, bytes) else {
            out.push(if word == "-help" { "--help".into() } else { word.clone() });
            continue;
        };
        if !matches!(flag.get_action(), ArgAction::SetTrue) {
            out.push(spelt(name, value));
            // Whatever it looks like.
            out.extend(value.is_none().then(|| rest.next().cloned()).flatten());
            continue;
        }
        switched.retain(|earlier| *earlier != name);
        match value.map(OsStrExt::as_bytes) {
            None | Some(b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True") => switched.push(name),
            Some(b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False") => {}
            Some(_) => {
                let value = value.unwrap_or_default().to_string_lossy().into_owned();
                return Err(format!("invalid boolean value \"{value}\" for -{name}"));
            }
        }
    }
    out.extend(rest.cloned());
    Ok(switched.into_iter().map(|name| spelt(name, None)).chain(out).collect())
}

fn spelt(name: &str, value: Option<&OsStr>) -> OsString {
    let mut word = OsString::from(format!("--{name}"));
    if let Some(value) = value {
        word.push("=");
        word.push(value);
    }
    word
}

/// The flag that a word is, by its long name or by its one letter; with the value that is attached.
fn known<'a>(command: &'a Command, word: &'a [u8]) -> Option<(&'a str, Option<&'a OsStr>, &'a Arg)> {
    let word = word.strip_prefix(b"-")?;
    let word = word.strip_prefix(b"-").unwrap_or(word);
    let (name, value) = match word.iter().position(|b| *b == b'=') {
        Some(at) => (word.get(..at)?, word.get(at + 1..).map(OsStr::from_bytes)),
        None => (word, None),
    };
    let name = std::str::from_utf8(name).ok()?;
    let mut letters = name.chars();
    let letter = letters.next().filter(|_| letters.next().is_none());
    let named = |arg: &&Arg| arg.get_long() == Some(name) || (letter.is_some() && arg.get_short() == letter);
    let flag = command.get_arguments().find(named)?;
    Some((flag.get_long()?, value, flag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::oci::flags;

    fn check(verb: &str, given: &str, expected: &str) {
        let words: Vec<OsString> = given.split_whitespace().map(OsString::from).collect();
        let out = translate(&flags::command(verb).unwrap(), &words).unwrap();
        assert_eq!(out.join(OsStr::new(" ")), expected, "{verb} {given}");
    }

    #[test]
    fn one_dash_is_as_good_as_two_and_switches_may_have_values() {
        check("delete", "--force=true x", "--force x");
        check("delete", "-force x", "--force x");
        check("delete", "-f=1 x", "--force x");
        check("delete", "x -f", "--force x");
        check("delete", "--force -f=false x", "x");
        check("delete", "--force=F --force x", "--force x");
        check("delete", "-- -force", "-- -force");
        check("run", "-bundle /b -detach -pid-file=/p x", "--detach --bundle /b --pid-file=/p x");
        check("run", "-b=/b --b /c -d x", "--detach --bundle=/b --bundle /c x");
        check("update", "-memory-swap -1 x", "--memory-swap -1 x");
        check("kill", "-all=true x 9", "--all x 9");
        check("list", "-help", "--help");
        let wrong = translate(&flags::command("delete").unwrap(), &["-force=maybe".into()]).unwrap_err();
        assert!(wrong.contains("invalid boolean value \"maybe\""), "{wrong}");
    }

    #[test]
    fn what_follows_a_container_s_id_is_its_program_s() {
        check("exec", "-env A=b -t x env -env --tty=false", "--tty --env A=b x env -env --tty=false");
        check("exec", "--cwd -tty x ls", "--cwd -tty x ls");
        check("exec", "-td x ls -f=1", "-td x ls -f=1");
        check("ps", "-format json x -force", "--format json x -force");
        check("delete", "-nope -x=1", "-nope -x=1");
    }
}
