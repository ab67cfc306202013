//! The process between wasmhook and a hook. It is the subreaper of everything that the hook starts, so whatever leaves the hook's process
//! group, or loses its parent, becomes its child. It reports how the hook ended, and ends everything when it is told to, or when the
//! executor's end of the connection closes: also when wasmhook itself was killed.
//!
//! It runs in a forked copy of a program with threads: system calls only, no allocation, no locks, no panics.

use super::children;
use super::launch::{Leftovers, kill_group, terminate_group};
use super::sys::{self, Descriptors, Image, Reaped};
use super::wire::{Failure, Message, Stage, TERMINATE};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Pid;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Longest time between two rounds of killing, for descendants that don't die of it (a change of user, a call that hangs in the kernel).
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The supervisor's life, from fork to exit. Returns its exit code: 0 if everything was said and everybody is gone.
pub(super) fn run(image: &mut Image<'_>) -> i32 {
    let leftovers = image.launch().leftovers;
    let started = prepare(image).and_then(|signals| Ok((signals, sys::clone_hook(image)?)));
    let (signals, main) = match started {
        Ok(started) => started,
        Err(failure) => {
            tell(image.launch().control.as_fd(), Message::Failed(failure));
            return 0;
        }
    };
    // From here on only the connection and the signals are open: the pipes are the hook's alone, and end when it does.
    let Ok(signals) = keep_only(image.launch().control.as_fd(), signals) else {
        kill_group(main);
        return 1;
    };
    tell(CONTROL, Message::Started(main.as_raw_nonzero().get()));
    Watch { signals, main: Some(main), leftovers }.run()
}

/// Where the connection lies once everything else is closed: in the place of standard input.
const CONTROL: BorrowedFd<'static> = rustix::stdio::stdin();

fn prepare(image: &Image<'_>) -> Result<OwnedFd, Failure> {
    image.close_others().and_then(|()| adopt()).map_err(|error| Failure::at(Stage::Supervise, &error))
}

/// Its own process group, so that a terminal's Ctrl-C reaches wasmhook alone; and every orphan below becomes its child.
fn adopt() -> io::Result<OwnedFd> {
    let signals = sys::child_signals()?;
    rustix::process::setpgid(None, None)?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    rustix::process::chdir(c"/")?;
    rustix::thread::set_name(c"wasmhook-watch")?;
    Ok(signals)
}

/// Puts the connection at 0 and the signals at 1, and closes all else. Whoever owned one of those forgets it: this process never drops one.
fn keep_only(control: BorrowedFd<'_>, signals: OwnedFd) -> io::Result<BorrowedFd<'static>> {
    rustix::stdio::dup2_stdin(control)?;
    rustix::stdio::dup2_stdout(&signals)?;
    std::mem::forget(signals);
    sys::close_from(2, Descriptors::Close)?;
    Ok(rustix::stdio::stdout())
}

fn tell(control: BorrowedFd<'_>, message: Message) {
    // If nobody listens any more, the next read of a command says so.
    let _ = rustix::io::write(control, &message.encode());
}

struct Watch {
    signals: BorrowedFd<'static>,
    /// The hook's first process, leader of its group; `None` once it was reaped: its number may then be anybody's.
    main: Option<Pid>,
    leftovers: Leftovers,
}

/// Who is left.
enum Left {
    Nobody,
    Somebody,
}

impl Watch {
    fn run(mut self) -> i32 {
        while let Left::Somebody = self.reap() {
            match self.command() {
                Some(TERMINATE) => self.main.into_iter().for_each(terminate_group),
                Some(_) => return self.end(),
                None => {}
            }
        }
        0
    }

    /// Takes all children that ended.
    fn reap(&mut self) -> Left {
        loop {
            match sys::reap() {
                Reaped::Child(pid, ended) if Some(pid) == self.main => {
                    self.main = None;
                    tell(CONTROL, Message::Ended(ended));
                }
                Reaped::Child(..) => {}
                Reaped::Running if self.main.is_none() && self.leftovers == Leftovers::Release => return Left::Nobody,
                Reaped::Running => return Left::Somebody,
                Reaped::None => return Left::Nobody,
            }
        }
    }

    /// Waits for a command or for the end of a child; a closed connection is a command to end.
    fn command(&self) -> Option<u8> {
        let mut fds = [PollFd::from_borrowed_fd(CONTROL, PollFlags::IN), PollFd::from_borrowed_fd(self.signals, PollFlags::IN)];
        if rustix::event::poll(&mut fds, None).is_err() {
            return None;
        }
        self.clear_signals();
        let [control, _] = fds;
        if control.revents().is_empty() {
            return None;
        }
        let mut byte = [0];
        match rustix::io::read(CONTROL, &mut byte) {
            Ok(1) => Some(byte[0]),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => None,
            _ => Some(super::wire::KILL),
        }
    }

    /// Kills until nobody is left. A process whose parent dies becomes our child: so killing our children, again and again, reaches
    /// every descendant, wherever it hid.
    fn end(mut self) -> i32 {
        self.main.into_iter().for_each(kill_group);
        let mut pause = Duration::from_millis(1);
        while let Left::Somebody = self.reap() {
            if self.leftovers == Leftovers::End {
                children::each(rustix::process::getpid(), kill_group);
            }
            self.rest(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        0
    }

    /// Waits until a child ends, at most for `pause`.
    fn rest(&self, pause: Duration) {
        let mut fds = [PollFd::from_borrowed_fd(self.signals, PollFlags::IN)];
        let timeout = Timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
        let _ = rustix::event::poll(&mut fds, Some(&timeout));
        self.clear_signals();
    }

    fn clear_signals(&self) {
        let mut buffer = [0; 512];
        while rustix::io::read(self.signals, &mut buffer).is_ok_and(|read| read > 0) {}
    }
}
