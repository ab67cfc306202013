//! `wasmhook explain`: what a code means and what to do about it.

use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use wasmhook::diagnostic::codes;

pub fn run(args: &ExplainArgs, ui: &Ui) -> Result<Exit, CliError> {
    let text = codes::explain(&args.code)
        .ok_or_else(|| CliError::usage(format!("there is no code {:?}: codes stand in brackets after `error` or `warning`", args.code)))?;
    ui.stdout_text(&format!("{}\n", text.trim_end()))?;
    Ok(Exit::Done)
}
