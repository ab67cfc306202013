//! A person's word on what became of an execution, or of a deployment.

use super::turn::{Lockout, Patience};
use super::{Engine, Error, heart, target};
use crate::engine::journal::Journal;
use crate::engine::machine::At;
use crate::engine::resolve::{self, Execution};
use crate::engine::undo::{self, Undone};
use crate::engine::{Error as RunError, Runner, Stop, Writers, plan_of, staging};
use crate::exec::Hold;
use crate::ledger::lock::{Holder, Lock, Owner};
use crate::ledger::{Durability, Ledger, Target};
use crate::load::{self, Declared, LoadError, Request};
use crate::model::event::{Event, Place, Resolution, Status, What};
use crate::model::id::RunId;
use crate::model::policy::OnLocked;
use crate::plan::Plan;
use crate::report::Report;
use std::sync::Arc;

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
    /// What is said concerns more than the ledger knows, and there is no manifest.
    #[error("{what}; {missing}")]
    NeedsManifest {
        /// What only the manifest says.
        what: String,
        /// That there is none, with the way out.
        #[source]
        missing: LoadError,
    },
    /// A later run succeeded over what it did.
    #[error("run {run} isn't the newest success: run {since} went on from what it did; say of that one first that its deployment failed")]
    BuiltOn {
        /// The run.
        run: RunId,
        /// The newest success.
        since: RunId,
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
    /// only one has. The lock is taken for it; a run that is on is waited for as the profile says. What a run that died had decided to commit is
    /// finished first, as by any run: of that nobody can say otherwise. Where `request` names the application, what waits needs no manifest.
    ///
    /// # Errors
    /// [`ResolveError`]; nothing of what was said was recorded then.
    pub async fn resolve(&self, request: &Request, name: &str, resolution: Resolution) -> Result<Resolved, ResolveError> {
        let request = self.complete(request);
        let Meant { target, patience, declared } = self.meant(&request)?;
        let _lock = self.by_itself(&target, patience).await?;
        let (ledger, committed) = self.settled(self.ledgers.open().map_err(Error::from)?, &target)?;
        let Some(newest) = ledger.runs(&target, 1).map_err(Error::from)?.pop() else { return Err(ResolveError::NoRun(target)) };
        let mut known = resolve::waiting(&*ledger, &target).map_err(Error::from)?;
        // What waits can be resolved also where nothing can be planned any more.
        let plan = match declared {
            Ok(declared) => Box::pin(load::prepare(declared, &Request { fetch: None, ..request }, self.new_run(), &self.probe)).await,
            Err(missing) => Err(missing),
        };
        match plan {
            Ok(prepared) => add_planned(&*ledger, &prepared.plan, &newest.run, &mut known)?,
            Err(missing @ LoadError::NoManifest(_)) if !known.iter().any(|execution| execution.is_called(name)) => {
                return Err(ResolveError::NeedsManifest { what: nothing_waits(name, &known), missing });
            }
            Err(error) if !known.iter().any(|execution| execution.is_called(name)) => return Err(Error::from(error).into()),
            Err(_) => {}
        }
        let execution = chosen(name, &known, resolution, &committed)?;
        if !committed.contains(&execution.key.place) {
            self.say(ledger, &execution, resolution)?;
        }
        let Execution { key, run, .. } = execution;
        Ok(Resolved { place: key.place, release: key.release, run, resolution })
    }

    /// Records that the deployment which `run` was part of was not completed: the run doesn't count as a success. The `revert`s of its hooks
    /// run, the last first; the effects of hooks without one are kept. What was cut off, or has a revert that failed, is made up for when this
    /// is said again. Where something is to be taken back, what a run that died left behind comes to its end first, as before any run; and that
    /// needs the manifest, whose files and values the reverts have.
    ///
    /// # Errors
    /// [`ResolveError`]. Nothing was recorded then, unless the machinery failed.
    pub async fn deploy_failed(&self, request: &Request, run: &RunId, stop: &Stop) -> Result<Undone, ResolveError> {
        let request = Request { fetch: None, ..self.complete(request) };
        let Meant { target, patience, declared } = self.meant(&request)?;
        let lock = Arc::new(self.by_itself(&target, patience).await?);
        let ledger = self.ledgers.open().map_err(Error::from)?;
        let failed = Failed::find(&*ledger, &target, run)?;
        // What the reverts need is there before anything is said of the run.
        let prepared = if failed.owed.is_empty() {
            None
        } else {
            let what = || format!("what takes back the hooks of run {run} has its files and values from the manifest");
            let declared = declared.map_err(|missing| ResolveError::NeedsManifest { what: what(), missing })?;
            let request = failed.named(request);
            Some(Box::pin(load::prepare(declared, &request, self.new_run(), &self.probe)).await.map_err(Error::from)?)
        };
        if failed.is_news {
            let detail = failed.detail();
            self.afterwards(ledger, run, |journal, by| journal.record(What::DeployFailed { by, detail }, None, Durability::Now))?;
        }
        let ledger = self.ledgers.open().map_err(Error::from)?;
        let Some(prepared) = prepared else {
            return Ok(Undone { report: Report::fold(&ledger.events(run).map_err(Error::from)?), notices: Vec::new() });
        };
        staging::make_scratch(&self.stages).map_err(|source| Error::Scratch { path: self.stages.scratch.clone(), source })?;
        let writers = Writers { ledger: Some(ledger), sinks: self.sinks.clone(), clock: self.clock.clone() };
        let heart = Arc::downgrade(&lock);
        let mut runner = Runner::new(self.executors.clone(), writers, self.stages.clone()).holding(Hold::of(lock));
        tokio::select! {
            report = runner.undo(&prepared, run, &failed.plan, stop) => Ok(report.map_err(Error::from)?),
            never = heart::beat(heart, self.heartbeat) => match never {},
        }
    }

    /// Whose history is meant: as the manifest says, or, where there is none, as `request` names it and its newest run was planned.
    fn meant(&self, request: &Request) -> Result<Meant, ResolveError> {
        let missing = match load::declare(request) {
            Ok(declared) => {
                return Ok(Meant { target: target(&declared), patience: Patience::of(&declared.profile), declared: Ok(declared) });
            }
            Err(error) => error,
        };
        let (LoadError::NoManifest(_), Some(app)) = (&missing, &request.app) else { return Err(Error::from(missing).into()) };
        let target = Target { app: app.clone(), environment: request.environment.clone() };
        let on_locked = match self.ledgers.look().map_err(Error::from)? {
            Some(ledger) => planned_on_locked(&*ledger, &target)?,
            None => None,
        };
        match on_locked {
            Some(on_locked) => Ok(Meant { target, patience: Patience::NONE.over(on_locked), declared: Err(missing) }),
            None => Err(ResolveError::NoRun(target)),
        }
    }

    /// The ledger, with what a run that died had decided to commit finished and recorded, and its executions.
    fn settled(&self, ledger: Box<dyn Ledger>, target: &Target) -> Result<(Box<dyn Ledger>, Vec<Place>), Error> {
        let writers = Writers { ledger: Some(ledger), sinks: self.sinks.clone(), clock: self.clock.clone() };
        let committed = Runner::new(self.executors.clone(), writers, self.stages.clone()).settle(target, &[])?.committed;
        Ok((self.ledgers.open()?, committed))
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
    async fn by_itself(&self, target: &Target, patience: Patience) -> Result<Lock, ResolveError> {
        // A word said of what is past ends nobody.
        match self.lock(target, patience.without_an_end()).await.map_err(Error::from)? {
            Lockout::Ours(lock, _) => Ok(lock),
            Lockout::Theirs(holder, _) => Err(ResolveError::Locked(Box::new(holder))),
        }
    }
}

/// Whose history is meant.
struct Meant {
    target: Target,
    /// How a run that is on is waited for.
    patience: Patience,
    /// What was written of it, or that nothing is.
    declared: Result<Declared, LoadError>,
}

/// What the newest run was to do while another one had the lock; `None` if there is no run.
fn planned_on_locked(ledger: &dyn Ledger, target: &Target) -> Result<Option<OnLocked>, Error> {
    let Some(newest) = ledger.runs(target, 1)?.pop() else { return Ok(None) };
    Ok(Some(plan_of(ledger, &newest.run)?.on_locked))
}

/// That nothing which waits is called so, and what does wait.
fn nothing_waits(name: &str, waiting: &[Execution]) -> String {
    let waits = match names(waiting) {
        none if none.is_empty() => "nothing waits to be resolved".to_owned(),
        waiting => format!("nothing called {name} waits to be resolved (what waits: {})", waiting.join(", ")),
    };
    format!("{waits}, and of what doesn't only the manifest knows")
}

/// A run whose deployment failed.
struct Failed {
    plan: Plan,
    /// What is to be taken back.
    owed: Vec<At>,
    /// Whether nobody has said so before.
    is_news: bool,
}

impl Failed {
    fn find(ledger: &dyn Ledger, target: &Target, run: &RunId) -> Result<Self, ResolveError> {
        let not = |why: String| Err(ResolveError::NotASuccess { run: run.clone(), why });
        let runs = ledger.runs(target, usize::MAX).map_err(Error::from)?;
        let Some(index) = runs.iter().position(|record| record.run == *run) else {
            return not(format!("is none of {} in {}", target.app, target.environment));
        };
        let (newer, record) = (&runs[..index], &runs[index]);
        if let Some(since) = newer.iter().find(|newer| newer.status == Some(Status::Success) && !newer.dry_run && !newer.partial) {
            return Err(ResolveError::BuiltOn { run: run.clone(), since: since.run.clone() });
        }
        let plan = plan_of(ledger, &record.run).map_err(Error::from)?;
        let owed = undo::owed(&plan, &ledger.events(run).map_err(Error::from)?);
        match record.status {
            Some(Status::Success) => Ok(Self { plan, owed, is_news: true }),
            Some(Status::SucceededButDeployFailed) if !owed.is_empty() => Ok(Self { plan, owed, is_news: false }),
            Some(other) => not(format!("ended as {}", other.word())),
            None => not("has no end".to_owned()),
        }
    }

    /// What it was a run of, where the caller doesn't say.
    fn named(&self, request: Request) -> Request {
        let tag = if request.commit.is_none() { request.tag.clone().or_else(|| self.plan.tag.clone()) } else { request.tag.clone() };
        Request { tag, ..request }
    }

    fn detail(&self) -> String {
        match self.owed.len() {
            0 => "effects kept, deployment not completed".to_owned(),
            1 => "deployment not completed, one hook is to be taken back".to_owned(),
            more => format!("deployment not completed, {more} hooks are to be taken back"),
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
fn chosen(name: &str, known: &[Execution], resolution: Resolution, committed: &[Place]) -> Result<Execution, ResolveError> {
    let called: Vec<&Execution> = known.iter().filter(|execution| execution.is_called(name)).collect();
    match called[..] {
        [] => {
            let could = known.iter().filter(|execution| execution.can_be(resolution));
            Err(ResolveError::Unknown { name: name.to_owned(), could: names(could) })
        }
        [one] if committed.contains(&one.key.place) => match resolution {
            Resolution::MarkDone => Ok(one.clone()),
            Resolution::Retry | Resolution::MarkNotRun => Err(ResolveError::Useless { place: one.key.place.clone(), why: COMMITTED }),
        },
        [one] if one.can_be(resolution) => Ok(one.clone()),
        [one] => Err(ResolveError::Useless { place: one.key.place.clone(), why: why_not(resolution) }),
        _ => Err(ResolveError::Ambiguous { name: name.to_owned(), could: names(called) }),
    }
}

fn names<'a>(executions: impl IntoIterator<Item = &'a Execution>) -> Vec<String> {
    executions.into_iter().map(|execution| execution.key.place.to_string()).collect()
}

const COMMITTED: &str = "had its commit decided when its run died: that is finished now, so it is done; if it is to run once more all the same, \
    say --mark-not-run again";

const fn why_not(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Retry => "is not waiting to be tried again: if it is done and is to run once more, use --mark-not-run",
        Resolution::MarkDone => "is done already",
        Resolution::MarkNotRun => "never ran for this release",
    }
}
