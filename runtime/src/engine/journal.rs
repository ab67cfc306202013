//! The journal of one run: numbers events, writes them to the ledger first, then folds them and hands them to whoever listens.

use crate::ledger::{Durability, Key, Ledger, LedgerError, Target};
use crate::model::event::{Event, SCHEMA, Status, What};
use crate::model::id::{Digest, RunId};
use crate::report::{Folder, Report};
use std::sync::Arc;

/// Takes events as they happen. Best effort: a sink that can't keep up or write must swallow it.
pub trait Sink: Send + Sync {
    /// One event, after the ledger has it.
    fn event(&self, event: &Event);
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// What a journal writes to.
pub struct Writers {
    /// The durable one; `None` for a run that leaves no trace.
    pub ledger: Option<Box<dyn Ledger>>,
    /// The others.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// The time.
    pub clock: Clock,
}

/// The journal of one run.
pub struct Journal<'a> {
    writers: &'a mut Writers,
    run: RunId,
    seq: u64,
    folder: Folder,
    /// Whether something was recorded that has to survive the death of this process before anything else happens.
    owes: bool,
}

impl<'a> Journal<'a> {
    /// A journal whose next event has the number `seq`.
    pub fn new(writers: &'a mut Writers, run: RunId, seq: u64) -> Self {
        Self { writers, run, seq, folder: Folder::default(), owes: false }
    }

    /// Opens the run: the ledger keeps `plan` with it.
    ///
    /// # Errors
    /// [`LedgerError`] if it could not be recorded: nothing may happen then.
    pub fn open(&mut self, target: &Target, release: &str, plan: &str, started: What) -> Result<(), LedgerError> {
        let event = self.number(started);
        if let Some(ledger) = &mut self.writers.ledger {
            ledger.begin(target, release, plan, &event)?;
        }
        self.publish(&event);
        Ok(())
    }

    /// Records an event.
    ///
    /// # Errors
    /// [`LedgerError`] if it could not be recorded: the run stops then.
    pub fn record(&mut self, what: What, key: Option<(&Key, &Digest)>, durability: Durability) -> Result<(), LedgerError> {
        let event = self.number(what);
        if let Some(ledger) = &mut self.writers.ledger {
            ledger.append(&event, key, durability)?;
        }
        self.owes &= durability != Durability::Now;
        self.publish(&event);
        Ok(())
    }

    /// Records an event that has to survive the death of this process before anything else happens: with the next that is durable, or at
    /// [`settle`](Self::settle).
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn record_soon(&mut self, what: What, key: Option<(&Key, &Digest)>) -> Result<(), LedgerError> {
        self.record(what, key, Durability::Later)?;
        self.owes = true;
        Ok(())
    }

    /// Before anything else happens: what has to survive the death of this process does from here on.
    ///
    /// # Errors
    /// [`LedgerError`] if it could not be recorded: the run stops then.
    pub fn settle(&mut self) -> Result<(), LedgerError> {
        match &mut self.writers.ledger {
            Some(ledger) if std::mem::take(&mut self.owes) => ledger.write(),
            _ => Ok(()),
        }
    }

    /// The version that is live if the run ends with `status`; `None` if nobody knows of one.
    #[must_use]
    pub fn live_version(&self, status: Status) -> Option<String> {
        self.folder.live_version(status)
    }

    /// Makes everything recorded so far durable.
    ///
    /// # Errors
    /// [`LedgerError`] if it can't be: the run stops then.
    pub fn sync(&mut self) -> Result<(), LedgerError> {
        self.writers.ledger.as_mut().map_or(Ok(()), |ledger| ledger.flush())
    }

    /// Takes in an event that was recorded before, without telling anybody again.
    pub fn replay(&mut self, event: &Event) {
        self.folder.push(event);
    }

    /// The report of everything so far.
    #[must_use]
    pub fn report(self) -> Report {
        self.folder.finish()
    }

    fn number(&mut self, what: What) -> Event {
        let event = Event { schema: SCHEMA, seq: self.seq, at: (self.writers.clock)(), run: self.run.clone(), what };
        self.seq += 1;
        event
    }

    fn publish(&mut self, event: &Event) {
        self.folder.push(event);
        for sink in &self.writers.sinks {
            sink.event(event);
        }
    }
}
