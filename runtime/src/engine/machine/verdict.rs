//! Outcome × policy → verdict.

use super::spec::StepSpec;
use crate::model::outcome::{Outcome, Verdict};
use crate::model::policy::{OnFailure, OnTimeout};

/// What `outcome` means for the run in a step with these policies. `allow_failure` turns abort into warn, never the other way.
#[must_use]
pub fn verdict(outcome: &Outcome, step: &StepSpec, allow_failure: bool) -> Verdict {
    let failure = match step.on_failure {
        OnFailure::Abort | OnFailure::Revert if allow_failure => Verdict::ProceedWithWarning,
        OnFailure::Abort | OnFailure::Revert => Verdict::Abort,
        OnFailure::Warn => Verdict::ProceedWithWarning,
        OnFailure::Continue => Verdict::Proceed,
    };
    match outcome {
        Outcome::Succeeded | Outcome::Skipped { .. } => Verdict::Proceed,
        Outcome::Cancelled => Verdict::Abort,
        Outcome::Failed { .. } | Outcome::Unknown => failure,
        Outcome::TimedOut { .. } => match step.on_timeout {
            OnTimeout::Fail => failure,
            OnTimeout::Warn => Verdict::ProceedWithWarning,
            OnTimeout::Pass => Verdict::Proceed,
        },
    }
}
