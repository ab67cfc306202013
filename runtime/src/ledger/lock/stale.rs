//! An owner that has held its lock for too long: told to stop, then killed. A process is ended by a handle on it, never by its number, which may be
//! another's by the time it is used.

use super::Owner;
use super::owner::process_started;
use super::process::Process;
use rustix::process::{Pid, Signal};
use std::fmt;
use std::time::Duration;

/// How long the kernel may take to end a process that is killed.
const AFTER_KILL: Duration = Duration::from_secs(10);
/// Between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// How an owner was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It stopped when it was told to.
    Stopped,
    /// It was killed.
    Killed,
    /// It was gone already.
    Gone,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "it was told to stop, and did",
            Self::Killed => "it was told to stop, didn't, and was killed",
            Self::Gone => "it was gone already",
        })
    }
}

/// Why an owner can't be ended from here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEnded {
    /// Its process does other things than this run.
    #[error("its process is not there for this run alone")]
    NotAlone,
    /// It can't be told from another process.
    #[error("it is on another machine, or its record doesn't say which process it is")]
    Elsewhere,
    /// The system refused.
    #[error("it can't be ended: {0}")]
    Refused(String),
    /// It was killed, and is still there.
    #[error("it was killed, and is still there")]
    Stuck,
}

impl Owner {
    /// For how long it has held the lock.
    #[must_use]
    pub fn age(&self, now: jiff::Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.since)).unwrap_or_default()
    }

    /// Ends its process: TERM, and KILL after `grace`.
    ///
    /// # Errors
    /// [`NotEnded`]; nothing was done to any process then, unless it is [`NotEnded::Stuck`].
    pub async fn end(&self, grace: Duration) -> Result<Ended, NotEnded> {
        if !self.alone {
            return Err(NotEnded::NotAlone);
        }
        let Some(process) = self.process()? else { return Ok(Ended::Gone) };
        for (signal, patience, ended) in [(Signal::TERM, grace, Ended::Stopped), (Signal::KILL, AFTER_KILL, Ended::Killed)] {
            if !process.signal(signal).map_err(NotEnded::Refused)? {
                return Ok(ended);
            }
            if has_ended(&process, patience).await {
                return Ok(ended);
            }
        }
        Err(NotEnded::Stuck)
    }

    /// A handle on its process; none if that is gone.
    fn process(&self) -> Result<Option<Process>, NotEnded> {
        let us = Self::of_this_process("", self.since);
        if self.host != us.host || self.boot_id.is_none() || us.boot_id.is_none() || self.process_started.is_none() {
            return Err(NotEnded::Elsewhere);
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw).filter(|_| self.boot_id == us.boot_id) else {
            return Ok(None);
        };
        let Some(process) = Process::open(pid).map_err(NotEnded::Refused)? else { return Ok(None) };
        // What the handle is of can't become another any more: if it was the owner by now, it is.
        Ok((process_started(&self.pid.to_string()) == self.process_started).then_some(process))
    }
}

async fn has_ended(process: &Process, patience: Duration) -> bool {
    let begun = tokio::time::Instant::now();
    while !process.has_ended() {
        if begun.elapsed() >= patience {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, Command, Stdio};

    /// A process, and the record of a lock that it would hold.
    fn start(line: &str) -> (Child, Owner) {
        let child = Command::new("sh").args(["-c", line]).stdout(Stdio::piped()).spawn().unwrap();
        let us = Owner::of_this_process("run", jiff::Timestamp::UNIX_EPOCH);
        let owner = Owner { pid: child.id(), process_started: process_started(&child.id().to_string()), alone: true, ..us };
        (child, owner)
    }

    fn wait_for_a_word(child: &mut Child) {
        use std::io::Read as _;
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    }

    #[tokio::test]
    async fn an_owner_is_told_to_stop_and_killed_if_it_does_not() {
        let (mut polite, owner) = start("exec sleep 600");
        assert_eq!(owner.end(Duration::from_mins(1)).await, Ok(Ended::Stopped));
        assert_eq!(polite.wait().unwrap().signal(), Some(15));
        assert_eq!(owner.end(Duration::ZERO).await, Ok(Ended::Gone));

        let (mut stubborn, owner) = start("trap '' TERM; echo; while :; do sleep 1; done");
        wait_for_a_word(&mut stubborn);
        assert_eq!(owner.end(Duration::from_millis(50)).await, Ok(Ended::Killed));
        assert_eq!(stubborn.wait().unwrap().signal(), Some(9));
    }

    #[tokio::test]
    async fn nobody_else_is_ended_in_its_place() {
        let (mut child, owner) = start("exec sleep 600");
        let reused = Owner { process_started: owner.process_started.map(|started| started + 1), ..owner.clone() };
        let rebooted = Owner { boot_id: Some("another".to_owned()), ..owner.clone() };
        let elsewhere = Owner { host: "another".to_owned(), ..owner.clone() };
        let unclear = Owner { process_started: None, ..owner.clone() };
        let serving = Owner { alone: false, ..owner };
        assert_eq!(reused.end(Duration::ZERO).await, Ok(Ended::Gone));
        assert_eq!(rebooted.end(Duration::ZERO).await, Ok(Ended::Gone));
        assert_eq!(elsewhere.end(Duration::ZERO).await, Err(NotEnded::Elsewhere));
        assert_eq!(unclear.end(Duration::ZERO).await, Err(NotEnded::Elsewhere));
        assert_eq!(serving.end(Duration::ZERO).await, Err(NotEnded::NotAlone));
        assert!(child.try_wait().unwrap().is_none(), "it lives");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
