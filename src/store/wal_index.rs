//! Keeps SQLite's index of the write-ahead log (`teu.db-shm`) from one teu to the next.
//!
//! The first to open a database throws the index away and reads the whole log again, since it cannot know whether the
//! machine went down meanwhile (the index is never synced): a millisecond of each short command. We can know, and then
//! do what another open connection would do: hold the byte by which SQLite sees that it is not the first.
//!
//! The index is kept when it was left behind in this boot, by this SQLite, with these files, and when what it says of
//! the last frame is what stands in the log. Anything else, and SQLite rebuilds it as always.
//!
//! Sources: <https://www.sqlite.org/walformat.html> (layouts, lock bytes).

use crate::sys::{facts, range_lock};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The byte that every connection shares while it uses the index.
const DEAD_MAN_SWITCH: i64 = 128;
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Never closed: closing one would end SQLite's own locks on the same file.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// To be called before the database is opened. `true`: the index is good and stays; `false`: SQLite will rebuild it.
pub fn keep(database: &Path) -> bool {
    let Some(now) = description(database) else { return false };
    let said = std::fs::read_to_string(mark(database)).unwrap_or_default();
    said == now && hold(database).unwrap_or(false)
}

/// Writes down that the index is good, once SQLite has opened it. Not being able to costs time only.
pub fn vouch(database: &Path) {
    let Some(text) = description(database) else { return };
    let mark = mark(database);
    let fresh = mark.with_extension(format!("{}", std::process::id()));
    let new = || File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh);
    let written = new().and_then(|mut file| file.write_all(text.as_bytes()));
    if written.and_then(|()| std::fs::rename(&fresh, &mark)).is_err() {
        let _ = std::fs::remove_file(fresh);
    }
}

/// Boot, SQLite and files; `None` where there is no log or no index (another journal mode).
fn description(database: &Path) -> Option<String> {
    let mut text = format!("{} {}", facts::boot_id()?, rusqlite::version());
    for path in [database.to_owned(), log(database), index(database)] {
        let file = std::fs::metadata(path).ok()?;
        text.push_str(&format!(" {}:{}", file.dev(), file.ino()));
    }
    Some(text)
}

fn hold(database: &Path) -> io::Result<bool> {
    let path = index(database);
    let (found, mut held) = (std::fs::metadata(&path)?, HELD.lock().unwrap_or_else(PoisonError::into_inner));
    let same = |file: &File| file.metadata().is_ok_and(|m| (m.dev(), m.ino()) == (found.dev(), found.ino()));
    if !held.iter().any(same) {
        held.push(File::options().read(true).write(true).open(&path)?);
    }
    let Some(file) = held.iter().find(|file| same(file)) else { return Ok(false) };
    let mine = range_lock::share_byte(file, DEAD_MAN_SWITCH).map_err(|e| e.source)?;
    Ok(mine && agrees(file, &File::open(log(database))?)?)
}

/// The last frame of the index is in the log, with the same running checksum over all before it.
fn agrees(index: &File, log: &File) -> io::Result<bool> {
    let mut header = [0; 48];
    index.read_exact_at(&mut header, 0)?;
    let word = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (frames, checksums, salts) = (word(16), [word(24), word(28)], &header[32..40]);
    let page = match u16::from_ne_bytes([header[14], header[15]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let Some(before) = frames.checked_sub(1) else { return Ok(false) };
    let mut frame = [0; FRAME_HEADER];
    log.read_exact_at(&mut frame, LOG_HEADER as u64 + u64::from(before) * (page + FRAME_HEADER as u64))?;
    let big = |at: usize| u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
    Ok(&frame[8..16] == salts && [big(16), big(20)] == checksums)
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn log(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

fn index(database: &Path) -> PathBuf {
    beside(database, "-shm")
}

fn mark(database: &Path) -> PathBuf {
    beside(database, "-index")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use rusqlite::config::DbConfig;

    /// A database as a teu leaves it that was the only one.
    fn left_behind(dir: &Path) -> PathBuf {
        let path = dir.join("t.db");
        let connection = open(&path);
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1);").unwrap();
        vouch(&path);
        path
    }

    fn open(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        connection
    }

    fn sum(connection: &Connection) -> i64 {
        connection.query_row("SELECT sum(n) FROM t", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_index_left_in_this_boot_is_kept_and_the_data_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = left_behind(dir.path());
        // What a first connection would not leave as it is.
        let mark = |value: u8| File::options().write(true).open(index(&path)).unwrap().write_all_at(&[value], 32_700);
        mark(77).unwrap();
        assert!(keep(&path));
        let connection = open(&path);
        assert_eq!(sum(&connection), 1);
        connection.execute("INSERT INTO t VALUES (2)", []).unwrap();
        assert_eq!(std::fs::read(index(&path)).unwrap()[32_700], 77);
        drop(connection);
        assert!(keep(&path));
        assert_eq!(sum(&open(&path)), 3);
    }

    #[test]
    fn of_another_boot_another_log_or_other_files_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = left_behind(dir.path());
        let said = std::fs::read_to_string(mark(&path)).unwrap();
        std::fs::write(mark(&path), said.replacen(facts::boot_id().unwrap(), "another-boot", 1)).unwrap();
        assert!(!keep(&path));
        std::fs::write(mark(&path), &said).unwrap();
        let whole = std::fs::read(log(&path)).unwrap();
        let mut other = whole.clone();
        other[LOG_HEADER + 9] ^= 1;
        let last = whole.len() - 4096 - FRAME_HEADER;
        other[last + 17] ^= 1;
        // In place: the same file with other content.
        std::fs::write(log(&path), other).unwrap();
        assert!(!keep(&path));
        std::fs::write(log(&path), whole).unwrap();
        assert!(keep(&path));
        std::fs::copy(index(&path), dir.path().join("copy")).unwrap();
        std::fs::rename(dir.path().join("copy"), index(&path)).unwrap();
        assert!(!keep(&path));
    }
}
