//! A person's word on what became of an execution, or of a deployment.

use super::{Engine, Error, target};
use crate::engine::journal::Journal;
use crate::engine::resolve::{self, Execution};
use crate::engine::{Error as RunError, Writers};
use crate::ledger::lock::{Attempt, Holder, Lock, Owner};
use crate::ledger::{Durability, Ledger, Target};
use crate::load::{self, Request};
use crate::model::event::{Event, Place, Resolution, Status, What};
use crate::model::id::RunId;
use crate::model::policy::OnLocked;
use crate::plan::Plan;

/// Why nothing was resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The machinery failed.
    #[error(transparent)]
    Engine(#[from] Error),
    /// Another run has the lock.
    #[error("another run holds the lock: wait for its end")]
    Locked(Box<Holder>),
    /// Nothing ever ran.
    #[error("there is no run of {} in {} yet, so there is nothing to resolve", .0.app, .0.environment)]
    NoRun(Target),
    /// Nothing is called so.
    #[error("there is nothing called {name} to resolve")]
    Unknown {
        /// The name.
        name: String,
        /// What could be resolved.
        could: Vec<String>,
    },
    /// Several are called so.
    #[error("{name} could be {}: name one of them", could.join(" or "))]
    Ambiguous {
        /// The name.
        name: String,
        /// Which.
        could: Vec<String>,
    },
    /// It would change nothing, or nothing that may be changed so.
    #[error("{place} {why}")]
    Useless {
        /// What.
        place: Place,
        /// Why, and the way out.
        why: &'static str,
    },
    /// The run isn't one whose deployment can fail any more.
    #[error("run {run} {why}: only a run that succeeded can be part of a deployment that failed")]
    NotASuccess {
        /// The run.
        run: RunId,
        /// How it is instead.
        why: String,
    },
}

/// What was said of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved {
    /// Which.
    pub place: Place,
    /// Of which release.
    pub release: String,
    /// In which run's journal it stands.
    pub run: RunId,
    /// What.
    pub resolution: Resolution,
}

impl Engine {
    /// Records what became of an execution, or what is to become of it. `name` is `phase/hook[@instance]`, a host step's name, or an id that
    /// only one has. The lock is taken for it; a run that is on is waited for as the profile says.
    ///
    /// # Errors
    /// [`ResolveError`]; nothing was recorded then.
    pub async fn resolve(&self, request: &Request, name: &str, resolution: Resolution) -> Result<Resolved, ResolveError> {
        let request = self.complete(request);
        let declared = load::declare(&request).map_err(Error::from)?;
        let target = target(&declared);
        let _lock = self.alone(&target, declared.profile.on_locked).await?;
        let ledger = self.ledgers.open().map_err(Error::from)?;
        let Some(newest) = ledger.runs(&target, 1).map_err(Error::from)?.pop() else { return Err(ResolveError::NoRun(target)) };
        let mut known = resolve::waiting(&*ledger, &target).map_err(Error::from)?;
        // What waits can be resolved also where nothing can be planned any more.
        let plan = Box::pin(load::prepare(declared, &Request { fetch: None, ..request }, self.new_run(), &self.probe)).await;
        match plan {
            Ok(prepared) => add_planned(&*ledger, &prepared.plan, &newest.run, &mut known)?,
            Err(error) if !known.iter().any(|execution| execution.is_called(name)) => return Err(Error::from(error).into()),
            Err(_) => {}
        }
        let execution = chosen(name, &known, resolution)?;
        self.say(ledger, &execution, resolution)?;
        let Execution { key, run, .. } = execution;
        Ok(Resolved { place: key.place, release: key.release, run, resolution })
    }

    /// Records that the deployment which `run` was part of was not completed: the run's effects are kept, and it doesn't count as a success.
    ///
    /// # Errors
    /// [`ResolveError`]; nothing was recorded then.
    pub async fn deploy_failed(&self, request: &Request, run: &RunId) -> Result<(), ResolveError> {
        let declared = load::declare(&self.complete(request)).map_err(Error::from)?;
        let target = target(&declared);
        let _lock = self.alone(&target, declared.profile.on_locked).await?;
        let ledger = self.ledgers.open().map_err(Error::from)?;
        let runs = ledger.runs(&target, usize::MAX).map_err(Error::from)?;
        let status = runs.into_iter().find(|record| record.run == *run).map(|record| record.status);
        match status {
            Some(Some(Status::Success)) => {}
            Some(Some(other)) => return Err(ResolveError::NotASuccess { run: run.clone(), why: format!("ended as {}", other.word()) }),
            Some(None) => return Err(ResolveError::NotASuccess { run: run.clone(), why: "has no end".to_owned() }),
            None => {
                let why = format!("is none of {} in {}", target.app, target.environment);
                return Err(ResolveError::NotASuccess { run: run.clone(), why });
            }
        }
        let detail = "effects kept, deployment not completed".to_owned();
        Ok(self.afterwards(ledger, run, |journal, by| journal.record(What::DeployFailed { by, detail }, None, Durability::Now))?)
    }

    /// Takes the lock away from whoever holds it, and records that in the journal of the run that is cut off. `None` if nobody holds it.
    ///
    /// # Errors
    /// [`Error`] if the lock or the ledger can't be used.
    pub fn unlock(&self, target: &Target) -> Result<Option<Holder>, Error> {
        let Some(holder) = Lock::break_open(&self.state, target)? else { return Ok(None) };
        let ledger = self.ledgers.open()?;
        let Some(cut_off) = ledger.unfinished(target)? else { return Ok(Some(holder)) };
        let owner = match &holder {
            Holder::Known(owner) => format!("{}@{} (process {}, since {})", owner.user, owner.host, owner.pid, owner.since),
            Holder::Unknown => "an unknown owner".to_owned(),
        };
        self.afterwards(ledger, &cut_off.run, |journal, by| journal.record(What::Unlocked { by, owner }, None, Durability::Now))?;
        Ok(Some(holder))
    }

    fn say(&self, ledger: Box<dyn Ledger>, execution: &Execution, resolution: Resolution) -> Result<(), Error> {
        let Execution { key, digest, run, .. } = execution;
        self.afterwards(ledger, run, |journal, by| {
            let what = What::Resolved { place: key.place.clone(), release: key.release.clone(), resolution, by: Some(by) };
            journal.record(what, Some((key, digest)), Durability::Now)
        })
    }

    /// Adds to the journal of a run that isn't on.
    fn afterwards(
        &self,
        ledger: Box<dyn Ledger>,
        run: &RunId,
        add: impl FnOnce(&mut Journal<'_>, String) -> Result<(), crate::ledger::LedgerError>,
    ) -> Result<(), Error> {
        let next = ledger.events(run)?.last().map_or(0, |event: &Event| event.seq + 1);
        let owner = Owner::of_this_process(&self.command, (self.clock)());
        let mut writers = Writers { ledger: Some(ledger), sinks: self.sinks.clone(), clock: self.clock.clone() };
        let mut journal = Journal::new(&mut writers, run.clone(), next);
        Ok(add(&mut journal, format!("{}@{}", owner.user, owner.host))?)
    }

    /// The lock, for a moment.
    async fn alone(&self, target: &Target, on_locked: OnLocked) -> Result<Lock, ResolveError> {
        match self.lock(target, on_locked).await.map_err(Error::from)? {
            Attempt::Held(lock) => Ok(lock),
            Attempt::Busy(holder) => Err(ResolveError::Locked(Box::new(holder))),
        }
    }
}

/// Adds what can be planned. What waits stands already, and gets the digest that it has now: a person says it of what is there.
fn add_planned(ledger: &dyn Ledger, plan: &Plan, newest: &RunId, known: &mut Vec<Execution>) -> Result<(), ResolveError> {
    for planned in resolve::planned(ledger, plan, newest).map_err(|error: RunError| Error::from(error))? {
        match known.iter_mut().find(|known| known.key.place == planned.key.place) {
            Some(known) if known.key == planned.key => known.digest = planned.digest,
            Some(_) => {}
            None => known.push(planned),
        }
    }
    Ok(())
}

/// The one that `name` means.
fn chosen(name: &str, known: &[Execution], resolution: Resolution) -> Result<Execution, ResolveError> {
    let called: Vec<&Execution> = known.iter().filter(|execution| execution.is_called(name)).collect();
    let names = |executions: &[&Execution]| executions.iter().map(|execution| execution.key.place.to_string()).collect::<Vec<_>>();
    match called[..] {
        [] => {
            let could: Vec<&Execution> = known.iter().filter(|execution| execution.can_be(resolution)).collect();
            Err(ResolveError::Unknown { name: name.to_owned(), could: names(&could) })
        }
        [one] if one.can_be(resolution) => Ok(one.clone()),
        [one] => Err(ResolveError::Useless { place: one.key.place.clone(), why: why_not(resolution) }),
        _ => Err(ResolveError::Ambiguous { name: name.to_owned(), could: names(&called) }),
    }
}

const fn why_not(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Retry => "is not waiting to be tried again: if it is done and is to run once more, use --mark-not-run",
        Resolution::MarkDone => "is done already",
        Resolution::MarkNotRun => "never ran for this release",
    }
}
