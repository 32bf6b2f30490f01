//! Health checks: a command that says now and then whether a container does its work, and what it has said.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// As images and users give it, in docker's words; times are in nanoseconds, and 0 stands for what is usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthCheck {
    /// `CMD` and its arguments, `CMD-SHELL` and a line for the shell, `NONE`, or nothing: the image's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// At most so many results are kept, each with at most so many bytes of output.
pub const RESULTS: usize = 5;
pub const OUTPUT: usize = 4096;

impl HealthCheck {
    /// `--no-healthcheck`.
    pub fn none() -> HealthCheck {
        HealthCheck { test: vec!["NONE".into()], ..HealthCheck::default() }
    }

    /// What it does not say is as `image` has it.
    pub fn or(self, image: HealthCheck) -> HealthCheck {
        let pick = |own: i64, other: i64| if own == 0 { other } else { own };
        HealthCheck {
            test: if self.test.is_empty() { image.test } else { self.test },
            interval: pick(self.interval, image.interval),
            timeout: pick(self.timeout, image.timeout),
            start_period: pick(self.start_period, image.start_period),
            start_interval: pick(self.start_interval, image.start_interval),
            retries: pick(self.retries, image.retries),
        }
    }

    /// How it is carried out; `None`: not at all. `shell` is the image's; empty: `/bin/sh -c`.
    pub fn plan(&self, shell: &[String]) -> Option<HealthPlan> {
        let (kind, words) = self.test.split_first()?;
        let args = match kind.as_str() {
            "CMD" => words.to_vec(),
            "CMD-SHELL" if shell.is_empty() => [&["/bin/sh".to_owned(), "-c".to_owned()], words].concat(),
            "CMD-SHELL" => [shell, words].concat(),
            _ => return None,
        };
        let time = |nanos: i64, usual: u64| match u64::try_from(nanos) {
            Ok(nanos) if nanos > 0 => Duration::from_nanos(nanos),
            _ => Duration::from_secs(usual),
        };
        let plan = HealthPlan {
            args,
            interval: time(self.interval, 30),
            timeout: time(self.timeout, 30),
            start_period: time(self.start_period, 0),
            start_interval: time(self.start_interval, 5),
            retries: u32::try_from(self.retries).ok().filter(|n| *n > 0).unwrap_or(3),
        };
        (!words.is_empty()).then_some(plan)
    }
}

/// A check with nothing left open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthPlan {
    pub args: Vec<String>,
    /// From the start, and from the end of one probe, to the next.
    pub interval: Duration,
    pub timeout: Duration,
    /// In this time after the start failures do not count, unless a probe has succeeded before.
    pub start_period: Duration,
    /// Instead of `interval` in that time.
    pub start_interval: Duration,
    /// So many failures in a row make it unhealthy.
    pub retries: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthStatus {
    #[default]
    Starting,
    Healthy,
    Unhealthy,
}

impl HealthStatus {
    pub fn word(self) -> &'static str {
        match self {
            HealthStatus::Starting => "starting",
            HealthStatus::Healthy => "healthy",
            HealthStatus::Unhealthy => "unhealthy",
        }
    }
}

/// What the probes have said since the container's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub status: HealthStatus,
    pub failing_streak: u32,
    /// Oldest first, at most [`RESULTS`].
    pub log: Vec<ProbeResult>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    pub start: Timestamp,
    pub end: Timestamp,
    /// -1: it could not be started, or had no more time.
    pub exit_code: i32,
    pub output: String,
}

impl Health {
    /// Takes a result in. `lenient`: the probe began in the start period.
    pub fn take(&mut self, result: ProbeResult, plan: &HealthPlan, lenient: bool) {
        if result.exit_code == 0 {
            (self.status, self.failing_streak) = (HealthStatus::Healthy, 0);
        } else if !(lenient && self.status == HealthStatus::Starting) {
            self.failing_streak += 1;
            if self.failing_streak >= plan.retries {
                self.status = HealthStatus::Unhealthy;
            }
        }
        self.log.push(result);
        let extra = self.log.len().saturating_sub(RESULTS);
        self.log.drain(..extra);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_user_s_part_of_a_check_completes_the_image_s() {
        let image: HealthCheck =
            serde_json::from_str(r#"{"Test": ["CMD-SHELL", "true"], "Interval": 5000000000, "Retries": 2}"#).unwrap();
        let own = HealthCheck { interval: 1_000_000_000, ..HealthCheck::default() };
        let plan = own.or(image.clone()).plan(&[]).unwrap();
        assert_eq!(plan.args, words("/bin/sh -c true"));
        assert_eq!((plan.interval.as_secs(), plan.timeout.as_secs(), plan.retries), (1, 30, 2));
        assert_eq!(HealthCheck::none().or(image.clone()).plan(&[]), None);
        assert_eq!(image.plan(&words("bash -ec")).unwrap().args, words("bash -ec true"));
        for nothing in ["CMD", "NONE", "", "WHAT is this"] {
            let check = HealthCheck { test: words(nothing), ..HealthCheck::default() };
            assert_eq!(check.plan(&[]), None, "{nothing}");
        }
    }

    #[test]
    fn failures_count_in_a_row_and_not_while_it_starts() {
        let check = HealthCheck { test: words("CMD x"), retries: 2, ..HealthCheck::default() };
        let plan = check.plan(&[]).unwrap();
        let mut health = Health::default();
        let mut take = |exit_code, lenient| {
            let at = Timestamp::default();
            health.take(ProbeResult { start: at, end: at, exit_code, output: String::new() }, &plan, lenient);
            (health.status.word(), health.failing_streak)
        };
        assert_eq!(take(1, true), ("starting", 0));
        assert_eq!(take(1, false), ("starting", 1));
        assert_eq!(take(0, true), ("healthy", 0));
        assert_eq!(take(1, true), ("healthy", 1), "it was up already: that counts");
        assert_eq!(take(-1, false), ("unhealthy", 2));
        assert_eq!(take(0, false), ("healthy", 0));
        assert_eq!(health.log.len(), RESULTS);
    }
}
