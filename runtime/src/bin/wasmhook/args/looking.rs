//! Commands that only look.

use super::selectors::SELECTORS;
use super::{Format, Selectors};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `wasmhook plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Don't fetch: use the tags that are there.
    #[arg(long)]
    pub no_fetch: bool,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
    #[command(flatten, next_help_heading = SELECTORS)]
    pub selectors: Selectors,
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
#[command(
    after_help = "It looks at what a run on this machine would find: the manifest, and the files of the target (without --tag, what `plan` takes then). \
    It asks no remote, so hooks of other repositories are those of the last fetch, and it runs nothing."
)]
pub struct CheckArgs {
    /// Print the JSON Schema of the manifest instead, or of a policy or profile file.
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "manifest")]
    pub schema: Option<SchemaKind>,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
    #[command(flatten, next_help_heading = SELECTORS)]
    pub selectors: Selectors,
}

/// `wasmhook list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
    #[command(flatten, next_help_heading = SELECTORS)]
    pub selectors: Selectors,
}

/// `wasmhook status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// How to write it. Where neither a manifest nor --app says which application is meant, and the ledger knows several, json is one value
    /// with a list of `targets`.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
    #[command(flatten, next_help_heading = SELECTORS)]
    pub selectors: Selectors,
}

/// `wasmhook show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run.
    pub run: Option<String>,
    /// How to write it.
    #[arg(long, value_name = "F", default_value = "human")]
    pub format: Format,
    #[command(flatten, next_help_heading = SELECTORS)]
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
