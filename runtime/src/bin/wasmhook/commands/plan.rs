//! `wasmhook plan`: what would run, and why something would not.

use super::{check_format, runtime};
use crate::args::{Format, PlanArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{json, plan};
use crate::settings::{FETCH_DEADLINE, Settings};
use crate::ui::Ui;
use serde::Serialize;
use std::collections::BTreeMap;
use wasmhook::diagnostic::{Diagnostic, codes};
use wasmhook::engine::machine::Decision;
use wasmhook::engine::{Readiness, lifecycle};
use wasmhook::model::event::Place;
use wasmhook::model::outcome::Cause;
use wasmhook::plan::{Notice, Plan};

/// The plan as JSON, with what the gate says of each hook.
#[derive(Serialize)]
struct PlanJson<'a> {
    schema: u32,
    digest: String,
    plan: &'a Plan,
    decisions: Vec<PlannedDecision>,
    refused: Vec<Notice>,
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
    let (decisions, refused) = match &preview.readiness {
        Readiness::Ready(decisions) => (decided(plan, &decisions.by_step), Vec::new()),
        Readiness::Refused(reasons) => (Vec::new(), reasons.clone()),
    };
    if args.format == Format::Human {
        let by_place: BTreeMap<&Place, &PlannedDecision> = decisions.iter().map(|decided| (&decided.place, decided)).collect();
        let say = |place: &Place| by_place.get(place).map_or_else(|| "refused".to_owned(), |decided| say(decided));
        ui.stdout_text(&plan::render(ui.stdout_look(), plan, &say))?;
    } else {
        let value =
            PlanJson { schema: wasmhook::plan::SCHEMA, digest: plan.digest().to_string(), plan, decisions, refused: refused.clone() };
        ui.stdout_text(&if args.format == Format::Json { json::pretty(&value)? } else { json::line(&value)? })?;
    }
    if refused.is_empty() {
        return Ok(Exit::Done);
    }
    let reason = |notice: Notice| Diagnostic::error(codes::known(&notice.code), notice.message).help("a run of this plan would be refused");
    Err(CliError { exit: Exit::Refused, ..CliError::diagnostics(refused.into_iter().map(reason).collect()) })
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
