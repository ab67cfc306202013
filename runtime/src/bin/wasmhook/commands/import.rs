//! `wasmhook import`: a foreign file as the text of a wasmhook.toml.

use super::runtime;
use crate::args::ImportArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::settings::{self, Settings};
use crate::ui::Ui;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use wasmhook::diagnostic::{Located, has_errors};
use wasmhook::manifest::import::{self, Given, Imported};
use wasmhook::model::id::{AppName, Tag};

pub fn run(args: &ImportArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    let (mut imported, from) = read(args, settings)?;
    if has_errors(&imported.found) {
        return Err(CliError::diagnostics(imported.found));
    }
    if let Some(app) = &args.app {
        imported.manifest.app = Some(Located::nowhere(AppName::new(app.as_str())?));
    }
    let text = import::to_toml(&imported, &from);
    match &args.output {
        Some(file) => write(file, &text)?,
        None => ui.stdout_text(&text)?,
    }
    ui.diagnostics(&imported.found);
    Ok(Exit::Done)
}

/// What was imported, and from what.
fn read(args: &ImportArgs, settings: &Settings) -> Result<(Imported, String), CliError> {
    let Some(path) = &args.path else {
        return Ok((import::from_environment(&settings.env), "the environment".to_owned()));
    };
    let tag = args.tag.as_deref().map(Tag::new).transpose()?;
    let given = Given { module: args.foreign.module.as_deref(), environment: args.from_env.then_some(&settings.env) };
    let imported = runtime()?.block_on(wasmhook::load::import(path, settings::kind(&args.foreign)?, tag.as_ref(), given))?;
    Ok((imported, path.display().to_string()))
}

/// Writes a new file: what somebody has written already is theirs.
fn write(file: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("-o {}: {error}", file.display())).with_way_out(&error);
    let mut new = OpenOptions::new().write(true).create_new(true).open(file).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)
}
