//! Completions and manual pages, from the command line's own description.

use crate::args::Cli;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use std::path::Path;

pub fn run(shell: clap_complete::Shell, ui: &Ui) -> Result<Exit, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::described(), "wasmhook", &mut text);
    ui.stdout_text(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}

/// Writes `wasmhook.1` and a page for each command.
pub fn man(dir: &Path) -> Result<Exit, CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("cannot write manual pages to {}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::described(), dir).map_err(failed)?;
    Ok(Exit::Done)
}
