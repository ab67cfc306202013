//! What decides a plan, and what can be wrong with it.

use super::Notice;
use super::grants::Roots;
use super::order::Instance;
use crate::diagnostic::{Diagnostic, Located};
use crate::manifest::{HostStepDecl, Manifest, PolicyDecl};
use crate::model::grant::Denial;
use crate::model::id::{AppName, Commit, Digest, EnvironmentName, HookId, SourceName, StepName, Tag};
use crate::model::tree::Listing;
use crate::profile::{Fact, Profile};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that decides a plan.
#[derive(Debug)]
pub struct Given<'a> {
    /// What the author wrote.
    pub manifest: &'a Manifest,
    /// The platform's lifecycle.
    pub profile: &'a Profile,
    /// The operator's ceiling.
    pub policy: &'a PolicyDecl,
    /// The operator's commands.
    pub host_steps: &'a [(Located<StepName>, HostStepDecl)],
    /// Whether author and operator share one file.
    pub one_file: bool,
    /// The application.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The tag being deployed.
    pub tag: Option<Tag>,
    /// The commit being deployed.
    pub commit: Option<Commit>,
    /// The version that is live now.
    pub previous_version: Option<String>,
    /// Where the application's root and data lie.
    pub roots: Roots<'a>,
    /// Names of the app environment.
    pub app_env: &'a BTreeSet<String>,
    /// What is known of the files that hooks name, by the path as written.
    pub files: &'a BTreeMap<String, FileFact>,
    /// What is known of the repositories that hooks come from.
    pub sources: &'a BTreeMap<SourceName, SourceFact>,
    /// Whether the release is read from a commit, so that its scripts run from private copies of the planned bytes.
    pub copies_scripts: bool,
    /// What came of the facts that the profile shows as steps.
    pub facts: &'a BTreeMap<Fact, String>,
    /// The instances the platform named.
    pub instances: &'a [Instance],
    /// What was asked for.
    pub selection: &'a Selection,
    /// Whether this is the first run of a container or machine: no commit check, and nobody waits for what may run in the background.
    pub at_start: bool,
    /// Host steps that the embedder carries out in code.
    pub steps_in_code: &'a [StepName],
    /// What is to be said already.
    pub notices: Vec<Notice>,
    /// What is to be warned of already.
    pub warnings: Vec<Notice>,
}

/// What is known of a repository that hooks come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceFact {
    /// It was read.
    Read {
        /// The commit.
        commit: Commit,
        /// The modules that hooks name, by the path as written.
        modules: BTreeMap<String, FileFact>,
        /// Everything that it holds, where native hooks come from it.
        tree: Option<Listing>,
    },
    /// It could not be read, or nobody needed it.
    Unread {
        /// Why.
        why: String,
    },
}

/// What is known of a file that a hook names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFact {
    /// It is there.
    Present {
        /// The digest of its bytes.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// Why this host can't run it, if it is a module that needs something else.
        unsupported: Option<String>,
    },
    /// It isn't there.
    Missing,
    /// It is there and larger than every hook that names it allows: it was not read.
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// It is there and can't be used.
    Unusable {
        /// Why.
        why: String,
    },
}

/// Which hooks were asked for: empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--phase`.
    pub phases: Vec<StepName>,
    /// `--only`.
    pub only: Vec<HookId>,
}

impl Selection {
    /// Whether everything was asked for, host steps included.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.phases.is_empty() && self.only.is_empty()
    }

    /// Whether this hook of this phase was asked for.
    #[must_use]
    pub fn takes(&self, phase: &StepName, hook: &HookId) -> bool {
        (self.phases.is_empty() || self.phases.contains(phase)) && (self.only.is_empty() || self.only.contains(hook))
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanError {
    /// Something that was written can't be planned.
    Invalid(Vec<Diagnostic>),
    /// Something that was asked for isn't allowed.
    Denied(Vec<(HookId, Denial)>),
}
