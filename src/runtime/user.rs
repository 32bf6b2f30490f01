//! `user[:group]` against a root file system's own passwd and group files: strict, because what does not parse must
//! never become uid 0 (CVE-2024-40635, CVE-2026-30892, CVE-2026-46680).

/// Largest id the kernel's tools agree on.
const MAX_ID: u64 = i32::MAX as u64;

/// Podman's word in the place of a group to add: the groups of whoever started the container stay.
pub const KEEP_GROUPS: &str = "keep-groups";

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, the primary one first (CVE-2022-36109).
    pub groups: Vec<u32>,
    pub home: String,
    pub shell: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("invalid user '{0}': expected USER, UID, USER:GROUP or UID:GID")]
    Syntax(String),
    #[error("id {0} is out of range: at most {MAX_ID}")]
    Range(String),
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
}

struct Passwd<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
    shell: &'a str,
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// Looks up `spec` (empty: root) and the additional groups.
pub fn resolve(spec: &str, group_add: &[String], passwd: &str, group: &str) -> Result<Identity, Error> {
    let (user, chosen_group) = match spec.split_once(':') {
        None => (if spec.is_empty() { "0" } else { spec }, None),
        Some((user, group)) => (user, Some(group)),
    };
    if user.is_empty() || chosen_group.is_some_and(|g| g.is_empty() || g.contains(':')) {
        return Err(Error::Syntax(spec.to_owned()));
    }
    let number = numeric(user)?;
    let entry = match number {
        Some(uid) => passwd_entries(passwd).find(|p| p.uid == uid),
        None => passwd_entries(passwd).find(|p| p.name == user),
    };
    let uid = match (&entry, number) {
        (Some(entry), _) => entry.uid,
        (None, Some(uid)) => uid,
        (None, None) => return Err(Error::NoUser(user.to_owned())),
    };
    let gid = match chosen_group {
        Some(name) => group_id(name, group)?,
        None => entry.as_ref().map_or(0, |e| e.gid),
    };
    let mut groups = vec![gid];
    if let (None, Some(entry)) = (chosen_group, &entry) {
        let member = |g: &Group| g.members.split(',').any(|m| m.trim() == entry.name);
        groups.extend(group_entries(group).filter(member).map(|g| g.gid));
    }
    for name in group_add.iter().filter(|name| *name != KEEP_GROUPS) {
        groups.push(group_id(name, group)?);
    }
    let mut seen = std::collections::HashSet::new();
    groups.retain(|g| seen.insert(*g));
    let home = entry.as_ref().map(|e| e.home).filter(|h| !h.is_empty()).unwrap_or("/").to_owned();
    let shell = entry.as_ref().map(|e| e.shell.to_owned()).filter(|s| !s.is_empty());
    Ok(Identity { uid, gid, groups, home, shell })
}

/// `Some` for digits alone, an error for digits that are no id; a name otherwise.
fn numeric(text: &str) -> Result<Option<u32>, Error> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u64>() {
        Ok(id) if id <= MAX_ID => Ok(Some(id as u32)),
        _ => Err(Error::Range(text.to_owned())),
    }
}

fn group_id(name: &str, file: &str) -> Result<u32, Error> {
    if name.is_empty() {
        return Err(Error::NoGroup("''".to_owned()));
    }
    if let Some(gid) = numeric(name)? {
        return Ok(gid);
    }
    let found = group_entries(file).find(|g| g.name == name);
    found.map(|g| g.gid).ok_or_else(|| Error::NoGroup(name.to_owned()))
}

/// Lines that do not parse are no entries.
fn id(text: &str) -> Option<u32> {
    if text.is_empty() { None } else { numeric(text).ok().flatten() }
}

/// As Docker's reader (moby/sys/user) and the C library's have it, lines may be cut short after the ids: who is listed so
/// has the group that is named there. What follows the last field is nobody's.
fn passwd_entries(file: &str) -> impl Iterator<Item = Passwd<'_>> {
    file.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let (uid, gid) = (id(fields.nth(1)?)?, id(fields.next()?)?);
        let home = fields.nth(1).unwrap_or_default();
        Some(Passwd { name, uid, gid, home, shell: fields.next().unwrap_or_default().trim() })
    })
}

/// The members may be missing.
fn group_entries(file: &str) -> impl Iterator<Item = Group<'_>> {
    file.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid = id(fields.nth(1)?)?;
        Some(Group { name, gid, members: fields.next().unwrap_or_default() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100:Ann:/home/ann:/bin/bash\nbad:x:zz:1::/:/\n\
        short:x:1\nhuge:x:4294967296:0::/:/\n:x:5:5::/:/\n";
    const GROUP: &str = "root:x:0:\nusers:x:100:\nwheel:x:10:root,ann\nvideo:x:44:ann\nbroken:x::ann\n";

    fn check(spec: &str, uid: u32, gid: u32, groups: &[u32], home: &str) {
        let found = resolve(spec, &[], PASSWD, GROUP).expect("a user");
        assert_eq!((found.uid, found.gid, &found.groups[..], found.home.as_str()), (uid, gid, groups, home), "{spec}");
    }

    #[test]
    fn names_numbers_and_groups() {
        check("", 0, 0, &[0, 10], "/root");
        check("ann", 1000, 100, &[100, 10, 44], "/home/ann");
        check("1000", 1000, 100, &[100, 10, 44], "/home/ann");
        check("ann:wheel", 1000, 10, &[10], "/home/ann");
        check("1234", 1234, 0, &[0], "/");
        check("1234:5678", 1234, 5678, &[5678], "/");
        let more = resolve("ann", &["video".into(), "7".into()], PASSWD, GROUP).expect("a user");
        assert_eq!(more.groups, [100, 10, 44, 7]);
    }

    #[test]
    fn lines_that_end_after_the_ids_are_users_and_groups_all_the_same() {
        let group = "wheel:x:10:x\nusers:x:100\nmore:x:7:app,x:y\n";
        for rest in ["", ":", ":App", ":App:/srv", ":App:/srv:/bin/sh", ":App:/srv:/bin/sh:more:still"] {
            let passwd = format!("root:x:0:0\napp:x:1000:100{rest}\n");
            for spec in ["app", "1000"] {
                let found = resolve(spec, &[], &passwd, group).expect("a user");
                assert_eq!((found.uid, found.gid, &found.groups[..]), (1000, 100, &[100, 7][..]), "{spec} {rest}");
                assert_eq!(found.home, if rest.contains("/srv") { "/srv" } else { "/" }, "{spec} {rest}");
                assert_eq!(found.shell.as_deref(), rest.contains("/bin/sh").then_some("/bin/sh"), "{spec} {rest}");
            }
            assert_eq!(resolve("app:users", &[], &passwd, group).expect("a group").gid, 100);
        }
        // Without a group, or with what is no number, it is nobody.
        for passwd in ["app:x:1000\n", "app:x:1000:\n", "app:x::100\n", "app\n"] {
            assert!(resolve("app", &[], passwd, group).is_err(), "{passwd}");
        }
        assert!(resolve("0:odd", &[], "", "odd:x\nodd:x:\n").is_err());
    }

    #[test]
    fn cve_2024_40635_numbers_out_of_range_are_no_ids() {
        for id in ["2147483648", "4294967295", "4294967296", "18446744073709551616", "99999999999999999999999"] {
            for spec in [id.to_owned(), format!("{id}:0"), format!("0:{id}")] {
                assert_eq!(resolve(&spec, &[], PASSWD, GROUP), Err(Error::Range(id.to_owned())), "{spec}");
            }
            assert!(resolve("0", &[id.to_owned()], PASSWD, GROUP).is_err(), "additional group {id}");
        }
        // Nor does an entry with such a number count, or one whose name looks like it.
        let passwd = "4294967295:x:0:0::/:\nroot:x:4294967295:0::/:\n";
        assert_eq!(resolve("4294967295", &[], passwd, ""), Err(Error::Range("4294967295".into())));
        assert!(resolve("root", &[], passwd, "").is_err());
    }

    #[test]
    fn cve_2026_46680_nothing_odd_becomes_root() {
        for spec in [
            ":",
            "ann:",
            ":wheel",
            "nobody",
            "ann:nogroup",
            "huge",
            "bad",
            "4294967296",
            "2147483648",
            "-1",
            "99999999999999999999999",
            "1000:4294967295",
            "a:b:c",
            " ",
            "0x0",
            "+0",
            "short",
        ] {
            assert!(resolve(spec, &[], PASSWD, GROUP).is_err(), "{spec:?}");
        }
    }

    proptest! {
        #[test]
        fn only_zero_is_zero(spec in "\\PC{0,12}", passwd in "\\PC{0,80}", group in "\\PC{0,80}") {
            if let Ok(found) = resolve(&spec, &[], &passwd, &group)
                && found.uid == 0
            {
                let user = spec.split(':').next().unwrap_or("");
                let named = passwd.lines().any(|l| l.trim().starts_with(&format!("{user}:")));
                prop_assert!(user.is_empty() || user.bytes().all(|b| b == b'0') || named);
            }
        }
    }
}
