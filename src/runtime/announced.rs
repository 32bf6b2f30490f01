//! What a monitor is told of its container before there is a launch, as words of its command line.

use crate::model::id::ContainerId;
use std::ffi::OsString;

const ID: &str = "--id=";
const CHILD: &str = "--child";

/// What is known early. A launch that says otherwise is right: what was made for nothing is taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The container is new and will have this id: its control group and its init can be made ahead.
    pub id: Option<ContainerId>,
    /// Its starter does not live for long, so that the monitor may be its child and saves a fork.
    pub child: bool,
}

impl Announced {
    pub fn new_container() -> Self {
        Self { id: Some(ContainerId::random()), ..Self::default() }
    }

    pub fn words(&self) -> impl Iterator<Item = String> {
        let id = self.id.as_ref().map(|id| format!("{ID}{id}"));
        id.into_iter().chain(self.child.then(|| CHILD.to_owned()))
    }

    /// The words of a command line; `None`: it is not one of this version's.
    pub fn parse(words: &[OsString]) -> Option<Self> {
        let mut announced = Self::default();
        for word in words {
            match word.to_str()? {
                CHILD => announced.child = true,
                word => announced.id = Some(word.strip_prefix(ID)?.to_owned().try_into().ok()?),
            }
        }
        Some(announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_arrives() {
        let id = ContainerId::random();
        for child in [false, true] {
            for id in [None, Some(id.clone())] {
                let announced = Announced { id, child };
                let words: Vec<OsString> = announced.words().map(OsString::from).collect();
                assert_eq!(Announced::parse(&words), Some(announced));
            }
        }
        assert_eq!(Announced::parse(&["--id=../../etc".into()]), None);
        assert_eq!(Announced::parse(&["--else".into()]), None);
    }
}
