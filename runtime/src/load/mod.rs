//! From a directory to a prepared plan. Composition only: what is read is read by `discover`, what is parsed is parsed by `manifest` and
//! `profile`, what is decided is decided by `plan`.
//!
//! Two moves, since the lock has to be taken between them: [`declare`] reads what was written and says whose run it would be;
//! [`prepare`], under the lock, finds the target, reads manifest and hooks from it, and resolves the plan.

mod beside;
mod checks;
mod declare;
mod defaults;
mod environment;
mod files;
mod foreign;
mod found;
mod own;
mod prepare;
mod reach;
mod request;
mod scripts;
mod sources;
mod within;

#[cfg(feature = "cli")]
pub(crate) use checks::Preflight;
pub use declare::{Declared, declare, profile};
pub(crate) use environment::app_environment;
pub use foreign::import;
pub use prepare::{last_commit, prepare};
pub(crate) use request::{Previous, Settled};
pub use request::{Probe, Request};

use crate::diagnostic::Diagnostic;
use crate::discover::target::TargetError;
use crate::discover::{GitError, SourceError};
use crate::model::grant::Denial;
use crate::model::id::HookId;
use std::path::PathBuf;

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// What was written is wrong: everything that is, at once.
    #[error("{}", findings(.0))]
    Invalid(Vec<Diagnostic>),
    /// Hooks ask for more than the operator grants.
    #[error("{}", denials(.0))]
    Denied(Vec<(HookId, Denial)>),
    /// A file or directory that was named can't be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is no manifest.
    #[error("there is no wasmhook.toml in {}: write one, or name it with -C DIR or --manifest FILE", .0.display())]
    NoManifest(PathBuf),
    /// The target can't be found.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The repository can't be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The release can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Each finding with its place and the way out, for whoever shows an error as text; [`crate::diagnostic::render()`] shows the source too.
fn findings(found: &[Diagnostic]) -> String {
    let line = |finding: &Diagnostic| {
        let at = finding.at.as_ref().and_then(|at| at.position().map(|_| format!("{at}: "))).unwrap_or_default();
        let help = finding.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{at}{}{help}", finding.message)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn denials(denials: &[(HookId, Denial)]) -> String {
    let line = |(hook, denial): &(HookId, Denial)| format!("hook {hook}: {} (to allow it: {})", denial.what, denial.allow);
    denials.iter().map(line).collect::<Vec<_>>().join("\n")
}
