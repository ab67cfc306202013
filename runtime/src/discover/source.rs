//! Where files of the application are read from: a commit's objects, or the work tree. Both answer alike: what is absent is `None`, what
//! breaks a rule is an error with the path and the rule, and no symbolic link is followed.

use super::error::{Refusal, SourceError};
use super::git::Repository;
use super::work_tree::WorkTree;
use crate::model::id::Commit;

/// A file tree to read from.
#[derive(Debug)]
pub enum Source {
    /// What is checked out, or lies there.
    WorkTree(WorkTree),
    /// What a commit holds, checked out or not.
    Commit(Repository, Commit),
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; what isn't UTF-8 is replaced, so such a file is listed and can't be read.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its size in bytes; `None` for all but files.
    pub size: Option<u64>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Whether somebody may execute it.
        executable: bool,
    },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A git submodule.
    Submodule,
    /// A pipe, a socket or a device.
    Special,
}

impl EntryKind {
    /// What it is, in words: `a folder`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::File { .. } => "a file",
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Submodule => "a git submodule",
            Self::Special => "a pipe, a socket or a device",
        }
    }

    /// Refuses everything but a regular file.
    pub(super) fn expect_file(self, path: &str) -> Result<(), SourceError> {
        match self {
            Self::File { .. } => Ok(()),
            Self::Link => Err(SourceError::refused(path, Refusal::Symlink)),
            other => Err(SourceError::refused(path, Refusal::NotAFile(other.words()))),
        }
    }

    /// Refuses everything but a folder.
    pub(super) fn expect_folder(self, path: &str) -> Result<(), SourceError> {
        match self {
            Self::Folder => Ok(()),
            Self::Link => Err(SourceError::refused(path, Refusal::Symlink)),
            other => Err(SourceError::refused(path, Refusal::NotAFolder(other.words()))),
        }
    }
}

impl Source {
    /// The bytes of the file at `path`; `None` if there is nothing.
    ///
    /// # Errors
    /// [`SourceError::Refused`] for a path outside, a symbolic link anywhere on the way, anything but a regular file, more than `max` bytes,
    /// or a Git LFS pointer in a commit; the other variants if it can't be read.
    pub async fn read(&self, path: &str, max: u64) -> Result<Option<Vec<u8>>, SourceError> {
        match self {
            // Small local files: reading them in place is cheaper than handing them to a thread.
            Self::WorkTree(tree) => tree.read(path, max),
            Self::Commit(repository, commit) => repository.show(commit, path, max).await,
        }
    }

    /// The entries of a folder (`.` is the root), sorted by name; `None` if there is nothing.
    ///
    /// # Errors
    /// As [`Source::read`], for anything but a folder, and for one with more than 10,000 entries.
    pub async fn list(&self, folder: &str) -> Result<Option<Vec<Entry>>, SourceError> {
        match self {
            Self::WorkTree(tree) => tree.list(folder),
            Self::Commit(repository, commit) => repository.list(commit, folder).await,
        }
    }
}

/// The most entries of a folder that are looked at.
pub(super) const MAX_ENTRIES: usize = 10_000;

/// The parts of a path below the root; none for the root itself (`.`).
pub(super) fn parts(path: &str) -> Result<Vec<&str>, SourceError> {
    let parts: Vec<&str> = path.split('/').filter(|part| *part != ".").collect();
    if path.contains('\0') || parts.iter().any(|part| part.is_empty() || *part == "..") {
        return Err(SourceError::refused(path, Refusal::LeavesRoot));
    }
    Ok(parts)
}
