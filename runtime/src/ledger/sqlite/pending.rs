//! Events that wait for the next transaction, and the journal's line.

use crate::ledger::{Key, LedgerError, Target};
use crate::model::event::Event;
use crate::model::id::{Digest, RunId};

/// Waiting events are written when they are this many,
const MAX_ENTRIES: usize = 4096;
/// or their lines are this long together, in bytes,
const MAX_BYTES: usize = 1024 * 1024;
/// or the newest is this much younger than the oldest.
const MAX_AGE: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// An event on its way into the journal.
pub(super) struct Entry {
    /// Whose it is.
    pub(super) target: Target,
    /// The number of its run.
    pub(super) number: i64,
    /// The event.
    pub(super) event: Event,
    /// The event as JSON.
    pub(super) line: String,
    /// The execution whose memory it may change.
    pub(super) key: Option<(Key, Digest)>,
}

impl Entry {
    pub(super) fn new(target: &Target, number: i64, event: &Event, key: Option<(&Key, &Digest)>) -> Result<Self, LedgerError> {
        let key = key.map(|(key, digest)| (key.clone(), digest.clone()));
        Ok(Self { target: target.clone(), number, event: event.clone(), line: line(event)?, key })
    }
}

/// The entries of the next transaction, in order.
#[derive(Default)]
pub(super) struct Pending {
    entries: Vec<Entry>,
    bytes: usize,
}

impl Pending {
    /// Adds an entry; whether it is time to write.
    pub(super) fn push(&mut self, entry: Entry) -> bool {
        self.bytes += entry.line.len();
        let now = entry.event.at;
        self.entries.push(entry);
        let oldest = self.entries.first().map_or(now, |first| first.event.at);
        self.entries.len() >= MAX_ENTRIES || self.bytes >= MAX_BYTES || now.duration_since(oldest) > MAX_AGE
    }

    /// Takes the newest entry back.
    pub(super) fn pop(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.bytes -= entry.line.len();
        }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

/// The journal's line: the event as JSON.
pub(super) fn line(event: &Event) -> Result<String, LedgerError> {
    serde_json::to_string(event).map_err(|error| unreadable(&event.run, event.seq, &error))
}

/// The event of a line that stands at `seq`.
pub(super) fn parse(run: &RunId, seq: u64, line: &str) -> Result<Event, LedgerError> {
    let event: Event = serde_json::from_str(line).map_err(|error| unreadable(run, seq, &error))?;
    if event.seq != seq {
        return Err(unreadable(run, seq, &format!("it says that it is event {}", event.seq)));
    }
    Ok(event)
}

fn unreadable(run: &RunId, seq: u64, error: &dyn std::fmt::Display) -> LedgerError {
    LedgerError::Entry { run: run.to_string(), seq, message: error.to_string() }
}
