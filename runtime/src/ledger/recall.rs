//! How an event changes what is remembered of an execution: one rule for every ledger. Values only.

use super::{Key, Memory};
use crate::model::event::{Event, Place, Role, What};
use crate::model::id::Digest;
use crate::model::outcome::{Outcome, SkipReason};

/// What is remembered after `event`, `None` if it changes nothing.
///
/// Memory is of attempts, not of runs that walked past: a skip or a failure to start must neither make a finished hook undone, nor decide what
/// became of one that was running when the engine died.
pub(super) fn after(before: Option<&Memory>, event: &Event, digest: &Digest) -> Option<Memory> {
    match &event.what {
        What::Started { .. } => Some(Memory {
            outcome: None,
            digest: digest.clone(),
            run: event.run.clone(),
            attempts: before.map_or(0, |memory| memory.attempts).saturating_add(1),
        }),
        What::Finished { result, .. } => finished(before, event, digest, &result.outcome),
        What::Resolved { resolution, .. } => Some(Memory {
            outcome: Some(resolution.outcome()),
            digest: digest.clone(),
            run: before.map_or_else(|| event.run.clone(), |memory| memory.run.clone()),
            attempts: before.map_or(0, |memory| memory.attempts),
        }),
        _ => None,
    }
}

/// The execution that `event`, which is remembered under `key`, took back: the hook of a revert that succeeded.
pub(super) fn taken_back(event: &Event, key: &Key) -> Option<Key> {
    let What::Finished { place, result } = &event.what else { return None };
    let took_back = place.role == Role::Revert && result.outcome == Outcome::Succeeded;
    took_back.then(|| Key { place: Place { role: Role::Main, ..key.place.clone() }, ..key.clone() })
}

/// What is remembered of an execution that was taken back.
pub(super) fn without(memory: &Memory) -> Memory {
    Memory { outcome: Some(Outcome::Skipped { reason: SkipReason::Reverted }), ..memory.clone() }
}

fn finished(before: Option<&Memory>, event: &Event, digest: &Digest, outcome: &Outcome) -> Option<Memory> {
    let open = before.filter(|memory| memory.outcome.is_none());
    if let Some(attempt) = open.filter(|memory| memory.run == event.run || *outcome == Outcome::Unknown) {
        return Some(Memory { outcome: Some(outcome.clone()), ..attempt.clone() });
    }
    (*outcome == Outcome::Succeeded).then(|| Memory {
        outcome: Some(Outcome::Succeeded),
        digest: digest.clone(),
        run: event.run.clone(),
        attempts: before.map_or(0, |memory| memory.attempts),
    })
}
