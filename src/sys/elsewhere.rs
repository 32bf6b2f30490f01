//! Two processes that are to work side by side. The scheduler looks for an idle processor only among many: with two it
//! mostly leaves whoever is woken behind the one that woke him, and the other processor idle.

use nix::unistd::{SysconfVar, sysconf};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The processors there are, where this process may use all of them. Elsewhere somebody has chosen, and it stays at that.
pub struct Elsewhere(Option<CpuSet>);

impl Elsewhere {
    pub fn find() -> Elsewhere {
        let own = sched_getaffinity(None).ok();
        let online = sysconf(SysconfVar::_NPROCESSORS_ONLN).ok().flatten();
        Elsewhere(own.filter(|own| own.count() > 1 && Some(i64::from(own.count())) == online))
    }

    /// Calls `wake`, by which the process `pid` goes on; on another processor than this one, if that can be had. Where it
    /// runs later is the scheduler's affair again.
    pub fn wake(&self, pid: i32, wake: impl FnOnce()) {
        let (Some(all), Some(pid)) = (&self.0, Pid::from_raw(pid)) else { return wake() };
        let mut others = *all;
        others.unset(sched_getcpu());
        let moved = sched_setaffinity(Some(pid), &others).is_ok();
        wake();
        if moved {
            // Not those of now: more may come. It fails only for a process that is gone.
            let mut any = CpuSet::new();
            (0..CpuSet::MAX_CPU).for_each(|cpu| any.set(cpu));
            let _ = sched_setaffinity(Some(pid), &any);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn may_use(pid: u32) -> String {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
    }

    #[test]
    fn who_was_woken_may_run_anywhere_afterwards() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let before = may_use(child.id());
        let elsewhere = Elsewhere::find();
        let mut woken = false;
        elsewhere.wake(child.id() as i32, || {
            // Somebody may have left this machine's tests one processor only.
            woken = elsewhere.0.is_none() || may_use(child.id()) != before;
        });
        assert!(woken);
        assert_eq!(may_use(child.id()), before);
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn a_choice_of_processors_is_left_alone() {
        let mut one = CpuSet::new();
        one.set(sched_getcpu());
        std::thread::spawn(move || {
            sched_setaffinity(None, &one).unwrap();
            assert!(Elsewhere::find().0.is_none());
        })
        .join()
        .unwrap();
    }
}
