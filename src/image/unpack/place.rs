//! Where entries go: walks names below one root by directory descriptors, so that nothing lands outside.

use crate::image::{Error, Result, limits};
use crate::sys;
use crate::sys::files::{self, Kind, Meta};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// Directories below one another that stay open at once; deeper archives are refused.
const DEEPEST: usize = 200;

/// A name in an archive, cleaned: its components, never `..`, never empty, never with NUL. The root has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(Vec<u8>);

impl Name {
    /// `./a//b/` and `/a/b` are `a/b`: absolute names are taken below the root, as every engine does.
    pub fn clean(raw: &[u8]) -> Result<Name> {
        let refuse = |why: &str| Err(Error::invalid(format!("archive entry '{}'", shown(raw)), why));
        if raw.len() > limits::PATH {
            return refuse("its name is longer than 4095 bytes");
        }
        if raw.contains(&0) {
            return refuse("its name holds a NUL byte");
        }
        let mut clean = Vec::with_capacity(raw.len());
        for (depth, component) in raw.split(|b| *b == b'/').filter(|c| !matches!(*c, b"" | b".")).enumerate() {
            if component == b".." {
                return refuse("its name leads upwards ('..')");
            }
            if component.len() > limits::NAME {
                return refuse("a part of its name is longer than 255 bytes");
            }
            if depth >= DEEPEST {
                return refuse("it is nested too deep");
            }
            if !clean.is_empty() {
                clean.push(b'/');
            }
            clean.extend_from_slice(component);
        }
        Ok(Name(clean))
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parent path and last component; for the root both are empty.
    pub fn split(&self) -> (&[u8], &OsStr) {
        match self.0.iter().rposition(|b| *b == b'/') {
            Some(at) => (&self.0[..at], OsStr::from_bytes(&self.0[at + 1..])),
            None => (&[], OsStr::from_bytes(&self.0)),
        }
    }

    /// The same parent with another last component.
    pub fn sibling(&self, last: &[u8]) -> Name {
        let (parent, _) = self.split();
        let mut joined = parent.to_vec();
        if !joined.is_empty() {
            joined.push(b'/');
        }
        joined.extend_from_slice(last);
        Name(joined)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

/// For messages: no control characters, not endless.
pub fn shown(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).chars().take(200).flat_map(char::escape_debug).collect()
}

/// Makes a missing directory below another; hears its whole path too.
pub type MakeDirectory<'a> = dyn Fn(BorrowedFd<'_>, &OsStr, &[u8]) -> Result<()> + 'a;

/// The tree being filled. Keeps the descriptors of the last entry's parents: archives come in tree order.
pub struct Place {
    root: OwnedFd,
    stack: Vec<(OsString, OwnedFd)>,
}

impl Place {
    pub fn new(root: OwnedFd) -> Place {
        Place { root, stack: Vec::new() }
    }

    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The directory `path` (cleaned). With `make`, missing directories appear with mode 0755. Symlinks on the way are
    /// followed as if the tree were `/`.
    pub fn directory(&mut self, path: &[u8], make: Option<&MakeDirectory<'_>>) -> Result<BorrowedFd<'_>> {
        let mut depth = 0;
        let mut consumed = 0;
        for component in path.split(|b| *b == b'/').filter(|c| !c.is_empty()) {
            let name = OsStr::from_bytes(component);
            consumed += component.len() + usize::from(depth > 0);
            if self.stack.get(depth).is_none_or(|(kept, _)| kept != name) {
                self.stack.truncate(depth);
                let fd = self.step(&path[..consumed], name, make)?;
                self.stack.push((name.to_owned(), fd));
            }
            depth += 1;
        }
        self.stack.truncate(depth.max(1));
        Ok(match depth {
            0 => self.root.as_fd(),
            n => self.stack[n - 1].1.as_fd(),
        })
    }

    fn top(&self) -> BorrowedFd<'_> {
        self.stack.last().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd())
    }

    /// One component down from the stack's end; `whole` is the path up to and with it.
    fn step(&self, whole: &[u8], name: &OsStr, make: Option<&MakeDirectory<'_>>) -> Result<OwnedFd> {
        let fail = |e: sys::Error| Error::unpacking(whole, e);
        let error = match files::open_path_dir_at(self.top(), name) {
            Ok(fd) => return Ok(fd),
            Err(error) => error,
        };
        match files::stat_at(self.top(), name).map_err(fail)? {
            Some(Meta { kind: Kind::Symlink, .. }) => {
                files::open_dir_in_root(&self.root, OsStr::from_bytes(whole)).map_err(fail)
            }
            Some(meta) if !is_whiteout(&meta) => Err(fail(error)),
            _ => match make {
                Some(make) => {
                    make(self.top(), name, whole)?;
                    files::open_path_dir_at(self.top(), name).map_err(fail)
                }
                None => Err(fail(error)),
            },
        }
    }

    /// Must be called after something was removed or replaced: kept descriptors may be of what is gone.
    pub fn forget(&mut self) {
        self.stack.clear();
    }
}

/// Overlay's mark for "not here any more": a character device 0:0.
pub fn is_whiteout(meta: &Meta) -> bool {
    meta.kind == Kind::Char && meta.node == (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_or_refused() {
        for (raw, clean) in [("./a//b/", "a/b"), ("/etc/x", "etc/x"), ("./", ""), ("a/./b", "a/b")] {
            assert_eq!(Name::clean(raw.as_bytes()).unwrap().bytes(), clean.as_bytes(), "{raw}");
        }
        for bad in ["../a", "a/../b", "a/..", "a\0b", &"x".repeat(256), &"a/".repeat(201), &"x/y".repeat(2000)] {
            assert!(Name::clean(bad.as_bytes()).is_err(), "{bad}");
        }
        let name = Name::clean(b"a/b/c").unwrap();
        assert_eq!(name.split(), (&b"a/b"[..], OsStr::new("c")));
        assert_eq!(name.sibling(b"d").bytes(), b"a/b/d");
    }
}
