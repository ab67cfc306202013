//! A ledger that lives as long as its value: for tests, and for embedders that keep their own records.

use super::journal::{self, Cursor};
use super::{Durability, Key, Ledger, LedgerError, Memory, Refusal, RunRecord, Target, recall};
use crate::model::event::{Event, Status};
use crate::model::id::{Commit, Digest, RunId, Tag};
use crate::model::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet};

/// A ledger in memory. Nothing in it is durable, whatever was asked for.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger {
    /// In the order of their starts.
    runs: Vec<Run>,
    executions: BTreeMap<(Target, Key), Memory>,
    tags: BTreeMap<(Target, Tag), Commit>,
}

#[derive(Debug, Clone)]
struct Run {
    target: Target,
    record: RunRecord,
    cursor: Cursor,
    plan: String,
    events: Vec<Event>,
}

impl MemoryLedger {
    /// A ledger without any run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn run(&self, run: &RunId) -> Result<&Run, LedgerError> {
        let found = self.runs.iter().find(|known| known.record.run == *run);
        found.ok_or_else(|| LedgerError::NoSuchRun { run: run.clone() })
    }

    /// The runs of a target, newest first.
    fn of<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = &'a RunRecord> {
        self.runs.iter().rev().filter(move |run| run.target == *target).map(|run| &run.record)
    }
}

impl Ledger for MemoryLedger {
    fn begin(&mut self, target: &Target, release: &str, plan: &str, started: &Event) -> Result<(), LedgerError> {
        let (cursor, header) = Cursor::start(target, started)?;
        if self.runs.iter().any(|run| run.record.run == started.run) {
            return Err(journal::refused(started, Refusal::Known));
        }
        if let (Some(tag), Some(commit), false) = (&header.tag, &header.commit, header.dry_run) {
            self.tags.insert((target.clone(), tag.clone()), commit.clone());
        }
        let record = RunRecord {
            run: started.run.clone(),
            release: release.to_owned(),
            tag: header.tag.clone(),
            commit: header.commit.clone(),
            started: started.at,
            status: None,
            dry_run: header.dry_run,
            partial: header.partial,
        };
        self.runs.push(Run { target: target.clone(), record, cursor, plan: plan.to_owned(), events: vec![started.clone()] });
        Ok(())
    }

    fn append(&mut self, event: &Event, key: Option<(&Key, &Digest)>, _: Durability) -> Result<(), LedgerError> {
        let run = self.runs.iter_mut().rev().find(|run| run.record.run == event.run);
        let run = run.ok_or_else(|| LedgerError::NoSuchRun { run: event.run.clone() })?;
        run.cursor = run.cursor.after(event)?;
        run.events.push(event.clone());
        if let Some(status) = journal::ends_as(&event.what) {
            run.record.status = Some(status);
        }
        if let Some((key, digest)) = key.filter(|_| !run.cursor.dry_run) {
            let execution = (run.target.clone(), key.clone());
            if let Some(after) = recall::after(self.executions.get(&execution), event, digest) {
                self.executions.insert(execution, after);
            }
            let undone = recall::taken_back(event, key).and_then(|key| self.executions.get_mut(&(run.target.clone(), key)));
            if let Some(memory) = undone {
                *memory = recall::without(memory);
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn memories(&self, target: &Target, release: &str) -> Result<Vec<(Key, Memory)>, LedgerError> {
        let of_release = self.executions.iter().filter(|((whose, key), _)| whose == target && key.release == release);
        Ok(of_release.map(|((_, key), memory)| (key.clone(), memory.clone())).collect())
    }

    fn unresolved(&self, target: &Target) -> Result<Vec<(Key, Memory)>, LedgerError> {
        let age = |run: &RunId| self.runs.iter().position(|known| known.record.run == *run);
        let of_target: Vec<(&Key, &Memory)> =
            self.executions.iter().filter(|((whose, _), _)| whose == target).map(|((_, key), memory)| (key, memory)).collect();
        let newest = |key: &Key, memory: &Memory| {
            of_target.iter().all(|(other, theirs)| other.place != key.place || age(&theirs.run) <= age(&memory.run))
        };
        let open = of_target.iter().filter(|(_, memory)| memory.outcome.as_ref().is_none_or(|outcome| *outcome == Outcome::Unknown));
        Ok(open.filter(|(key, memory)| newest(key, memory)).map(|(key, memory)| ((*key).clone(), (*memory).clone())).collect())
    }

    fn runs(&self, target: &Target, limit: usize) -> Result<Vec<RunRecord>, LedgerError> {
        Ok(self.of(target).take(limit).cloned().collect())
    }

    fn unfinished(&self, target: &Target) -> Result<Option<RunRecord>, LedgerError> {
        Ok(self.of(target).find(|run| run.status.is_none() && !run.dry_run).cloned())
    }

    fn last_success(&self, target: &Target) -> Result<Option<RunRecord>, LedgerError> {
        Ok(self.of(target).find(|run| run.status == Some(Status::Success) && !run.dry_run && !run.partial).cloned())
    }

    fn targets(&self) -> Result<Vec<Target>, LedgerError> {
        Ok(self.runs.iter().map(|run| run.target.clone()).collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn plan(&self, run: &RunId) -> Result<String, LedgerError> {
        self.run(run).map(|run| run.plan.clone())
    }

    fn events(&self, run: &RunId) -> Result<Vec<Event>, LedgerError> {
        self.run(run).map(|run| run.events.clone())
    }

    fn last_event(&self, run: &RunId) -> Result<Event, LedgerError> {
        self.run(run)?.events.last().cloned().ok_or_else(|| LedgerError::NoSuchRun { run: run.clone() })
    }

    fn commit_of_tag(&self, target: &Target, tag: &Tag) -> Result<Option<Commit>, LedgerError> {
        Ok(self.tags.get(&(target.clone(), tag.clone())).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_a_new_one(expectation: fn(&mut dyn Ledger)) {
        expectation(&mut MemoryLedger::new());
    }

    crate::ledger::suite::expectations!(with_a_new_one);
}
