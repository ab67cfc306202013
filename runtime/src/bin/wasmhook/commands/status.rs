//! `wasmhook status`: the runs of an application, and who holds its lock.

use super::{check_format, target};
use crate::args::{Format, StatusArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::json;
use crate::render::status::{self, Owner, RunRow, RunState, render};
use crate::settings::Settings;
use crate::ui::Ui;
use serde::Serialize;
use wasmhook::engine::pending::{Pending, Unresolved};
use wasmhook::ledger::lock::{Holder, Lock};
use wasmhook::ledger::{RunRecord, Target};
use wasmhook::model::id::{RunId, StepName};

/// How many runs are shown.
const SHOWN: usize = 20;

#[derive(Serialize)]
struct StatusJson<'a> {
    schema: u32,
    /// Null where there was no run yet.
    app: Option<&'a str>,
    environment: Option<&'a str>,
    locked_by: Option<wasmhook::ledger::lock::Owner>,
    locked: bool,
    /// When the owner of the lock last gave a sign of life; null if nobody holds it.
    last_sign: Option<jiff::Timestamp>,
    runs: Vec<RunJson<'a>>,
    /// What nobody knows the end of.
    unresolved: Vec<UnresolvedJson>,
    /// `always` steps that a dead run owes: the next run runs them first.
    owed: Vec<StepName>,
    /// The run that `run --resume` would go on with.
    resumable: Option<RunId>,
}

#[derive(Serialize)]
struct UnresolvedJson {
    place: String,
    release: String,
    run_id: RunId,
    attempts: u32,
    /// Whether nothing runs before a person said what became of it; otherwise it runs again by itself.
    waits: bool,
    resolve: String,
}

#[derive(Serialize)]
struct RunJson<'a> {
    run_id: &'a str,
    status: Option<wasmhook::model::event::Status>,
    state: &'static str,
    tag: Option<&'a str>,
    commit: Option<&'a str>,
    started_at: jiff::Timestamp,
}

pub fn run(args: &StatusArgs, settings: &Settings, ui: &Ui) -> Result<Exit, CliError> {
    check_format(args.format)?;
    let state = settings.state(&args.selectors.places)?;
    let targets = match (wasmhook::history(&state)?, named(args)) {
        (Some(ledger), false) => ledger.targets()?,
        (None, false) => Vec::new(),
        (_, true) => vec![target(&args.selectors, settings)?],
    };
    if targets.is_empty() {
        let nothing = StatusJson {
            schema: 1,
            app: None,
            environment: None,
            locked_by: None,
            locked: false,
            last_sign: None,
            runs: Vec::new(),
            unresolved: Vec::new(),
            owed: Vec::new(),
            resumable: None,
        };
        ui.stdout_text(&match args.format {
            Format::Human | Format::Junit => "No run yet.\n".to_owned(),
            Format::Json => json::pretty(&nothing)?,
            Format::Jsonl => json::line(&nothing)?,
        })?;
    }
    for target in &targets {
        let ledger = wasmhook::history(&state)?;
        let runs = ledger.as_ref().map(|ledger| ledger.runs(target, SHOWN)).transpose()?.unwrap_or_default();
        let holder = Lock::holder(&state, target)?;
        // What a run is doing isn't pending.
        let pending = match ledger.filter(|_| holder.is_none()) {
            Some(ledger) => wasmhook::engine::pending::of(&*ledger, target)?,
            None => Pending::default(),
        };
        let last_sign = holder.as_ref().map(|_| Lock::last_sign(&state, target)).transpose()?.flatten();
        one(target, &runs, (holder.as_ref(), last_sign), &pending, args.format, ui)?;
    }
    Ok(Exit::Done)
}

/// Whether one target is meant: a manifest that is there, or an application that was named.
fn named(args: &StatusArgs) -> bool {
    let selectors = &args.selectors;
    selectors.app.is_some() || !selectors.manifests.is_empty() || selectors.dir.join("wasmhook.toml").exists()
}

fn one(
    target: &Target,
    runs: &[RunRecord],
    (holder, last_sign): (Option<&Holder>, Option<jiff::Timestamp>),
    pending: &Pending,
    format: Format,
    ui: &Ui,
) -> Result<(), CliError> {
    let state = |index: usize, run: &RunRecord| match run.status {
        Some(status) => RunState::Ended(status),
        None if index == 0 && holder.is_some() => RunState::Running,
        None => RunState::Died,
    };
    if format == Format::Human {
        let version = |run: &RunRecord| run.tag.as_ref().map(ToString::to_string).or_else(|| run.commit.as_ref().map(ToString::to_string));
        let versions: Vec<_> = runs.iter().map(version).collect();
        let rows: Vec<_> = runs
            .iter()
            .enumerate()
            .map(|(index, run)| RunRow {
                run: run.run.as_str(),
                version: versions[index].as_deref(),
                started: run.started,
                state: state(index, run),
            })
            .collect();
        let owner = match holder {
            Some(Holder::Known(owner)) => {
                Some(Owner { who: &owner.user, host: &owner.host, pid: owner.pid, since: owner.since, what: &owner.command })
            }
            Some(Holder::Unknown) | None => None,
        };
        let name = format!("{}/{}", target.app, target.environment);
        return Ok(ui.stdout_text(&render(ui.stdout_look(), &name, owner.as_ref(), &rows, &shown(target, pending)))?);
    }
    let rows = runs.iter().enumerate().map(|(index, run)| RunJson {
        run_id: run.run.as_str(),
        status: run.status,
        state: match state(index, run) {
            RunState::Ended(_) => "ended",
            RunState::Running => "running",
            RunState::Died => "died",
        },
        tag: run.tag.as_ref().map(wasmhook::model::id::Tag::as_str),
        commit: run.commit.as_ref().map(wasmhook::model::id::Commit::as_str),
        started_at: run.started,
    });
    let locked_by = match holder {
        Some(Holder::Known(owner)) => Some(owner.clone()),
        Some(Holder::Unknown) | None => None,
    };
    let value = StatusJson {
        schema: 1,
        app: Some(target.app.as_str()),
        environment: Some(target.environment.as_str()),
        locked: holder.is_some(),
        last_sign,
        locked_by,
        runs: rows.collect(),
        unresolved: pending.unresolved.iter().map(|open| unresolved(target, open)).collect(),
        owed: pending.owed.clone(),
        resumable: pending.resumable.clone(),
    };
    Ok(ui.stdout_text(&if format == Format::Json { json::pretty(&value)? } else { json::line(&value)? })?)
}

fn unresolved(target: &Target, open: &Unresolved) -> UnresolvedJson {
    UnresolvedJson {
        place: open.key.place.to_string(),
        release: open.key.release.clone(),
        run_id: open.memory.run.clone(),
        attempts: open.memory.attempts,
        waits: open.waits,
        resolve: command(target, open),
    }
}

/// The command that settles it, but for the word that only a person knows.
fn command(target: &Target, open: &Unresolved) -> String {
    let name = open.key.place.to_string();
    format!("wasmhook resolve {} --env-name {}", shell_words::quote(&name), shell_words::quote(target.environment.as_str()))
}

fn shown(target: &Target, pending: &Pending) -> status::Pending {
    let unresolved = pending.unresolved.iter().map(|open| {
        let command = open.waits.then(|| command(target, open));
        (open.key.place.to_string(), open.memory.run.to_string(), command)
    });
    status::Pending {
        unresolved: unresolved.collect(),
        owed: pending.owed.iter().map(ToString::to_string).collect(),
        resumable: pending.resumable.as_ref().map(ToString::to_string),
    }
}
