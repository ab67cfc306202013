//! A run as the machine sees it: positions and policies, no names, no commands.

use crate::model::outcome::SkipReason;
use crate::model::policy::{AfterFailure, Files, OnFailure, OnLocked, OnTimeout, When};

/// An ordered list of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// What to do when another run holds the lock.
    pub on_locked: OnLocked,
    /// The steps.
    pub steps: Vec<StepSpec>,
}

/// One step: a phase with its hooks, a host step with its one command, or a fact with nothing to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepSpec {
    /// What a failure means.
    pub on_failure: OnFailure,
    /// What a timeout means.
    pub on_timeout: OnTimeout,
    /// A ceiling on how writes end.
    pub files: Files,
    /// Whether the next steps don't wait for it.
    pub background: bool,
    /// Whether it runs even after an abort.
    pub always: bool,
    /// In which runs it has its turn. `Failed` takes `always`: a failure may have been an abort.
    pub when: When,
    /// What becomes of the rest of a list after a failure that the run survives.
    pub after_failure: AfterFailure,
    /// What runs in it, in order.
    pub slots: Vec<SlotSpec>,
}

/// Something that runs: a hook, or a host step's command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSpec {
    /// Whether it runs.
    pub decision: Decision,
    /// Whether its failure is only a warning.
    pub allow_failure: bool,
    /// Whether it can change something outside as it runs; its intent is then durable before it starts.
    pub live: bool,
    /// Whether something comes before its start: a wait, a backup.
    pub gets_ready: bool,
    /// Whether it has a sibling that undoes it.
    pub revert: bool,
    /// Which list of the step it belongs to.
    pub list: usize,
}

/// What the gate decided for one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It runs.
    Run,
    /// It doesn't have to.
    Skip(SkipReason),
    /// It was running when the engine died, or was half taken back, and a person has to say what became of it.
    Unresolved,
}

/// Where something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// Index of the step.
    pub step: usize,
    /// Index of the slot in it.
    pub slot: usize,
    /// Whether it is the slot's revert that runs.
    pub revert: bool,
}

impl At {
    /// The slot itself.
    #[must_use]
    pub const fn main(step: usize, slot: usize) -> Self {
        Self { step, slot, revert: false }
    }
}
