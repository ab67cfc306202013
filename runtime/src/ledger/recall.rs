//! How an event changes what is remembered of an execution: one rule for every ledger. Values only.

use super::Memory;
use crate::model::event::{Event, What};
use crate::model::id::Digest;
use crate::model::outcome::Outcome;

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
        _ => None,
    }
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
