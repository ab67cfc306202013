//! A copy of one `SQLite` database by `SQLite`'s own backup interface: one moment of it, whoever writes to it meanwhile.

use super::BackupError;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::time::{Duration, Instant};

/// What every database begins with.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";
/// What lies beside a database while it is used, with its name before: it is part of what `SQLite` copies.
pub(super) const COMPANIONS: &[&str] = &["-wal", "-shm", "-journal"];
/// How many pages are copied between two looks at whether to stop.
const PAGES: i32 = 1024;
/// How long a database may be locked by somebody else.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries at a locked database.
const PAUSE: Duration = Duration::from_millis(20);

/// Copies the database at `from`, a path without links, to the new file `to`.
pub(super) fn copy(from: &Path, to: &Path, stop: &dyn Fn() -> bool) -> Result<(), BackupError> {
    let failed = |source| failed(from, source);
    let source = open(from).map_err(failed)?;
    let mut copy = Connection::open(to).map_err(failed)?;
    // It is synced as a whole when it is done, and thrown away if it isn't.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;").map_err(failed)?;
    hold(&source, from, stop)?;
    let backup = Backup::new(&source, &mut copy).map_err(failed)?;
    loop {
        if stop() {
            return Err(BackupError::Stopped);
        }
        // Nobody can lock what we hold; an answer that isn't the last is followed by another.
        if backup.step(PAGES).map_err(failed)? == StepResult::Done {
            break;
        }
    }
    drop(backup);
    copy.close().map_err(|(_, source)| failed(source))?;
    source.close().map_err(|(_, source)| failed(source))
}

/// For writing, since what a crash of its writer left is rolled back first; where that isn't allowed, `SQLite` reads only.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

/// Holds one moment of the database: nothing that is written from here on is seen, and no copying begins anew because of it.
fn hold(source: &Connection, path: &Path, stop: &dyn Fn() -> bool) -> Result<(), BackupError> {
    source.execute_batch("BEGIN").map_err(|source| failed(path, source))?;
    let begun = Instant::now();
    loop {
        // The first read takes the lock; this one needs no schema that could be understood.
        let held = source.query_row("PRAGMA schema_version", [], |_| Ok(()));
        match held {
            Ok(()) => return Ok(()),
            Err(error) if !is_locked(&error) => return Err(failed(path, error)),
            Err(_) if begun.elapsed() >= PATIENCE => return Err(BackupError::Busy { path: path.to_owned(), waited: PATIENCE }),
            Err(_) if stop() => return Err(BackupError::Stopped),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn is_locked(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn failed(path: &Path, source: rusqlite::Error) -> BackupError {
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => BackupError::NoSpace { doing: "copy", path: path.to_owned() },
        _ => BackupError::Database { path: path.to_owned(), source },
    }
}
