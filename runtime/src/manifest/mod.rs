//! What a person wrote: `wasmhook.toml`, or an importer's reading of a foreign file, each value with the place it stands at.
//! Text becomes a value here and nothing else: no file is opened, no profile is looked at, no right is given.

mod convert;
mod env_file;
mod guest;
mod hook;
pub mod import;
mod in_code;
mod leaf;
mod merge;
mod parse;
pub mod rules;
mod schema;
mod source;
#[cfg(test)]
mod tests;

pub use crate::diagnostic::Located;
pub use env_file::parse_env_file;
pub use merge::merge;
pub use parse::{parse, parse_policy};
pub use schema::{json_schema, policy_json_schema};

/// What test cases write in the same words.
#[cfg(feature = "cli")]
pub(crate) mod shared {
    pub(crate) use super::convert::{asked_variables, dir, limits, own_variables};
    pub(crate) use super::guest::{Written, guest};
    pub(crate) use super::leaf::CommandLine;
    pub(crate) use super::schema::{DirDoc, LimitsDoc};
}

use crate::model::backup::LastingEffect;
use crate::model::grant::DirMode;
use crate::model::id::{AppName, HookId, ServiceName, SourceName, StepName};
use crate::model::policy::{FallbackWhen, OnChange, Resume, Sandbox};
use crate::model::source::{GitUrl, Revision};
use crate::model::wait::WaitFor;
use std::time::Duration;

/// The largest file that is read, in bytes: a loader refuses more before it reads it.
pub const MAX_BYTES: usize = crate::document::MAX_BYTES;

/// Where hooks find what the engine tells them; the parent of their output file. No grant may cover it.
pub const JOB_DIR: &str = "/run/wasmhook";

/// One file, or several merged ones (the later has precedence).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The application.
    pub app: Option<Located<AppName>>,
    /// The profile's name, or the path of a profile file (it then holds a `/` or ends in `.toml`).
    pub profile: Option<Located<String>>,
    /// Root of the application, relative to the manifest's directory.
    pub app_dir: Option<Located<String>>,
    /// Where the application keeps its data, relative to the manifest's directory.
    pub data_dir: Option<Located<String>>,
    /// App environment written here.
    pub env: Vec<(Located<String>, String)>,
    /// A file of `KEY=value` lines with more of it.
    pub env_file: Option<Located<String>>,
    /// Services, in order.
    pub services: Vec<Located<ServiceName>>,
    /// Repositories that hooks come from, apart from the application's own; in order.
    pub sources: Vec<(Located<SourceName>, SourceDecl)>,
    /// The operator's ceiling, where one file serves both.
    pub policy: Option<Located<PolicyDecl>>,
    /// The operator's commands, where one file serves both; in order.
    pub host_steps: Vec<(Located<StepName>, HostStepDecl)>,
    /// Hooks, in order.
    pub hooks: Vec<HookDecl>,
}

/// `[[hook]]`, or a hook added in code: [`HookDecl::wasm`] and [`HookDecl::native`] begin one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HookDecl {
    /// `id`.
    pub id: Located<HookId>,
    /// `label`: what a person calls it; the id if absent.
    pub label: Option<String>,
    /// `phase`; the profile's default phase if absent.
    pub phase: Option<Located<StepName>>,
    /// `service`.
    pub service: Option<Located<ServiceName>>,
    /// `source`: the repository that its files come from; the application's own if absent.
    pub source: Option<Located<SourceName>>,
    /// `wasm` or `run`.
    pub guest: Located<GuestDecl>,
    /// `args` of a wasm guest, be it the hook or its fallback. A native guest's are part of its `argv` already.
    pub args: Vec<String>,
    /// `cwd`, relative to the application's root, or to that of its source.
    pub cwd: Option<Located<String>>,
    /// `dirs`.
    pub dirs: Vec<DirAsk>,
    /// `env`: names from the app environment, or `WASMHOOK_OUTPUT`.
    pub env: Vec<Located<String>>,
    /// `set`: values written here.
    pub set: Vec<(Located<String>, String)>,
    /// `fuel`, `timeout`, `memory`, `cpu_time` (the hook's, or its fallback's), …
    pub limits: LimitsAsk,
    /// `once`.
    pub once: Option<bool>,
    /// `on_change`.
    pub on_change: Option<OnChange>,
    /// `idempotent`.
    pub idempotent: bool,
    /// `allow_failure`.
    pub allow_failure: bool,
    /// `enabled` (default true).
    pub enabled: bool,
    /// `sandbox`.
    pub sandbox: Option<Located<Sandbox>>,
    /// `detach`.
    pub detach: bool,
    /// `fallback`.
    pub fallback: Option<Located<FallbackDecl>>,
    /// `effects`: what it changes that nothing here can take back.
    pub effects: Vec<LastingEffect>,
    /// `backup`: directories that are copied before it starts; paths as in `dirs`.
    pub backup: Vec<Located<String>>,
    /// `wait_for`: where somebody has to answer before it starts.
    pub wait_for: Option<Located<WaitFor>>,
    /// `wait_timeout`: for how long; [`WAIT_TIMEOUT`] if absent.
    pub wait_timeout: Option<Located<Duration>>,
    /// `verify`: what says whether it took, under its own grants, read-only, and its own limits.
    pub verify: Option<Located<GuestDecl>>,
    /// `revert`: what takes it back, under its own grants and limits.
    pub revert: Option<Located<GuestDecl>>,
    /// Where it comes from: the manifest's file name, `release/`, `added in code`, …
    pub origin: String,
}

impl HookDecl {
    /// Everything that can run for it: itself, its fallback, and what runs beside it.
    pub fn guests(&self) -> impl Iterator<Item = &GuestDecl> {
        let fallback = self.fallback.as_ref().map(|fallback| &fallback.value.guest);
        let siblings = self.verify.iter().chain(&self.revert);
        std::iter::once(&self.guest.value).chain(fallback).chain(siblings.map(|sibling| &sibling.value))
    }

    /// The same, to be changed.
    pub(crate) fn guests_mut(&mut self) -> impl Iterator<Item = &mut GuestDecl> {
        let fallback = self.fallback.as_mut().map(|fallback| &mut fallback.value.guest);
        let siblings = self.verify.iter_mut().chain(&mut self.revert);
        std::iter::once(&mut self.guest.value).chain(fallback).chain(siblings.map(|sibling| &mut sibling.value))
    }
}

/// `wasm = "path"` or `run = [...]` or `run = "..."`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestDecl {
    /// A module or component, relative to the manifest's directory.
    Wasm {
        /// The path.
        path: String,
    },
    /// A native command. A string is split by shell-word rules; with `shell = true` it is `["/bin/sh", "-c", text]`.
    Native {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Whether a shell reads it.
        shell: bool,
    },
}

/// `fallback = { run | wasm, when, cpu_time }`; its `cpu_time` stands in the hook's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackDecl {
    /// What runs instead.
    pub guest: GuestDecl,
    /// When.
    pub when: FallbackWhen,
}

/// `[source.NAME]`: a repository that hooks come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDecl {
    /// `git`: where it is.
    pub git: Located<GitUrl>,
    /// `branch`, `tag` or `commit`: what of it.
    pub revision: Revision,
    /// `folder`: the part of it that hooks see as its root; all of it if absent.
    pub folder: Option<Located<String>>,
}

/// `{ path, guest, mode }`. `$APP_DIR` and `$DATA_DIR` at the start of a path stand for those directories; other relative paths lie in the application's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirAsk {
    /// Host path as written; empty for `scratch`.
    pub path: Located<String>,
    /// Guest path; the host path if absent.
    pub guest: Option<String>,
    /// The mode; the profile's default if absent.
    pub mode: Option<Located<DirMode>>,
}

/// Limits as asked: what is absent comes from the profile. Zero time means no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsAsk {
    /// `fuel`, in units.
    pub fuel: Option<Located<u64>>,
    /// `timeout`.
    pub timeout: Option<Located<Duration>>,
    /// `grace`.
    pub grace: Option<Located<Duration>>,
    /// `memory`, in bytes.
    pub memory: Option<Located<u64>>,
    /// `cpu_time`.
    pub cpu_time: Option<Located<Duration>>,
    /// `output`, in bytes.
    pub output: Option<Located<u64>>,
    /// `handles`.
    pub handles: Option<Located<u32>>,
    /// `table_elements`.
    pub table_elements: Option<Located<u64>>,
    /// `module`, in bytes.
    pub module: Option<Located<u64>>,
}

/// `[policy]`: the operator's ceiling on what hooks may be granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyDecl {
    /// Directories that may be granted, with the widest mode; absent: as asked.
    pub dirs: Option<Vec<DirAsk>>,
    /// Names of app environment variables that may be granted (`*` at the end matches any rest); absent: as asked.
    pub env: Option<Vec<String>>,
    /// Addresses of repositories that hooks may come from (`*` at the end, after a `/` or `:`, matches any rest); absent: none, in a file of its
    /// own.
    pub sources: Option<Vec<String>>,
    /// The largest limits.
    pub limits: LimitsAsk,
    /// The weakest confinement that a hook may ask for; absent: `strict`, in a file of its own.
    pub sandbox: Option<Sandbox>,
    /// Directories of programs that native hooks find first in PATH, and may read and execute.
    pub programs: Vec<Located<String>>,
    /// Whether a hook may leave processes behind; absent: not, in a file of its own.
    pub detach: Option<bool>,
    /// Where else than on this machine `wait_for` may ask: `HOST:PORT`, or `HOST:*`.
    pub wait_for: Vec<String>,
    /// Whether a hook with `effects` needs a `backup`.
    pub require_backup: bool,
    /// Where backups are kept: an absolute path; absent: the state directory.
    pub backup_dir: Option<String>,
    /// Of how many runs backups are kept; absent: [`BACKUPS_KEPT`].
    pub backup_keep: Option<u32>,
}

/// For how long a hook waits for what it needs, if it doesn't say.
pub const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

/// Of how many runs of an application in an environment backups are kept, if the policy doesn't say.
pub const BACKUPS_KEPT: u32 = 10;

/// `[host_step.NAME]`: the operator's command for a host step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStepDecl {
    /// `run` (+ `shell`); the words `{tag}`, `{commit}`, `{previous_tag}`, `{app_dir}`, `{data_dir}`, `{environment}` in braces are replaced in each argument.
    pub run: Located<GuestDecl>,
    /// `cwd`; the application's root if absent.
    pub cwd: Option<String>,
    /// `env`: names from the app environment.
    pub env: Vec<String>,
    /// `set`.
    pub set: Vec<(String, String)>,
    /// `timeout`, `grace`, `output`.
    pub limits: LimitsAsk,
    /// `resume`; the profile's if absent.
    pub resume: Option<Resume>,
}

/// A file given to `--policy`: what the operator allows and runs, apart from what a repository asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyFile {
    /// The ceiling.
    pub policy: Option<Located<PolicyDecl>>,
    /// The operator's commands, in order.
    pub host_steps: Vec<(Located<StepName>, HostStepDecl)>,
}
