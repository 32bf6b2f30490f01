//! What a monitor is told of its container before there is a launch, as words of its command line.

use crate::model::id::ContainerId;
use std::ffi::OsString;

const ID: &str = "--id=";
const OWN_NETWORK: &str = "--own-network";
const CHILD: &str = "--child";

/// What is known early. A launch that says otherwise is right: what was made for nothing is taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The container is new and will have this id: its control group and its init can be made ahead.
    pub id: Option<ContainerId>,
    /// It has a network namespace with nothing in it but loopback.
    pub own_network: bool,
    /// Its starter does not live for long, so that the monitor may be its child and saves a fork.
    pub child: bool,
}

impl Announced {
    pub fn new_container() -> Self {
        Self { id: Some(ContainerId::random()), ..Self::default() }
    }

    pub fn words(&self) -> impl Iterator<Item = String> {
        let id = self.id.as_ref().map(|id| format!("{ID}{id}"));
        let flag = |on: bool, word: &str| on.then(|| word.to_owned());
        id.into_iter().chain(flag(self.own_network, OWN_NETWORK)).chain(flag(self.child, CHILD))
    }

    /// The words of a command line; `None`: it is not one of this version's.
    pub fn parse(words: &[OsString]) -> Option<Self> {
        let mut announced = Self::default();
        for word in words {
            match word.to_str()? {
                OWN_NETWORK => announced.own_network = true,
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
        for (own_network, child) in [(false, false), (true, false), (false, true), (true, true)] {
            for id in [None, Some(id.clone())] {
                let announced = Announced { id, own_network, child };
                let words: Vec<OsString> = announced.words().map(OsString::from).collect();
                assert_eq!(Announced::parse(&words), Some(announced));
            }
        }
        assert_eq!(Announced::parse(&["--id=../../etc".into()]), None);
        assert_eq!(Announced::parse(&["--else".into()]), None);
    }
}
