//! The end of what a dead run had in flight.

use super::{Setting, key};
use crate::engine::journal::Journal;
use crate::engine::replay::Remains;
use crate::engine::salvage::Salvaged;
use crate::engine::{keep, lifecycle};
use crate::ledger::{Durability, LedgerError};
use crate::model::event::{Finished, Resolution, What};
use crate::model::outcome::{Outcome, Verdict};

/// Records how what was in flight when the engine died ended: with a decided commit it succeeded, else it is `unknown`.
///
/// # Errors
/// [`LedgerError`] if it could not be recorded.
pub fn bury(setting: &Setting<'_>, remains: &mut Remains, salvaged: &Salvaged, journal: &mut Journal<'_>) -> Result<(), LedgerError> {
    make_up_intents(setting, remains, salvaged, journal)?;
    for at in remains.in_flight.iter().filter_map(|place| lifecycle::find(setting.plan, place)) {
        let (key, digest) = key(setting, at);
        let place = lifecycle::place(setting.plan, at);
        let finished = match salvaged.committed(&place) {
            Some(files) => Finished { files: Some(files.clone()), ..Finished::of(Outcome::Succeeded, Verdict::Proceed) },
            None => Finished::of(Outcome::Unknown, Verdict::Abort),
        };
        let durability = if salvaged.committed(&place).is_some() { Durability::Now } else { Durability::Later };
        journal.record(What::Finished { place, result: Box::new(finished) }, Some((&key, &digest)), durability)?;
    }
    // Hooks of a phase that was committed as one whole had ended, and those that succeeded now count.
    let counted = remains.succeeded.iter().filter(|at| keep::is_committed_as_one(setting.plan, **at));
    for at in counted.filter(|at| salvaged.committed(&lifecycle::place(setting.plan, **at)).is_some()) {
        let (key, digest) = key(setting, *at);
        keep::counts(journal, &key, &digest, Resolution::MarkDone)?;
    }
    Ok(())
}

/// The intent of a hook that only writes to its own stage waits in memory for company; if it was lost there, the decided commit tells of it.
fn make_up_intents(
    setting: &Setting<'_>,
    remains: &mut Remains,
    salvaged: &Salvaged,
    journal: &mut Journal<'_>,
) -> Result<(), LedgerError> {
    for place in salvaged.places() {
        let Some(at) = lifecycle::find(setting.plan, place).filter(|at| !keep::is_committed_as_one(setting.plan, *at)) else { continue };
        if remains.in_flight.contains(place) || remains.ended.contains(&at) {
            continue;
        }
        let (key, digest) = key(setting, at);
        let attempt = setting.attempts.get(place).copied().unwrap_or(0) + 1;
        journal.record(What::Started { place: place.clone(), attempt }, Some((&key, &digest)), Durability::Later)?;
        remains.began = true;
        remains.in_flight.push(place.clone());
    }
    Ok(())
}
