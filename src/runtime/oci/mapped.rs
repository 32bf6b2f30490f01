//! Mounts whose files belong to other ids inside (`idmap`, `ridmap`): made by the creator, who has power over the file
//! system, and handed to the first process as detached trees.

use super::namespaces::write_maps_of;
use super::{Outcome, internal, invalid, unsupported};
use crate::runtime::init::report::During;
use crate::runtime::machine::Machine;
use crate::sys::{clone, mount, process};
use oci_spec::runtime::LinuxIdMapping;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The namespace whose map is taken: a path, or one that is made.
#[derive(Clone, Debug, PartialEq)]
pub enum Users {
    Path(PathBuf),
    Maps { uid: Vec<LinuxIdMapping>, gid: Vec<LinuxIdMapping> },
}

/// One such mount.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    pub path: PathBuf,
    /// The mounts below come along.
    pub recursive: bool,
    /// They are mapped, too.
    pub deep: bool,
    pub users: Users,
    /// It lies in the container's root, where what was mounted before counts: it is opened and mapped in its turn.
    pub inside: bool,
}

/// In the order of the list: the trees, and for those inside the root the user namespaces with their maps.
pub fn open(list: &[Mapped]) -> Outcome<Vec<OwnedFd>> {
    let mut known: Vec<(&Users, OwnedFd)> = Vec::new();
    let mut trees = Vec::new();
    for mapped in list {
        let what = format!("mapping the ids of the mount of {}", mapped.path.display());
        if !known.iter().any(|(users, _)| *users == &mapped.users) {
            known.push((&mapped.users, namespace(&mapped.users)?));
        }
        let Some((_, users)) = known.iter().find(|(users, _)| *users == &mapped.users) else { continue };
        if mapped.inside {
            trees.push(users.try_clone().during(&what)?);
            continue;
        }
        let here = File::open("/").during("opening the root directory")?;
        let tree = mount::clone_tree(here.as_fd(), &mapped.path, mapped.recursive).during(&what)?;
        apply(mapped, users.as_fd(), tree.as_fd()).during(&what)?;
        trees.push(tree);
    }
    Ok(trees)
}

/// Maps the tree of a mount inside the root; `opened`: see [`open`].
pub fn map(list: &[Mapped], opened: &[OwnedFd], number: usize, tree: BorrowedFd<'_>) -> crate::sys::Result<()> {
    let Some((mapped, users)) = list.get(number).zip(opened.get(number)).filter(|(mapped, _)| mapped.inside) else {
        return Err(crate::sys::Error::new("mount_setattr", std::io::Error::from(std::io::ErrorKind::InvalidInput)));
    };
    apply(mapped, users.as_fd(), tree)
}

fn apply(mapped: &Mapped, users: BorrowedFd<'_>, tree: BorrowedFd<'_>) -> crate::sys::Result<()> {
    mount::map_ids(tree, users, mapped.deep).map_err(|e| explain(&e, &mapped.path))
}

fn explain(error: &crate::sys::Error, path: &Path) -> crate::sys::Error {
    const EINVAL: i32 = 22;
    const EPERM: i32 = 1;
    let why = match error.errno() {
        EINVAL => "the file system cannot do it, or the mount has a map already",
        EPERM => "not without rights over the whole file system",
        _ => return crate::sys::Error::at(error.call, path, std::io::Error::from_raw_os_error(error.errno())),
    };
    crate::sys::Error::at("mount_setattr", path, std::io::Error::other(why))
}

fn namespace(users: &Users) -> Outcome<OwnedFd> {
    match users {
        Users::Path(path) => super::namespaces::open(path, oci_spec::runtime::LinuxNamespaceType::User),
        Users::Maps { uid, gid } => made(uid, gid),
    }
}

/// A user namespace lives as long as a descriptor of it: a process is needed only to make it.
fn made(uid: &[LinuxIdMapping], gid: &[LinuxIdMapping]) -> Outcome<OwnedFd> {
    let (mut wait, hold) = std::io::pipe().during("making a pipe")?;
    match clone::clone3(clone::NEWUSER, None).during("making a user namespace for the map")? {
        clone::Side::Child => {
            drop(hold);
            let _ = process::parent_death_signal(9);
            // Until the other end closes, by whatever.
            let _ = wait.read(&mut [0]);
            process::exit_now(0)
        }
        clone::Side::Parent { pid, pidfd } => {
            drop(wait);
            let opened = write_maps_of(pid, uid, gid).and_then(|()| {
                let file = format!("/proc/{pid}/ns/user");
                File::open(&file).map(OwnedFd::from).during(&format!("opening {file}"))
            });
            drop(hold);
            process::wait_pidfd(pidfd.as_fd(), true).during("waiting for the maker of the map")?;
            opened
        }
    }
}

/// What a mount's options and maps come to. `None`: its ids are as they are.
pub struct Choice<'a> {
    pub target: &'a str,
    /// `Some(true)`: `ridmap`.
    pub option: Option<bool>,
    pub uid: &'a [LinuxIdMapping],
    pub gid: &'a [LinuxIdMapping],
    /// The container's own user namespace.
    pub container: Option<&'a Users>,
    pub machine: &'a Machine,
}

impl Choice<'_> {
    /// Whose map, and whether the mounts below are mapped.
    pub fn users(&self) -> Outcome<Option<(Users, bool)>> {
        let Choice { target, option, uid, gid, container, machine } = self;
        if uid.is_empty() != gid.is_empty() {
            return Err(invalid(format!("mount '{target}': uidMappings and gidMappings must be given together")));
        }
        let deep = match option {
            None if uid.is_empty() => return Ok(None),
            None | Some(false) => false,
            Some(true) => true,
        };
        if !(machine.maps_ids)() {
            return Err(unsupported(format!(
                "mount '{target}': this kernel cannot map the ids of a mount (Linux 5.12)"
            )));
        }
        if !uid.is_empty() {
            return Ok(Some((Users::Maps { uid: uid.to_vec(), gid: gid.to_vec() }, deep)));
        }
        let none =
            || internal(format!("mount '{target}': idmap without uidMappings and gidMappings needs a user namespace"));
        container.map(|users| Some(((*users).clone(), deep))).ok_or_else(none)
    }
}
