//! `wasmhook check`: every problem at once.

use crate::args::CheckArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::json;
use crate::settings::Settings;
use crate::ui::Ui;

pub fn run(args: &CheckArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    if args.schema {
        ui.stdout_text(&json::pretty(&wasmhook::manifest::json_schema())?)?;
        return Ok(Exit::Done);
    }
    let declared = wasmhook::load::declare(&settings.request(&args.selectors)?)?;
    ui.diagnostics(&declared.warnings);
    let hooks = declared.manifest.hooks.len();
    let warnings = declared.warnings.len();
    ui.stdout_text(&format!("{}: profile {}, {hooks} hooks, {warnings} warnings\n", declared.app, declared.profile.name))?;
    Ok(Exit::Done)
}
