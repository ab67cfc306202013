//! `wasmhook plan`: what would run, and why something would not.

use super::{check_format, runtime};
use crate::args::{Format, PlanArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plan;
use crate::settings::{FETCH_DEADLINE, Settings};
use crate::ui::Ui;
use serde::Serialize;
use std::collections::BTreeMap;
use wasmhook::diagnostic::{Diagnostic, codes};
use wasmhook::engine::machine::Decision;
use wasmhook::engine::{Readiness, lifecycle};
use wasmhook::model::event::{Place, Status};
use wasmhook::model::id::{AppName, EnvironmentName};
use wasmhook::model::outcome::Cause;
use wasmhook::plan::{Notice, Plan};
use wasmhook::report::Problem;

/// The plan as JSON, with what the gate says of each hook.
#[derive(Serialize)]
struct PlanJson<'a> {
    schema: u32,
    status: Status,
    app: &'a AppName,
    environment: &'a EnvironmentName,
    digest: String,
    plan: &'a Plan,
    decisions: Vec<PlannedDecision>,
    refused: Vec<Notice>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct PlannedDecision {
    place: Place,
    decision: &'static str,
    reason: Option<String>,
}

pub fn run(args: &PlanArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let mut request = settings.request(&args.selectors)?;
    request.fetch = (!args.no_fetch).then_some(FETCH_DEADLINE);
    let places = &args.selectors.places;
    let engine = settings.engine(places)?.build()?;
    let preview = runtime()?.block_on(engine.plan(&request))?;
    let plan = &preview.prepared.plan;
    let (decisions, reasons) = match &preview.readiness {
        Readiness::Ready(decisions) => (decided(plan, &decisions.by_step), Vec::new()),
        Readiness::Refused(reasons) => (Vec::new(), reasons.clone()),
    };
    let failed = refused(&reasons);
    if args.format == Format::Human {
        let by_place: BTreeMap<&Place, &PlannedDecision> = decisions.iter().map(|decided| (&decided.place, decided)).collect();
        let say = |place: &Place| by_place.get(place).map_or_else(|| "refused".to_owned(), |decided| say(decided));
        ui.stdout_text(&plan::render(ui.stdout_look(), plan, &say))?;
    } else {
        ui.answer(&PlanJson {
            schema: wasmhook::plan::SCHEMA,
            status: failed.as_ref().map_or(Exit::Done, |failed| failed.exit).status(),
            app: &plan.app,
            environment: &plan.environment,
            digest: plan.digest().to_string(),
            plan,
            decisions,
            problems: failed.iter().flat_map(CliError::problems).collect(),
            refused: reasons,
        })?;
    }
    failed.map_or(Ok(Exit::Done), |failed| Err(failed.answered()))
}

/// What a run of the plan would be refused for, if it would be.
fn refused(reasons: &[Notice]) -> Option<CliError> {
    let reason =
        |notice: &Notice| Diagnostic::error(codes::known(&notice.code), notice.message.clone()).help("a run of this plan would be refused");
    let found: Vec<_> = reasons.iter().map(reason).collect();
    (!found.is_empty()).then(|| CliError { exit: Exit::Refused, ..CliError::diagnostics(found) })
}

fn decided(plan: &Plan, by_step: &[Vec<Decision>]) -> Vec<PlannedDecision> {
    let places = by_step.iter().enumerate().flat_map(|(step, slots)| {
        slots.iter().enumerate().map(move |(slot, decision)| (wasmhook::engine::machine::At::main(step, slot), decision))
    });
    places
        .map(|(at, decision)| {
            let (word, reason) = match decision {
                Decision::Run => ("run", None),
                Decision::Skip(reason) => ("skip", Some(reason.to_string())),
                Decision::Unresolved => ("unresolved", Some(Cause::Unresolved.to_string())),
            };
            PlannedDecision { place: lifecycle::place(plan, at), decision: word, reason }
        })
        .collect()
}

fn say(decided: &PlannedDecision) -> String {
    match &decided.reason {
        Some(reason) => format!("{}: {reason}", decided.decision),
        None => decided.decision.to_owned(),
    }
}
