//! The report of a run: a fold of its events, so that `show` of an old run says what `run` said. Values only; how a person sees them is the
//! renderers' business. It knows nothing of plans: what it needs of one, `run-started` carries.

mod entry;
mod failure;
mod fold;
mod problem;
#[cfg(test)]
mod tests;

pub use crate::model::files::{FileChanges, StagedDir, TextDiff};
pub use entry::{HookReport, OutcomeWord, StepReport, UsageReport, VerifyReport};
pub use failure::{End, Failure, FirstError, Skip, Why};
pub use fold::Folder;
pub use problem::Problem;

use crate::model::event::{Event, Role, RunHeader, Status, Trigger};
use crate::model::id::{AppName, Commit, Digest, EnvironmentName, RunId, Tag};
use crate::model::outcome::SkipReason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the report format.
pub const SCHEMA: u32 = 1;

/// What a run did. Whatever nothing measured or observed is null, never zero or empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this format: 1.
    pub schema: u32,
    /// How the run ended; `interrupted` if its journal breaks off.
    pub status: Status,
    /// The run; null if there was none (`refused`, `locked`, `skipped`).
    pub run_id: Option<RunId>,
    /// The application; null if it isn't known.
    pub app: Option<AppName>,
    /// The environment; null if it isn't known.
    pub environment: Option<EnvironmentName>,
    /// The tag being deployed.
    pub tag: Option<Tag>,
    /// The commit being deployed.
    pub commit: Option<Commit>,
    /// The plan's digest; null if there was no plan.
    pub plan_digest: Option<Digest>,
    /// Whether nothing was to be left behind.
    pub dry_run: bool,
    /// Whether the new version is live; null if no configured step of the plan makes it so.
    pub new_version_live: Option<bool>,
    /// What aborted the run first; what failed after it never takes its place.
    pub first_error: Option<FirstError>,
    /// How many tolerated failures and warnings there were.
    pub warnings: u64,
    /// The version that was live before.
    pub previous_version: Option<String>,
    /// The version being deployed (the tag, else the commit), whether or not it became live.
    pub new_version: Option<String>,
    /// `migration=` of every step and hook, in order.
    pub migrations_run: Vec<String>,
    /// `<phase>: <file> - OK | SKIPPED (<reason>) | FAILED (<cause>)`, in order; hooks that were never reached are absent.
    pub hooks_executed: Vec<String>,
    /// The first backup of the run, taken before a hook or told by a step (`backup_path=`); of the run that this one goes on with, if that has one.
    pub backup_path: Option<String>,
    /// The profile's lines and `detail=` of every step and hook, in order.
    pub details: Vec<String>,
    /// Every step of the plan, in order, reached or not.
    pub steps: Vec<StepReport>,
    /// Every hook that was reached, in order; one entry for each attempt.
    pub hooks: Vec<HookReport>,
    /// Warnings that belong to no hook, in order.
    pub notices: Vec<Notice>,
    /// Why it was refused or locked out, or why it could not go on although no hook failed; empty otherwise.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// What a dry run would have changed; null for any other run.
    pub would_change: Option<WouldChange>,
    /// Whether attempts of wasm hooks at paths outside every grant were observed; null if nothing ran.
    #[serde(default)]
    pub outside_path_attempts: Option<OutsidePaths>,
    /// What the run means in the profile's words, when it was aborted half-way; also the last of `details`.
    pub left_half_way: Option<String>,
    /// The signal that interrupted the run.
    pub signal: Option<i32>,
    /// The run that this one went on with.
    #[serde(default)]
    pub resumes: Option<RunId>,
    /// Why it ran; null if there was no run, or it is older than the question.
    #[serde(default)]
    pub trigger: Option<Trigger>,
    /// When the run started, in UTC.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<jiff::Timestamp>,
    /// When the run ended, in UTC; for a journal that breaks off, its last event.
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<jiff::Timestamp>,
}

/// Whether somebody looked at what wasm hooks attempt at paths outside every grant: a guest's own library refuses those, and asks nobody.
/// (What a native hook attempts, nobody sees; its `denials` are null.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutsidePaths {
    /// Attempts stand among the hooks' `denials`.
    Observed,
    /// Nobody knows of attempts.
    NotObserved,
}

/// What a dry run would have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WouldChange {
    /// Everything that its hooks changed, taken together.
    pub files: FileChanges,
    /// The difference of each small text file among them.
    pub diffs: Vec<TextDiff>,
    /// What was not tried, so that nobody knows what it would have changed: host steps by name, hooks as `phase/hook`.
    #[serde(default)]
    pub not_tried: Vec<String>,
}

/// Something a person should know that changed no outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// A stable code (`docs/codes.md`).
    pub code: String,
    /// One sentence.
    pub message: String,
}

impl Report {
    /// The report of the run that these events tell of, oldest first. If they break off, the status is `interrupted`,
    /// and what was in flight is `unknown`.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut folder = Folder::new();
        for event in events {
            folder.push(event);
        }
        folder.finish()
    }

    /// What took hooks back, each as it ended last, in the order in which that ran.
    #[must_use]
    pub fn reverts(&self) -> Vec<&HookReport> {
        let mut reverts: Vec<&HookReport> = Vec::new();
        for revert in self.hooks.iter().filter(|hook| hook.role == Role::Revert) {
            reverts.retain(|other| other.name() != revert.name());
            reverts.push(revert);
        }
        reverts
    }

    /// The report of a run that never started: refused, locked out or skipped.
    #[must_use]
    pub fn not_started(status: Status) -> Self {
        Self {
            schema: SCHEMA,
            status,
            run_id: None,
            app: None,
            environment: None,
            tag: None,
            commit: None,
            plan_digest: None,
            dry_run: false,
            new_version_live: None,
            resumes: None,
            trigger: None,
            first_error: None,
            warnings: 0,
            previous_version: None,
            new_version: None,
            migrations_run: Vec::new(),
            hooks_executed: Vec::new(),
            backup_path: None,
            details: Vec::new(),
            steps: Vec::new(),
            hooks: Vec::new(),
            notices: Vec::new(),
            problems: Vec::new(),
            would_change: None,
            outside_path_attempts: None,
            left_half_way: None,
            signal: None,
            started_at: None,
            ended_at: None,
        }
    }

    /// The same report, of what `header` describes.
    #[must_use]
    pub fn of(mut self, header: &RunHeader) -> Self {
        self.app = Some(header.app.clone());
        self.environment = Some(header.environment.clone());
        self.tag.clone_from(&header.tag);
        self.commit.clone_from(&header.commit);
        self.plan_digest = Some(header.plan_digest.clone());
        self.dry_run = header.dry_run;
        self.resumes.clone_from(&header.resumes);
        self.trigger.clone_from(&header.trigger);
        self.previous_version.clone_from(&header.previous_version);
        let tag = header.tag.as_ref().map(Tag::as_str);
        self.new_version = tag.or(header.commit.as_ref().map(Commit::as_str)).map(str::to_owned);
        self
    }

    /// What a dry run did not try, in order: host steps by name, hooks as `phase/hook`; also what it didn't come to. Empty for any other run.
    #[must_use]
    pub fn not_tried(&self) -> Vec<String> {
        if !self.dry_run {
            return Vec::new();
        }
        let is_passed_over = |step: &&StepReport| step.skip_reason.as_ref().is_some_and(|skip| skip.why == SkipReason::DryRun);
        let is_not_tried =
            |hook: &&HookReport| hook.skip_reason.as_ref().is_some_and(|skip| matches!(skip.why, SkipReason::NotTried { .. }));
        let is_cut_short = matches!(self.status, Status::Failed | Status::Interrupted);
        let of_step = |step: &StepReport| {
            let itself = Some(step).filter(is_passed_over).map(|step| step.step.to_string());
            let hooks = self.hooks.iter().filter(|hook| hook.phase == step.step).filter(is_not_tried).map(HookReport::name);
            itself.into_iter().chain(hooks).chain(if is_cut_short { step.not_reached() } else { Vec::new() }).collect::<Vec<_>>()
        };
        self.steps.iter().flat_map(of_step).collect()
    }

    /// What was planned and never reached, in order: host steps by name, hooks as `phase/hook`.
    #[must_use]
    pub fn not_reached(&self) -> Vec<String> {
        self.steps.iter().flat_map(StepReport::not_reached).collect()
    }
}
