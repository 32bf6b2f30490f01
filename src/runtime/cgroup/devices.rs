//! Which devices a container may open or make: without this, root inside could open the host's disks by a node of its own.

use crate::sys::device_filter::Instruction;
use oci_spec::runtime::{LinuxDeviceType, Spec};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Block,
    Character,
}

/// One thing that is allowed; `None`: any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRule {
    pub kind: Kind,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    /// Reading and writing too; otherwise only making the node.
    pub open: bool,
}

impl DeviceRule {
    pub const fn open(kind: Kind, major: u32, minor: Option<u32>) -> DeviceRule {
        DeviceRule { kind, major: Some(major), minor, open: true }
    }

    /// `c 1:3 rwm`, as v1's `devices.allow` takes it.
    pub fn to_line(self) -> String {
        let kind = if self.kind == Kind::Block { 'b' } else { 'c' };
        let number = |number: Option<u32>| number.map_or("*".into(), |number| number.to_string());
        format!("{kind} {}:{} {}", number(self.major), number(self.minor), if self.open { "rwm" } else { "m" })
    }
}

/// What every container may: make any node (useless by itself), and open null, zero, full, random, urandom, tty,
/// console, ptmx and pseudo-terminals. The OCI runtime specification's default devices.
pub const DEFAULT: [DeviceRule; 11] = [
    DeviceRule { kind: Kind::Character, major: None, minor: None, open: false },
    DeviceRule { kind: Kind::Block, major: None, minor: None, open: false },
    DeviceRule::open(Kind::Character, 1, Some(3)),
    DeviceRule::open(Kind::Character, 1, Some(5)),
    DeviceRule::open(Kind::Character, 1, Some(7)),
    DeviceRule::open(Kind::Character, 1, Some(8)),
    DeviceRule::open(Kind::Character, 1, Some(9)),
    DeviceRule::open(Kind::Character, 5, Some(0)),
    DeviceRule::open(Kind::Character, 5, Some(1)),
    DeviceRule::open(Kind::Character, 5, Some(2)),
    DeviceRule::open(Kind::Character, 136, None),
];

/// The defaults and the devices that the specification puts into the container. `None`: all devices are allowed
/// (privileged), which `linux.resources.devices` says with a rule that allows every kind.
pub fn of_spec(spec: &Spec) -> Option<Vec<DeviceRule>> {
    let linux = spec.linux().as_ref();
    let resources = linux.and_then(|linux| linux.resources().as_ref());
    let listed = resources.and_then(|resources| resources.devices().as_ref());
    let every = listed.is_some_and(|rules| {
        rules.iter().any(|rule| {
            rule.allow()
                && rule.major().is_none()
                && rule.minor().is_none()
                && !matches!(rule.typ(), Some(LinuxDeviceType::B | LinuxDeviceType::C))
        })
    });
    if every {
        return None;
    }
    let nodes = linux.and_then(|linux| linux.devices().as_deref()).unwrap_or_default();
    let nodes = nodes.iter().filter_map(|node| {
        let kind = match node.typ() {
            LinuxDeviceType::B => Kind::Block,
            LinuxDeviceType::C | LinuxDeviceType::U => Kind::Character,
            _ => return None,
        };
        Some(DeviceRule::open(kind, u32::try_from(node.major()).ok()?, Some(u32::try_from(node.minor()).ok()?)))
    });
    let mut rules = DEFAULT.to_vec();
    for rule in nodes {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    Some(rules)
}

// Values of `linux/bpf.h` and `linux/bpf_common.h`.
const LOAD_WORD: u8 = 0x61;
const MOVE_IMMEDIATE: u8 = 0xb7;
const MOVE: u8 = 0xbf;
const AND_IMMEDIATE: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;
const TYPE_BLOCK: i32 = 1;
const TYPE_CHARACTER: i32 = 2;
const ACCESS_MAKE: i32 = 1;
const ACCESS_OPEN: i32 = 2 | 4;

/// The program: registers 2..=5 hold kind, access, major, minor; each rule is a block that allows or falls through.
pub fn program(rules: &[DeviceRule]) -> Vec<Instruction> {
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
    for rule in rules {
        let kind = if rule.kind == Kind::Block { TYPE_BLOCK } else { TYPE_CHARACTER };
        let mut checks = vec![(2, kind)];
        let refused = if rule.open { 0 } else { ACCESS_OPEN };
        checks.extend((refused != 0).then_some((6, 0)));
        checks.extend(rule.major.map(|major| (4, major.cast_signed())));
        checks.extend(rule.minor.map(|minor| (5, minor.cast_signed())));
        // Register 6: the accesses asked for that this rule refuses.
        let prelude = [instruction(MOVE, 6, 3, 0, 0), instruction(AND_IMMEDIATE, 6, 0, 0, refused & !ACCESS_MAKE)];
        all.extend(prelude);
        let count = checks.len();
        for (at, (register, value)) in checks.into_iter().enumerate() {
            // Over the remaining checks and the two instructions that allow.
            let over = (count - at - 1 + 2) as i16;
            all.push(instruction(JUMP_UNLESS_EQUAL, register, 0, over, value));
        }
        all.push(instruction(MOVE_IMMEDIATE, 0, 0, 0, 1));
        all.push(instruction(EXIT, 0, 0, 0, 0));
    }
    all.push(instruction(MOVE_IMMEDIATE, 0, 0, 0, 0));
    all.push(instruction(EXIT, 0, 0, 0, 0));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do: kind, access, major, minor in, allowed out.
    fn interpret(program: &[Instruction], context: [i64; 3]) -> bool {
        let mut registers = [0i64; 11];
        let mut at = 0usize;
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
                JUMP_UNLESS_EQUAL => {}
                EXIT => return registers[0] == 1,
                other => panic!("unknown instruction {other:#x}"),
            }
        }
    }

    #[test]
    fn only_the_default_devices_open_but_any_node_can_be_made() {
        let program = program(&DEFAULT);
        let ask = |kind: i32, access: i32, major: i64, minor: i64| {
            interpret(&program, [i64::from(kind | access << 16), major, minor])
        };
        assert!(ask(TYPE_CHARACTER, 2, 1, 3), "reading /dev/null");
        assert!(ask(TYPE_CHARACTER, 6, 136, 77), "a pseudo-terminal");
        assert!(ask(TYPE_BLOCK, ACCESS_MAKE, 8, 0), "making a disk's node");
        assert!(!ask(TYPE_BLOCK, 2, 8, 0), "reading the disk");
        assert!(!ask(TYPE_BLOCK, 2 | ACCESS_MAKE, 8, 0), "making and reading it");
        assert!(!ask(TYPE_CHARACTER, 2, 1, 1), "/dev/mem");
        assert!(!ask(TYPE_CHARACTER, 4, 10, 200), "/dev/net/tun");
    }

    #[test]
    fn lines_for_v1() {
        assert_eq!(DEFAULT[0].to_line(), "c *:* m");
        assert_eq!(DEFAULT[2].to_line(), "c 1:3 rwm");
        assert_eq!(DEFAULT[10].to_line(), "c 136:* rwm");
    }
}
