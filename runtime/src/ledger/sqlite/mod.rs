//! The embedded ledger: one SQLite file, which an operator can read with `sqlite3`.
//!
//! A write transaction never stays open between two calls, so neither a reader nor the run of another target waits for a hook. Events that
//! need not be durable yet wait in memory and go along with the next that does, or when they are many, large or old.

mod file;
mod make;
mod pending;
mod read;
mod room;
mod schema;
mod write;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod tests;

pub(super) use file::FILE;

use super::journal::{self, Cursor};
use super::{Durability, Key, Ledger, LedgerError, Memory, Refusal, RunRecord, Target};
use crate::model::event::Event;
use crate::model::id::{Commit, Digest, RunId, Tag};
use pending::{Entry, Pending};
use read::{Chunk, Known};
use room::Room;
use rusqlite::Connection;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A ledger in the file `ledger.sqlite3` of a state directory.
pub struct SqliteLedger {
    path: String,
    connection: Connection,
    /// Read through too: whoever reads sees what was appended.
    pending: RefCell<Pending>,
    /// The runs that were begun or continued here.
    open: HashMap<RunId, Known>,
    /// What the connection is set to.
    sync: Cell<Sync>,
    room: RefCell<Room>,
    point: Option<Point>,
}

/// Called before and after each transaction that writes; an error is a fault of the disk there. For tests that let a run die at each of them.
pub type Point = Arc<dyn Fn() -> io::Result<()> + Send + std::marker::Sync>;

/// When a transaction is synced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    /// Before it returns: it survives power loss.
    Full,
    /// With a later one: it survives the death of this process.
    Later,
}

impl Sync {
    /// The value of SQLite's `synchronous`.
    const fn word(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Later => "NORMAL",
        }
    }
}

impl SqliteLedger {
    /// Opens the ledger of a state directory, creating both if they are missing. The directory is made private to the user (mode 0700).
    ///
    /// # Errors
    /// [`LedgerError::StateDir`] if the directory isn't ours or can't be made, [`LedgerError::Io`] if the file can't be written,
    /// [`LedgerError::NotALedger`] and [`LedgerError::Newer`] for files that are left untouched, [`LedgerError::Database`] for the rest.
    pub fn open(state_dir: &Path) -> Result<Self, LedgerError> {
        let (path, connection) = file::open(state_dir)?;
        Ok(Self::on(path, connection))
    }

    /// Opens the ledger of a state directory for reading only, `None` if there is none yet. Nothing is created.
    ///
    /// Whatever would write fails with [`LedgerError::Database`].
    ///
    /// # Errors
    /// As [`SqliteLedger::open`], but for the directory, which may be anybody's.
    pub fn open_readonly(state_dir: &Path) -> Result<Option<Self>, LedgerError> {
        Ok(file::open_readonly(state_dir)?.map(|(path, connection)| Self::on(path, connection)))
    }

    fn on(path: String, connection: Connection) -> Self {
        Self {
            path,
            connection,
            pending: RefCell::default(),
            open: HashMap::new(),
            sync: Cell::new(Sync::Full),
            room: RefCell::default(),
            point: None,
        }
    }

    /// The same, with `point` before and after each write.
    #[must_use]
    pub fn with_points(mut self, point: Point) -> Self {
        self.point = Some(point);
        self
    }

    fn point(&self) -> Result<(), LedgerError> {
        let passed = self.point.as_ref().map_or(Ok(()), |point| point());
        passed.map_err(|source| LedgerError::Io { doing: "write to the ledger", path: self.path.clone(), source })
    }

    /// Adds what was being done to an error of SQLite.
    fn failed(&self, doing: &'static str) -> impl FnOnce(rusqlite::Error) -> LedgerError {
        let path = self.path.clone();
        move |source| LedgerError::of_sqlite(path, doing, source)
    }

    /// Runs `work` in one transaction, synced when this returns. What was pending goes along, first.
    fn commit<T>(&self, doing: &'static str, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LedgerError> {
        self.transact(doing, Sync::Full, work)
    }

    /// As [`Self::commit`], but synced only if `sync` says so.
    fn transact<T>(
        &self,
        doing: &'static str,
        sync: Sync,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.point()?;
        let mut pending = self.pending.borrow_mut();
        let written = self.set(sync).and_then(|()| {
            write::atomically(&self.connection, |connection| {
                self.keep_room(sync);
                write::entries(connection, pending.entries())?;
                work(connection)
            })
        });
        let value = written.map_err(self.failed(doing))?;
        pending.clear();
        self.point()?;
        Ok(value)
    }

    /// Within a transaction that is synced: its sync costs less where the log needn't grow.
    fn keep_room(&self, sync: Sync) {
        if sync == Sync::Full
            && let Err(error) = self.room.borrow_mut().keep(Path::new(&self.path))
        {
            tracing::debug!(%error, "the ledger's log gets no room ahead");
        }
    }

    fn set(&self, sync: Sync) -> rusqlite::Result<()> {
        if self.sync.get() != sync {
            self.connection.pragma_update(None, "synchronous", sync.word())?;
            self.sync.set(sync);
        }
        Ok(())
    }

    fn write_pending(&self, sync: Sync) -> Result<(), LedgerError> {
        // What was written without a sync is synced by the next commit that is: it has one event at least.
        if self.pending.borrow().is_empty() {
            return Ok(());
        }
        self.transact("recording events", sync, |_| Ok(())).map_err(|error| self.taken_away(error))
    }

    /// Two lines for one position of a journal are two engines at one run.
    fn taken_away(&self, error: LedgerError) -> LedgerError {
        let twice = |source: &rusqlite::Error| {
            source.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) && source.to_string().contains("journal.id")
        };
        match (error, self.pending.borrow().entries().first()) {
            (LedgerError::Database { source, .. }, Some(first)) if twice(&source) => journal::refused(&first.event, Refusal::TakenAway),
            (error, _) => error,
        }
    }

    /// A run that events may follow: remembered, or read for a run of a dead engine.
    fn known(&self, run: &RunId) -> Result<Known, LedgerError> {
        if let Some(known) = self.open.get(run) {
            return Ok(known.clone());
        }
        let found = read::known(&self.connection, run).map_err(self.failed("looking for a run"))?;
        found.ok_or_else(|| LedgerError::NoSuchRun { run: run.clone() })
    }

    fn number(&self, run: &RunId) -> Result<i64, LedgerError> {
        let found = self.read("looking for a run", |connection| read::number(connection, run))?;
        found.ok_or_else(|| LedgerError::NoSuchRun { run: run.clone() })
    }

    /// Reads with everything that was appended in sight.
    fn read<T>(&self, doing: &'static str, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LedgerError> {
        self.write_pending(Sync::Later)?;
        work(&self.connection).map_err(self.failed(doing))
    }
}

impl Ledger for SqliteLedger {
    fn begin(&mut self, target: &Target, release: &str, plan: &str, started: &Event) -> Result<(), LedgerError> {
        let (cursor, header) = Cursor::start(target, started)?;
        let line = pending::line(started)?;
        let run = write::NewRun { target, release, plan, started, line: &line, header };
        let number = self.commit("recording the start of a run", |connection| write::run(connection, &run))?;
        let Some(number) = number else { return Err(journal::refused(started, Refusal::Known)) };
        self.open.insert(started.run.clone(), Known { target: target.clone(), number, cursor });
        Ok(())
    }

    fn append(&mut self, event: &Event, key: Option<(&Key, &Digest)>, durability: Durability) -> Result<(), LedgerError> {
        let Known { target, number, cursor } = self.known(&event.run)?;
        let after = cursor.after(event)?;
        let entry = Entry::new(&target, number, event, key.filter(|_| !cursor.dry_run))?;
        let full = self.pending.get_mut().push(entry);
        let sync = if durability == Durability::Now || (after.is_over() && !cursor.is_over()) { Sync::Full } else { Sync::Later };
        if let Err(error) = if full || sync == Sync::Full { self.write_pending(sync) } else { Ok(()) } {
            self.pending.get_mut().pop();
            return Err(error);
        }
        self.open.insert(event.run.clone(), Known { target, number, cursor: after });
        Ok(())
    }

    fn write(&mut self) -> Result<(), LedgerError> {
        self.write_pending(Sync::Later)
    }

    fn flush(&mut self) -> Result<(), LedgerError> {
        self.transact("syncing", Sync::Full, |_| Ok(()))
    }

    fn memories(&self, target: &Target, release: &str) -> Result<Vec<(Key, Memory)>, LedgerError> {
        self.read("reading what was done", |connection| read::memories(connection, target, release))
    }

    fn unresolved(&self, target: &Target) -> Result<Vec<(Key, Memory)>, LedgerError> {
        self.read("looking for what a crash left open", |connection| read::unresolved(connection, target))
    }

    fn runs(&self, target: &Target, limit: usize) -> Result<Vec<RunRecord>, LedgerError> {
        self.read("listing runs", |connection| read::runs(connection, target, read::Which::Any, limit))
    }

    fn unfinished(&self, target: &Target) -> Result<Option<RunRecord>, LedgerError> {
        let found = self.read("looking for a dead run", |connection| read::runs(connection, target, read::Which::Unfinished, 1))?;
        Ok(found.into_iter().next())
    }

    fn last_success(&self, target: &Target) -> Result<Option<RunRecord>, LedgerError> {
        let found = self.read("looking for the last success", |connection| read::runs(connection, target, read::Which::Succeeded, 1))?;
        Ok(found.into_iter().next())
    }

    fn targets(&self) -> Result<Vec<Target>, LedgerError> {
        self.read("listing targets", read::targets)
    }

    fn plan(&self, run: &RunId) -> Result<String, LedgerError> {
        let number = self.number(run)?;
        self.read("reading a plan", |connection| read::plan(connection, number))
    }

    fn events(&self, run: &RunId) -> Result<Vec<Event>, LedgerError> {
        let number = self.number(run)?;
        let chunks = self.read("reading a journal", |connection| read::chunks(connection, number))?;
        chunks.iter().flat_map(Chunk::lines).map(|(seq, line)| pending::parse(run, seq, line)).collect()
    }

    fn last_event(&self, run: &RunId) -> Result<Event, LedgerError> {
        let number = self.number(run)?;
        let chunk = self.read("reading the end of a journal", |connection| read::last_chunk(connection, number))?;
        let last = chunk.as_ref().and_then(|chunk| chunk.lines().last());
        last.map_or_else(|| Err(LedgerError::NoSuchRun { run: run.clone() }), |(seq, line)| pending::parse(run, seq, line))
    }

    fn commit_of_tag(&self, target: &Target, tag: &Tag) -> Result<Option<Commit>, LedgerError> {
        self.read("looking for a tag", |connection| read::commit_of_tag(connection, target, tag))
    }
}

impl Drop for SqliteLedger {
    /// An orderly end loses nothing.
    fn drop(&mut self) {
        if let Err(error) = self.write_pending(Sync::Full) {
            tracing::warn!(%error, "events were lost at the end of a ledger");
        }
    }
}
