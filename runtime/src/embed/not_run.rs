//! The reports of runs that never began: somebody else's turn, or stopped before their own.

use crate::diagnostic::codes;
use crate::engine::Idle;
use crate::ledger::Target;
use crate::ledger::lock::{Holder, NotEnded};
use crate::model::event::Status;
use crate::model::policy::OnLocked;
use crate::plan::Plan;
use crate::report::{Notice, Report};

/// Another run has the lock, and the profile doesn't wait (any longer).
pub(super) fn locked_out(target: &Target, on_locked: OnLocked, holder: &Holder, why: Option<&NotEnded>) -> Report {
    let status = if on_locked == OnLocked::Skip { Status::Skipped } else { Status::Locked };
    let Target { app, environment } = target;
    let message = match holder {
        Holder::Known(owner) => format!(
            "{app} in {environment} is locked by {} on {} (process {}, since {}): {}",
            owner.user, owner.host, owner.pid, owner.since, owner.command
        ),
        Holder::Unknown => format!("{app} in {environment} is locked by another run"),
    };
    let message = match why {
        Some(why) => format!("{message}; it has had the lock for too long, but {why}: see to it there"),
        None => message,
    };
    report(target, status, "locked", message)
}

/// Only a change of the commit was a reason to run, and it hasn't changed, or nobody knows.
pub(super) fn idle(target: &Target, plan: &Plan, idle: Idle) -> Report {
    let (code, message) = match idle {
        Idle::CommitUnchanged => (codes::COMMIT_UNCHANGED, "the commit is that of the last success: nothing ran".to_owned()),
        Idle::UnknownRevision => (
            codes::UNKNOWN_REVISION,
            "no commit is known, so nothing says whether it changed: nothing ran; deploy from a git repository".to_owned(),
        ),
    };
    Report { commit: plan.commit.clone(), ..report(target, Status::Skipped, code, message) }
}

/// Whether there was nothing to run, as [`idle`] says it.
pub(super) fn is_idle(report: &Report) -> bool {
    report.notices.iter().any(|notice| [codes::COMMIT_UNCHANGED, codes::UNKNOWN_REVISION].contains(&notice.code.as_str()))
}

/// It was stopped while it waited for the lock, or while its plan was made.
pub(super) fn stopped(target: &Target, signal: Option<i32>) -> Report {
    let message = "the run was stopped before anything of it ran".to_owned();
    Report { signal, ..report(target, Status::Interrupted, "stopped-early", message) }
}

fn report(target: &Target, status: Status, code: &str, message: String) -> Report {
    Report {
        app: Some(target.app.clone()),
        environment: Some(target.environment.clone()),
        ..Report::not_started_because(status, vec![Notice { code: code.to_owned(), message }])
    }
}
