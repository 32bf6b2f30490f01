//! The BPF program: which architecture, then a binary search over ranges of system call numbers, then what the rules
//! of the one found say. Most calls are decided after some eight comparisons; and since the kernel works out ahead
//! which numbers are always allowed (Linux 5.11), plain ones run no filter at all.

use super::profile::{ArchRules, Filter};
use super::{Action, Condition, Op, Rule};

/// `struct sock_filter` (linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

impl Instruction {
    /// As the kernel of this machine reads it.
    pub fn bytes(self) -> [u8; 8] {
        let (code, k) = (self.code.to_ne_bytes(), self.k.to_ne_bytes());
        [code[0], code[1], self.jt, self.jf, k[0], k[1], k[2], k[3]]
    }
}

/// Load a word of `struct seccomp_data`.
pub const LOAD: u16 = 0x20;
pub const AND: u16 = 0x54;
pub const JUMP: u16 = 0x05;
pub const JEQ: u16 = 0x15;
pub const JGT: u16 = 0x25;
pub const JGE: u16 = 0x35;
pub const RETURN: u16 = 0x06;

const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGS: u32 = 16;
const ENOSYS: u32 = 38;

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

const fn branch(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

pub(super) fn program(filter: &Filter) -> Vec<Instruction> {
    let mut out = vec![plain(LOAD, OFFSET_ARCH)];
    for arch in &filter.arches {
        let body = body(filter, arch);
        out.push(branch(JEQ, arch.audit, 1, 0));
        out.push(plain(JUMP, body.len() as u32));
        out.extend(body);
    }
    out.push(plain(RETURN, filter.foreign.0));
    out
}

fn body(filter: &Filter, arch: &ArchRules) -> Vec<Instruction> {
    let mut out = vec![plain(LOAD, OFFSET_NUMBER)];
    if let Some(foreign) = arch.foreign_from {
        out.push(branch(JGE, foreign, 0, 1));
        out.push(plain(RETURN, Action::errno(ENOSYS).0));
    }
    out.extend(search(&ranges(filter, arch)));
    out
}

/// From this number on, up to the next range, the same code decides.
struct Range {
    first: u32,
    code: Vec<Instruction>,
}

fn ranges(filter: &Filter, arch: &ArchRules) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    // The entries that decide the last range; nothing is emitted again for a number right after it with the same ones.
    let mut last: Vec<usize> = Vec::new();
    let mut next = 0;
    for calls in arch.calls.chunk_by(|a, b| a.0 == b.0) {
        let number = calls[0].0;
        let gap = number > next;
        if gap {
            ranges.extend(unnamed(filter, arch, next, Some(number)));
        }
        if gap || !calls.iter().map(|(_, entry)| entry).eq(&last) {
            ranges.push(Range { first: number, code: call(&filter.rules(calls), filter.default) });
            last.clear();
            last.extend(calls.iter().map(|(_, entry)| *entry));
        }
        next = number + 1;
    }
    ranges.extend(unnamed(filter, arch, next, None));
    ranges
}

/// From one number up to another, without a rule about any of them.
fn unnamed(filter: &Filter, arch: &ArchRules, from: u32, to: Option<u32>) -> Vec<Range> {
    let edges = arch.unknown.iter().flat_map(|known| [Some(*known.start()), known.end().checked_add(1)]).flatten();
    let mut starts: Vec<u32> = edges.filter(|at| *at > from && to.is_none_or(|to| *at < to)).chain([from]).collect();
    starts.sort_unstable();
    starts.dedup();
    let action = |first| {
        let unknown = arch.unknown.iter().any(|known| known.contains(&first));
        if unknown { Action::errno(ENOSYS) } else { filter.default }
    };
    starts.into_iter().map(|first| Range { first, code: vec![plain(RETURN, action(first).0)] }).collect()
}

/// A balanced tree of "from this number on"; every path ends in a return.
fn search(ranges: &[Range]) -> Vec<Instruction> {
    match ranges {
        [] => Vec::new(),
        [one] => one.code.clone(),
        many => {
            let (low, high) = many.split_at(many.len() / 2);
            let (below, above) = (search(low), search(high));
            let mut out = Vec::with_capacity(below.len() + above.len() + 2);
            match u8::try_from(below.len()) {
                Ok(distance) => out.push(branch(JGE, high[0].first, distance, 0)),
                // Conditional jumps reach 255 instructions.
                Err(_) => {
                    out.push(branch(JGE, high[0].first, 0, 1));
                    out.push(plain(JUMP, below.len() as u32));
                }
            }
            out.extend(below);
            out.extend(above);
            out
        }
    }
}

/// The alternatives of one call, in order.
fn call(rules: &[&Rule], default: Action) -> Vec<Instruction> {
    let mut out = Vec::new();
    for rule in rules {
        let start = out.len();
        let mut failures = Vec::new();
        for condition in &rule.conditions {
            compare(condition, &mut out, &mut failures);
        }
        out.push(plain(RETURN, rule.action.0));
        let end = out.len();
        debug_assert!(end - start < 255, "six conditions are at most 37 instructions");
        for (at, when) in failures {
            let distance = (end - at - 1) as u8;
            let jump = &mut out[at];
            if when { jump.jt = distance } else { jump.jf = distance }
        }
    }
    if rules.last().is_none_or(|r| !r.conditions.is_empty()) {
        out.push(plain(RETURN, default.0));
    }
    out
}

/// A 64-bit comparison in two halves. Falls through when it holds; `failures` collects the jumps (and which side of
/// them) to be aimed at the next alternative.
fn compare(condition: &Condition, out: &mut Vec<Instruction>, failures: &mut Vec<(usize, bool)>) {
    let at = OFFSET_ARGS + 8 * condition.index;
    let (low_at, high_at) = if cfg!(target_endian = "little") { (at, at + 4) } else { (at + 4, at) };
    let halves = |value: u64| (value as u32, (value >> 32) as u32);
    let (low, high) = halves(condition.value);
    let mut fail = |out: &mut Vec<Instruction>, code: u16, k: u32, when: bool, other: u8| {
        failures.push((out.len(), when));
        out.push(if when { branch(code, k, 0, other) } else { branch(code, k, other, 0) });
    };
    out.push(plain(LOAD, high_at));
    match condition.op {
        Op::Eq | Op::MaskedEq => {
            let masked = condition.op == Op::MaskedEq;
            let (low_value, high_value) = if masked { halves(condition.second) } else { (low, high) };
            if masked {
                out.push(plain(AND, high));
            }
            fail(out, JEQ, high_value, false, 0);
            out.push(plain(LOAD, low_at));
            if masked {
                out.push(plain(AND, low));
            }
            fail(out, JEQ, low_value, false, 0);
        }
        Op::Ne => {
            // Different above: holds, past the two instructions for the lower half.
            out.push(branch(JEQ, high, 0, 2));
            out.push(plain(LOAD, low_at));
            fail(out, JEQ, low, true, 0);
        }
        Op::Gt | Op::Ge => {
            // Larger above: holds, past three; smaller: fails; equal: the lower half decides.
            out.push(branch(JGT, high, 3, 0));
            fail(out, JEQ, high, false, 0);
            out.push(plain(LOAD, low_at));
            fail(out, if condition.op == Op::Gt { JGT } else { JGE }, low, false, 0);
        }
        Op::Lt | Op::Le => {
            fail(out, JGT, high, true, 0);
            out.push(branch(JEQ, high, 0, 2));
            out.push(plain(LOAD, low_at));
            fail(out, if condition.op == Op::Lt { JGE } else { JGT }, low, true, 0);
        }
    }
}
