//! Why something ended badly or didn't run: the typed reason, and beside it the sentence for people.

use crate::model::id::{HookId, StepName};
use crate::model::outcome::{Cause, Outcome, SkipReason, TimeLimit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why an execution ended badly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The typed reason: `kind` and what belongs to it.
    #[serde(flatten)]
    pub why: Why,
    /// The same in a sentence, for people: nobody should have to compare it.
    pub text: String,
}

/// What ended an execution badly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Why {
    /// It failed by itself, or could not start.
    Cause(Cause),
    /// It was ended.
    End(End),
}

/// What ended an execution from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum End {
    /// A limit of time.
    TimedOut {
        /// Which limit.
        limit: TimeLimit,
        /// It could not be stopped within 250 ms.
        abandoned: bool,
    },
    /// The run was interrupted.
    Cancelled,
    /// The engine died.
    Unknown,
}

impl Failure {
    /// Why `outcome` isn't a good one; `None` if it is.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let why = match outcome {
            Outcome::Succeeded | Outcome::Skipped { .. } => return None,
            Outcome::Failed { cause } => Why::Cause(cause.clone()),
            Outcome::TimedOut { limit, abandoned } => Why::End(End::TimedOut { limit: *limit, abandoned: *abandoned }),
            Outcome::Cancelled => Why::End(End::Cancelled),
            Outcome::Unknown => Why::End(End::Unknown),
        };
        let text = match outcome {
            Outcome::Failed { cause } => cause.to_string(),
            Outcome::Unknown => Cause::Unresolved.to_string(),
            other => other.to_string(),
        };
        Some(Self { why, text })
    }
}

/// Why something didn't run, and didn't have to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skip {
    /// The typed reason: `reason` and what belongs to it.
    #[serde(flatten)]
    pub why: SkipReason,
    /// The same in a sentence, for people.
    pub text: String,
}

impl Skip {
    /// Why `outcome` is `skipped`; `None` if it isn't.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Skipped { reason } => Some(Self { why: reason.clone(), text: reason.to_string() }),
            _ => None,
        }
    }
}

/// What aborted a run first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FirstError {
    /// A hook.
    Hook {
        /// Its id.
        hook: HookId,
        /// Its phase.
        phase: StepName,
        /// Why.
        cause: Failure,
    },
    /// A host step.
    Step {
        /// Its name.
        step: StepName,
        /// Why.
        cause: Failure,
    },
}

impl FirstError {
    /// Why.
    #[must_use]
    pub fn cause(&self) -> &Failure {
        match self {
            Self::Hook { cause, .. } | Self::Step { cause, .. } => cause,
        }
    }
}
