//! What the kernel answers to the messages of a batch, datagram by datagram.

use super::{ACK, Batch, DUMP, Error, HEADER, Message, Result, word};

const ERROR: u16 = 2;
const DONE: u16 = 3;
/// What a dump lists has changed since it began: parts may be missing or come twice.
const DUMP_INTERRUPTED: u16 = 0x10;
/// The error message carries no copy of the request, and may carry attributes with a text.
const CAPPED: u16 = 0x100;
const ACK_ATTRIBUTES: u16 = 0x200;
const ATTRIBUTE_TEXT: u16 = 1;

/// The answers to one batch, as far as they have come.
pub(super) struct Answers<'a> {
    batch: &'a Batch,
    /// The first message's number.
    first: u32,
    left: usize,
    failure: Option<Error>,
    interrupted: bool,
    lost: bool,
}

impl<'a> Answers<'a> {
    pub fn to(batch: &'a Batch) -> Answers<'a> {
        let left = batch.messages().filter(|(_, flags, _)| answered(*flags)).count();
        let first = word(&batch.bytes, 8).unwrap_or(0);
        Answers { batch, first, left, failure: None, interrupted: false, lost: false }
    }

    /// More are to come.
    pub fn awaited(&self) -> bool {
        self.left > 0
    }

    /// Nothing was refused or lost, so that all that is awaited does come.
    pub fn complete_so_far(&self) -> bool {
        self.failure.is_none() && !self.lost
    }

    /// The kernel had no room for an answer.
    pub fn lost(&mut self) {
        self.lost = true;
    }

    /// One datagram: how many messages it had.
    pub fn take(&mut self, mut datagram: &[u8], each: &mut impl FnMut(Message)) -> usize {
        let mut count = 0;
        while let Some(part) = split(datagram) {
            datagram = part.after;
            count += 1;
            self.message(&part, each);
        }
        count
    }

    fn message(&mut self, part: &Part<'_>, each: &mut impl FnMut(Message)) {
        let place = part.sequence.wrapping_sub(self.first) as usize;
        let Some(&(_, matters)) = self.batch.starts.get(place) else {
            return; // the late answer of an earlier request that was given up
        };
        let asked = self.batch.messages().nth(place).map_or(0, |(_, flags, _)| flags);
        // In an error message the bit is nobody's.
        self.interrupted |= is_dump(asked) && part.kind != ERROR && part.flags & DUMP_INTERRUPTED != 0;
        if part.kind != ERROR && part.kind != DONE {
            return each(Message { kind: part.kind, payload: part.payload.to_vec() });
        }
        if answered(asked) {
            self.left = self.left.saturating_sub(1);
        }
        if let Some(refused) = refusal(part).filter(|_| matters) {
            self.failure.get_or_insert(refused);
        }
    }

    /// The first refusal that matters; else whether the answer is whole.
    pub fn outcome(self) -> Result<()> {
        match self.failure {
            Some(failure) => Err(failure),
            None if self.lost => Err(Error::Lost),
            None if self.interrupted => Err(Error::Changing),
            None => Ok(()),
        }
    }
}

/// EXCL and REPLACE are the bits of DUMP, one each.
fn is_dump(flags: u16) -> bool {
    flags & DUMP == DUMP
}

fn answered(flags: u16) -> bool {
    flags & ACK != 0 || is_dump(flags)
}

/// One message of a datagram, and what follows it.
struct Part<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
    after: &'a [u8],
}

fn split(bytes: &[u8]) -> Option<Part<'_>> {
    let length = word(bytes, 0)? as usize;
    let payload = bytes.get(HEADER..length)?;
    let half = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(Part { kind: half(4), flags: half(6), sequence: word(bytes, 8)?, payload, after })
}

/// An error message's payload (or the number at the end of a dump): a negated errno, the request's header, attributes.
fn refusal(part: &Part<'_>) -> Option<Error> {
    let errno = word(part.payload, 0)?.cast_signed().checked_neg()?;
    if errno <= 0 {
        return None;
    }
    let mut text = None;
    if part.kind == ERROR && part.flags & ACK_ATTRIBUTES != 0 {
        let copied = if part.flags & CAPPED != 0 { HEADER } else { word(part.payload, 4).unwrap_or(0) as usize };
        let mut rest = part.payload.get(4 + copied.next_multiple_of(4)..).unwrap_or_default();
        while let [l0, l1, k0, k1, ..] = *rest {
            let (length, kind) = (usize::from(u16::from_ne_bytes([l0, l1])), u16::from_ne_bytes([k0, k1]));
            let Some(value) = rest.get(4..length) else { break };
            if kind == ATTRIBUTE_TEXT {
                text = Some(String::from_utf8_lossy(value).trim_end_matches('\0').to_owned());
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    Some(Error::Refused { errno, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: u16 = 18;
    const ITEM: u16 = 16;
    const MULTI: u16 = 2;

    fn batch(flags: u16) -> Batch {
        let mut one = Batch::default();
        one.push(LIST, flags, &[]);
        one.number(7);
        one
    }

    fn answer(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER + payload.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    fn heard(batch: &Batch, datagrams: &[Vec<u8>]) -> (usize, bool, Result<()>) {
        let (mut answers, mut found) = (Answers::to(batch), 0);
        for datagram in datagrams {
            answers.take(datagram, &mut |_| found += 1);
        }
        (found, answers.awaited(), answers.outcome())
    }

    #[test]
    fn a_list_that_changes_meanwhile_is_told_when_it_has_ended() {
        let list = batch(DUMP);
        let (item, done) = (|flags| answer(ITEM, flags, 7, &[0; 4]), |flags| answer(DONE, flags, 7, &[0; 4]));
        let whole = [item(MULTI), [item(MULTI), done(MULTI)].concat()];
        assert!(matches!(heard(&list, &whole), (2, false, Ok(()))));
        let changed = [item(MULTI), item(MULTI | DUMP_INTERRUPTED), done(MULTI)];
        assert!(matches!(heard(&list, &changed), (2, false, Err(Error::Changing))));
        assert!(matches!(heard(&list, &changed[..2]), (2, true, _)), "the rest is to be read first");
        assert!(matches!(heard(&list, &[done(DUMP_INTERRUPTED)]), (0, false, Err(Error::Changing))));
    }

    #[test]
    fn the_bit_means_nothing_elsewhere_and_others_answers_are_none() {
        let one = batch(ACK);
        let granted = answer(ERROR, DUMP_INTERRUPTED, 7, &[0; 20]);
        assert!(matches!(heard(&one, &[answer(ITEM, DUMP_INTERRUPTED, 7, &[]), granted]), (1, false, Ok(()))));
        assert!(matches!(heard(&one, &[answer(ITEM, 0, 6, &[]), answer(ERROR, 0, 8, &[0; 20])]), (0, true, _)));
    }

    #[test]
    fn a_refusal_is_told_before_a_loss() {
        let one = batch(ACK);
        let mut answers = Answers::to(&one);
        answers.lost();
        assert!(!answers.complete_so_far());
        assert!(matches!(Answers { failure: None, ..answers }.outcome(), Err(Error::Lost)));
        let mut answers = Answers::to(&one);
        answers.lost();
        answers.take(&answer(ERROR, 0, 7, &(-17i32).to_ne_bytes()), &mut |_| {});
        assert!(answers.outcome().unwrap_err().exists());
    }
}
