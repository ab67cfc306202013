//! `wasmhook list`: the hooks, with where each comes from.

use super::{check_format, runtime};
use crate::args::{Format, ListArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::json;
use crate::render::line::{Line, brief, text};
use crate::render::table::Table;
use crate::settings::Settings;
use crate::ui::Ui;
use serde::Serialize;
use std::collections::BTreeMap;
use wasmhook::model::source::HookSource;
use wasmhook::plan::{Plan, PlanStepKind};

/// The version of the format.
const SCHEMA: u32 = 1;

/// The hooks as JSON.
#[derive(Serialize)]
struct ListJson {
    schema: u32,
    hooks: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    label: String,
    phase: String,
    service: Option<String>,
    instance: Option<String>,
    guest: wasmhook::model::event::GuestKind,
    file: String,
    origin: String,
    source: Option<HookSource>,
    enabled: bool,
    fallback: Option<String>,
    verify: Option<String>,
    revert: Option<String>,
}

/// A hook as a line of JSON.
#[derive(Serialize)]
struct RowJson<'a> {
    schema: u32,
    #[serde(flatten)]
    row: &'a Row,
}

impl Row {
    /// Where it is declared, and where its files come from.
    fn from(&self) -> String {
        self.source.as_ref().map_or_else(|| self.origin.clone(), |source| format!("{}, source {}", self.origin, source.name))
    }
}

pub fn run(args: &ListArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let places = &args.selectors.places;
    let mut request = settings.request(&args.selectors)?;
    request.fetch = None;
    let engine = settings.engine(places)?.build()?;
    let preview = runtime()?.block_on(engine.plan(&request))?;
    let rows = rows(&preview.prepared.plan);
    match args.format {
        Format::Human | Format::Junit => {
            let look = ui.stdout_look();
            let mut table = Table::new(look, &["PHASE", "HOOK", "FILE", "ORIGIN"]).keeping_all().whole_in_files();
            for row in &rows {
                let cell = |value: &str| Line::new(look).plain(value);
                table.row(vec![cell(&row.phase), cell(&row.id), cell(&brief(&row.file, look.charset)), cell(&row.from())]);
            }
            let mut lines = table.lines();
            let sources: BTreeMap<_, _> = rows.iter().filter_map(|row| row.source.as_ref()).map(|source| (&source.name, source)).collect();
            lines.extend(
                sources
                    .into_values()
                    .flat_map(|source| Line::new(look).plain(&format!("source {}: {source}", source.name)).fold(look.width, 2)),
            );
            let empty = || format!("no hooks in {}\n", preview.prepared.plan.app);
            ui.stdout_text(&if rows.is_empty() { empty() } else { text(&lines) })?;
        }
        Format::Json => ui.stdout_text(&json::pretty(&ListJson { schema: SCHEMA, hooks: rows })?)?,
        Format::Jsonl => {
            for row in &rows {
                ui.line(&RowJson { schema: SCHEMA, row })?;
            }
        }
    }
    Ok(Exit::Done)
}

fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for step in &plan.steps {
        let PlanStepKind::Phase { hooks, .. } = &step.kind else { continue };
        rows.extend(hooks.iter().map(|hook| Row {
            id: hook.id.to_string(),
            label: hook.label.clone(),
            phase: step.name.to_string(),
            service: hook.service.as_ref().map(ToString::to_string),
            instance: hook.instance.as_ref().map(ToString::to_string),
            guest: hook.guest.kind(),
            file: hook.guest.shown().to_owned(),
            origin: hook.origin.clone(),
            source: hook.source.clone(),
            enabled: hook.enabled,
            fallback: hook.fallback.clone(),
            verify: hook.verify.as_ref().map(|verify| verify.guest.shown().to_owned()),
            revert: hook.revert.as_ref().map(|revert| revert.guest.shown().to_owned()),
        }));
    }
    rows
}
