//! Samples as values on a time axis: one value a plot column, and none where nothing was sampled.

use crate::model::stats::{Rates, Sample};
use crate::model::time::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;

/// Samples further apart have a gap between them; the sampler takes one a second.
const LONGEST_STEP: i64 = 3_500_000_000;

/// One moment: the sample, and its rates if the one before is near enough.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub sample: Arc<Sample>,
    pub rates: Option<Rates>,
}

impl Moment {
    pub fn after(earlier: Option<&Moment>, sample: Arc<Sample>) -> Self {
        let near = earlier.filter(|e| {
            let step = sample.time.0.saturating_sub(e.sample.time.0);
            // A smaller counter means another cgroup: the container was started again.
            (1..=LONGEST_STEP).contains(&step) && sample.cpu_usec >= e.sample.cpu_usec
        });
        let rates = near.map(|e| sample.rates_since(&e.sample));
        Self { sample, rates }
    }
}

/// What can be plotted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    Cpu,
    Throttled,
    Memory,
    MemoryAnon,
    Pids,
    NetIn,
    NetOut,
    DiskRead,
    DiskWrite,
    /// The worst of cpu, memory and io pressure, percent over 10 s.
    Pressure,
}

impl Metric {
    pub fn of(self, moment: &Moment) -> Option<f64> {
        let (sample, rates) = (&*moment.sample, moment.rates.as_ref());
        match self {
            Metric::Cpu => rates.map(|r| r.cpu_percent),
            Metric::Throttled => sample.periods.and(rates).map(|r| r.throttled_percent),
            Metric::Memory => Some(sample.memory as f64),
            Metric::MemoryAnon => sample.memory_anon.map(|bytes| bytes as f64),
            Metric::Pids => Some(sample.pids as f64),
            Metric::NetIn => rates.map(|r| r.net_rx),
            Metric::NetOut => rates.map(|r| r.net_tx),
            Metric::DiskRead => rates.map(|r| r.io_read),
            Metric::DiskWrite => rates.map(|r| r.io_write),
            Metric::Pressure => pressure(sample),
        }
    }
}

/// The worst pressure, in percent; `None` where the kernel has none.
pub(super) fn pressure(sample: &Sample) -> Option<f64> {
    let all = [sample.psi_cpu, sample.psi_memory, sample.psi_io];
    all.into_iter().flatten().map(|p| f64::from(p.some_avg10) / 100.0).reduce(f64::max)
}

/// A stretch of time cut into columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// The right edge.
    pub end: Timestamp,
    pub seconds: u32,
    pub columns: usize,
}

impl Axis {
    fn edge(&self, column: usize) -> i64 {
        let span = i64::from(self.seconds) * 1_000_000_000;
        let columns = self.columns.max(1) as i64;
        self.end.0.saturating_sub(span).saturating_add(span / columns * column as i64)
    }

    /// The column of a time, if it is on the axis.
    pub fn column_of(&self, time: Timestamp) -> Option<usize> {
        (0..self.columns)
            .find(|c| self.edge(*c) < time.0 && time.0 <= self.edge(*c + 1).max(self.edge(*c) + 1))
            .or_else(|| {
                let last = self.columns.checked_sub(1)?;
                (time == self.end).then_some(last)
            })
    }

    /// One value a column: the largest of the column's moments, so that no peak is lost. Where columns are finer than
    /// samples the value stands until the next one.
    pub fn values(&self, moments: &VecDeque<Moment>, metric: Metric) -> Vec<Option<f64>> {
        let mut at = moments.partition_point(|m| m.sample.time.0 <= self.edge(0));
        let mut last = at.checked_sub(1).and_then(|i| moments.get(i));
        (0..self.columns)
            .map(|column| {
                let edge = if column + 1 == self.columns { self.end.0 } else { self.edge(column + 1) };
                let mut peak: Option<f64> = None;
                while let Some(moment) = moments.get(at).filter(|m| m.sample.time.0 <= edge) {
                    last = Some(moment);
                    if let Some(value) = metric.of(moment) {
                        peak = Some(peak.map_or(value, |p| p.max(value)));
                    }
                    at += 1;
                }
                let standing = last.filter(|m| edge.saturating_sub(m.sample.time.0) < LONGEST_STEP / 2);
                peak.or_else(|| standing.and_then(|m| metric.of(m)))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(seconds: &[i64]) -> VecDeque<Moment> {
        let mut all: VecDeque<Moment> = VecDeque::new();
        for s in seconds {
            let sample =
                Sample { time: Timestamp(s * 1_000_000_000), cpu_usec: (*s as u64) * 500_000, ..Sample::default() };
            let moment = Moment::after(all.back(), Arc::new(sample));
            all.push_back(moment);
        }
        all
    }

    #[test]
    fn gaps_stay_gaps() {
        // A value stands for a little longer than a sampling period, so that jitter tears no holes.
        let all = moments(&[1, 2, 3, 8, 9, 10]);
        let axis = Axis { end: Timestamp(10_000_000_000), seconds: 10, columns: 10 };
        let drawn: Vec<bool> = axis.values(&all, Metric::Cpu).iter().map(Option::is_some).collect();
        assert_eq!(drawn, [false, true, true, true, false, false, false, false, true, true]);
        assert_eq!(axis.values(&all, Metric::Cpu)[1], Some(50.0));
        assert_eq!(axis.column_of(Timestamp(2_000_000_000)), Some(1));
        assert_eq!(axis.column_of(Timestamp(10_000_000_000)), Some(9));
        assert_eq!(axis.column_of(Timestamp(11_000_000_000)), None);
    }

    #[test]
    fn fine_columns_repeat_a_value() {
        let axis = Axis { end: Timestamp(3_000_000_000), seconds: 3, columns: 6 };
        let values = axis.values(&moments(&[1, 2, 3]), Metric::Pids);
        assert!(values[1..].iter().all(Option::is_some));
    }
}
