//! Where a lock lies: `<state>/locks/<app>__<environment>-<digest>.lock`, opened without following a link.

use super::LockError;
use crate::ledger::{Target, state_dir};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of the locks, in the state directory.
const DIRECTORY: &str = "locks";

/// The file of one target's lock.
pub(super) struct Place {
    dir: File,
    name: String,
    path: PathBuf,
}

impl Place {
    /// The place of a lock, whose directory is created if it is missing.
    pub(super) fn ensure(state_dir: &Path, target: &Target) -> Result<Self, LockError> {
        let state = state_dir::ensure(state_dir)?;
        let path = state_dir.join(DIRECTORY);
        match rustix::fs::mkdirat(&state, DIRECTORY, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(failed("create the directory of locks", &path, error.into())),
        }
        let dir = open_dir(&path).map_err(|source| failed("open the directory of locks", &path, source))?;
        Ok(Self::within(dir, &path, target))
    }

    /// The place of a lock, `None` if there is none yet.
    pub(super) fn find(state_dir: &Path, target: &Target) -> Result<Option<Self>, LockError> {
        let path = state_dir.join(DIRECTORY);
        match open_dir(&path) {
            Ok(dir) => Ok(Some(Self::within(dir, &path, target))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("open the directory of locks", &path, source)),
        }
    }

    fn within(dir: File, path: &Path, target: &Target) -> Self {
        let name = file_name(target);
        Self { dir, path: path.join(&name), name }
    }

    /// Held for the moment in which one process tries or examines a lock.
    pub(super) fn turn(&self) -> Result<Turn<'_>, LockError> {
        let turn = rustix::io::retry_on_intr(|| rustix::fs::flock(&self.dir, FlockOperation::LockExclusive));
        turn.map(|()| Turn(&self.dir)).map_err(|error| self.error("wait for a turn at", error.into()))
    }

    /// The lock's file, created if it is missing.
    pub(super) fn open_or_create(&self) -> Result<File, LockError> {
        self.open_with(OFlags::RDWR | OFlags::CREATE).map_err(|error| self.error("open the lock", error.into()))
    }

    /// The lock's file, if there is one.
    pub(super) fn open(&self) -> Result<Option<File>, LockError> {
        match self.open_with(OFlags::RDONLY) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.error("open the lock", error.into())),
        }
    }

    /// Removes the lock's file: whoever holds it keeps a file that has no name any more.
    pub(super) fn remove(&self) -> Result<(), LockError> {
        let removed = rustix::fs::unlinkat(&self.dir, self.name.as_str(), rustix::fs::AtFlags::empty());
        removed.map_err(|error| self.error("remove", error.into()))
    }

    fn open_with(&self, flags: OFlags) -> Result<File, Errno> {
        // NONBLOCK: whatever was put there instead of a file must not hold us up.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        rustix::fs::openat(&self.dir, self.name.as_str(), flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// Whether the lock could be had without waiting.
    pub(super) fn try_flock(&self, file: &File, operation: FlockOperation) -> Result<bool, LockError> {
        match rustix::fs::flock(file, operation) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(self.error("take the lock", error.into())),
        }
    }

    pub(super) fn error(&self, doing: &'static str, source: io::Error) -> LockError {
        failed(doing, &self.path, source)
    }
}

/// The right to try or examine a lock, given back on drop.
pub(super) struct Turn<'a>(&'a File);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = rustix::fs::flock(self.0, FlockOperation::Unlock);
    }
}

fn open_dir(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> LockError {
    LockError::Io { doing, path: path.display().to_string(), source }
}

/// The name of a target's lock.
pub(super) fn file_name(target: &Target) -> String {
    format!("{}.lock", target.file_name())
}
