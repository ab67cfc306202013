//! The first process of a container. The kernel gives it every orphan, and only it can reap them; and signals that it doesn't handle don't reach it.
//! So it does nothing else: the command itself runs as its only child, and knows of no other's.

use super::{runtime, watch};
use crate::error::CliError;
use crate::exit::Exit;
use rustix::process::{Pid, WaitOptions, WaitStatus};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// Whether this process is the first one.
pub fn is_this() -> bool {
    rustix::process::getpid().as_raw_nonzero().get() == 1
}

/// Runs this command line as a child, forwards signals to it, reaps whatever ends, and ends as the child does.
pub fn stand_in() -> Result<Exit, CliError> {
    runtime()?.block_on(async {
        // Listening begins before there is anything to hear.
        let mut signals = watch::signals(watch::FORWARDED)?;
        let mut ended = signal(SignalKind::child())?;
        // In a group of its own: what a terminal sends reaches it once, by way of here.
        let child = Command::new(std::env::current_exe()?).args(std::env::args_os().skip(1)).process_group(0).spawn()?;
        let child = Pid::from_child(&child);
        loop {
            tokio::select! {
                Some(signal) = signals.recv() => forward(child, signal),
                _ = ended.recv() => if let Some(status) = reap(child) {
                    return Ok(Exit::Guest(code(status)));
                },
            }
        }
    })
}

fn forward(child: Pid, signal: i32) {
    if let Some(signal) = rustix::process::Signal::from_named_raw(signal) {
        // It may be gone already: then its end is the next thing that is heard of it.
        let _ = rustix::process::kill_process(child, signal);
    }
}

/// Reaps everything that has ended; how the child did, if it is among that.
fn reap(child: Pid) -> Option<WaitStatus> {
    let mut found = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == child {
            found = Some(status);
        }
    }
    found
}

fn code(status: WaitStatus) -> i32 {
    status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(1)
}
