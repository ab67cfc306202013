//! One ledger for several owners: what a run writes, the next one reads, and so does whoever kept a clone.

use super::{Durability, Key, Ledger, LedgerError, Memory, RunRecord, Target};
use crate::model::event::Event;
use crate::model::id::{Commit, Digest, RunId, Tag};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who panicked while it held the ledger left it as consistent as its last finished call.
fn lock<L>(ledger: &Mutex<L>) -> MutexGuard<'_, L> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<L: Ledger> Ledger for Arc<Mutex<L>> {
    fn begin(&mut self, target: &Target, release: &str, plan: &str, started: &Event) -> Result<(), LedgerError> {
        lock(self).begin(target, release, plan, started)
    }

    fn append(&mut self, event: &Event, key: Option<(&Key, &Digest)>, durability: Durability) -> Result<(), LedgerError> {
        lock(self).append(event, key, durability)
    }

    fn write(&mut self) -> Result<(), LedgerError> {
        lock(self).write()
    }

    fn flush(&mut self) -> Result<(), LedgerError> {
        lock(self).flush()
    }

    fn memories(&self, target: &Target, release: &str) -> Result<Vec<(Key, Memory)>, LedgerError> {
        lock(self).memories(target, release)
    }

    fn unresolved(&self, target: &Target) -> Result<Vec<(Key, Memory)>, LedgerError> {
        lock(self).unresolved(target)
    }

    fn runs(&self, target: &Target, limit: usize) -> Result<Vec<RunRecord>, LedgerError> {
        lock(self).runs(target, limit)
    }

    fn unfinished(&self, target: &Target) -> Result<Option<RunRecord>, LedgerError> {
        lock(self).unfinished(target)
    }

    fn last_success(&self, target: &Target) -> Result<Option<RunRecord>, LedgerError> {
        lock(self).last_success(target)
    }

    fn targets(&self) -> Result<Vec<Target>, LedgerError> {
        lock(self).targets()
    }

    fn plan(&self, run: &RunId) -> Result<String, LedgerError> {
        lock(self).plan(run)
    }

    fn events(&self, run: &RunId) -> Result<Vec<Event>, LedgerError> {
        lock(self).events(run)
    }

    fn last_event(&self, run: &RunId) -> Result<Event, LedgerError> {
        lock(self).last_event(run)
    }

    fn commit_of_tag(&self, target: &Target, tag: &Tag) -> Result<Option<Commit>, LedgerError> {
        lock(self).commit_of_tag(target, tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::memory::MemoryLedger;

    fn with_a_new_one(expectation: fn(&mut dyn Ledger)) {
        expectation(&mut Arc::new(Mutex::new(MemoryLedger::new())));
    }

    crate::ledger::suite::expectations!(with_a_new_one);
}
