//! `wasmhook resolve`: a person's word on what became of an execution, or of a deployment.

use super::{check_format, runtime};
use crate::args::{Format, ResolveArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::json;
use crate::settings::Settings;
use crate::ui::Ui;
use serde::Serialize;
use wasmhook::model::event::{Place, Resolution};
use wasmhook::model::id::RunId;

/// What was recorded, and where.
#[derive(Serialize)]
struct ResolvedJson<'a> {
    schema: u32,
    run_id: &'a RunId,
    /// Null where it was said of the run as a whole.
    place: Option<&'a Place>,
    release: Option<&'a str>,
    resolution: &'a str,
}

pub fn run(args: &ResolveArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let request = settings.request(&args.selectors)?;
    let places = &args.selectors.places;
    let engine = settings.engine(places)?.on_wait(super::waiting).build()?;
    let runtime = runtime()?;
    if let Some(run) = &args.deploy_failed {
        let run = RunId::new(run.as_str())?;
        runtime.block_on(engine.deploy_failed(&request, &run))?;
        let told = ResolvedJson { schema: 1, run_id: &run, place: None, release: None, resolution: "deploy-failed" };
        return say(args.format, ui, &told, &format!("run {run}: effects kept, deployment not completed"));
    }
    let (resolution, word) = match (args.retry, args.mark_done) {
        (true, _) => (Resolution::Retry, "retry"),
        (false, true) => (Resolution::MarkDone, "mark-done"),
        (false, false) => (Resolution::MarkNotRun, "mark-not-run"),
    };
    let hook = args.hook.as_deref().unwrap_or_default();
    let resolved = runtime.block_on(engine.resolve(&request, hook, resolution))?;
    let told =
        ResolvedJson { schema: 1, run_id: &resolved.run, place: Some(&resolved.place), release: Some(&resolved.release), resolution: word };
    let line = format!("{} of release {} is {} (recorded in run {})", resolved.place, resolved.release, resolution.words(), resolved.run);
    say(args.format, ui, &told, &line)
}

fn say(format: Format, ui: &Ui, told: &ResolvedJson<'_>, line: &str) -> Result<Exit, CliError> {
    ui.stdout_text(&match format {
        Format::Human | Format::Junit => format!("{line}\n"),
        Format::Json => json::pretty(told)?,
        Format::Jsonl => json::line(told)?,
    })?;
    Ok(Exit::Done)
}
