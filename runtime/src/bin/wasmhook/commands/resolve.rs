//! `wasmhook resolve`: a person's word on what became of an execution, or of a deployment.

use super::run::{INTERRUPT_SIGNAL, stop_on_signals};
use super::{check_format, runtime};
use crate::args::{Format, ResolveArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::json;
use crate::render::line::brief;
use crate::settings::Settings;
use crate::ui::Ui;
use serde::Serialize;
use wasmhook::engine::Stop;
use wasmhook::engine::undo::Undone;
use wasmhook::model::event::{Place, Resolution};
use wasmhook::model::id::RunId;
use wasmhook::report::{HookReport, Notice};

/// What was recorded, and where.
#[derive(Serialize)]
struct ResolvedJson<'a> {
    schema: u32,
    run_id: &'a RunId,
    /// Null where it was said of the run as a whole.
    place: Option<&'a Place>,
    release: Option<&'a str>,
    resolution: &'a str,
    /// What took hooks of the run back, in the order in which it ran.
    reverts: Vec<&'a HookReport>,
    /// What was found before: a run that had died, stages that are kept for somebody to look at.
    notices: &'a [Notice],
}

pub fn run(args: &ResolveArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let request = settings.request(&args.selectors)?;
    let places = &args.selectors.places;
    let engine = settings
        .engine(places)?
        .alone()
        .operator_env(settings.env.clone())
        .interrupt_signal(INTERRUPT_SIGNAL)
        .on_wait(super::waiting)
        .build()?;
    let runtime = runtime()?;
    if let Some(run) = &args.deploy_failed {
        let run = RunId::new(run.as_str())?;
        let undone = runtime.block_on(async {
            let stop = Stop::new();
            let listening = tokio::spawn(stop_on_signals(stop.clone()));
            let undone = engine.deploy_failed(&request, &run, &stop).await;
            listening.abort();
            undone
        })?;
        return say_taken_back(args.format, ui, &run, &undone);
    }
    let (resolution, word) = match (args.retry, args.mark_done) {
        (true, _) => (Resolution::Retry, "retry"),
        (false, true) => (Resolution::MarkDone, "mark-done"),
        (false, false) => (Resolution::MarkNotRun, "mark-not-run"),
    };
    let hook = args.hook.as_deref().unwrap_or_default();
    let resolved = runtime.block_on(engine.resolve(&request, hook, resolution))?;
    let told = ResolvedJson {
        schema: 1,
        run_id: &resolved.run,
        place: Some(&resolved.place),
        release: Some(&resolved.release),
        resolution: word,
        reverts: Vec::new(),
        notices: &[],
    };
    let line = format!("{} of release {} is {} (recorded in run {})", resolved.place, resolved.release, resolution.words(), resolved.run);
    say(args.format, ui, &told, &line)
}

/// What the deployment's failure means for the run, with a line for each revert. One that failed leaves something behind: exit code 1.
fn say_taken_back(format: Format, ui: &Ui, run: &RunId, Undone { report, notices }: &Undone) -> Result<Exit, CliError> {
    let reverts = report.reverts();
    let all_well = reverts.iter().all(|revert| revert.cause.is_none());
    let mut lines = vec![match reverts[..] {
        [] => format!("run {run}: effects kept, deployment not completed"),
        _ => format!("run {run}: deployment not completed"),
    }];
    let charset = ui.stdout_look().charset;
    let briefly = |revert: &HookReport| HookReport { file: brief(&revert.file, charset).into_owned(), ..revert.clone() }.executed();
    lines.extend(reverts.iter().map(|revert| briefly(revert)));
    lines.extend(notices.iter().map(|notice| format!("{} [{}]", notice.message, notice.code)));
    if !all_well {
        lines.push("what failed to be taken back is tried again by the same command".to_owned());
    }
    let told = ResolvedJson { schema: 1, run_id: run, place: None, release: None, resolution: "deploy-failed", reverts, notices };
    say(format, ui, &told, &lines.join("\n"))?;
    Ok(if all_well { Exit::Done } else { Exit::HookFailed })
}

fn say(format: Format, ui: &Ui, told: &ResolvedJson<'_>, line: &str) -> Result<Exit, CliError> {
    ui.stdout_text(&match format {
        Format::Human | Format::Junit => format!("{line}\n"),
        Format::Json => json::pretty(told)?,
        Format::Jsonl => json::line(told)?,
    })?;
    Ok(Exit::Done)
}
