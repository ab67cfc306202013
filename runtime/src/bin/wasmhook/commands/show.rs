//! `wasmhook show`: the report of a run, as it was.

use super::{check_format, names_one, target};
use crate::args::{Format, ShowArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::Ui;
use wasmhook::diagnostic::codes;
use wasmhook::ledger::{Ledger, LedgerError};
use wasmhook::model::id::RunId;
use wasmhook::report::Report;

pub fn run(args: &ShowArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let state = settings.state(&args.selectors.places)?;
    let Some(ledger) = wasmhook::history(&state)? else {
        return Err(CliError::finding(Exit::Usage, codes::NO_RUN, format!("there is no run yet in {}", state.display())));
    };
    let run = match &args.run {
        Some(run) => RunId::new(run.as_str())?,
        None => newest(&*ledger, args, settings)?,
    };
    let events = ledger.events(&run).map_err(|error| no_run(error, ui))?;
    if args.format != Format::Json {
        for event in &events {
            ui.event(event);
        }
    }
    ui.summary(&Report::fold(&events))?;
    Ok(Exit::Done)
}

/// A run that isn't known comes with the command that shows which are, in the same place.
fn no_run(error: LedgerError, ui: &Ui) -> CliError {
    let status = ui.given().command(&["status"], None, None).join(" ");
    let unknown = matches!(error, LedgerError::NoSuchRun { .. });
    let told = CliError::from(error);
    if unknown { told.help(&format!("`{status}` shows those it knows")) } else { told }
}

/// The newest run of the target that is meant; of all, if none is. A manifest that is wrong means one, and it isn't known which.
fn newest(ledger: &dyn Ledger, args: &ShowArgs, settings: &Settings) -> Result<RunId, CliError> {
    let targets = if names_one(&args.selectors) { vec![target(&args.selectors, settings)?] } else { ledger.targets()? };
    let mut runs = Vec::new();
    for target in &targets {
        runs.extend(ledger.runs(target, 1)?);
    }
    runs.sort_by_key(|run| run.started);
    runs.pop().map(|run| run.run).ok_or_else(|| CliError::finding(Exit::Usage, codes::NO_RUN, "there is no run yet"))
}
