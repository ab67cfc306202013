//! The tables, and how a file is told to be ours. An operator reads them with `sqlite3`: names and words, no codes.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// `WHkl` in ASCII, in the header of every ledger.
pub(super) const APPLICATION_ID: i32 = 0x5748_6B6C;

/// The version of the tables below.
pub(super) const VERSION: i64 = 1;

/// What is empty is `''`, never NULL, where it is part of a key: NULL is different from NULL.
const TABLES: &str = "
CREATE TABLE runs (
    number      INTEGER PRIMARY KEY,                    -- in the order of their starts
    run         TEXT NOT NULL UNIQUE,
    app         TEXT NOT NULL,
    environment TEXT NOT NULL,
    release     TEXT NOT NULL,
    tag         TEXT,
    commit_id   TEXT,
    dry_run     INTEGER NOT NULL,
    partial     INTEGER NOT NULL,                       -- only some of its hooks or phases were selected
    started     TEXT NOT NULL,
    finished    TEXT,
    status      TEXT                                    -- NULL: running, or died
) STRICT;
CREATE INDEX runs_of_target ON runs (app, environment, number);

CREATE TABLE plans (                                    -- apart: a plan may be megabytes, and is rarely looked at
    number      INTEGER PRIMARY KEY REFERENCES runs (number),
    plan        TEXT NOT NULL                           -- JSON
) STRICT;

CREATE TABLE journal (                                  -- what was written at once
    id          INTEGER PRIMARY KEY,                    -- the run's number * 2^32 + the position of the first event
    events      INTEGER NOT NULL,                       -- how many they are
    lines       TEXT NOT NULL                           -- each as JSON on a line of its own
) STRICT;

CREATE VIEW events AS                                   -- for people
SELECT runs.run, value ->> '$.seq' AS seq, value ->> '$.at' AS at, value ->> '$.what.event' AS event, value AS line
FROM runs JOIN journal ON journal.id BETWEEN runs.number << 32 AND (runs.number + 1 << 32) - 1, json_each('[' || replace(journal.lines, char(10), ',') || ']');

CREATE TABLE executions (
    app         TEXT NOT NULL,
    environment TEXT NOT NULL,
    release     TEXT NOT NULL,
    service     TEXT NOT NULL,
    instance    TEXT NOT NULL,
    step        TEXT NOT NULL,                          -- the phase, or the host step itself
    hook        TEXT NOT NULL,                          -- '' for a host step
    role        TEXT NOT NULL,                          -- main, revert
    outcome     TEXT,                                   -- JSON; NULL: running, or nobody knows
    digest      TEXT NOT NULL,
    run         TEXT NOT NULL,                          -- of the last attempt
    attempts    INTEGER NOT NULL,
    PRIMARY KEY (app, environment, release, service, instance, step, hook, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX open_executions ON executions (app, environment)
    WHERE outcome IS NULL OR json_extract(outcome, '$.outcome') = 'unknown';

CREATE TABLE tags (
    app         TEXT NOT NULL,
    environment TEXT NOT NULL,
    tag         TEXT NOT NULL,
    commit_id   TEXT NOT NULL,
    PRIMARY KEY (app, environment, tag)
) STRICT;
";

/// Where the events of a run stand in the journal whose first has the position `seq`; `None` if there is no room for them.
pub(super) fn journal_id(number: i64, seq: u64) -> Option<i64> {
    let seq = u32::try_from(seq).ok()?;
    number.checked_mul(1 << 32)?.checked_add(i64::from(seq))
}

/// What a database file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Empty,
    /// A ledger of this version of the tables.
    Ours(i64),
    /// Somebody else's database.
    Foreign(i64),
}

/// Looks at a file without changing it.
pub(super) fn inspect(connection: &Connection) -> rusqlite::Result<Found> {
    let pages: i64 = pragma(connection, "page_count")?;
    if pages == 0 {
        return Ok(Found::Empty);
    }
    let application: i64 = pragma(connection, "application_id")?;
    if application != i64::from(APPLICATION_ID) {
        return Ok(Found::Foreign(application));
    }
    pragma(connection, "user_version").map(Found::Ours)
}

/// Makes a ledger of an empty file.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
