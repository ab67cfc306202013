//! Commands that change what is written or remembered.

use super::selectors::{PLACES, SELECTORS};
use super::{Foreign, Format, Places, Selectors};
use clap::{ArgGroup, Args};
use std::path::PathBuf;

/// `wasmhook import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A file, or a directory that holds one.
    #[arg(required_unless_present = "from_env")]
    pub path: Option<PathBuf>,
    #[command(flatten)]
    pub foreign: Foreign,
    /// Where to write it; a file that is there already is left as it is [default: standard output].
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The application, if the file doesn't name it.
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// The release whose hooks are read from a release folder [default: the newest].
    #[arg(long, value_name = "T")]
    pub tag: Option<String>,
    /// Fill placeholders in from the environment; without a file, read PRE_DEPLOY_* and POST_DEPLOY_* from it.
    #[arg(long)]
    pub from_env: bool,
}

/// `wasmhook resolve`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("word").required(true),
    override_usage = "wasmhook resolve [OPTIONS] HOOK --retry|--mark-done|--mark-not-run\n       wasmhook resolve [OPTIONS] --deploy-failed RUN"
)]
pub struct ResolveArgs {
    /// What it is about: `phase/hook[@instance]`, a host step, or a hook's id if only one has it.
    #[arg(required_unless_present = "deploy_failed", conflicts_with = "deploy_failed")]
    pub hook: Option<String>,
    /// It may run again.
    #[arg(long, group = "word")]
    pub retry: bool,
    /// It is done and must not run again.
    #[arg(long, group = "word")]
    pub mark_done: bool,
    /// It didn't run, or what it did was undone: it runs again.
    #[arg(long, group = "word")]
    pub mark_not_run: bool,
    /// This run succeeded, and what came after it failed: its effects are kept, and it doesn't count as a success.
    #[arg(long, value_name = "RUN", group = "word")]
    pub deploy_failed: Option<String>,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
    #[command(flatten, next_help_heading = SELECTORS)]
    pub selectors: Selectors,
}

/// `wasmhook unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// Take the lock away, whoever holds it: a run that is still on stops when it next records something.
    #[arg(long)]
    pub force: bool,
    #[command(flatten, next_help_heading = SELECTORS)]
    pub selectors: Selectors,
}

/// `wasmhook cache`.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// Remove every entry.
    #[arg(long)]
    pub clear: bool,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
    #[command(flatten, next_help_heading = PLACES)]
    pub places: Places,
}
