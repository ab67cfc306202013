//! What of a run is staged: which stage a job writes to, and what happens to it when the job, the phase or the dry run is over.

use super::gate::Decisions;
use super::journal::Journal;
use super::machine::{At, Decision};
use super::staging::{Label, NotCommitted, Observed, Of, Stages, Staging};
use super::verify::{Verify, verified};
use super::{dry, lifecycle};
use crate::diagnostic::codes;
use crate::exec::{ExecError, Executor, Surroundings};
use crate::ledger::{Durability, Key, LedgerError, Target};
use crate::model::event::{Place, Resolution, What};
use crate::model::files::{FileChanges, StagedDir};
use crate::model::grant::{DirGrant, DirMode};
use crate::model::id::{Digest, RunId, StepName};
use crate::model::job::{Execution, Job};
use crate::model::outcome::{Cause, Outcome, SkipReason};
use crate::model::policy::Files;
use crate::plan::{Plan, PlanStepKind};
use crate::stage::{Applied, StageError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The stages of one run.
pub struct Keep {
    stages: Stages,
    target: Target,
    run: RunId,
    /// Phases whose hooks write to one stage.
    phases: BTreeMap<usize, Phase>,
    /// The stage of everything that would last, in a dry run.
    dry: Option<Arc<Staging>>,
    is_dry: bool,
}

/// A phase whose hooks write to one stage.
enum Phase {
    Open(Option<Arc<Staging>>),
    /// Its hooks can't be staged together, for this reason.
    Impossible(Cause),
}

/// A stage that a job writes to.
pub struct Use {
    staging: Arc<Staging>,
    /// Whether it is this job's alone, and ends with it.
    is_own: bool,
    /// Directories of a shared stage that a real run would commit only if the job succeeds.
    txn: Vec<PathBuf>,
}

/// How a job ended, with what it did in staged directories.
pub struct Done {
    /// How it ended.
    pub execution: Execution,
    /// What it changed; `None` if nothing of it was staged.
    pub files: Option<FileChanges>,
    /// How each of its directories was staged; `None` if none was.
    pub stages: Option<Vec<StagedDir>>,
    /// Its commit, which is to be forgotten once the outcome is durable.
    pub applied: Option<Applied>,
}

impl Done {
    /// An execution of which nothing was staged.
    #[must_use]
    pub fn of(execution: Execution) -> Self {
        Self { execution, files: None, stages: None, applied: None }
    }

    /// Without what is said of directories that others have staged in the same run.
    fn only_of(self, dirs: &[DirGrant]) -> Self {
        let hosts: Vec<&Path> = dirs.iter().filter_map(|dir| dir.host.as_deref()).map(Path::new).collect();
        let is_its_own = |stage: &StagedDir| hosts.iter().any(|host| host.starts_with(&stage.dir));
        let stages: Option<Vec<_>> = self.stages.map(|stages| stages.into_iter().filter(is_its_own).collect());
        Self { stages: stages.filter(|stages| !stages.is_empty()), ..self }
    }
}

impl Keep {
    /// The stages of a real run.
    #[must_use]
    pub fn new(stages: &Stages, target: Target, run: RunId) -> Self {
        Self { stages: stages.clone(), target, run, phases: BTreeMap::new(), dry: None, is_dry: false }
    }

    /// The stages of a dry run of `plan`: one for everything that would last, so that later hooks see what earlier ones wrote.
    ///
    /// # Errors
    /// [`Cause::Stage`] if its directories can't be staged together.
    pub fn dry(stages: &Stages, target: Target, run: RunId, plan: &Plan) -> Result<Self, Cause> {
        let mut keep = Self { is_dry: true, ..Self::new(stages, target, run) };
        let hooks = plan.steps.iter().filter_map(|step| match &step.kind {
            PlanStepKind::Phase { hooks, .. } => Some(hooks),
            _ => None,
        });
        let granted: Vec<&DirGrant> =
            hooks.flatten().filter(|hook| hook.enabled && hook.selected).flat_map(|hook| &hook.grants.dirs).collect();
        let mut lasting: Vec<DirGrant> = granted.iter().filter(|dir| is_lasting(dir)).map(|dir| tried(dir)).collect();
        // Who reads a directory around one of them sees it as it is staged.
        let around = |dir: &&&DirGrant| dir.mode == DirMode::Read && lasting.iter().any(|inner| lies_in(inner, dir));
        let around: Vec<DirGrant> = granted.iter().filter(around).map(|dir| tried(dir)).collect();
        lasting.extend(around);
        // What a skipped step would have made isn't there: whoever needs it says so.
        lasting.retain(|dir| dir.host.as_ref().is_some_and(|host| std::path::Path::new(host).is_dir()));
        keep.dry = Staging::of(&lasting, &keep.label(Of::DryRun), stages)?.map(Arc::new);
        Ok(keep)
    }

    /// How and where things are kept.
    #[must_use]
    pub const fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Whether nothing is to be left behind.
    #[must_use]
    pub const fn is_dry(&self) -> bool {
        self.is_dry
    }

    /// Stages all directories of a phase's hooks together.
    pub fn open_phase(&mut self, plan: &Plan, step: usize) {
        let PlanStepKind::Phase { hooks, .. } = &plan.steps[step].kind else { return };
        let hooks = hooks.iter().filter(|hook| hook.enabled && hook.selected);
        let dirs: Vec<DirGrant> = hooks.flat_map(|hook| hook.grants.dirs.iter().filter(|dir| self.is_kept(dir)).cloned()).collect();
        let label = self.label(Of::Phase { step: plan.steps[step].name.clone() });
        let phase = match Staging::of(&dirs, &label, &self.stages) {
            Ok(staging) => Phase::Open(staging.map(Arc::new)),
            Err(cause) => Phase::Impossible(cause),
        };
        self.phases.insert(step, phase);
    }

    /// The stage of a phase that is over.
    pub fn take_phase(&mut self, step: usize) -> Option<Arc<Staging>> {
        match self.phases.remove(&step) {
            Some(Phase::Open(staging)) => staging,
            Some(Phase::Impossible(_)) | None => None,
        }
    }

    /// The stages that a job writes to. In a dry run, whatever it might write for good is staged.
    ///
    /// # Errors
    /// [`Cause::Stage`] if its directories can't be staged together.
    pub fn of_job(&self, at: At, place: &Place, job: &mut Job) -> Result<Vec<Use>, Cause> {
        // What takes a hook back isn't of its phase, which is over by then.
        let phase = match self.phases.get(&at.step).filter(|_| !at.revert) {
            Some(Phase::Impossible(cause)) => return Err(cause.clone()),
            Some(Phase::Open(staging)) => Some(staging.clone()),
            None => None,
        };
        let kept: Vec<DirGrant> = job.dirs.iter().filter(|dir| self.is_kept(dir)).cloned().collect();
        let shared = |staging| Use { staging, is_own: false, txn: Vec::new() };
        let mut uses: Vec<Use> = if let Some(staging) = phase {
            staging.into_iter().map(shared).collect()
        } else {
            let own = Staging::of(&kept, &self.label(Of::Hook { place: place.clone() }), &self.stages)?;
            own.into_iter().map(|own| Use { is_own: true, ..shared(Arc::new(own)) }).collect()
        };
        if self.is_dry {
            let txn =
                job.dirs.iter().filter(|dir| dir.mode == DirMode::Txn).filter_map(|dir| dir.host.as_deref().map(PathBuf::from)).collect();
            for dir in job.dirs.iter_mut().filter(|dir| is_lasting(dir)) {
                dir.mode = DirMode::Discard;
            }
            uses.extend(self.dry.clone().map(|staging| Use { staging, is_own: false, txn }));
        }
        Ok(uses)
    }

    /// How a job ended, in the words of this run: a dry run that can't try something here has not seen it fail.
    #[must_use]
    pub fn said(&self, execution: &Execution) -> Outcome {
        match execution.said_outcome() {
            Outcome::Failed { cause: Cause::Unsupported { needs } } if self.is_dry => {
                Outcome::Skipped { reason: SkipReason::NotTried { why: needs } }
            }
            outcome => outcome,
        }
    }

    /// The host steps before a hook that a dry run skipped: what the hook does may depend on them.
    #[must_use]
    pub fn skipped_before(&self, plan: &Plan, decisions: &Decisions, at: At) -> Vec<StepName> {
        if !self.is_dry || !matches!(plan.steps[at.step].kind, PlanStepKind::Phase { .. }) {
            return Vec::new();
        }
        let skipped = |decided: &[Decision]| decided.contains(&Decision::Skip(SkipReason::DryRun));
        let before = plan.steps.iter().zip(&decisions.by_step).take(at.step);
        before.filter(|(_, decided)| skipped(decided)).map(|(step, _)| step.name.clone()).collect()
    }

    /// What a dry run would have changed.
    #[must_use]
    pub fn would_change(&self) -> Option<What> {
        self.is_dry.then(|| dry::would_change(self.dry.as_deref()))
    }

    /// Drops what a dry run staged.
    ///
    /// # Errors
    /// What is left, and why.
    pub fn end(&self) -> Result<(), StageError> {
        self.dry.as_ref().map_or(Ok(()), |staging| staging.discard())
    }

    /// Whether writes through a grant end with its hook or its phase; those that would last are a dry run's.
    const fn is_kept(&self, dir: &DirGrant) -> bool {
        match dir.mode {
            DirMode::Discard => true,
            DirMode::Txn | DirMode::Write => !self.is_dry,
            DirMode::Read | DirMode::Scratch => false,
        }
    }

    fn label(&self, of: Of) -> Label {
        Label::of_run(&self.target, &self.run, of)
    }
}

/// Whether a hook would change something for good through this grant.
const fn is_lasting(dir: &DirGrant) -> bool {
    matches!(dir.mode, DirMode::Write | DirMode::Txn)
}

/// The grant as a dry run gives it.
fn tried(dir: &DirGrant) -> DirGrant {
    DirGrant { mode: DirMode::Discard, ..dir.clone() }
}

fn lies_in(inner: &DirGrant, outer: &DirGrant) -> bool {
    let host = |dir: &DirGrant| dir.host.clone().map(PathBuf::from);
    host(inner).zip(host(outer)).is_some_and(|(inner, outer)| inner != outer && inner.starts_with(outer))
}

/// Whether what succeeds there is done only when its whole phase is committed.
#[must_use]
pub fn is_committed_as_one(plan: &Plan, at: At) -> bool {
    matches!(&plan.steps[at.step].kind, PlanStepKind::Phase { policy, .. } if policy.files == Files::Commit && !at.revert)
}

/// Records whether a hook of a phase that is committed as one whole counts.
///
/// # Errors
/// [`LedgerError`] if it could not be recorded.
pub fn counts(journal: &mut Journal<'_>, key: &Key, digest: &Digest, resolution: Resolution) -> Result<(), LedgerError> {
    let what = What::Resolved { place: key.place.clone(), release: key.release.clone(), resolution, by: None };
    journal.record(what, Some((key, digest)), Durability::Now)
}

/// What waits for something else to be durable.
#[derive(Default)]
pub struct Held {
    /// Commits that are done: forgotten when the outcomes of their hooks are durable.
    applied: Vec<Applied>,
    /// Executions that count when their phase is committed.
    back: BTreeMap<usize, Vec<(Key, Digest)>>,
}

impl Held {
    /// Keeps a commit until the next durable record.
    pub fn keep(&mut self, applied: Option<Applied>) {
        self.applied.extend(applied);
    }

    /// Whether no commit waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty()
    }

    /// Keeps an execution until its phase is over.
    pub fn hold_back(&mut self, step: usize, key: Key, digest: Digest) {
        self.back.entry(step).or_default().push((key, digest));
    }

    /// What a phase's hooks did counts when its stage is committed, and not at all when it isn't.
    ///
    /// # Errors
    /// [`LedgerError`] if it could not be recorded.
    pub fn phase_ended(&mut self, step: usize, outcome: &Outcome, journal: &mut Journal<'_>) -> Result<(), LedgerError> {
        let resolution = if outcome.is_ok() { Resolution::MarkDone } else { Resolution::MarkNotRun };
        self.back.remove(&step).unwrap_or_default().iter().try_for_each(|(key, digest)| counts(journal, key, digest, resolution))
    }

    /// Forgets the commits whose outcomes are durable; what can't be removed is said.
    pub fn let_go(&mut self) -> Vec<StageError> {
        self.applied.drain(..).filter_map(|applied| applied.forget().err()).collect()
    }
}

/// Runs `job` over its stages, asks whether it took, and ends the stages that are its own.
///
/// # Errors
/// [`ExecError`] if the machinery failed; a decided commit that can't be finished is such a failure, and the next run finishes it.
pub async fn carry_out(
    executor: &dyn Executor,
    job: &Job,
    around: Surroundings,
    uses: Vec<Use>,
    verify: Option<&Verify>,
) -> Result<Done, ExecError> {
    if uses.is_empty() {
        return Ok(Done::of(verified(executor, job, around, verify).await?));
    }
    let uses = Arc::new(uses);
    let views = {
        let (uses, dirs) = (Arc::clone(&uses), job.dirs.clone());
        blocking("staging directories", move || {
            uses.iter().map(|used| used.staging.views(&dirs)).collect::<Result<Vec<_>, _>>().map(|views| views.concat())
        })
        .await?
    };
    let views = match views {
        Ok(views) => views,
        Err(cause) => return Ok(Done::of(Execution::not_started(Outcome::Failed { cause }))),
    };
    let execution = verified(executor, job, around.staging(views), verify).await?;
    let succeeded = execution.said_outcome().is_ok();
    let ended = blocking("ending a stage", move || end(&uses, succeeded)).await?;
    Ok(settle(execution, ended)?.only_of(&job.dirs))
}

/// Runs `job` over stages of its own, outside of any run.
///
/// # Errors
/// [`ExecError`] as in [`carry_out`], or if the stage can't be removed.
pub async fn carry_out_alone(executor: &dyn Executor, job: &Job, around: Surroundings, stages: &Stages) -> Result<Execution, ExecError> {
    let own = match Staging::of(&job.dirs, &Label::of_guest(), stages) {
        Ok(own) => own,
        Err(cause) => return Ok(Execution::not_started(Outcome::Failed { cause })),
    };
    let uses = own.into_iter().map(|own| Use { staging: Arc::new(own), is_own: true, txn: Vec::new() }).collect();
    let done = carry_out(executor, job, around, uses, None).await?;
    done.applied.map_or(Ok(()), Applied::forget).map_err(|error| ExecError::new("removing a stage", error))?;
    Ok(done.execution)
}

/// Commits the stage of a whole phase.
///
/// # Errors
/// [`ExecError`] as in [`carry_out`].
pub async fn commit(staging: Option<Arc<Staging>>) -> Result<Done, ExecError> {
    let uses = staging.into_iter().map(|staging| Use { staging, is_own: true, txn: Vec::new() }).collect::<Vec<_>>();
    let ended = blocking("committing a phase", move || end(&uses, true)).await?;
    settle(Execution::not_started(Outcome::Succeeded), ended)
}

type Ended = (Vec<Observed>, Result<Option<Applied>, NotCommitted>);

fn settle(mut execution: Execution, (observed, end): Ended) -> Result<Done, ExecError> {
    let applied = match end {
        Ok(applied) => applied,
        Err(NotCommitted::Refused(cause)) => {
            execution.outcome = Outcome::Failed { cause };
            None
        }
        Err(NotCommitted::Broken(message)) => return Err(ExecError::new("committing what a hook wrote", message)),
    };
    let stages: Vec<StagedDir> = observed.iter().flat_map(|observed| observed.stages.clone()).collect();
    let stages = (!stages.is_empty()).then_some(stages);
    let files = observed.into_iter().map(|observed| observed.files).reduce(FileChanges::and);
    Ok(Done { execution, files, stages, applied })
}

/// What was changed, and the end of what is the job's own.
fn end(uses: &[Use], succeeded: bool) -> Ended {
    let mut observed = Vec::new();
    let mut end = Ok(None);
    for used in uses {
        match used.staging.observe(if succeeded { &[] } else { &used.txn }) {
            Ok(seen) => observed.push(seen),
            Err(cause) => end = Err(NotCommitted::Refused(cause)),
        }
    }
    for used in uses.iter().filter(|used| used.is_own) {
        if succeeded && end.is_ok() {
            end = used.staging.commit();
        } else if let Err(error) = used.staging.discard() {
            tracing::warn!(%error, "a stage could not be removed");
        }
    }
    (observed, end)
}

async fn blocking<T: Send + 'static>(doing: &'static str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ExecError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ExecError::new(doing, error))
}

/// The warning about a stage that could not be removed.
#[must_use]
pub fn left_behind(error: &StageError) -> What {
    What::Warning { code: codes::STAGE_LEFT.to_owned(), message: format!("{error}; the next run in that directory removes it") }
}

/// The warning about what a commit left to somebody else, in the stage's words.
#[must_use]
pub fn left_to_others(left: &str) -> What {
    let message = format!("not all of a commit was done: {left}; the rest was committed; look at it, then remove what was kept");
    What::Warning { code: codes::STAGE_KEPT.to_owned(), message }
}

/// Which hooks of a dead run a stage stands for.
#[must_use]
pub fn places(plan: &Plan, label: &Label) -> Vec<Place> {
    match &label.of {
        Of::Hook { place } => vec![place.clone()],
        Of::Phase { step } => {
            let named = plan.steps.iter().enumerate().filter(|(_, it)| it.name == *step);
            named
                .flat_map(|(index, it)| lifecycle::slots(&it.kind).map(move |slot| lifecycle::place(plan, At::main(index, slot))))
                .collect()
        }
        Of::DryRun | Of::Guest => Vec::new(),
    }
}
