//! What runs that died left behind: brought to an end, and made up for, before anything else happens.

use super::driver::{self, Setting};
use super::gate::Decisions;
use super::job::Supplies;
use super::journal::Journal;
use super::keep::Keep;
use super::machine::Machine;
use super::salvage::{self, Salvaged};
use super::{Error, Prepared, Runner, Stop, lifecycle, plan_of, replay, target, undo};
use crate::ledger::{Durability, Ledger, RunRecord};
use crate::model::event::{Event, Place, What};
use crate::model::id::RunId;
use crate::plan::Plan;

/// What is to be said of it: warnings.
#[derive(Default)]
pub(super) struct Found {
    /// What lies there for somebody to look at.
    pub(super) kept: Vec<What>,
    /// That a run had died, and was made up for. Its own journal has that, too.
    pub(super) died: Option<What>,
}

/// A run that died.
struct Dead {
    run: RunId,
    plan: Plan,
    events: Vec<Event>,
}

impl Dead {
    fn read(ledger: &dyn Ledger, record: &RunRecord) -> Result<Self, Error> {
        Ok(Self { run: record.run.clone(), plan: plan_of(ledger, &record.run)?, events: ledger.events(&record.run)? })
    }
}

impl Runner {
    /// Brings to an end what was left in staged directories, those of `also` included; then finishes what a dead run owes. The caller holds the lock.
    ///
    /// # Errors
    /// [`Error`] if the ledger, a stage or an executor failed; it can be called again.
    pub(super) async fn recover(&mut self, prepared: &Prepared, also: Option<&Plan>, stop: &Stop) -> Result<Found, Error> {
        let Some(ledger) = &self.writers.ledger else { return Ok(Found::default()) };
        let target = target(&prepared.plan);
        let dead = ledger.unfinished(&target)?.map(|record| Dead::read(&**ledger, &record)).transpose()?;
        let plans: Vec<&Plan> = [&prepared.plan].into_iter().chain(also).collect();
        let salvaged = salvage::salvage(&target, &plans, dead.as_ref().map(|dead| (&dead.run, &dead.plan)), &self.stages)?;
        self.record_afterwards(&target, &salvaged)?;
        let kept = salvaged.kept();
        let died = match dead {
            Some(dead) => self.make_up_for(&dead, salvaged, prepared, stop).await?,
            None => salvaged.forget().map_err(Error::NotRecovered).map(|()| None)?,
        };
        Ok(Found { kept, died })
    }

    /// What a dead run owes: the rest of what it was taking back, and its pending `always` steps, journaled as its own. What was in flight becomes
    /// `unknown`, or succeeded if its commit was decided.
    async fn make_up_for(
        &mut self,
        Dead { run, plan, events }: &Dead,
        salvaged: Salvaged,
        prepared: &Prepared,
        stop: &Stop,
    ) -> Result<Option<What>, Error> {
        let mut remains = replay::remains(plan, events);
        let decisions = Decisions { by_step: replay::everything_runs(plan), ..Decisions::default() };
        let mut journal = Journal::new(&mut self.writers, run.clone(), remains.next_seq);
        for event in events {
            journal.replay(event);
        }
        let supplies = Supplies { app_env: &prepared.app_env, blobs: &prepared.blobs, run, outputs: undo::handed_on(events) };
        let mut keep = Keep::new(&self.stages, target(plan), run.clone());
        let setting = Setting {
            plan,
            decisions: &decisions,
            executors: &self.executors,
            supplies,
            checks: &*prepared.checks,
            attempts: remains.attempts.clone(),
            stop,
            hold: &self.hold,
            keep: &mut keep,
            after_hooks: &|| Ok(()),
            after_success: &|| Ok(()),
        };
        driver::bury(&setting, &mut remains, &salvaged, &mut journal)?;
        salvaged.forget().map_err(Error::NotRecovered)?;
        let died = remains.began.then(|| died(run, &remains));
        if let Some(died) = died.clone() {
            journal.record(died, None, Durability::Later)?;
        }
        let ended = if remains.began { remains.ended } else { replay::all(plan) };
        let owed = if remains.reverting { undo::owed(plan, events) } else { Vec::new() };
        driver::drive(Machine::recover(lifecycle::of(plan, &decisions), ended, owed), setting, &mut journal).await?;
        Ok(died)
    }
}

/// What a person should know before a dead run's pending `always` steps run.
fn died(run: &RunId, remains: &replay::Remains) -> What {
    let shown = |place: &Place| {
        let verifying = if remains.verifying.contains(place) { ", which had ended with success and was being verified" } else { "" };
        format!("{place}{verifying}")
    };
    let during = remains.in_flight.iter().map(shown).collect::<Vec<_>>().join(", ");
    let during = if during.is_empty() { String::new() } else { format!(" during {during}") };
    let reverts = if remains.reverting { "what was being taken back, and " } else { "" };
    let message = format!("run {run} died{during}; {reverts}what always has to run is made up for first");
    What::Warning { code: "run-died".to_owned(), message }
}
