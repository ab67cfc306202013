//! The limits that wasmtime asks about as a guest grows, and what it grew to.
//!
//! A growth past the limit fails as the WebAssembly specification says it may: the guest is told -1 and can do without. That it was refused is
//! remembered, so that a guest which then ends badly is `out of memory` and not a riddle.

use super::leash::Leash;
use crate::model::limits::Limits;
use crate::model::outcome::Cause;
use std::sync::Arc;
use wasmtime::{Error, ResourceLimiter, Result};

/// One limited thing.
struct Account {
    used: u64,
    limit: u64,
    /// What the last growth added; given back if it fails after all.
    last: u64,
    refused: bool,
}

impl Account {
    fn new(limit: u64) -> Self {
        Self { used: 0, limit, last: 0, refused: false }
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let added = desired.saturating_sub(current) as u64;
        let granted = self.used.checked_add(added).is_some_and(|total| total <= self.limit);
        self.last = if granted { added } else { 0 };
        self.used += self.last;
        self.refused |= !granted;
        granted
    }

    fn give_back(&mut self) {
        self.used -= std::mem::take(&mut self.last);
    }
}

/// The meter of one store: over all memories and all tables of all its instances.
pub(super) struct Meter {
    leash: Arc<Leash>,
    memory: Account,
    table: Account,
}

impl Meter {
    /// A meter for `limits` that reports to the leash's tally.
    pub(super) fn new(limits: &Limits, leash: Arc<Leash>) -> Self {
        Self { leash, memory: Account::new(limits.memory_bytes), table: Account::new(limits.table_elements) }
    }

    /// What the guest asked for and didn't get.
    pub(super) fn refused(&self) -> Option<Cause> {
        let cause = |account: &Account, what: &str| Cause::OutOfMemory { limit: account.limit, what: what.to_owned() };
        match (self.memory.refused, self.table.refused) {
            (true, _) => Some(cause(&self.memory, "memory")),
            (false, true) => Some(cause(&self.table, "table")),
            (false, false) => None,
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let granted = self.memory.grow(current, desired);
        self.leash.tally.memory(self.memory.used);
        Ok(granted)
    }

    fn memory_grow_failed(&mut self, _error: Error) -> Result<()> {
        self.memory.give_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(self.table.grow(current, desired))
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<()> {
        self.table.give_back();
        Ok(())
    }
}
