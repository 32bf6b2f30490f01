//! The SQLite database: opened cheaply, created and migrated under a lock, every write in an immediate transaction.

use super::{Error, Result, StateRoot, lock, wal_index};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Append only: a released step is never edited. `user_version` counts how many were applied.
const MIGRATIONS: &[&str] = &[
    r"
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    manifest TEXT NOT NULL,
    stored INTEGER NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE TABLE image_refs (
    reference TEXT PRIMARY KEY,
    image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
) STRICT;
CREATE INDEX image_refs_image ON image_refs(image);
CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    image TEXT NOT NULL,
    created INTEGER NOT NULL,
    busy TEXT,
    json TEXT NOT NULL
) STRICT;
CREATE INDEX containers_image ON containers(image);
CREATE TABLE names (
    name TEXT PRIMARY KEY,
    container TEXT NOT NULL UNIQUE REFERENCES containers(id) ON DELETE CASCADE
) STRICT;
CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    anonymous INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    labels TEXT NOT NULL
) STRICT;
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    parent INTEGER,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    started INTEGER NOT NULL,
    ended INTEGER,
    owner_pid INTEGER NOT NULL,
    owner_start INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_started ON jobs(started);
",
    r"
CREATE TABLE networks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE TABLE leases (
    network TEXT NOT NULL REFERENCES networks(id) ON DELETE CASCADE,
    address BLOB NOT NULL,
    container TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,
    starting TEXT,
    PRIMARY KEY (network, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_container ON leases(container);
",
];

/// Bytes kept back on the disk, enough for the database's log of a few removals.
const RESERVE: usize = 256 << 10;

/// Pages in the log at which a commit checkpoints, with its fsyncs.
const LOG_PAGES: i64 = 1000;

/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// One process's access to the database. The connection is used for one short transaction at a time.
pub struct Db {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Set where write-ahead logging cannot work (network file systems): writers also take this file lock.
    write_lock: Option<PathBuf>,
}

impl Db {
    /// Opens, creating and migrating when needed. A database written by a newer teu is refused.
    pub fn open(root: &StateRoot) -> Result<Db> {
        let path = root.database();
        let kept = wal_index::keep(&path);
        let current = if path.exists() { Some(connect(&path)?) } else { None };
        let fresh = current.is_none();
        let connection = match current {
            Some(c) if version(&c, &path)? == MIGRATIONS.len() => c,
            _ => prepare(root, &path)?,
        };
        let mode: String =
            connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(|e| Error::sqlite(&path, e))?;
        let write_lock = (mode != "wal").then(|| root.data().join("teu.db.lock"));
        if !kept {
            wal_index::vouch(&path);
        }
        let db = Db { path, connection: Mutex::new(connection), write_lock };
        if fresh {
            db.keep_reserve();
        }
        Ok(db)
    }

    /// Runs `work` on a consistent view. Keep it short: an open read keeps others from checkpointing.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.lock();
        let view = connection.transaction().map_err(|e| self.error(e))?;
        work(&view)
    }

    /// Runs `work` in an immediate transaction; it is rolled back when `work` fails.
    pub fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let _file = match &self.write_lock {
            Some(path) => Some(lock::FileLock::exclusive(path)?),
            None => None,
        };
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| self.error(e))?;
        let value = work(&transaction)?;
        transaction.commit().map_err(|e| self.error(e))?;
        Ok(value)
    }

    /// Gives the reserve's room to the next small writes: on a full disk removing must still work.
    pub fn use_reserve(&self) {
        if let Err(e) = std::fs::remove_file(self.reserve()) {
            tracing::warn!(error = %e, "giving the reserve away");
        }
    }

    /// Makes the reserve anew when it was given away and there is room again.
    pub fn keep_reserve(&self) {
        let place = self.reserve();
        if !place.exists() && std::fs::write(&place, vec![0; RESERVE]).is_err() {
            let _ = std::fs::remove_file(&place);
        }
    }

    fn reserve(&self) -> PathBuf {
        self.path.with_file_name("reserve")
    }

    /// A panic in a transaction rolled it back, so the connection is still good.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        Error::sqlite(&self.path, source)
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        // Before any pragma: they too can meet a lock.
        connection.busy_timeout(BUSY)?;
        // The last one to close would otherwise checkpoint, with its fsyncs, at the end of every command.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES, |_| Ok(()))?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|e| Error::sqlite(path, e))
}

/// Applied migrations; an error when there are more than this program knows.
fn version(connection: &Connection, path: &Path) -> Result<usize> {
    let found: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(|e| Error::sqlite(path, e))?;
    match usize::try_from(found) {
        Ok(n) if n <= MIGRATIONS.len() => Ok(n),
        _ => Err(Error::Future { path: path.to_owned(), found, known: MIGRATIONS.len() }),
    }
}

/// Creation and migration, one process at a time. The journal mode is set here and never again: switching races.
fn prepare(root: &StateRoot, path: &Path) -> Result<Connection> {
    super::create_private_dir(root.data())?;
    let _lock = lock::FileLock::exclusive(&root.data().join("teu.db.lock"))?;
    // Containers' environments are in it. SQLite gives its other files the same mode. Opened before SQLite ever did: its
    // locks end when another descriptor of the file is closed.
    let old = match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => true,
        made => made.map(|_| false).map_err(|e| Error::io("creating", path, e))?,
    };
    let mut connection = connect(path)?;
    let from = version(&connection, path)?;
    if from == 0 && old && std::fs::read_dir(root.data().join("containers")).is_ok_and(|mut all| all.next().is_some()) {
        // A crash of the machine has cut it to nothing. Begun anew, the containers would belong to nobody, and be swept.
        let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        let why = Some("it is empty, and there are containers".to_owned());
        return Err(Error::sqlite(path, rusqlite::Error::SqliteFailure(damaged, why)));
    }
    if from == 0 {
        let mode = if is_network_file_system(root.data()) { "DELETE" } else { "WAL" };
        connection
            .pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))
            .map_err(|e| Error::sqlite(path, e))?;
    }
    for (index, step) in MIGRATIONS.iter().enumerate().skip(from) {
        let apply = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", index as i64 + 1)?;
            transaction.commit()
        };
        apply(&mut connection).map_err(|e| Error::sqlite(path, e))?;
    }
    Ok(connection)
}

/// Network and FUSE file systems, where SQLite's shared memory does not work between processes.
fn is_network_file_system(path: &Path) -> bool {
    // NFS, SMB, CIFS, SMB2, 9p, FUSE, AFS, Ceph, Lustre.
    const MAGICS: [i64; 9] =
        [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x6573_5546, 0x5346_414f, 0x00c3_6400, 0x0bd0_0bd0];
    crate::sys::facts::file_system_magic(path).is_ok_and(|magic| MAGICS.contains(&(magic & 0xffff_ffff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, StateRoot) {
        let dir = tempfile::tempdir().unwrap();
        let root = StateRoot::new(dir.path().join("data"), dir.path().join("run"));
        (dir, root)
    }

    #[test]
    fn opens_twice_and_is_in_wal_mode() {
        let (_dir, root) = root();
        let first = Db::open(&root).unwrap();
        let second = Db::open(&root).unwrap();
        assert!(first.write_lock.is_none());
        let mode: String =
            second.read(|c| c.query_row("PRAGMA journal_mode", [], |r| r.get(0)).map_err(Error::row)).unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn refuses_a_database_from_the_future() {
        let (_dir, root) = root();
        drop(Db::open(&root).unwrap());
        let connection = Connection::open(root.database()).unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
        drop(connection);
        let error = Db::open(&root).err().unwrap();
        assert!(matches!(error, Error::Future { found: 999, .. }), "{error}");
    }

    #[test]
    fn eight_threads_with_own_connections_lose_no_write() {
        let (_dir, root) = root();
        drop(Db::open(&root).unwrap());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let root = &root;
                scope.spawn(move || {
                    let db = Db::open(root).unwrap();
                    for i in 0..25 {
                        let name = format!("v{thread}-{i}");
                        db.write(|t| {
                            t.query_row("SELECT count(*) FROM volumes", [], |r| r.get::<_, i64>(0))
                                .map_err(Error::row)?;
                            t.execute("INSERT INTO volumes VALUES (?1, 0, 0, 1, '{}')", [&name]).map_err(Error::row)
                        })
                        .unwrap();
                    }
                });
            }
        });
        let count: i64 = Db::open(&root)
            .unwrap()
            .read(|c| c.query_row("SELECT count(*) FROM volumes", [], |r| r.get(0)).map_err(Error::row))
            .unwrap();
        assert_eq!(count, 200);
    }
}
