//! Two processes that are to work side by side. The scheduler looks for an idle processor only among many: with two it
//! mostly leaves whoever is woken behind the one that woke him, and the other processor idle.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::os::unix::thread::JoinHandleExt;
use std::sync::OnceLock;
use std::thread::JoinHandle;

/// What [`Elsewhere::keep`] was told.
static KEPT: OnceLock<Elsewhere> = OnceLock::new();

/// The processors there are, where this process may use all that the first one may. Elsewhere somebody has chosen, and it
/// stays at that.
#[derive(Clone)]
pub struct Elsewhere(Option<CpuSet>);

impl Elsewhere {
    pub fn find() -> Elsewhere {
        if let Some(kept) = KEPT.get() {
            return kept.clone();
        }
        let own = sched_getaffinity(None).ok();
        let first = sched_getaffinity(Some(Pid::INIT)).ok();
        Elsewhere(own.filter(|own| own.count() > 1 && Some(own) == first.as_ref()))
    }

    /// This is what will be found from here on: in a fork, which its parent is moving at this moment, what the parent found.
    pub fn keep(self) {
        let _ = KEPT.set(self);
    }

    /// Runs `work` on a thread of its own; it begins on another processor than this one, if that can be had.
    pub fn spawn(work: impl FnOnce() + Send + 'static) {
        let Elsewhere(all) = Elsewhere::find();
        let (placed, wait) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            let _ = wait.recv();
            // What it starts in its turn may run anywhere.
            if all.is_some() {
                let _ = sched_setaffinity(None, &anywhere());
            }
            work();
        });
        if let Some(mut others) = all {
            others.unset(sched_getcpu());
            place(&thread, &others);
        }
        let _ = placed.send(());
        if all.is_none() {
            std::thread::yield_now();
        }
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
            // It fails only for a process that is gone.
            let _ = sched_setaffinity(Some(pid), &anywhere());
        }
    }
}

/// Not the processors of now: more may come.
fn anywhere() -> CpuSet {
    let mut any = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|cpu| any.set(cpu));
    any
}

/// The thread may run on these processors only.
fn place<T>(thread: &JoinHandle<T>, processors: &CpuSet) {
    // SAFETY: all-zero bytes are a valid, empty cpu_set_t.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| processors.is_set(*cpu)) {
        // SAFETY: the number is below the set's size.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: the handle keeps the thread's id good, and the set is valid for reads. It fails where the processor has gone.
    let _ = unsafe { libc::pthread_setaffinity_np(thread.as_pthread_t(), size_of_val(&set), &raw const set) };
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
    fn what_a_thread_elsewhere_starts_may_run_anywhere() {
        let before = may_use(std::process::id());
        let (tell, told) = std::sync::mpsc::channel();
        Elsewhere::spawn(move || {
            let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            tell.send(may_use(child.id())).unwrap();
            drop(child.stdin.take());
            assert!(child.wait().unwrap().success());
        });
        assert_eq!(told.recv().unwrap(), before);
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
