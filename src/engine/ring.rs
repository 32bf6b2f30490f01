//! An hour of a container's samples in little memory: each is kept as what changed since the one before.

use crate::model::stats::{Pressure, Sample};
use crate::model::time::Timestamp;
use std::collections::VecDeque;

/// An hour at one a second, dropped by the five minutes.
const CHUNKS: usize = 12;
const CHUNK: usize = 300;
/// Figures of a sample, in the order of [`visit`].
const FIGURES: usize = 40;

/// Whole structs would be 80 MB for fifty containers.
#[derive(Default)]
pub(crate) struct Ring {
    chunks: VecDeque<Chunk>,
    last: Figures,
}

/// Samples that can be read without those before them.
#[derive(Default)]
struct Chunk {
    count: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    /// A bit for each figure there is.
    present: u64,
    values: [u64; FIGURES],
}

impl Default for Figures {
    fn default() -> Figures {
        Figures { present: 0, values: [0; FIGURES] }
    }
}

impl Ring {
    pub fn push(&mut self, sample: &Sample) {
        if self.chunks.back().is_none_or(|chunk| chunk.count == CHUNK) {
            if let Some(full) = self.chunks.back_mut() {
                full.bytes.shrink_to_fit();
            }
            if self.chunks.len() > CHUNKS {
                self.chunks.pop_front();
            }
            self.chunks.push_back(Chunk::default());
            self.last = Figures::default();
        }
        let figures = Figures::of(sample);
        if let Some(chunk) = self.chunks.back_mut() {
            figures.put(&self.last, &mut chunk.bytes);
            chunk.count += 1;
        }
        self.last = figures;
    }

    /// All of them, oldest first.
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::with_capacity(self.chunks.iter().map(|chunk| chunk.count).sum());
        for chunk in &self.chunks {
            let (mut bytes, mut figures) = (chunk.bytes.iter(), Figures::default());
            for _ in 0..chunk.count {
                figures.take(&mut bytes);
                samples.push(figures.sample());
            }
        }
        samples
    }
}

impl Figures {
    fn of(sample: &Sample) -> Figures {
        let (mut figures, mut at) = (Figures::default(), 0);
        visit(&mut sample.clone(), &mut |figure| {
            if let Some(value) = figure {
                figures.present |= 1 << at;
                figures.values[at] = *value;
            }
            at += 1;
        });
        figures
    }

    fn sample(&self) -> Sample {
        let (mut sample, mut at) = (Sample::default(), 0);
        visit(&mut sample, &mut |figure| {
            *figure = (self.present >> at & 1 == 1).then(|| self.values[at]);
            at += 1;
        });
        sample
    }

    /// Which figures changed, then by how much.
    fn put(&self, before: &Figures, bytes: &mut Vec<u8>) {
        let differs = |at: &usize| self.values[*at] != before.values[*at];
        let mut changed = (0..FIGURES).filter(differs).fold(0, |mask, at| mask | 1 << at);
        if self.present != before.present {
            changed |= 1 << FIGURES;
        }
        put_number(changed, bytes);
        if self.present != before.present {
            put_number(self.present, bytes);
        }
        for at in (0..FIGURES).filter(differs) {
            let by = self.values[at].wrapping_sub(before.values[at]).cast_signed();
            put_number((by << 1 ^ by >> 63).cast_unsigned(), bytes);
        }
    }

    fn take(&mut self, bytes: &mut std::slice::Iter<'_, u8>) {
        let changed = take_number(bytes);
        if changed >> FIGURES & 1 == 1 {
            self.present = take_number(bytes);
        }
        for at in (0..FIGURES).filter(|at| changed >> at & 1 == 1) {
            let code = take_number(bytes);
            let by = code >> 1 ^ (code & 1).wrapping_neg();
            self.values[at] = self.values[at].wrapping_add(by);
        }
    }
}

/// Seven bits a byte, the lowest first.
fn put_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut std::slice::Iter<'_, u8>) -> u64 {
    let (mut number, mut shift) = (0, 0);
    for byte in bytes {
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// Shows every figure of a sample, to be read or set.
fn visit(s: &mut Sample, each: &mut impl FnMut(&mut Option<u64>)) {
    let mut time = Some(s.time.0.cast_unsigned());
    each(&mut time);
    s.time = Timestamp(time.unwrap_or_default().cast_signed());
    let certain =
        [&mut s.cpu_usec, &mut s.memory, &mut s.pids, &mut s.io_read, &mut s.io_write, &mut s.net_rx, &mut s.net_tx];
    for figure in certain {
        let mut value = Some(*figure);
        each(&mut value);
        *figure = value.unwrap_or_default();
    }
    let uncertain = [
        &mut s.cpu_user_usec,
        &mut s.cpu_system_usec,
        &mut s.periods,
        &mut s.throttled,
        &mut s.throttled_usec,
        &mut s.memory_limit,
        &mut s.memory_anon,
        &mut s.memory_file,
        &mut s.memory_inactive_file,
        &mut s.memory_kernel,
        &mut s.swap,
        &mut s.memory_high_events,
        &mut s.memory_max_events,
        &mut s.oom_kills,
        &mut s.pids_limit,
        &mut s.cpu_limit_millis,
        &mut s.net_rx_packets,
        &mut s.net_tx_packets,
        &mut s.net_rx_dropped,
        &mut s.net_tx_dropped,
    ];
    uncertain.into_iter().for_each(&mut *each);
    for pressure in [&mut s.psi_cpu, &mut s.psi_memory, &mut s.psi_io] {
        let mut parts = pressure.map_or([None; 4], |p| {
            [u64::from(p.some_avg10), p.some_total_usec, u64::from(p.full_avg10), p.full_total_usec].map(Some)
        });
        parts.iter_mut().for_each(&mut *each);
        let share = |value| u32::try_from(value).unwrap_or(u32::MAX);
        *pressure = match parts {
            [Some(some), Some(some_total_usec), Some(full), Some(full_total_usec)] => {
                Some(Pressure { some_avg10: share(some), some_total_usec, full_avg10: share(full), full_total_usec })
            }
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(values: &[Option<u64>]) -> Sample {
        let (mut sample, mut values) = (Sample::default(), values.iter().cycle());
        visit(&mut sample, &mut |figure| *figure = values.next().copied().flatten());
        sample
    }

    proptest! {
        #[test]
        fn what_was_pushed_comes_back(all in prop::collection::vec(prop::collection::vec(any::<Option<u64>>(), 37), 1..20)) {
            let samples: Vec<Sample> = all.iter().map(|values| sample(values)).collect();
            let mut ring = Ring::default();
            samples.iter().for_each(|sample| ring.push(sample));
            prop_assert_eq!(ring.samples(), samples);
        }
    }

    #[test]
    fn an_hour_is_kept_and_is_small() {
        let mut ring = Ring::default();
        let second = |n: u64| Sample {
            time: Timestamp(1_700_000_000_000_000_000 + i64::try_from(n).unwrap() * 1_000_123_456),
            cpu_usec: n * 7_000,
            memory: (5 << 20) + n % 9 * 4096,
            memory_limit: Some(64 << 20),
            psi_cpu: Some(Pressure { some_total_usec: n * 3, ..Pressure::default() }),
            ..Sample::default()
        };
        (0..10_000).for_each(|n| ring.push(&second(n)));
        let kept = ring.samples();
        assert!((3600..=3900).contains(&kept.len()), "{}", kept.len());
        assert_eq!((kept.last(), kept.first()), (Some(&second(9_999)), Some(&second(10_000 - kept.len() as u64))));
        assert!(ring.chunks.iter().map(|chunk| chunk.bytes.capacity()).sum::<usize>() < 128 << 10);
    }
}
