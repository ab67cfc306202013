//! What nobody knows the end of, and what is decided though nobody has seen it end: as the ledger, the journals and the stages have it.

use super::dead::Dead;
use super::job::Reported;
use super::resume::LOOKED_AT;
use super::staging::Stages;
use super::{Error, gate, replay, salvage, undo};
use crate::ledger::{Key, Ledger, Memory, RunRecord, Target};
use crate::model::event::{Place, Role, Status};
use crate::model::id::RunId;
use crate::model::outcome::{Outcome, SkipReason};
use std::collections::{BTreeMap, BTreeSet};

/// An execution that nobody knows the end of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Its identity.
    pub key: Key,
    /// What is remembered of it.
    pub memory: Memory,
    /// What it was in.
    pub was: Was,
}

/// What an execution was in when it was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Was {
    /// It was running when the engine died.
    Running,
    /// It had itself ended with success, and reported this; its verify was under way when the engine died.
    Verifying(Reported),
    /// It had succeeded, and the revert that was to take it back was cut off or failed: a part of its effects may be gone.
    HalfTakenBack,
}

/// Every execution of a target that nobody knows the end of, with those whose revert failed: of one release, given what is remembered of it, or else
/// of any since the newest success.
///
/// # Errors
/// [`Error`] if the ledger, or a plan in it, can't be read.
pub fn open(ledger: &dyn Ledger, target: &Target, release: Option<&BTreeMap<Place, Memory>>) -> Result<Vec<Open>, Error> {
    let mut open = Vec::new();
    for (key, memory) in ledger.unresolved(target)? {
        let was = replay::ended(&ledger.events(&memory.run)?, &key.place).map_or(Was::Running, Was::Verifying);
        open.push(Open { key, memory, was });
    }
    for run in suspects(ledger, target, release, &open)? {
        for half in half_taken_back(ledger, target, &run)? {
            open.retain(|known| known.key.place != half.key.place);
            open.push(half);
        }
    }
    Ok(open)
}

/// Runs in which a revert may have ended badly.
fn suspects(
    ledger: &dyn Ledger,
    target: &Target,
    release: Option<&BTreeMap<Place, Memory>>,
    open: &[Open],
) -> Result<BTreeSet<RunId>, Error> {
    let is_revert = |place: &Place| place.role == Role::Revert;
    let mut runs: BTreeSet<RunId> = open.iter().filter(|open| is_revert(&open.key.place)).map(|open| open.memory.run.clone()).collect();
    if let Some(memories) = release {
        let failed = memories.iter().filter(|(place, memory)| is_revert(place) && memory.outcome != Some(Outcome::Succeeded));
        runs.extend(failed.map(|(_, memory)| memory.run.clone()));
    } else {
        let succeeded = |run: &RunRecord| run.status == Some(Status::Success) && !run.partial;
        let since = ledger.runs(target, LOOKED_AT)?.into_iter().filter(|run| !run.dry_run).take_while(|run| !succeeded(run));
        let failed = |run: &RunRecord| matches!(run.status, Some(Status::Failed | Status::Interrupted | Status::SucceededButDeployFailed));
        runs.extend(since.filter(failed).map(|run| run.run));
    }
    Ok(runs)
}

/// What of a run was half taken back, as far as it is still remembered as that run's. A run that nobody has ended takes the rest back by itself.
fn half_taken_back(ledger: &dyn Ledger, target: &Target, run: &RunId) -> Result<Vec<Open>, Error> {
    let Dead { run, plan, events } = Dead::read(ledger, run.clone())?;
    if ledger.unfinished(target)?.is_some_and(|unfinished| unfinished.run == run) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for at in undo::half_taken_back(&plan, &events) {
        let (key, _) = gate::execution(&plan, at, &run);
        let known = ledger.memories(target, &key.release)?.into_iter().find(|(known, _)| *known == key);
        let Some((key, memory)) = known.filter(|(_, memory)| memory.run == run) else { continue };
        found.push(Open { key, memory: Memory { outcome: Some(Outcome::Unknown), ..memory }, was: Was::HalfTakenBack });
    }
    Ok(found)
}

/// What a dead run decided to commit, as it will be remembered: the next run finishes that before anything else.
///
/// # Errors
/// [`Error`] if the ledger, or a plan in it, can't be read.
pub fn decided(ledger: &dyn Ledger, target: &Target, stages: &Stages) -> Result<Vec<(Key, Memory)>, Error> {
    let Some(dead) = Dead::find(ledger, target)? else { return Ok(Vec::new()) };
    let places = salvage::decided(target, &dead, stages);
    let remains = dead.remains();
    let of = |at| {
        let (key, digest) = gate::execution(&dead.plan, at, &dead.run);
        let attempts = remains.attempts.get(&key.place).copied().unwrap_or(1);
        (key, Memory { outcome: Some(Outcome::Succeeded), digest, run: dead.run.clone(), attempts })
    };
    Ok(dead.decided(&remains, places.iter()).into_iter().map(|(at, _)| of(at)).collect())
}

/// Adds to what is remembered of a release what will be by then: the success of what is at `place`, or that it took its hook back.
pub(super) fn remember(memories: &mut BTreeMap<Place, Memory>, place: &Place, memory: &Memory) {
    if place.role == Role::Revert
        && let Some(hook) = memories.get_mut(&place.in_role(Role::Main))
    {
        hook.outcome = Some(Outcome::Skipped { reason: SkipReason::Reverted });
    }
    memories.insert(place.clone(), memory.clone());
}
