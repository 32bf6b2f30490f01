//! A running container's hosts file follows its networks: addresses that come and go, names that change.

use super::files::{Error, NO_ADDRESS, own_names, put, read_small};
use crate::model::network::Endpoint;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;

/// What becomes of a line.
enum Line {
    Stays,
    Goes,
    Is(String),
}

/// Follows a change of where the container is, or of what it is called there. In the hosts file in `dir` the lines of
/// addresses it no longer has go; those of its addresses lose what it is no longer called, and end with what is new; addresses
/// that are new get lines of their own. The rest stays, whoever wrote it. Where there is no such file there is nothing to do.
pub fn follow(dir: &Path, before: &[Endpoint], now: &[&Endpoint]) -> Result<(), Error> {
    let path = dir.join("hosts");
    let old = match read_small(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|source| Error::Read { path, source })?,
    };
    // Without one the names on the networks must do.
    let hostname = read_small(&dir.join("hostname")).unwrap_or_default();
    let hostname = hostname.trim();
    let without = format!("{NO_ADDRESS}\t{hostname}");
    let mut new = String::new();
    for line in old.lines() {
        let kept = match line_of(line, before, now) {
            Line::Goes => continue,
            Line::Stays if before.is_empty() && !now.is_empty() && line == without => continue,
            Line::Stays => line.to_owned(),
            Line::Is(text) => text,
        };
        new += &kept;
        new.push('\n');
    }
    let fresh: Vec<&Endpoint> =
        now.iter().filter(|n| !before.iter().any(|b| b.network == n.network)).copied().collect();
    if !fresh.is_empty() || (now.is_empty() && !before.is_empty()) {
        new += &own_names(hostname, &fresh);
    }
    if new == old { Ok(()) } else { put(dir, "hosts", &new) }
}

fn line_of(line: &str, before: &[Endpoint], now: &[&Endpoint]) -> Line {
    let mut words = line.split_whitespace();
    let Some(address) = words.next().and_then(|a| a.parse::<IpAddr>().ok()) else { return Line::Stays };
    let own = |e: &Endpoint| [e.v4, e.v6].into_iter().flatten().any(|c| c.address == address);
    let Some(former) = before.iter().find(|e| own(e)) else { return Line::Stays };
    let Some(endpoint) = now.iter().find(|e| own(e)) else { return Line::Goes };
    let named = |e: &Endpoint, word: &str| e.names.iter().any(|n| n.eq_ignore_ascii_case(word));
    let mut all: Vec<&str> = words.filter(|w| named(endpoint, w) || !named(former, w)).collect();
    for name in &endpoint.names {
        if !all.iter().any(|word| word.eq_ignore_ascii_case(name)) {
            all.push(name);
        }
    }
    Line::Is(format!("{address}\t{}", all.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(network: &str, names: &[&str], four: &str, six: Option<&str>) -> Endpoint {
        crate::net::dns::tests::endpoint(network, names, Some(four), six)
    }

    /// The file after the change, without its first line.
    fn changed(text: &str, before: &[Endpoint], now: &[&Endpoint]) -> String {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("hosts"), text).unwrap();
        std::fs::write(dir.path().join("hostname"), "box\n").unwrap();
        follow(dir.path(), before, now).unwrap();
        std::fs::read_to_string(dir.path().join("hosts")).unwrap()
    }

    #[test]
    fn own_lines_follow_a_new_name() {
        let text = "127.0.0.1\tlocalhost old\n10.0.0.2\tbox old api\nfd00::2\tbox old api\n10.0.0.3\told\n# old\n";
        let named = |names: &[&str]| endpoint("n", names, "10.0.0.2/24", Some("fd00::2/64"));
        let (before, now) = (named(&["old", "api", "box"]), named(&["new", "api", "box"]));
        let own = "10.0.0.2\tbox api new\nfd00::2\tbox api new\n";
        let after = changed(text, &[before], &[&now]);
        assert_eq!(after, format!("127.0.0.1\tlocalhost old\n{own}10.0.0.3\told\n# old\n"));
    }

    /// The container writes there, too: what it makes of the file is not read into the monitor's memory.
    #[test]
    fn a_file_without_end_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts");
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let one = endpoint("one", &["web"], "10.0.0.2/24", None);
        let error = follow(dir.path(), &[], &[&one]).unwrap_err();
        assert!(error.to_string().contains("larger than 1048576 bytes"), "{error}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1 << 40);
    }

    #[test]
    fn addresses_come_and_go() {
        let one = endpoint("one", &["web", "box"], "10.0.0.2/24", None);
        let two = endpoint("two", &["web", "shop"], "10.1.0.2/24", Some("fd00::2/64"));
        let head = "127.0.0.1\tlocalhost\n1.2.3.4\tfixed\n";
        let (of_one, of_two) = ("10.0.0.2\tbox web\n", "10.1.0.2\tbox web shop\nfd00::2\tbox web shop\n");
        let with = |own: &str| format!("{head}{own}");
        let both = changed(&with(of_one), std::slice::from_ref(&one), &[&one, &two]);
        assert_eq!(both, with(&format!("{of_one}{of_two}")));
        assert_eq!(changed(&both, &[one.clone(), two.clone()], &[&two]), with(of_two));
        let alone = changed(&with(of_two), std::slice::from_ref(&two), &[]);
        assert_eq!(alone, with("127.0.1.1\tbox\n"));
        assert_eq!(changed(&alone, &[], &[&one]), with(of_one));
        assert_eq!(changed(&both, std::slice::from_ref(&one), &[&one]), both, "nothing has changed");
    }
}
