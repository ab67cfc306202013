//! The command line, as it is typed. Nothing here looks at files, the environment or the clock.

mod changing;
mod looking;
mod running;
mod selectors;

pub use changing::{CacheArgs, ImportArgs, ResolveArgs, UnlockArgs};
pub use looking::{CheckArgs, ExplainArgs, ListArgs, PlanArgs, SchemaKind, ShowArgs, StatusArgs};
pub use running::{ExecArgs, RunArgs, TestArgs, WatchArgs};
pub use selectors::{DEFAULT_ENVIRONMENT, Foreign, Places, Selectors};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Run deploy hooks compiled to WASI in a sandbox: once per release, in the order of a lifecycle.
#[derive(Debug, Parser)]
#[command(name = "wasmhook", version, about, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 a hook failed and its policy aborts, 2 usage or manifest error, 3 refused before running, \
    4 locked by another run, 70 a bug in wasmhook, 130/143 interrupted, 137 at once, by a second signal. `exec` passes the guest's own on (134 for a trap or a limit).")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// When to use colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorWhen,
}

impl Cli {
    /// The command line; what `watch` refuses, since its branch says what runs, stands in no help of it.
    pub fn described() -> clap::Command {
        let hidden = |watch: clap::Command, name: &&'static str| watch.mut_arg(name, |arg| arg.hide(true));
        Self::command().mut_subcommand("watch", |watch| ["tag", "commit", "at_start"].iter().fold(watch, hidden))
    }

    /// Reads the words of a call, the program's name first.
    ///
    /// # Errors
    /// What clap says of a mistake, or help or version that was asked for; in the colours that were asked for, although nothing else was read.
    pub fn read(words: &[OsString]) -> Result<Self, clap::Error> {
        let mut command = Self::described().color(colour(words));
        let matches = command.try_get_matches_from_mut(words)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// `--color`, also of a call that can't be read.
fn colour(words: &[OsString]) -> clap::ColorChoice {
    let mut words = words.iter().filter_map(|word| word.to_str());
    let said = words.find_map(|word| if word == "--color" { Some(None) } else { word.strip_prefix("--color=").map(Some) });
    match said.and_then(|word| word.or_else(|| words.next())) {
        Some("never") => clap::ColorChoice::Never,
        Some("always") => clap::ColorChoice::Always,
        _ => clap::ColorChoice::Auto,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_begins_with_what_is_a_verbs_own_and_leaves_out_what_it_refuses() {
        use super::selectors::{PLACES, SELECTORS};
        let mut command = Cli::described();
        let mut help = |verb: &str| command.find_subcommand_mut(verb).unwrap().render_long_help().to_string();
        for (verb, own) in
            [("run", "--dry-run"), ("watch", "--interval"), ("check", "--schema"), ("resolve", "--retry"), ("show", "--format")]
        {
            let text = help(verb);
            let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{verb}: {words}"));
            assert!(at(own) < at(SELECTORS) && at(SELECTORS) < at("--policy <FILE>") && at("--policy <FILE>") < at(PLACES), "{verb}");
        }
        assert!(help("run").contains("--tag") && !help("watch").contains("--tag <"), "its branch says what runs");
    }

    #[test]
    fn a_call_that_can_not_be_read_has_the_colour_that_it_asks_for() {
        let asked = |call: &str| colour(&call.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(asked("wasmhook run --bogus --color never"), clap::ColorChoice::Never);
        assert_eq!(asked("wasmhook --color=never bogus"), clap::ColorChoice::Never);
        assert_eq!(asked("wasmhook --color always bogus"), clap::ColorChoice::Always);
        for call in ["wasmhook bogus", "wasmhook --color", "wasmhook --color=auto bogus", "wasmhook --color mauve"] {
            assert_eq!(asked(call), clap::ColorChoice::Auto, "{call}");
        }
    }
}
