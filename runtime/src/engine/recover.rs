//! What runs that died left behind: brought to an end, and made up for, before anything else happens.

use super::dead::Dead;
use super::driver::{self, Setting};
use super::gate::Decisions;
use super::job::Supplies;
use super::journal::Journal;
use super::keep::Keep;
use super::machine::Machine;
use super::replay::Remains;
use super::{Error, Prepared, Runner, Stop, bury, lifecycle, replay, salvage, target, undo};
use crate::ledger::{Durability, Target};
use crate::model::event::{Place, What};
use crate::plan::Plan;

/// What is to be said of it: warnings.
#[derive(Default)]
pub(super) struct Found {
    /// What lies there for somebody to look at.
    pub(super) kept: Vec<What>,
    /// That a run had died, and was made up for. Its own journal has that, too.
    pub(super) died: Option<What>,
}

/// What was left in staged directories, now that it came to its end.
#[derive(Default)]
pub(crate) struct Settled {
    /// What lies there for somebody to look at.
    kept: Vec<What>,
    /// What was decided to be committed, and is now.
    pub(crate) committed: Vec<Place>,
    /// The run that died.
    dead: Option<Dead>,
}

impl Runner {
    /// Brings to an end what was left in staged directories, those of `also` included; then finishes what a dead run owes. The caller holds the lock.
    ///
    /// # Errors
    /// [`Error`] if the ledger, a stage or an executor failed; it can be called again.
    pub(super) async fn recover(&mut self, prepared: &Prepared, also: Option<&Plan>, stop: &Stop) -> Result<Found, Error> {
        let plans: Vec<&Plan> = [&prepared.plan].into_iter().chain(also).collect();
        let Settled { kept, committed, dead } = self.settle(&target(&prepared.plan), &plans)?;
        let died = match dead {
            Some(dead) => self.make_up_for(&dead, &committed, prepared, stop).await?,
            None => None,
        };
        Ok(Found { kept, died })
    }

    /// Finishes what was decided to be committed in the directories of `plans` and of a run that died, drops what wasn't, and records what
    /// succeeded by that. Nothing else of a dead run is touched. The caller holds the lock.
    ///
    /// # Errors
    /// [`Error`] if the ledger or a stage failed; it can be called again.
    pub(crate) fn settle(&mut self, target: &Target, plans: &[&Plan]) -> Result<Settled, Error> {
        let Some(ledger) = &self.writers.ledger else { return Ok(Settled::default()) };
        let dead = Dead::find(&**ledger, target)?;
        let salvaged = salvage::salvage(target, plans, dead.as_ref().map(|dead| (&dead.run, &dead.plan)), &self.stages)?;
        self.record_afterwards(target, &salvaged)?;
        let committed = match &dead {
            Some(dead) => {
                let mut journal = Journal::new(&mut self.writers, dead.run.clone(), dead.remains().next_seq);
                bury::commits(dead, &salvaged, &mut journal)?
            }
            None => Vec::new(),
        };
        let kept = salvaged.kept();
        salvaged.forget().map_err(Error::NotRecovered)?;
        // As its journal has it by now.
        let dead = match (&self.writers.ledger, dead) {
            (Some(ledger), Some(dead)) => Some(Dead::read(&**ledger, dead.run)?),
            _ => None,
        };
        Ok(Settled { kept, committed, dead })
    }

    /// What a dead run owes: the rest of what it was taking back, and its pending `always` steps, journaled as its own. What was in flight becomes
    /// `unknown`.
    async fn make_up_for(&mut self, dead: &Dead, committed: &[Place], prepared: &Prepared, stop: &Stop) -> Result<Option<What>, Error> {
        let Dead { run, plan, events } = dead;
        let remains = dead.remains();
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
            audit: false,
            keep: &mut keep,
            after_hooks: &|| Ok(()),
            after_success: &|| Ok(()),
        };
        bury::the_rest(dead, &remains, &mut journal)?;
        let died = remains.began.then(|| died(dead, &remains, committed));
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
fn died(dead: &Dead, remains: &Remains, committed: &[Place]) -> What {
    let shown = |place: &Place| {
        let verifying = if remains.verifying.contains(place) { ", which had ended with success and was being verified" } else { "" };
        format!("{place}{verifying}")
    };
    let during = remains.in_flight.iter().map(shown).collect::<Vec<_>>().join(", ");
    let during = if during.is_empty() { String::new() } else { format!(" during {during}") };
    let decided = committed.iter().map(Place::to_string).collect::<Vec<_>>().join(", ");
    let decided = if decided.is_empty() { String::new() } else { format!("; the commit of {decided} was decided, and is finished now") };
    let reverts = if remains.reverting { "what was being taken back, and " } else { "" };
    let message = format!("run {} died{during}{decided}; {reverts}what always has to run is made up for first", dead.run);
    What::Warning { code: "run-died".to_owned(), message }
}
