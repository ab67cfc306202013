//! The order of a run's journal: `run-started` first, no gaps, nothing after `run-finished`. Values only; nothing is written here.

use super::{LedgerError, Refusal, Target};
use crate::model::event::{Event, RunHeader, What};

/// Where the journal of a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The position of the next event.
    pub(super) next: u64,
    /// Whether `run-finished` was written.
    pub(super) over: bool,
    /// Whether the run's outcomes are to be forgotten.
    pub(super) dry_run: bool,
}

impl Cursor {
    /// The header of a run's first event, and the place behind it.
    pub(super) fn start<'a>(target: &Target, event: &'a Event) -> Result<(Self, &'a RunHeader), LedgerError> {
        let What::RunStarted { header, .. } = &event.what else { return Err(refused(event, Refusal::NotAStart)) };
        if event.seq != 0 {
            return Err(refused(event, Refusal::NotAStart));
        }
        if header.app != target.app || header.environment != target.environment {
            return Err(refused(event, Refusal::OtherTarget));
        }
        Ok((Self { next: 1, over: false, dry_run: header.dry_run }, header))
    }

    /// The place behind `event`, if it may stand here.
    pub(super) fn after(&self, event: &Event) -> Result<Self, LedgerError> {
        if self.over {
            return Err(refused(event, Refusal::Over));
        }
        if matches!(event.what, What::RunStarted { .. }) {
            return Err(refused(event, Refusal::NotAStart));
        }
        if event.seq != self.next {
            return Err(refused(event, Refusal::Gap { expected: self.next, found: event.seq }));
        }
        Ok(Self { next: self.next + 1, over: matches!(event.what, What::RunFinished { .. }), dry_run: self.dry_run })
    }
}

/// The error for an event that breaks a rule.
pub(super) fn refused(event: &Event, refusal: Refusal) -> LedgerError {
    LedgerError::Refused { run: event.run.clone(), refusal }
}
