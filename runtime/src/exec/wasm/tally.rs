//! What one execution has used so far, readable from any thread: whoever gives up on a stuck guest still reports what is known.

use super::super::OutputSink;
use super::super::output::Capture;
use crate::model::job::Stream;
use crate::model::outcome::Usage;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::time::Instant;

/// The counters of one execution.
pub(super) struct Tally {
    capture: Mutex<Capture>,
    memory_peak: AtomicU64,
    started: OnceLock<Instant>,
}

impl Tally {
    /// Counters at zero, for output that goes to `sink`, at most `output_limit` bytes of it.
    pub(super) fn new(sink: Arc<dyn OutputSink>, output_limit: u64) -> Self {
        Self { capture: Mutex::new(Capture::new(sink, output_limit)), memory_peak: AtomicU64::new(0), started: OnceLock::new() }
    }

    /// The guest starts now.
    pub(super) fn start(&self) -> Instant {
        *self.started.get_or_init(Instant::now)
    }

    /// Whether the guest has started.
    pub(super) fn has_started(&self) -> bool {
        self.started.get().is_some()
    }

    /// Takes output of the guest.
    pub(super) fn write(&self, stream: Stream, bytes: &[u8]) {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner).write(stream, bytes);
    }

    /// The guest's memories are `bytes` large now, all together.
    pub(super) fn memory(&self, bytes: u64) {
        self.memory_peak.fetch_max(bytes, Relaxed);
    }

    /// Hands on the last unfinished lines. Returns the last lines and what was used; fuel is the store's to say.
    pub(super) fn close(&self) -> (Vec<String>, Usage) {
        let mut capture = self.capture.lock().unwrap_or_else(PoisonError::into_inner);
        capture.finish();
        (capture.tail(), self.usage(Some(capture.written())))
    }

    /// As [`close`](Self::close) while the guest may still be there: never waits for it, and says nothing of output it may be in the middle of.
    pub(super) fn peek(&self) -> (Vec<String>, Usage) {
        match self.capture.try_lock() {
            Ok(capture) => (capture.tail(), self.usage(Some(capture.written()))),
            Err(TryLockError::Poisoned(capture)) => (capture.into_inner().tail(), self.usage(None)),
            Err(TryLockError::WouldBlock) => (Vec::new(), self.usage(None)),
        }
    }

    fn usage(&self, output_bytes: Option<u64>) -> Usage {
        let Some(started) = self.started.get() else { return Usage::default() };
        Usage {
            fuel: None,
            wall_ms: Some(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)),
            memory_peak_bytes: Some(self.memory_peak.load(Relaxed)),
            output_bytes,
        }
    }
}
