//! What was asked for, as values: the command line of the program, or an embedder's fields.

use crate::engine::LastCommit;
use crate::manifest::HookDecl;
use crate::manifest::import::Kind;
use crate::model::id::{AppName, Commit, EnvironmentName, HookId, StepName, Tag};
use crate::model::outcome::Cause;
use crate::model::policy::OnLocked;
use crate::plan::order::Instance;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What to load. [`Request::new`] asks for the `wasmhook.toml` of a directory and nothing else.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// The manifest's directory.
    pub dir: PathBuf,
    /// Manifest files; empty: `wasmhook.toml` in `dir`.
    pub manifests: Vec<PathBuf>,
    /// The tag to deploy.
    pub tag: Option<Tag>,
    /// The commit to deploy.
    pub commit: Option<Commit>,
    /// The environment.
    pub environment: EnvironmentName,
    /// The application, if no manifest names it.
    pub app: Option<AppName>,
    /// The profile, if no manifest names it: a name, or a file.
    pub profile: Option<String>,
    /// The application's root.
    pub app_dir: Option<PathBuf>,
    /// The application's data.
    pub data_dir: Option<PathBuf>,
    /// The operator's file.
    pub policy: Option<PathBuf>,
    /// Files with more of the app environment.
    pub env_files: Vec<PathBuf>,
    /// More of the app environment, stronger than any file.
    pub env: BTreeMap<String, String>,
    /// The format of manifests that are no `wasmhook.toml`, if their names don't say it.
    pub import_as: Option<Kind>,
    /// The module or service of such a manifest whose hooks are wanted; all if absent.
    pub module: Option<String>,
    /// Whether, without any manifest, `PRE_DEPLOY_*` and `POST_DEPLOY_*` of [`Request::env`] describe the hooks.
    pub jobs_from_env: bool,
    /// Hooks added in code, after those of the manifest.
    pub hooks: Vec<HookDecl>,
    /// Modules given as bytes, by the path under which hooks name them.
    pub modules: BTreeMap<String, Arc<[u8]>>,
    /// Host steps that the engine carries out in code.
    pub(crate) steps_in_code: Vec<StepName>,
    /// Instances of the service.
    pub instances: Vec<Instance>,
    /// Only these phases.
    pub phases: Vec<StepName>,
    /// Only these hooks.
    pub only: Vec<HookId>,
    /// Whether this is the first run of a container or machine: hooks run whatever commit ran last, and nobody waits for phases that run in
    /// the background then.
    pub at_start: bool,
    /// Whether only a change of the commit is a reason to run: otherwise the run is skipped before it begins, and leaves no trace. A plan or a
    /// dry run doesn't ask.
    pub only_if_changed: bool,
    /// The file that holds the commit of the last success, in the place of the profile's or the ledger.
    pub commit_file: Option<PathBuf>,
    /// What to do while another run holds the lock, in the place of what the profile says.
    pub on_locked: Option<OnLocked>,
    /// Whether the profile's marker file is passed over.
    pub ignore_marker: bool,
    /// Whether a tag that points to another commit than before is taken as it is.
    pub accept_moved_tag: bool,
    /// Whether the run goes on with the last one that was cut off or failed.
    pub resume: bool,
    /// Whether attempts of wasm hooks at paths outside every grant are looked at, and reported as denials: such a hook sees an empty directory at `/`.
    /// A dry run always looks.
    pub audit: bool,
    /// What the engine knows of the version that was live before.
    pub(crate) previous: Previous,
    /// Whether remotes are asked (for new tags, where the profile does so, and for hooks of other repositories), and how long each may take.
    pub fetch: Option<Duration>,
    /// Where copies of repositories lie that hooks come from.
    pub(crate) mirrors: PathBuf,
    /// What the ledger knows of what is settled.
    pub(crate) settled: Settled,
    /// PATH as host steps find it, if the operator has one.
    pub(crate) operator_path: Option<String>,
    /// Directories that no grant may reach: the engine's own.
    pub(crate) protected: Vec<(&'static str, PathBuf)>,
}

/// Whether hooks that wait for another commit wait, as far as the ledger knows: nothing is fetched for them then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Settled {
    /// A run died, or something that it left isn't resolved: that runs whatever the commit.
    #[default]
    No,
    /// Nothing is open. The commit of the last success, if the ledger is asked for it.
    At(Option<Commit>),
}

impl Settled {
    /// The commit for which hooks that wait for another need nothing.
    pub(super) fn commit(&self, last: &LastCommit) -> Option<Commit> {
        match (self, last) {
            (Self::No, _) => None,
            (Self::At(_), LastCommit::InFile { commit, .. }) | (Self::At(commit), LastCommit::InLedger) => commit.clone(),
        }
    }
}

/// What is known of the version that was live before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Previous {
    /// What the ledger remembers; without it, what is checked out.
    Remembered(Option<String>),
    /// What it was when the run began that is resumed, if anything: what is checked out now may be half of the new version.
    AsItWas(Option<String>),
}

impl Default for Previous {
    fn default() -> Self {
        Self::Remembered(None)
    }
}

impl Request {
    /// A request for the manifest in `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, environment: EnvironmentName) -> Self {
        Self {
            dir: dir.into(),
            manifests: Vec::new(),
            tag: None,
            commit: None,
            environment,
            app: None,
            profile: None,
            app_dir: None,
            data_dir: None,
            policy: None,
            env_files: Vec::new(),
            env: BTreeMap::new(),
            import_as: None,
            module: None,
            jobs_from_env: false,
            hooks: Vec::new(),
            modules: BTreeMap::new(),
            steps_in_code: Vec::new(),
            instances: Vec::new(),
            phases: Vec::new(),
            only: Vec::new(),
            at_start: false,
            only_if_changed: false,
            commit_file: None,
            on_locked: None,
            ignore_marker: false,
            accept_moved_tag: false,
            resume: false,
            audit: false,
            previous: Previous::default(),
            fetch: Some(Duration::from_mins(1)),
            mirrors: PathBuf::new(),
            settled: Settled::default(),
            operator_path: None,
            protected: Vec::new(),
        }
    }

    /// For this tag.
    #[must_use]
    pub fn with_tag(self, tag: Tag) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// Goes on with the last run of this application and environment that was cut off or failed, and does only what is missing of it.
    #[must_use]
    pub fn resuming(self) -> Self {
        Self { resume: true, ..self }
    }

    /// Looks at attempts of wasm hooks at paths outside every grant.
    #[must_use]
    pub fn auditing(self) -> Self {
        Self { audit: true, ..self }
    }

    /// For this application, whatever the manifest calls it.
    #[must_use]
    pub fn with_app(self, app: AppName) -> Self {
        Self { app: Some(app), ..self }
    }

    /// With this profile (a name, or a file), if no manifest names one.
    #[must_use]
    pub fn with_profile(self, profile: impl Into<String>) -> Self {
        Self { profile: Some(profile.into()), ..self }
    }

    /// Under this operator's file.
    #[must_use]
    pub fn with_policy(self, file: impl Into<PathBuf>) -> Self {
        Self { policy: Some(file.into()), ..self }
    }

    /// With one more variable of the app environment, stronger than any file.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// With one more hook, after those of the manifest. The operator's policy is its ceiling too.
    #[must_use]
    pub fn with_hook(mut self, hook: HookDecl) -> Self {
        self.hooks.push(hook);
        self
    }

    /// With a module as bytes: hooks name it by `path`, and no file of that name is read.
    #[must_use]
    pub fn with_module(mut self, path: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.modules.insert(path.into(), bytes.into());
        self
    }
}

/// Says whether this host can run a module, without running it.
pub trait Probe: Send + Sync {
    /// Looks at the module called `file`.
    ///
    /// # Errors
    /// The [`Cause`] with which it would fail.
    fn probe(&self, file: &str, bytes: &[u8]) -> Result<(), Cause>;
}
