//! What can go wrong with a ledger. Each error names the file, the rule and the way out.

use super::state_dir::StateDirError;
use crate::model::id::RunId;
use rusqlite::ErrorCode;

/// Why the ledger could not do its work. The run stops: what isn't recorded must not happen.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The state directory can't be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The file can't be used.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried (`open the ledger`).
        doing: &'static str,
        /// On what.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is no ledger.
    #[error("{path} is not a ledger: {why}; move it away, or name another state directory with --state")]
    NotALedger {
        /// The file.
        path: String,
        /// What it is.
        why: String,
    },
    /// A newer wasmhook wrote it.
    #[error(
        "{path} was written by a newer wasmhook (ledger version {found}, this one knows {known}); run that version, or name another state directory with --state"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// A part of the file is missing or makes no sense.
    #[error(
        "{path} is damaged: {source}; put a copy of it back, or move it away with what lies beside it ({path}-*): then nothing is known of \
         earlier runs, and what is done runs again"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A read or write failed (a full disk, a locked database).
    #[error("the ledger {path} failed while {doing}: {source}")]
    Database {
        /// The file.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// An entry can't be written, or read back.
    #[error("entry {seq} of run {run} can't be read or written: {message}")]
    Entry {
        /// The run.
        run: String,
        /// The entry.
        seq: u64,
        /// Why.
        message: String,
    },
    /// No such run was begun.
    #[error("the ledger knows no run {run}")]
    NoSuchRun {
        /// The run.
        run: RunId,
    },
    /// An event that can't stand where it was to be written: the caller's mistake, recorded nowhere.
    #[error("an event of run {run} was refused: {refusal}")]
    Refused {
        /// The run.
        run: RunId,
        /// The rule it breaks.
        refusal: Refusal,
    },
}

impl LedgerError {
    /// The damage that its size alone shows, before SQLite looked.
    pub(super) fn damaged(path: String, why: String) -> Self {
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        Self::Damaged { path, source: rusqlite::Error::SqliteFailure(corrupt, Some(why)) }
    }

    /// What SQLite said while something was `doing` (`being opened`).
    pub(super) fn of_sqlite(path: String, doing: &'static str, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            _ => Self::Database { path, doing, source },
        }
    }
}

impl LedgerError {
    /// What can be done about it, where its sentence doesn't say so itself.
    #[must_use]
    pub fn way_out(&self) -> Option<&'static str> {
        let code = match self {
            Self::Database { source, .. } => source.sqlite_error_code()?,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => ErrorCode::DiskFull,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => ErrorCode::PermissionDenied,
            _ => return None,
        };
        match code {
            ErrorCode::DiskFull => Some("make room on the disk that it lies on, and call again: what was recorded stays recorded"),
            ErrorCode::SystemIoFailure => Some("see whether the disk that it lies on is full or broken, and call again"),
            ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen => {
                Some("call as the user who owns it, or see whether its disk can be written to")
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some("end whatever else has it open (`fuser` names it), and call again"),
            _ => None,
        }
    }
}

/// The rule of the journal that an event breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A run begins with `run-started` at position 0.
    #[error("a run begins with `run-started` at position 0, and nothing else does")]
    NotAStart,
    /// The header names another target than the caller.
    #[error("its `run-started` names another app or environment")]
    OtherTarget,
    /// Run ids are used once.
    #[error("a run of that id was begun before")]
    Known,
    /// Nothing follows `run-finished` but what people say.
    #[error("the run is over")]
    Over,
    /// Only a run that succeeded can be part of a deployment that failed.
    #[error("the run isn't over, so nobody can know yet what became of its deployment")]
    NotOver,
    /// Somebody else wrote its next line: only who holds the lock writes.
    #[error("somebody else went on with it: its lock was taken away; `wasmhook show RUN` says by whom")]
    TakenAway,
    /// Positions have no gaps.
    #[error("its next position is {expected}, not {found}")]
    Gap {
        /// The next position.
        expected: u64,
        /// The event's.
        found: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_can_do_about_a_ledger_is_said() {
        let of = |code| {
            let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            LedgerError::of_sqlite("l".to_owned(), "recording", source).way_out()
        };
        assert!(of(rusqlite::ffi::SQLITE_FULL).unwrap().contains("make room"));
        assert!(of(rusqlite::ffi::SQLITE_IOERR_SHMSIZE).unwrap().contains("full or broken"));
        assert!(of(rusqlite::ffi::SQLITE_READONLY).unwrap().contains("owns it"));
        assert!(of(rusqlite::ffi::SQLITE_BUSY).unwrap().contains("has it open"));
        assert_eq!(of(rusqlite::ffi::SQLITE_CORRUPT), None, "its own sentence says it");
        let full = std::io::ErrorKind::StorageFull.into();
        assert!(LedgerError::Io { doing: "open", path: "l".to_owned(), source: full }.way_out().unwrap().contains("make room"));
    }
}
