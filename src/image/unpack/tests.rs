//! Archives good and bad, unpacked for real. As root in the initial namespace these also check owners and devices.

use super::*;
use crate::sys::files;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// An archive under construction, with raw names (the builder would refuse hostile ones).
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Tar {
        Tar(Builder::new(Vec::new()))
    }

    fn header(kind: u8, name: &[u8], mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        header.set_entry_type(EntryType::new(kind));
        header.set_mode(mode);
        header.set_uid(rustix_uid());
        header.set_gid(rustix_gid());
        header.set_mtime(1_000_000);
        header.set_size(size);
        header
    }

    fn push(mut self, mut header: Header, data: &[u8]) -> Tar {
        header.set_cksum();
        self.0.append(&header, data).unwrap();
        self
    }

    fn file(self, name: &str, data: &[u8]) -> Tar {
        self.push(Tar::header(b'0', name.as_bytes(), 0o644, data.len() as u64), data)
    }

    fn dir(self, name: &str, mode: u32) -> Tar {
        self.push(Tar::header(b'5', name.as_bytes(), mode, 0), &[])
    }

    fn link(self, kind: u8, name: &str, target: &str) -> Tar {
        let mut header = Tar::header(kind, name.as_bytes(), 0o777, 0);
        header.set_link_name_literal(target).unwrap();
        self.push(header, &[])
    }

    fn device(self, name: &str, major: u32, minor: u32) -> Tar {
        let mut header = Tar::header(b'3', name.as_bytes(), 0o666, 0);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        self.push(header, &[])
    }

    fn pax(mut self, records: &[(&str, &[u8])]) -> Tar {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    fn unpack(self) -> (tempfile::TempDir, Result<Report>) {
        let dir = tempfile::tempdir().unwrap();
        let result = unpack(&self.bytes()[..], files::open_dir(dir.path()).unwrap(), options());
        (dir, result)
    }

    fn good(self) -> (tempfile::TempDir, Report) {
        let (dir, result) = self.unpack();
        (dir, result.unwrap())
    }

    fn refused(self, why: &str) {
        let (dir, result) = self.unpack();
        let error = result.unwrap_err().to_string();
        assert!(error.contains(why), "expected '{why}' in '{error}'");
        drop(dir);
    }
}

fn rustix_uid() -> u64 {
    files::creator().0.into()
}

fn rustix_gid() -> u64 {
    files::creator().1.into()
}

fn options() -> Options {
    Options { user_namespace: files::in_user_namespace() || files::creator().0 != 0 }
}

fn initial_root() -> bool {
    !options().user_namespace
}

fn opaque(path: &Path) -> bool {
    let dir = files::open_dir(path).unwrap();
    let value = files::get_xattr_at(&dir, ".".as_ref(), OsStr::new(directory::opaque_attribute(options()))).unwrap();
    value.as_deref() == Some(b"y")
}

#[test]
fn every_kind_of_entry_comes_out_as_it_went_in() {
    let mut owned = Tar::header(b'0', b"owned", 0o6755, 2);
    owned.set_uid(1234);
    owned.set_gid(4321);
    let (dir, report) = Tar::new()
        .dir("./", 0o750)
        .dir("closed", 0o500)
        .file("closed/file", b"data")
        .file("implied/by/name", b"x")
        .link(b'2', "link", "/etc/passwd")
        .link(b'1', "again", "closed/file")
        .push(Tar::header(b'6', b"fifo", 0o640, 0), &[])
        .push(owned, b"hi")
        .file("empty", b"")
        .good();
    let at = |name: &str| dir.path().join(name);
    assert_eq!(report.entries, 9);
    assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o7777, 0o750);
    assert_eq!(fs::metadata(at("closed")).unwrap().mode() & 0o7777, 0o500);
    assert_eq!(fs::metadata(at("closed")).unwrap().mtime(), 1_000_000);
    assert_eq!(fs::read(at("again")).unwrap(), b"data");
    assert_eq!(fs::metadata(at("again")).unwrap().ino(), fs::metadata(at("closed/file")).unwrap().ino());
    assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::symlink_metadata(at("link")).unwrap().mtime(), 1_000_000);
    assert!(fs::metadata(at("fifo")).unwrap().file_type().is_fifo());
    assert_eq!(fs::metadata(at("implied/by")).unwrap().mode() & 0o7777, 0o755);
    if initial_root() {
        let meta = fs::metadata(at("owned")).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (1234, 4321, 0o6755));
    }
}

#[test]
fn the_last_padding_and_the_end_mark_may_be_missing() {
    let bytes = Tar::new().file("a", b"one").file("b", b"twelve bytes").bytes();
    let cut = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
    let dir = tempfile::tempdir().unwrap();
    unpack(&bytes[..cut], files::open_dir(dir.path()).unwrap(), options()).unwrap();
    assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"twelve bytes");
}

#[test]
fn devices_are_made_in_range_and_never_as_whiteouts() {
    if initial_root() {
        let (dir, report) = Tar::new().device("null", 1, 3).device("gone", 0, 0).good();
        assert_eq!(fs::metadata(dir.path().join("null")).unwrap().rdev(), 0x103);
        assert!(!dir.path().join("gone").exists());
        assert_eq!(report.warnings.len(), 1);
    }
    Tar::new().device("x", 4096, 0).refused("out of range");
    Tar::new().device("x", 1, 1 << 20).refused("out of range");
}

#[test]
fn names_that_lead_out_are_refused_and_absolute_ones_contained() {
    Tar::new().file("../up", b"").refused("upwards");
    Tar::new().file("a/../../up", b"").refused("upwards");
    Tar::new().link(b'1', "x", "../../etc/passwd").refused("upwards");
    Tar::new().pax(&[("path", b"a\0b")]).file("x", b"").refused("malformed");
    let (dir, _) = Tar::new().file("/etc/passwd", b"mine").good();
    assert_eq!(fs::read(dir.path().join("etc/passwd")).unwrap(), b"mine");
}

#[test]
fn cve_2021_32760_symlinks_cannot_carry_an_entry_outside() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    // Resolved below the tree, the target is not there.
    Tar::new().link(b'2', "out", target).file("out/file", b"x").refused("out");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    Tar::new().link(b'2', "out", "../../../../..").link(b'1', "stolen", "out/etc/passwd").refused("not before it");
    // The same name twice: the link is replaced, not written through.
    let file = outside.path().join("f");
    fs::write(&file, "kept").unwrap();
    let (dir, _) = Tar::new().link(b'2', "f", file.to_str().unwrap()).file("f", b"new").good();
    assert_eq!(fs::read(&file).unwrap(), b"kept");
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"new");
    // A link inside the tree is followed inside the tree.
    let (dir, _) = Tar::new().dir("usr/bin", 0o755).link(b'2', "bin", "/usr/bin").file("bin/sh", b"#").good();
    assert_eq!(fs::read(dir.path().join("usr/bin/sh")).unwrap(), b"#");
}

#[test]
fn the_last_of_duplicate_entries_wins() {
    let (dir, _) = Tar::new()
        .file("a", b"1")
        .file("a", b"2")
        .dir("d", 0o700)
        .file("d/x", b"")
        .file("d", b"now a file")
        .file("e", b"")
        .dir("e", 0o711)
        .file("e/below", b"")
        .dir("e", 0o755)
        .link(b'1', "a", "a")
        .good();
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"2");
    assert_eq!(fs::read(dir.path().join("d")).unwrap(), b"now a file");
    assert_eq!(fs::metadata(dir.path().join("e")).unwrap().mode() & 0o7777, 0o755);
    assert!(dir.path().join("e/below").exists());
}

#[test]
fn whiteouts_take_overlay_form() {
    let (dir, _) = Tar::new()
        .file("etc/.wh.gone", b"")
        .file("opaque/.wh..wh..opq", b"")
        .file("opaque/new", b"n")
        .file("own/file", b"kept")
        .file("own/.wh.file", b"")
        .dir("own/dir", 0o755)
        .file("own/.wh.dir", b"")
        .file("later/.wh.dir", b"")
        .file("later/dir/x", b"")
        .file("later/.wh.f", b"")
        .file("later/f", b"f")
        .file(".wh..wh.plnk/1", b"")
        .file(".wh..wh.aufs", b"")
        .good();
    let at = |name: &str| dir.path().join(name);
    let gone = fs::symlink_metadata(at("etc/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    assert!(opaque(&at("opaque")) && at("opaque/new").exists());
    assert_eq!(fs::read(at("own/file")).unwrap(), b"kept");
    assert!(opaque(&at("own/dir")), "the lower directory is hidden, ours shows");
    assert!(opaque(&at("later/dir")) && at("later/dir/x").exists());
    assert_eq!(fs::read(at("later/f")).unwrap(), b"f");
    assert!(!at(".wh..wh.aufs").exists());
    Tar::new().file("a/.wh.", b"").refused("must name what it hides");
    Tar::new().file(".wh...", b"").refused("must name what it hides");
}

#[test]
fn pax_records_rule_over_header_fields() {
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(200));
    let (dir, _) = Tar::new()
        .pax(&[
            ("path", long.as_bytes()),
            ("mtime", b"1234.5"),
            ("SCHILY.xattr.user.note", b"a\nb\n20 path=../../evil\n"),
        ])
        .file("short", b"x")
        .good();
    let path = dir.path().join(&long);
    let meta = fs::metadata(&path).unwrap();
    assert_eq!((meta.mtime(), meta.mtime_nsec()), (1234, 500_000_000));
    let parent = files::open_dir(path.parent().unwrap()).unwrap();
    let value = files::get_xattr_at(&parent, path.file_name().unwrap(), "user.note".as_ref()).unwrap();
    // tmpfs before 6.6 has no user attributes: then there is nothing to compare.
    if let Some(value) = value {
        assert_eq!(value, b"a\nb\n20 path=../../evil\n");
    }
}

#[test]
fn attributes_of_overlay_itself_are_left_out() {
    let (dir, report) = Tar::new().pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/etc")]).dir("d", 0o755).good();
    assert!(report.warnings[0].contains("belongs to overlay"), "{:?}", report.warnings);
    let fd = files::open_dir(dir.path()).unwrap();
    assert_eq!(files::get_xattr_at(&fd, "d".as_ref(), "trusted.overlay.redirect".as_ref()).unwrap(), None);
}

#[test]
fn file_capabilities_survive() {
    if !initial_root() {
        return;
    }
    let capability = [0x01, 0, 0, 0x02, 0x0a, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (dir, report) = Tar::new().pax(&[("SCHILY.xattr.security.capability", &capability)]).file("ping", b"x").good();
    let fd = files::open_dir(dir.path()).unwrap();
    let value = files::get_xattr_at(&fd, "ping".as_ref(), "security.capability".as_ref()).unwrap();
    assert_eq!(value.as_deref(), Some(&capability[..]), "{report:?}");
}

#[test]
fn sparse_files_keep_their_holes() {
    let data = [b"3\n0\n4\n4096\n4\n1048576\n0\n".to_vec(), vec![0; 512 - 23], b"AAAABBBB".to_vec()].concat();
    assert_eq!(data.len(), 520, "the map fills one block");
    let (dir, report) = Tar::new()
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"holes"),
            ("GNU.sparse.realsize", b"1048576"),
        ])
        .file("GNUSparseFile.0/holes", &data)
        .pax(&[("GNU.sparse.map", b"2,2"), ("GNU.sparse.size", b"9")])
        .file("old", b"zz")
        .good();
    let read = fs::read(dir.path().join("holes")).unwrap();
    assert_eq!((read.len(), &read[..4], &read[4096..4100]), (1 << 20, &b"AAAA"[..], &b"BBBB"[..]));
    assert!(fs::metadata(dir.path().join("holes")).unwrap().blocks() < 64);
    assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"\0\0zz\0\0\0\0\0");
    assert_eq!(report.size, (1 << 20) + 9);
    let huge = [("GNU.sparse.map", &b"0,1"[..]), ("GNU.sparse.size", b"99999999999999")];
    Tar::new().pax(&huge).file("huge", b"z").refused("64 GiB");
}

#[test]
fn cve_2025_62518_headers_are_bounded_and_sizes_agree() {
    let big = vec![b'x'; limits::ENTRY_HEADERS + 10];
    Tar::new().pax(&[("comment", &big)]).file("a", b"").refused("headers of one entry");
    // An attribute that holds a newline hides the size from a parser that splits at lines.
    Tar::new().pax(&[("SCHILY.xattr.user.x", b"\n\n"), ("size", b"4")]).file("a", b"12345678").refused("sizes");
}

#[test]
fn a_torn_archive_is_an_error() {
    let whole = Tar::new().file("a", &[1; 2000]).bytes();
    let dir = tempfile::tempdir().unwrap();
    let root = || files::open_dir(dir.path()).unwrap();
    assert!(unpack(&whole[..1000], root(), options()).is_err());
    let mut two = Tar::new().file("a", b"").bytes();
    two.truncate(1024);
    two.extend(Tar::new().file("b", b"").bytes());
    let error = unpack(&two[..], root(), options()).unwrap_err().to_string();
    assert!(error.contains("end mark"), "{error}");
    let mut bad = whole;
    bad[20] ^= 1;
    assert!(unpack(&bad[..], root(), options()).unwrap_err().to_string().contains("checksum"));
}

#[test]
fn an_archive_may_end_with_its_last_files_data() {
    let whole = Tar::new().file("a", &[7; 700]).file("b", b"bytes").bytes();
    let data = 512 + 1024 + 512 + 5;
    for end in [data, data + 100, data + 507, data + 507 + 512] {
        let dir = tempfile::tempdir().unwrap();
        let report = unpack(&whole[..end], files::open_dir(dir.path()).unwrap(), options()).unwrap();
        assert_eq!((report.entries, report.size), (2, 705), "cut at {end}");
        assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"bytes");
    }
    for end in [data - 1, data - 6, 512 + 699, 512 + 100] {
        let dir = tempfile::tempdir().unwrap();
        assert!(unpack(&whole[..end], files::open_dir(dir.path()).unwrap(), options()).is_err(), "cut at {end}");
    }
}

#[test]
fn names_need_not_be_text() {
    let raw = b"caf\xe9";
    let (dir, _) = Tar::new().push(Tar::header(b'0', raw, 0o600, 0), &[]).good();
    assert!(dir.path().join(OsStr::from_bytes(raw)).exists());
}

#[test]
fn cve_2021_20291_a_gzip_bomb_is_stopped() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&Tar::new().file("zeros", &vec![0; 8 << 20]).bytes()).unwrap();
    let bomb = encoder.finish().unwrap();
    let decoder =
        decode::Decoder::new(&bomb[..], decode::Bound { bytes: 1 << 20, beyond: decode::TooMuch::Bomb }).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let error = unpack(decoder, files::open_dir(dir.path()).unwrap(), options()).unwrap_err();
    assert!(matches!(&error, Error::Invalid { why, .. } if why.contains("unpacks to more")), "{error}");
    assert!(fs::metadata(dir.path().join("zeros")).unwrap().len() <= 1 << 20);
}

#[test]
fn empty_number_fields_are_zero() {
    let mut header = Tar::header(b'0', b"a", 0o644, 0);
    header.as_mut_bytes()[108..124].fill(0);
    let (dir, _) = Tar::new().push(header, &[]).good();
    assert!(dir.path().join("a").exists());
}
