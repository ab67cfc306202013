//! What happened, in order. The journal's line *is* the event, the terminal shows it, the report folds it.

use super::backup::BackupContents;
use super::files::{FileChanges, TextDiff};
use super::grant::Denial;
use super::id::{AppName, Commit, Digest, EnvironmentName, HookId, InstanceName, RunId, ServiceName, StepName, Tag};
use super::job::Stream;
use super::limits::Limits;
use super::outcome::{Outcome, SkipReason, Usage, Verdict};
use super::source::HookSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

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
            Self::UnknownRevision => f.write_str("no commit is known"),
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
    /// What it may use.
    pub limits: Limits,
    /// What takes it back, if anything does.
    #[serde(default)]
    pub revert: Option<PlannedSibling>,
    /// What says whether it took, if anything does.
    #[serde(default)]
    pub verify: Option<PlannedSibling>,
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

/// Where something runs in a lifecycle: a host step, or a hook of a phase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The step.
    pub step: StepName,
    /// The hook; null for a host step.
    pub hook: Option<HookId>,
    /// The service it belongs to.
    pub service: Option<ServiceName>,
    /// The instance it runs on.
    pub instance: Option<InstanceName>,
    /// In which part it runs.
    pub role: Role,
}

impl Place {
    /// The same place in another part.
    #[must_use]
    pub fn in_role(&self, role: Role) -> Self {
        Self { role, ..self.clone() }
    }

    /// A host step's place.
    #[must_use]
    pub fn step(step: StepName) -> Self {
        Self { step, hook: None, service: None, instance: None, role: Role::Main }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.step)?;
        if let Some(hook) = &self.hook {
            write!(f, "/{hook}")?;
        }
        if let Some(instance) = &self.instance {
            write!(f, "@{instance}")?;
        }
        f.write_str(self.role.suffix())
    }
}

/// In which part something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// As itself.
    Main,
    /// As the revert of a hook that succeeded before the run was aborted.
    Revert,
    /// As what says whether a hook took: a part of the hook's attempt.
    Verify,
}

impl Role {
    /// What tells its place from that of the hook itself, for people.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Revert => " (revert)",
            Self::Verify => " (verify)",
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
    /// What the policy asked for and this machine could not enforce.
    pub unenforced: Vec<String>,
    /// Its last lines.
    pub tail: Vec<String>,
}

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
    /// What the policy asked for and this machine could not enforce.
    pub unenforced: Vec<String>,
    /// Its last lines.
    pub tail: Vec<String>,
    /// `KEY=value` lines it reported.
    pub outputs: Vec<(String, String)>,
    /// What it changed in staged directories; null where nothing was staged.
    #[serde(default)]
    pub files: Option<FileChanges>,
    /// How its directories were staged (`overlay`, `user-overlay`, `copy`); null where none was.
    #[serde(default)]
    pub staged: Option<String>,
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
            unenforced: Vec::new(),
            tail: Vec::new(),
            outputs: Vec::new(),
            files: None,
            staged: None,
            after_skipped: Vec::new(),
            detail: None,
        }
    }
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
