//! Mutual exclusion: one run at a time for each app and environment.
//!
//! The lock is the operating system's (`flock`), so a dead owner never blocks. The file also says who holds it; that record is only as good as
//! the lock: without the lock it means nothing.

mod file;
mod owner;
#[cfg_attr(not(target_os = "linux"), path = "process/elsewhere.rs")]
mod process;
mod stale;

#[cfg(test)]
mod tests;

pub use owner::{Life, Owner};
pub use stale::{Ended, NotEnded};

use super::Target;
use super::state_dir::StateDirError;
use rustix::fs::FlockOperation;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// First pause between two tries, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Why the lock could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The state directory can't be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The lock's file can't be used.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried (`open the lock`).
        doing: &'static str,
        /// On what.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// As its record says.
    Known(Owner),
    /// Somebody whose record isn't there (yet) or can't be read.
    Unknown,
}

/// What a try came to.
#[derive(Debug)]
pub enum Attempt {
    /// The lock is ours until it is dropped.
    Held(Lock),
    /// Somebody else holds it.
    Busy(Holder),
}

/// A held lock. It ends when this value is dropped or its process dies; no child process inherits it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Tries once, without waiting.
    ///
    /// # Errors
    /// [`LockError`] if the state directory or the lock's file can't be used.
    pub fn try_acquire(state_dir: &Path, target: &Target, owner: &Owner) -> Result<Attempt, LockError> {
        let place = file::Place::ensure(state_dir, target)?;
        let _turn = place.turn()?;
        let file = place.open_or_create()?;
        if !place.try_flock(&file, FlockOperation::NonBlockingLockExclusive)? {
            return Ok(Attempt::Busy(owner::read(&file)));
        }
        let lock = Self { file };
        owner::write(&lock.file, owner).map_err(|source| place.error("record the owner of the lock", source))?;
        Ok(Attempt::Held(lock))
    }

    /// Tries until the lock is ours or `patience` is over (`None`: never); [`Attempt::Busy`] then. `on_wait` hears once of each holder that is
    /// waited for. Dropping the future stops waiting.
    ///
    /// # Errors
    /// [`LockError`] if the state directory or the lock's file can't be used.
    pub async fn acquire_waiting(
        state_dir: &Path,
        target: &Target,
        owner: &Owner,
        patience: Option<Duration>,
        mut on_wait: impl FnMut(&Holder),
    ) -> Result<Attempt, LockError> {
        let started = tokio::time::Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut told = None;
        loop {
            let holder = match Self::try_acquire(state_dir, target, owner)? {
                held @ Attempt::Held(_) => return Ok(held),
                Attempt::Busy(holder) => holder,
            };
            let left = patience.map(|patience| patience.saturating_sub(started.elapsed()));
            if left == Some(Duration::ZERO) {
                return Ok(Attempt::Busy(holder));
            }
            if told.as_ref() != Some(&holder) {
                on_wait(&holder);
                told = Some(holder);
            }
            tokio::time::sleep(left.map_or(pause, |left| pause.min(left))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Takes the lock away from whoever holds it, `None` if nobody does: the next to try gets it. The owner isn't asked and isn't told; what it
    /// still does is its own.
    ///
    /// # Errors
    /// [`LockError`] if the lock's file can't be examined or removed.
    pub fn break_open(state_dir: &Path, target: &Target) -> Result<Option<Holder>, LockError> {
        let Some(place) = file::Place::find(state_dir, target)? else { return Ok(None) };
        // Whoever tries for the lock opens its file in its own turn: nobody is left with the one that goes.
        let _turn = place.turn()?;
        let Some(file) = place.open()? else { return Ok(None) };
        if place.try_flock(&file, FlockOperation::NonBlockingLockShared)? {
            return Ok(None);
        }
        place.remove()?;
        Ok(Some(owner::read(&file)))
    }

    /// A sign of life, for whoever looks at the lock.
    pub fn beat(&self) {
        // Only a help for people: the lock is held all the same.
        let _ = self.file.set_modified(std::time::SystemTime::now());
    }

    /// When the owner of the lock last gave a sign of life; `None` if nobody holds it.
    ///
    /// # Errors
    /// [`LockError`] if the lock's file can't be examined.
    pub fn last_sign(state_dir: &Path, target: &Target) -> Result<Option<jiff::Timestamp>, LockError> {
        let Some(place) = file::Place::find(state_dir, target)? else { return Ok(None) };
        let Some(file) = place.open()? else { return Ok(None) };
        let modified = file.metadata().and_then(|found| found.modified()).map_err(|source| place.error("examine", source))?;
        Ok(jiff::Timestamp::try_from(modified).ok())
    }

    /// Who holds the lock right now; `None` if nobody does. Creates nothing.
    ///
    /// # Errors
    /// [`LockError`] if the lock's file can't be examined.
    pub fn holder(state_dir: &Path, target: &Target) -> Result<Option<Holder>, LockError> {
        let Some(place) = file::Place::find(state_dir, target)? else { return Ok(None) };
        // Looking means locking for a moment. Whoever takes the lock waits for its turn, and never takes that moment for a run.
        let _turn = place.turn()?;
        let Some(file) = place.open()? else { return Ok(None) };
        let free = place.try_flock(&file, FlockOperation::NonBlockingLockShared)?;
        Ok(if free { None } else { Some(owner::read(&file)) })
    }
}

impl Drop for Lock {
    /// Unlocks by hand: a descriptor that a child holds between `fork` and `exec` would keep the lock for that moment. The file stays; removing
    /// it could take it away from under the next owner.
    fn drop(&mut self) {
        let _ = rustix::fs::ftruncate(&self.file, 0);
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}
