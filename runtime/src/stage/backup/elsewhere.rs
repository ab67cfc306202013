//! In the place of [`backup`](super::backup) where the kernel isn't Linux: what copies a directory safely from somebody else's hands isn't there,
//! so a backup is refused by name, before the hook that asks for it.

mod error;

pub use error::BackupError;

use super::Disk;
use crate::model::backup::BackupContents;
use error::Doing as _;
use std::io;
use std::path::PathBuf;

/// What is to be backed up, and where to.
#[derive(Debug, Clone)]
pub struct Request {
    /// The directory of all backups.
    pub root: PathBuf,
    /// Whose backups these are.
    pub owner: String,
    /// The run.
    pub run: String,
    /// What it is taken for.
    pub name: String,
    /// The directories, by their absolute paths.
    pub dirs: Vec<PathBuf>,
    /// Of how many runs backups are kept.
    pub keep: u32,
    /// The disk.
    pub disk: Disk,
}

/// A backup that is whole, and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its directory.
    pub path: PathBuf,
    /// How much it is.
    pub contents: BackupContents,
    /// Backups of earlier runs that could not be removed, and why.
    pub left: Vec<String>,
}

/// Refuses.
///
/// # Errors
/// [`BackupError::Io`], always.
pub fn take(request: &Request, _stop: &dyn Fn() -> bool) -> Result<Taken, BackupError> {
    let path = request.dirs.first().cloned().unwrap_or_default();
    let why = "backups are taken on Linux alone; take one before, and leave `backup` out";
    Err(io::Error::new(io::ErrorKind::Unsupported, why)).doing("back up", path)
}
