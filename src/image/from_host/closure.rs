//! Programs and everything they need to start: interpreter, libraries of libraries, a script's own interpreter.

use super::tree::Tree;
use super::{Error, Result, elf};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where programs are looked for; also the image's `PATH`.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SYSTEM_LIBRARIES: [&str; 6] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib", "/usr/local/lib64"];

/// Where a program of this name is on the host.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runnable = |p: &Path| fs::metadata(p).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return std::path::absolute(name).ok().filter(|p| runnable(p));
    }
    PATH.split(':').map(|dir| Path::new(dir).join(name)).find(|p| runnable(p))
}

/// Collects files; each is looked at once.
pub(super) struct Closure<'a> {
    tree: &'a mut Tree,
    /// The host's library directories, in the loader's order.
    system: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
}

impl<'a> Closure<'a> {
    pub fn new(tree: &'a mut Tree) -> Self {
        let mut system = Vec::new();
        read_loader_config(Path::new("/etc/ld.so.conf"), 0, &mut system);
        for dir in SYSTEM_LIBRARIES {
            system.push(dir.into());
            // Debian's place for an architecture's libraries, should ld.so.conf be missing.
            system.push(Path::new(dir).join(format!("{}-linux-gnu", std::env::consts::ARCH)));
        }
        Self { tree, system, seen: BTreeSet::new() }
    }

    /// Takes the program at `path` and all it needs.
    pub fn add(&mut self, path: &Path) -> Result<PathBuf> {
        let real = self.tree.host(path)?;
        let mut queue = vec![(real.clone(), Vec::new())];
        while let Some((file, inherited)) = queue.pop() {
            if self.seen.insert(file.clone()) {
                queue.extend(self.needs_of(&file, &inherited)?);
            }
        }
        Ok(real)
    }

    /// A library that is nice to have: taken with its own needs when the host has it.
    pub fn add_library(&mut self, name: &str, like: &Path) -> Result<()> {
        let Some(kind) = head(like).ok().and_then(|h| elf::kind(&h)) else { return Ok(()) };
        match self.find_library(name, &[], kind) {
            Some(path) => self.add(&path).map(drop),
            None => Ok(()),
        }
    }

    fn needs_of(&mut self, file: &Path, inherited: &[PathBuf]) -> Result<Vec<(PathBuf, Vec<PathBuf>)>> {
        let unreadable = |source| Error::Unreadable { path: file.to_owned(), source };
        let start = head(file).map_err(unreadable)?;
        if start.starts_with(b"#!") {
            return self.script_needs(file, &start);
        }
        if elf::kind(&start).is_none() {
            return Err(Error::NotAProgram { path: file.to_owned(), why: "neither an ELF file nor a script".into() });
        }
        let data = fs::read(file).map_err(unreadable)?;
        let needs = elf::needs(&data).map_err(|why| Error::NotAProgram { path: file.to_owned(), why })?;
        let mut found = Vec::new();
        if let Some(interpreter) = &needs.interpreter {
            let real = self.tree.host(interpreter).map_err(|_| Error::MissingInterpreter {
                program: file.to_owned(),
                interpreter: interpreter.clone(),
            })?;
            found.push((real, Vec::new()));
        }
        let origin = file.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let own = |s: &String| PathBuf::from(s.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin));
        let mut search: Vec<PathBuf> = needs.search.iter().map(own).filter(|p| p.is_absolute()).collect();
        search.extend_from_slice(inherited);
        for library in &needs.libraries {
            let path = self
                .find_library(library, &search, needs.kind)
                .ok_or_else(|| Error::MissingLibrary { needed_by: file.to_owned(), library: library.clone() })?;
            found.push((self.tree.host(&path)?, search.clone()));
        }
        Ok(found)
    }

    fn script_needs(&mut self, file: &Path, start: &[u8]) -> Result<Vec<(PathBuf, Vec<PathBuf>)>> {
        let line = start[2..].split(|b| *b == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        let mut words = line.split_whitespace();
        let interpreter = PathBuf::from(words.next().unwrap_or_default());
        let missing = || Error::MissingInterpreter { program: file.to_owned(), interpreter: interpreter.clone() };
        let mut found = vec![(self.tree.host(&interpreter).map_err(|_| missing())?, Vec::new())];
        if interpreter.file_name().is_some_and(|n| n == "env") {
            // `env -S prog` and `env VAR=x prog`: the first word that is neither flag nor assignment.
            if let Some(name) = words.find(|w| !w.starts_with('-') && !w.contains('=')) {
                let program = find_program(name).ok_or_else(missing)?;
                found.push((self.tree.host(&program)?, Vec::new()));
            }
        }
        Ok(found)
    }

    fn find_library(&self, name: &str, search: &[PathBuf], kind: (u16, u8)) -> Option<PathBuf> {
        let fits = |path: &PathBuf| head(path).is_ok_and(|h| elf::kind(&h) == Some(kind));
        if name.contains('/') {
            return Some(PathBuf::from(name)).filter(fits);
        }
        search.iter().chain(&self.system).map(|dir| dir.join(name)).find(fits)
    }
}

fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(256);
    File::open(path)?.take(256).read_to_end(&mut start)?;
    Ok(start)
}

/// `ld.so.conf`: directories, comments, and `include` with a pattern in its last part.
fn read_loader_config(path: &Path, depth: u32, into: &mut Vec<PathBuf>) {
    let Ok(text) = fs::read_to_string(path) else { return };
    for line in text.lines().map(|l| l.split('#').next().unwrap_or_default().trim()).filter(|l| !l.is_empty()) {
        match line.strip_prefix("include").map(str::trim) {
            Some(pattern) if depth < 8 => {
                for file in expand(Path::new(pattern)) {
                    read_loader_config(&file, depth + 1, into);
                }
            }
            _ => into.push(line.into()),
        }
    }
}

fn expand(pattern: &Path) -> Vec<PathBuf> {
    let (Some(dir), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|n| n.to_str())) else {
        return Vec::new();
    };
    let Some((before, after)) = name.split_once('*') else { return vec![pattern.to_owned()] };
    let matches = |n: &str| n.len() >= before.len() + after.len() && n.starts_with(before) && n.ends_with(after);
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.filter(|e| e.file_name().to_str().is_some_and(matches)).map(|e| e.path()).collect();
    files.sort();
    files
}
