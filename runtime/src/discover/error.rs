//! Why something could not be found out.

use crate::model::id::Commit;
use crate::model::units::{show_duration, show_size};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why git gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program can't be started.
    #[error("`{}` can't be started: {source}; install git, or put it in PATH", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It ran, and its output can't be read.
    #[error("the output of `git {command}` can't be read: {source}")]
    Broken {
        /// The git command.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// It took too long and was stopped.
    #[error("`git {command}` took longer than {} and was stopped", show_duration(*deadline))]
    Deadline {
        /// The git command.
        command: String,
        /// How long it was given.
        deadline: Duration,
    },
    /// It answered with more than was asked for.
    #[error("`git {command}` wrote more than {} and was stopped", show_size(*max))]
    TooMuch {
        /// The git command.
        command: String,
        /// The most that was expected, in bytes.
        max: u64,
    },
    /// It failed.
    #[error("`git {command}` failed{}: {message}", code.map(|code| format!(" with exit code {code}")).unwrap_or_default())]
    Failed {
        /// The git command.
        command: String,
        /// Its exit code; `None` if a signal ended it.
        code: Option<i32>,
        /// What it wrote to standard error, in one line, without credentials.
        message: String,
    },
    /// It answered with something that isn't an answer.
    #[error("`git {command}` gave an answer that can't be read: {answer:?}")]
    Strange {
        /// The git command.
        command: String,
        /// The beginning of the answer.
        answer: String,
    },
}

/// Why a repository that hooks come from can't be had.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The place for copies can't be used.
    #[error("{} can't be used: {source}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else could put other files there.
    #[error("{} {rule}; make it yours and private (chmod 700), or use another cache", path.display())]
    Untrusted {
        /// The directory.
        path: PathBuf,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// Somebody else fetches it, and doesn't come to an end.
    #[error("another process has been fetching it for {}", show_duration(*.0))]
    Busy(Duration),
    /// It was never read, and nobody may ask for it now.
    #[error("it was never fetched, and nothing is fetched now")]
    NeverFetched,
    /// It doesn't hold the folder that was asked for.
    #[error("it has no folder {folder} at {commit:.12}")]
    NoFolder {
        /// The folder.
        folder: String,
        /// The commit.
        commit: Commit,
    },
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What it holds can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Why a file of the application could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// What stands at the path breaks a rule.
    #[error("`{path}` {rule}")]
    Refused {
        /// The path, below the application's root.
        path: String,
        /// The rule.
        rule: Refusal,
    },
    /// The system refused.
    #[error("`{path}` can't be read: {source}")]
    Io {
        /// The path, below the application's root.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Which rule a path breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It isn't below the root.
    #[error("is not a path below the application's root: write it without `..`, without a leading `/`, and without empty parts")]
    LeavesRoot,
    /// It, or a folder on the way to it, is a symbolic link.
    #[error("is or goes through a symbolic link: files of the application are read where they lie; put the file itself there")]
    Symlink,
    /// Something else than a regular file.
    #[error("is {0}, not a regular file")]
    NotAFile(&'static str),
    /// Something else than a folder.
    #[error("is {0}, not a folder")]
    NotAFolder(&'static str),
    /// Larger than allowed.
    #[error("has {}, more than the limit of {}", show_size(*.size), show_size(*.max))]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// More in all than is copied.
    #[error("holds {} in all, more than the limit of {}: name a smaller `folder` of the source", show_size(*.size), show_size(*.max))]
    TooMuch {
        /// What its files have together, in bytes.
        size: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A name that can't be a file's everywhere.
    #[error("has a name that no copy of it can have: it isn't UTF-8, leaves its folder, or is git's own")]
    StrangeName,
    /// A folder with more entries than are looked at.
    #[error("holds more than {0} entries")]
    TooManyEntries(usize),
    /// The commit holds a pointer in the file's place.
    #[error("is kept in Git LFS: the commit holds only a pointer to it; commit the file itself")]
    LfsPointer,
}

impl SourceError {
    /// A path that breaks `rule`.
    pub(super) fn refused(path: &str, rule: Refusal) -> Self {
        Self::Refused { path: shown(path), rule }
    }

    /// A path that the system refused.
    pub(super) fn io(path: &str, source: io::Error) -> Self {
        Self::Io { path: shown(path), source }
    }
}

/// A path as messages show it: on one line, harmless to a terminal.
fn shown(path: &str) -> String {
    path.chars().take(300).flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}
