//! What a transaction writes.

use super::pending::Entry;
use super::{read, schema};
use crate::ledger::{Key, Memory, Target, journal, recall};
use crate::model::event::{Event, RunHeader};
use crate::model::id::{Commit, Tag};
use crate::model::outcome::Outcome;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;

/// Runs `work` in one transaction: all of it is recorded, or nothing.
pub(super) fn atomically<T>(connection: &Connection, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let open = Open::begin(connection)?;
    let value = work(connection)?;
    open.commit()?;
    Ok(value)
}

/// An open transaction; rolled back if it is dropped. (The library's own prepares its statements anew each time.)
struct Open<'a>(&'a Connection);

impl<'a> Open<'a> {
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        // At once for writing: one that finds out later that another process writes can't wait any more.
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self(connection))
    }

    fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // SQLite has rolled back by itself after some errors, and has committed where all went well.
        if !self.0.is_autocommit()
            && let Err(error) = self.0.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a transaction of the ledger could not be rolled back");
        }
    }
}

/// A run that begins.
pub(super) struct NewRun<'a> {
    pub(super) target: &'a Target,
    pub(super) release: &'a str,
    pub(super) plan: &'a str,
    pub(super) started: &'a Event,
    /// The same as JSON.
    pub(super) line: &'a str,
    pub(super) header: &'a RunHeader,
}

/// Records a run, its plan, its first event and where its tag points. Returns its number; `None` if its id is taken.
pub(super) fn run(connection: &Connection, new: &NewRun) -> rusqlite::Result<Option<i64>> {
    let (app, environment) = (new.target.app.as_str(), new.target.environment.as_str());
    let (tag, commit) = (new.header.tag.as_ref().map(Tag::as_str), new.header.commit.as_ref().map(Commit::as_str));
    let sql = "INSERT INTO runs (run, app, environment, release, tag, commit_id, dry_run, partial, started)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (run) DO NOTHING";
    let row = params![
        new.started.run.as_str(),
        app,
        environment,
        new.release,
        tag,
        commit,
        new.header.dry_run,
        new.header.partial,
        new.started.at.to_string()
    ];
    if connection.prepare_cached(sql)?.execute(row)? == 0 {
        return Ok(None);
    }
    let number = connection.last_insert_rowid();
    connection.prepare_cached("INSERT INTO plans (number, plan) VALUES (?1, ?2)")?.execute(params![number, new.plan])?;
    lines(connection, number, new.started.seq, 1, new.line)?;
    if let (Some(tag), Some(commit), false) = (tag, commit, new.header.dry_run) {
        let sql = "INSERT OR REPLACE INTO tags (app, environment, tag, commit_id) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(sql)?.execute(params![app, environment, tag, commit])?;
    }
    Ok(Some(number))
}

/// Records events, in their order, and what they change in the executions and in their runs.
pub(super) fn entries(connection: &Connection, entries: &[Entry]) -> rusqlite::Result<()> {
    let mut executions = Executions::default();
    // Those of one run without a gap between them, in one row.
    for chunk in entries.chunk_by(|one, next| one.number == next.number && one.event.seq + 1 == next.event.seq) {
        let text: Vec<&str> = chunk.iter().map(|entry| entry.line.as_str()).collect();
        lines(connection, chunk[0].number, chunk[0].event.seq, chunk.len(), &text.join("\n"))?;
    }
    for entry in entries {
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
/// and written once, in the order of the table.
#[derive(Default)]
struct Executions<'a>(BTreeMap<(&'a Target, Key), Known>);

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

/// Records the lines of `events` events of the run with this number, of which the first stands at `seq`.
fn lines(connection: &Connection, number: i64, seq: u64, events: usize, lines: &str) -> rusqlite::Result<()> {
    let too_many = || rusqlite::Error::ToSqlConversionFailure("a run has no more than 2^32 events".into());
    let (id, events) = schema::journal_id(number, seq).zip(u32::try_from(events).ok()).ok_or_else(too_many)?;
    connection.prepare_cached("INSERT INTO journal (id, events, lines) VALUES (?1, ?2, ?3)")?.execute(params![id, events, lines])?;
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
