//! One hook and one step of a report.

use super::failure::{Failure, Skip};
use crate::model::event::{GuestKind, PlannedHook, PlannedSibling, PlannedStep, Role, StepKind, Verified};
use crate::model::files::{FileChanges, StagedDir};
use crate::model::grant::Denial;
use crate::model::id::{HookId, InstanceName, ServiceName, StepName};
use crate::model::limits::{LimitKey, Limits};
use crate::model::outcome::{Outcome, SkipReason, Usage, Verdict};
use crate::model::reach::Reach;
use crate::model::source::HookSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an execution ended, as a word; why stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeWord {
    /// It ran and succeeded.
    Succeeded,
    /// It didn't run, and didn't have to.
    Skipped,
    /// It ran and failed, or could not start.
    Failed,
    /// A limit of time ended it.
    TimedOut,
    /// The run was interrupted while it ran.
    Cancelled,
    /// It was running when the engine died.
    Unknown,
}

impl OutcomeWord {
    /// The word of `outcome`.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::Skipped { .. } => Self::Skipped,
            Outcome::Failed { .. } => Self::Failed,
            Outcome::TimedOut { .. } => Self::TimedOut,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Unknown => Self::Unknown,
        }
    }

    /// The word itself.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing went wrong.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped)
    }
}

/// What an execution used, and what it might have used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageReport {
    /// Fuel units burned.
    pub fuel: Option<u64>,
    /// Fuel units granted.
    pub fuel_limit: Option<u64>,
    /// Wall time in milliseconds.
    pub wall_ms: Option<u64>,
    /// The deadline in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Largest linear memory in bytes.
    pub memory_peak_bytes: Option<u64>,
    /// Memory granted, in bytes (native: to each process).
    pub memory_limit_bytes: Option<u64>,
    /// Bytes of output, kept or not.
    pub output_bytes: Option<u64>,
    /// Which limits are as high as the operator's policy allows: to raise one in the hook changes nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_ceiling: Vec<LimitKey>,
}

impl UsageReport {
    /// What may be used under `limits`; nothing is measured yet.
    #[must_use]
    pub fn within(limits: &Limits) -> Self {
        Self {
            fuel_limit: limits.fuel,
            timeout_ms: limits.timeout_ms,
            memory_limit_bytes: Some(limits.memory_bytes),
            at_ceiling: limits.at_ceiling.clone(),
            ..Self::default()
        }
    }

    /// What was used, under `limits` if they are known.
    #[must_use]
    pub fn measured(usage: &Usage, limits: Option<&Limits>) -> Self {
        let mut report = limits.map_or_else(Self::default, Self::within);
        report.measure(usage);
        report
    }

    /// The same limits, with what was measured.
    pub(super) fn measure(&mut self, usage: &Usage) {
        self.fuel = usage.fuel;
        self.wall_ms = usage.wall_ms;
        self.memory_peak_bytes = usage.memory_peak_bytes;
        self.output_bytes = usage.output_bytes;
    }
}

/// What one attempt at a hook did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookReport {
    /// Its id.
    pub id: HookId,
    /// What a person calls it.
    pub label: String,
    /// Its phase.
    pub phase: StepName,
    /// The service it belongs to.
    pub service: Option<ServiceName>,
    /// The instance it ran on.
    pub instance: Option<InstanceName>,
    /// What runs it; null if the journal doesn't say.
    pub guest: Option<GuestKind>,
    /// Why the fallback ran instead, if it did.
    pub fallback: Option<String>,
    /// How it ended.
    pub outcome: OutcomeWord,
    /// What that meant for the run; null if the engine died first.
    pub verdict: Option<Verdict>,
    /// Why it ended badly.
    pub cause: Option<Failure>,
    /// The code it exited with, if it did.
    pub exit_code: Option<i32>,
    /// Why it didn't run.
    pub skip_reason: Option<Skip>,
    /// What it used and might have used.
    pub usage: UsageReport,
    /// What it was refused; null where nobody could see.
    pub denials: Option<Vec<Denial>>,
    /// What it changed in staged directories; null where nothing was staged: nobody saw then.
    pub files: Option<FileChanges>,
    /// Which attempt at this execution it was, from 1, over all runs; null if it never started.
    pub attempt: Option<u32>,
    /// When it started, in UTC; null if it never did.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<jiff::Timestamp>,
    /// The repository that its files came from, if it isn't the application's own.
    #[serde(default)]
    pub source: Option<HookSource>,
    /// The file that ran, or the command line.
    pub file: String,
    /// In which part it ran.
    pub role: Role,
    /// Whether it ran unconfined.
    pub unconfined: bool,
    /// How many more attempts were refused than `denials` lists; null where that is.
    #[serde(default)]
    pub more_denials: Option<u64>,
    /// What the policy asked for and this machine could not enforce.
    pub unenforced: Vec<String>,
    /// Its last lines.
    pub tail: Vec<String>,
    /// How each of its directories was staged; null where none was.
    #[serde(default)]
    pub stages: Option<Vec<StagedDir>>,
    /// Steps before it that a dry run skipped: what it did may depend on them.
    pub after_skipped: Vec<StepName>,
    /// The backup that was taken before it started; null if it has none.
    #[serde(default)]
    pub backup_path: Option<String>,
    /// What its verify said; null if none was asked.
    #[serde(default)]
    pub verify: Option<VerifyReport>,
    /// How far its rights went, if nobody knows how it ended; null if somebody does, or if the journal doesn't say.
    #[serde(default)]
    pub may_have_touched: Option<Reach>,
}

/// What says whether a hook took, the last time it was asked in this attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerifyReport {
    /// The file that ran, or the command line; null if the journal doesn't say.
    pub file: Option<String>,
    /// What runs it; null if the journal doesn't say.
    pub guest: Option<GuestKind>,
    /// How it ended: `succeeded` if it says that the hook took, `unknown` if it was under way when the engine died.
    pub outcome: OutcomeWord,
    /// Why it ended badly.
    pub cause: Option<Failure>,
    /// The code it exited with, if it did.
    pub exit_code: Option<i32>,
    /// What it used and might have used.
    pub usage: UsageReport,
    /// What it was refused; null where nobody could see.
    pub denials: Option<Vec<Denial>>,
    /// How many more attempts were refused than `denials` lists; null where that is.
    #[serde(default)]
    pub more_denials: Option<u64>,
    /// What the policy asked for and this machine could not enforce.
    pub unenforced: Vec<String>,
    /// Its last lines.
    pub tail: Vec<String>,
    /// When it started, in UTC.
    #[schemars(with = "String")]
    pub started_at: jiff::Timestamp,
    /// Whether the hook itself had ended with success by then; otherwise nobody knew how it had ended, and its verify was asked before it.
    pub hook_ended: bool,
}

impl VerifyReport {
    /// It starts, and hasn't said anything yet.
    pub(super) fn asked(planned: Option<&PlannedSibling>, started_at: jiff::Timestamp, hook_ended: bool) -> Self {
        Self {
            file: planned.map(|planned| planned.file.clone()),
            guest: planned.map(|planned| planned.guest),
            outcome: OutcomeWord::Unknown,
            cause: None,
            exit_code: None,
            usage: planned.map_or_else(UsageReport::default, |planned| UsageReport::within(&planned.limits)),
            denials: None,
            more_denials: None,
            unenforced: Vec::new(),
            tail: Vec::new(),
            started_at,
            hook_ended,
        }
    }

    /// What it said.
    pub(super) fn said(&mut self, verified: &Verified) {
        self.outcome = OutcomeWord::of(&verified.outcome);
        self.cause = Failure::of(&verified.outcome);
        self.exit_code = verified.exit_code;
        self.usage.measure(&verified.usage);
        self.denials.clone_from(&verified.denials);
        self.more_denials = verified.denials.as_ref().map(|_| verified.more_denials);
        self.unenforced.clone_from(&verified.unenforced);
        self.tail.clone_from(&verified.tail);
    }
}

impl HookReport {
    /// `phase/hook`, with what tells it from others of that name.
    #[must_use]
    pub fn name(&self) -> String {
        crate::model::event::Place {
            step: self.phase.clone(),
            hook: Some(self.id.clone()),
            service: self.service.clone(),
            instance: self.instance.clone(),
            role: self.role,
        }
        .to_string()
    }

    /// Its line in `hooks_executed`: what the marker says is done counts as done.
    #[must_use]
    pub fn executed(&self) -> String {
        let skip = self.skip_reason.as_ref().filter(|skip| !matches!(skip.why, SkipReason::Marker { .. }));
        let end = match (skip, &self.cause) {
            (Some(skip), _) => format!("SKIPPED ({})", skip.text),
            (None, Some(cause)) => format!("FAILED ({})", cause.text),
            (None, None) => "OK".to_owned(),
        };
        format!("{}{}: {} - {end}", self.phase, self.role.suffix(), self.file)
    }
}

/// What became of one step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// Its name.
    pub step: StepName,
    /// What kind of step it is.
    pub kind: StepKind,
    /// Whether it runs even after an abort.
    pub always: bool,
    /// Whether the new version is live once it succeeded.
    pub makes_live: bool,
    /// What a fact is (`fetched`, `v0.4.0`): done before the run began; null for anything else.
    pub found: Option<String>,
    /// How a host step ended; null for a phase (its hooks have outcomes), and for what was never reached.
    pub outcome: Option<OutcomeWord>,
    /// What it meant for the run; null if it never ended.
    pub verdict: Option<Verdict>,
    /// Why a host step ended badly.
    pub cause: Option<Failure>,
    /// The code a host step exited with, if it did.
    pub exit_code: Option<i32>,
    /// Why a host step didn't run.
    pub skip_reason: Option<Skip>,
    /// What a host step used; its limits are the plan's, not the journal's.
    pub usage: Option<UsageReport>,
    /// When it began, in UTC; null if it was never reached.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<jiff::Timestamp>,
    /// Last lines of a host step.
    pub tail: Vec<String>,
    /// Hooks of a phase that were never reached, as `phase/hook`, without those that are switched off.
    pub not_run: Vec<String>,
}

impl StepReport {
    /// The step as planned: not reached yet, and so none of its hooks.
    pub(super) fn planned(step: &PlannedStep) -> Self {
        Self {
            kind: step.kind,
            always: step.always,
            makes_live: step.makes_live,
            found: step.found.clone(),
            not_run: step.hooks.iter().filter(|hook| hook.enabled).map(|PlannedHook { place, .. }| place.to_string()).collect(),
            ..Self::unplanned(step.step.clone())
        }
    }

    /// A step that the journal's plan doesn't name: a host step that an earlier run left pending.
    pub(super) fn unplanned(step: StepName) -> Self {
        Self {
            step,
            kind: StepKind::Host,
            always: false,
            makes_live: false,
            found: None,
            outcome: None,
            verdict: None,
            cause: None,
            exit_code: None,
            skip_reason: None,
            usage: None,
            started_at: None,
            tail: Vec::new(),
            not_run: Vec::new(),
        }
    }

    /// What of it was never reached: itself (a host step), or hooks of it.
    pub(super) fn not_reached(&self) -> Vec<String> {
        let aborted = matches!(self.skip_reason, Some(Skip { why: SkipReason::Aborted, .. }));
        match self.kind {
            StepKind::Host if aborted || (self.outcome.is_none() && self.started_at.is_none()) => vec![self.step.to_string()],
            StepKind::Host | StepKind::Fact => Vec::new(),
            StepKind::Phase => self.not_run.clone(),
        }
    }
}
