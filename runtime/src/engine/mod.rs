//! The engine: takes a prepared plan and gives back a report. A hook that fails is data in the report; an engine that fails is an [`Error`].

mod driver;
mod dry;
mod expand;
pub mod gate;
pub mod job;
pub mod journal;
pub(crate) mod keep;
pub mod lifecycle;
pub mod lines;
pub mod machine;
pub mod pending;
pub(crate) mod ready;
pub mod replay;
pub mod resolve;
pub mod resume;
mod salvage;
pub mod staging;
pub mod stop;
pub mod trigger;
pub mod undo;
pub mod watch;

#[cfg(test)]
mod tests;

pub use driver::DriveError;
pub use job::Blobs;
pub use journal::{Clock, Sink, Writers};
pub use staging::Stages;
pub use stop::Stop;
pub use trigger::{Idle, LastCommit};

use crate::diagnostic::codes;
use crate::exec::{Executor, Hold};
use crate::ledger::{LedgerError, RunRecord, Target};
use crate::model::event::{Earlier, Place, RunHeader, Status, Trigger, What};
use crate::model::grant::{EnvSource, OutputRef};
use crate::model::id::{Commit, Digest, RunId};
use crate::model::outcome::SkipReason;
use crate::plan::{Notice, Plan, PlanHook, PlanStepKind, difference};
use crate::report::Report;
use crate::stage::StageError;
use driver::Setting;
use gate::{Changed, Decisions, Snapshot};
use job::Supplies;
use journal::Journal;
use keep::Keep;
use machine::Machine;
use resume::Base;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What runs jobs, by kind of guest.
#[derive(Clone)]
pub struct Executors {
    /// Runs modules and components.
    pub wasm: Arc<dyn Executor>,
    /// Runs native commands.
    pub native: Arc<dyn Executor>,
    /// Carries out host steps in code.
    pub in_code: Arc<dyn Executor>,
}

/// Checks what a hook needs, on the tree of the moment just before its phase.
pub trait Checks: Send + Sync {
    /// Everything that is wrong; empty if it can start.
    fn check(&self, hook: &PlanHook) -> Vec<String>;
}

/// A plan and everything that doesn't stand in it.
pub struct Prepared {
    /// The run's name.
    pub run: RunId,
    /// The plan.
    pub plan: Plan,
    /// The planned bytes.
    pub blobs: Blobs,
    /// The app environment with its values.
    pub app_env: BTreeMap<String, String>,
    /// Whether the release's marker file existed when the plan was made.
    pub marker_present: bool,
    /// Writes the release's marker file.
    pub write_marker: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// The checks before each phase.
    pub checks: Box<dyn Checks>,
    /// Whether a tag that points to another commit than before is taken as it is.
    pub accept_moved_tag: bool,
    /// Whether it goes on with the last unfinished run.
    pub resume: bool,
    /// Whether it is the first run of a container or machine.
    pub at_start: bool,
    /// Where the commit of the last success is kept.
    pub last_commit: LastCommit,
}

/// Why a run could not be carried out. A hook's failure is none: it stands in the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger or an executor failed while the run was on.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The directories of a dry run can't be staged together.
    #[error("nothing was tried: {0}")]
    NotStaged(crate::model::outcome::Cause),
    /// What a run that died left in staged directories can't be brought to an end.
    #[error(
        "what a run that died left in staged directories can't be brought to an end: {0}; mend that and run again: nothing works on them before"
    )]
    NotRecovered(#[source] StageError),
    /// The plan of an earlier run can't be read.
    #[error("the plan of run {run} can't be read: {source}")]
    OldPlan {
        /// The run.
        run: RunId,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// What has to be known before a plan can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready(Decisions),
    /// It is refused, for these reasons.
    Refused(Vec<Notice>),
}

/// Runs plans.
pub struct Runner {
    executors: Executors,
    writers: Writers,
    hold: Hold,
    stages: Stages,
}

impl Runner {
    /// A runner over these executors, writing to `writers`.
    #[must_use]
    pub fn new(executors: Executors, writers: Writers, stages: Stages) -> Self {
        Self { executors, writers, hold: Hold::default(), stages }
    }

    /// Keeps `hold` (the lock) until nothing is left of anything that ran, also if the run's future is dropped.
    #[must_use]
    pub fn holding(self, hold: Hold) -> Self {
        Self { hold, ..self }
    }

    /// What the gate decides on `prepared`, without running anything: what `plan` shows is what [`run`](Self::run) does.
    ///
    /// # Errors
    /// [`Error`] if the ledger can't be read.
    pub fn readiness(&self, prepared: &Prepared) -> Result<Readiness, Error> {
        Ok(match self.base(prepared)? {
            Ok(base) => self.decided(prepared, base.as_ref())?,
            Err(reason) => Readiness::Refused(vec![reason]),
        })
    }

    /// Why there would be nothing to run if only a change of the commit were a reason. What a dead run left behind is one too.
    ///
    /// # Errors
    /// [`Error`] if the ledger can't be read.
    pub fn idle(&self, prepared: &Prepared) -> Result<Option<Idle>, Error> {
        let plan = &prepared.plan;
        if let Some(ledger) = &self.writers.ledger
            && ledger.unfinished(&target(plan))?.is_some()
        {
            return Ok(None);
        }
        Ok(match &plan.commit {
            None => Some(Idle::UnknownRevision),
            Some(commit) => (self.last_success(prepared)?.as_ref() == Some(commit)).then_some(Idle::CommitUnchanged),
        })
    }

    fn last_success(&self, prepared: &Prepared) -> Result<Option<Commit>, LedgerError> {
        match (&prepared.last_commit, &self.writers.ledger) {
            (LastCommit::InFile { commit, .. }, _) => Ok(commit.clone()),
            (LastCommit::InLedger, Some(ledger)) => Ok(ledger.last_success(&target(&prepared.plan))?.and_then(|run| run.commit)),
            (LastCommit::InLedger, None) => Ok(None),
        }
    }

    fn trigger(&self, prepared: &Prepared) -> Result<Trigger, LedgerError> {
        let last = self.writers.ledger.as_ref().map(|ledger| ledger.runs(&target(&prepared.plan), 1)).transpose()?.unwrap_or_default();
        let last_success = self.last_success(prepared)?;
        Ok(trigger::of(prepared.plan.commit.as_ref(), prepared.at_start, last_success.as_ref(), last.first()))
    }

    fn decided(&self, prepared: &Prepared, base: Option<&Base>) -> Result<Readiness, Error> {
        let snapshot = self.snapshot(prepared)?;
        if let Some(moved) = self.moved_tag(prepared)? {
            return Ok(Readiness::Refused(vec![moved]));
        }
        Ok(match gate::decide(&prepared.plan, &snapshot) {
            Ok(decisions) => {
                let decisions = base.map_or_else(|| decisions.clone(), |base| base.over(decisions.clone()));
                let hopeless = gate::hopeless(&prepared.plan, &decisions, prepared.at_start);
                if hopeless.is_empty() { Readiness::Ready(decisions) } else { Readiness::Refused(hopeless) }
            }
            Err(changed) => Readiness::Refused(changed.iter().map(changed_notice).collect()),
        })
    }

    /// Runs a plan to its end. The caller holds the lock.
    ///
    /// # Errors
    /// [`Error`] if the ledger or an executor failed; whatever was recorded by then stays.
    pub async fn run(&mut self, prepared: &Prepared, stop: &Stop) -> Result<Report, Error> {
        self.recover(prepared, stop).await?;
        let keep = Keep::new(&self.stages, target(&prepared.plan), prepared.run.clone());
        self.carry_out(prepared, stop, keep).await
    }

    /// Tries a plan and leaves nothing behind: what its hooks write is staged, shown and dropped, host steps are skipped, and nothing is
    /// recorded. Needs no lock; a run that died is left for a real one.
    ///
    /// # Errors
    /// [`Error`] if the ledger can't be read, or an executor failed.
    pub async fn dry_run(&mut self, prepared: &Prepared, stop: &Stop) -> Result<Report, Error> {
        let keep = Keep::dry(&self.stages, target(&prepared.plan), prepared.run.clone(), &prepared.plan).map_err(Error::NotStaged)?;
        self.carry_out(prepared, stop, keep).await
    }

    async fn carry_out(&mut self, prepared: &Prepared, stop: &Stop, mut keep: Keep) -> Result<Report, Error> {
        let base = match self.base(prepared)? {
            Ok(base) => base,
            Err(reason) => return Ok(refused(prepared, vec![reason])),
        };
        let decisions = match self.decided(prepared, base.as_ref())? {
            Readiness::Ready(decisions) => decisions,
            Readiness::Refused(reasons) => return Ok(refused(prepared, reasons)),
        };
        let decisions = if keep.is_dry() { dry::decisions(&prepared.plan, decisions) } else { decisions };
        let attempts = self.attempts(prepared)?;
        let trigger = self.trigger(prepared)?;
        let outputs = self.earlier_outputs(&prepared.plan, &decisions)?;
        if keep.is_dry() {
            self.writers.ledger = None;
        }
        let mut journal = Journal::new(&mut self.writers, prepared.run.clone(), 0);
        let (resumes, earlier) = base.map(|base| (base.run, base.said)).unzip();
        let (json, digest) = prepared.plan.written().map_err(|source| Error::OldPlan { run: prepared.run.clone(), source })?;
        let header = header(prepared, digest, keep.is_dry());
        let header = RunHeader { resumes, earlier: earlier.unwrap_or_default(), trigger: Some(trigger), ..header };
        open(&mut journal, prepared, header, &json, &decisions)?;
        let machine = Machine::new(lifecycle::of(&prepared.plan, &decisions));
        let is_dry = keep.is_dry();
        let marker = || if is_dry { Ok(()) } else { write_marker(prepared, &decisions) };
        let commit = || if is_dry { Ok(()) } else { write_commit(prepared) };
        let setting = Setting {
            plan: &prepared.plan,
            decisions: &decisions,
            executors: &self.executors,
            supplies: Supplies { app_env: &prepared.app_env, blobs: &prepared.blobs, run: &prepared.run, outputs },
            checks: &*prepared.checks,
            attempts,
            stop,
            hold: &self.hold,
            keep: &mut keep,
            after_hooks: &marker,
            after_success: &commit,
        };
        driver::drive(machine, setting, &mut journal).await?;
        if let Err(error) = keep.end() {
            journal.record(keep::left_behind(&error), None, crate::ledger::Durability::Later)?;
        }
        Ok(journal.report())
    }

    /// Finishes what a dead run owes: its pending `always` steps, journaled as its own. What was in flight becomes `unknown`.
    async fn recover(&mut self, prepared: &Prepared, stop: &Stop) -> Result<(), Error> {
        let Some(ledger) = &self.writers.ledger else { return Ok(()) };
        let Some(dead) = ledger.unfinished(&target(&prepared.plan))? else {
            return salvage::salvage(&prepared.plan, None, &self.stages)?.forget().map_err(Error::NotRecovered);
        };
        let plan = plan_of(&dead)?;
        let events = ledger.events(&dead.run)?;
        let mut remains = replay::remains(&plan, &events);
        let decisions = Decisions { by_step: replay::everything_runs(&plan), ..Decisions::default() };
        let mut journal = Journal::new(&mut self.writers, dead.run.clone(), remains.next_seq);
        for event in &events {
            journal.replay(event);
        }
        let salvaged = salvage::salvage(&prepared.plan, Some((&dead.run, &plan)), &self.stages)?;
        let outputs = undo::handed_on(&events);
        let supplies = Supplies { app_env: &prepared.app_env, blobs: &prepared.blobs, run: &dead.run, outputs };
        let mut keep = Keep::new(&self.stages, target(&prepared.plan), dead.run.clone());
        let checks = &*prepared.checks;
        let setting = Setting {
            plan: &plan,
            decisions: &decisions,
            executors: &self.executors,
            supplies,
            checks,
            attempts: remains.attempts.clone(),
            stop,
            hold: &self.hold,
            keep: &mut keep,
            after_hooks: &|| Ok(()),
            after_success: &|| Ok(()),
        };
        driver::bury(&setting, &mut remains, &salvaged, &mut journal)?;
        salvaged.forget().map_err(Error::NotRecovered)?;
        if remains.began {
            journal.record(died(&dead.run, &remains), None, crate::ledger::Durability::Later)?;
        }
        let ended = if remains.began { remains.ended } else { replay::all(&plan) };
        let owed = if remains.reverting { undo::owed(&plan, &events) } else { Vec::new() };
        driver::drive(Machine::recover(lifecycle::of(&plan, &decisions), ended, owed), setting, &mut journal).await?;
        Ok(())
    }

    /// The run to go on with, if that was asked for; or why there is none.
    fn base(&self, prepared: &Prepared) -> Result<Result<Option<Base>, Notice>, Error> {
        let Some(ledger) = self.writers.ledger.as_ref().filter(|_| prepared.resume) else { return Ok(Ok(None)) };
        let plan = &prepared.plan;
        let Some(base) = resume::base(&**ledger, &target(plan), plan.partial)? else { return Ok(Err(nothing_to_resume(plan))) };
        let changed = difference::differences(&base.plan, plan);
        Ok(if changed.is_empty() { Ok(Some(base)) } else { Err(plan_changed(&base.run, &changed)) })
    }

    fn snapshot(&self, prepared: &Prepared) -> Result<Snapshot, LedgerError> {
        let plan = &prepared.plan;
        let mut snapshot = Snapshot { marker_present: prepared.marker_present, ..Snapshot::default() };
        let Some(ledger) = &self.writers.ledger else { return Ok(snapshot) };
        let target = target(plan);
        let release = gate::release_of(plan, crate::model::policy::Gate::Once, &prepared.run);
        snapshot.memories = ledger.memories(&target, &release)?.into_iter().map(|(key, memory)| (key.place, memory)).collect();
        snapshot.unresolved = ledger.unresolved(&target)?.into_iter().map(|(key, memory)| (key.place, (key.release, memory))).collect();
        snapshot.last_success = self.last_success(prepared)?;
        snapshot.release_known = !snapshot.memories.is_empty();
        Ok(snapshot)
    }

    /// What hooks reported that are done since an earlier run: later hooks may name it all the same.
    fn earlier_outputs(&self, plan: &Plan, decisions: &Decisions) -> Result<job::Outputs, Error> {
        let mut outputs = job::Outputs::new();
        let Some(ledger) = &self.writers.ledger else { return Ok(outputs) };
        for (step, decided) in decisions.by_step.iter().enumerate() {
            for (slot, decision) in decided.iter().enumerate() {
                let machine::Decision::Skip(SkipReason::AlreadyDone { run }) = decision else { continue };
                let place = lifecycle::place(plan, machine::At::main(step, slot));
                let (Ok(run), Some(hook)) = (RunId::new(run.as_str()), place.hook.clone()) else { continue };
                if !is_named(plan, &place) {
                    continue;
                }
                let reported = ledger.events(&run)?.into_iter().filter_map(|event| match event.what {
                    What::Finished { place: other, result } if other == place => Some(result.outputs),
                    _ => None,
                });
                let reported = reported.flatten().collect();
                outputs.insert((place.step, hook), reported);
            }
        }
        Ok(outputs)
    }

    fn attempts(&self, prepared: &Prepared) -> Result<BTreeMap<Place, u32>, LedgerError> {
        Ok(self.snapshot(prepared)?.memories.into_iter().map(|(place, memory)| (place, memory.attempts)).collect())
    }

    fn moved_tag(&self, prepared: &Prepared) -> Result<Option<Notice>, LedgerError> {
        let plan = &prepared.plan;
        let (Some(ledger), Some(tag), Some(commit)) = (&self.writers.ledger, &plan.tag, &plan.commit) else { return Ok(None) };
        let known = ledger.commit_of_tag(&target(plan), tag)?.filter(|known| known != commit && !prepared.accept_moved_tag);
        Ok(known.map(|known| Notice {
            code: "moved-tag".to_owned(),
            message: format!("tag {tag} pointed to {known} when it was deployed, and now points to {commit}: deploy a new tag, or take it with --accept-moved-tag"),
        }))
    }
}

/// Whether anything of the plan names an output of the hook at `place`.
fn is_named(plan: &Plan, place: &Place) -> bool {
    let of = |reference: &OutputRef| reference.phase == place.step && Some(&reference.hook) == place.hook.as_ref();
    plan.steps.iter().any(|step| match &step.kind {
        PlanStepKind::Phase { hooks, .. } => {
            hooks.iter().flat_map(|hook| &hook.grants.env).any(|env| matches!(&env.source, EnvSource::Output(reference) if of(reference)))
        }
        PlanStepKind::Host { command, .. } => {
            command.iter().flat_map(|command| &command.env).any(|name| OutputRef::parse(name).is_some_and(|reference| of(&reference)))
        }
        PlanStepKind::Fact { .. } => false,
    })
}

/// Whose history a plan belongs to.
#[must_use]
pub fn target(plan: &Plan) -> Target {
    Target { app: plan.app.clone(), environment: plan.environment.clone() }
}

fn changed_notice(changed: &Changed) -> Notice {
    Notice { code: "hook-changed".to_owned(), message: changed.to_string() }
}

/// The report of a run that was refused before it began: nothing of it is recorded.
fn refused(prepared: &Prepared, reasons: Vec<Notice>) -> Report {
    let mut report = Report::not_started(Status::Refused).of(&header(prepared, prepared.plan.digest(), false));
    report.notices = reasons.into_iter().map(|Notice { code, message }| crate::report::Notice { code, message }).collect();
    report
}

/// The plan that a run was begun with.
///
/// # Errors
/// [`Error::OldPlan`] if it isn't one.
pub fn plan_of(record: &RunRecord) -> Result<Plan, Error> {
    serde_json::from_str(&record.plan).map_err(|source| Error::OldPlan { run: record.run.clone(), source })
}

fn nothing_to_resume(plan: &Plan) -> Notice {
    let message = format!(
        "there is nothing to resume: no run of {} in {} was cut off or failed since the last success; run without --resume",
        plan.app, plan.environment
    );
    Notice { code: codes::NOTHING_TO_RESUME.to_owned(), message }
}

fn plan_changed(run: &RunId, changed: &[String]) -> Notice {
    let message = format!(
        "run {run} can't be resumed, since the plan changed: {}; undo that, or run without --resume to start from the first step",
        changed.join("; ")
    );
    Notice { code: codes::PLAN_CHANGED.to_owned(), message }
}

fn header(prepared: &Prepared, plan_digest: Digest, dry_run: bool) -> RunHeader {
    let plan = &prepared.plan;
    RunHeader {
        app: plan.app.clone(),
        environment: plan.environment.clone(),
        profile: plan.profile.clone(),
        tag: plan.tag.clone(),
        commit: plan.commit.clone(),
        previous_version: plan.previous_version.clone(),
        plan_digest,
        dry_run,
        resumes: None,
        earlier: Earlier::default(),
        trigger: None,
    }
}

/// What a person should know before a dead run's pending `always` steps run.
fn died(run: &RunId, remains: &replay::Remains) -> What {
    let during = remains.in_flight.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let during = if during.is_empty() { String::new() } else { format!(" during {during}") };
    let reverts = if remains.reverting { "what was being taken back, and " } else { "" };
    let message = format!("run {run} died{during}; {reverts}what always has to run is made up for first");
    What::Warning { code: "run-died".to_owned(), message }
}

/// Opens the run in the journal, with everything a person should know about it.
fn open(journal: &mut Journal<'_>, prepared: &Prepared, header: RunHeader, json: &str, decisions: &Decisions) -> Result<(), Error> {
    let plan = &prepared.plan;
    let release = gate::release_of(plan, crate::model::policy::Gate::Once, &prepared.run);
    let started = What::RunStarted { header: Box::new(header), steps: lifecycle::planned_steps(plan) };
    journal.open(&target(plan), &release, json, started)?;
    for Notice { code, message } in plan.warnings.iter().chain(&decisions.notices).cloned() {
        journal.record(What::Warning { code, message }, None, crate::ledger::Durability::Later)?;
    }
    Ok(())
}

/// Writes the commit to the file that holds that of the last success, where there is one; a run of some hooks isn't that of the commit.
fn write_commit(prepared: &Prepared) -> Result<(), String> {
    let (LastCommit::InFile { path, .. }, Some(commit)) = (&prepared.last_commit, &prepared.plan.commit) else { return Ok(()) };
    if prepared.plan.partial {
        return Ok(());
    }
    crate::ledger::commit_file::write(path, commit)
        .map_err(|error| format!("{} could not be written: {error}; the next run takes the commit for another one", path.display()))
}

/// Writes the marker once, after the release's last hook succeeded; a run of some hooks, or one that the marker stopped, writes none.
fn write_marker(prepared: &Prepared, decisions: &Decisions) -> Result<(), String> {
    let plan = &prepared.plan;
    let hooks = plan
        .steps
        .iter()
        .zip(&decisions.by_step)
        .filter(|(step, _)| matches!(step.kind, crate::plan::PlanStepKind::Phase { .. }))
        .flat_map(|(_, decisions)| decisions);
    let mut ran = hooks.filter(|decision| !matches!(decision, machine::Decision::Skip(SkipReason::Marker { .. })));
    if plan.partial || plan.marker.is_none() || ran.next().is_none() {
        return Ok(());
    }
    (prepared.write_marker)()
}
