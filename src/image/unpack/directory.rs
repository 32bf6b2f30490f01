//! Makes directories, also in the place of a whiteout, and marks them opaque.

use super::Options;
use super::place::is_whiteout;
use crate::image::{Error, Result};
use crate::sys;
use crate::sys::files::{self, Kind};
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

const EEXIST: i32 = 17;

/// What became of a directory's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    New,
    /// New in the place of a whiteout of this layer.
    Anew,
    There,
    /// Something else has the name.
    Taken,
}

/// Over a whiteout of this layer the new directory is opaque, since the lower one stays hidden.
pub(super) fn make_directory(dir: BorrowedFd<'_>, name: &OsStr, options: Options) -> Result<Made> {
    let fail = |e| Error::unpacking(name.as_bytes(), e);
    match files::mkdir_at(dir, name, 0o755) {
        Ok(()) => return Ok(Made::New),
        Err(e) if e.errno() == EEXIST => {}
        Err(e) => return Err(fail(e)),
    }
    let Some(meta) = files::stat_at(dir, name).map_err(fail)? else { return Ok(Made::Taken) };
    if is_whiteout(&meta) {
        files::unlink_at(dir, name).map_err(fail)?;
        files::mkdir_at(dir, name, 0o755).map_err(fail)?;
        mark_opaque(dir, name, options).map_err(fail)?;
        return Ok(Made::Anew);
    }
    Ok(if meta.kind == Kind::Directory { Made::There } else { Made::Taken })
}

pub(super) fn mark_opaque(dir: BorrowedFd<'_>, name: &OsStr, options: Options) -> sys::Result<()> {
    files::set_xattr_at(dir, name, OsStr::new(opaque_attribute(options)), b"y")
}

/// Which attribute overlay reads depends on whether it is mounted with `userxattr`.
pub(super) fn opaque_attribute(options: Options) -> &'static str {
    if options.user_namespace { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
}
