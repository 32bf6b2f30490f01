//! What an exec of the running program itself would change, changed without one: the mount that its file lies on, and what
//! others see of its arguments and environment. An exec takes a millisecond, mostly the loader's; this a tenth of that.

use super::program::Sealed;
use super::{Error, Result};
use rustix::fs::{Mode, OFlags};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

/// What a process shows to others, and what it has to hand on.
#[derive(Debug)]
pub struct Face<'a> {
    pub args: &'a [OsString],
    pub environment: &'a [(OsString, OsString)],
}

/// This process's file lies on that mount of it afterwards (`/proc/self/exe`), and its arguments and environment are those of
/// `face`; what they were before is wiped out. Fails where the kernel lacks PR_SET_MM_MAP (prctl(2), CONFIG_CHECKPOINT_RESTORE) or
/// the caller the right (CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN in its user namespace): then only an exec helps, and nothing
/// that could be seen has changed. For a process with one thread, dumpable, that keeps no reference to an argument or a
/// variable.
pub fn go_on(sealed: Option<&Sealed>, face: Option<&Face<'_>>) -> Result<()> {
    Map::check()?;
    let mut map = Map::own()?;
    let file = sealed.map(|sealed| {
        let name = sealed.name();
        rustix::fs::open(&name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|e| Error::at("open", name, e))
    });
    let file = file.transpose()?;
    if let Some(file) = &file {
        map_from(std::os::fd::AsFd::as_fd(file))?;
        map.exe_fd = file.as_raw_fd() as u32;
    }
    let before = [map.arg_start as usize..map.arg_end as usize, map.env_start as usize..map.env_end as usize];
    let shown = face.map(Shown::new);
    if let Some(shown) = &shown {
        (map.arg_start, map.arg_end) = shown.of(&shown.args);
        (map.env_start, map.env_end) = shown.of(&shown.environment);
    }
    map.apply()?;
    if let Some(shown) = shown {
        shown.take_effect(before);
    }
    Ok(())
}

/// `struct prctl_mm_map` (linux/prctl.h): where the parts of a process's memory begin and end.
#[repr(C)]
struct Map {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    /// Left as it is.
    auxv: u64,
    auxv_size: u32,
    /// `u32::MAX`: left as it is.
    exe_fd: u32,
}

impl Map {
    /// As the kernel tells it in proc_pid_stat(5).
    fn own() -> Result<Map> {
        let path = "/proc/self/stat";
        let text = std::fs::read_to_string(path).map_err(|e| Error::at("read", path, e))?;
        let strange = || Error::at("read", path, std::io::Error::from(std::io::ErrorKind::InvalidData));
        // The name in parentheses may hold anything; what follows it is the third field.
        let fields = text.rsplit_once(") ").map(|(_, fields)| fields).ok_or_else(strange)?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).and_then(|f| f.parse().ok()).ok_or_else(strange);
        // SAFETY: an increment of 0 only asks.
        let brk = unsafe { libc::sbrk(0) } as u64;
        Ok(Map {
            start_code: field(26)?,
            end_code: field(27)?,
            start_stack: field(28)?,
            start_data: field(45)?,
            end_data: field(46)?,
            start_brk: field(47)?,
            brk,
            arg_start: field(48)?,
            arg_end: field(49)?,
            env_start: field(50)?,
            env_end: field(51)?,
            auxv: 0,
            auxv_size: 0,
            exe_fd: u32::MAX,
        })
    }

    /// Whether this kernel can be told one, asked before anything is done (no right is needed for that).
    fn check() -> Result<()> {
        let mut size: libc::c_uint = 0;
        // SAFETY: the number is valid for writes during the call.
        let result = unsafe {
            libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP_SIZE, std::ptr::from_mut(&mut size), 0_usize, 0_usize)
        };
        super::check("prctl PR_SET_MM_MAP_SIZE", result)?;
        let known = size as usize == size_of::<Map>();
        if known { Ok(()) } else { Err(Error::new("prctl PR_SET_MM_MAP_SIZE", rustix::io::Errno::OPNOTSUPP)) }
    }

    fn apply(&self) -> Result<()> {
        // SAFETY: the structure is valid for reads of its size during the call. The kernel checks the addresses, which it uses for
        // nothing but what it shows in /proc, and the break, which is what it was.
        let result = unsafe {
            libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP, std::ptr::from_ref(self), size_of::<Map>(), 0_usize)
        };
        super::check("prctl PR_SET_MM_MAP", result)
    }
}

/// Arguments, then variables, each with a NUL at its end: kept for ever, since others read them from this memory.
struct Shown {
    text: &'static [u8],
    args: Range<usize>,
    environment: Range<usize>,
    /// Where each variable begins.
    variables: Vec<usize>,
}

impl Shown {
    fn new(face: &Face<'_>) -> Shown {
        let mut text = Vec::new();
        let mut add = |parts: &[&OsStr]| {
            let start = text.len();
            parts.iter().for_each(|part| text.extend(part.as_bytes()));
            text.push(0);
            start
        };
        for arg in face.args {
            add(&[arg]);
        }
        let equals = OsStr::new("=");
        let variables: Vec<_> = face.environment.iter().map(|(name, value)| add(&[name, equals, value])).collect();
        let text: &'static [u8] = text.leak();
        let args = 0..variables.first().copied().unwrap_or(text.len());
        Shown { text, environment: args.end..text.len(), args, variables }
    }

    /// Addresses.
    fn of(&self, range: &Range<usize>) -> (u64, u64) {
        let start = self.text.as_ptr() as u64;
        (start + range.start as u64, start + range.end as u64)
    }

    /// The variables are the process's own from here on, and the memory `before` holds nothing any more.
    fn take_effect(self, before: [Range<usize>; 2]) {
        unsafe extern "C" {
            static mut environ: *const *const libc::c_char;
        }
        let start = self.text.as_ptr().cast::<libc::c_char>();
        let pointers = self.variables.iter().map(|at| start.wrapping_add(*at)).chain([std::ptr::null()]);
        let pointers: &'static [_] = pointers.collect::<Vec<_>>().leak();
        // SAFETY: one thread (the caller's promise), so nobody reads it meanwhile; list and strings are as environ(7) says, and
        // are never freed.
        unsafe { environ = pointers.as_ptr() };
        for range in before {
            // SAFETY: the part of the stack where the kernel put the strings, above all frames and writable. Nothing refers to
            // it any more: `environ` was the last, but for the arguments, which nobody reads (the caller's promise).
            unsafe { std::ptr::write_bytes(range.start as *mut u8, 0, range.len()) };
        }
    }
}

/// One part of the program file in memory, in whole pages.
#[derive(Clone, Copy, Default)]
struct Segment {
    start: usize,
    length: usize,
    offset: i64,
    /// `PF_*` of elf(5).
    flags: u32,
}

/// The program's parts, and which of its data is read-only after relocation.
#[derive(Default)]
struct Image {
    segments: Vec<Segment>,
    relro: Option<Range<usize>>,
}

impl Image {
    fn own() -> Image {
        unsafe extern "C" fn first(info: *mut libc::dl_phdr_info, _: libc::size_t, image: *mut libc::c_void) -> i32 {
            // SAFETY: the loader's, valid during the call; it begins with the program itself.
            let info = unsafe { &*info };
            // SAFETY: pointer and count are of the program's own headers, which are mapped.
            let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
            // SAFETY: what was handed to dl_iterate_phdr below.
            let image = unsafe { &mut *image.cast::<Image>() };
            headers.iter().for_each(|header| image.add(info.dlpi_addr as usize, header));
            1
        }
        let mut image = Image::default();
        // SAFETY: the callback takes exactly this pointer, during the call only.
        unsafe { libc::dl_iterate_phdr(Some(first), std::ptr::from_mut(&mut image).cast()) };
        image
    }

    fn add(&mut self, base: usize, header: &libc::Elf64_Phdr) {
        let page = page_size();
        let start = base + header.p_vaddr as usize;
        match header.p_type {
            libc::PT_LOAD if header.p_filesz > 0 => {
                let below = start % page;
                self.segments.push(Segment {
                    start: start - below,
                    length: (below + header.p_filesz as usize).next_multiple_of(page),
                    offset: header.p_offset as i64 - below as i64,
                    flags: header.p_flags,
                });
            }
            libc::PT_GNU_RELRO => {
                // As the loader does it: the page in which it ends may hold other data.
                let end = start + header.p_memsz as usize;
                self.relro = Some(start - start % page..end - end % page);
            }
            _ => {}
        }
    }
}

fn page_size() -> usize {
    rustix::param::page_size()
}

/// Maps the program anew from a file with the same content, part by part: what was written in memory stays as it is.
fn map_from(file: BorrowedFd<'_>) -> Result<()> {
    let image = Image::own();
    if let Some(first) = image.segments.first() {
        first.compare(file)?;
    }
    for segment in &image.segments {
        if segment.flags & libc::PF_W == 0 {
            segment.replace(file)?;
        } else {
            segment.replace_written(file)?;
        }
    }
    if let Some(relro) = image.relro.filter(|relro| !relro.is_empty()) {
        // SAFETY: the same range the loader protected.
        let result = unsafe { libc::mprotect(relro.start as *mut _, relro.len(), libc::PROT_READ) };
        super::check("mprotect", result)?;
    }
    Ok(())
}

impl Segment {
    fn protection(self) -> i32 {
        let of = |flag, protection| if self.flags & flag != 0 { protection } else { 0 };
        of(libc::PF_R, libc::PROT_READ) | of(libc::PF_W, libc::PROT_WRITE) | of(libc::PF_X, libc::PROT_EXEC)
    }

    /// What runs may be another file than the one that was executed: a loader that was told the program as an argument.
    fn compare(self, file: BorrowedFd<'_>) -> Result<()> {
        let mut page = vec![0; page_size().min(self.length)];
        rustix::io::pread(file, &mut page, self.offset as u64).map_err(|e| Error::new("pread", e))?;
        // SAFETY: the segment is mapped, readable (the file's and the program's headers are in it) and at least that long.
        let mapped = unsafe { std::slice::from_raw_parts(self.start as *const u8, page.len()) };
        if mapped == page { Ok(()) } else { Err(Error::new("mmap", rustix::io::Errno::STALE)) }
    }

    /// Maps this part of `file` to an address, or where there is room.
    fn map(self, file: BorrowedFd<'_>, place: Option<usize>) -> Result<usize> {
        let flags = libc::MAP_PRIVATE | if place.is_some() { libc::MAP_FIXED } else { 0 };
        let address = place.unwrap_or(0) as *mut libc::c_void;
        // SAFETY: a place is given by `replace` alone, see there; without one nothing existing is touched.
        let mapped =
            unsafe { libc::mmap(address, self.length, self.protection(), flags, file.as_raw_fd(), self.offset) };
        if mapped == libc::MAP_FAILED {
            Err(Error::new("mmap", std::io::Error::last_os_error()))
        } else {
            Ok(mapped as usize)
        }
    }

    /// Code and constants: the same bytes before and after, also for the instructions that do it.
    fn replace(self, file: BorrowedFd<'_>) -> Result<()> {
        self.map(file, Some(self.start)).map(drop)
    }

    /// Data: its own pages, those that were written to, move along.
    fn replace_written(self, file: BorrowedFd<'_>) -> Result<()> {
        let page = page_size();
        let written = self.written()?;
        let fresh = self.map(file, None)?;
        // The list is given back after that, since an allocator may be among what is moved.
        for at in &written {
            // SAFETY: both ranges are mapped, of this length, and apart; the first is readable, the second writable.
            unsafe { std::ptr::copy_nonoverlapping((self.start + at) as *const u8, (fresh + at) as *mut u8, page) };
        }
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: the new pages hold what the old ones do, in the old ones' place, and there is one thread: between the copy and
        // this nobody writes a static.
        let moved =
            unsafe { libc::mremap(fresh as *mut _, self.length, self.length, flags, self.start as *mut libc::c_void) };
        if moved == libc::MAP_FAILED { Err(Error::new("mremap", std::io::Error::last_os_error())) } else { Ok(()) }
    }

    /// Offsets of the pages that are no longer the file's, by /proc/self/pagemap (proc_pid_pagemap(5)).
    fn written(self) -> Result<Vec<usize>> {
        const PRESENT: u64 = 1 << 63;
        const SWAPPED: u64 = 1 << 62;
        const OF_FILE: u64 = 1 << 61;
        let path = "/proc/self/pagemap";
        let failed = |e| Error::at("read", path, e);
        let page = page_size();
        let mut entries = vec![0; self.length / page * 8];
        let at = (self.start / page * 8) as u64;
        File::open(path).and_then(|map| map.read_exact_at(&mut entries, at)).map_err(failed)?;
        let entries = entries.as_chunks().0.iter().map(|entry| u64::from_ne_bytes(*entry));
        let own = |entry: u64| entry & SWAPPED != 0 || entry & (PRESENT | OF_FILE) == PRESENT;
        Ok(entries.enumerate().filter(|(_, entry)| own(*entry)).map(|(number, _)| number * page).collect())
    }
}
