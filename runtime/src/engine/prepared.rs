//! A plan, and what belongs to it without standing in it.

use super::{Blobs, LastCommit};
use crate::model::id::RunId;
use crate::plan::{Plan, PlanHook};
use std::collections::BTreeMap;

/// Checks what a hook needs, on the tree of the moment just before its phase.
pub trait Checks: Send + Sync {
    /// Everything that is wrong; empty if it can start.
    fn check(&self, hook: &PlanHook) -> Vec<String>;
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
