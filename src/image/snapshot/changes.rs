//! What a container made of its image: its upper directory compared with the layers below, without a mount.

use super::copy::is_opaque;
use crate::image::Result;
use crate::image::unpack::is_whiteout;
use crate::model::change::{Change, ChangeKind};
use crate::model::isolation::{IdRange, UserMap};
use crate::sys::files::{self, Kind, Meta};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Compares `upper` with `lower` (topmost first). `mount_points` are absolute paths something was mounted over: what is
/// empty there was made for that, and is no change of the container's. `users`: the map by which owners in `upper` are
/// those the container gave.
pub fn changes(
    upper: &Path,
    lower: &[PathBuf],
    mount_points: &[String],
    users: Option<&UserMap>,
) -> Result<Vec<Change>> {
    let layers: Vec<OwnedFd> = lower.iter().map(|path| files::open_dir(path)).collect::<Result<_, _>>()?;
    let mounts: BTreeSet<PathBuf> = mount_points.iter().map(|p| Path::new("/").join(p.trim_matches('/'))).collect();
    let mut walk = Walk { upper: files::open_dir(upper)?, layers, mounts, users, found: Vec::new() };
    // An explicit stack: a container may nest deeper than our call stack reaches.
    let mut stack = vec![walk.enter(PathBuf::from("/"), (0..lower.len()).collect(), false, None)?];
    while let Some(frame) = stack.last_mut() {
        if let Some(entry) = frame.entries.next() {
            let path = frame.path.join(&entry.name);
            let below = walk.note(&path, &entry);
            if let Some(provisional) = below {
                stack.push(walk.enter(path, entry.lowers, entry.opaque, provisional)?);
            }
            continue;
        }
        // A directory that was only opened on the way to nothing is no change.
        if frame.provisional.is_some_and(|at| at + 1 == walk.found.len()) {
            walk.found.pop();
        }
        stack.pop();
    }
    Ok(walk.found)
}

struct Walk<'a> {
    upper: OwnedFd,
    layers: Vec<OwnedFd>,
    mounts: BTreeSet<PathBuf>,
    users: Option<&'a UserMap>,
    found: Vec<Change>,
}

/// A directory of the upper one on its way.
struct Frame {
    path: PathBuf,
    entries: std::vec::IntoIter<Entry>,
    /// Where it stands among what was found, if that stands only by what lies below it.
    provisional: Option<usize>,
}

struct Entry {
    name: OsString,
    /// `None`: it is only in the layers, hidden by an opaque directory.
    upper: Option<Meta>,
    lower: Option<Meta>,
    /// Layers whose directory of this name is merged with it.
    lowers: Vec<usize>,
    opaque: bool,
}

impl Walk<'_> {
    /// With the owners as the container sees them.
    fn inside(&self, meta: Meta) -> Meta {
        let Some(map) = self.users else { return meta };
        let of = |ranges: &[IdRange], id: u32| {
            let range = ranges.iter().find(|r| id >= r.outside && id - r.outside < r.count);
            range.map_or(id, |r| r.inside + (id - r.outside))
        };
        Meta { uid: of(&map.uid, meta.uid), gid: of(&map.gid, meta.gid), ..meta }
    }

    /// Reads one directory; all descriptors are closed again, as trees may be deep.
    fn enter(&self, path: PathBuf, lowers: Vec<usize>, opaque: bool, provisional: Option<usize>) -> Result<Frame> {
        let inside = match path.strip_prefix("/") {
            Ok(inside) if !inside.as_os_str().is_empty() => inside.as_os_str(),
            _ => OsStr::new("."),
        };
        // Named first, then opened for reading.
        let open = |root: &OwnedFd| files::open_dir_at(files::open_dir_in_root(root, inside)?, OsStr::new("."));
        let upper = open(&self.upper)?;
        let layers: Vec<(usize, OwnedFd)> =
            lowers.into_iter().map(|at| Ok((at, open(&self.layers[at])?))).collect::<Result<_>>()?;
        let mut entries = BTreeMap::new();
        for name in files::list(&upper)? {
            let Some(meta) = files::stat_at(&upper, &name)? else { continue };
            let meta = self.inside(meta);
            let opaque = opaque || meta.kind == Kind::Directory && is_opaque(upper.as_fd(), &name)?;
            entries.insert(name, (Some(meta), opaque));
        }
        if opaque {
            for (_, layer) in &layers {
                for name in files::list(layer)? {
                    entries.entry(name).or_insert((None, true));
                }
            }
        }
        let entries = entries
            .into_iter()
            .map(|(name, (upper, opaque))| {
                let (lower, lowers) = merged(&layers, &name)?;
                Ok(Entry { name, upper, lower, lowers, opaque })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Frame { path, entries: entries.into_iter(), provisional })
    }

    /// Notes what became of a path. `Some`: what lies below must be looked at; with the place of a provisional finding.
    fn note(&mut self, path: &Path, entry: &Entry) -> Option<Option<usize>> {
        let kind = match (&entry.upper, &entry.lower) {
            (None, None) => return None,
            (Some(upper), None) if is_whiteout(upper) => return None,
            (None, Some(_)) => ChangeKind::Deleted,
            (Some(upper), Some(_)) if is_whiteout(upper) => ChangeKind::Deleted,
            (Some(_), None) => ChangeKind::Added,
            (Some(_), Some(_)) => ChangeKind::Changed,
        };
        let meta = entry.upper.filter(|_| kind != ChangeKind::Deleted);
        let directory = meta.or(entry.lower).is_some_and(|m| m.kind == Kind::Directory);
        let target = self.mounts.contains(path);
        if target && kind == ChangeKind::Added && meta.is_some_and(|m| m.kind == Kind::File && m.size == 0) {
            return None;
        }
        let size = meta.filter(|m| m.kind == Kind::File).map(|m| m.size);
        self.found.push(Change { kind, path: path.to_owned(), directory, size });
        let meta = meta.filter(|m| m.kind == Kind::Directory)?;
        // Making a mount point changes the time of the directory it is in.
        let on_the_way = self.mounts.range(path.to_owned()..).next().is_some_and(|m| m.starts_with(path));
        let same = match &entry.lower {
            Some(old) => {
                old.kind == Kind::Directory
                    && (old.mode, old.uid, old.gid) == (meta.mode, meta.uid, meta.gid)
                    && (old.mtime == meta.mtime || on_the_way)
            }
            None => on_the_way,
        };
        Some(same.then(|| self.found.len() - 1))
    }
}

/// What the layers have of a name: the topmost's, and the layers whose directories lie on one another there.
fn merged(layers: &[(usize, OwnedFd)], name: &OsStr) -> Result<(Option<Meta>, Vec<usize>)> {
    let (mut top, mut directories) = (None, Vec::new());
    for (at, layer) in layers {
        let Some(meta) = files::stat_at(layer, name)? else { continue };
        if is_whiteout(&meta) {
            break;
        }
        let top = *top.get_or_insert(meta);
        if meta.kind != Kind::Directory || top.kind != Kind::Directory {
            break;
        }
        directories.push(*at);
        if is_opaque(layer.as_fd(), name)? {
            break;
        }
    }
    Ok((top, directories))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Trees(tempfile::TempDir);

    impl Trees {
        /// Writes files (`name` = content) and directories (`name/`) into trees `upper`, `0` (top layer) and `1`.
        fn new(entries: &[&str]) -> Trees {
            let dir = tempfile::tempdir().unwrap();
            for tree in ["upper", "0", "1"] {
                fs::create_dir(dir.path().join(tree)).unwrap();
            }
            for entry in entries {
                let path = dir.path().join(entry);
                if entry.ends_with('/') {
                    fs::create_dir_all(path).unwrap();
                } else {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, "text").unwrap();
                }
            }
            Trees(dir)
        }

        fn same_time(&self, a: &str, b: &str) {
            let time = fs::metadata(self.0.path().join(a)).unwrap().modified().unwrap();
            fs::File::open(self.0.path().join(b)).unwrap().set_modified(time).unwrap();
        }

        fn changes(&self, mounts: &[&str]) -> Vec<String> {
            let path = |name: &str| self.0.path().join(name);
            let mounts: Vec<String> = mounts.iter().map(|m| (*m).to_owned()).collect();
            let found = changes(&path("upper"), &[path("0"), path("1")], &mounts, None).unwrap();
            found.iter().map(|c| format!("{} {}", c.kind.letter(), c.path.display())).collect()
        }
    }

    #[test]
    fn added_and_changed_with_the_directories_on_the_way() {
        let trees = Trees::new(&["upper/etc/new", "upper/etc/old", "upper/opt/a/b", "1/etc/old", "0/etc/x"]);
        assert_eq!(trees.changes(&[]), ["C /etc", "A /etc/new", "C /etc/old", "A /opt", "A /opt/a", "A /opt/a/b"]);
    }

    #[test]
    fn a_directory_that_is_as_it_was_is_no_change() {
        let trees = Trees::new(&["upper/var/lib/", "1/var/lib/"]);
        trees.same_time("1/var/lib", "upper/var/lib");
        trees.same_time("1/var", "upper/var");
        assert_eq!(trees.changes(&[]), [""; 0]);
    }

    #[test]
    fn mount_points_are_nobodys_change() {
        let trees = Trees::new(&["upper/etc/", "upper/data/deep/", "1/etc/x"]);
        fs::write(trees.0.path().join("upper/etc/hosts"), "").unwrap();
        assert_eq!(trees.changes(&["/etc/hosts", "/data/deep"]), [""; 0]);
        fs::write(trees.0.path().join("upper/data/deep/er"), "x").unwrap();
        assert_eq!(trees.changes(&["/etc/hosts", "/data/deep"]), ["A /data", "A /data/deep", "A /data/deep/er"]);
    }

    #[test]
    fn a_file_that_became_a_directory_hides_nothing_below() {
        let trees = Trees::new(&["upper/x/y", "0/x", "1/x/old"]);
        assert_eq!(trees.changes(&[]), ["C /x", "A /x/y"]);
    }
}
