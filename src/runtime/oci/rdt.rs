//! Cache and memory bandwidth of a container (`intelRdt`), by the `resctrl` file system.
//!
//! A class of service is a directory there; a process belongs to the one whose `tasks` has its number.

use super::{Outcome, conflict, invalid, unsupported};
use crate::runtime::init::report::During;
use oci_spec::runtime::LinuxIntelRdt;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Where a process is to go; what had to be made for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Each gets the process's number in its `tasks`.
    places: Vec<PathBuf>,
    /// Ours to remove, in this order.
    pub remove: Vec<PathBuf>,
}

/// The mount of `resctrl`, read from `/proc/self/mountinfo`.
pub fn root() -> Outcome<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").during("reading the list of mounts")?;
    find(&text).ok_or_else(|| unsupported("intelRdt is asked for, but no resctrl file system is mounted here"))
}

fn find(mountinfo: &str) -> Option<PathBuf> {
    let line = mountinfo.lines().find(|line| line.split_once(" - ").is_some_and(|(_, t)| t.starts_with("resctrl ")))?;
    Some(PathBuf::from(line.split(' ').nth(4)?.replace("\\040", " ")))
}

/// The name of a class is one directory's.
pub fn check(wanted: &LinuxIntelRdt) -> Outcome<()> {
    if let Some(name) = wanted.clos_id().as_deref().filter(|name| *name != "/") {
        let mut parts = Path::new(name).components();
        let one = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
        if !one || name.contains('\0') || ["info", "mon_data", "mon_groups"].contains(&name) {
            return Err(invalid(format!("intelRdt.closID '{name}' is no name of a class")));
        }
    }
    let lines = [("L3:", wanted.l3_cache_schema()), ("MB:", wanted.mem_bw_schema())];
    for (start, text) in lines.into_iter().filter_map(|(start, text)| text.as_ref().map(|t| (start, t))) {
        if start == "MB:" && (!text.starts_with(start) || text.contains('\n')) {
            return Err(invalid(format!("intelRdt.memBwSchema '{text}' is not one line that begins with MB:")));
        }
    }
    match wanted.schemata().iter().flatten().find(|line| line.contains('\n')) {
        Some(line) => Err(invalid(format!("intelRdt.schemata: '{line}' is more than one line"))),
        None => Ok(()),
    }
}

/// The class, made and described where that is asked for. Nothing is left of a failure.
pub fn prepare(root: &Path, id: &str, wanted: &LinuxIntelRdt) -> Outcome<Made> {
    let mut made = Made::default();
    let prepared = fill(root, id, wanted, &mut made);
    if prepared.is_err() {
        remove(&made.remove);
    }
    prepared.map(|()| made)
}

fn fill(root: &Path, id: &str, wanted: &LinuxIntelRdt, made: &mut Made) -> Outcome<()> {
    let named = wanted.clos_id().as_deref().filter(|name| !name.is_empty());
    let class = class_of(root, id, wanted);
    let schemas = schemas(wanted);
    let lines = wanted.schemata().as_deref().unwrap_or_default();
    let old = class.is_dir();
    match named {
        Some(name) if !old && schemas.is_empty() && lines.is_empty() => {
            return Err(conflict(format!("intelRdt: there is no class '{name}', and nothing is said to make it of")));
        }
        _ if !old => {
            std::fs::create_dir(&class).during(&format!("making the class {}", class.display()))?;
            made.remove.insert(0, class.clone());
        }
        _ => {}
    }
    let file = class.join("schemata");
    if old && !schemas.is_empty() {
        let has = std::fs::read_to_string(&file).during(&format!("reading {}", file.display()))?;
        agree(&has, &schemas)
            .map_err(|why| conflict(format!("intelRdt: {} is there already: {why}", class.display())))?;
    }
    // The kernel takes any number of lines, and says what is wrong in a file of its own.
    let written: Vec<&str> = (!old).then_some(schemas.as_slice()).into_iter().flatten().map(String::as_str).collect();
    for text in [written.join("\n"), lines.join("\n")].into_iter().filter(|text| !text.is_empty()) {
        if let Err(e) = std::fs::write(&file, format!("{text}\n")) {
            let said = std::fs::read_to_string(root.join("info/last_cmd_status")).unwrap_or_default();
            let words = format!("intelRdt: writing '{text}' to {}: {e} {}", file.display(), said.trim());
            return Err(invalid(words.trim_end().to_owned()));
        }
    }
    made.places.push(class.clone());
    if wanted.enable_monitoring() == &Some(true) {
        let group = class.join("mon_groups").join(id);
        std::fs::create_dir(&group).during(&format!("making the monitoring group {}", group.display()))?;
        made.remove.insert(0, group.clone());
        made.places.push(group);
    }
    Ok(())
}

/// The older two fields as lines: where both speak of memory bandwidth, the field of that name counts.
fn schemas(wanted: &LinuxIntelRdt) -> Vec<String> {
    let bandwidth = wanted.mem_bw_schema().as_ref().filter(|text| !text.is_empty());
    let cache = wanted.l3_cache_schema().iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty());
    let cache = cache.filter(|line| bandwidth.is_none() || !line.starts_with("MB:"));
    cache.map(str::to_owned).chain(bandwidth.cloned()).collect()
}

/// Resource, then value by domain. Masks are compared as numbers.
fn table(line: &str) -> Option<(&str, BTreeMap<&str, String>)> {
    let (resource, rest) = line.trim().split_once(':')?;
    let entries = rest.split(';').filter_map(|entry| entry.split_once('='));
    let plain = |value: &str| match value.trim().trim_start_matches("0x").trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_ascii_lowercase(),
    };
    Some((resource.trim(), entries.map(|(domain, value)| (domain.trim(), plain(value))).collect()))
}

fn agree(has: &str, wanted: &[String]) -> Result<(), String> {
    for line in wanted {
        let (resource, entries) = table(line).ok_or_else(|| format!("'{line}' is no schema"))?;
        let there = has.lines().filter_map(table).find(|(name, _)| *name == resource);
        let there = there.ok_or_else(|| format!("it says nothing of {resource}"))?.1;
        if entries.iter().any(|(domain, value)| there.get(domain) != Some(value)) {
            return Err(format!("its {resource} differs from '{line}'"));
        }
    }
    Ok(())
}

impl Made {
    /// The process, and all that it will start.
    pub fn take(&self, pid: i32) -> Outcome<()> {
        self.places.iter().try_for_each(|place| {
            let file = place.join("tasks");
            std::fs::write(&file, pid.to_string()).during(&format!("writing {}", file.display()))
        })
    }
}

/// Describes the class of a container that runs anew, by lines for its cache and for its memory bandwidth.
pub fn change(root: &Path, id: &str, given: &LinuxIntelRdt, schemas: [Option<&str>; 2]) -> Outcome<()> {
    let file = class_of(root, id, given).join("schemata");
    let text = schemas.into_iter().flatten().collect::<Vec<_>>().join("\n");
    std::fs::write(&file, format!("{text}\n")).during(&format!("writing '{text}' to {}", file.display()))
}

fn class_of(root: &Path, id: &str, wanted: &LinuxIntelRdt) -> PathBuf {
    match wanted.clos_id().as_deref().filter(|name| !name.is_empty()) {
        Some("/") => root.to_owned(),
        Some(name) => root.join(name),
        None => root.join(id),
    }
}

/// What was made goes; what somebody removed before is gone.
pub fn remove(made: &[PathBuf]) {
    for directory in made {
        let _ = std::fs::remove_dir(directory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;

    fn wanted(value: Value) -> LinuxIntelRdt {
        serde_json::from_value(value).unwrap()
    }

    /// A directory in place of the file system: files that the kernel would make are made by writing.
    fn class(root: &Path, name: &str, schemata: &str) {
        fs::create_dir_all(root.join(name).join("mon_groups")).unwrap();
        fs::write(root.join(name).join("schemata"), schemata).unwrap();
    }

    #[test]
    fn the_mount_is_found_wherever_it_is() {
        let text = "22 1 0:21 / /sys rw - sysfs sysfs rw\n50 22 0:40 / /sys/fs/res\\040ctrl rw - resctrl resctrl rw\n";
        assert_eq!(find(text), Some("/sys/fs/res ctrl".into()));
        assert_eq!(find("22 1 0:21 / /sys rw - sysfs sysfs rw"), None);
    }

    #[test]
    fn a_class_must_be_made_described_and_removed_or_be_there() {
        let root = tempfile::tempdir().unwrap();
        let refused = prepare(root.path(), "c", &wanted(json!({ "closID": "gold" }))).unwrap_err();
        assert!(refused.chain[0].contains("no class 'gold'"), "{refused:?}");
        let made = prepare(root.path(), "c", &wanted(json!({}))).unwrap();
        assert_eq!(made.remove, [root.path().join("c")]);
        assert!(!root.path().join("c/schemata").exists(), "nothing was said of it");
        made.take(42).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("c/tasks")).unwrap(), "42");
        let given = json!({ "closID": "new", "l3CacheSchema": "L3:0=f0;1=f\nMB:0=10", "memBwSchema": "MB:0=20;1=70",
            "schemata": ["L2:0=f"] });
        prepare(root.path(), "c", &wanted(given)).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("new/schemata")).unwrap(), "L2:0=f\n", "written last");
        remove(&[root.path().join("new"), root.path().join("gone")]);
    }

    #[test]
    fn a_class_that_is_there_must_agree_and_is_not_ours() {
        let root = tempfile::tempdir().unwrap();
        class(root.path(), "gold", "    L3:0=00f0;1=000f\n    MB:0= 20;1= 70\n");
        let same = wanted(json!({ "closID": "gold", "l3CacheSchema": "L3:0=f0;1=f", "memBwSchema": "MB:0=20;1=70" }));
        assert_eq!(prepare(root.path(), "c", &same).unwrap().remove, Vec::<PathBuf>::new());
        let other = wanted(json!({ "closID": "gold", "l3CacheSchema": "L3:0=1" }));
        assert!(prepare(root.path(), "c", &other).unwrap_err().chain[0].contains("differs"));
        change(root.path(), "c", &other, [Some("L3:0=1"), Some("MB:0=10")]).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("gold/schemata")).unwrap(), "L3:0=1\nMB:0=10\n");
        let watched = wanted(json!({ "closID": "gold", "enableMonitoring": true }));
        let made = prepare(root.path(), "c", &watched).unwrap();
        assert_eq!(made.remove, [root.path().join("gold/mon_groups/c")]);
        made.take(7).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("gold/mon_groups/c/tasks")).unwrap(), "7");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["..", "a/b", "/a", ".", "info", "a\0"] {
            assert!(check(&wanted(json!({ "closID": name }))).is_err(), "{name}");
        }
        check(&wanted(json!({ "closID": "/" }))).unwrap();
        assert!(check(&wanted(json!({ "memBwSchema": "L3:0=1" }))).is_err());
        assert!(check(&wanted(json!({ "schemata": ["L3:0=1\nL2:0=1"] }))).is_err());
    }
}
