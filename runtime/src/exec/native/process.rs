//! One native command from start to end: its output is read while it runs, its time is kept, and what it leaves behind is ended.

use super::launch::Launch;
use super::private::Private;
use super::streams::{Output, Pipes};
use super::supervise::{Report, Supervised};
use super::wire::{Ended, Failure, Message};
use crate::exec::output::Capture;
use crate::exec::{ExecError, Surroundings};
use crate::model::limits::Limits;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a program's descendants may go on after the program itself has ended by itself: enough for a `tee` to write its last lines.
const LINGER: Duration = Duration::from_millis(250);

/// How long a KILL may take before what it was sent to is abandoned: on a busy machine a tree of processes needs its time to end, and the run is
/// to go on within a second of the grace period's end.
const PATIENCE: Duration = Duration::from_millis(800);

/// Why a command was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Its deadline passed.
    Deadline,
    /// It was cancelled.
    Cancelled,
}

/// How a command ended.
pub(super) struct Finished {
    /// How the program ended; `None` if it was abandoned before it did.
    pub ended: Option<Ended>,
    /// Why it was ended, if it didn't end by itself.
    pub stopped: Option<Stopped>,
    /// Whether a process may still be there.
    pub abandoned: bool,
    /// From its start to its end.
    pub wall: Duration,
    /// What it wrote.
    pub capture: Capture,
}

/// How a start ended.
pub(super) enum Run {
    /// It ran.
    Finished(Box<Finished>),
    /// It never did.
    Failed(Failure),
}

/// What a command needs besides its launch.
pub(super) struct Setup {
    /// The program, its surroundings and rights.
    pub launch: Launch,
    /// The executor's end of `launch.control`.
    pub control: std::os::unix::net::UnixStream,
    /// The read ends of its streams.
    pub pipes: Pipes,
    /// What must stay while it runs.
    pub private: Option<Arc<Private>>,
}

/// Runs a command to its end.
///
/// # Errors
/// [`ExecError`] if the machinery failed.
pub(super) async fn run(setup: Setup, limits: &Limits, around: &Surroundings) -> Result<Run, ExecError> {
    let output = Output::new(setup.pipes, Capture::new(Arc::clone(&around.output), limits.output_bytes))
        .map_err(|error| ExecError::new("opening the output pipes", error))?;
    let started = Instant::now();
    let supervised = Supervised::start(setup.launch, setup.control, (setup.private, around.hold.clone()))
        .map_err(|error| ExecError::new("starting a supervisor", error))?;
    around.begun.cancel();
    let deadline = limits.timeout().and_then(|timeout| started.checked_add(timeout));
    let command =
        Command { supervised, output, started, grace: limits.grace(), phase: Phase::Running { deadline }, stopped: None, ended: None };
    command.run(around).await
}

/// A command that was started.
struct Command {
    supervised: Supervised,
    output: Output,
    started: Instant,
    grace: Duration,
    phase: Phase,
    stopped: Option<Stopped>,
    /// How and when the program ended.
    ended: Option<(Ended, Duration)>,
}

/// Where a command stands, and until when.
#[derive(Clone, Copy)]
enum Phase {
    /// It may run.
    Running { deadline: Option<Instant> },
    /// It was asked to end, or its descendants are about to.
    Ending { kill_at: Instant },
    /// It was killed.
    Killed { abandon_at: Instant },
}

impl Phase {
    fn until(self) -> Option<Instant> {
        match self {
            Self::Running { deadline } => deadline,
            Self::Ending { kill_at } => Some(kill_at),
            Self::Killed { abandon_at } => Some(abandon_at),
        }
    }
}

/// What a command waited for.
enum Turn {
    Report(std::io::Result<Report>),
    Cancelled,
    TimeUp,
    Output,
}

impl Command {
    async fn run(mut self, around: &Surroundings) -> Result<Run, ExecError> {
        loop {
            match self.turn(around).await {
                Turn::Report(Ok(Report::Said(Message::Started(_)))) | Turn::Output => {}
                Turn::Report(Ok(Report::Said(Message::Failed(failure)))) => return self.failed(failure).await,
                Turn::Report(Ok(Report::Said(Message::Ended(ended)))) => self.ended(ended),
                Turn::Report(Ok(Report::Gone)) if self.ended.is_some() => return Ok(self.finish(Left::Nothing)),
                Turn::Report(Ok(Report::Gone)) => return Err(ExecError::new("watching the command", "its supervisor was killed")),
                Turn::Report(Err(error)) => return Err(ExecError::new("watching the command", error)),
                Turn::Cancelled => self.stop(Stopped::Cancelled),
                Turn::TimeUp => match self.phase {
                    Phase::Running { .. } => self.stop(Stopped::Deadline),
                    Phase::Ending { .. } => self.kill(),
                    Phase::Killed { .. } => return Ok(self.finish(Left::Something)),
                },
            }
        }
    }

    /// Waits for whatever comes first. Reports come before the clock: what ended before its deadline has.
    async fn turn(&mut self, around: &Surroundings) -> Turn {
        let until = self.phase.until();
        let running = matches!(self.phase, Phase::Running { .. });
        tokio::select! {
            biased;
            report = self.supervised.report() => Turn::Report(report),
            () = around.cancel.cancelled(), if running => Turn::Cancelled,
            () = tokio::time::sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => Turn::TimeUp,
            () = self.output.read(), if self.output.is_open() => Turn::Output,
        }
    }

    fn stop(&mut self, why: Stopped) {
        self.stopped = Some(why);
        self.supervised.terminate();
        self.phase = Phase::Ending { kill_at: Instant::now() + self.grace };
    }

    fn kill(&mut self) {
        self.supervised.kill();
        self.phase = Phase::Killed { abandon_at: Instant::now() + PATIENCE };
    }

    fn ended(&mut self, ended: Ended) {
        self.ended = Some((ended, self.started.elapsed()));
        if let Phase::Running { .. } = self.phase {
            self.phase = Phase::Ending { kill_at: Instant::now() + LINGER };
        }
    }

    /// Lets the supervisor end first: a private directory is removed only then.
    async fn failed(mut self, failure: Failure) -> Result<Run, ExecError> {
        self.supervised.report().await.map_err(|error| ExecError::new("watching the command", error))?;
        Ok(Run::Failed(failure))
    }

    fn finish(self, left: Left) -> Run {
        let (ended, wall) = self.ended.map_or((None, self.started.elapsed()), |(ended, wall)| (Some(ended), wall));
        let finished =
            Finished { ended, stopped: self.stopped, abandoned: matches!(left, Left::Something), wall, capture: self.output.close() };
        Run::Finished(Box::new(finished))
    }
}

/// What is left below the supervisor when the command is over.
#[derive(Clone, Copy)]
enum Left {
    Nothing,
    Something,
}
