//! What the timers of one execution are set on: a runtime without sockets, since a guest has none.

use crate::exec::ExecError;
use std::ops::Deref;
use tokio::runtime::{Builder, Runtime};

/// A runtime that may be dropped where another one is driven.
pub(super) struct Timers(Option<Runtime>);

impl Timers {
    pub(super) fn start() -> Result<Self, ExecError> {
        let runtime = Builder::new_current_thread().enable_time().build();
        runtime.map(|runtime| Self(Some(runtime))).map_err(|error| ExecError::new("starting a hook's timers", error))
    }
}

impl Deref for Timers {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        match &self.0 {
            Some(runtime) => runtime,
            None => unreachable!("it is taken out only when this is dropped"),
        }
    }
}

impl Drop for Timers {
    /// tokio panics if a runtime is dropped, and so waited for, on a thread that drives another. Here is nothing to wait for.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
