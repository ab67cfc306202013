//! A plan, and what belongs to it without standing in it.

use super::{Blobs, LastCommit};
use crate::model::id::RunId;
use crate::plan::{HostCommand, Plan, PlanHook};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Checks what a hook needs, on the tree of the moment just before its phase.
pub trait Checks: Send + Sync {
    /// Everything that is wrong; empty if it can start.
    fn check(&self, hook: &PlanHook) -> Vec<Lack>;

    /// The same of a host step's command.
    fn check_command(&self, command: &HostCommand) -> Vec<Lack>;
}

/// Something that has to be there for a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What is missing, and the way out.
    pub what: String,
    /// The path where it would have to be, absolute; `None` if it is no matter of a file.
    pub at: Option<PathBuf>,
}

impl Lack {
    /// What no file at one path would mend.
    #[must_use]
    pub fn anywhere(what: impl Into<String>) -> Self {
        Self { what: what.into(), at: None }
    }

    /// What has to be at `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self { what: what.into(), at: Some(path.into()) }
    }

    /// What a run says of them.
    #[must_use]
    pub fn words(lacks: Vec<Self>) -> Vec<String> {
        lacks.into_iter().map(|lack| lack.what).collect()
    }
}

/// A plan and everything that doesn't stand in it.
pub struct Prepared {
    /// The run's name.
    pub run: RunId,
    /// The plan.
    pub plan: Plan,
    /// The planned bytes.
    pub blobs: Blobs,
    /// The app environment with its values.
    pub app_env: BTreeMap<String, String>,
    /// Whether the release's marker file existed when the plan was made.
    pub marker_present: bool,
    /// Writes the release's marker file.
    pub write_marker: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// The checks before each phase.
    pub checks: Box<dyn Checks>,
    /// Whether a tag that points to another commit than before is taken as it is.
    pub accept_moved_tag: bool,
    /// Whether it goes on with the last unfinished run.
    pub resume: bool,
    /// Whether attempts of wasm hooks at paths outside every grant are looked at.
    pub audit: bool,
    /// Whether it is the first run of a container or machine.
    pub at_start: bool,
    /// Where the commit of the last success is kept.
    pub last_commit: LastCommit,
}
