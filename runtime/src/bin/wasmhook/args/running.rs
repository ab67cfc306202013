//! Commands that run something.

use super::selectors::{PLACES, SELECTORS};
use super::{Format, Places, Selectors};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// `wasmhook exec`.
#[derive(Debug, Args)]
#[command(
    override_usage = "wasmhook exec [OPTIONS] FILE [ARG]...",
    after_help = "Exit code: the guest's own, 134 if a trap or a limit ended it, 2 or 3 if it was not started, 130/143 if it was interrupted."
)]
pub struct ExecArgs {
    /// Grant a directory: HOST[::GUEST][:MODE], MODE one of read, write (the default), txn (what was written counts only if the guest succeeds),
    /// discard (it never counts), scratch (new and empty: `--dir ::GUEST:scratch`).
    #[arg(long = "dir", value_name = "HOST[::GUEST][:MODE]")]
    pub dirs: Vec<String>,
    /// Set a variable (K=V), or pass one of yours on (K).
    #[arg(long = "env", value_name = "K[=V]")]
    pub env: Vec<String>,
    /// CPU budget, in fuel units (about one for each WebAssembly instruction).
    #[arg(long, value_name = "N")]
    pub fuel: Option<u64>,
    /// Deadline (`5s`, `2m`, `300`); 0 is none.
    #[arg(long, value_name = "D")]
    pub timeout: Option<String>,
    /// Largest memory (`64MiB`).
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// (not in this version) Allow connections to an address.
    #[arg(long, value_name = "HOST:PORT", hide = true)]
    pub net: Vec<String>,
    /// The guest: a .wasm module or component, or .wat text. Everything after it is the guest's, options too.
    // One list, and not two arguments: whatever looks like an option of ours behind FILE must not become one.
    #[arg(value_name = "FILE [ARG]", required = true, num_args = 1.., trailing_var_arg = true)]
    pub guest: Vec<OsString>,
    #[command(flatten, next_help_heading = PLACES)]
    pub places: Places,
}

/// `wasmhook run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Don't fetch: use the tags that are there.
    #[arg(long)]
    pub no_fetch: bool,
    /// How long to wait for another run's lock (`5m`), where the profile waits [default: for ever].
    #[arg(long, value_name = "D")]
    pub lock_timeout: Option<String>,
    /// What to write to standard output at the end.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
    /// Try it and leave nothing behind: hooks run over directories that are staged and dropped, and host steps are skipped.
    #[arg(long)]
    pub dry_run: bool,
    /// Look at what wasm hooks attempt at paths outside every grant, and report it as refused. They find an empty directory at `/` then. A dry run
    /// looks anyway.
    #[arg(long)]
    pub audit: bool,
    /// With --dry-run: show how the text of each file would change.
    #[arg(long, requires = "dry_run")]
    pub diff: bool,
    /// Go on with the last run that was cut off or failed: only what is missing of it runs.
    #[arg(long, conflicts_with = "dry_run")]
    pub resume: bool,
    /// Print a platform's exact lines (and its answer, if it has one) instead of the summary.
    #[arg(long, value_name = "PROFILE")]
    pub dialect: Option<String>,
    #[command(flatten, next_help_heading = SELECTORS)]
    pub selectors: Selectors,
}

/// `wasmhook watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: that of CMD where there is one (128 + the signal that ended it), 128 + the signal that stopped the watch, \
    1 if the first run failed, 2 or 3 if its plan was refused; with --once that of the run, 3 if the remote couldn't be read."
)]
pub struct WatchArgs {
    /// Time between two cycles (`30s`) [default: the profile's, else 30s].
    #[arg(long, value_name = "D")]
    pub interval: Option<String>,
    /// Double that time with each cycle that fails, up to this (`10m`) [default: the profile's, else never].
    #[arg(long, value_name = "D")]
    pub backoff: Option<String>,
    /// One cycle: run the hooks if the commit changed, and end. With CMD: run them as at a start, and end with CMD.
    #[arg(long)]
    pub once: bool,
    /// The remote to follow [default: that of the branch that is checked out, else origin].
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
    /// The remote's branch to follow [default: the upstream of the branch that is checked out].
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// Don't ask the remote: somebody else brings new commits.
    #[arg(long, conflicts_with_all = ["remote", "branch", "fetch_timeout"])]
    pub no_fetch: bool,
    /// How long the remote may take to answer [default: the profile's, else 60s].
    #[arg(long, value_name = "D")]
    pub fetch_timeout: Option<String>,
    /// What to write to standard output.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
    /// Print a platform's exact lines instead of the summaries.
    #[arg(long, value_name = "PROFILE")]
    pub dialect: Option<String>,
    /// The application: started by the first run, where its lifecycle makes the version live. It gets this process's signals, and its end is the
    /// end of the watch.
    #[arg(last = true, value_name = "CMD")]
    pub application: Vec<OsString>,
    #[command(flatten, next_help_heading = SELECTORS)]
    pub selectors: Selectors,
}

/// `wasmhook test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Test cases, hooks or directories [default: every `*.test.toml` below the current directory].
    pub hooks: Vec<PathBuf>,
    /// Run each hook a second time and show what the second run changed.
    #[arg(long)]
    pub twice: bool,
    /// (not in this version) Kill the hook at every file operation.
    #[arg(long, hide = true)]
    pub crash: bool,
    /// (not in this version) Write the results as JUnit XML.
    #[arg(long, value_name = "FILE", hide = true)]
    pub junit: Option<PathBuf>,
    #[command(flatten, next_help_heading = PLACES)]
    pub places: Places,
}
