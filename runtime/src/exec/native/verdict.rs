//! How a command that ran is reported: its end, the limits it met, and what it wrote, as an [`Execution`].

use super::prepare::Prepared;
use super::process::{Finished, Stopped};
use super::wire::{Ended, Ending};
use crate::exec::outputs::{self, Reported};
use crate::model::job::{Execution, Job};
use crate::model::limits::Limits;
use crate::model::outcome::{Cause, Outcome, TimeLimit, Usage};
use std::time::Duration;

/// What a shell exits with when the CPU limit's signal ended its command.
const SHELL_XCPU: i32 = 128 + libc::SIGXCPU;

/// The result of a job whose command ran.
pub(super) fn execution(job: &Job, finished: &Finished, prepared: &Prepared) -> Execution {
    let outcome = outcome(finished, &job.limits);
    let Reported { pairs: outputs, dropped: dropped_outputs } = match (&outcome, job.collect_outputs, prepared.private()) {
        (Outcome::Succeeded, true, Some(private)) => outputs::collect(&private.outputs()),
        _ => Reported::default(),
    };
    Execution {
        outcome,
        exit_code: finished.ended.and_then(|ended| match ended.ending {
            Ending::Exited(code) => Some(code),
            Ending::Killed(_) => None,
        }),
        usage: Usage {
            wall_ms: u64::try_from(finished.wall.as_millis()).ok(),
            output_bytes: Some(finished.capture.written()),
            ..Usage::default()
        },
        denials: None,
        more_denials: 0,
        unenforced: prepared.unenforced(),
        tail: finished.capture.tail(),
        outputs,
        dropped_outputs,
    }
}

fn outcome(finished: &Finished, limits: &Limits) -> Outcome {
    match (finished.stopped, finished.ended) {
        (Some(Stopped::Deadline), _) => Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: finished.abandoned },
        (Some(Stopped::Cancelled), _) => Outcome::Cancelled,
        (None, Some(ended)) if out_of_cpu_time(ended, limits.cpu_time()) => {
            Outcome::TimedOut { limit: TimeLimit::CpuTime, abandoned: finished.abandoned }
        }
        (None, Some(Ended { ending: Ending::Exited(0), .. })) => Outcome::Succeeded,
        (None, Some(Ended { ending: Ending::Exited(code), .. })) => Outcome::Failed { cause: Cause::Exit { code } },
        (None, Some(Ended { ending: Ending::Killed(signal), .. })) => Outcome::Failed { cause: Cause::Signal { signal } },
        // A command ends by itself, or is stopped: neither can't be, and isn't a success.
        (None, None) => Outcome::Unknown,
    }
}

/// The kernel sends XCPU at the limit and KILL a second later; a shell turns its command's signal into an exit code. The time that was used
/// tells a limit from somebody else's signal.
fn out_of_cpu_time(ended: Ended, limit: Option<Duration>) -> bool {
    let Some(limit) = limit else { return false };
    match ended.ending {
        Ending::Killed(libc::SIGXCPU) => true,
        Ending::Killed(libc::SIGKILL) | Ending::Exited(SHELL_XCPU) => ended.cpu >= limit,
        _ => false,
    }
}
