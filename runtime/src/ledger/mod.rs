//! Durable memory: which execution ended how, what was running when the engine died, and who holds the lock.
//!
//! A ledger records and recalls. It decides nothing: whether a remembered outcome means skip, run or stop is the engine's to say.

pub mod commit_file;
mod error;
mod journal;
pub mod lock;
pub mod marker;
pub mod memory;
mod recall;
mod shared;
pub mod sqlite;
mod state_dir;

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod suite;

pub use error::{LedgerError, Refusal};
pub use state_dir::StateDirError;

use crate::model::event::{Event, Place};
use crate::model::id::{AppName, Commit, Digest, EnvironmentName, RunId, Tag};
use crate::model::outcome::Outcome;

/// Whose history: one application in one environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The application.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
}

/// How much of a name is kept for people to read; the digest tells the rest apart.
const READABLE: usize = 60;

impl Target {
    /// A file name for what belongs to it: readable, at most 200 bytes whatever the names, and different for each pair of names.
    #[must_use]
    pub fn file_name(&self) -> String {
        let readable = |name: &str| -> String {
            let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
            name.chars().take(READABLE).map(plain).collect()
        };
        let (app, environment) = (self.app.as_str(), self.environment.as_str());
        // A slash stands in no name, so it keeps the two apart.
        let digest = Digest::of(format!("{app}/{environment}").as_bytes());
        format!("{}__{}-{}", readable(app), readable(environment), &digest.hex()[..16])
    }
}

/// Whether an append has to survive power loss before anything else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced before `append` returns (with everything appended before it).
    Now,
    /// Written with the next event that is, at the next [`write`](Ledger::write), or when the run is finished.
    Later,
}

/// The identity of an execution, but for app and environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The tag, the commit, or the run itself (design: Identity of an execution).
    pub release: String,
    /// Service, instance, phase and hook.
    pub place: Place,
}

/// What the ledger remembers of one execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// How its last attempt ended; `None` if its intent has no outcome.
    pub outcome: Option<Outcome>,
    /// The digest of the hook as it ran.
    pub digest: Digest,
    /// The run of the last attempt.
    pub run: RunId,
    /// Attempts so far, over all runs; 0 if it only ever was declared done.
    pub attempts: u32,
}

/// One line of `status` and `list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// The release it was begun for.
    pub release: String,
    /// The tag, if one was deployed.
    pub tag: Option<Tag>,
    /// The commit, if known.
    pub commit: Option<Commit>,
    /// When it started.
    pub started: jiff::Timestamp,
    /// How it ended; `None` if it is running or died.
    pub status: Option<crate::model::event::Status>,
    /// Whether it was a dry run, which leaves nothing behind but its journal.
    pub dry_run: bool,
    /// Whether only some of its hooks or phases were selected.
    pub partial: bool,
}

/// The durable memory behind a run. The embedded default is [`sqlite::SqliteLedger`]; platforms with many machines bring their own.
///
/// A reader sees whatever was appended through the same ledger, durable or not yet.
pub trait Ledger: Send {
    /// Opens a run: its plan (JSON) and the event `run-started`, durable. The run's tag points to the run's commit from here on.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing was recorded then.
    fn begin(&mut self, target: &Target, release: &str, plan: &str, started: &Event) -> Result<(), LedgerError>;

    /// Appends an event of a run that isn't over: this process's own, or one that died with its engine. The next `seq` follows the last.
    /// `started` and `finished` events also update the execution's [`Memory`] under `key`, unless the run is dry:
    ///
    /// - `started` opens an attempt: it counts one more, and its outcome is `None` until it is known.
    /// - `finished` closes the attempt that this run has open with its outcome.
    /// - `finished` without an open attempt is remembered where somebody says what became of an execution: `succeeded` always, `unknown` for
    ///   the open attempt of a run that died. A skip, or a failure to start, is no attempt and changes nothing.
    /// - `resolved` is remembered as the person said, whatever was remembered before.
    /// - `finished` of a revert that succeeded takes its hook's outcome back.
    ///
    /// `run-finished` is always durable. After it only what people say may follow: `resolved`, and `deploy-failed` with what reverts do.
    ///
    /// # Errors
    /// [`LedgerError`]; this event was not recorded then, and the run must stop.
    fn append(&mut self, event: &Event, key: Option<(&Key, &Digest)>, durability: Durability) -> Result<(), LedgerError>;

    /// Lets everything appended so far survive the death of this process; power loss only with the next durable append.
    ///
    /// # Errors
    /// [`LedgerError`]; what wasn't written before may still be written by the next call that does.
    fn write(&mut self) -> Result<(), LedgerError>;

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// [`LedgerError`]; what was not durable before may still be recorded by the next durable append.
    fn flush(&mut self) -> Result<(), LedgerError>;

    /// What is remembered of the executions of one release, sorted by key.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn memories(&self, target: &Target, release: &str) -> Result<Vec<(Key, Memory)>, LedgerError>;

    /// The executions of a target that were running when an engine died, and of which nobody has said yet what became of them, sorted by key.
    /// Of one place the newest counts: an older one was settled by what ran since.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn unresolved(&self, target: &Target) -> Result<Vec<(Key, Memory)>, LedgerError>;

    /// The runs of a target, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn runs(&self, target: &Target, limit: usize) -> Result<Vec<RunRecord>, LedgerError>;

    /// The newest run of a target that has no status and wasn't dry: it is running (somebody holds the lock) or died.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn unfinished(&self, target: &Target) -> Result<Option<RunRecord>, LedgerError>;

    /// The newest run of a target that succeeded, and was neither dry nor of a selection only.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn last_success(&self, target: &Target) -> Result<Option<RunRecord>, LedgerError>;

    /// The targets that have runs, sorted.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn targets(&self) -> Result<Vec<Target>, LedgerError>;

    /// The plan of a run as JSON, as it was decided.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchRun`], or if the ledger can't be read.
    fn plan(&self, run: &RunId) -> Result<String, LedgerError>;

    /// The events of a run, in order.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchRun`], or if the ledger can't be read.
    fn events(&self, run: &RunId) -> Result<Vec<Event>, LedgerError>;

    /// The last event of a run.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    fn last_event(&self, run: &RunId) -> Result<Event, LedgerError>;

    /// The commit that a tag pointed to when it was last deployed.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn commit_of_tag(&self, target: &Target, tag: &Tag) -> Result<Option<Commit>, LedgerError>;
}
