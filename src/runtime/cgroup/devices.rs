//! Which devices a container may open or make: without this, root inside could open the host's disks by a node of its
//! own. Lists of rules as the OCI specification has them (allow and deny, later ones win); what v1's files take is made
//! here, v2's program in [`super::device_program`].

use oci_spec::runtime::{LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType, Spec};

/// Which nodes a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    All,
    Block,
    Character,
}

/// `None`: any number. Access is a set of [`MAKE`], [`READ`], [`WRITE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub allow: bool,
    pub kind: Kind,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub access: u32,
}

/// `BPF_DEVCG_ACC_*` of linux/bpf.h.
pub const MAKE: u32 = 1;
pub const READ: u32 = 2;
pub const WRITE: u32 = 4;
pub const EVERYTHING: u32 = MAKE | READ | WRITE;

const NOTHING: Rule = Rule { allow: false, kind: Kind::All, major: None, minor: None, access: EVERYTHING };

/// What every container may: make any node (useless by itself), and open null, zero, full, random, urandom, tty,
/// console, ptmx and pseudo-terminals. The OCI runtime specification's default devices.
const DEFAULT: [Rule; 11] = [
    Rule { allow: true, kind: Kind::Character, major: None, minor: None, access: MAKE },
    Rule { allow: true, kind: Kind::Block, major: None, minor: None, access: MAKE },
    Rule::character(1, Some(3)),
    Rule::character(1, Some(5)),
    Rule::character(1, Some(7)),
    Rule::character(1, Some(8)),
    Rule::character(1, Some(9)),
    Rule::character(5, Some(0)),
    Rule::character(5, Some(1)),
    Rule::character(5, Some(2)),
    Rule::character(136, None),
];

/// Nothing, then what is given, then the default devices. An error names what cannot be understood.
pub fn rules(given: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>, String> {
    let mut rules = vec![NOTHING];
    for rule in given {
        rules.push(one(rule)?);
    }
    // A container whose rules end by allowing everything needs no exceptions.
    if rules.last().is_some_and(|r| r.allow_all()) {
        return Ok(rules.split_off(rules.len() - 1));
    }
    rules.extend(DEFAULT);
    Ok(rules)
}

/// [`rules`] of what `linux.resources` says, and each device that the specification puts into the container may be
/// used, unless a rule there is about exactly that one. `None`: all are allowed (privileged), nothing is restricted.
pub fn of_spec(spec: &Spec) -> Result<Option<Vec<Rule>>, String> {
    let linux = spec.linux().as_ref();
    let resources = linux.and_then(|linux| linux.resources().as_ref());
    let given = resources.and_then(|resources| resources.devices().as_deref()).unwrap_or_default();
    let mut rules = rules(given)?;
    if let [only] = rules[..]
        && only.allow_all()
    {
        return Ok(None);
    }
    for node in linux.and_then(|linux| linux.devices().as_deref()).unwrap_or_default() {
        let Some(rule) = of_node(node) else { continue };
        let same = |r: &Rule| (r.kind, r.major, r.minor) == (rule.kind, rule.major, rule.minor);
        if !rules.iter().any(same) {
            rules.push(rule);
        }
    }
    Ok(Some(rules))
}

fn of_node(node: &LinuxDevice) -> Option<Rule> {
    let kind = match node.typ() {
        LinuxDeviceType::B => Kind::Block,
        LinuxDeviceType::C | LinuxDeviceType::U => Kind::Character,
        _ => return None,
    };
    let (major, minor) = (u32::try_from(node.major()).ok()?, u32::try_from(node.minor()).ok()?);
    Some(Rule { allow: true, kind, major: Some(major), minor: Some(minor), access: EVERYTHING })
}

fn one(rule: &LinuxDeviceCgroup) -> Result<Rule, String> {
    let kind = match rule.typ() {
        None | Some(LinuxDeviceType::A) => Kind::All,
        Some(LinuxDeviceType::B) => Kind::Block,
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => Kind::Character,
        Some(LinuxDeviceType::P) => return Err("a device rule cannot be about FIFOs".into()),
    };
    // Negative numbers are the older way to say "any".
    let number = |number: Option<i64>| match number {
        None | Some(..0) => Ok(None),
        Some(n) => u32::try_from(n).map(Some).map_err(|_| format!("device number {n} is out of range")),
    };
    let given = rule.access().as_deref().filter(|text| !text.is_empty()).unwrap_or("rwm");
    // Other letters mean nothing, as to the other runtimes; but there must be one that does.
    let access = given.chars().fold(0, |all, letter| {
        all | match letter {
            'r' => READ,
            'w' => WRITE,
            'm' => MAKE,
            _ => 0,
        }
    });
    if access == 0 {
        return Err(format!("device access '{given}' has none of r, w and m"));
    }
    let (major, minor) = (number(rule.major())?, number(rule.minor())?);
    // v1's "a" is all there is: numbers and access mean nothing beside it.
    if kind == Kind::All && (major, minor) == (None, None) {
        return Ok(Rule { allow: rule.allow(), ..NOTHING });
    }
    Ok(Rule { allow: rule.allow(), kind, major, minor, access })
}

impl Rule {
    const fn character(major: u32, minor: Option<u32>) -> Rule {
        Rule { allow: true, kind: Kind::Character, major: Some(major), minor, access: EVERYTHING }
    }

    fn allow_all(&self) -> bool {
        *self == Rule { allow: true, ..NOTHING }
    }

    /// For v1: the file and its lines. A rule about all kinds with a number becomes two.
    pub fn lines(&self) -> (&'static str, Vec<String>) {
        let file = if self.allow { "devices.allow" } else { "devices.deny" };
        if self.kind == Kind::All && (self.major, self.minor) == (None, None) {
            return (file, vec!["a".into()]);
        }
        let letters = match self.kind {
            Kind::All => "bc",
            Kind::Block => "b",
            Kind::Character => "c",
        };
        let number = |n: Option<u32>| n.map_or("*".into(), |n| n.to_string());
        let access: String = [(READ, 'r'), (WRITE, 'w'), (MAKE, 'm')]
            .iter()
            .filter(|(bit, _)| self.access & bit != 0)
            .map(|a| a.1)
            .collect();
        let line = |kind| format!("{kind} {}:{} {access}", number(self.major), number(self.minor));
        (file, letters.chars().map(line).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn given(rules: Value) -> Vec<LinuxDeviceCgroup> {
        serde_json::from_value(rules).unwrap()
    }

    #[test]
    fn lines_of_v1() {
        let parsed = rules(&given(json!([{ "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" }])));
        let lines: Vec<_> = parsed.unwrap().iter().map(Rule::lines).collect();
        assert_eq!(lines[0], ("devices.deny", vec!["a".to_owned()]));
        assert_eq!(lines[1], ("devices.allow", vec!["c 10:229 rw".to_owned()]));
        assert_eq!(lines[2], ("devices.allow", vec!["c *:* m".to_owned()]));
        assert_eq!(lines[4], ("devices.allow", vec!["c 1:3 rwm".to_owned()]));
        assert_eq!(lines[12], ("devices.allow", vec!["c 136:* rwm".to_owned()]));
        assert!(rules(&given(json!([{ "allow": true, "access": "x" }]))).is_err());
        let odd = rules(&given(json!([{ "allow": false, "type": "c", "major": 1, "minor": 11, "access": "rwa" }])));
        assert_eq!(odd.unwrap()[1].access, READ | WRITE);
    }

    #[test]
    fn nodes_of_the_container_may_be_used_as_far_as_its_rules_say() {
        let spec = |rules: Value| {
            let nodes = json!([{ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 },
                { "path": "/dev/null", "type": "c", "major": 1, "minor": 3 }]);
            let linux = json!({ "devices": nodes, "resources": { "devices": rules } });
            let spec: Spec = serde_json::from_value(json!({ "ociVersion": "1.3.0", "linux": linux })).unwrap();
            of_spec(&spec).unwrap()
        };
        let plain = spec(json!([])).unwrap();
        assert_eq!(plain.last(), Some(&Rule::character(10, Some(229))));
        assert_eq!(plain.len(), 13, "null is a default already: {plain:?}");
        let reading = spec(json!([{ "allow": true, "type": "c", "major": 10, "minor": 229, "access": "r" }])).unwrap();
        let about = |r: &&Rule| r.minor == Some(229);
        assert_eq!(reading.iter().filter(about).map(|r| r.access).collect::<Vec<_>>(), [READ]);
        assert_eq!(spec(json!([{ "allow": true, "access": "rwm" }])), None);
    }
}
