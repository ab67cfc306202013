//! What happened, in order. The journal's line *is* the event, the terminal shows it, the report folds it.

mod end;
mod place;
mod start;

pub use end::{Finished, Resolution, Status, Verified};
pub use place::{Place, Role};
pub use start::{Earlier, GuestKind, PlannedHook, PlannedSibling, PlannedStep, RunHeader, StepKind, Trigger};

use super::backup::BackupContents;
use super::files::{FileChanges, TextDiff};
use super::id::{RunId, StepName};
use super::job::Stream;
use super::outcome::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the event format.
pub const SCHEMA: u32 = 1;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The version of this format: 1.
    pub schema: u32,
    /// Position in the run, from 0, without gaps.
    pub seq: u64,
    /// When, in UTC.
    #[schemars(with = "String")]
    pub at: jiff::Timestamp,
    /// The run.
    pub run: RunId,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// The lock is held and the plan is fixed.
    RunStarted {
        /// Everything the report says of the run as a whole.
        header: Box<RunHeader>,
        /// What will be looked at, in order.
        steps: Vec<PlannedStep>,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: StepName,
        /// The profile's line for it (`Stopping services...`).
        detail: Option<String>,
    },
    /// The intent to launch: durable before anything with live effects starts.
    Started {
        /// What.
        place: Place,
        /// Which attempt at this execution, from 1, over all runs.
        attempt: u32,
    },
    /// Something is done before a start, and may take its time.
    GettingReady {
        /// Before what.
        place: Place,
        /// What is done: `a backup of /srv/app/data`.
        doing: String,
    },
    /// What a hook changes for good was copied, before it starts: durable before its intent.
    BackedUp {
        /// Before what.
        place: Place,
        /// What was copied: absolute paths.
        dirs: Vec<String>,
        /// Where it lies; null in a dry run, which takes none.
        path: Option<String>,
        /// How much it is.
        contents: BackupContents,
    },
    /// What says whether a hook took is asked: recorded before it starts.
    Verifying {
        /// Its place: the hook's, in the role `verify`.
        place: Place,
        /// Which attempt at the hook it belongs to.
        attempt: u32,
        /// What the hook reported (`KEY=value`) when it had itself ended with success; null if nobody knows how it ended, and it is asked
        /// before the hook.
        reported: Option<Vec<(String, String)>>,
    },
    /// What it said. What that means stands in the hook's outcome.
    Verified {
        /// Its place: the hook's, in the role `verify`.
        place: Place,
        /// All about it.
        result: Box<Verified>,
    },
    /// A line of output.
    Output {
        /// Of what.
        place: Place,
        /// Which stream.
        stream: Stream,
        /// The line, without its end; control characters are escaped by whoever shows it.
        line: String,
    },
    /// The outcome: durable before the next live effect.
    Finished {
        /// Of what.
        place: Place,
        /// All about it.
        result: Box<Finished>,
    },
    /// A step ended.
    StepFinished {
        /// Which.
        step: StepName,
        /// What it means for the run.
        verdict: Verdict,
        /// The profile's line for it (`Services stopped`).
        detail: Option<String>,
    },
    /// Something a person should know that changed no outcome.
    Warning {
        /// A stable code (`docs/codes.md`).
        code: String,
        /// One sentence.
        message: String,
    },
    /// What the run would have changed: the last word of a dry run.
    WouldChange {
        /// Everything that it staged, over all hooks.
        files: FileChanges,
        /// The difference of each small text file among them.
        diffs: Vec<TextDiff>,
    },
    /// Somebody said what became of an execution, or what is to become of it. May come after the end of the run.
    Resolved {
        /// Which execution.
        place: Place,
        /// The release it belongs to, as the ledger knows it.
        release: String,
        /// What the person said.
        resolution: Resolution,
        /// Who: `user@host`; null for the engine itself, when a phase was committed or dropped as one whole.
        by: Option<String>,
    },
    /// The run succeeded, and the deployment that it was part of was not completed. Comes after the end of the run; what takes the run's
    /// effects back comes after it.
    DeployFailed {
        /// Who said so: `user@host`.
        by: String,
        /// What that means for the run's effects, in one sentence.
        detail: String,
    },
    /// Somebody took the lock away from the run. If it is still on, it can't record anything any more, and stops.
    Unlocked {
        /// Who: `user@host`.
        by: String,
        /// Who held it, as its record says.
        owner: String,
    },
    /// The run was asked to stop.
    Interrupted {
        /// The signal's number, if it was one.
        signal: Option<i32>,
    },
    /// The run is over.
    RunFinished {
        /// How.
        status: Status,
        /// What the run means in the profile's words, when it was aborted half-way.
        detail: Option<String>,
        /// The version that is live from here on: the run's, or the one before it. `None` if the engine knows of none.
        live_version: Option<String>,
    },
}
