//! `-e` and `--env-file`.

use crate::cli::args::{Args, misuse, text_of_file, wrong};
use crate::config::environment_value;
use crate::engine::Result;

/// Files first, then `-e`, later ones winning by their place at the end. `NAME` alone takes our own value, if any.
pub(in crate::cli) fn environment(args: Args) -> Result<Vec<String>> {
    let mut env = Vec::new();
    for path in args.texts("env-file") {
        let text = text_of_file("--env-file", path)?;
        env.extend(parse_file(path, &text)?);
    }
    for text in args.texts("env") {
        if text.is_empty() || text.starts_with('=') {
            return Err(wrong("env", text, "the name is missing"));
        }
        env.extend(one(text));
    }
    Ok(env)
}

fn one(text: &str) -> Option<String> {
    match text.contains('=') {
        true => Some(text.to_owned()),
        false => environment_value(text).map(|value| format!("{text}={value}")),
    }
}

fn parse_file(path: &str, text: &str) -> Result<Vec<String>> {
    let mut env = Vec::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or_default();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(misuse(format!("{path} line {}: '{name}' cannot be a variable's name", number + 1)));
        }
        env.extend(one(line));
    }
    Ok(env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_as_docker_reads_them() {
        let text = "\u{feff}# c\n\nA=1\n  B=x y # not a comment\nEMPTY=\nTEU_TEST_SURELY_UNSET\nC==\n";
        assert_eq!(parse_file("f", text).unwrap(), ["A=1", "B=x y # not a comment", "EMPTY=", "C=="]);
        let error = parse_file("f", "A=1\nB C=2\n").unwrap_err();
        assert_eq!(error.to_string(), "f line 2: 'B C' cannot be a variable's name");
    }
}
