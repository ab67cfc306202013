//! Why a run begins: its commit, compared with what the ledger, or a file in its place, remembers.

use crate::ledger::RunRecord;
use crate::model::event::{Status, Trigger};
use crate::model::id::Commit;
use std::path::PathBuf;

/// Where the commit of the last success is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LastCommit {
    /// In the ledger.
    #[default]
    InLedger,
    /// In a file.
    InFile {
        /// The file.
        path: PathBuf,
        /// What it said when the plan was made; `None` if it wasn't there, or held no commit.
        commit: Option<Commit>,
    },
}

/// Why there is nothing to run where only a change of the commit is a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// The commit is that of the last success.
    CommitUnchanged,
    /// No commit is known, so nothing says whether it changed.
    UnknownRevision,
}

/// Why a run for `commit` begins.
#[must_use]
pub fn of(commit: Option<&Commit>, at_start: bool, last_success: Option<&Commit>, last: Option<&RunRecord>) -> Trigger {
    let Some(commit) = commit.filter(|_| !at_start) else {
        return if at_start { Trigger::AtStart } else { Trigger::UnknownRevision };
    };
    if last_success == Some(commit) {
        return Trigger::CommitUnchanged;
    }
    let failed = |run: &&RunRecord| run.commit.as_ref() == Some(commit) && run.status != Some(Status::Success) && !run.dry_run;
    match (last.filter(failed), last_success) {
        (Some(run), _) => Trigger::Retry { run: run.run.clone() },
        (None, Some(from)) => Trigger::CommitChanged { from: from.clone() },
        (None, None) => Trigger::FirstCommit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::RunId;

    #[test]
    fn s4_47_each_run_says_why_it_ran() {
        let commit = |digit: &str| Commit::new(digit.repeat(40)).unwrap();
        let (a, b) = (commit("a"), commit("b"));
        let record = |of: &Commit, status| RunRecord {
            run: RunId::new("r1").unwrap(),
            release: "x".to_owned(),
            tag: None,
            commit: Some(of.clone()),
            started: jiff::Timestamp::UNIX_EPOCH,
            status,
            dry_run: false,
            partial: false,
        };
        let retry = || Trigger::Retry { run: RunId::new("r1").unwrap() };
        let (died, failed, succeeded) = (record(&b, None), record(&b, Some(Status::Failed)), record(&a, Some(Status::Success)));
        let cases = [
            (Some(&a), true, Some(&a), Some(&succeeded), Trigger::AtStart),
            (None, true, None, None, Trigger::AtStart),
            (None, false, Some(&a), Some(&succeeded), Trigger::UnknownRevision),
            (Some(&a), false, None, None, Trigger::FirstCommit),
            (Some(&b), false, Some(&a), Some(&succeeded), Trigger::CommitChanged { from: a.clone() }),
            (Some(&b), false, Some(&a), Some(&failed), retry()),
            (Some(&b), false, None, Some(&died), retry()),
            (Some(&a), false, Some(&a), Some(&failed), Trigger::CommitUnchanged),
        ];
        for (commit, at_start, last_success, last, expected) in cases {
            assert_eq!(of(commit, at_start, last_success, last), expected);
        }
    }
}
