//! One archive entry as data: header fields, long names and pax records merged, checked before anything is written.

use super::pax::{Pax, Sparse};
use super::place::{Name, shown};
use super::tape::Extensions;
use crate::image::{Error, Result};
use crate::sys::files::{Node, Time};
use std::io::Read;

/// What to make.
#[derive(Debug)]
pub enum What {
    File {
        size: u64,
        holes: Holes,
    },
    Directory,
    Symlink {
        target: Vec<u8>,
    },
    /// To another name in this same archive.
    HardLink {
        target: Name,
    },
    Node(Node),
    /// `.wh.NAME`: NAME of a lower layer is gone.
    Whiteout {
        hidden: Name,
    },
    /// `.wh..wh..opq`: nothing of lower layers shows in this directory.
    Opaque {
        directory: Name,
    },
}

/// How a file's data stands in the archive.
#[derive(Debug)]
pub enum Holes {
    None,
    /// The parser fills the holes with zeros (old GNU format).
    Zeros,
    /// A pax sparse file: data segments only.
    Pax(Sparse),
}

#[derive(Debug)]
pub struct Entry {
    pub name: Name,
    pub what: What,
    /// With setuid, setgid and sticky bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// `None` for entries that describe the archive and not a file.
    pub fn new<R: Read>(parsed: &tar::Entry<'_, R>, extensions: Extensions) -> Result<Option<Entry>> {
        let header = parsed.header();
        let raw_name = header.path_bytes();
        let refuse = |why: String| Error::invalid(format!("archive entry '{}'", shown(&raw_name)), why);
        let kind = header.entry_type();
        if kind.is_pax_global_extensions() || matches!(kind.as_byte(), b'V' | b'M' | b'N') {
            return Ok(None);
        }
        let mut pax = Pax::parse(extensions.pax.as_deref().unwrap_or_default()).map_err(refuse)?;
        if !kind.is_gnu_sparse() && pax.size.is_some_and(|size| size != parsed.size()) {
            return Err(refuse(String::from("two readers would see different sizes")));
        }
        let sparse_name = pax.sparse.as_mut().and_then(|s| s.name.take());
        let raw = sparse_name.or(pax.path.take()).or(extensions.long_name);
        let raw = raw.as_deref().unwrap_or(&raw_name);
        let name = Name::clean(raw)?;
        let link = pax.link.take().or(extensions.long_link).or_else(|| header.link_name_bytes().map(|l| l.to_vec()));
        // Some writers leave fields they do not care for empty; every reader takes that for 0.
        let raw_header = header.as_bytes();
        let number = |field: std::io::Result<u64>, at: std::ops::Range<usize>| match field {
            Err(_) if raw_header[at].iter().all(|b| matches!(b, 0 | b' ')) => Ok(0),
            other => other.map_err(|e| refuse(e.to_string())),
        };
        let id = |n: u64| u32::try_from(n).ok().filter(|id| *id != u32::MAX);
        let uid = pax.uid.map_or_else(|| number(header.uid(), 108..116), Ok)?;
        let gid = pax.gid.map_or_else(|| number(header.gid(), 116..124), Ok)?;
        let (Some(uid), Some(gid)) = (id(uid), id(gid)) else {
            return Err(refuse(String::from("its owner is out of range")));
        };
        let mtime = match pax.mtime {
            Some(mtime) => mtime,
            None => Time { secs: signed(number(header.mtime(), 136..148)?), nanos: 0 },
        };
        let mode = number(header.mode().map(u64::from), 100..108)? & 0o7777;
        let mode = u32::try_from(mode).unwrap_or(0);
        let what = what(parsed, name.clone(), raw.ends_with(b"/"), link, pax.sparse.take()).map_err(refuse)?;
        Ok(what.map(|what| Entry { name, what, mode, uid, gid, mtime, xattrs: pax.xattrs }))
    }
}

/// Base-256 fields carry times before the epoch as two's complement.
fn signed(value: u64) -> i64 {
    value.cast_signed()
}

fn what<R: Read>(
    parsed: &tar::Entry<'_, R>,
    name: Name,
    slash: bool,
    link: Option<Vec<u8>>,
    sparse: Option<Sparse>,
) -> Result<Option<What>, String> {
    let header = parsed.header();
    let (_, last) = name.split();
    let last = last.as_encoded_bytes();
    if let Some(hidden) = last.strip_prefix(b".wh.") {
        return match hidden {
            b".wh..opq" => {
                let (parent, _) = name.split();
                Ok(Some(What::Opaque { directory: Name::clean(parent).map_err(|e| e.to_string())? }))
            }
            // aufs's own book-keeping, found in old images.
            _ if hidden.starts_with(b".wh.") => Ok(None),
            b"" | b"." | b".." => Err(String::from("a whiteout must name what it hides")),
            _ => Ok(Some(What::Whiteout { hidden: name.sibling(hidden) })),
        };
    }
    let target = |link: Option<Vec<u8>>| match link {
        Some(target) if target.is_empty() => Err(String::from("its link target is empty")),
        Some(target) if target.contains(&0) => Err(String::from("its link target holds a NUL byte")),
        Some(target) => Ok(target),
        None => Err(String::from("its link target is missing")),
    };
    let kind = header.entry_type();
    Ok(Some(match kind.as_byte() {
        b'5' | b'D' => What::Directory,
        b'0' | 0 | b'7' if slash && sparse.is_none() => What::Directory,
        b'0' | 0 | b'7' => What::File { size: parsed.size(), holes: sparse.map_or(Holes::None, Holes::Pax) },
        b'S' => What::File { size: parsed.size(), holes: Holes::Zeros },
        b'1' => What::HardLink { target: Name::clean(&target(link)?).map_err(|e| e.to_string())? },
        b'2' => What::Symlink { target: target(link)? },
        b'3' => device(header)?.map(|(major, minor)| What::Node(Node::Char(major, minor))).ok_or("bad device")?,
        b'4' => device(header)?.map(|(major, minor)| What::Node(Node::Block(major, minor))).ok_or("bad device")?,
        b'6' => What::Node(Node::Fifo),
        other => return Err(format!("it has the unknown type '{}'", char::from(other).escape_debug())),
    }))
}

/// Linux has 12 bits of major and 20 of minor: more would wrap into another device.
fn device(header: &tar::Header) -> Result<Option<(u32, u32)>, String> {
    let major = header.device_major().map_err(|e| e.to_string())?;
    let minor = header.device_minor().map_err(|e| e.to_string())?;
    match (major, minor) {
        (Some(major), Some(minor)) if major < 1 << 12 && minor < 1 << 20 => Ok(Some((major, minor))),
        _ => Err(String::from("its device number is out of range")),
    }
}
