//! In the place of [`stage`](super::stage) where the kernel isn't Linux: what a stage needs (handles without rights, paths that no link leads out of,
//! mounts that are attached nowhere) isn't there, so none is ever opened, and whoever asks for one is refused by name. A stage is a type
//! without values here: nothing that would hold one can run.

#[path = "backup/elsewhere.rs"]
pub mod backup;
#[expect(dead_code, reason = "says what the system refused, and here nothing is asked of it")]
mod error;
mod values;

pub use error::{CommitError, Conflict, ConflictKind, Forbidden, StageError, WhyNot};
pub use values::{Backend, Base, Changes, Ending, Ends, Kind, Limits, Request, View};

use std::convert::Infallible;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What is said of each back end.
const WHY_NOT: &str = "directories are staged on Linux alone; grant it with mode read or write";

/// Staged directories: there are none.
#[derive(Debug)]
pub struct Stage(Infallible);

impl Stage {
    /// Refuses, by the name of the first directory.
    ///
    /// # Errors
    /// [`StageError::NoBackend`], always.
    pub fn open(request: &Request<'_>) -> Result<Self, StageError> {
        let why = request.backends.iter().map(|backend| WhyNot { index: 0, backend: *backend, reason: WHY_NOT.to_owned() }).collect();
        let base = request.bases.first().map(|base| base.host.clone()).unwrap_or_default();
        Err(StageError::NoBackend { base, why })
    }

    /// The handle of a merged tree.
    ///
    /// # Errors
    /// None: there is no stage.
    pub fn view(&self, _index: usize, _below: &Path) -> Result<View, StageError> {
        match self.0 {}
    }

    /// How a directory is staged.
    #[must_use]
    pub fn backend(&self, _index: usize) -> Option<Backend> {
        match self.0 {}
    }

    /// Device and inode of a directory in a stage.
    #[must_use]
    pub fn identity(&self, _index: usize, _below: &Path) -> Option<(u64, u64)> {
        match self.0 {}
    }

    /// The live directories that a staged one shows.
    pub fn live(&self, _index: usize) -> impl Iterator<Item = (&Path, (u64, u64))> {
        std::iter::from_fn(move || -> Option<(&Path, (u64, u64))> { match self.0 {} })
    }

    /// Why cheaper back ends weren't used.
    #[must_use]
    pub fn why_not(&self) -> &[WhyNot] {
        match self.0 {}
    }

    /// What would be committed.
    ///
    /// # Errors
    /// None: there is no stage.
    pub fn changes(&self) -> Result<Vec<Changes>, StageError> {
        match self.0 {}
    }

    /// A file as it was and as it is in the stage.
    ///
    /// # Errors
    /// None: there is no stage.
    pub fn sides(&self, _index: usize, _path: &Path) -> Result<(Option<File>, Option<File>), StageError> {
        match self.0 {}
    }

    /// Drops all writes.
    ///
    /// # Errors
    /// None: there is no stage.
    pub fn discard(self) -> Result<(), StageError> {
        match self.0 {}
    }

    /// Leaves the stage for somebody to look at.
    ///
    /// # Errors
    /// None: there is no stage.
    pub fn keep(self, _why: &str) -> Result<Vec<PathBuf>, StageError> {
        match self.0 {}
    }

    /// Decides the commit.
    ///
    /// # Errors
    /// None: there is no stage.
    pub fn prepare(self) -> Result<Prepared, Box<NotPrepared>> {
        match self.0 {}
    }
}

/// A stage whose commit is decided: there is none.
#[derive(Debug)]
pub struct Prepared(Infallible);

impl Prepared {
    /// Does what was decided.
    ///
    /// # Errors
    /// None: there is no stage.
    pub fn apply(&mut self) -> Result<(), CommitError> {
        match self.0 {}
    }

    /// The same commit, once it is done.
    #[must_use]
    pub fn applied(self) -> Applied {
        match self.0 {}
    }
}

/// A stage whose commit is done: there is none.
#[derive(Debug)]
pub struct Applied(Infallible);

impl Applied {
    /// What it changed.
    #[must_use]
    pub fn changes(&self) -> &[Changes] {
        match self.0 {}
    }

    /// What was left to somebody else.
    #[must_use]
    pub fn left(&self) -> Option<&str> {
        match self.0 {}
    }

    /// Removes the stage's directories.
    ///
    /// # Errors
    /// None: there is no stage.
    pub fn forget(self) -> Result<(), StageError> {
        match self.0 {}
    }
}

/// Why a commit wasn't decided, and the stage as it was.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct NotPrepared {
    /// Why.
    #[source]
    pub error: CommitError,
    /// The stage.
    pub stage: Option<Stage>,
}

/// A stage whose owner died: there is none.
#[derive(Debug)]
pub struct Recovered {
    /// Whose it was.
    pub label: String,
    /// How it ended.
    pub ending: Ending,
    never: Infallible,
}

impl Recovered {
    /// Its directories.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        std::iter::from_fn(|| -> Option<&Path> { match self.never {} })
    }

    /// What was left to somebody else.
    #[must_use]
    pub fn left(&self) -> Option<&str> {
        match self.never {}
    }

    /// Removes its directories.
    ///
    /// # Errors
    /// None: there is no stage.
    pub fn forget(self) -> Result<(), StageError> {
        match self.never {}
    }
}

/// Finds what dead owners left: nothing, since nothing was ever staged.
///
/// # Errors
/// None.
pub fn recover(_bases: &[PathBuf], _scratch: &Path, _disk: &Disk) -> Result<Vec<Recovered>, StageError> {
    Ok(Vec::new())
}

/// What a crash left decided: nothing, since nothing was ever staged.
#[must_use]
pub fn decided(_bases: &[PathBuf], _scratch: &Path) -> Vec<String> {
    Vec::new()
}

/// Which point of a disk fails: none can be asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultPlan(());

impl FromStr for FaultPlan {
    type Err = String;

    fn from_str(_text: &str) -> Result<Self, String> {
        Err("faults of a disk are tried on Linux alone".to_owned())
    }
}

/// The disk, which never fails as planned.
#[derive(Debug, Clone, Default)]
pub struct Disk(());

impl Disk {
    /// A disk.
    #[must_use]
    pub const fn new(_plan: FaultPlan) -> Self {
        Self(())
    }

    /// How many points were passed: they aren't counted.
    #[must_use]
    pub const fn points(&self) -> u64 {
        0
    }

    /// Passes one.
    ///
    /// # Errors
    /// None.
    pub const fn point(&self) -> rustix::io::Result<()> {
        Ok(())
    }
}
