//! What the file tells after the power went: of each moment, every way in which what wasn't synced yet may be missing or torn.
//!
//! SQLite syncs its log before a durable append returns, and the database before it lets go of a log that it has copied there. So what was on
//! the disk by then is there; of what was written since, any part may be missing. What is found has to be what a ledger in memory tells of
//! some number of appends: no fewer than were durable, and no more than there were. Behind the log there may be room (zeros), or not.

use super::super::{FILE, SqliteLedger};
use crate::ledger::memory::MemoryLedger;
use crate::ledger::sample::{begin, event, finished, header, key, run_finished, run_id, run_started, started, target, warning};
use crate::ledger::{Durability, Key, Ledger};
use crate::model::event::{Event, Status, What};
use crate::model::id::Digest;
use crate::model::outcome::{Cause, Outcome};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use std::fs;
use std::path::Path;

/// In bytes: what a disk writes whole, and what SQLite reads whole.
pub(super) const SECTOR: usize = 512;
const PAGE: usize = 4096;
/// Before the pages of a log, and with each of them.
const LOG_HEADER: usize = 32;
const FRAME: usize = PAGE + 24;
/// Torn states of each moment; more with `WASMHOOK_TEST_ROUNDS`.
const TORN: u64 = 4;

pub(super) fn rounds() -> u64 {
    std::env::var("WASMHOOK_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

/// A number below `most`.
pub(super) fn below(dice: &mut TestRng, most: usize) -> usize {
    usize::try_from(dice.next_u32()).unwrap() % most.max(1)
}

/// The files of a ledger at one moment.
#[derive(Clone, Default)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Files {
    fn of(state: &Path) -> Self {
        let read = |name: String| fs::read(state.join(name)).unwrap_or_default();
        Self { database: read(FILE.to_owned()), log: without_room(read(format!("{FILE}-wal"))) }
    }

    /// What a ledger tells that is opened on them. It has to go on from there, too.
    fn story(&self) -> String {
        let state = tempfile::tempdir_in(memory()).unwrap();
        fs::write(state.path().join(FILE), &self.database).unwrap();
        if !self.log.is_empty() {
            fs::write(state.path().join(format!("{FILE}-wal")), &self.log).unwrap();
        }
        let mut ledger = SqliteLedger::open(state.path()).unwrap();
        let told = story(&ledger);
        begin(&mut ledger, &target("shop"), "next");
        told
    }
}

/// The log as far as it was written to.
fn without_room(mut log: Vec<u8>) -> Vec<u8> {
    let frames = log.get(LOG_HEADER..).unwrap_or_default().chunks(FRAME);
    let written = frames.take_while(|frame| frame.iter().take(FRAME - PAGE).any(|byte| *byte != 0)).map(<[u8]>::len).sum::<usize>();
    log.truncate(LOG_HEADER + written);
    log
}

/// Puts room behind a log, or doesn't.
pub(super) fn perhaps_room(log: &mut Vec<u8>, dice: &mut TestRng) {
    let room = below(dice, 3) * (FRAME + SECTOR);
    log.resize(log.len() + room, 0);
}

/// In memory, where there is a file system for that: the disk isn't what is tested.
pub(super) fn memory() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new("/tmp") }
}

pub(super) fn story(ledger: &dyn Ledger) -> String {
    let shop = target("shop");
    let runs = ledger.runs(&shop, 100).unwrap();
    let events: Vec<_> = runs.iter().map(|run| ledger.events(&run.run).unwrap()).collect();
    let told = (ledger.memories(&shop, "v1").unwrap(), ledger.unresolved(&shop).unwrap(), ledger.unfinished(&shop).unwrap());
    format!("{:#?}", (runs, events, told, ledger.last_success(&shop).unwrap()))
}

/// What is appended one after the other.
pub(super) enum Append {
    Begin(&'static str),
    Event(Box<Event>, Option<Key>, Durability),
}

impl Append {
    pub(super) fn to(&self, ledger: &mut dyn Ledger) {
        match self {
            Self::Begin(run) => ledger.begin(&target("shop"), "v1", "{}", &run_started(run, header(&target("shop")))).unwrap(),
            Self::Event(event, key, durability) => {
                let digest = Digest::of(b"hook");
                ledger.append(event, key.as_ref().map(|key| (key, &digest)), *durability).unwrap();
                if matches!(event.what, What::Finished { .. }) {
                    ledger.write().unwrap();
                }
            }
        }
    }

    pub(super) fn is_durable(&self) -> bool {
        matches!(self, Self::Begin(_) | Self::Event(_, _, Durability::Now))
    }
}

/// Two runs of live and of staged hooks; the second one dies.
pub(super) fn script() -> Vec<Append> {
    let mut script = Vec::new();
    for run in ["r1", "r2"] {
        script.push(Append::Begin(run));
        let mut seq = 0;
        let mut add = |what, key: Option<&Key>, durability| {
            seq += 1;
            script.push(Append::Event(Box::new(event(run, seq, what)), key.cloned(), durability));
        };
        for hook in 0..4 {
            let key = key(&format!("{run}-{hook}"));
            let intent = if hook % 2 == 0 { Durability::Now } else { Durability::Later };
            add(started(&key), Some(&key), intent);
            add(warning(&"a line of output ".repeat(100)), None, Durability::Later);
            let outcome = if hook == 2 { Outcome::Failed { cause: Cause::Exit { code: 3 } } } else { Outcome::Succeeded };
            add(finished(&key, outcome), Some(&key), Durability::Later);
        }
        if run == "r1" {
            add(run_finished(Status::Success), None, Durability::Now);
        }
    }
    script
}

/// What a ledger in memory tells before the first append, and after each.
pub(super) fn stories(script: &[Append]) -> Vec<String> {
    let mut ledger = MemoryLedger::new();
    let mut stories = vec![story(&ledger)];
    for append in script {
        append.to(&mut ledger);
        stories.push(story(&ledger));
    }
    stories
}

/// The log with what follows its first `durable` bytes cut off somewhere, or torn.
fn logs(log: &[u8], durable: usize, dice: &mut TestRng) -> Vec<Vec<u8>> {
    let tail = log.len() - durable;
    let mut cuts = vec![durable, log.len()];
    if tail > 0 {
        cuts.extend([durable + 1, durable + tail / 2, log.len() - 1]);
        cuts.extend((0..TORN * rounds()).map(|_| durable + below(dice, tail)));
    }
    cuts.dedup();
    let mut logs: Vec<Vec<u8>> = cuts.into_iter().map(|cut| log[..cut].to_vec()).collect();
    for _ in 0..if tail > 0 { TORN * rounds() } else { 0 } {
        let mut torn = log.to_vec();
        for sector in torn[durable..].chunks_mut(SECTOR) {
            if below(dice, 2) == 0 {
                sector.fill(0);
            }
        }
        logs.push(torn);
    }
    for log in &mut logs {
        perhaps_room(log, dice);
    }
    logs
}

/// Pages of `old`, some of which are as in `new`.
fn mixed(old: &[u8], new: &[u8], size: usize, dice: &mut TestRng) -> Vec<u8> {
    let mut mixed = new.to_vec();
    for (number, page) in mixed.chunks_mut(size).enumerate() {
        if below(dice, 2) == 0 {
            let before = old.get(number * size..).unwrap_or_default();
            let there = before.len().min(page.len());
            page.fill(0);
            page[..there].copy_from_slice(&before[..there]);
        }
    }
    mixed
}

#[test]
fn whenever_the_power_goes_the_file_tells_of_all_that_was_durable_and_of_nothing_that_was_not() {
    let mut dice = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let script = script();
    let stories = stories(&script);
    let state = tempfile::tempdir_in(memory()).unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    // How many appends were durable, and the files by then.
    let mut durable = (0, Files::of(state.path()));
    let mut tried = 0;
    for (number, append) in script.iter().enumerate() {
        append.to(&mut ledger);
        let now = Files::of(state.path());
        assert_eq!(now.database, durable.1.database, "the log is too short to be copied");
        assert!(now.log.starts_with(&durable.1.log), "what is durable isn't written again");
        let possible = &stories[durable.0..=number + 1];
        for log in logs(&now.log, durable.1.log.len(), &mut dice) {
            let told = Files { log, ..now.clone() }.story();
            tried += 1;
            assert!(possible.contains(&told), "after {} appends, {} of them durable: {told}", number + 1, durable.0);
        }
        if append.is_durable() {
            durable = (number + 1, now);
        }
    }
    println!("ledger: power-loss states tried: {tried}, found wrong: 0");
    assert!(tried > 150, "only {tried}");
}

#[test]
fn whenever_the_power_goes_while_the_log_is_copied_or_begun_anew_the_file_tells_the_same() {
    let mut dice = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let script = script();
    let state = tempfile::tempdir_in(memory()).unwrap();
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    for append in &script {
        append.to(&mut ledger);
    }
    ledger.flush().unwrap();
    let all = stories(&script).pop().unwrap();
    let before = Files::of(state.path());
    let copied: i64 = rusqlite::Connection::open(state.path().join(FILE))
        .and_then(|other| other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2)))
        .unwrap();
    assert!(copied > 5, "{copied} pages are copied");
    let after = Files::of(state.path());
    assert_ne!(after.database, before.database);
    let mut tried = 0;
    for _ in 0..20 * rounds() {
        let half = Files { database: mixed(&before.database, &after.database, PAGE, &mut dice), ..before.clone() };
        assert_eq!(half.story(), all, "copied in part");
        tried += 1;
    }

    // The next append writes over the old log.
    let last = Append::Event(Box::new(event("r2", 13, run_finished(Status::Interrupted))), None, Durability::Now);
    last.to(&mut ledger);
    let anew = Files::of(state.path());
    assert_eq!(anew.database, after.database);
    assert_ne!(anew.log, after.log);
    let ended = anew.story();
    assert_ne!(ended, all);
    for _ in 0..20 * rounds() {
        let told = Files { log: mixed(&after.log, &anew.log, SECTOR, &mut dice), ..anew.clone() }.story();
        assert!(told == all || told == ended, "begun anew in part: {told}");
        tried += 1;
    }

    // An orderly end copies the log and removes it; the removal may be lost.
    drop(ledger);
    let closed = Files::of(state.path());
    assert!(closed.log.is_empty());
    assert_eq!(closed.story(), ended);
    assert_eq!(Files { log: anew.log, ..closed }.story(), ended, "the log is back");
    let run = run_id("r2");
    assert_eq!(SqliteLedger::open(state.path()).unwrap().events(&run).unwrap().len(), 14);
    println!("ledger, copying its log: power-loss states tried: {}, found wrong: 0", tried + 2);
}
