//! The exact lines of a platform, for whoever reads its logs: templates whose words in braces are replaced. What is absent says nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lines about a run as a whole. `{app}`, `{environment}`, `{tag}` and `{commit}` are replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunDialect {
    /// Before the first hook that runs, except at the start of a container or machine (`--at-start`).
    pub begin: Option<String>,
    /// When hooks are skipped since the commit is unchanged.
    pub unchanged: Option<String>,
    /// When the run succeeded and some hook ran.
    pub success: Option<String>,
    /// When the run was aborted.
    pub failed: Option<String>,
    /// When another run has the lock.
    pub locked: Option<String>,
    /// Which commit is checked out, once the remote was asked (`watch`).
    pub commit: Option<String>,
    /// Before the pause between two cycles (`watch`); `{seconds}` is replaced too.
    pub waiting: Option<String>,
    /// A warning; `{message}` and its `{code}` are replaced too. Without a template it reads `warning: {message} [{code}]`.
    pub warning: Option<String>,
    /// Fields of the report that are answered as JSON on standard output at the end, in this order; lines then go to standard error.
    #[serde(default)]
    pub response: Vec<String>,
    /// Fields that are answered besides where the run didn't succeed.
    #[serde(default)]
    pub response_failed: Vec<String>,
}

/// Lines about a phase and its hooks. `{title}`, `{file}`, `{label}`, `{hook}`, `{tag}` and `{environment}` are replaced; `{cause}` after a bad
/// end, `{code}` (the exit code) in `exit`, `{seconds}` (the deadline) in `timed_out`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseDialect {
    /// Before the first hook that runs.
    pub heading: Option<String>,
    /// When the phase has no hook, or only disabled ones.
    pub empty: Option<String>,
    /// Before each line of output, unless the line begins with it.
    pub prefix: Option<String>,
    /// When a hook begins, unless its first line says so itself.
    pub begin: Option<String>,
    /// When a hook succeeded, unless its last line says so itself.
    pub done: Option<String>,
    /// When a hook was done before.
    pub skipped: Option<String>,
    /// When a hook exited with a code other than 0; `failed` if absent.
    pub exit: Option<String>,
    /// When a hook ran out of time; `failed` if absent.
    pub timed_out: Option<String>,
    /// When a hook failed.
    pub failed: Option<String>,
    /// When a hook failed and the run goes on: after the line that says how.
    pub tolerated: Option<String>,
    /// When the phase ends the run.
    pub aborted: Option<String>,
    /// As `aborted`, at the start of a container or machine; `aborted` if absent.
    pub aborted_at_start: Option<String>,
    /// When the run was interrupted while a hook ran.
    pub interrupted: Option<String>,
}

impl RunDialect {
    /// Every template, with the words that it may hold.
    pub(super) fn templates(&self) -> impl Iterator<Item = (&String, &'static [&'static str])> {
        const RUN: &[&str] = &["app", "environment", "tag", "commit"];
        const WARNING: &[&str] = &["app", "environment", "tag", "commit", "message", "code"];
        const WAITING: &[&str] = &["app", "environment", "tag", "commit", "seconds"];
        let run = [&self.begin, &self.unchanged, &self.success, &self.failed, &self.locked, &self.commit];
        let run = run.into_iter().flatten().map(|template| (template, RUN));
        run.chain(self.warning.iter().map(|template| (template, WARNING))).chain(self.waiting.iter().map(|template| (template, WAITING)))
    }
}

impl PhaseDialect {
    /// Every template, with the words that it may hold.
    pub(super) fn templates(&self) -> impl Iterator<Item = (&String, &'static [&'static str])> {
        const PHASE: &[&str] = &["title", "tag", "environment"];
        const HOOK: &[&str] = &["title", "file", "label", "hook", "tag", "environment"];
        const FAILED: &[&str] = &["title", "file", "label", "hook", "tag", "environment", "cause"];
        const EXIT: &[&str] = &["title", "file", "label", "hook", "tag", "environment", "cause", "code"];
        const TIMED_OUT: &[&str] = &["title", "file", "label", "hook", "tag", "environment", "cause", "seconds"];
        [
            (&self.heading, PHASE),
            (&self.empty, PHASE),
            (&self.prefix, PHASE),
            (&self.begin, HOOK),
            (&self.done, HOOK),
            (&self.skipped, HOOK),
            (&self.exit, EXIT),
            (&self.timed_out, TIMED_OUT),
            (&self.failed, FAILED),
            (&self.tolerated, FAILED),
            (&self.aborted, PHASE),
            (&self.aborted_at_start, PHASE),
            (&self.interrupted, HOOK),
        ]
        .into_iter()
        .filter_map(|(template, words)| Some((template.as_ref()?, words)))
    }
}
