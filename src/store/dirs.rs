//! The directories of containers and volumes: made private, removed whole, swept when they belong to nobody.

use super::{Error, Result, StateRoot, create_private_dir};
use crate::sys::tree;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// `containers/<id>` and its run directory.
pub fn create_container(root: &StateRoot, id: &str) -> Result<()> {
    create_private_dir(&root.container(id))?;
    create_private_dir(&root.container_run(id))
}

/// A directory that others may enter: what users of a container see (mode 0755 whatever the umask).
pub fn create_public_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(path).map_err(|e| Error::io("creating directory", path, e))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(|e| Error::io("chmod", path, e))
}

/// Both directories with all they hold; nothing when they are gone already.
pub fn remove_container(root: &StateRoot, id: &str) -> Result<()> {
    let run = remove_tree(&root.container_run(id));
    remove_tree(&root.container(id))?;
    run
}

/// Takes a container's data directory out of sight under the name `aside`; whoever has the time deletes it.
pub fn set_aside(root: &StateRoot, id: &str, aside: &Path) -> Result<()> {
    let dir = root.container(id);
    match fs::rename(&dir, aside) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("renaming", &dir, e)),
        _ => Ok(()),
    }
}

/// True for a directory with anything in it.
pub fn holds_files(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some())
}

pub fn remove_volume(root: &StateRoot, name: &str) -> Result<()> {
    remove_tree(&root.volume(name))
}

/// Removes a volume's directory when it holds nothing: files of a volume that the database has lost are somebody's data.
pub fn remove_empty_volume(root: &StateRoot, name: &str) -> Result<()> {
    let home = root.volume(name);
    for path in [home.join("_data"), home] {
        match fs::remove_dir(&path) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {}
            Err(e) => return Err(Error::io("removing", &path, e)),
        }
    }
    Ok(())
}

/// Removes a directory and everything in it, without following links and however deep it is; not being there is fine.
pub fn remove_tree(path: &Path) -> Result<()> {
    let mut tries = 0;
    loop {
        match tree::remove(path) {
            // A monitor that is about to leave may write its last state meanwhile, once.
            Err(e) if e.source.kind() == ErrorKind::DirectoryNotEmpty && tries < 3 => tries += 1,
            result => return result.map_err(|e| Error::io("removing", path, e.source)),
        }
    }
}

/// Names of the directories for containers that are there, in the data and the run directory.
pub fn container_dirs(root: &StateRoot) -> Result<Vec<String>> {
    let mut names = list(&root.data().join("containers"))?;
    names.extend(list(&root.run().join("containers"))?);
    names.sort();
    names.dedup();
    Ok(names)
}

/// Names of volume directories.
pub fn volume_dirs(root: &StateRoot) -> Result<Vec<String>> {
    list(&root.data().join("volumes"))
}

fn list(path: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("listing", path, e)),
    };
    entries
        .map(|e| e.map(|e| e.file_name().to_string_lossy().into_owned()).map_err(|e| Error::io("listing", path, e)))
        .collect()
}

/// Bytes on disk below `path` (512-byte blocks in use), hard links counted once per name.
pub fn disk_usage(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(m) if m.is_dir() => m.blocks() * 512 + disk_usage(&entry.path()),
        Ok(m) => m.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A container may nest the directories of its volume as deep as it likes: deeper than a call stack reaches.
    #[test]
    fn a_bottomless_tree_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("volume");
        fs::create_dir(&home).unwrap();
        // No path is ever longer than the kernel takes: what is there goes to the bottom of the next thousand.
        for _ in 0..8 {
            let next = dir.path().join("next");
            let bottom = next.join(["d"; 1000].join("/"));
            fs::create_dir_all(&bottom).unwrap();
            fs::rename(&home, bottom.join("d")).unwrap();
            fs::rename(&next, &home).unwrap();
        }
        remove_tree(&home).unwrap();
        assert!(!home.exists());
        remove_tree(&home).unwrap();
    }
}
