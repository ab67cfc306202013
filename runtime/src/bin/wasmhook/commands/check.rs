//! `wasmhook check`: every problem at once, and no run.

use super::{check_format, counted, runtime};
use crate::args::{CheckArgs, Format, SchemaKind};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::json;
use crate::settings::Settings;
use crate::ui::Ui;
use serde::Serialize;
use wasmhook::Request;
use wasmhook::diagnostic::{Diagnostic, Severity, codes, has_errors};
use wasmhook::engine::preflight::Foreseen;
use wasmhook::load::Declared;
use wasmhook::plan::{Plan, PlanStepKind};

/// What was found, as JSON.
#[derive(Serialize)]
struct CheckJson<'a> {
    schema: u32,
    app: Option<&'a str>,
    profile: Option<&'a str>,
    hooks: Option<usize>,
    problems: Vec<Problem<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    severity: &'static str,
    code: &'a str,
    message: &'a str,
    help: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
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
        Err(failed) => return fail(failed, None, args.format, ui),
    };
    match predicted(&request, args, settings) {
        Ok(mut found) if !has_errors(&found) => {
            found.splice(0..0, declared.warnings.iter().cloned());
            say(Some(&declared), &found, args.format, ui)?;
            ui.diagnostics(&found);
            Ok(Exit::Done)
        }
        Ok(found) => fail(CliError { exit: Exit::Refused, ..CliError::diagnostics(found) }, Some(&declared), args.format, ui),
        Err(failed) => fail(failed, Some(&declared), args.format, ui),
    }
}

/// What a run would find, as far as it can be known now: in the files that hooks name, and on this machine.
fn predicted(request: &Request, args: &CheckArgs, settings: &Settings) -> Result<Vec<Diagnostic>, CliError> {
    let places = &args.selectors.places;
    let engine = settings.engine(places)?.build()?;
    let preview = runtime()?.block_on(engine.plan(request))?;
    Ok([unusable(&preview.prepared.plan), preview.foreseen.iter().map(foreseen).collect()].concat())
}

/// What nothing can mend before a run gets there is an error; the rest may be otherwise by then, or on the machine that the run is for.
fn foreseen(found: &Foreseen) -> Diagnostic {
    let message = format!("{}: {}", found.place, found.what);
    if found.certain { Diagnostic::error(codes::PREFLIGHT, message) } else { Diagnostic::warning(codes::PREFLIGHT, message) }
}

fn unusable(plan: &Plan) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for step in &plan.steps {
        let PlanStepKind::Phase { hooks, .. } = &step.kind else { continue };
        let unusable = hooks.iter().filter(|hook| hook.enabled).filter_map(|hook| Some((hook, hook.unusable.as_ref()?)));
        found.extend(unusable.map(|(hook, why)| Diagnostic::error(codes::UNUSABLE_HOOK, format!("{}: {why}", hook.place(&step.name)))));
    }
    found
}

fn fail(mut failed: CliError, declared: Option<&Declared>, format: Format, ui: &Ui) -> Result<Exit, CliError> {
    failed.diagnostics.extend(declared.into_iter().flat_map(|declared| declared.warnings.clone()));
    if format != Format::Human {
        say(declared, &failed.diagnostics, format, ui)?;
    }
    Err(failed)
}

fn say(declared: Option<&Declared>, found: &[Diagnostic], format: Format, ui: &Ui) -> Result<(), CliError> {
    let hooks = declared.map(|declared| declared.manifest.hooks.len());
    if let (Format::Human, Some(declared)) = (format, declared) {
        let (hooks, warnings) = (counted(hooks.unwrap_or_default(), "hook", "hooks"), counted(found.len(), "warning", "warnings"));
        return Ok(ui.stdout_text(&format!("{}: profile {}, {hooks}, {warnings}\n", declared.app, declared.profile.name))?);
    }
    let value = CheckJson {
        schema: 1,
        app: declared.map(|declared| declared.app.as_str()),
        profile: declared.map(|declared| declared.profile.name.as_str()),
        hooks,
        problems: found.iter().map(problem).collect(),
    };
    Ok(ui.stdout_text(&if format == Format::Jsonl { json::line(&value)? } else { json::pretty(&value)? })?)
}

fn problem(found: &Diagnostic) -> Problem<'_> {
    let position = found.at.as_ref().and_then(|at| at.position());
    Problem {
        severity: if found.severity == Severity::Error { "error" } else { "warning" },
        code: found.code,
        message: &found.message,
        help: found.help.as_deref(),
        file: position.map(|(file, ..)| file),
        line: position.map(|(_, line, _)| line),
        column: position.map(|(.., column)| column),
    }
}
