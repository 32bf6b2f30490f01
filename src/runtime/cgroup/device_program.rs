//! Device rules as a BPF program for v2 (see `struct bpf_cgroup_dev_ctx` in `linux/bpf.h`).

use super::devices::{EVERYTHING, Kind, Rule};
use crate::sys::device_filter::Instruction;

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
    use super::super::devices::{MAKE, READ, WRITE, rules};
    use super::*;
    use serde_json::{Value, json};

    const BLOCK: i64 = 1;
    const CHARACTER: i64 = 2;

    fn parsed(given: Value) -> Vec<Rule> {
        rules(&serde_json::from_value::<Vec<_>>(given).unwrap()).unwrap()
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
    fn only_the_default_devices_open_but_any_node_can_be_made() {
        let rules = parsed(json!([]));
        assert!(asks(&rules, CHARACTER, READ, 1, 3), "reading /dev/null");
        assert!(asks(&rules, CHARACTER, READ | WRITE, 136, 77), "a pseudo-terminal");
        assert!(asks(&rules, BLOCK, MAKE, 8, 0), "making a disk's node");
        assert!(!asks(&rules, BLOCK, READ, 8, 0), "reading the disk");
        assert!(!asks(&rules, BLOCK, READ | MAKE, 8, 0), "making and reading it");
        assert!(!asks(&rules, CHARACTER, READ, 1, 1), "/dev/mem");
        assert!(!asks(&rules, CHARACTER, WRITE, 10, 200), "/dev/net/tun");
    }

    #[test]
    fn later_rules_win_and_the_defaults_stay() {
        let rules = parsed(json!([
            { "allow": false, "access": "rwm" },
            { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" },
            { "allow": true, "type": "b", "major": 8, "access": "r" },
            { "allow": false, "type": "b", "major": 8, "minor": 1, "access": "r" },
        ]));
        assert!(asks(&rules, CHARACTER, READ | WRITE, 10, 229), "fuse");
        assert!(!asks(&rules, CHARACTER, READ, 10, 200), "tun");
        assert!(asks(&rules, BLOCK, READ, 8, 0) && !asks(&rules, BLOCK, READ | WRITE, 8, 0));
        assert!(!asks(&rules, BLOCK, READ, 8, 1));
        assert!(asks(&rules, CHARACTER, READ, 1, 3) && asks(&rules, CHARACTER, READ | WRITE, 136, 9), "the defaults");
        assert!(asks(&rules, BLOCK, MAKE, 8, 0) && asks(&rules, BLOCK, MAKE, 9, 9), "any node can be made");
        let open = parsed(json!([{ "allow": false, "access": "rwm" }, { "allow": true, "access": "rwm" }]));
        assert!(asks(&open, BLOCK, READ | WRITE | MAKE, 8, 0));
        assert_eq!(program(&open).len(), 8, "no unreachable code");
    }
}
