//! How things end: an execution, its verify, a run; and what a person says of it.

use crate::model::files::{FileChanges, StagedDir};
use crate::model::grant::Denial;
use crate::model::id::StepName;
use crate::model::outcome::{Outcome, SkipReason, Usage, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// What that means for the run.
    pub verdict: Verdict,
    /// The exit code, if it exited.
    pub exit_code: Option<i32>,
    /// What it used.
    pub usage: Usage,
    /// What it was refused; null where nobody could see.
    pub denials: Option<Vec<Denial>>,
    /// How many more attempts were refused than `denials` keeps.
    #[serde(default)]
    pub more_denials: u64,
    /// What the policy asked for and this machine could not enforce.
    pub unenforced: Vec<String>,
    /// Its last lines.
    pub tail: Vec<String>,
    /// `KEY=value` lines it reported.
    pub outputs: Vec<(String, String)>,
    /// What it changed in staged directories; null where nothing was staged.
    #[serde(default)]
    pub files: Option<FileChanges>,
    /// How each of its directories was staged; null where none was.
    #[serde(default)]
    pub stages: Option<Vec<StagedDir>>,
    /// Steps before it that a dry run skipped.
    #[serde(default)]
    pub after_skipped: Vec<StepName>,
    /// The profile's line for it (`Post-pull hook OK: v0.3.28.sh`).
    pub detail: Option<String>,
}

impl Finished {
    /// An end of which no more is known than how it was and what it means.
    #[must_use]
    pub fn of(outcome: Outcome, verdict: Verdict) -> Self {
        Self {
            outcome,
            verdict,
            exit_code: None,
            usage: Usage::default(),
            denials: None,
            more_denials: 0,
            unenforced: Vec::new(),
            tail: Vec::new(),
            outputs: Vec::new(),
            files: None,
            stages: None,
            after_skipped: Vec::new(),
            detail: None,
        }
    }
}

/// What a hook's verify said, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// How it ended: that the hook took, if it succeeded.
    pub outcome: Outcome,
    /// The exit code, if it exited.
    pub exit_code: Option<i32>,
    /// What it used.
    pub usage: Usage,
    /// What it was refused; null where nobody could see.
    pub denials: Option<Vec<Denial>>,
    /// How many more attempts were refused than `denials` keeps.
    #[serde(default)]
    pub more_denials: u64,
    /// What the policy asked for and this machine could not enforce.
    pub unenforced: Vec<String>,
    /// Its last lines.
    pub tail: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything that had to run did, or its failure was tolerated.
    Success,
    /// A hook or a step failed and its policy aborts.
    Failed,
    /// Refused before anything ran.
    Refused,
    /// Stopped on request, or by the death of the engine.
    Interrupted,
    /// Another run held the lock, and the profile says skip.
    Skipped,
    /// Another run held the lock, and the profile says fail.
    Locked,
    /// It succeeded, and the deployment that it was part of was not completed.
    SucceededButDeployFailed,
}

impl Status {
    /// Every value, in the order of the documentation.
    pub const ALL: &[Self] =
        &[Self::Success, Self::Failed, Self::Refused, Self::Interrupted, Self::Skipped, Self::Locked, Self::SucceededButDeployFailed];

    /// The status's word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
            Self::Locked => "locked",
            Self::SucceededButDeployFailed => "succeeded-but-deploy-failed",
        }
    }
}

/// What a person says of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// Nobody knows what became of it, and it may run again.
    Retry,
    /// It is done, and must not run again.
    MarkDone,
    /// It didn't happen, or was undone.
    MarkNotRun,
}

impl Resolution {
    /// What is remembered of the execution from now on.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Retry => Outcome::Skipped { reason: SkipReason::Retried },
            Self::MarkDone => Outcome::Succeeded,
            Self::MarkNotRun => Outcome::Skipped { reason: SkipReason::MarkedNotRun },
        }
    }

    /// What was said, in a sentence about a hook.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Retry => "to be run again",
            Self::MarkDone => "marked as done",
            Self::MarkNotRun => "marked as not run",
        }
    }
}
