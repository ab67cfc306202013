//! What goes into the loop and what comes out of it.

use std::time::Duration;

/// How a look at the remote ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// What is checked out is what is to be run.
    Yes,
    /// Another run works on what is checked out, so it was left as it is.
    Locked,
    /// The remote couldn't be read, or what it has can't be checked out.
    No,
}

/// How a run ended, as far as the loop cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It succeeded; the commit is the last successful one now.
    Succeeded,
    /// There was nothing to run.
    Idle,
    /// Another run had the lock.
    Locked,
    /// It failed, was refused or interrupted, or the machinery did.
    Failed,
}

/// What the loop hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// It begins.
    Begin,
    /// The answer to [`Effect::Follow`].
    Followed(Followed),
    /// The run has come to the place where the application is started.
    StartDue,
    /// The answer to [`Effect::Start`]: the application runs.
    Started,
    /// The other answer to [`Effect::Start`]: it couldn't be started, and this is the exit code that says so.
    NotStarted(i32),
    /// The answer to [`Effect::Run`].
    Ran(Ran),
    /// The answer to [`Effect::Sleep`].
    Woke,
    /// The application ended, with this exit code (128 + the signal that ended it).
    ApplicationEnded(i32),
    /// This process got a signal.
    Signal(i32),
}

/// What the loop wants done. Of `Follow`, `Run` and `Sleep` one at most is under way at any time, and each gets its one answer, but for a sleep
/// that was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Look at the remote, and fast-forward what is checked out.
    Follow,
    /// Run the lifecycle.
    Run {
        /// Whether as at the start of a container or machine, whatever commit ran last; otherwise only if the commit changed.
        at_start: bool,
    },
    /// Wait.
    Sleep(Duration),
    /// End what is under way, in order.
    Interrupt {
        /// The signal that asks for it, if it was one.
        signal: Option<i32>,
    },
    /// Start the application.
    Start,
    /// Pass a signal on to the application.
    Forward(i32),
    /// It is over. Whatever is still under way is dropped.
    Exit(Ending),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As its last run did.
    LastRun,
    /// The one cycle couldn't look at the remote, and there was nothing to run.
    Unfollowed,
    /// The application ended, with this exit code.
    Application(i32),
    /// A signal stopped it.
    Stopped(i32),
    /// Another signal came, this one, while it was coming to its end: what was under way is cut off, and the next run finds a run that died.
    AtOnce(i32),
}
