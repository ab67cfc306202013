//! The engine: takes a prepared plan and gives back a report. A hook that fails is data in the report; an engine that fails is an [`Error`].

mod bury;
mod dead;
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
mod marks;
pub mod open;
mod opening;
mod outputs;
pub mod pending;
pub mod preflight;
mod prepared;
mod readiness;
pub(crate) mod ready;
mod recover;
pub mod replay;
pub mod resolve;
pub mod resume;
mod salvage;
pub mod staging;
pub mod stop;
pub mod trigger;
pub mod undo;
mod verify;
pub mod watch;

#[cfg(test)]
mod tests;

pub use driver::DriveError;
pub use job::Blobs;
pub use journal::{Clock, Sink, Writers};
pub use prepared::{Checks, Lack, Prepared};
pub use readiness::Readiness;
pub use staging::Stages;
pub use stop::Stop;
pub use trigger::{Idle, LastCommit};

use crate::exec::{Executor, Hold};
use crate::ledger::{Durability, Ledger, LedgerError, Target};
use crate::model::event::{RunHeader, What};
use crate::model::id::RunId;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::StageError;
use driver::Setting;
use job::Supplies;
use journal::Journal;
use keep::Keep;
use machine::Machine;
use marks::{write_commit, write_marker};
use opening::{header, open, refused};
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
        "what a run that died left in staged directories can't be brought to an end: {0}; then run again: nothing works on them before"
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

/// Runs plans.
pub struct Runner {
    executors: Executors,
    writers: Writers,
    hold: Hold,
    stages: Stages,
    /// Whether somebody else is carrying a run out: what it does isn't past.
    beside: bool,
}

impl Runner {
    /// A runner over these executors, writing to `writers`.
    #[must_use]
    pub fn new(executors: Executors, writers: Writers, stages: Stages) -> Self {
        Self { executors, writers, hold: Hold::default(), stages, beside: false }
    }

    /// For looking at what would run, or trying it, while somebody else's run may be on.
    #[must_use]
    pub fn beside(self, is_on: bool) -> Self {
        Self { beside: is_on, ..self }
    }

    /// Keeps `hold` (the lock) until nothing is left of anything that ran, also if the run's future is dropped.
    #[must_use]
    pub fn holding(self, hold: Hold) -> Self {
        Self { hold, ..self }
    }

    /// Runs a plan to its end. The caller holds the lock.
    ///
    /// # Errors
    /// [`Error`] if the ledger or an executor failed; whatever was recorded by then stays.
    pub async fn run(&mut self, prepared: &Prepared, stop: &Stop) -> Result<Report, Error> {
        let found = self.recover(prepared, None, stop).await?;
        let keep = Keep::new(&self.stages, target(&prepared.plan), prepared.run.clone());
        self.carry_out(prepared, stop, keep, found.kept).await
    }

    /// Tries a plan and leaves nothing behind: what its hooks write is staged, shown and dropped, host steps are skipped, and nothing is
    /// recorded. Needs no lock; a run that died is left for a real one.
    ///
    /// # Errors
    /// [`Error`] if the ledger can't be read, or an executor failed.
    pub async fn dry_run(&mut self, prepared: &Prepared, stop: &Stop) -> Result<Report, Error> {
        let keep = Keep::dry(&self.stages, target(&prepared.plan), prepared.run.clone(), &prepared.plan).map_err(Error::NotStaged)?;
        self.carry_out(prepared, stop, keep, Vec::new()).await
    }

    /// Runs a plan that nothing from before stands in the way of; what was `found` is told first.
    async fn carry_out(&mut self, prepared: &Prepared, stop: &Stop, mut keep: Keep, found: Vec<What>) -> Result<Report, Error> {
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
        for what in found {
            journal.record(what, None, Durability::Later)?;
        }
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
            audit: prepared.audit || is_dry,
            keep: &mut keep,
            after_hooks: &marker,
            after_success: &commit,
        };
        driver::drive(machine, setting, &mut journal).await?;
        if let Err(error) = keep.end() {
            journal.record(keep::left_behind(&error), None, Durability::Later)?;
        }
        Ok(journal.report())
    }
}

/// Whose history a plan belongs to.
#[must_use]
pub fn target(plan: &Plan) -> Target {
    Target { app: plan.app.clone(), environment: plan.environment.clone() }
}

/// The plan that a run was begun with.
///
/// # Errors
/// [`Error::OldPlan`] if it isn't one, or if the ledger can't be read.
pub fn plan_of(ledger: &dyn Ledger, run: &RunId) -> Result<Plan, Error> {
    serde_json::from_str(&ledger.plan(run)?).map_err(|source| Error::OldPlan { run: run.clone(), source })
}
