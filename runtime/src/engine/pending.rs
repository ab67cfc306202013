//! What the past still asks for: what nobody knows the end of, what a dead run owes, and what can be gone on with.

use super::{Error, gate, lifecycle, plan_of, replay, resume};
use crate::ledger::{Key, Ledger, Memory, Target};
use crate::model::event::Role;
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
    /// Whether it had itself ended with success, and its verify was under way.
    pub verifying: bool,
    /// Whether its run is over: it is a revert that was cut off when it was said that the deployment failed, and is tried again when that is.
    pub afterwards: bool,
    /// Whether nothing runs before a person said what became of it; otherwise it runs again by itself. By the plan it was started under.
    pub waits: bool,
    /// Whether the next run asks its verify, and runs it again only if that doesn't say that it took.
    pub asks: bool,
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
                plans.insert(record.run.clone(), (plan_of(ledger, &record.run)?, record.status.is_some()));
            }
        }
    }
    let mut unresolved = Vec::new();
    for (key, memory) in open {
        // What takes a hook back waits for nobody: it is tried again with the rest of what is owed.
        let known = plans.get(&memory.run).filter(|_| key.place.role == Role::Main);
        let found = known.and_then(|(plan, _)| Some((plan, lifecycle::find(plan, &key.place)?)));
        unresolved.push(Unresolved {
            afterwards: key.place.role == Role::Revert && plans.get(&memory.run).is_some_and(|(_, is_over)| *is_over),
            verifying: replay::ended(&ledger.events(&memory.run)?, &key.place).is_some(),
            waits: found.is_some_and(|(plan, at)| gate::waits(plan, at)),
            asks: found.is_some_and(|(plan, at)| gate::asks(plan, at)),
            key,
            memory,
        });
    }
    let owed = match ledger.unfinished(target)? {
        Some(dead) => replay::owed(&plan_of(ledger, &dead.run)?, &ledger.events(&dead.run)?),
        None => Vec::new(),
    };
    Ok(Pending { unresolved, owed, resumable: resume::base(ledger, target, false)?.map(|base| base.run) })
}
