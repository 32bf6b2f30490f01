//! Who owns a half-done change: a process by pid and start time, so that a reused pid is never taken for it.

use crate::sys::process;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// A process, told apart from later ones with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub pid: u32,
    /// Start time in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub start: u64,
}

impl Owner {
    /// This process.
    pub fn this() -> Owner {
        static THIS: OnceLock<Owner> = OnceLock::new();
        *THIS.get_or_init(|| {
            let pid = std::process::id();
            Owner { pid, start: start_time(pid).unwrap_or(0) }
        })
    }

    /// Whether that very process still runs.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.start)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pid, self.start)
    }
}

impl FromStr for Owner {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        let (pid, start) = s.split_once(':').ok_or(())?;
        Ok(Owner { pid: pid.parse().map_err(|_| ())?, start: start.parse().map_err(|_| ())? })
    }
}

fn start_time(pid: u32) -> Option<u64> {
    i32::try_from(pid).ok().and_then(process::start_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_an_earlier_one_with_its_pid_is_not() {
        let this = Owner::this();
        assert!(this.start > 0 && this.is_alive());
        assert_eq!(this.to_string().parse::<Owner>(), Ok(this));
        assert!(!Owner { start: this.start - 1, ..this }.is_alive());
    }
}
