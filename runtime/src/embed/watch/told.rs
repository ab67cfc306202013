//! What a watch tells, besides the events of its runs.

use crate::embed::Error;
use crate::model::id::Commit;
use crate::report::Report;
use serde::Serialize;

/// Something that happened between the runs of a watch, or the end of one.
#[derive(Debug, Serialize)]
#[serde(tag = "watch", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Told {
    /// The remote was asked, and this is checked out.
    CheckedOut {
        /// What is checked out.
        commit: Commit,
        /// What was before, if the remote had something newer.
        from: Option<Commit>,
    },
    /// The remote couldn't be asked, or what it has couldn't be checked out, which is tried again in the next cycle; or the submodules of what
    /// is checked out stayed behind, which is told once for each commit.
    Warning {
        /// A stable code (`docs/codes.md`).
        code: &'static str,
        /// One sentence.
        message: String,
    },
    /// A run is over, or was skipped.
    Ran {
        /// Its report.
        report: Box<Report>,
    },
    /// A run couldn't be carried out. It is tried again in the next cycle, unless it was that of the start.
    Broken {
        /// Why.
        #[serde(serialize_with = "as_text")]
        error: Error,
    },
    /// Nothing happens for this long.
    Waiting {
        /// In seconds, rounded up.
        seconds: u64,
    },
    /// The application runs.
    ApplicationStarted {
        /// Its process id.
        pid: Option<u32>,
    },
    /// The application can't be started.
    ApplicationNotStarted {
        /// Why.
        message: String,
    },
    /// The application has ended.
    ApplicationEnded {
        /// Its exit code, or 128 + the signal that ended it.
        code: i32,
    },
}

fn as_text<S: serde::Serializer>(error: &Error, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}
