//! The end of what a dead run had in flight: with a decided commit it succeeded, else nobody knows.

use super::dead::{Dead, Decided};
use super::journal::Journal;
use super::replay::Remains;
use super::salvage::Salvaged;
use super::{gate, keep, lifecycle};
use crate::ledger::{Durability, LedgerError};
use crate::model::event::{Finished, Place, Resolution, What};
use crate::model::outcome::{Outcome, Verdict};

/// Records what was decided to be committed and is done now. What else was in flight stays so.
///
/// # Errors
/// [`LedgerError`] if it could not be recorded.
pub(super) fn commits(dead: &Dead, salvaged: &Salvaged, journal: &mut Journal<'_>) -> Result<Vec<Place>, LedgerError> {
    let remains = dead.remains();
    let mut ended = Vec::new();
    for (at, decided) in dead.decided(&remains, salvaged.places()) {
        let (key, digest) = gate::execution(&dead.plan, at, &dead.run);
        let place = lifecycle::place(&dead.plan, at);
        if decided == Decided::Counts {
            keep::counts(journal, &key, &digest, Resolution::MarkDone)?;
            continue;
        }
        if decided == Decided::EndedUnseen {
            let attempt = remains.attempts.get(&place).copied().unwrap_or(0) + 1;
            journal.record(What::Started { place: place.clone(), attempt }, Some((&key, &digest)), Durability::Later)?;
        }
        let finished = Finished { files: salvaged.committed(&place).cloned(), ..Finished::of(Outcome::Succeeded, Verdict::Proceed) };
        journal.record(What::Finished { place: place.clone(), result: Box::new(finished) }, Some((&key, &digest)), Durability::Now)?;
        ended.push(place);
    }
    Ok(ended)
}

/// Records that nobody knows how what is still in flight ended.
///
/// # Errors
/// [`LedgerError`] if it could not be recorded.
pub(super) fn the_rest(dead: &Dead, remains: &Remains, journal: &mut Journal<'_>) -> Result<(), LedgerError> {
    for at in remains.in_flight.iter().filter_map(|place| lifecycle::find(&dead.plan, place)) {
        let (key, digest) = gate::execution(&dead.plan, at, &dead.run);
        let finished = Finished::of(Outcome::Unknown, Verdict::Abort);
        let finished = What::Finished { place: lifecycle::place(&dead.plan, at), result: Box::new(finished) };
        journal.record(finished, Some((&key, &digest)), Durability::Later)?;
    }
    Ok(())
}
