//! Groups at a path that somebody else chose (an OCI configuration's `cgroupsPath`), with settings written as given.

use super::hierarchy::Hierarchies;
use super::resources::{Absent, Setting};
use super::{Error, Group, Kind, Result, Version, files, v1, v2};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// What groups are here.
pub fn version() -> Version {
    match Hierarchies::read() {
        Hierarchies::V2(_) => Version::V2,
        Hierarchies::V1(_) => Version::V1,
        Hierarchies::None => Version::None,
    }
}

impl Group {
    /// Makes the group at `path` (absolute, below each hierarchy's mount) with all its parents. The second value: the
    /// group was there before, and is not ours to remove. `optional`: an ordinary user who may not make groups gets
    /// none instead of an error.
    pub fn create_at(path: &str, optional: bool) -> Result<(Group, bool)> {
        let made = match Hierarchies::read_all() {
            Hierarchies::V2(mount) => {
                let mut made = v2::Group::create_at(&mount, path);
                // An empty parent may be removed in between by whoever leaves it.
                for _ in 0..files::REMADE {
                    let vanished =
                        |e: &Error| matches!(e, Error::Io { source, .. } if source.kind() == ErrorKind::NotFound);
                    if !made.as_ref().is_err_and(vanished) {
                        break;
                    }
                    made = v2::Group::create_at(&mount, path);
                }
                made.map(|(group, old)| (Group(Kind::V2(group)), old))
            }
            Hierarchies::V1(mounts) => v1::Group::create_at(&mounts, path).map(|(g, old)| (Group(Kind::V1(g)), old)),
            Hierarchies::None => Ok((Group(Kind::None(String::new())), false)),
        };
        match made {
            Err(Error::Io { source, .. }) if optional && is_refusal(&source) => {
                Ok((Group(Kind::None(String::new())), false))
            }
            other => other,
        }
    }

    /// Writes the settings in their order. A file that is not there is an error: the limit was asked for.
    pub fn set(&self, settings: &[Setting]) -> Result<()> {
        let mut failed: Option<(&Setting, Error)> = None;
        for setting in settings {
            let (file, value) = match &setting.absent {
                Absent::Refuse => (&setting.file, &setting.value),
                _ if self.has(&setting.controller, &setting.file) => (&setting.file, &setting.value),
                Absent::Skip => continue,
                Absent::Other(file, value) => (file, value),
            };
            let outcome = match &self.0 {
                Kind::V2(group) => group.set(file, value),
                Kind::V1(group) => group.set(&setting.controller, file, value),
                Kind::None(_) => Err(Error::Invalid(format!(
                    "{} cannot be set: the container has no control group ({})",
                    setting.file,
                    super::support::unavailable()
                ))),
            };
            match outcome {
                Ok(()) => {}
                // Of two limits that bound each other, the other one first.
                Err(e) if setting.retry && failed.is_none() => failed = Some((setting, e)),
                Err(e) => return Err(e),
            }
            if let Some((first, error)) = failed.take() {
                if std::ptr::eq(first, setting) {
                    failed = Some((first, error));
                } else {
                    self.set(std::slice::from_ref(&Setting { retry: false, ..first.clone() }))?;
                }
            }
        }
        failed.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// The same for a group that has processes: what a failure left half done is set back.
    pub fn change(&self, settings: &[Setting]) -> Result<()> {
        let before: Vec<Setting> = settings.iter().filter_map(|setting| self.now(setting)).collect();
        self.set(settings).inspect_err(|_| {
            // The failure is the news; one value that will not go back does not keep the others.
            before.iter().rev().for_each(|one| drop(self.set(std::slice::from_ref(one))));
        })
    }

    /// The setting with the value that its file has; `None` where that is not one value.
    fn now(&self, setting: &Setting) -> Option<Setting> {
        let mut places = self.directories().into_iter();
        let (_, dir) = places.find(|(name, _)| name.is_empty() || *name == setting.controller)?;
        let text = std::fs::read_to_string(dir.join(&setting.file)).ok()?;
        let value = text.trim();
        let one = !value.is_empty() && !value.contains(['\n', '=']);
        one.then(|| Setting { value: value.to_owned(), retry: false, ..setting.clone() })
    }

    /// Whether that control file is there.
    fn has(&self, controller: &str, file: &str) -> bool {
        let mut places = self.directories().into_iter();
        let place = places.find(|(name, _)| name.is_empty() || name == controller);
        place.is_some_and(|(_, dir)| dir.join(file).exists())
    }

    /// The group at that path with every controller that a configuration may name: see [`Group::create_at`].
    pub fn open_at(path: &str) -> Group {
        match Hierarchies::read_all() {
            Hierarchies::V1(mounts) if !path.is_empty() => Group(Kind::V1(v1::Group::open(&mounts, path))),
            _ => Group::open(path),
        }
    }

    /// Groups inside this one, which must be there: `path` for all hierarchies, or `controller,...:path` for some.
    pub fn inner(self, wanted: &[String]) -> Result<Group> {
        wanted.iter().try_fold(self, |group, text| {
            let (controllers, path) = text.split_once(':').map_or((None, text.as_str()), |(c, p)| (Some(c), p));
            let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::RootDir | Component::CurDir);
            if path.is_empty() || !Path::new(path).components().all(plain) {
                return Err(Error::Invalid(format!("{text} is not a sub cgroup path of the container's group")));
            }
            let path = path.trim_matches('/');
            match group.0 {
                Kind::V2(_) if controllers.is_some_and(|c| !c.is_empty()) => {
                    Err(Error::Invalid(format!("'{text}': control groups v2 have no hierarchies to choose from")))
                }
                Kind::None(_) => Err(Error::Invalid(format!("'{text}': the container has no control group"))),
                Kind::V2(outer) => {
                    let inner = Group::open(&format!("{}/{path}", outer.path().trim_end_matches('/')));
                    if inner.exists() { Ok(inner) } else { Err(Error::Missing(PathBuf::from(inner.path()))) }
                }
                Kind::V1(outer) => outer.inner(controllers, path).map(|inner| Group(Kind::V1(inner))),
            }
        })
    }

    /// Where a further process of the container is put, whose first one is `init`. A group whose children have
    /// controllers takes no process itself (v2); then it is the one that `init` has moved to.
    pub fn for_process(self, init: i32) -> Group {
        let Kind::V2(group) = &self.0 else { return self };
        let control = std::fs::read_to_string(group.directory().join("cgroup.subtree_control")).unwrap_or_default();
        if control.trim().is_empty() {
            return self;
        }
        let text = std::fs::read_to_string(format!("/proc/{init}/cgroup")).unwrap_or_default();
        let own = text.lines().find_map(|line| line.strip_prefix("0::"));
        own.filter(|path| path.starts_with(group.path())).map(Group::open).unwrap_or(self)
    }

    /// Gives a v2 group to the user who is root inside: the directory, and the files that the kernel says are safe.
    pub fn give_to(&self, uid: u32) -> Result<()> {
        let Kind::V2(group) = &self.0 else { return Ok(()) };
        let list = std::fs::read_to_string("/sys/kernel/cgroup/delegate");
        let list = list.unwrap_or_else(|_| "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n".into());
        for name in std::iter::once("").chain(list.lines()) {
            let path = group.directory().join(name);
            match std::os::unix::fs::chown(&path, Some(uid), None) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(files::error("giving away", &path, e)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Bytes of memory in use, where that is counted.
    pub fn memory_in_use(&self) -> Option<u64> {
        let Kind::V2(group) = &self.0 else { return None };
        std::fs::read_to_string(group.directory().join("memory.current")).ok()?.trim().parse().ok()
    }

    /// There is a group, and its directory is still there.
    pub fn exists(&self) -> bool {
        match &self.0 {
            Kind::V2(group) => group.exists(),
            Kind::V1(group) => group.exists(),
            Kind::None(_) => false,
        }
    }

    /// Is everything inside stopped by the freezer?
    pub fn frozen(&self) -> bool {
        match &self.0 {
            Kind::V2(group) => group.frozen(),
            Kind::V1(group) => group.frozen(),
            Kind::None(_) => false,
        }
    }

    /// Where each controller's directory is: name of the controller (empty for v2), directory.
    pub fn directories(&self) -> Vec<(String, std::path::PathBuf)> {
        match &self.0 {
            Kind::V2(group) => vec![(String::new(), group.directory().to_owned())],
            Kind::V1(group) => group.directories(),
            Kind::None(_) => Vec::new(),
        }
    }

    /// Lets nothing be opened or made but by these rules: later ones win.
    pub fn restrict(&self, rules: &[super::devices::Rule]) -> Result<()> {
        match &self.0 {
            Kind::V2(group) => group.restrict(rules),
            Kind::V1(group) => group.restrict(rules),
            Kind::None(_) => Ok(()),
        }
    }
}

fn is_refusal(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}
