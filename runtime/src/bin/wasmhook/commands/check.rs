//! `wasmhook check`: every problem at once, and no run.

use super::{about, check_format, counted, runtime};
use crate::args::{CheckArgs, Format, SchemaKind};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::json;
use crate::render::refusal::About;
use crate::settings::Settings;
use crate::ui::Ui;
use serde::Serialize;
use std::collections::BTreeSet;
use wasmhook::Request;
use wasmhook::diagnostic::{Diagnostic, codes, has_errors};
use wasmhook::engine::preflight::Foreseen;
use wasmhook::load::Declared;
use wasmhook::model::event::Status;
use wasmhook::model::id::{AppName, EnvironmentName};
use wasmhook::plan::{Notice, Plan, PlanHook, PlanStep, PlanStepKind};
use wasmhook::report::Problem;

/// What was found, as JSON.
#[derive(Serialize)]
struct CheckJson {
    schema: u32,
    status: Status,
    app: Option<AppName>,
    environment: Option<EnvironmentName>,
    profile: Option<String>,
    hooks: Option<usize>,
    problems: Vec<Problem>,
}

pub fn run(args: &CheckArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    if let Some(kind) = args.schema {
        let schema = match kind {
            SchemaKind::Manifest => wasmhook::manifest::json_schema(),
            SchemaKind::Policy => wasmhook::manifest::policy_json_schema(),
            SchemaKind::Profile => wasmhook::profile::json_schema(),
        };
        ui.stdout_text(&json::pretty(&schema)?)?;
        return Ok(Exit::Done);
    }
    let mut request = settings.request(&args.selectors)?;
    request.fetch = None;
    let declared = match wasmhook::load::declare(&request).map_err(CliError::from) {
        Ok(declared) => declared,
        Err(failed) => return fail(failed, None, args, ui),
    };
    match predicted(&request, &declared, args, settings) {
        Ok(Predicted { mut found, hooks }) if !has_errors(&found) => {
            found.splice(0..0, declared.warnings.iter().cloned());
            say(Exit::Done, Some((&declared, hooks)), &found, args, ui)?;
            ui.diagnostics(&found);
            Ok(Exit::Done)
        }
        Ok(Predicted { found, .. }) => fail(CliError { exit: Exit::Refused, ..CliError::diagnostics(found) }, Some(&declared), args, ui),
        Err(failed) => fail(failed, Some(&declared), args, ui),
    }
}

/// What a run would find, as far as it can be known now: in the files that hooks name, and on this machine.
struct Predicted {
    found: Vec<Diagnostic>,
    /// How many hooks there are, those among them that were found by their files' names: each once, on however many instances it runs.
    hooks: usize,
}

fn predicted(request: &Request, declared: &Declared, args: &CheckArgs, settings: &Settings) -> Result<Predicted, CliError> {
    let places = &args.selectors.places;
    let engine = settings.engine(places)?.build()?;
    let preview = runtime()?.block_on(engine.plan(request))?;
    let plan = &preview.prepared.plan;
    let found = [unusable(plan), warned(plan, &declared.warnings), preview.foreseen.iter().map(foreseen).collect()].concat();
    Ok(Predicted { found, hooks: hooks(plan).map(|(step, hook)| (&step.name, &hook.service, &hook.id)).collect::<BTreeSet<_>>().len() })
}

fn hooks(plan: &Plan) -> impl Iterator<Item = (&PlanStep, &PlanHook)> {
    plan.steps.iter().flat_map(|step| {
        let hooks = if let PlanStepKind::Phase { hooks, .. } = &step.kind { hooks.as_slice() } else { &[] };
        hooks.iter().map(move |hook| (step, hook))
    })
}

/// What the plan warns of, but for what was `said` with its place.
fn warned(plan: &Plan, said: &[Diagnostic]) -> Vec<Diagnostic> {
    let is_new = |warning: &&Notice| said.iter().all(|said| said.message != warning.message);
    plan.warnings.iter().filter(is_new).map(|warning| Diagnostic::warning(codes::known(&warning.code), &warning.message)).collect()
}

/// What nothing can mend before a run gets there is an error; the rest may be otherwise by then, or on the machine that the run is for.
fn foreseen(found: &Foreseen) -> Diagnostic {
    let message = format!("{}: {}", found.place, found.what);
    if found.certain { Diagnostic::error(codes::PREFLIGHT, message) } else { Diagnostic::warning(codes::PREFLIGHT, message) }
}

fn unusable(plan: &Plan) -> Vec<Diagnostic> {
    let unusable =
        hooks(plan).filter(|(_, hook)| hook.enabled).filter_map(|(step, hook)| Some((hook.place(&step.name), hook.unusable.as_ref()?)));
    unusable.map(|(place, why)| Diagnostic::error(codes::UNUSABLE_HOOK, format!("{place}: {why}"))).collect()
}

fn fail(mut failed: CliError, declared: Option<&Declared>, args: &CheckArgs, ui: &Ui) -> Result<Exit, CliError> {
    failed.diagnostics.extend(declared.into_iter().flat_map(|declared| declared.warnings.clone()));
    if args.format == Format::Human {
        return Err(failed);
    }
    let hooks = declared.map(|declared| (declared, declared.manifest.hooks.len()));
    say(failed.exit, hooks, &failed.diagnostics, args, ui)?;
    Err(failed.answered())
}

/// Answers; with how many hooks there are, where anything was declared.
fn say(exit: Exit, declared: Option<(&Declared, usize)>, found: &[Diagnostic], args: &CheckArgs, ui: &Ui) -> Result<(), CliError> {
    if let (Format::Human, Some((declared, hooks))) = (args.format, declared) {
        let (hooks, warnings) = (counted(hooks, "hook", "hooks"), counted(found.len(), "warning", "warnings"));
        return Ok(ui.stdout_text(&format!("{}: profile {}, {hooks}, {warnings}\n", declared.app, declared.profile.name))?);
    }
    let (declared, hooks) = declared.unzip();
    let About { app, environment } = declared.map_or_else(
        || about(&args.selectors),
        |declared| About { app: Some(declared.app.clone()), environment: Some(declared.environment.clone()) },
    );
    let problems = found.iter().map(Problem::from).collect();
    let profile = declared.map(|declared| declared.profile.name.clone());
    Ok(ui.answer(&CheckJson { schema: 1, status: exit.status(), app, environment, profile, hooks, problems })?)
}
