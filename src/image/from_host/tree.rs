//! The files of an image to be: host files by their own paths with every link on the way, and files of our making.

use super::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// More links than this on one path are a loop (the kernel's own bound).
const MAX_LINKS: u32 = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory {
        mode: u32,
    },
    Link(PathBuf),
    /// A file of the host's, copied when the archive is written.
    Host {
        path: PathBuf,
        mode: u32,
        size: u64,
        mtime: u64,
    },
    Text {
        mode: u32,
        content: Vec<u8>,
    },
}

/// By absolute path; sorted, so that the archive comes out the same each time.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<PathBuf, Node>,
}

impl Tree {
    pub fn nodes(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_path(), node))
    }

    pub fn contains(&self, path: &Path) -> bool {
        self.nodes.contains_key(path)
    }

    /// The newest time of any host file, in seconds.
    pub fn newest(&self) -> u64 {
        let time = |n: &Node| if let Node::Host { mtime, .. } = n { *mtime } else { 0 };
        self.nodes.values().map(time).max().unwrap_or(0)
    }

    pub fn directory(&mut self, path: &str, mode: u32) {
        self.parents(Path::new(path));
        self.nodes.insert(path.into(), Node::Directory { mode });
    }

    /// A file of our making; what the host gave under that name stays away.
    pub fn text(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.parents(Path::new(path));
        self.nodes.insert(path.into(), Node::Text { mode: 0o644, content: content.into() });
    }

    pub fn link(&mut self, path: PathBuf, target: PathBuf) {
        self.parents(&path);
        self.nodes.entry(path).or_insert(Node::Link(target));
    }

    fn parents(&mut self, path: &Path) {
        for parent in path.ancestors().skip(1).filter(|p| *p != Path::new("/")) {
            self.nodes.entry(parent.to_owned()).or_insert(Node::Directory { mode: 0o755 });
        }
    }

    /// Takes a host file with all symbolic links that lead to it; answers with its real path.
    pub fn host(&mut self, path: &Path) -> Result<PathBuf> {
        let unreadable = |e| Error::Unreadable { path: path.to_owned(), source: e };
        let mut real = PathBuf::from("/");
        let mut left: Vec<OsString> = components(path);
        let mut links = 0;
        while let Some(name) = left.pop() {
            if name == ".." {
                real.pop();
                continue;
            }
            let next = real.join(&name);
            let meta = fs::symlink_metadata(&next).map_err(unreadable)?;
            if !meta.is_symlink() {
                real = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(unreadable(std::io::Error::other("too many symbolic links")));
            }
            let target = fs::read_link(&next).map_err(unreadable)?;
            self.link(next, target.clone());
            if target.is_absolute() {
                real = "/".into();
            }
            left.extend(components(&target));
        }
        self.file(&real, unreadable)?;
        Ok(real)
    }

    fn file(&mut self, real: &Path, unreadable: impl Fn(std::io::Error) -> Error) -> Result<()> {
        if self.contains(real) {
            return Ok(());
        }
        let meta = fs::metadata(real).map_err(&unreadable)?;
        if !meta.is_file() {
            return Err(unreadable(std::io::Error::other("it is not a regular file")));
        }
        // Set-id bits stay behind: the image is for trying things, not for gaining rights.
        let mode = meta.permissions().mode() & 0o777;
        let mtime = u64::try_from(meta.mtime()).unwrap_or(0);
        self.parents(real);
        self.nodes.insert(real.to_owned(), Node::Host { path: real.to_owned(), mode, size: meta.len(), mtime });
        Ok(())
    }
}

/// Last first, so that `pop` takes the next.
fn components(path: &Path) -> Vec<OsString> {
    let part = |c: Component| match c {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    let mut parts: Vec<OsString> = path.components().filter_map(part).collect();
    parts.reverse();
    parts
}
