//! Mounts below another one, found in `/proc/self/mountinfo`.

use super::mount::{self, Change, Propagation};
use super::{Error, Result};
use rustix::fs::{Mode, OFlags};
use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// A line of mountinfo: proc_pid_mountinfo(5).
struct Line {
    id: u64,
    parent: u64,
    place: PathBuf,
    kind: String,
}

fn lines() -> Result<Vec<Line>> {
    let file = "/proc/self/mountinfo";
    let text = std::fs::read(file).map_err(|e| Error::at("read", file, e))?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(line).collect())
}

fn line(text: &[u8]) -> Option<Line> {
    let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
    let number = |at: usize| std::str::from_utf8(words.get(at)?).ok()?.parse().ok();
    let dash = words.iter().position(|word| *word == b"-")?;
    let kind = String::from_utf8_lossy(words.get(dash + 1)?).into_owned();
    Some(Line { id: number(0)?, parent: number(1)?, place: unescape(words.get(4)?), kind })
}

/// Blanks, tabs, newlines and backslashes are three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, more)) = rest.split_first() {
        let octal = more.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &more[3..];
            }
            None => {
                out.push(*first);
                rest = more;
            }
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

/// File system type and place of every mount, parents first.
pub(super) fn mounts() -> Result<Vec<(String, PathBuf)>> {
    Ok(lines()?.into_iter().map(|line| (line.kind, line.place)).collect())
}

/// Makes every mount below the one behind `mount` private, and leaves that one as it is.
pub(super) fn make_private(mount: BorrowedFd<'_>) -> Result<()> {
    let all = lines()?;
    let mut parents = vec![id_of(mount)?];
    let mut below = Vec::new();
    while let Some(parent) = parents.pop() {
        for line in all.iter().filter(|line| line.parent == parent && line.id != parent) {
            parents.push(line.id);
            below.push(line);
        }
    }
    for line in below {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&line.place, flags, Mode::empty()).map_err(|e| Error::at("open", &line.place, e))?;
        // One that is mounted over cannot be reached, by nobody.
        if id_of(std::os::fd::AsFd::as_fd(&fd))? == line.id {
            let private = Change { propagation: Some(Propagation::Private), ..Change::default() };
            mount::change(std::os::fd::AsFd::as_fd(&fd), private)
                .map_err(|e| Error::at(e.call, &line.place, e.source))?;
        }
    }
    Ok(())
}

/// Whether the mount with that number is at that place.
pub(super) fn is_mounted_at(number: u64, place: &std::path::Path) -> Result<bool> {
    Ok(lines()?.iter().any(|line| line.id == number && line.place == place))
}

pub(super) fn id_of(fd: BorrowedFd<'_>) -> Result<u64> {
    let file = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
    let text = std::fs::read_to_string(&file).map_err(|e| Error::at("read", &file, e))?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    id.ok_or_else(|| Error::at("read", &file, rustix::io::Errno::INVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_strange_names() {
        let found = line(b"36 35 98:0 /m /a\\040b\\134 rw - ext3 /dev/root rw").unwrap();
        assert_eq!((found.id, found.parent, found.kind.as_str()), (36, 35, "ext3"));
        assert_eq!(found.place, PathBuf::from("/a b\\"));
        assert!(line(b"").is_none() && line(b"1 2 3").is_none());
    }
}
