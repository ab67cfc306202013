//! What a backup is asked for and tells: plain values, the same on each kernel.

use super::Disk;
use crate::model::backup::BackupContents;
use std::path::PathBuf;

/// What is to be backed up, and where to.
#[derive(Debug, Clone)]
pub struct Request {
    /// The directory of all backups: made if it isn't there, for its owner alone.
    pub root: PathBuf,
    /// Whose backups these are: a file name. They are counted together.
    pub owner: String,
    /// The run: a file name, and the later run has the greater one.
    pub run: String,
    /// What it is taken for: a file name. A number is put behind it if the run has one of this name.
    pub name: String,
    /// The directories, by their absolute paths.
    pub dirs: Vec<PathBuf>,
    /// Of how many runs backups are kept, this one included; at least 1.
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
