//! What the past still asks for: what nobody knows the end of, what a dead run owes, and what can be gone on with.

use super::{Error, gate, lifecycle, plan_of, replay, resume};
use crate::ledger::{Key, Ledger, Memory, Target};
use crate::model::id::{RunId, StepName};
use std::collections::BTreeMap;

/// What is pending when no run is on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// What was running when an engine died, and of which nobody has said yet what became of it.
    pub unresolved: Vec<Unresolved>,
    /// `always` steps that the next run makes up for before anything else.
    pub owed: Vec<StepName>,
    /// The run that a resumed one would go on with.
    pub resumable: Option<RunId>,
}

/// An execution that nobody knows the end of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// Its identity.
    pub key: Key,
    /// What is remembered of it.
    pub memory: Memory,
    /// Whether nothing runs before a person said what became of it; otherwise it runs again by itself. By the plan it was started under.
    pub waits: bool,
}

/// What is pending for a target. The caller knows that no run is on.
///
/// # Errors
/// [`Error`] if the ledger, or a plan in it, can't be read.
pub fn of(ledger: &dyn Ledger, target: &Target) -> Result<Pending, Error> {
    let open = ledger.unresolved(target)?;
    let mut plans = BTreeMap::new();
    if !open.is_empty() {
        for record in ledger.runs(target, usize::MAX)? {
            if open.iter().any(|(_, memory)| memory.run == record.run) {
                plans.insert(record.run.clone(), plan_of(ledger, &record.run)?);
            }
        }
    }
    let waits = |key: &Key, memory: &Memory| {
        let plan = plans.get(&memory.run)?;
        Some(gate::waits(plan, lifecycle::find(plan, &key.place)?))
    };
    let unresolved = open.into_iter().map(|(key, memory)| Unresolved { waits: waits(&key, &memory).unwrap_or(false), key, memory });
    let owed = match ledger.unfinished(target)? {
        Some(dead) => replay::owed(&plan_of(ledger, &dead.run)?, &ledger.events(&dead.run)?),
        None => Vec::new(),
    };
    Ok(Pending { unresolved: unresolved.collect(), owed, resumable: resume::base(ledger, target, false)?.map(|base| base.run) })
}
