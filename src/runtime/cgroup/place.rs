//! Groups at a path that somebody else chose (an OCI configuration's `cgroupsPath`), with settings written as given.

use super::hierarchy::Hierarchies;
use super::resources::Setting;
use super::{Error, Group, Kind, Result, Version, v1, v2};
use std::io::ErrorKind;

/// How often a group is made anew whose parent others remove at the same time.
const REMADE: usize = 16;

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
        let made = match Hierarchies::read() {
            Hierarchies::V2(mount) => {
                let mut made = v2::Group::create_at(&mount, path);
                // An empty parent may be removed in between by whoever leaves it.
                for _ in 0..REMADE {
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
            let outcome = match &self.0 {
                Kind::V2(group) => group.set(&setting.file, &setting.value),
                Kind::V1(group) => group.set(&setting.controller, &setting.file, &setting.value),
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
