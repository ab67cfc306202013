//! Why a backup was not taken.

use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a backup was not taken. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The system refused something.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried (`read`).
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no room for it.
    #[error(
        "there is no room to {doing} {}; make room, keep fewer ([policy] backup_keep), or put backups on another disk ([policy] backup_dir)",
        path.display()
    )]
    NoSpace {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
    },
    /// Another file system is mounted in a directory: whether its content belongs to it is for a person to say.
    #[error("{} is a mount inside {}; name it by itself in `backup`", mounted.display(), dir.display())]
    MountedInside {
        /// The directory.
        dir: PathBuf,
        /// The mount in it.
        mounted: PathBuf,
    },
    /// Backups would lie in what is backed up.
    #[error("backups are kept in {}, which lies in {}; keep them elsewhere (--state, or [policy] backup_dir)", root.display(), dir.display())]
    Inside {
        /// The directory.
        dir: PathBuf,
        /// Where backups are kept.
        root: PathBuf,
    },
    /// Somebody held a database locked all the time.
    #[error("the database {} was locked by somebody else for {}; let that end, and run again", path.display(), crate::model::units::show_duration(*waited))]
    Busy {
        /// The database.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// A database can't be read as one.
    #[error("the database {} can't be copied: {source}; mend it, or move it out of the directory", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What `SQLite` said.
        #[source]
        source: rusqlite::Error,
    },
    /// Somebody wanted it to end.
    #[error("it was stopped")]
    Stopped,
}

/// Says what was tried and on what; a full disk is called by its name.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, BackupError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, BackupError> {
        self.map_err(|source| {
            let path = path.as_ref().to_owned();
            match Errno::from_io_error(&source) {
                Some(Errno::NOSPC | Errno::DQUOT) => BackupError::NoSpace { doing, path },
                _ => BackupError::Io { doing, path, source },
            }
        })
    }
}

impl<T> Doing<T> for rustix::io::Result<T> {
    fn doing(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, BackupError> {
        self.map_err(io::Error::from).doing(doing, path)
    }
}
