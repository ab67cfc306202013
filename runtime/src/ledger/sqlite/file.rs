//! The file of the ledger: made, recognised and opened, or refused untouched.

use super::make;
use super::schema::{self, Found};
use crate::ledger::{LedgerError, state_dir};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::FlockOperation;
use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file's name in the state directory.
pub(in crate::ledger) const FILE: &str = "ledger.sqlite3";

/// How long a statement waits for another process's transaction, which holds no longer than its own sync takes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens the ledger for writing, creating what is missing.
pub(super) fn open(state_dir: &Path) -> Result<(String, Connection), LedgerError> {
    let dir = state_dir::ensure(state_dir)?;
    let path = state_dir.join(FILE);
    let shown = path.display().to_string();
    let io = |doing, source| LedgerError::Io { doing, path: shown.clone(), source };
    // Until the tables are there, one process at a time: SQLite doesn't wait while another switches the journal's mode.
    rustix::io::retry_on_intr(|| rustix::fs::flock(&dir, FlockOperation::LockExclusive))
        .map_err(|error| io("wait for the directory of", error.into()))?;
    is_whole(&path, &shown)?;
    if size_of_file(&path)?.is_none() {
        make::make(state_dir, &path)?;
    }
    let connection = recognise(&path, &shown).map_err(|error| read_only(error, &shown))?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(|source| LedgerError::Database { path: shown.clone(), doing: "switching its log on", source })?;
    if mode != "wal" {
        return Err(io("keep a write-ahead log for", io::ErrorKind::Unsupported.into()));
    }
    Ok((shown, connection))
}

/// Refuses what was a ledger and lost everything, before SQLite makes a new one of it and throws away what lies beside it.
fn is_whole(path: &Path, shown: &str) -> Result<(), LedgerError> {
    make::lost(path)?.map_or(Ok(()), |why| Err(LedgerError::damaged(shown.to_owned(), why)))
}

fn recognise(path: &Path, shown: &str) -> Result<Connection, LedgerError> {
    let connection = prepare(connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE), shown)?;
    inspect(&connection, shown)?;
    // SQLite is content to open for reading what can't be written.
    if connection.is_readonly("main").map_err(|source| failed(shown, source))? {
        return Err(LedgerError::Io {
            doing: "write to the ledger",
            path: shown.to_owned(),
            source: io::ErrorKind::PermissionDenied.into(),
        });
    }
    Ok(connection)
}

/// What SQLite says of a directory or file that it can't write to, in the system's words.
fn read_only(error: LedgerError, shown: &str) -> LedgerError {
    match error {
        LedgerError::Database { source, .. } if is_permission(&source) => LedgerError::Io {
            doing: "write to the ledger",
            path: shown.to_owned(),
            source: io::Error::new(io::ErrorKind::PermissionDenied, source),
        },
        other => other,
    }
}

fn is_permission(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied))
}

/// Opens the ledger for reading, if there is one.
pub(super) fn open_readonly(state_dir: &Path) -> Result<Option<(String, Connection)>, LedgerError> {
    let path = state_dir.join(FILE);
    let shown = path.display().to_string();
    is_whole(&path, &shown)?;
    if size_of_file(&path)?.is_none() {
        return Ok(None);
    }
    // Opened for writing where that is possible, since reading beside a writer needs the shared index of the log; `query_only` keeps it at that.
    let connection = match read_with(&path, &shown, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        Err(error) if needs_a_quiet_file(&error) && is_quiet(&path)? => read_quiet(&path, &shown)?,
        other => other?,
    };
    Ok(Some((shown, connection)))
}

fn read_with(path: &Path, shown: &str, flags: OpenFlags) -> Result<Connection, LedgerError> {
    let connection = prepare(connect(path, flags), shown)?;
    connection.pragma_update(None, "query_only", true).map_err(|source| failed(shown, source))?;
    inspect(&connection, shown)?;
    Ok(connection)
}

/// A file without a log can be read where not even SQLite's own companion files can be made.
fn read_quiet(path: &Path, shown: &str) -> Result<Connection, LedgerError> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        // Writing to a string can't fail.
        let _ = match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => write!(uri, "{}", char::from(*byte)),
            _ => write!(uri, "%{byte:02X}"),
        };
    }
    uri.push_str("?immutable=1");
    read_with(Path::new(&uri), shown, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
}

fn needs_a_quiet_file(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Database { source, .. } if is_permission(source))
}

fn is_quiet(path: &Path) -> Result<bool, LedgerError> {
    Ok(size_of_file(&beside(path, "-wal"))?.unwrap_or(0) == 0)
}

/// What SQLite keeps beside a file, by the end of its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The size of a regular file in bytes; `None` if nothing is there. Anything else is no ledger, a link included.
pub(super) fn size_of_file(path: &Path) -> Result<Option<u64>, LedgerError> {
    match path.symlink_metadata() {
        Ok(found) if found.is_file() => Ok(Some(found.len())),
        Ok(_) => Err(LedgerError::NotALedger { path: path.display().to_string(), why: "it is no regular file".to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::Io { doing: "examine the ledger", path: path.display().to_string(), source }),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Settings of the connection; none of them touches the file.
fn prepare(connection: rusqlite::Result<Connection>, shown: &str) -> Result<Connection, LedgerError> {
    let set = |connection: &Connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "trusted_schema", false)
    };
    let connection = connection.map_err(|source| failed(shown, source))?;
    set(&connection).map_err(|source| failed(shown, source))?;
    Ok(connection)
}

/// Refuses what isn't ours or can't be understood.
fn inspect(connection: &Connection, shown: &str) -> Result<(), LedgerError> {
    let not_ours = |why: String| Err(LedgerError::NotALedger { path: shown.to_owned(), why });
    match schema::inspect(connection) {
        Ok(Found::Foreign(id)) => not_ours(format!("it is the database of another program (application id {id})")),
        Ok(Found::Ours(found)) if found > schema::VERSION => {
            Err(LedgerError::Newer { path: shown.to_owned(), found, known: schema::VERSION })
        }
        Ok(Found::Ours(found)) if found < 1 => not_ours(format!("its version is {found}, which no wasmhook ever wrote")),
        Ok(Found::Empty) => Err(LedgerError::damaged(shown.to_owned(), "it is empty, and no ledger ever was".to_owned())),
        Ok(Found::Ours(_)) => Ok(()),
        Err(error) => Err(failed(shown, error)),
    }
}

fn failed(shown: &str, source: rusqlite::Error) -> LedgerError {
    if source.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
        return LedgerError::NotALedger { path: shown.to_owned(), why: "it is no SQLite database".to_owned() };
    }
    LedgerError::of_sqlite(shown.to_owned(), "being opened", source)
}
