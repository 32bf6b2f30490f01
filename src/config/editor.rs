//! Texts handed to the user: saved, or in the editor: `$VISUAL`, `$EDITOR`, else `vi`.

use super::environment::env_text;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

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

/// Saves what the user asked to keep. A log may hold secrets: the file is the user's alone, and none is overwritten.
pub fn write_new(name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(name)?;
    file.write_all(bytes)
}
