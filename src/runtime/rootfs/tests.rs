//! Plans as text: what is mounted where, in which order, with which attributes.

use super::options::parse;
use super::*;
use crate::sys::mount::{ATIME, NOATIME, Propagation, RDONLY};

fn options(list: &[&str]) -> options::Parsed {
    let list: Vec<String> = list.iter().map(|o| (*o).to_owned()).collect();
    parse("/t", &list).unwrap()
}

#[test]
fn later_options_win() {
    let parsed = options(&["ro", "rw", "nosuid"]);
    assert_eq!((parsed.change.set, parsed.change.clear), (NOSUID, RDONLY));
    let parsed = options(&["noatime", "relatime"]);
    assert_eq!((parsed.change.set, parsed.change.clear & ATIME), (0, ATIME));
    let parsed = options(&["relatime", "noatime"]);
    assert_eq!((parsed.change.set, parsed.change.clear & ATIME), (NOATIME, ATIME));
}

#[test]
fn recursion_and_propagation() {
    let parsed = options(&["rbind", "ro"]);
    assert!(parsed.bind && parsed.recursive_bind && parsed.change.recursive);
    let parsed = options(&["bind", "ro", "rslave"]);
    assert_eq!((parsed.change.propagation, parsed.change.recursive), (Some(Propagation::Slave), true));
    let parsed = options(&["bind", "rro", "shared"]);
    assert_eq!((parsed.change.set, parsed.change.propagation), (RDONLY, Some(Propagation::Shared)));
    assert!(!options(&["bind", "ro", "private"]).change.recursive);
}

#[test]
fn the_rest_is_data() {
    let parsed = options(&["mode=755", "newinstance", "x-teu.copy-up", "x-teu.link=cpu:cpu,cpuacct", "defaults"]);
    assert_eq!(parsed.data, [("mode".to_owned(), Some("755".to_owned())), ("newinstance".to_owned(), None)]);
    assert!(parsed.copy_up);
    assert_eq!(parsed.content, [Node::Link { name: "cpu".into(), to: "cpu,cpuacct".into() }]);
    assert!(parse("/t", &[String::new()]).is_err());
    assert!(parse("/t", &["x-teu.link=nowhere".to_owned()]).is_err());
}
