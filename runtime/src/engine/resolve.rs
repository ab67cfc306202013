//! What a person can say something about: executions that nobody knows the end of, that stopped a run, or that are remembered.

use super::gate::{self, gate_of};
use super::resume::Base;
use super::{Error, lifecycle, open, target};
use crate::ledger::{Key, Ledger, Memory, Target};
use crate::model::event::{Place, Resolution};
use crate::model::id::{Digest, RunId};
use crate::model::outcome::Outcome;
use crate::model::policy::Gate;
use crate::plan::{Plan, PlanStepKind};

/// An execution that something can be said about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Its identity.
    pub key: Key,
    /// The digest of what ran, or would run now.
    pub digest: Digest,
    /// The run in whose journal it is said.
    pub run: RunId,
    /// How its last attempt ended; `None` if nobody knows, or if there was none.
    pub outcome: Option<Outcome>,
    /// Attempts so far.
    pub attempts: u32,
}

impl Execution {
    /// Whether nobody knows how its last attempt ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.attempts > 0 && self.outcome.as_ref().is_none_or(|outcome| *outcome == Outcome::Unknown)
    }

    /// Whether `resolution` would change anything: what is done can't be retried, only marked as not run; what never ran can only be done.
    #[must_use]
    pub fn can_be(&self, resolution: Resolution) -> bool {
        let done = self.outcome == Some(Outcome::Succeeded);
        match resolution {
            Resolution::Retry => self.attempts > 0 && !done,
            Resolution::MarkDone => !done,
            Resolution::MarkNotRun => self.attempts > 0 || done,
        }
    }

    /// Whether a person means this one: `phase/hook[@instance]`, a host step's name, or the hook's id alone.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let place = &self.key.place;
        place.to_string() == name || place.hook.as_ref().is_some_and(|hook| hook.as_str() == name)
    }
}

/// What the ledger alone says of a target: what nobody knows the end of, and what stopped the run that can be resumed.
///
/// # Errors
/// [`Error`] if the ledger can't be read.
pub fn waiting(ledger: &dyn Ledger, target: &Target) -> Result<Vec<Execution>, Error> {
    let mut found: Vec<Execution> = open::open(ledger, target, None)?.into_iter().map(|open| of_memory(open.key, open.memory)).collect();
    for partial in [false, true] {
        let Some(base) = super::resume::base(ledger, target, partial)? else { continue };
        for place in &base.open {
            if found.iter().all(|known| known.key.place != *place) {
                found.extend(stopped(ledger, target, &base, place)?);
            }
        }
    }
    Ok(found)
}

/// What `plan` would run once per release, with what is remembered of it. What was never tried is said in the journal of `newest`.
///
/// # Errors
/// [`Error`] if the ledger can't be read.
pub fn planned(ledger: &dyn Ledger, plan: &Plan, newest: &RunId) -> Result<Vec<Execution>, Error> {
    let release = gate::release_of(plan, Gate::Once, newest);
    let memories = ledger.memories(&target(plan), &release)?;
    let mut found = Vec::new();
    for step in &plan.steps {
        let PlanStepKind::Phase { policy, hooks } = &step.kind else { continue };
        for hook in hooks.iter().filter(|hook| gate_of(policy.gate, hook) == Gate::Once) {
            let key = Key { release: release.clone(), place: hook.place(&step.name) };
            let memory = memories.iter().find(|(known, _)| *known == key).map(|(_, memory)| memory);
            found.push(Execution {
                run: memory.map_or_else(|| newest.clone(), |memory| memory.run.clone()),
                outcome: memory.and_then(|memory| memory.outcome.clone()),
                attempts: memory.map_or(0, |memory| memory.attempts),
                digest: hook.digest.clone(),
                key,
            });
        }
    }
    Ok(found)
}

fn of_memory(key: Key, memory: Memory) -> Execution {
    Execution { key, digest: memory.digest, run: memory.run, outcome: memory.outcome, attempts: memory.attempts }
}

/// What ended badly in a run that can be resumed, as it is remembered.
fn stopped(ledger: &dyn Ledger, target: &Target, base: &Base, place: &Place) -> Result<Option<Execution>, Error> {
    let Some(at) = lifecycle::find(&base.plan, place) else { return Ok(None) };
    let (key, digest) = gate::execution(&base.plan, at, &base.run);
    let memory = ledger.memories(target, &key.release)?.into_iter().find(|(known, _)| *known == key).map(|(_, memory)| memory);
    Ok(Some(match memory {
        // A later run may have tried again: what is said then concerns this one, which is resumed.
        Some(memory) => Execution { run: base.run.clone(), ..of_memory(key, memory) },
        None => Execution { key, digest, run: base.run.clone(), outcome: None, attempts: 0 },
    }))
}
