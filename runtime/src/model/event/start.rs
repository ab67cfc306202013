//! What a run says of itself when it begins: what it is a run of, why, and what it will do.

use super::Place;
use crate::model::id::{AppName, Commit, Digest, EnvironmentName, RunId, StepName, Tag};
use crate::model::limits::Limits;
use crate::model::reach::Reach;
use crate::model::source::HookSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything a report says of the run as a whole and knows at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunHeader {
    /// The application.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The profile's name.
    pub profile: String,
    /// The tag being deployed.
    pub tag: Option<Tag>,
    /// The commit being deployed.
    pub commit: Option<Commit>,
    /// The version that was live before.
    pub previous_version: Option<String>,
    /// The plan's digest.
    pub plan_digest: Digest,
    /// Whether nothing is to be left behind.
    pub dry_run: bool,
    /// Whether only some of its hooks or phases were selected: such a run doesn't stand for its commit.
    #[serde(default)]
    pub partial: bool,
    /// Whether attempts of wasm hooks at paths outside every grant are looked at: in a dry run, or where it was asked for.
    #[serde(default)]
    pub audit: bool,
    /// The run that this one goes on with (`--resume`).
    #[serde(default)]
    pub resumes: Option<RunId>,
    /// What that run said, and this one goes on to say.
    #[serde(default)]
    pub earlier: Earlier,
    /// Why it ran; null in journals that are older than the question.
    #[serde(default)]
    pub trigger: Option<Trigger>,
}

/// What the run that is resumed said of itself: it is part of the same deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Earlier {
    /// The first backup.
    pub backup_path: Option<String>,
    /// `migration=` of every step and hook, in order.
    pub migrations_run: Vec<String>,
    /// The profile's lines and `detail=` of every step and hook, in order.
    pub details: Vec<String>,
}

/// Why a run began: the commit, compared with that of the last success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Trigger {
    /// It is the start of a container or machine: the commit is not compared.
    AtStart,
    /// Nothing has succeeded before.
    FirstCommit,
    /// The commit is another one.
    CommitChanged {
        /// The commit of the last success.
        from: Commit,
    },
    /// The last run was for the same commit, and didn't succeed.
    Retry {
        /// That run.
        run: RunId,
    },
    /// The commit is the same: somebody asked for it, or a hook of it is still open.
    CommitUnchanged,
    /// No commit is known.
    UnknownRevision,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtStart => f.write_str("a container or machine started"),
            Self::FirstCommit => f.write_str("nothing had succeeded before"),
            Self::CommitChanged { from } => write!(f, "the commit changed from {from:.12}"),
            Self::Retry { run } => write!(f, "run {run} of the same commit did not succeed"),
            Self::CommitUnchanged => f.write_str("it was asked for, with the commit of the last success"),
            Self::UnknownRevision => f.write_str("it was asked for, and no commit is known to compare"),
        }
    }
}

/// A step as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedStep {
    /// Its name.
    pub step: StepName,
    /// What kind of step it is.
    pub kind: StepKind,
    /// Whether it runs even after an abort.
    pub always: bool,
    /// Whether the new version is live once it succeeded.
    pub makes_live: bool,
    /// What a fact is: done before the run began.
    #[serde(default)]
    pub found: Option<String>,
    /// The phase's hooks, in order.
    pub hooks: Vec<PlannedHook>,
}

/// What kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Hooks attach here.
    Phase,
    /// The platform's own command, with the operator's rights.
    Host,
    /// Done before the plan was made (fetching, choosing the target), and shown at its place.
    Fact,
}

/// A hook as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedHook {
    /// Where it stands.
    pub place: Place,
    /// What a person calls it.
    pub label: String,
    /// The file that runs, or the command line.
    pub file: String,
    /// What runs it.
    pub guest: GuestKind,
    /// Why the fallback runs instead, if it does.
    pub fallback: Option<String>,
    /// The repository that its files come from, if it isn't the application's own.
    #[serde(default)]
    pub source: Option<HookSource>,
    /// Whether it runs unconfined.
    pub unconfined: bool,
    /// Whether it is switched on: one that isn't has nothing to do in any run.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// What it may use.
    pub limits: Limits,
    /// How far its rights go; nothing in journals that are older than the question.
    #[serde(default)]
    pub reach: Option<Reach>,
    /// What takes it back, if anything does.
    #[serde(default)]
    pub revert: Option<PlannedSibling>,
    /// What says whether it took, if anything does.
    #[serde(default)]
    pub verify: Option<PlannedSibling>,
}

/// Older journals don't say.
const fn enabled() -> bool {
    true
}

/// What runs beside a hook, as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedSibling {
    /// The file that runs, or the command line.
    pub file: String,
    /// What runs it.
    pub guest: GuestKind,
    /// What it may use.
    pub limits: Limits,
}

/// What runs a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GuestKind {
    /// The sandbox.
    Wasm,
    /// A process.
    Native,
}
