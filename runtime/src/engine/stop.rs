//! The request to stop a run: from a signal, or from the embedder.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A handle that stops a run; clones stop the same run.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    signal: Arc<AtomicI32>,
}

impl Stop {
    /// Signals that come this soon after the first are the same request: who stops a whole process group and its leader, as `timeout` does, asks twice.
    pub const SAME_REQUEST: Duration = Duration::from_millis(100);

    /// A handle that nobody has used yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to stop: its current hook is cancelled, its `always` steps run, its report says `interrupted`.
    pub fn request(&self, signal: Option<i32>) {
        self.signal.store(signal.unwrap_or(0), Ordering::SeqCst);
        self.token.cancel();
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The signal that asked, if it was one.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Waits until somebody asks; the signal, if it was one.
    pub async fn asked(&self) -> Option<i32> {
        self.token.cancelled().await;
        self.signal()
    }
}
