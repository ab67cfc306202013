//! A handle on a process: what is done to it is done to that very process, whatever has its number by then.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;

/// The handle.
pub(super) struct Process(OwnedFd);

impl Process {
    /// A handle on the process of this number; none if there is none.
    pub(super) fn open(pid: Pid) -> Result<Option<Self>, String> {
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => Ok(Some(Self(process))),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Sends a signal; `false` if it has ended before.
    pub(super) fn signal(&self, signal: Signal) -> Result<bool, String> {
        match pidfd_send_signal(&self.0, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether it has ended: only then its handle can be read.
    pub(super) fn has_ended(&self) -> bool {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready > 0)
    }
}
