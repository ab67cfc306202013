//! In the place of [`process`](super::process) where the kernel isn't Linux: there are no handles on processes, and by its number alone none is ended.

use rustix::process::{Pid, Signal};
use std::convert::Infallible;

/// The handle: there is none.
pub(super) struct Process(Infallible);

impl Process {
    /// Refuses.
    pub(super) fn open(_pid: Pid) -> Result<Option<Self>, String> {
        Err("only Linux has a handle on a process, by which no other one can be meant".to_owned())
    }

    /// Sends a signal.
    pub(super) fn signal(&self, _signal: Signal) -> Result<bool, String> {
        match self.0 {}
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        match self.0 {}
    }
}
