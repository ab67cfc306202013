//! The command line, as it is typed. Nothing here looks at files, the environment or the clock.

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Run deploy hooks compiled to WASI in a sandbox: once per release, in the order of a lifecycle.
#[derive(Debug, Parser)]
#[command(name = "wasmhook", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 a hook failed and its policy aborts, 2 usage or manifest error, 3 refused before running, \
    4 locked by another run, 70 a bug in wasmhook, 130/143 interrupted.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// When to use colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorWhen,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one guest, without a manifest; its output and its exit code pass through.
    Exec(ExecArgs),
    /// Run the hooks of a release.
    Run(RunArgs),
    /// Follow a branch: run the hooks at the start and whenever its commit changes, with the application as a child.
    Watch(WatchArgs),
    /// Show what would run, in order, with which grants, and why something is skipped.
    Plan(PlanArgs),
    /// Check the manifest: every problem at once.
    Check(CheckArgs),
    /// List the hooks, with where each comes from.
    List(ListArgs),
    /// Show the runs of an application, and who holds the lock.
    Status(StatusArgs),
    /// Show the report of a run (the newest, if none is named).
    Show(ShowArgs),
    /// Say what became of a hook that was running when the engine died, or that stopped a run.
    Resolve(ResolveArgs),
    /// Say who holds the lock, or take it away.
    Unlock(UnlockArgs),
    /// Explain a code that a message named, a profile, or a phase.
    Explain(ExplainArgs),
    /// Write a wasmhook.toml from a Boxfile, an app_desc.yaml, an app spec, a command list or a release folder.
    Import(ImportArgs),
    /// Run the test cases (`*.test.toml`) beside hooks.
    Test(TestArgs),
    /// Show or clear the compile cache.
    Cache(CacheArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages to a directory.
    #[command(hide = true)]
    Man {
        /// The directory.
        dir: PathBuf,
    },
    /// What a later version brings.
    #[command(flatten)]
    Later(Later),
}

/// Commands whose mechanism comes with a later version: they are refused by name.
#[derive(Debug, Subcommand)]
pub enum Later {
    /// (not in this version) Make a new hook from a template.
    #[command(hide = true)]
    New(Rest),
    /// (not in this version) Build hooks.
    #[command(hide = true)]
    Build(Rest),
    /// (not in this version) Show what a module is and needs.
    #[command(hide = true)]
    Inspect(Rest),
    /// (not in this version) Measure a hook.
    #[command(hide = true)]
    Bench(Rest),
    /// (not in this version) Replay a recorded run.
    #[command(hide = true)]
    Replay(Rest),
    /// (not in this version) Say what this machine can enforce.
    #[command(hide = true)]
    Doctor(Rest),
    /// (not in this version) Suggest grants.
    #[command(hide = true)]
    Grants(Rest),
    /// (not in this version) Approve a change of grants.
    #[command(hide = true)]
    Approve(Rest),
}

impl Later {
    /// The command's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::New(_) => "new",
            Self::Build(_) => "build",
            Self::Inspect(_) => "inspect",
            Self::Bench(_) => "bench",
            Self::Replay(_) => "replay",
            Self::Doctor(_) => "doctor",
            Self::Grants(_) => "grants",
            Self::Approve(_) => "approve",
        }
    }
}

/// Whatever follows the name of a command that isn't there yet.
#[derive(Debug, Args)]
pub struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

/// `wasmhook exec`.
#[derive(Debug, Args)]
#[command(override_usage = "wasmhook exec [OPTIONS] FILE [ARG]...")]
pub struct ExecArgs {
    /// Grant a directory: HOST[::GUEST][:MODE], MODE one of read, write (the default), scratch; scratch is `--dir ::GUEST:scratch`.
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
    #[command(flatten)]
    pub places: Places,
    /// The guest: a .wasm module or component, or .wat text. Everything after it is the guest's, options too.
    // One list, and not two arguments: whatever looks like an option of ours behind FILE must not become one.
    #[arg(value_name = "FILE [ARG]", required = true, num_args = 1.., trailing_var_arg = true)]
    pub guest: Vec<OsString>,
}

/// Where state and cache lie.
#[derive(Debug, Clone, Args)]
pub struct Places {
    /// State directory [default: $XDG_STATE_HOME/wasmhook].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Compile cache [default: $XDG_CACHE_HOME/wasmhook].
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
}

/// Which manifest, release and hooks: shared by `run`, `plan`, `check` and `list`.
#[derive(Debug, Clone, Args)]
pub struct Selectors {
    /// Directory of the manifest.
    #[arg(short = 'C', value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Manifest file; several are merged, the later has precedence [default: wasmhook.toml]. A file that doesn't end in .toml is read
    /// as the foreign format that it is recognised as.
    #[arg(long = "manifest", value_name = "FILE")]
    pub manifests: Vec<PathBuf>,
    #[command(flatten)]
    pub foreign: Foreign,
    /// The version tag being deployed (DEPLOY_TAG).
    #[arg(long, value_name = "T")]
    pub tag: Option<String>,
    /// The environment (DEPLOY_ENV) [default: default].
    #[arg(long, value_name = "E")]
    pub env_name: Option<String>,
    /// The commit being deployed [default: what the tag, or HEAD, points to].
    #[arg(long, value_name = "SHA")]
    pub commit: Option<String>,
    /// Only the hooks of this phase; no host step runs then.
    #[arg(long = "phase", value_name = "P")]
    pub phases: Vec<String>,
    /// Only this hook; no host step runs then.
    #[arg(long = "only", value_name = "HOOK")]
    pub only: Vec<String>,
    /// The operator's file: ceilings and host steps.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The application, if the manifest doesn't name it.
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// The profile, if the manifest doesn't name it.
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Root of the application (APP_DIR) [default: the manifest's app_dir, else its directory].
    #[arg(long, value_name = "D")]
    pub app_dir: Option<PathBuf>,
    /// Where the application keeps its data (DATA_DIR).
    #[arg(long, value_name = "D")]
    pub data_dir: Option<PathBuf>,
    /// A file with more of the app environment (KEY=value lines).
    #[arg(long = "env-file", value_name = "F")]
    pub env_files: Vec<PathBuf>,
    /// Take the app environment from wasmhook's own; without any manifest its PRE_DEPLOY_* and POST_DEPLOY_* are the hooks.
    #[arg(long)]
    pub from_env: bool,
    /// An instance of a service (of any, without SERVICE/), and its directory.
    #[arg(long = "instance", value_name = "[SERVICE/]NAME=DIR")]
    pub instances: Vec<String>,
    /// Run as at the first start of a container or machine: whatever commit ran last, and without waiting for what may run in the background then.
    #[arg(long)]
    pub at_start: bool,
    /// A file that holds the commit of the last success [default: the profile's, else the ledger knows].
    #[arg(long, value_name = "FILE")]
    pub commit_file: Option<PathBuf>,
    /// Run the hooks of a release whose marker file exists.
    #[arg(long)]
    pub ignore_marker: bool,
    /// Take a tag that points to another commit than when it was deployed before.
    #[arg(long)]
    pub accept_moved_tag: bool,
    #[command(flatten)]
    pub places: Places,
}

/// How a file that is no wasmhook.toml is read.
#[derive(Debug, Clone, Args)]
pub struct Foreign {
    /// The format of a foreign file whose name and content don't say it: app-desc, boxfile, app-spec, command-list, release-folder.
    #[arg(long = "as", value_name = "KIND")]
    pub kind: Option<String>,
    /// The module or service of a foreign file whose hooks are wanted [default: all].
    #[arg(long, value_name = "NAME")]
    pub module: Option<String>,
}

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

/// How results are written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON value.
    Json,
    /// One JSON value a line: the events.
    Jsonl,
    /// (not in this version)
    #[value(hide = true)]
    Junit,
}

/// `wasmhook run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub selectors: Selectors,
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
    /// With --dry-run: show how the text of each file would change.
    #[arg(long, requires = "dry_run")]
    pub diff: bool,
    /// Go on with the last run that was cut off or failed: only what is missing of it runs.
    #[arg(long, conflicts_with = "dry_run")]
    pub resume: bool,
    /// Print a platform's exact lines (and its answer, if it has one) instead of the summary.
    #[arg(long, value_name = "PROFILE")]
    pub dialect: Option<String>,
}

/// `wasmhook watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: that of CMD where there is one (128 + the signal that ended it), 128 + the signal that stopped the watch, \
    1 if the first run failed, 2 or 3 if its plan was refused; with --once that of the run, 3 if the remote couldn't be read."
)]
pub struct WatchArgs {
    #[command(flatten)]
    pub selectors: Selectors,
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
}

/// `wasmhook plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub selectors: Selectors,
    /// Don't fetch: use the tags that are there.
    #[arg(long)]
    pub no_fetch: bool,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
}

/// Files that a JSON Schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// `wasmhook.toml`.
    Manifest,
    /// The file given to `--policy`.
    Policy,
    /// A profile of one's own.
    Profile,
}

/// `wasmhook check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub selectors: Selectors,
    /// Print the JSON Schema of the manifest instead, or of a policy or profile file.
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "manifest")]
    pub schema: Option<SchemaKind>,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
}

/// `wasmhook list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub selectors: Selectors,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
}

/// `wasmhook status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub selectors: Selectors,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
}

/// `wasmhook show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run.
    pub run: Option<String>,
    #[command(flatten)]
    pub selectors: Selectors,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
}

/// `wasmhook resolve`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("word").required(true))]
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
    #[command(flatten)]
    pub selectors: Selectors,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
}

/// `wasmhook unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// Take the lock away, whoever holds it: a run that is still on stops when it next records something.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// `wasmhook explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A code as it stands in brackets (`unknown-key`), a profile (its name or file), or a phase or step of one (`pre-release`).
    #[arg(value_name = "CODE|PROFILE|PHASE")]
    pub name: String,
    /// The profile whose phase is meant, if several have one of that name.
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Directory that profile files are named from.
    #[arg(short = 'C', value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
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
    #[command(flatten)]
    pub places: Places,
}

/// `wasmhook cache`.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// Remove every entry.
    #[arg(long)]
    pub clear: bool,
    #[command(flatten)]
    pub places: Places,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
}
