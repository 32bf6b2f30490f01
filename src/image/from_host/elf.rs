//! What an ELF file needs to run: its interpreter, its libraries, and where it says to look for them (gABI chapter 5).

use object::Endianness;
use object::elf::{DT_NEEDED, DT_NULL, DT_RPATH, DT_RUNPATH, DT_STRTAB, FileHeader32, FileHeader64, PT_LOAD};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use std::path::PathBuf;

/// Read from the program headers alone: stripped section headers do not matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Machine and word size: a library of another kind does not count.
    pub kind: (u16, u8),
    pub interpreter: Option<PathBuf>,
    pub libraries: Vec<String>,
    /// `DT_RUNPATH`, or `DT_RPATH` where there is none; `$ORIGIN` not yet replaced.
    pub search: Vec<String>,
}

/// Machine and class, from the first bytes. `None`: not an ELF file.
pub(super) fn kind(data: &[u8]) -> Option<(u16, u8)> {
    let header = data.get(..20).filter(|h| h.starts_with(b"\x7fELF"))?;
    let machine = [header[18], header[19]];
    let machine = if header[5] == 2 { u16::from_be_bytes(machine) } else { u16::from_le_bytes(machine) };
    Some((machine, header[4]))
}

/// The error says what is wrong with the file.
pub(super) fn needs(data: &[u8]) -> Result<Needs, String> {
    let kind = kind(data).ok_or("it is not an ELF file")?;
    let needs = match kind.1 {
        1 => read::<FileHeader32<Endianness>>(data),
        2 => read::<FileHeader64<Endianness>>(data),
        class => return Err(format!("unknown ELF class {class}")),
    };
    needs.map(|n| Needs { kind, ..n }).map_err(|e| e.to_string())
}

fn read<H: FileHeader<Endian = Endianness>>(data: &[u8]) -> object::read::Result<Needs> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, data)?;
    let mut needs = Needs::default();
    let mut entries: Vec<(i64, u64)> = Vec::new();
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, data)? {
            needs.interpreter = Some(String::from_utf8_lossy(path).into_owned().into());
        }
        for entry in segment.dynamic(endian, data)?.unwrap_or_default() {
            if entry.tag(endian) == DT_NULL {
                break;
            }
            entries.push((entry.tag(endian).0, entry.val(endian)));
        }
    }
    let value = |tag: i64| entries.iter().find(|(t, _)| *t == tag).map(|(_, v)| *v);
    let strings = value(DT_STRTAB.0).and_then(|address| {
        let load = segments.iter().find(|s| {
            let start: u64 = s.p_vaddr(endian).into();
            let size: u64 = s.p_filesz(endian).into();
            s.p_type(endian) == PT_LOAD && (start..start.saturating_add(size)).contains(&address)
        })?;
        let offset = address - load.p_vaddr(endian).into() + load.p_offset(endian).into();
        data.get(usize::try_from(offset).ok()?..)
    });
    let string = |offset: u64| -> Option<String> {
        let text = strings?.get(usize::try_from(offset).ok()?..)?;
        let end = text.iter().position(|b| *b == 0)?;
        Some(String::from_utf8_lossy(&text[..end]).into_owned())
    };
    let all = |tag: i64| entries.iter().filter(move |(t, _)| *t == tag).filter_map(|(_, v)| string(*v));
    needs.libraries = all(DT_NEEDED.0).collect();
    let tag = if value(DT_RUNPATH.0).is_some() { DT_RUNPATH.0 } else { DT_RPATH.0 };
    needs.search = all(tag).flat_map(|s| s.split(':').map(str::to_owned).collect::<Vec<_>>()).collect();
    Ok(needs)
}
