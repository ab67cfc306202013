//! Durable memory: which execution ended how, what was running when the engine died, and who holds the lock.

pub mod lock;
pub mod marker;
pub mod memory;
pub mod sqlite;

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

/// Whether an append has to survive power loss before anything else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced before `append` returns (with everything appended before it).
    Now,
    /// Synced with the next durable append, or when the run is finished.
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
    /// Attempts so far, over all runs.
    pub attempts: u32,
}

/// One line of `status` and `list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// The tag, if one was deployed.
    pub tag: Option<Tag>,
    /// The commit, if known.
    pub commit: Option<Commit>,
    /// When it started.
    pub started: jiff::Timestamp,
    /// How it ended; `None` if it is running or died.
    pub status: Option<crate::model::event::Status>,
    /// The plan as JSON, as it was decided.
    pub plan: String,
}

/// Why the ledger could not do its work. The run stops: what isn't recorded must not happen.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file or its directory can't be used.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried (`open the ledger`, `create the state directory`).
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
    /// An entry can't be read back.
    #[error("entry {seq} of run {run} can't be read: {message}")]
    Entry {
        /// The run.
        run: String,
        /// The entry.
        seq: u64,
        /// Why.
        message: String,
    },
}

/// The durable memory behind a run. The embedded default is [`sqlite::SqliteLedger`]; platforms with many machines bring their own.
pub trait Ledger: Send {
    /// Opens a run: its plan (JSON) and the event `run-started`, durable.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing was recorded then.
    fn begin(&mut self, target: &Target, release: &str, plan: &str, started: &Event) -> Result<(), LedgerError>;

    /// Appends an event of an open run. `started` and `finished` events of hooks also update the execution's [`Memory`] under `key`.
    ///
    /// # Errors
    /// [`LedgerError`]; the run must stop then.
    fn append(&mut self, event: &Event, key: Option<(&Key, &Digest)>, durability: Durability) -> Result<(), LedgerError>;

    /// What is remembered of the executions of one release.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn memories(&self, target: &Target, release: &str) -> Result<Vec<(Key, Memory)>, LedgerError>;

    /// The runs of a target, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn runs(&self, target: &Target, limit: usize) -> Result<Vec<RunRecord>, LedgerError>;

    /// The targets that have runs, sorted.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn targets(&self) -> Result<Vec<Target>, LedgerError>;

    /// The events of a run, in order.
    ///
    /// # Errors
    /// [`LedgerError`] if there is no such run or it can't be read.
    fn events(&self, run: &RunId) -> Result<Vec<Event>, LedgerError>;

    /// The commit that a tag pointed to when it was last deployed.
    ///
    /// # Errors
    /// [`LedgerError`] if the ledger can't be read.
    fn commit_of_tag(&self, target: &Target, tag: &Tag) -> Result<Option<Commit>, LedgerError>;
}
