//! How long to wait and how often to try again.

use std::time::Duration;

/// Times and counts of one client. Tests shorten them.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Attempts of one request, or of a blob without a byte of progress.
    pub attempts: u32,
    /// The first wait; each further one is twice as long, with jitter.
    pub first_wait: Duration,
    /// No wait is longer, except one a registry asks for.
    pub longest_wait: Duration,
    /// A longer `Retry-After` is cut to this.
    pub longest_asked: Duration,
    /// A connection that says nothing for this long is given up.
    pub silence: Duration,
    pub connect: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            attempts: 6,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(15),
            longest_asked: Duration::from_secs(60),
            silence: Duration::from_secs(25),
            connect: Duration::from_secs(15),
        }
    }
}

impl Patience {
    /// How long to wait before attempt `next` (2 is the first repetition), or `None` when it is enough.
    /// `asked`: what the registry's Retry-After says.
    pub fn wait(&self, next: u32, asked: Option<Duration>) -> Option<Duration> {
        if next > self.attempts {
            return None;
        }
        if let Some(asked) = asked {
            return Some(asked.min(self.longest_asked));
        }
        let doubled = self.first_wait.saturating_mul(1 << next.saturating_sub(2).min(16)).min(self.longest_wait);
        // Between half and all of it, so that many clients do not come back in step.
        let part: f64 = rand::random_range(0.5..1.0);
        Some(doubled.mul_f64(part))
    }
}

/// `Retry-After` as seconds or as an HTTP date (RFC 9110, 10.2.3), seen at `now` seconds since the epoch.
pub fn retry_after(value: &str, now: i64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Duration::from_secs(u64::try_from(date.timestamp().as_second() - now).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let patience = Patience::default();
        let second = patience.wait(2, None).unwrap();
        assert!(second <= patience.first_wait && second >= patience.first_wait / 2);
        assert!(patience.wait(6, None).unwrap() > second);
        assert_eq!(patience.wait(7, None), None);
        assert_eq!(patience.wait(2, Some(Duration::from_secs(3))), Some(Duration::from_secs(3)));
        assert_eq!(patience.wait(2, Some(Duration::from_secs(86_400))), Some(patience.longest_asked));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 7 ", 0), Some(Duration::from_secs(7)));
        let date = "Thu, 01 Jan 1970 00:01:40 GMT";
        assert_eq!(retry_after(date, 40), Some(Duration::from_secs(60)));
        assert_eq!(retry_after(date, 4000), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", 0), None);
    }
}
