//! How the program begins. Rust's own way reads the whole memory map of the process, to tell people when its stack is used up:
//! of a quick exec that is a noticeable part.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// As Rust gives it.
const PANICKED: i32 = 101;

/// Makes `fn() -> u8` the program's beginning, whose result is its exit code; in a file with
/// `#![cfg_attr(all(target_env = "gnu", not(test)), no_main)]`: elsewhere only Rust's own beginning knows the arguments, and tests
/// have one of their own.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[cfg(all(target_env = "gnu", not(test)))]
        #[unsafe(no_mangle)]
        extern "C" fn main() -> i32 {
            $crate::sys::start::run($main)
        }

        #[cfg(not(all(target_env = "gnu", not(test))))]
        fn main() -> std::process::ExitCode {
            $main().into()
        }
    };
}

/// Does what Rust's own beginning does but for the stack: what is opened never gets the number of a standard stream that was
/// closed, a reader that went away is an error and no signal, and what was printed is written.
pub fn run(main: fn() -> u8) -> i32 {
    open_standard_streams();
    // SAFETY: SIG_IGN installs no handler, and the number is a valid one.
    let _ = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let code = catch_unwind(AssertUnwindSafe(main)).map_or(PANICKED, i32::from);
    let _ = std::io::stdout().flush();
    code
}

/// The lowest free number is the one that is given next, so these come in their order.
fn open_standard_streams() {
    for number in 0..3 {
        // SAFETY: no memory is passed; the number may be anybody's.
        let closed = unsafe { libc::fcntl(number, libc::F_GETFD) } == -1;
        if closed {
            // SAFETY: the name is NUL-terminated. It stays open and is inherited, as the stream would be.
            let _ = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        }
    }
}
