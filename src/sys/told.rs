//! A number that a process and its clone share, written by the kernel.

use super::{Error, Result};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, Ordering};

/// Where clone3(2) with CLONE_PARENT_SETTID writes the number of the new process before that runs: who shares this memory knows
/// of it even if the one that cloned is killed at once. 0: nobody was cloned.
#[derive(Debug)]
pub struct Told(NonNull<AtomicI32>);

// SAFETY: all access is atomic, and the mapping lives as long as this.
unsafe impl Send for Told {}

impl Told {
    /// To be made before the fork of whoever is going to clone.
    pub fn new() -> Result<Told> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, which touches nothing that exists.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<AtomicI32>(), protection, flags, -1, 0) };
        match NonNull::new(page.cast::<AtomicI32>()) {
            Some(number) if page != libc::MAP_FAILED => Ok(Told(number)),
            _ => Err(Error::new("mmap", std::io::Error::last_os_error())),
        }
    }

    pub fn number(&self) -> i32 {
        // SAFETY: mapped and aligned to a page, zero or what the kernel wrote.
        unsafe { self.0.as_ref() }.load(Ordering::Acquire)
    }

    pub(super) fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // SAFETY: the mapping made by `new`, to which nobody keeps a reference.
        let _ = unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<AtomicI32>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{clone, process};

    #[test]
    fn a_clone_is_known_though_its_maker_says_nothing() {
        let told = Told::new().unwrap();
        assert_eq!(told.number(), 0);
        let Some(maker) = clone::fork().unwrap() else {
            let side = clone::clone3_sibling_told(0, &told);
            process::exit_now(if matches!(side, Ok(clone::Side::Child)) { 3 } else { 4 })
        };
        assert_eq!(process::wait_pid(maker).unwrap(), process::Ended::Code(4));
        assert_eq!(process::wait_pid(told.number()).unwrap(), process::Ended::Code(3));
    }
}
