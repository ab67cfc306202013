//! What a call is about: which manifest, release and hooks, and where state and cache lie.

use clap::Args;
use std::path::PathBuf;

/// What help calls [`Selectors`]. They come last in their structs: what stands behind them would get the same heading.
pub const SELECTORS: &str = "Which manifest, release and hooks";
/// What help calls [`Places`].
pub const PLACES: &str = "Where state and cache lie";

/// The environment that is meant where none is named.
pub const DEFAULT_ENVIRONMENT: &str = "default";

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
    #[command(flatten, next_help_heading = PLACES)]
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
