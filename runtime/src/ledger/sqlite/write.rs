//! What a transaction writes.

use super::pending::Entry;
use super::read;
use crate::ledger::{Key, Memory, Target, journal, recall};
use crate::model::event::{Event, RunHeader};
use crate::model::id::{Commit, RunId, Tag};
use crate::model::outcome::Outcome;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;

/// A run that begins.
pub(super) struct NewRun<'a> {
    pub(super) target: &'a Target,
    pub(super) release: &'a str,
    pub(super) plan: &'a str,
    pub(super) started: &'a Event,
    pub(super) header: &'a RunHeader,
}

/// Records a run and where its tag points; `false` if its id is taken.
pub(super) fn run(connection: &Connection, new: &NewRun) -> rusqlite::Result<bool> {
    let (app, environment) = (new.target.app.as_str(), new.target.environment.as_str());
    let (tag, commit) = (new.header.tag.as_ref().map(Tag::as_str), new.header.commit.as_ref().map(Commit::as_str));
    let sql = "INSERT INTO runs (run, app, environment, release, tag, commit_id, dry_run, started, plan)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (run) DO NOTHING";
    let row = params![
        new.started.run.as_str(),
        app,
        environment,
        new.release,
        tag,
        commit,
        new.header.dry_run,
        new.started.at.to_string(),
        new.plan
    ];
    if connection.prepare_cached(sql)?.execute(row)? == 0 {
        return Ok(false);
    }
    if let (Some(tag), Some(commit), false) = (tag, commit, new.header.dry_run) {
        let sql = "INSERT OR REPLACE INTO tags (app, environment, tag, commit_id) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(sql)?.execute(params![app, environment, tag, commit])?;
    }
    Ok(true)
}

/// Records events, in their order, and what they change in the executions and in their runs.
pub(super) fn entries(connection: &Connection, entries: &[Entry]) -> rusqlite::Result<()> {
    let mut executions = Executions::default();
    for entry in entries {
        event(connection, &entry.event.run, entry.event.seq, &entry.line)?;
        executions.learn(connection, entry)?;
        if let Some(status) = journal::ends_as(&entry.event.what) {
            let sql = "UPDATE runs SET status = ?2, finished = ?3 WHERE run = ?1";
            let row = params![entry.event.run.as_str(), status.word(), entry.event.at.to_string()];
            connection.prepare_cached(sql)?.execute(row)?;
        }
    }
    executions.write(connection)
}

/// What is remembered of the executions that one transaction is about. An intent and its outcome mostly come together: each execution is read
/// and written once.
#[derive(Default)]
struct Executions<'a>(HashMap<(&'a Target, Key), Known>);

struct Known {
    memory: Option<Memory>,
    is_new: bool,
}

impl<'a> Executions<'a> {
    fn learn(&mut self, connection: &Connection, entry: &'a Entry) -> rusqlite::Result<()> {
        let Some((key, digest)) = &entry.key else { return Ok(()) };
        let known = self.known(connection, &entry.target, key.clone())?;
        if let Some(after) = recall::after(known.memory.as_ref(), &entry.event, digest) {
            *known = Known { memory: Some(after), is_new: true };
        }
        if let Some(undone) = recall::taken_back(&entry.event, key) {
            let known = self.known(connection, &entry.target, undone)?;
            if let Some(memory) = &known.memory {
                *known = Known { memory: Some(recall::without(memory)), is_new: true };
            }
        }
        Ok(())
    }

    fn known(&mut self, connection: &Connection, target: &'a Target, key: Key) -> rusqlite::Result<&mut Known> {
        Ok(match self.0.entry((target, key)) {
            MapEntry::Occupied(known) => known.into_mut(),
            MapEntry::Vacant(place) => {
                let memory = read::memory(connection, target, &place.key().1)?;
                place.insert(Known { memory, is_new: false })
            }
        })
    }

    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        for ((target, key), known) in &self.0 {
            if let Some(new) = known.memory.as_ref().filter(|_| known.is_new) {
                memory(connection, target, key, new)?;
            }
        }
        Ok(())
    }
}

/// Records an event's line.
pub(super) fn event(connection: &Connection, run: &RunId, seq: u64, line: &str) -> rusqlite::Result<()> {
    let seq = i64::try_from(seq).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let sql = "INSERT INTO events (run, seq, line) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute(params![run.as_str(), seq, line])?;
    Ok(())
}

/// Replaces what is remembered of an execution.
fn memory(connection: &Connection, target: &Target, key: &Key, memory: &Memory) -> rusqlite::Result<()> {
    let place = read::place_columns(&key.place);
    let outcome = memory.outcome.as_ref().map(json).transpose()?;
    let sql = "INSERT OR REPLACE INTO executions
                   (app, environment, release, service, instance, step, hook, role, outcome, digest, run, attempts)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    connection.prepare_cached(sql)?.execute(params![
        target.app.as_str(),
        target.environment.as_str(),
        key.release,
        place.service,
        place.instance,
        place.step,
        place.hook,
        place.role,
        outcome,
        memory.digest.as_str(),
        memory.run.as_str(),
        memory.attempts
    ])?;
    Ok(())
}

fn json(outcome: &Outcome) -> rusqlite::Result<String> {
    serde_json::to_string(outcome).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
