//! One file a command.

mod cache;
mod check;
mod completions;
mod exec;
mod explain;
mod import;
mod kept;
mod list;
mod pid_one;
mod plan;
mod resolve;
mod run;
mod show;
mod status;
mod test;
mod unlock;
mod watch;

use crate::args::{Command, Format as Asked, Selectors};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::line::brief;
use crate::render::look::Charset;
use crate::render::refusal::{self, About, Refusal};
use crate::settings::{Settings, environment};
use crate::ui::{Format, Ui};
use wasmhook::Request;
use wasmhook::ledger::lock::{Holder, Life};
use wasmhook::model::id::AppName;
use wasmhook::report::Report;

/// Runs a command.
///
/// # Errors
/// [`CliError`] with its exit code.
pub fn run(command: &Command, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    match command {
        Command::Exec(args) => exec::run(args, settings, ui),
        Command::Run(args) => run::run(args, settings, ui),
        Command::Watch(args) => watch::run(args, settings, ui),
        Command::Plan(args) => plan::run(args, settings, ui),
        Command::Check(args) => check::run(args, settings, ui),
        Command::List(args) => list::run(args, settings, ui),
        Command::Status(args) => status::run(args, settings, ui),
        Command::Show(args) => show::run(args, settings, ui),
        Command::Resolve(args) => resolve::run(args, settings, ui),
        Command::Unlock(args) => unlock::run(args, settings, ui),
        Command::Explain(args) => explain::run(args, ui),
        Command::Import(args) => import::run(args, settings, ui),
        Command::Test(args) => test::run(args, settings, ui),
        Command::Cache(args) => cache::run(args, settings, ui),
        Command::Completions { shell } => completions::run(*shell, ui),
        Command::Man { dir } => completions::man(dir),
        Command::Later(later) => Err(CliError::not_available(&format!("`wasmhook {}`", later.name()))),
    }
}

/// Tells why a call could not be carried out: people, and programs where they were to be answered.
pub fn failed(failed: &CliError, command: &Command, ui: &Ui) -> Exit {
    ui.diagnostics(&failed.diagnostics);
    let about = || selectors(command).map(about).unwrap_or_default();
    let told = match command {
        _ if failed.answered => Ok(()),
        Command::Run(_) | Command::Watch(_) => ui.answer(&refusal::report(failed, Report::not_started(failed.exit.status()), about())),
        _ => ui.answer(&Refusal::of(failed, about())),
    };
    if let Err(error) = told {
        ui.diagnostics(&CliError::from(error).diagnostics);
    }
    failed.exit
}

/// Whom a call is about, as far as that can be known: nothing is read for it but the manifest.
fn about(selectors: &Selectors) -> About {
    let environment = environment(selectors).ok();
    let named = selectors.app.as_deref().map(AppName::new);
    let written = || {
        let mut request = Request::new(&selectors.dir, environment.clone()?);
        request.manifests.clone_from(&selectors.manifests);
        request.profile.clone_from(&selectors.profile);
        wasmhook::load::declare(&request).ok().map(|declared| declared.app)
    };
    About { app: named.map_or_else(written, Result::ok), environment }
}

/// What a command is about, if its answer may be for programs.
const fn selectors(command: &Command) -> Option<&Selectors> {
    match command {
        Command::Run(args) => Some(&args.selectors),
        Command::Watch(args) => Some(&args.selectors),
        Command::Plan(args) => Some(&args.selectors),
        Command::Check(args) => Some(&args.selectors),
        Command::List(args) => Some(&args.selectors),
        Command::Status(args) => Some(&args.selectors),
        Command::Show(args) => Some(&args.selectors),
        Command::Resolve(args) => Some(&args.selectors),
        _ => None,
    }
}

/// What a command writes to standard output.
pub fn format(command: &Command) -> Format {
    let asked = match command {
        Command::Run(args) => args.format,
        Command::Watch(args) => args.format,
        Command::Plan(args) => args.format,
        Command::List(args) => args.format,
        Command::Status(args) => args.format,
        Command::Show(args) => args.format,
        Command::Resolve(args) => args.format,
        Command::Cache(args) => args.format,
        Command::Check(args) => args.format,
        _ => Asked::Human,
    };
    match asked {
        Asked::Human | Asked::Junit => Format::Human,
        Asked::Json => Format::Json,
        Asked::Jsonl => Format::Jsonl,
    }
}

/// Refuses formats that a later version brings.
fn check_format(format: Asked) -> Result<(), CliError> {
    if format == Asked::Junit { Err(CliError::not_available("--format junit")) } else { Ok(()) }
}

/// `1 entry`, `2 entries`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A runtime on this thread: hooks have threads of their own.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Whose history is meant: as the selectors or the manifest say.
fn target(selectors: &Selectors, settings: &Settings) -> Result<wasmhook::ledger::Target, CliError> {
    let environment = environment(selectors)?;
    let app = match &selectors.app {
        Some(app) => AppName::new(app.as_str())?,
        None => wasmhook::load::declare(&settings.request(selectors)?)?.app,
    };
    Ok(wasmhook::ledger::Target { app, environment })
}

/// Whether one target is meant: by a manifest that is there, whatever it says, or by the name of an application.
fn names_one(selectors: &Selectors) -> bool {
    let written = selectors.dir.join("wasmhook.toml");
    selectors.app.is_some() || !selectors.manifests.is_empty() || written.symlink_metadata().is_ok()
}

/// Says for whom one waits.
fn waiting(holder: &Holder) {
    tracing::warn!("waiting for the lock: {} holds it", who(holder));
}

/// Who holds a lock, since when, for what, and whether it is still there.
fn who(holder: &Holder) -> String {
    let Holder::Known(owner) = holder else { return "another run".to_owned() };
    let life = match owner.life() {
        Life::Alive => "alive",
        Life::Dead => "dead",
        Life::Unknown => "on another machine",
    };
    let command = brief(&owner.command, Charset::Ascii);
    format!("{} on {} (process {}, {life}, since {}: {command})", owner.user, owner.host, owner.pid, owner.since)
}
