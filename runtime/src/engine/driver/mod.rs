//! Does what the machine says: records, launches, cancels, and feeds back what happened. It decides nothing.

mod launch;
mod ready;
mod record;
mod said;

use super::gate::{self, Decisions};
use super::job::Supplies;
use super::journal::Journal;
use super::keep::{self, Done, Held, Keep};
use super::machine::{At, Effect, Input, LockState, Machine};
use super::ready::{Readiness, StartBy};
use super::stop::Stop;
use super::{Checks, Executors, lifecycle};
use crate::exec::{ExecError, Hold};
use crate::ledger::{Durability, Key, LedgerError};
use crate::model::event::{Place, Status, What};
use crate::model::grant::DirGrant;
use crate::model::id::Digest;
use crate::model::job::{Execution, Stream};
use crate::model::outcome::Outcome;
use crate::plan::{Plan, PlanHook};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Why a run could not be driven to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// Something could not be recorded.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An executor failed.
    #[error(transparent)]
    Executor(#[from] ExecError),
}

/// What a drive needs besides the machine and the journal.
pub struct Setting<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What the gate decided.
    pub decisions: &'a Decisions,
    /// What runs jobs.
    pub executors: &'a Executors,
    /// What jobs are filled with.
    pub supplies: Supplies<'a>,
    /// The checks before a phase.
    pub checks: &'a dyn Checks,
    /// Attempts before this run, by place.
    pub attempts: BTreeMap<Place, u32>,
    /// Asks the run to stop.
    pub stop: &'a Stop,
    /// What stays until nothing of any execution is left.
    pub hold: &'a Hold,
    /// Whether attempts outside every grant are looked at.
    pub audit: bool,
    /// Where staged directories are kept until it is known how their hooks ended.
    pub keep: &'a mut Keep,
    /// What to do when the last phase is over and everything in it succeeded.
    pub after_hooks: &'a (dyn Fn() -> Result<(), String> + Send + Sync),
    /// What to do when the run has succeeded, before that is recorded.
    pub after_success: &'a (dyn Fn() -> Result<(), String> + Send + Sync),
}

/// Something that happened outside.
enum News {
    Output(Place, Stream, String),
    /// Something to record, and who waits for that.
    Said(What, Option<oneshot::Sender<()>>),
    GotReady(At, Result<Readiness, ExecError>),
    Ended(At, Box<Result<Done, ExecError>>),
    Committed(usize, Box<Result<Done, ExecError>>),
}

/// Drives `machine` to its end.
///
/// # Errors
/// [`DriveError`] if the journal or an executor failed; what still ran was stopped then.
pub async fn drive(machine: Machine, setting: Setting<'_>, journal: &mut Journal<'_>) -> Result<Status, DriveError> {
    let (news, mut inbox) = mpsc::unbounded_channel();
    let mut driver = Driver {
        setting,
        journal,
        news,
        tasks: JoinSet::new(),
        cancels: BTreeMap::new(),
        start_by: BTreeMap::new(),
        executions: BTreeMap::new(),
        held: Held::default(),
        step_outputs: BTreeMap::new(),
        step_causes: BTreeMap::new(),
        done: Vec::new(),
        abandoned: Vec::new(),
    };
    let mut machine = machine;
    let mut inputs = VecDeque::from([Input::Start(LockState::Held)]);
    let mut cancelled = false;
    loop {
        while let Some(input) = inputs.pop_front() {
            for effect in machine.handle(input) {
                if let Effect::Finish(status) = effect {
                    driver.leave_nothing()?;
                    return Ok(status);
                }
                if !matches!(effect, Effect::Record(_)) {
                    driver.journal.settle()?;
                }
                inputs.extend(driver.perform(effect)?);
            }
        }
        driver.journal.settle()?;
        let input = tokio::select! {
            biased;
            signal = driver.setting.stop.asked(), if !cancelled => {
                cancelled = true;
                Some(Input::Cancel { signal })
            }
            Some(news) = inbox.recv() => driver.take(news)?,
            Some(ended) = driver.tasks.join_next() => {
                // What an embedder's code does in a task of its own it does to whoever called: nobody else would ever hear of it.
                if let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) {
                    std::panic::resume_unwind(panic);
                }
                None
            }
        };
        inputs.extend(input);
    }
}

struct Driver<'a, 'j> {
    setting: Setting<'a>,
    journal: &'a mut Journal<'j>,
    news: mpsc::UnboundedSender<News>,
    tasks: JoinSet<()>,
    cancels: BTreeMap<At, CancellationToken>,
    /// Until when what is getting ready has to start.
    start_by: BTreeMap<At, StartBy>,
    executions: BTreeMap<At, Done>,
    /// What may be let go, or said of hooks, once something else is durable.
    held: Held,
    step_outputs: BTreeMap<usize, Vec<(String, String)>>,
    /// Why a host step ended as it did, for its line.
    step_causes: BTreeMap<usize, String>,
    /// Steps that ran and did not fail, in order.
    done: Vec<usize>,
    /// What executions that could not be stopped may still write to.
    abandoned: Vec<DirGrant>,
}

impl Driver<'_, '_> {
    fn perform(&mut self, effect: Effect) -> Result<Option<Input>, DriveError> {
        match effect {
            Effect::Record(record) => self.record(record)?,
            Effect::Preflight { step } => return Ok(Some(Input::Preflighted { step, findings: self.preflight(step) })),
            Effect::GetReady(at) => self.get_ready(at),
            Effect::Launch(at) => self.launch(at),
            Effect::Cancel(at) => {
                if let Some(cancel) = self.cancels.get(&at) {
                    cancel.cancel();
                }
            }
            Effect::OpenStage { step } => self.setting.keep.open_phase(self.setting.plan, step),
            Effect::CommitStage { step } => {
                let (staging, news) = (self.setting.keep.take_phase(step), self.news.clone());
                if staging.is_some() {
                    // Whoever finds the commit decided must know which hooks it stands for.
                    self.journal.sync()?;
                }
                self.tasks.spawn(async move {
                    // The receiver is gone only when the run ended with an error.
                    let _ = news.send(News::Committed(step, Box::new(keep::commit(staging).await)));
                });
            }
            Effect::DropStage { step } => self.drop_stage(step)?,
            // The lock is held by whoever called, and falls with the last event.
            Effect::ReleaseLock | Effect::Finish(_) => {}
        }
        Ok(None)
    }

    fn take(&mut self, news: News) -> Result<Option<Input>, DriveError> {
        match news {
            News::Output(place, stream, line) => {
                self.journal.record(What::Output { place, stream, line }, None, Durability::Later)?;
                Ok(None)
            }
            News::Said(what, waits) => {
                self.said(what)?;
                // Who waits no longer was cancelled.
                let _ = waits.map(|waits| waits.send(()));
                Ok(None)
            }
            News::GotReady(at, readiness) => Ok(Some(match readiness? {
                Readiness::Ready => Input::Ready { at },
                Readiness::Ended(outcome) => Input::Ended { at, outcome },
            })),
            News::Committed(step, done) => {
                let done = (*done)?;
                let outcome = done.execution.outcome.clone();
                self.keep(done.applied)?;
                self.held.phase_ended(step, &outcome, self.journal)?;
                Ok(Some(Input::Committed { step, outcome }))
            }
            News::Ended(at, done) => {
                let done = (*done)?;
                let execution = &done.execution;
                self.cancels.remove(&at);
                if matches!(execution.outcome, Outcome::TimedOut { abandoned: true, .. }) {
                    let dirs = self.hook(at).map(|hook| hook.grants.dirs.clone());
                    self.abandoned.extend(dirs.into_iter().flatten());
                }
                let outcome = self.setting.keep.said(execution);
                self.step_outputs.entry(at.step).or_default().extend(execution.outputs.iter().cloned());
                if outcome == Outcome::Succeeded {
                    self.hand_on(at, &done.execution);
                }
                self.executions.insert(at, done);
                Ok(Some(Input::Ended { at, outcome }))
            }
        }
    }

    /// What a hook reported is accepted only after its success.
    fn hand_on(&mut self, at: At, execution: &Execution) {
        let Place { step, hook: Some(hook), .. } = lifecycle::place(self.setting.plan, at) else { return };
        if !at.revert {
            self.setting.supplies.outputs.entry((step, hook)).or_default().extend(execution.outputs.iter().cloned());
        }
    }

    /// What still waits for something durable: what takes back a run that is over has no end of its own that would be.
    fn leave_nothing(&mut self) -> Result<(), LedgerError> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.journal.sync()?;
        for error in self.held.let_go() {
            // Its outcome is recorded, so the next run removes it; and nothing more can be said in a journal that has its end.
            tracing::warn!(%error, "a stage could not be removed");
        }
        Ok(())
    }

    fn drop_stage(&mut self, step: usize) -> Result<(), LedgerError> {
        if let Err(error) = self.setting.keep.take_phase(step).map_or(Ok(()), |staging| staging.discard()) {
            self.journal.record(keep::left_behind(&error), None, Durability::Later)?;
        }
        self.held.phase_ended(step, &Outcome::Cancelled, self.journal)
    }

    fn attempt(&self, place: &Place) -> u32 {
        self.setting.attempts.get(place).copied().unwrap_or(0) + 1
    }

    /// The hook, or what takes it back.
    fn hook(&self, at: At) -> Option<Cow<'_, PlanHook>> {
        lifecycle::hook(self.setting.plan, at)
    }
}

/// The identity and the digest under which an execution is remembered.
fn key(setting: &Setting<'_>, at: At) -> (Key, Digest) {
    gate::execution(setting.plan, at, setting.supplies.run)
}
