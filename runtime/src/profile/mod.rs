//! A platform's lifecycle as data. The engine reads this value and knows no platform's name.
//! Profiles come as TOML, built in or a user's own; a profile that can't be kept in every word is refused when it is read.

mod builtin;
mod commands;
mod dialect;
mod read;
#[cfg(test)]
mod tests;

pub use builtin::{BUILTIN_NAMES, builtin, builtin_text, unknown};
pub use commands::{Alias, CommandRules, DefaultHook, ForbiddenPrefix, Prompt};
pub use dialect::{PhaseDialect, RunDialect};
pub use read::json_schema;

use crate::diagnostic::{Diagnostic, has_errors};
use crate::document;
use crate::model::grant::DirMode;
use crate::model::id::StepName;
use crate::model::limits::Limits;
use crate::model::policy::{
    AfterFailure, Background, Cwd, EnvPolicy, Files, Gate, OnFailure, OnLocked, OnTimeout, OnUnknown, Resume, Sandbox, Scope, When,
};
use crate::model::units::parse_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A lifecycle: ordered steps with policies, and the platform's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Profile {
    /// The version of this format: 1.
    #[schemars(extend("const" = 1))]
    pub schema: u32,
    /// Its name.
    pub name: String,
    /// What it is for, in one sentence.
    pub description: String,
    /// What a run does when another one holds the lock.
    pub on_locked: OnLocked,
    /// After how long the owner of the lock is told to stop, and then killed, and its run replaced (`"15m"`); never if absent.
    pub stale_after: Option<String>,
    /// What happens to a hook that was running when the engine died.
    pub on_unknown: OnUnknown,
    /// Who gets the app environment.
    #[serde(default)]
    pub env: EnvPolicy,
    /// Where native hooks start.
    #[serde(default)]
    pub cwd: Cwd,
    /// How native hooks are confined unless they say otherwise.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// The mode of a directory grant that names none.
    pub default_mode: DirMode,
    /// The phase of a hook that names none.
    pub default_phase: Option<StepName>,
    /// Limits unless the hook says otherwise.
    #[serde(default)]
    pub limits: ProfileLimits,
    /// How hooks are found by their file names.
    pub discovery: Option<Discovery>,
    /// How the target is found when no tag is given.
    #[serde(default)]
    pub target: Target,
    /// A file, below the application's root, that says a release is done; `{tag}` is the tag. The lifecycle writes it once, after the last hook.
    pub marker: Option<String>,
    /// A file, by its absolute path, that holds the commit of the last success in the ledger's place: without it everything runs. The ledger
    /// knows if absent, and remembers it for longer.
    pub commit_file: Option<String>,
    /// How a branch is followed (`wasmhook watch`).
    #[serde(default)]
    pub watch: ProfileWatch,
    /// What reads a line with `shell = true`: a program and its options, the line comes last. `/bin/sh -c` if absent.
    #[serde(default)]
    pub shell: Vec<String>,
    /// Rules for native commands.
    #[serde(default)]
    pub commands: CommandRules,
    /// Other paths under which hooks know directories.
    #[serde(default, rename = "alias")]
    pub aliases: Vec<Alias>,
    /// Hooks that the platform brings along.
    #[serde(default, rename = "default_hook")]
    pub default_hooks: Vec<DefaultHook>,
    /// The platform's exact lines (`run --dialect`), of a run as a whole.
    #[serde(default)]
    pub dialect: RunDialect,
    /// The steps, in order.
    #[serde(rename = "step")]
    pub steps: Vec<ProfileStep>,
}

/// A profile's default limits, as people write them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileLimits {
    /// Deadline (`"30m"`); `"0"` is none.
    pub timeout: Option<String>,
    /// Time between TERM and KILL.
    pub grace: Option<String>,
    /// Memory (`"512MiB"`).
    pub memory: Option<String>,
    /// Fuel units.
    pub fuel: Option<u64>,
    /// Output bytes (`"10MiB"`).
    pub output: Option<String>,
}

/// How a branch is followed, as people write it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileWatch {
    /// The time between two cycles (`"30s"`, which it is if absent).
    pub interval: Option<String>,
    /// A variable of the environment that says it instead (`--from-env`).
    pub interval_variable: Option<String>,
    /// The longest time between two cycles: each cycle that fails doubles it up to here. If absent it stays as it is.
    pub backoff: Option<String>,
    /// How long the remote may take to answer (`"60s"`, which it is if absent).
    pub fetch_timeout: Option<String>,
}

/// How hooks are found by name: `<folder>/<tag>[.<phase>].<ext>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// The folder, below the application's root.
    pub folder: String,
    /// The phase of a file that names none.
    pub default_phase: StepName,
    /// Which extensions are hooks: `wasm`, `wat`, `sh`, …
    pub extensions: Vec<String>,
    /// Directories that a found hook asks for; paths as in the manifest.
    #[serde(default)]
    pub dirs: Vec<DiscoveredDir>,
    /// Variables that a found hook asks for; as in the manifest.
    #[serde(default)]
    pub env: Vec<String>,
}

/// A directory that every discovered hook asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscoveredDir {
    /// `$APP_DIR`, `$DATA_DIR` or a path.
    pub path: String,
    /// The mode.
    pub mode: DirMode,
}

/// How the version to deploy is chosen when no tag is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// What is checked out.
    #[default]
    WorkTree,
    /// The newest release tag of the fetched remote.
    NewestTag,
}

/// One position in a lifecycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ProfileStep {
    /// Its name: what manifests, reports and options call it.
    pub name: StepName,
    /// What it is.
    #[serde(flatten)]
    pub kind: ProfileStepKind,
}

/// What a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ProfileStepKind {
    /// Hooks attach here.
    Phase(PhasePolicy),
    /// The operator's own command.
    Host(HostPolicy),
    /// Something done before the plan was made.
    Fact(FactPolicy),
}

/// The policies of a phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhasePolicy {
    /// What the phase is called in lines for people (`Post-pull`).
    pub title: String,
    /// Where its hooks run and what they see there, in a sentence (`explain PHASE`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Where else than in `wasmhook.toml` its hooks are written (`explain PHASE`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defined_in: Vec<String>,
    /// What a failed hook means.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// What a timeout means.
    #[serde(default)]
    pub on_timeout: OnTimeout,
    /// When a hook that ran before runs again.
    #[serde(default)]
    pub gate: Gate,
    /// On how many instances it runs.
    #[serde(default)]
    pub scope: Scope,
    /// A ceiling on how writes end.
    #[serde(default)]
    pub files: Files,
    /// Whether the next steps wait for it.
    #[serde(default)]
    pub background: Background,
    /// Whether it runs even after an abort.
    #[serde(default)]
    pub always: bool,
    /// In which runs it has its turn.
    #[serde(default)]
    pub when: When,
    /// What becomes of the rest of a list after a failure that the run survives.
    #[serde(default)]
    pub after_failure: AfterFailure,
    /// Who gets the app environment; as the profile says if absent.
    pub env: Option<EnvPolicy>,
    /// Directories that a native hook asks for if it names none.
    #[serde(default)]
    pub dirs: Vec<DiscoveredDir>,
    /// Whether the application's root is read-only here: folders in it may be granted for writing one by one, and never the whole.
    #[serde(default)]
    pub app_read_only: bool,
    /// Whether its hooks belong to the application as a whole: none names a service.
    #[serde(default)]
    pub app_wide: bool,
    /// Whether the plan warns of hooks that state no timeout.
    #[serde(default)]
    pub warn_default_timeout: bool,
    /// From the moment a hook is due to its start: waiting for what it needs, its backup, staging and loading (`"300s"`); no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_timeout: Option<String>,
    /// Limits unless the hook says otherwise.
    #[serde(default)]
    pub limits: ProfileLimits,
    /// The lines of a hook in the report's `details`; `{title}` and `{file}` are replaced.
    #[serde(default)]
    pub lines: Lines,
    /// The platform's exact lines of this phase.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub dialect: Box<PhaseDialect>,
    /// What it means if the run is aborted after this phase ran something and before the new version is live: a sentence for the report.
    pub left_half_way: Option<String>,
}

fn says_nothing(dialect: &PhaseDialect) -> bool {
    *dialect == PhaseDialect::default()
}

/// The policies of a host step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostPolicy {
    /// What a failure means.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Whether it runs even after an abort.
    #[serde(default)]
    pub always: bool,
    /// Whether the new version is live once it succeeded.
    #[serde(default)]
    pub makes_live: bool,
    /// What `run --resume` does with it.
    #[serde(default)]
    pub resume: Resume,
    /// Limits unless the operator says otherwise.
    #[serde(default)]
    pub limits: ProfileLimits,
    /// Its lines in the report's `details`; `{version}`, `{migrations}` (a count) and other outputs of the step are replaced.
    #[serde(default)]
    pub lines: Lines,
    /// What it means if the run is aborted after this step and before the new version is live: a sentence for the report.
    pub left_half_way: Option<String>,
}

/// Something done before the plan was made, shown at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactPolicy {
    /// Which fact.
    pub fact: Fact,
}

/// What is done before the plan is made.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Ord, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// `git fetch --tags`.
    Fetch,
    /// The choice of the version.
    Target,
}

/// A step's lines for the report's `details`; what is absent says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    /// When it begins.
    pub begin: Option<String>,
    /// When it succeeded.
    pub done: Option<String>,
    /// When it failed; `{cause}` is replaced.
    pub failed: Option<String>,
    /// When it failed or timed out and the run goes on, in the place of `failed`; `{cause}` is replaced.
    pub tolerated: Option<String>,
}

/// The fields of a report that a `[dialect]` may answer with.
#[must_use]
pub const fn report_fields() -> &'static [&'static str] {
    read::REPORT_FIELDS
}

impl ProfileLimits {
    /// Time between TERM and KILL.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace.as_deref().and_then(|text| parse_duration(text).ok()).unwrap_or_else(|| Limits::default().grace())
    }
}

impl PhasePolicy {
    /// From the moment a hook is due to its start.
    #[must_use]
    pub fn start_timeout(&self) -> Option<Duration> {
        self.start_timeout.as_deref().and_then(|text| parse_duration(text).ok())
    }

    /// Whether it has its turn also after an abort: always, or because something failed.
    #[must_use]
    pub fn runs_after_an_abort(&self) -> bool {
        self.always || self.when == When::Failed
    }
}

impl Profile {
    /// Reads a profile. `name` is what messages call the text.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the text.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let (profile, problems) = document::read(name, text);
        let found = problems.into_found();
        match profile {
            Some(profile) if !has_errors(&found) => Ok(profile),
            _ => Err(found),
        }
    }

    /// After how long the owner of the lock is ended.
    #[must_use]
    pub fn stale_after(&self) -> Option<Duration> {
        // It was read once before: a profile with another text isn't one.
        self.stale_after.as_deref().and_then(|text| parse_duration(text).ok())
    }

    /// The step of this name.
    #[must_use]
    pub fn step(&self, name: &StepName) -> Option<&ProfileStep> {
        self.steps.iter().find(|step| step.name == *name)
    }

    /// The phases, in order.
    pub fn phases(&self) -> impl Iterator<Item = (&StepName, &PhasePolicy)> {
        self.steps.iter().filter_map(|step| match &step.kind {
            ProfileStepKind::Phase(policy) => Some((&step.name, policy)),
            ProfileStepKind::Host(_) | ProfileStepKind::Fact(_) => None,
        })
    }

    /// The host steps, in order.
    pub fn host_steps(&self) -> impl Iterator<Item = (&StepName, &HostPolicy)> {
        self.steps.iter().filter_map(|step| match &step.kind {
            ProfileStepKind::Host(policy) => Some((&step.name, policy)),
            ProfileStepKind::Phase(_) | ProfileStepKind::Fact(_) => None,
        })
    }
}
