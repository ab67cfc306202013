//! What is read back. Every value is checked again on its way in: an operator may have edited the file.

use crate::ledger::journal::Cursor;
use crate::ledger::{Key, Memory, RunRecord, Target};
use crate::model::event::{Place, Role, Status};
use crate::model::id::{Commit, NameError, RunId, Tag};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Row, params};

/// A run that is in the ledger.
#[derive(Clone)]
pub(super) struct Known {
    /// Whose it is.
    pub(super) target: Target,
    /// Its number.
    pub(super) number: i64,
    /// Where its journal stands.
    pub(super) cursor: Cursor,
}

/// Which runs of a target.
#[derive(Clone, Copy)]
pub(super) enum Which {
    /// All, dry ones included.
    Any,
    /// Those that are running or died.
    Unfinished,
    /// Those that succeeded.
    Succeeded,
}

impl Which {
    const fn condition(self) -> &'static str {
        match self {
            Self::Any => "TRUE",
            Self::Unfinished => "status IS NULL AND NOT dry_run",
            Self::Succeeded => "status = 'success' AND NOT dry_run AND NOT partial",
        }
    }
}

/// The runs of a target, newest first.
pub(super) fn runs(connection: &Connection, target: &Target, which: Which, limit: usize) -> rusqlite::Result<Vec<RunRecord>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT run, release, tag, commit_id, started, status, dry_run, partial FROM runs
         WHERE app = ?1 AND environment = ?2 AND {} ORDER BY number DESC LIMIT ?3",
        which.condition()
    );
    connection.prepare_cached(&sql)?.query_map(params![target.app.as_str(), target.environment.as_str(), limit], run_record)?.collect()
}

fn run_record(row: &Row) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        run: name(row, 0)?,
        release: row.get(1)?,
        tag: optional(row, 2)?,
        commit: optional(row, 3)?,
        started: row.get::<_, String>(4)?.parse().map_err(|error: jiff::Error| broken(4, error))?,
        status: row.get::<_, Option<String>>(5)?.map(|word| status(&word)).transpose()?,
        dry_run: row.get(6)?,
        partial: row.get(7)?,
    })
}

/// A run that events may follow: whose it is, its number, and where its journal stands.
pub(super) fn known(connection: &Connection, run: &RunId) -> rusqlite::Result<Option<Known>> {
    let sql = "SELECT app, environment, dry_run, status, number FROM runs WHERE run = ?1";
    let found = connection.prepare_cached(sql)?.query_row([run.as_str()], |row| {
        let target = Target { app: name(row, 0)?, environment: name(row, 1)? };
        let status = row.get::<_, Option<String>>(3)?.map(|word| status(&word)).transpose()?;
        Ok(Known { target, number: row.get(4)?, cursor: Cursor { next: 0, status, dry_run: row.get(2)? } })
    });
    let Some(known) = found.optional()? else { return Ok(None) };
    let next = last_chunk(connection, known.number)?.map_or(0, |chunk| chunk.first + chunk.events);
    Ok(Some(Known { cursor: Cursor { next, ..known.cursor }, ..known }))
}

/// The number of a run.
pub(super) fn number(connection: &Connection, run: &RunId) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached("SELECT number FROM runs WHERE run = ?1")?.query_row([run.as_str()], |row| row.get(0)).optional()
}

/// The plan of the run with this number.
pub(super) fn plan(connection: &Connection, number: i64) -> rusqlite::Result<String> {
    connection.prepare_cached("SELECT plan FROM plans WHERE number = ?1")?.query_row([number], |row| row.get(0))
}

/// Events of one run that were written at once.
pub(super) struct Chunk {
    /// The position of the first.
    first: u64,
    events: u64,
    lines: String,
}

impl Chunk {
    fn of(row: &Row) -> rusqlite::Result<Self> {
        let (id, events): (i64, u32) = (row.get(0)?, row.get(1)?);
        let lines: String = row.get(2)?;
        if lines.lines().count() != events as usize {
            return Err(broken(2, format!("there are {} lines for {events} events", lines.lines().count())));
        }
        Ok(Self { first: id.cast_unsigned() & u64::from(u32::MAX), events: events.into(), lines })
    }

    /// The lines with their positions.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, &str)> {
        (self.first..).zip(self.lines.lines())
    }
}

/// The journal of the run with this number, in order.
pub(super) fn chunks(connection: &Connection, number: i64) -> rusqlite::Result<Vec<Chunk>> {
    connection
        .prepare_cached("SELECT id, events, lines FROM journal WHERE id BETWEEN ?1 << 32 AND (?1 + 1 << 32) - 1 ORDER BY id")?
        .query_map([number], Chunk::of)?
        .collect()
}

/// The end of the journal of the run with this number.
pub(super) fn last_chunk(connection: &Connection, number: i64) -> rusqlite::Result<Option<Chunk>> {
    connection
        .prepare_cached("SELECT id, events, lines FROM journal WHERE id BETWEEN ?1 << 32 AND (?1 + 1 << 32) - 1 ORDER BY id DESC LIMIT 1")?
        .query_row([number], Chunk::of)
        .optional()
}

/// The targets that have runs, sorted.
pub(super) fn targets(connection: &Connection) -> rusqlite::Result<Vec<Target>> {
    connection
        .prepare_cached("SELECT DISTINCT app, environment FROM runs ORDER BY app, environment")?
        .query_map([], |row| Ok(Target { app: name(row, 0)?, environment: name(row, 1)? }))?
        .collect()
}

/// The commit that a tag was last deployed with.
pub(super) fn commit_of_tag(connection: &Connection, target: &Target, tag: &Tag) -> rusqlite::Result<Option<Commit>> {
    connection
        .prepare_cached("SELECT commit_id FROM tags WHERE app = ?1 AND environment = ?2 AND tag = ?3")?
        .query_row([target.app.as_str(), target.environment.as_str(), tag.as_str()], |row| name(row, 0))
        .optional()
}

/// A place as the columns of its key: `''` where it has none.
pub(super) struct PlaceColumns<'a> {
    pub(super) service: &'a str,
    pub(super) instance: &'a str,
    pub(super) step: &'a str,
    pub(super) hook: &'a str,
    pub(super) role: &'static str,
}

/// The columns of a place.
pub(super) fn place_columns(place: &Place) -> PlaceColumns<'_> {
    PlaceColumns {
        service: place.service.as_ref().map_or("", |name| name.as_str()),
        instance: place.instance.as_ref().map_or("", |name| name.as_str()),
        step: place.step.as_str(),
        hook: place.hook.as_ref().map_or("", |name| name.as_str()),
        role: match place.role {
            Role::Main => "main",
            Role::Revert => "revert",
            Role::Verify => "verify",
        },
    }
}

/// What is remembered of one execution.
pub(super) fn memory(connection: &Connection, target: &Target, key: &Key) -> rusqlite::Result<Option<Memory>> {
    let place = place_columns(&key.place);
    let sql = "SELECT outcome, digest, run, attempts FROM executions
               WHERE app = ?1 AND environment = ?2 AND release = ?3
                 AND service = ?4 AND instance = ?5 AND step = ?6 AND hook = ?7 AND role = ?8";
    connection
        .prepare_cached(sql)?
        .query_row(
            params![
                target.app.as_str(),
                target.environment.as_str(),
                key.release,
                place.service,
                place.instance,
                place.step,
                place.hook,
                place.role
            ],
            remembered,
        )
        .optional()
}

/// What is remembered of a release, in the order of [`Key`].
pub(super) fn memories(connection: &Connection, target: &Target, release: &str) -> rusqlite::Result<Vec<(Key, Memory)>> {
    let sql = format!("{EXECUTIONS} AND release = ?3 ORDER BY step, hook, service, instance, role");
    connection.prepare_cached(&sql)?.query_map([target.app.as_str(), target.environment.as_str(), release], execution)?.collect()
}

/// The newest execution of each place, where nobody knows how it ended.
pub(super) fn unresolved(connection: &Connection, target: &Target) -> rusqlite::Result<Vec<(Key, Memory)>> {
    // Found by the index: a long history costs nothing where nothing is open (the `+` lets SQLite see no use in another).
    let sql = "SELECT outcome, digest, e.run, attempts, service, instance, step, hook, role, e.release
               FROM executions AS e INDEXED BY open_executions JOIN runs ON runs.run = e.run
               WHERE e.app = ?1 AND e.environment = ?2 AND (outcome IS NULL OR json_extract(outcome, '$.outcome') = 'unknown')
                 AND NOT EXISTS (SELECT 1 FROM executions AS n JOIN runs AS newer ON newer.run = n.run
                                 WHERE n.app = e.app AND n.environment = e.environment AND n.service = e.service
                                   AND n.instance = e.instance AND n.step = e.step AND n.hook = e.hook AND n.role = e.role
                                   AND newer.number > runs.number)
               ORDER BY +e.release, step, hook, service, instance, role";
    connection.prepare_cached(sql)?.query_map([target.app.as_str(), target.environment.as_str()], execution)?.collect()
}

const EXECUTIONS: &str = "SELECT outcome, digest, run, attempts, service, instance, step, hook, role, release FROM executions
               WHERE app = ?1 AND environment = ?2";

fn execution(row: &Row) -> rusqlite::Result<(Key, Memory)> {
    let place = Place {
        service: optional(row, 4)?,
        instance: optional(row, 5)?,
        step: name(row, 6)?,
        hook: optional(row, 7)?,
        role: role(&row.get::<_, String>(8)?)?,
    };
    Ok((Key { release: row.get(9)?, place }, remembered(row)?))
}

fn remembered(row: &Row) -> rusqlite::Result<Memory> {
    let outcome: Option<String> = row.get(0)?;
    Ok(Memory {
        outcome: outcome.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| broken(0, error))?,
        digest: serde_json::from_value(row.get::<_, String>(1)?.into()).map_err(|error| broken(1, error))?,
        run: name(row, 2)?,
        attempts: row.get(3)?,
    })
}

fn status(word: &str) -> rusqlite::Result<Status> {
    Status::ALL.iter().copied().find(|status| status.word() == word).ok_or_else(|| broken(5, format!("`{word}` is no status")))
}

fn role(word: &str) -> rusqlite::Result<Role> {
    match word {
        "main" => Ok(Role::Main),
        "revert" => Ok(Role::Revert),
        "verify" => Ok(Role::Verify),
        _ => Err(broken(8, format!("`{word}` is no role"))),
    }
}

/// A checked name.
fn name<T: TryFrom<String, Error = NameError>>(row: &Row, column: usize) -> rusqlite::Result<T> {
    T::try_from(row.get(column)?).map_err(|error| broken(column, error))
}

/// A checked name, or nothing where the column is NULL or empty.
fn optional<T: TryFrom<String, Error = NameError>>(row: &Row, column: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.filter(|text| !text.is_empty()).map(T::try_from).transpose().map_err(|error| broken(column, error))
}

/// A value that isn't what its column holds.
fn broken(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
