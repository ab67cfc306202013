//! What goes into the machine and what comes out of it.

use super::spec::At;
use crate::model::event::Status;
use crate::model::outcome::{Outcome, Verdict};

/// Something that happened outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Begin.
    Start(LockState),
    /// The checks before a step's hooks are done: what they found, by slot.
    Preflighted {
        /// The step.
        step: usize,
        /// Slots that can't run, with what is wrong with each.
        findings: Vec<(usize, Vec<String>)>,
    },
    /// What comes before a start is done: it may be launched. What can't be launched has [`Input::Ended`].
    Ready {
        /// What.
        at: At,
    },
    /// Something that was launched has ended.
    Ended {
        /// What.
        at: At,
        /// How.
        outcome: Outcome,
    },
    /// A step's stage was committed, or could not be.
    Committed {
        /// The step.
        step: usize,
        /// How the commit ended.
        outcome: Outcome,
    },
    /// Stop.
    Cancel {
        /// The signal, if it was one.
        signal: Option<i32>,
    },
}

/// Whether this run has the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// It has it.
    Held,
    /// Another run has it, and waiting is over or not wanted.
    Busy,
}

/// Something to do, in the order given. If a record can't be written, nothing after it may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write this to the journal.
    Record(Record),
    /// Check what a step needs; answer with [`Input::Preflighted`].
    Preflight {
        /// The step.
        step: usize,
    },
    /// Do what comes before its start; answer with [`Input::Ready`], or with [`Input::Ended`] if it can't be launched.
    GetReady(At),
    /// Start it; answer with [`Input::Ended`].
    Launch(At),
    /// Stop it; its [`Input::Ended`] still comes.
    Cancel(At),
    /// Open a stage for the whole step.
    OpenStage {
        /// The step.
        step: usize,
    },
    /// Commit the step's stage; answer with [`Input::Committed`].
    CommitStage {
        /// The step.
        step: usize,
    },
    /// Drop the step's stage.
    DropStage {
        /// The step.
        step: usize,
    },
    /// Give the lock back.
    ReleaseLock,
    /// The run is over; nothing follows.
    Finish(Status),
}

/// A line of the journal, as far as the machine knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The run began.
    RunStarted,
    /// A step began.
    StepStarted {
        /// Which.
        step: usize,
    },
    /// Something is about to be launched.
    Intent {
        /// What.
        at: At,
        /// Whether this must survive power loss before the launch.
        durable: bool,
    },
    /// Something ended, or was not run.
    Outcome {
        /// What.
        at: At,
        /// How.
        outcome: Outcome,
        /// What it means for the run.
        verdict: Verdict,
    },
    /// A step's stage could not be committed: nothing of what its hooks wrote there is there.
    NotCommitted {
        /// The step.
        step: usize,
        /// How the commit ended.
        outcome: Outcome,
        /// What it means for the run.
        verdict: Verdict,
    },
    /// A step ended.
    StepFinished {
        /// Which.
        step: usize,
        /// What it means for the run.
        verdict: Verdict,
    },
    /// The run was asked to stop.
    Interrupted {
        /// The signal, if it was one.
        signal: Option<i32>,
    },
    /// The run is over.
    RunFinished {
        /// How.
        status: Status,
    },
}
