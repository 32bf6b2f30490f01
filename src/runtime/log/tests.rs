//! The log's writer and reader together, on real files.

use super::{Reader, Writer};
use crate::model::container::LogOptions;
use crate::model::log::{LogRecord, Stream};
use crate::model::time::Timestamp;
use std::path::Path;

fn writer(dir: &Path, max_size: u64, max_files: u32) -> Writer {
    Writer::open(dir, &LogOptions { enabled: true, max_size, max_files }).unwrap().unwrap()
}

fn texts(records: &[LogRecord]) -> Vec<String> {
    records.iter().map(|r| String::from_utf8_lossy(&r.bytes).into_owned()).collect()
}

fn all(dir: &Path) -> Vec<LogRecord> {
    Reader::open(dir).unwrap().read_after(0, usize::MAX).unwrap().records
}

/// `n` lines `line <i>` at time `i`, one write each.
fn lines(w: &mut Writer, from: i64, n: i64) {
    for i in from..from + n {
        w.write(Stream::Stdout, format!("line {i}\n").as_bytes(), Timestamp(i)).unwrap();
    }
}

#[test]
fn lines_come_back_however_they_were_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), 1 << 20, 2);
    w.write(Stream::Stdout, b"one\ntw", Timestamp(5)).unwrap();
    w.write(Stream::Stderr, b"oops\n", Timestamp(6)).unwrap();
    w.write(Stream::Stdout, b"o\n\nthree", Timestamp(7)).unwrap();
    w.finish(Timestamp(8)).unwrap();
    let records = all(dir.path());
    assert_eq!(texts(&records), ["one", "oops", "two", "", "three"]);
    assert_eq!(records.iter().map(|r| r.time.0).collect::<Vec<_>>(), [5, 6, 7, 7, 8]);
    assert_eq!(records[1].stream, Stream::Stderr);
}

#[test]
fn a_long_line_is_split_with_the_partial_flag() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), 1 << 20, 2);
    let long = "x".repeat(40_000);
    for chunk in format!("{long}\nshort\n").as_bytes().chunks(7_000) {
        w.write(Stream::Stdout, chunk, Timestamp(1)).unwrap();
    }
    let shape: Vec<(usize, bool)> = all(dir.path()).iter().map(|r| (r.bytes.len(), r.partial)).collect();
    assert_eq!(shape, [(16384, true), (16384, true), (7232, false), (5, false)]);
}

/// Long and short lines, however they are cut, come back as they would one by one.
#[test]
fn lines_of_all_lengths_come_back_from_any_cut() {
    let lines: Vec<String> =
        [0, 1, 16_383, 16_384, 0, 0, 16_385, 3, 40_000, 32_768, 7].iter().map(|n| "x".repeat(*n)).collect();
    let text = lines.join("\n") + "\n";
    let expected: Vec<(usize, bool)> = lines
        .iter()
        .flat_map(|line| {
            let pieces = line.len().div_ceil(16_384).max(1);
            (0..pieces).map(move |n| ((line.len() - n * 16_384).min(16_384), n + 1 < pieces))
        })
        .collect();
    for cut in [1, 2, 1000, 16_384, 16_385, 65_536, usize::MAX] {
        let dir = tempfile::tempdir().unwrap();
        let mut w = writer(dir.path(), 1 << 20, 2);
        for chunk in text.as_bytes().chunks(cut) {
            w.write(Stream::Stdout, chunk, Timestamp(1)).unwrap();
        }
        let records = all(dir.path());
        let shape: Vec<(usize, bool)> = records.iter().map(|r| (r.bytes.len(), r.partial)).collect();
        assert_eq!(shape, expected, "cut at {cut}");
        assert_eq!(Reader::open(dir.path()).unwrap().bounds().unwrap(), (0, expected.len() as u64));
        let tail = Reader::open(dir.path()).unwrap().read_after(5, 3).unwrap();
        assert_eq!((tail.start, &tail.records[..]), (5, &records[5..8]));
    }
}

#[test]
fn rotation_keeps_the_newest_files_and_numbers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), 2000, 3);
    lines(&mut w, 0, 500);
    let size: u64 = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(size <= 3 * 2000 + 3 * 24, "{size}");
    let reader = Reader::open(dir.path()).unwrap();
    let (first, end) = reader.bounds().unwrap();
    assert_eq!(end, 500);
    assert!(first > 300 && first < 460, "{first}");
    let page = reader.read_after(0, 2).unwrap();
    assert_eq!(
        (page.start, texts(&page.records)),
        (first, vec![format!("line {first}"), format!("line {}", first + 1)])
    );
    let page = reader.read_before(500, 90).unwrap();
    assert_eq!((page.start, page.end(), texts(&page.records)[0].as_str()), (410, 500, "line 410"));
    let page = reader.read_before(first + 2, 10).unwrap();
    assert_eq!((page.start, page.records.len()), (first, 2));
}

#[test]
fn tail_since_and_follow() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), 5000, 4);
    lines(&mut w, 0, 300);
    let mut reader = Reader::open(dir.path()).unwrap();
    reader.seek_tail(3).unwrap();
    reader.watch().unwrap();
    let mut next = || reader.next().unwrap().map(|r| String::from_utf8_lossy(&r.bytes).into_owned());
    assert_eq!(
        [next(), next(), next(), next()],
        [Some("line 297".into()), Some("line 298".into()), Some("line 299".into()), None]
    );
    lines(&mut w, 300, 1);
    assert_eq!((next(), next()), (Some("line 300".into()), None));
    // Rotated several times under the reader, within what is kept.
    lines(&mut w, 301, 200);
    for n in 301..501 {
        assert_eq!(next(), Some(format!("line {n}")));
    }
    for time in [250, 299, 450, 500] {
        assert_eq!(reader.number_at(Timestamp(time)).unwrap(), u64::try_from(time).unwrap());
    }
    assert_eq!(reader.number_at(Timestamp(9_999)).unwrap(), 501);
    reader.seek_since(Timestamp(i64::MIN)).unwrap();
    assert!(reader.next().unwrap().is_some());
}

#[test]
fn a_torn_end_is_cut_off_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    lines(&mut writer(dir.path(), 1 << 20, 2), 0, 10);
    let file = dir.path().join("0000000000000000.log");
    let length = std::fs::metadata(&file).unwrap().len();
    for cut in [1, 10, 39] {
        std::fs::File::options().write(true).open(&file).unwrap().set_len(length - cut).unwrap();
        assert_eq!(all(dir.path()).len(), 9);
    }
    let mut w = writer(dir.path(), 1 << 20, 2);
    lines(&mut w, 9, 2);
    assert_eq!(all(dir.path()).last().unwrap().time.0, 10);
    assert_eq!(all(dir.path()).len(), 11);
}

#[test]
fn a_damaged_block_hides_only_itself_and_what_is_up_to_the_next_index_entry() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), 10 << 20, 2);
    for i in 0..300 {
        w.write(Stream::Stdout, format!("{:01000}\n", i).as_bytes(), Timestamp(i)).unwrap();
    }
    let file = dir.path().join("0000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100_000] ^= 0xff;
    std::fs::write(&file, bytes).unwrap();
    let mut reader = Reader::open(dir.path()).unwrap();
    let mut count = 0;
    while reader.next().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(reader.damaged(), 1);
    assert!((230..300).contains(&count), "{count}");
}

#[test]
fn no_log_and_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let none = LogOptions { enabled: false, ..LogOptions::default() };
    assert!(Writer::open(&dir.path().join("log"), &none).unwrap().is_none());
    assert!(!dir.path().join("log").exists());
    let mut reader = Reader::open(&dir.path().join("log")).unwrap();
    assert_eq!((reader.bounds().unwrap(), reader.next().unwrap()), ((0, 0), None));
    reader.watch().unwrap();
    lines(&mut writer(&dir.path().join("log"), 1000, 1), 0, 1);
    assert!(reader.next().unwrap().is_some());
}
