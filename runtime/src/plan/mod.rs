//! The plan: fully resolved, ordered, serialisable. `wasmhook plan` prints it, `run` obeys it, the ledger keeps it.

mod backup;
mod by_profile;
pub mod difference;
mod given;
pub mod grants;
mod guest;
mod hook;
pub mod limits;
pub mod order;
mod programs;
mod resolve;
mod source;
#[cfg(test)]
mod tests;
mod wait;

pub use given::{FileFact, Given, PlanError, Selection, SourceFact};
pub use guest::script_path;
pub use resolve::resolve;

use crate::model::backup::{BackupPlan, LastingEffect};
use crate::model::event::{GuestKind, Place, Role};
use crate::model::grant::{DirGrant, DirMode, Grants};
use crate::model::id::{AppName, Commit, Digest, EnvironmentName, HookId, InstanceName, ServiceName, StepName, Tag};
use crate::model::limits::Limits;
use crate::model::policy::{OnChange, OnLocked, OnUnknown, Sandbox};
use crate::model::source::HookSource;
use crate::model::wait::WaitPlan;
use crate::profile::{Fact, HostPolicy, PhasePolicy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The version of the plan format.
pub const SCHEMA: u32 = 1;

/// What will run, in order, with which rights, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The version of this format: 1.
    pub schema: u32,
    /// The application.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The profile's name.
    pub profile: String,
    /// The tag being deployed.
    pub tag: Option<Tag>,
    /// The commit being deployed.
    pub commit: Option<Commit>,
    /// The version that is live now.
    pub previous_version: Option<String>,
    /// Root of the application.
    pub app_dir: String,
    /// Where the application keeps its data.
    pub data_dir: String,
    /// What a run does when another one holds the lock.
    pub on_locked: OnLocked,
    /// What happens to a hook that was running when the engine died.
    pub on_unknown: OnUnknown,
    /// The marker file of this release, if the profile has one.
    pub marker: Option<String>,
    /// Whether only named phases or hooks were asked for: no host step runs then.
    pub partial: bool,
    /// The steps, in order.
    pub steps: Vec<PlanStep>,
    /// What a person should know before it runs: who decides the grants, which limits were lowered, …
    pub notices: Vec<Notice>,
    /// What a person should be warned of, in the plan and in the report: unconfined commands, hooks of other releases, …
    pub warnings: Vec<Notice>,
}

/// Something a person should know about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// A stable code (`docs/codes.md`).
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// One position of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// Its name.
    pub name: StepName,
    /// What it is.
    pub kind: PlanStepKind,
}

/// What a step of the plan is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PlanStepKind {
    /// Hooks run here.
    Phase {
        /// The phase's policies.
        policy: PhasePolicy,
        /// Its hooks, in order; one entry for each instance.
        hooks: Vec<PlanHook>,
    },
    /// The operator's command runs here.
    Host {
        /// The step's policies.
        policy: HostPolicy,
        /// The command; null if the operator gave none.
        command: Option<HostCommand>,
    },
    /// Something that was done before the plan was made.
    Fact {
        /// What.
        fact: Fact,
        /// What came of it: `v0.4.0`.
        found: String,
    },
}

/// A host step's command, with the operator's rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostCommand {
    /// The program and its arguments; empty if the embedder carries the step out in code.
    pub argv: Vec<String>,
    /// The working directory.
    pub cwd: String,
    /// Names of the app environment that it gets.
    pub env: Vec<String>,
    /// Values written by the operator.
    pub set: Vec<(String, String)>,
    /// What it may use.
    pub limits: Limits,
}

/// A hook, fully resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanHook {
    /// Its id.
    pub id: HookId,
    /// What a person calls it.
    pub label: String,
    /// The service it belongs to.
    pub service: Option<ServiceName>,
    /// The instance it runs on.
    pub instance: Option<InstanceName>,
    /// Where it is declared.
    pub origin: String,
    /// The repository that its files come from, if it isn't the application's own.
    #[serde(default)]
    pub source: Option<HookSource>,
    /// What runs.
    pub guest: PlanGuest,
    /// Why the fallback runs instead, if it does.
    pub fallback: Option<String>,
    /// What it was given.
    pub grants: Grants,
    /// What it may use.
    pub limits: Limits,
    /// Over bytes, arguments and grants.
    pub digest: Digest,
    /// `once`, if the hook overrides its phase's gate.
    pub once: Option<bool>,
    /// What happens if it changed since it was done.
    pub on_change: OnChange,
    /// Whether it may restart by itself after a crash.
    pub idempotent: bool,
    /// Whether its failure is only a warning.
    pub allow_failure: bool,
    /// Whether it runs at all.
    pub enabled: bool,
    /// Whether it was asked for (`--phase`, `--only`).
    pub selected: bool,
    /// Why it can't run, if that is known already: found by preflight on the tree of the plan.
    pub unusable: Option<String>,
    /// What it changes that nothing here can take back.
    #[serde(default)]
    pub effects: Vec<LastingEffect>,
    /// What is copied before it starts.
    #[serde(default)]
    pub backup: Option<BackupPlan>,
    /// What it waits for before it starts.
    #[serde(default)]
    pub wait_for: Option<WaitPlan>,
    /// What says whether it took.
    #[serde(default)]
    pub verify: Option<PlanSibling>,
    /// What takes it back when the run, or the deployment that it is part of, fails.
    #[serde(default)]
    pub revert: Option<PlanSibling>,
}

/// What runs beside a hook, under its grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanSibling {
    /// What runs.
    pub guest: PlanGuest,
    /// What it may use: the hook's limits, for its own kind of guest.
    pub limits: Limits,
}

impl PlanHook {
    /// Where it stands in the phase called `step`.
    #[must_use]
    pub fn place(&self, step: &StepName) -> Place {
        Place {
            step: step.clone(),
            hook: Some(self.id.clone()),
            service: self.service.clone(),
            instance: self.instance.clone(),
            role: Role::Main,
        }
    }

    /// `sibling` in the hook's place: with the same rights, in the same surroundings.
    #[must_use]
    pub fn with(&self, sibling: &PlanSibling) -> Self {
        let PlanSibling { guest, limits } = sibling.clone();
        let digest = Digest::of_json(&guest);
        Self {
            guest,
            limits,
            digest,
            fallback: None,
            unusable: None,
            backup: None,
            wait_for: None,
            verify: None,
            revert: None,
            ..self.clone()
        }
    }

    /// Whether it changes something that nothing here can take back.
    #[must_use]
    pub fn is_irreversible(&self) -> bool {
        !self.effects.is_empty()
    }

    /// The directories that are copied before it starts, as if it were granted to read them.
    pub fn backed_up(&self) -> impl Iterator<Item = DirGrant> {
        let dirs = self.backup.iter().flat_map(|backup| &backup.dirs);
        dirs.map(|dir| DirGrant { host: Some(dir.clone()), guest: dir.clone(), mode: DirMode::Read })
    }

    /// Whether some of what it writes is there only once it is committed.
    #[must_use]
    pub fn commits(&self) -> bool {
        self.grants.dirs.iter().any(|dir| dir.mode == DirMode::Txn)
    }

    /// Whether something comes before its start.
    #[must_use]
    pub fn gets_ready(&self) -> bool {
        self.backup.is_some() || self.wait_for.is_some()
    }

    /// Whether it can change something outside of itself as it runs: a live directory, or anything a process does.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.grants.is_live() || self.guest.kind() == GuestKind::Native
    }
}

/// What runs, by digest: the bytes are handed over beside the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "guest", rename_all = "kebab-case")]
pub enum PlanGuest {
    /// A module or component.
    Wasm {
        /// The file, as written.
        file: String,
        /// The digest of its bytes.
        digest: Digest,
        /// Arguments.
        args: Vec<String>,
    },
    /// A native command.
    Native {
        /// The program and its arguments.
        argv: Vec<String>,
        /// The working directory: an absolute path, or one below the root of `tree`.
        cwd: String,
        /// The digest of the tree of which a private copy is made for it, if it comes from a repository of its own.
        #[serde(default)]
        tree: Option<Digest>,
        /// How it is confined.
        sandbox: Sandbox,
        /// The element of `argv` that names a file of the release, and that file's digest.
        script: Option<PlanScript>,
        /// What a person calls what runs: the file, or the command line.
        shown: String,
        /// Whether variables in the arguments are replaced by their values when it starts.
        #[serde(default)]
        expand_env: bool,
        /// Whether processes that it leaves behind when it succeeds may outlive the run.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        detach: bool,
    },
}

/// A file of the release that a native command names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanScript {
    /// Which element of `argv`.
    pub index: usize,
    /// Its file name.
    pub file: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Whether a private copy of the planned bytes runs, since the tree of the moment may hold others; otherwise it runs where it lies.
    pub copied: bool,
}

impl PlanGuest {
    /// What runs it.
    #[must_use]
    pub const fn kind(&self) -> GuestKind {
        match self {
            Self::Wasm { .. } => GuestKind::Wasm,
            Self::Native { .. } => GuestKind::Native,
        }
    }

    /// What runs, as reports name it: the file's name, or the command line.
    #[must_use]
    pub fn shown(&self) -> &str {
        match self {
            Self::Wasm { file, .. } => file,
            Self::Native { shown, .. } => shown,
        }
    }
}

impl Plan {
    /// The plan as JSON, and its [`digest`](Self::digest).
    ///
    /// # Errors
    /// What the serialiser says: nothing in a plan lets it fail.
    pub fn written(&self) -> serde_json::Result<(String, Digest)> {
        let json = serde_json::to_string(self)?;
        // A plan is megabytes with a thousand hooks: it is written once where that will do.
        let digest = self.without_words(&json).map_or_else(|| self.digest(), |json| Digest::of(json.as_bytes()));
        Ok((json, digest))
    }

    /// The plan's JSON without its notices and warnings, which stand at its end; `None` if that isn't all that is only said.
    fn without_words<'j>(&self, json: &'j str) -> Option<Cow<'j, str>> {
        if !self.found_nothing() {
            return None;
        }
        if self.says_nothing() {
            return Some(Cow::Borrowed(json));
        }
        let words = |notices: &[Notice], warnings: &[Notice]| {
            let (notices, warnings) = (serde_json::to_string(notices).ok()?, serde_json::to_string(warnings).ok()?);
            Some(format!(r#","notices":{notices},"warnings":{warnings}}}"#))
        };
        let decides = json.strip_suffix(&words(&self.notices, &self.warnings)?)?;
        Some(Cow::Owned(format!("{decides}{}", words(&[], &[])?)))
    }

    /// The digest over everything that decides what runs; what is only said along with it doesn't count.
    #[must_use]
    pub fn digest(&self) -> Digest {
        if self.says_nothing() && self.found_nothing() {
            return Digest::of_json(self);
        }
        let mut plan = Self { notices: Vec::new(), warnings: Vec::new(), ..self.clone() };
        for step in &mut plan.steps {
            match &mut step.kind {
                PlanStepKind::Fact { found, .. } => found.clear(),
                // What was read of a source counts by its bytes.
                PlanStepKind::Phase { hooks, .. } => {
                    hooks.iter_mut().filter_map(|hook| hook.source.as_mut()).for_each(|source| source.commit = None);
                }
                PlanStepKind::Host { .. } => {}
            }
        }
        Digest::of_json(&plan)
    }

    /// Whether nothing is said along with what runs.
    fn says_nothing(&self) -> bool {
        self.notices.is_empty() && self.warnings.is_empty()
    }

    /// Whether its steps tell nothing that doesn't decide what runs.
    fn found_nothing(&self) -> bool {
        self.steps.iter().all(|step| match &step.kind {
            PlanStepKind::Fact { found, .. } => found.is_empty(),
            PlanStepKind::Phase { hooks, .. } => hooks.iter().all(|hook| hook.source.as_ref().is_none_or(|source| source.commit.is_none())),
            PlanStepKind::Host { .. } => true,
        })
    }
}
