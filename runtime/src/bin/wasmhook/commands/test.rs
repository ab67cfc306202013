//! `wasmhook test`: the cases beside hooks.

use crate::args::TestArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::Ui;

pub fn run(_: &TestArgs, _: &Settings, _: &Ui) -> Result<Exit, CliError> {
    Err(CliError::not_available("`wasmhook test`"))
}
