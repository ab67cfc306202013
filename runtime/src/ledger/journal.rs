//! The order of a run's journal: `run-started` first, no gaps, after `run-finished` only what people say. Values only; nothing is written here.

use super::{LedgerError, Refusal, Target};
use crate::model::event::{Event, Place, Role, RunHeader, Status, What};

/// Where the journal of a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The position of the next event.
    pub(super) next: u64,
    /// How the run ended, if it did.
    pub(super) status: Option<Status>,
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
        Ok((Self { next: 1, status: None, dry_run: header.dry_run }, header))
    }

    /// The place behind `event`, if it may stand here.
    pub(super) fn after(&self, event: &Event) -> Result<Self, LedgerError> {
        if self.is_over() && !self.may_follow(&event.what) {
            return Err(refused(event, Refusal::Over));
        }
        if !self.is_over() && matches!(event.what, What::DeployFailed { .. }) {
            return Err(refused(event, Refusal::NotOver));
        }
        if matches!(event.what, What::RunStarted { .. }) {
            return Err(refused(event, Refusal::NotAStart));
        }
        if event.seq != self.next {
            return Err(refused(event, Refusal::Gap { expected: self.next, found: event.seq }));
        }
        Ok(Self { next: self.next + 1, status: ends_as(&event.what).or(self.status), dry_run: self.dry_run })
    }

    /// Whether the run ended.
    pub(super) fn is_over(&self) -> bool {
        self.status.is_some()
    }

    /// What may still be written of a run that is over: what people say, and what follows from it.
    fn may_follow(&self, what: &What) -> bool {
        let is_revert = |place: &Place| place.role == Role::Revert && self.status == Some(Status::SucceededButDeployFailed);
        match what {
            What::Resolved { .. } => true,
            What::DeployFailed { .. } => matches!(self.status, Some(Status::Success | Status::SucceededButDeployFailed)),
            What::Started { place, .. } | What::Output { place, .. } | What::Finished { place, .. } => is_revert(place),
            _ => false,
        }
    }
}

/// How a run ended, if this event says so.
pub(super) fn ends_as(what: &What) -> Option<Status> {
    match what {
        What::RunFinished { status, .. } => Some(*status),
        What::DeployFailed { .. } => Some(Status::SucceededButDeployFailed),
        _ => None,
    }
}

/// The error for an event that breaks a rule.
pub(super) fn refused(event: &Event, refusal: Refusal) -> LedgerError {
    LedgerError::Refused { run: event.run.clone(), refusal }
}
