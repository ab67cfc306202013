//! What a run that died owes, before anything new begins.

use super::driver::Setting;
use super::gate::Decisions;
use super::job::Supplies;
use super::journal::Journal;
use super::keep::Keep;
use super::machine::Machine;
use super::{Error, Prepared, Runner, Stop, driver, lifecycle, plan_of, replay, salvage, target, undo};
use crate::ledger::Durability;
use crate::model::event::What;
use crate::model::id::RunId;

impl Runner {
    /// Finishes what a dead run owes: its pending `always` steps, journaled as its own. What was in flight becomes `unknown`.
    pub(super) async fn recover(&mut self, prepared: &Prepared, stop: &Stop) -> Result<(), Error> {
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
            journal.record(died(&dead.run, &remains), None, Durability::Later)?;
        }
        let ended = if remains.began { remains.ended } else { replay::all(&plan) };
        let owed = if remains.reverting { undo::owed(&plan, &events) } else { Vec::new() };
        driver::drive(Machine::recover(lifecycle::of(&plan, &decisions), ended, owed), setting, &mut journal).await?;
        Ok(())
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
