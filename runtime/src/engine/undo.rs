//! A deployment that failed after its run: the `revert`s of what the run did, the last first, journaled as the run's own.

use super::driver::{self, Setting};
use super::gate::Decisions;
use super::job::{Outputs, Supplies};
use super::journal::Journal;
use super::keep::Keep;
use super::machine::{At, Machine};
use super::salvage::Salvaged;
use super::{Error, Prepared, Runner, Stop, gate, lifecycle, plan_of, replay, target};
use crate::ledger::{Durability, Target};
use crate::model::event::{Event, Finished, Place, Resolution, Role, What};
use crate::model::id::RunId;
use crate::model::outcome::{Outcome, Verdict};
use crate::plan::Plan;
use crate::report::{Notice, Report};

/// What succeeded in a run, has a `revert`, and wasn't taken back yet; in the order in which it succeeded.
#[must_use]
pub fn owed(plan: &Plan, events: &[Event]) -> Vec<At> {
    let mut done: Vec<Place> = Vec::new();
    for event in events {
        match &event.what {
            What::Finished { place, result } if result.outcome == Outcome::Succeeded => {
                let main = place.in_role(Role::Main);
                done.retain(|other| *other != main);
                done.extend((place.role == Role::Main).then_some(main));
            }
            // Its phase was not committed: what it staged never came to be.
            What::Resolved { place, resolution: Resolution::MarkNotRun, by: None, .. } => {
                done.retain(|other| other != place || lifecycle::find(plan, place).is_some_and(|at| replay::is_live(plan, at)));
            }
            _ => {}
        }
    }
    let has_revert = |at: &At| lifecycle::hook(plan, *at).is_some_and(|hook| hook.revert.is_some());
    done.iter().filter_map(|place| lifecycle::find(plan, place)).filter(has_revert).collect()
}

/// What succeeded in a run, and whose revert had begun, has effects that no stage holds, and was cut off or failed: nobody knows how much of it
/// is left, unless somebody has said so since.
#[must_use]
pub fn half_taken_back(plan: &Plan, events: &[Event]) -> Vec<At> {
    let mut half: Vec<Place> = Vec::new();
    for event in events {
        match &event.what {
            What::Started { place, .. } if place.role == Role::Revert => half.push(place.in_role(Role::Main)),
            What::Finished { place, result } if result.outcome == Outcome::Succeeded => {
                half.retain(|other| *other != place.in_role(Role::Main));
            }
            What::Resolved { place, by: Some(_), .. } => half.retain(|other| other != place),
            _ => {}
        }
    }
    half.dedup();
    let is_live = |at: &At| lifecycle::hook(plan, At { revert: true, ..*at }).is_some_and(|revert| revert.is_live());
    half.iter().filter_map(|place| lifecycle::find(plan, place)).filter(is_live).collect()
}

impl Runner {
    /// Runs the reverts of what a run, which is over, did: those that are [`owed`], from its last to its first. A revert that fails is said, and
    /// the others run. `prepared` gives the bytes and the values; what runs, and with which rights, is the run's own plan. The caller holds the
    /// lock. What a run that died left behind is brought to an end first, as before any run: it may lie in the same directories.
    ///
    /// # Errors
    /// [`Error`] if the ledger or an executor failed; whatever was recorded by then stays.
    pub async fn undo(&mut self, prepared: &Prepared, run: &RunId, plan: &Plan, stop: &Stop) -> Result<Undone, Error> {
        let found = self.recover(prepared, Some(plan), stop).await?;
        let events = match &self.writers.ledger {
            Some(ledger) => ledger.events(run)?,
            None => Vec::new(),
        };
        let remains = replay::remains(plan, &events);
        let decisions = Decisions { by_step: replay::everything_runs(plan), ..Decisions::default() };
        let mut keep = Keep::new(&self.stages, target(plan), run.clone());
        let mut journal = Journal::new(&mut self.writers, run.clone(), remains.next_seq);
        for event in &events {
            journal.replay(event);
        }
        let machine = Machine::undo(lifecycle::of(plan, &decisions), owed(plan, &events));
        let setting = Setting {
            plan,
            decisions: &decisions,
            executors: &self.executors,
            supplies: Supplies { app_env: &prepared.app_env, blobs: &prepared.blobs, run, outputs: handed_on(&events) },
            checks: &*prepared.checks,
            attempts: remains.attempts,
            stop,
            hold: &self.hold,
            audit: false,
            keep: &mut keep,
            after_hooks: &|| Ok(()),
            after_success: &|| Ok(()),
        };
        driver::drive(machine, setting, &mut journal).await?;
        let notices = found.died.into_iter().chain(found.kept).filter_map(notice).collect();
        Ok(Undone { report: journal.report(), notices })
    }

    /// Records in the journals of runs that are over how a revert ended that was cut off after its commit was decided: it succeeded.
    pub(super) fn record_afterwards(&mut self, target: &Target, salvaged: &Salvaged) -> Result<(), Error> {
        for (run, place, files) in salvaged.afterwards() {
            let Some(ledger) = &self.writers.ledger else { return Ok(()) };
            // A run that this ledger doesn't know has nothing to be recorded in.
            let Some(record) = ledger.runs(target, usize::MAX)?.into_iter().find(|record| record.run == *run) else { continue };
            let (plan, events) = (plan_of(&**ledger, &record.run)?, ledger.events(run)?);
            let remains = replay::remains(&plan, &events);
            let Some(at) = lifecycle::find(&plan, place).filter(|_| remains.in_flight.contains(place)) else { continue };
            let (key, digest) = gate::execution(&plan, at, run);
            let result = Finished { files: Some(files.clone()), ..Finished::of(Outcome::Succeeded, Verdict::Proceed) };
            let finished = What::Finished { place: place.clone(), result: Box::new(result) };
            Journal::new(&mut self.writers, run.clone(), remains.next_seq).record(finished, Some((&key, &digest)), Durability::Now)?;
        }
        Ok(())
    }
}

/// What became of a run that was taken back.
#[derive(Debug)]
pub struct Undone {
    /// Its report, with an entry for each revert.
    pub report: Report,
    /// What was found before: a run that had died, and was made up for; stages that are kept for somebody to look at.
    pub notices: Vec<Notice>,
}

fn notice(what: What) -> Option<Notice> {
    if let What::Warning { code, message } = what { Some(Notice { code, message }) } else { None }
}

/// What the run's hooks handed on: a revert may name it as its hook did.
pub(super) fn handed_on(events: &[Event]) -> Outputs {
    let finished = events.iter().filter_map(|event| match &event.what {
        What::Finished { place, result } if result.outcome.is_ok() => Some((place, result)),
        _ => None,
    });
    finished.filter_map(|(place, result)| Some(((place.step.clone(), place.hook.clone()?), result.outputs.clone()))).collect()
}
