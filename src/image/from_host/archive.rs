//! The tree as a tar stream: sorted, owned by root, times as the host's files have them.

use super::tree::{Node, Tree};
use super::{Error, Result};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// Writes all of `tree`; a file that shrinks meanwhile is an error, one that grows is cut.
pub(super) fn write(tree: &Tree, to: impl Write) -> Result<()> {
    let time = tree.newest();
    let mut builder = Builder::new(to);
    for (path, node) in tree.nodes() {
        append(&mut builder, path, node, time).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    }
    let finished = builder.into_inner().and_then(|mut to| to.flush());
    finished.map_err(|source| Error::Unreadable { path: "/".into(), source })
}

fn append<W: Write>(builder: &mut Builder<W>, path: &Path, node: &Node, time: u64) -> io::Result<()> {
    let name = path.strip_prefix("/").unwrap_or(path);
    let mut header = Header::new_gnu();
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_size(0);
    match node {
        Node::Directory { mode } => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(*mode);
            builder.append_data(&mut header, name, io::empty())
        }
        Node::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            builder.append_link(&mut header, name, target)
        }
        Node::Text { mode, content } => {
            header.set_mode(*mode);
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, content.as_slice())
        }
        Node::Host { path, mode, size, mtime } => {
            header.set_mode(*mode);
            header.set_size(*size);
            header.set_mtime(*mtime);
            let file = Exactly { file: File::open(path)?, left: *size };
            builder.append_data(&mut header, name, file)
        }
    }
}

/// As many bytes as the header promised.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let n = self.file.read(&mut into[..want])?;
        if n == 0 && want > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
        }
        self.left -= n as u64;
        Ok(n)
    }
}
