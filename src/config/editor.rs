//! Texts handed to the user: saved, given to a command, or in the editor: `$VISUAL`, `$EDITOR`, else `vi`.

use super::environment::env_text;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Waits until the editor has ended. The text is in a file of mode 0600 in `dir`, removed afterwards.
pub fn edit(dir: &Path, text: &str) -> io::Result<()> {
    let path = dir.join(format!("scrollback-{}.txt", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let result = file.write_all(text.as_bytes()).and_then(|()| run(&path));
    let removed = std::fs::remove_file(&path);
    result.and(removed)
}

fn run(path: &Path) -> io::Result<()> {
    let editor = env_text("VISUAL").or_else(|| env_text("EDITOR")).unwrap_or_else(|| String::from("vi"));
    // As git and others do: the variable may hold arguments.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program)
        .args(words)
        .arg(path)
        .status()
        .map_err(|e| io::Error::new(e.kind(), format!("the editor '{program}' cannot be run: {e}")))?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("the editor '{editor}' ended with {status}"))) }
}

/// Runs a shell's command line in the terminal, these bytes its stdin, and waits for its end. One that does not read them
/// all is no failure.
pub fn pipe(command: &str, bytes: &[u8]) -> io::Result<ExitStatus> {
    let mut child = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take()
        && let Err(e) = input.write_all(bytes)
        && e.kind() != io::ErrorKind::BrokenPipe
    {
        let _already_failed = child.kill();
        let _reaped = child.wait();
        return Err(e);
    }
    child.wait()
}

/// Shows a web address in a browser that has the terminal, and waits for its end. `%s` stands for the address, which
/// else comes last.
pub fn browse(words: &[String], url: &str) -> io::Result<()> {
    let Some((program, arguments)) = words.split_first() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|word| word.replace("%s", url)));
    if !arguments.iter().any(|word| word.contains("%s")) {
        command.arg(url);
    }
    let status = command
        .status()
        .map_err(|e| io::Error::new(e.kind(), format!("the browser '{program}' cannot be run: {e}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("the browser '{program}' ended with {status}")))
    }
}

/// Saves what the user asked to keep. A log may hold secrets: the file is the user's alone, and none is overwritten.
pub fn write_new(name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(name)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_address_at_its_place() {
        let words = |script: &str, rest: &[&str]| {
            [&["sh", "-c", script], rest].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        browse(&words("test $0 = http://x", &[]), "http://x").unwrap();
        browse(&words("test $0 = -u=http://x && test $# = 0", &["-u=%s"]), "http://x").unwrap();
        let error = browse(&words("exit 3", &[]), "http://x").unwrap_err().to_string();
        assert!(error.contains("the browser 'sh' ended with exit status: 3"), "{error}");
    }

    #[test]
    fn a_command_gets_all_bytes_or_leaves_them() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let bytes = vec![b'x'; 300_000];
        assert!(pipe(&format!("cat > {}", out.display()), &bytes).unwrap().success());
        assert_eq!(std::fs::read(&out).unwrap(), bytes);
        assert_eq!(pipe("exit 3", &bytes).unwrap().code(), Some(3));
    }
}
