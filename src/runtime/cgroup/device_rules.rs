//! Lists of device rules as the OCI specification has them (allow and deny, later ones win), for v1's files and as a
//! BPF program for v2.

use crate::sys::device_filter::Instruction;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

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
const EVERYTHING: u32 = MAKE | READ | WRITE;

/// The specification's default devices, which every container has.
const DEFAULT: [(Option<u32>, Option<u32>); 9] = [
    (Some(1), Some(3)),
    (Some(1), Some(5)),
    (Some(1), Some(7)),
    (Some(1), Some(8)),
    (Some(1), Some(9)),
    (Some(5), Some(0)),
    (Some(5), Some(1)),
    (Some(5), Some(2)),
    (Some(136), None),
];

/// Nothing, then what is given, then the default devices. An error names what cannot be understood.
pub fn rules(given: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>, String> {
    let mut rules = vec![Rule { allow: false, kind: Kind::All, major: None, minor: None, access: EVERYTHING }];
    for rule in given {
        rules.push(one(rule)?);
    }
    let any = |kind| Rule { allow: true, kind, major: None, minor: None, access: MAKE };
    // A container whose rules end by allowing everything needs no exceptions.
    if rules.last().is_some_and(|r| r.allow && r.kind == Kind::All && r.access == EVERYTHING) {
        return Ok(rules.split_off(rules.len() - 1));
    }
    rules.extend([any(Kind::Character), any(Kind::Block)]);
    for (major, minor) in DEFAULT {
        rules.push(Rule { allow: true, kind: Kind::Character, major, minor, access: EVERYTHING });
    }
    Ok(rules)
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
    let mut access = 0;
    for letter in rule.access().as_deref().unwrap_or("rwm").chars() {
        access |= match letter {
            'r' => READ,
            'w' => WRITE,
            'm' => MAKE,
            other => return Err(format!("device access '{other}' is none of r, w and m")),
        };
    }
    let access = if access == 0 { EVERYTHING } else { access };
    let (major, minor) = (number(rule.major())?, number(rule.minor())?);
    // v1's "a" is all there is: numbers and access mean nothing beside it.
    if kind == Kind::All && (major, minor) == (None, None) {
        return Ok(Rule { allow: rule.allow(), kind, major, minor, access: EVERYTHING });
    }
    Ok(Rule { allow: rule.allow(), kind, major, minor, access })
}

impl Rule {
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

// Values of `linux/bpf.h` and `linux/bpf_common.h`.
const LOAD_WORD: u8 = 0x61;
const MOVE_IMMEDIATE: u8 = 0xb7;
const MOVE: u8 = 0xbf;
const AND_IMMEDIATE: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const JUMP_IF_EQUAL: u8 = 0x15;
const EXIT: u8 = 0x95;

/// The last rule that is about an access decides. An allowing rule must cover all that is asked for, a denying one only
/// a part of it. Registers 2..=5 hold kind, access, major, minor.
pub fn program(rules: &[Rule]) -> Vec<Instruction> {
    let instruction =
        |code, to: u8, from: u8, offset, immediate| Instruction { code, registers: to | from << 4, offset, immediate };
    let mut all = vec![
        instruction(LOAD_WORD, 2, 1, 0, 0),
        instruction(MOVE, 3, 2, 0, 0),
        instruction(AND_IMMEDIATE, 2, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, 3, 0, 0, 16),
        instruction(LOAD_WORD, 4, 1, 4, 0),
        instruction(LOAD_WORD, 5, 1, 8, 0),
    ];
    for rule in rules.iter().rev() {
        let mut checks = Vec::new();
        match rule.kind {
            Kind::All => {}
            Kind::Block => checks.push((2, JUMP_UNLESS_EQUAL, 1)),
            Kind::Character => checks.push((2, JUMP_UNLESS_EQUAL, 2)),
        }
        checks.extend(rule.major.map(|n| (4, JUMP_UNLESS_EQUAL, n.cast_signed())));
        checks.extend(rule.minor.map(|n| (5, JUMP_UNLESS_EQUAL, n.cast_signed())));
        if rule.access != EVERYTHING {
            // What is asked for beyond the rule, or within it.
            let mask = if rule.allow { EVERYTHING & !rule.access } else { rule.access };
            all.push(instruction(MOVE, 6, 3, 0, 0));
            all.push(instruction(AND_IMMEDIATE, 6, 0, 0, mask.cast_signed()));
            checks.push((6, if rule.allow { JUMP_UNLESS_EQUAL } else { JUMP_IF_EQUAL }, 0));
        }
        let count = checks.len();
        for (at, (register, jump, value)) in checks.into_iter().enumerate() {
            // Over the remaining checks and the two instructions that decide.
            all.push(instruction(jump, register, 0, (count - at - 1 + 2) as i16, value));
        }
        all.push(instruction(MOVE_IMMEDIATE, 0, 0, 0, i32::from(rule.allow)));
        all.push(instruction(EXIT, 0, 0, 0, 0));
        if count == 0 {
            // It decides everything: nothing before it can be reached, and the kernel refuses such code.
            return all;
        }
    }
    all.push(instruction(MOVE_IMMEDIATE, 0, 0, 0, 0));
    all.push(instruction(EXIT, 0, 0, 0, 0));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parsed(rules: Value) -> Vec<Rule> {
        let given: Vec<LinuxDeviceCgroup> = serde_json::from_value(rules).unwrap();
        super::rules(&given).unwrap()
    }

    /// What the kernel would do.
    fn asks(rules: &[Rule], kind: i64, access: u32, major: i64, minor: i64) -> bool {
        let program = program(rules);
        let context = [kind | i64::from(access) << 16, major, minor];
        let (mut registers, mut at) = ([0i64; 11], 0usize);
        loop {
            let i = program[at];
            let (to, from) = (usize::from(i.registers & 15), usize::from(i.registers >> 4));
            at += 1;
            match i.code {
                LOAD_WORD => registers[to] = context[i.offset as usize / 4],
                MOVE => registers[to] = registers[from],
                MOVE_IMMEDIATE => registers[to] = i64::from(i.immediate),
                AND_IMMEDIATE => registers[to] &= i64::from(i.immediate),
                SHIFT_RIGHT => registers[to] >>= i.immediate,
                JUMP_UNLESS_EQUAL if registers[to] != i64::from(i.immediate) => at += i.offset as usize,
                JUMP_IF_EQUAL if registers[to] == i64::from(i.immediate) => at += i.offset as usize,
                JUMP_UNLESS_EQUAL | JUMP_IF_EQUAL => {}
                EXIT => return registers[0] == 1,
                other => panic!("unknown instruction {other:#x}"),
            }
        }
    }

    #[test]
    fn later_rules_win_and_the_defaults_stay() {
        let rules = parsed(json!([
            { "allow": false, "access": "rwm" },
            { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" },
            { "allow": true, "type": "b", "major": 8, "access": "r" },
            { "allow": false, "type": "b", "major": 8, "minor": 1, "access": "r" },
        ]));
        assert!(asks(&rules, 2, READ | WRITE, 10, 229), "fuse");
        assert!(!asks(&rules, 2, READ, 10, 200), "tun");
        assert!(asks(&rules, 1, READ, 8, 0) && !asks(&rules, 1, READ | WRITE, 8, 0) && !asks(&rules, 1, READ, 8, 1));
        assert!(asks(&rules, 2, READ, 1, 3) && asks(&rules, 2, READ | WRITE, 136, 9), "null, a terminal");
        assert!(asks(&rules, 1, MAKE, 8, 0) && asks(&rules, 1, MAKE, 9, 9), "any node can be made");
        assert!(!asks(&parsed(json!([])), 1, READ, 8, 0), "nothing given is nothing allowed");
        let open = parsed(json!([{ "allow": false, "access": "rwm" }, { "allow": true, "access": "rwm" }]));
        assert!(asks(&open, 1, READ | WRITE | MAKE, 8, 0));
        assert_eq!(program(&open).len(), 8, "no unreachable code");
    }

    #[test]
    fn lines_of_v1() {
        let rules = parsed(json!([{ "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" }]));
        assert_eq!(rules[0].lines(), ("devices.deny", vec!["a".to_owned()]));
        assert_eq!(rules[1].lines(), ("devices.allow", vec!["c 10:229 rw".to_owned()]));
        let given: Vec<LinuxDeviceCgroup> = serde_json::from_value(json!([{ "allow": true, "access": "x" }])).unwrap();
        assert!(super::rules(&given).is_err());
    }
}
