//! One process of a container.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// As the host numbers it.
    pub pid: i32,
    pub parent: i32,
    /// As the container numbers it.
    pub inside: i32,
    /// The container's uid.
    pub uid: u32,
    /// What the container's passwd file calls that uid; else its digits.
    pub user: String,
    /// proc_pid_stat(5): `S`, `R`, `D`, `Z`, ...
    pub state: char,
    /// User and system time, microseconds; the kernel counts it in hundredths of a second.
    pub cpu_usec: u64,
    /// When it was started, in hundredths of a second since boot: with the pid it names a process for ever.
    pub started: u64,
    /// Resident memory, bytes.
    pub memory: u64,
    /// The command line, or the name in brackets where there is none. Without control characters.
    pub command: String,
}
