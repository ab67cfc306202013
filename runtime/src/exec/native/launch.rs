//! What the two new processes are given, and what the hook's process does to itself before its program takes over.
//! [`prepare`] runs between clone and exec, in memory it shares: system calls only, no allocation, no locks.

use super::confine::Rights;
use super::mounts::Mounts;
use super::sys::{self, Descriptors};
use super::wire::{Failure, Stage};
use rustix::process::{Pid, Signal};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

/// Everything that is needed to start a program, prepared.
pub(super) struct Launch {
    /// What is executed.
    pub command: Arc<Command>,
    /// Its standard input, output and error.
    pub streams: Streams,
    /// What it finds in other places than the machine has it.
    pub mounts: Option<Arc<Mounts>>,
    /// What it may do and use.
    pub rights: Arc<Rights>,
    /// The supervisor's end of the connection to the executor.
    pub control: OwnedFd,
    /// Whether processes that it leaves behind may outlive it.
    pub leftovers: Leftovers,
}

impl Launch {
    /// Every descriptor that the new processes use, in order.
    pub(super) fn descriptors(&self) -> Vec<u32> {
        let Streams { stdin, stdout, stderr } = &self.streams;
        let own = [stdin, stdout, stderr, &self.control].map(AsFd::as_fd);
        let mounts = self.mounts.iter().flat_map(|mounts| mounts.descriptors());
        let all = own.into_iter().chain(mounts).chain(self.rights.descriptor());
        let mut numbers: Vec<u32> = all.filter_map(|fd| fd.as_raw_fd().try_into().ok()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// What is executed, in the kernel's form.
pub(super) struct Command {
    /// The file: an absolute path.
    pub program: CString,
    /// Its arguments, the program's name first.
    pub argv: Vec<CString>,
    /// Its environment: `NAME=value`.
    pub env: Vec<CString>,
    /// Its working directory: an absolute path.
    pub cwd: CString,
}

/// What becomes of processes that the program leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftovers {
    /// They end with it.
    End,
    /// They are let go (`detach`).
    Release,
}

/// The standard streams of a program; each descriptor lies above the three it is put in the place of.
pub(super) struct Streams {
    /// Nothing to read.
    pub stdin: OwnedFd,
    /// The write end of a pipe.
    pub stdout: OwnedFd,
    /// The write end of a pipe.
    pub stderr: OwnedFd,
}

/// A descriptor that `dup2` to 0, 1 or 2 can't clobber.
///
/// # Errors
/// What `fcntl` says.
pub(super) fn above_streams(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?) }
}

/// Turns the calling process into one that may execute the program: everything but the program itself. Confinement comes last, so that
/// nothing before it needs a right that the hook doesn't have: who is under Landlock can't mount. `trees` has room for the launch's mounts.
///
/// # Errors
/// The point at which it failed.
pub(super) fn prepare(launch: &Launch, trees: &mut Vec<OwnedFd>) -> Result<(), Failure> {
    at(Stage::Group, enter_group())?;
    at(Stage::Streams, connect(&launch.streams))?;
    if let Some(mounts) = &launch.mounts {
        mounts.enter(trees)?;
    }
    at(Stage::Directory, rustix::process::chdir(launch.command.cwd.as_c_str()).map_err(io::Error::from))?;
    at(Stage::Streams, sys::close_from(3, Descriptors::CloseOnExec))?;
    at(Stage::Limits, launch.rights.limit())?;
    at(Stage::Confine, launch.rights.confine())
}

fn at<T>(stage: Stage, result: io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| Failure::at(stage, &error))
}

/// Its own process group is what TERM goes to, and it has no terminal. If the supervisor is killed, so is the program.
///
/// Not its own session: where the kernel schedules by session (`sched_autogroup_enabled`), a new one waits its turn on a busy machine for
/// several times as long as a short hook runs.
fn enter_group() -> io::Result<()> {
    rustix::process::setpgid(None, None)?;
    sys::leave_terminal()?;
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

fn connect(streams: &Streams) -> io::Result<()> {
    rustix::stdio::dup2_stdin(streams.stdin.as_fd())?;
    rustix::stdio::dup2_stdout(streams.stdout.as_fd())?;
    Ok(rustix::stdio::dup2_stderr(streams.stderr.as_fd())?)
}

/// Asks a whole process group to end. A stopped process is continued, or it would never notice.
pub(super) fn terminate_group(leader: Pid) {
    // What can't be signalled is gone already.
    let _ = rustix::process::kill_process_group(leader, Signal::TERM);
    let _ = rustix::process::kill_process_group(leader, Signal::CONT);
}

/// Ends a process and the group that it leads, if it leads one.
pub(super) fn kill_group(leader: Pid) {
    let _ = rustix::process::kill_process_group(leader, Signal::KILL);
    let _ = rustix::process::kill_process(leader, Signal::KILL);
}
