//! The executor's side of a supervisor: starts one, hears its reports, tells it to end. Dropping it ends everything it watches.

use super::launch::Launch;
use super::private::Private;
use super::sys;
use super::wire::{self, Message};
use crate::exec::Hold;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tokio::net::UnixStream;

/// A running supervisor, and what must stay for as long as anything below it may run.
pub(super) struct Supervised {
    control: UnixStream,
    /// The supervisor's process; `None` once it was reaped.
    process: Option<OwnedFd>,
    /// The program's process group, until its first process was reaped: the number may then be anybody's.
    group: Option<Pid>,
    kept: Option<Kept>,
}

/// What stays until the supervisor has ended: private directories, and whatever the run holds.
pub(super) type Kept = (Option<Arc<Private>>, Hold);

/// What a supervisor reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// About the program.
    Said(Message),
    /// The supervisor has ended, and with it everything below it (but what was released).
    Gone,
}

impl Supervised {
    /// Starts a supervisor, which starts the program. `control` is the other end of `launch.control`.
    ///
    /// # Errors
    /// What the system says about the connection or the fork. Whether the program started is the first report.
    pub(super) fn start(launch: Launch, control: std::os::unix::net::UnixStream, kept: Kept) -> io::Result<Self> {
        control.set_nonblocking(true)?;
        let control = UnixStream::from_std(control)?;
        let pid = sys::fork_supervisor(&launch)?;
        // Closes this process's copies of the program's streams and of the supervisor's end.
        drop(launch);
        // An error from here on closes the connection, which ends the supervisor.
        let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { control, process: Some(process), group: None, kept: Some(kept) })
    }

    /// The next report. Cancel safe: a message is read whole or not at all.
    ///
    /// # Errors
    /// What the system says, or a message that is none.
    pub(super) async fn report(&mut self) -> io::Result<Report> {
        let mut bytes = [0; wire::SIZE];
        loop {
            self.control.readable().await?;
            match self.control.try_read(&mut bytes) {
                Ok(0) => break,
                Ok(wire::SIZE) => {
                    let message = Message::decode(bytes).ok_or_else(|| invalid("an unknown message"))?;
                    match message {
                        Message::Started(main) => self.group = Pid::from_raw(main),
                        Message::Ended(_) => self.group = None,
                        Message::Failed(_) => {}
                    }
                    return Ok(Report::Said(message));
                }
                Ok(_) => return Err(invalid("a part of a message")),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error),
            }
        }
        self.gone()
    }

    /// The connection closes when the supervisor exits, a moment before it can be reaped. It exits with 0 only when nobody is left.
    fn gone(&mut self) -> io::Result<Report> {
        let Some(process) = self.process.take() else { return Ok(Report::Gone) };
        match wait(&process) {
            Some(status) if status.exit_status() != Some(0) => {
                // It hunts nobody any more. What stayed in the hook's group can still be reached, all at once, even if it forks without end.
                if let Some(group) = self.group.take() {
                    let _ = rustix::process::kill_process_group(group, Signal::KILL);
                }
                Err(io::Error::other("its supervisor was killed; what left the hook's process group may still run"))
            }
            _ => {
                self.kept = None;
                Ok(Report::Gone)
            }
        }
    }

    /// Asks the program's process group to end.
    pub(super) fn terminate(&self) {
        self.tell(wire::TERMINATE);
    }

    /// Ends everything now.
    pub(super) fn kill(&self) {
        self.tell(wire::KILL);
    }

    /// A supervisor that can't be told is gone, and the next report says so.
    fn tell(&self, command: u8) {
        let _ = self.control.try_write(&[command]);
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let Some(process) = self.process.take() else { return };
        self.kill();
        let kept = self.kept.take();
        // Nobody else would reap it; and what is kept stays until the last process is gone.
        let reaper = std::thread::Builder::new().name("wasmhook-reaper".to_owned()).spawn(move || {
            wait(&process);
            drop(kept);
        });
        if let Err(error) = reaper {
            tracing::warn!(%error, "a supervisor was told to end, but nobody waits for it");
        }
    }
}

/// Waits for the supervisor's exit status; `None` if a handler of the embedder took it first.
fn wait(process: &OwnedFd) -> Option<WaitIdStatus> {
    loop {
        match rustix::process::waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED) {
            Err(rustix::io::Errno::INTR) => {}
            status => return status.ok().flatten(),
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the supervisor sent {what}"))
}
