//! `wasmhook test`: the cases beside hooks.

use super::run::stop_on_signals;
use super::{exec, runtime};
use crate::args::TestArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::test::{self as render, Tally};
use crate::settings::Settings;
use crate::ui::Ui;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wasmhook::engine::Stop;
use wasmhook::exec::native::NativeExecutor;
use wasmhook::model::outcome::Outcome;
use wasmhook::trial::{CaseFile, FindError, Runs, TrialError, Trials, find, read};

pub fn run(args: &TestArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    refuse_what_comes_later(args)?;
    let asked = if args.hooks.is_empty() { vec![PathBuf::from(".")] } else { args.hooks.clone() };
    let cases = read_all(&find(&asked)?, ui)?;
    let cancel = CancellationToken::new();
    let trials = Trials {
        wasm: Arc::new(exec::executor(&args.places, settings, ui)?),
        native: Arc::new(NativeExecutor::builder().build()),
        scratch: std::env::temp_dir(),
        cancel: cancel.clone(),
    };
    let runs = if args.twice { Runs::Twice } else { Runs::Once };
    runtime()?.block_on(async {
        let stop = Stop::new();
        let listening = tokio::spawn(stop_on_signals(stop.clone()));
        let cancelling = tokio::spawn({
            let stop = stop.clone();
            async move {
                stop.asked().await;
                cancel.cancel();
            }
        });
        let ended = try_all(&cases, &trials, runs, &stop, ui).await;
        listening.abort();
        cancelling.abort();
        ended
    })
}

/// Reads every case before any runs: every problem of every case is shown at once.
fn read_all(paths: &[PathBuf], ui: &Ui) -> Result<Vec<CaseFile>, CliError> {
    let (mut cases, mut found, mut bad) = (Vec::new(), Vec::new(), false);
    for path in paths {
        match read(path) {
            Ok((case, warnings)) => {
                cases.push(case);
                found.extend(warnings);
            }
            Err(problems) => {
                bad = true;
                found.extend(problems);
            }
        }
    }
    if bad {
        return Err(CliError::diagnostics(found));
    }
    ui.diagnostics(&found);
    Ok(cases)
}

async fn try_all(cases: &[CaseFile], trials: &Trials, runs: Runs, stop: &Stop, ui: &Ui) -> Result<Exit, CliError> {
    let mut tally = Tally::default();
    for case in cases {
        let tried = trials.run(case, runs).await?;
        if stop.is_requested() || tried.observed.outcome == Outcome::Cancelled {
            return Ok(Exit::Interrupted(stop.signal().unwrap_or(libc::SIGINT)));
        }
        tally.count(tried.passed());
        ui.stdout_text(&render::case(ui.stdout_look(), case, &tried))?;
    }
    ui.stdout_text(&render::summary(ui.stdout_look(), &tally))?;
    Ok(if tally.failed == 0 { Exit::Done } else { Exit::HookFailed })
}

fn refuse_what_comes_later(args: &TestArgs) -> Result<(), CliError> {
    let later = [(args.crash, "`wasmhook test --crash`"), (args.junit.is_some(), "`wasmhook test --junit`")];
    match later.iter().find(|(asked, _)| *asked) {
        Some((_, option)) => Err(CliError::not_available(option)),
        None => Ok(()),
    }
}

impl From<FindError> for CliError {
    fn from(error: FindError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<TrialError> for CliError {
    fn from(error: TrialError) -> Self {
        Self::internal(error)
    }
}
