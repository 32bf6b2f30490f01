//! Groups made in one of the user's choice (`--cgroup-parent`). Parents that had to be made are marked, and go with the
//! last group in them; those of others stay.

use super::hierarchy::Hierarchies;
use super::{Error, Group, Kind, Result, support, v1, v2};
use crate::sys::files;
use crate::sys::userns::Identity;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What v1 takes from root, and v2 from anybody.
const MARKS: [&str; 2] = ["trusted.teu", "user.teu"];
impl Group {
    /// [`Group::make`] in `parent` (`/a/b`) instead of teu's own group; empty: that one. It is made if missing; an
    /// ordinary user's is in the group that is delegated to him.
    pub fn make_in(parent: &str, id: &str, identity: &Identity) -> Result<Group> {
        if parent.is_empty() {
            return Self::make(id, identity);
        }
        let mut outcome = attempt(parent, id, identity);
        for _ in 0..super::files::REMADE {
            let vanished = |e: &Error| matches!(e, Error::Io { source, .. } if source.kind() == ErrorKind::NotFound);
            if !outcome.as_ref().is_err_and(vanished) {
                break;
            }
            outcome = attempt(parent, id, identity);
        }
        outcome
    }

    /// Those that are marked and empty.
    pub(super) fn remove_made_parents(&self) {
        // Most groups of v1 are in no other.
        if Path::new(self.path()).parent() == Some(Path::new("/")) {
            return;
        }
        for dir in self.places() {
            for parent in dir.ancestors().skip(1).take_while(|dir| is_marked(dir)) {
                if std::fs::remove_dir(parent).is_err() {
                    break;
                }
            }
        }
    }

    fn places(&self) -> Vec<PathBuf> {
        self.directories().into_iter().map(|(_, dir)| dir).collect()
    }
}

fn attempt(parent: &str, id: &str, identity: &Identity) -> Result<Group> {
    let none = |reason: &str| Ok(Group(Kind::None(reason.to_owned())));
    let path = |above: &str| format!("{above}{parent}/{id}");
    let hierarchies = Hierarchies::read();
    let place = match &hierarchies {
        Hierarchies::V2(mount) if identity.rootless => match v2::place(mount, identity) {
            Ok(place) => path(place.rsplit_once('/').map_or("", |(above, _)| above)),
            Err(reason) => return none(&reason),
        },
        Hierarchies::V1(_) if identity.rootless => return none(support::ROOTLESS_V1),
        Hierarchies::V1(_) | Hierarchies::V2(_) => path(""),
        Hierarchies::None => return none(support::NO_HIERARCHY),
    };
    let new: Vec<PathBuf> = Group::open(&place)
        .places()
        .iter()
        .flat_map(|dir| dir.ancestors().skip(1).map(Path::to_owned).collect::<Vec<_>>())
        .filter(|dir| !dir.exists())
        .collect();
    let made = match &hierarchies {
        Hierarchies::V2(mount) => v2::Group::create_at(mount, &place).map(|(group, _)| Group(Kind::V2(group))),
        Hierarchies::V1(mounts) => v1::Group::create_at(mounts, &place).map(|(group, _)| Group(Kind::V1(group))),
        Hierarchies::None => return none(support::NO_HIERARCHY),
    };
    new.iter().for_each(|dir| mark(dir));
    made
}

fn mark(dir: &Path) {
    if let Ok(fd) = files::open_dir(dir) {
        // Where no mark can be made the group stays, as others leave it.
        let _ = MARKS.iter().find(|mark| files::set_xattr(&fd, OsStr::new(mark), b"1").is_ok());
    }
}

fn is_marked(dir: &Path) -> bool {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return false };
    let Ok(parent) = files::open_dir(parent) else { return false };
    MARKS.iter().any(|mark| files::get_xattr_at(&parent, name, OsStr::new(mark)).is_ok_and(|value| value.is_some()))
}
