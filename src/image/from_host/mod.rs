//! An image out of the machine's own programs: an ELF closure as one layer, for trying everything without a network.

mod archive;
mod build;
mod closure;
mod elf;
mod skeleton;
mod tree;

pub use build::{STARTER_NAME, build};

use closure::{Closure, find_program};
use std::io::Write;
use std::path::{Path, PathBuf};
use tree::Tree;

/// Why there is no such image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("program '{0}' is not on this machine (looked in {path})", path = closure::PATH)]
    MissingProgram(String),
    #[error("this machine has no shell (sh, bash, busybox)")]
    NoShell,
    #[error("{needed_by} needs the library {library}, which is not on this machine")]
    MissingLibrary { needed_by: PathBuf, library: String },
    #[error("{program} needs the interpreter {interpreter}, which is not on this machine")]
    MissingInterpreter { program: PathBuf, interpreter: PathBuf },
    #[error("{path} cannot be run: {why}")]
    NotAProgram { path: PathBuf, why: String },
    #[error("cannot read {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// What the image is made of, before anything is written.
pub struct Plan {
    tree: Tree,
    command: Vec<String>,
}

/// Looks up the programs and everything they need. No names: the starter set.
pub fn plan(programs: &[String]) -> Result<Plan> {
    let mut tree = Tree::default();
    let command = if programs.is_empty() { starter(&mut tree)? } else { named(&mut tree, programs)? };
    let shell = ["/bin/bash", "/bin/sh"].into_iter().find(|s| has(&tree, s)).unwrap_or("/bin/sh");
    skeleton::lay(&mut tree, shell);
    skeleton::add_data(&mut tree);
    add_merged(&mut tree);
    Ok(Plan { tree, command: vec![command] })
}

impl Plan {
    /// The layer as an uncompressed tar.
    pub fn write_tar(&self, to: impl Write) -> Result<()> {
        archive::write(&self.tree, to)
    }

    /// Seconds since the epoch of the newest program: the same machine makes the same image again.
    pub fn created(&self) -> u64 {
        self.tree.newest()
    }

    pub fn command(&self) -> &[String] {
        &self.command
    }
}

/// Every program must be there; each is also reachable by its name in `PATH`.
fn named(tree: &mut Tree, programs: &[String]) -> Result<String> {
    let mut first = None;
    for name in programs {
        let path = find_program(name).ok_or_else(|| Error::MissingProgram(name.clone()))?;
        Closure::new(tree).add(&path)?;
        first.get_or_insert_with(|| path.to_string_lossy().into_owned());
    }
    add_resolvers(tree)?;
    Ok(first.unwrap_or_default())
}

/// As much of the set as there is; a program that is broken on this machine is left out.
fn starter(tree: &mut Tree) -> Result<String> {
    let mut missing = Vec::new();
    let mut closure = Closure::new(tree);
    for name in skeleton::STARTER {
        match find_program(name) {
            Some(path) if closure.add(&path).is_ok() => {}
            _ => missing.push(*name),
        }
    }
    add_applets(tree, &missing);
    // Scripts and people say /bin/sh, wherever PATH found it.
    for shell in ["/bin/sh", "/bin/bash"] {
        if Path::new(shell).exists() {
            let _ = tree.host(Path::new(shell));
        }
    }
    add_resolvers(tree)?;
    ["/bin/bash", "/bin/sh"].into_iter().find(|s| has(tree, s)).map(str::to_owned).ok_or(Error::NoShell)
}

/// Where the host's /bin is its /usr/bin, the image's is too: scripts, checks and passwd say `/bin/sh`.
fn add_merged(tree: &mut Tree) {
    for name in ["/bin", "/sbin", "/lib", "/lib64"] {
        let Ok(target) = std::fs::read_link(name) else { continue };
        if tree.contains(&Path::new("/").join(&target)) && !tree.contains(Path::new(name)) {
            tree.link(name.into(), target);
        }
    }
}

/// `path`, or the same file by the other way a merged /usr gives.
fn has(tree: &Tree, path: &str) -> bool {
    tree.contains(Path::new(path)) || tree.contains(&Path::new("/usr").join(&path[1..]))
}

/// What the host lacks but its busybox can do.
fn add_applets(tree: &mut Tree, missing: &[&str]) {
    let Some(busybox) = find_program("busybox") else { return };
    let Ok(binary) = std::fs::read(&busybox) else { return };
    for name in missing.iter().filter(|name| skeleton::has_applet(&binary, name)) {
        tree.link(Path::new("/usr/bin").join(name), busybox.clone());
    }
    if missing.contains(&"sh") {
        tree.link("/bin/sh".into(), busybox);
    }
}

/// glibc loads these by name at run time, when a user or host is looked up; no ELF header mentions them.
fn add_resolvers(tree: &mut Tree) -> Result<()> {
    let libc = tree.nodes().find(|(p, _)| p.file_name().is_some_and(|n| n == "libc.so.6")).map(|(p, _)| p.to_owned());
    let Some(libc) = libc else { return Ok(()) };
    let mut closure = Closure::new(tree);
    for library in ["libnss_files.so.2", "libnss_dns.so.2"] {
        closure.add_library(library, &libc)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
