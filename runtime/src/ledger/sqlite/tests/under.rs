//! The power goes under SQLite: at each of its syncs, with nothing, all, and any part of what it had not synced by then.
//!
//! [`super::power`] takes it for granted that SQLite syncs what it should; here it is seen which of its writes are there. A write may be there in
//! some of its sectors. A file that was made is there for certain once it was synced, since SQLite syncs its directory with it, and so is what
//! was removed before; otherwise a removal is certain only where SQLite asked for that.

mod shim;

use super::super::{FILE, SqliteLedger, make};
use super::power::{Append, SECTOR, below, memory, perhaps_room, rounds, script, stories, story};
use crate::ledger::sample::{begin, target};
use proptest::test_runner::{RngAlgorithm, TestRng};
use shim::Op;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// States with a part of what wasn't synced, at each sync; more with `WASMHOOK_TEST_ROUNDS`.
const PARTS: u64 = 8;

/// One file: what is there for certain, and what was done since.
#[derive(Default)]
struct Content<'a> {
    durable: Option<Vec<u8>>,
    since: Vec<&'a Op>,
}

/// How much of what wasn't synced is there.
#[derive(Debug, Clone, Copy)]
enum Part {
    Nothing,
    All,
    Some,
}

impl Content<'_> {
    /// What is found after the power went; `None` if there is no such file.
    fn found(&self, part: Part, dice: &mut TestRng) -> Option<Vec<u8>> {
        let mut found = self.durable.clone();
        for op in &self.since {
            let is_there = match part {
                Part::Nothing => false,
                Part::All => true,
                Part::Some => below(dice, 4) > 0,
            };
            match op {
                // What came after a removal came to another file of that name.
                Op::Delete { .. } if !is_there => return found,
                Op::Delete { .. } => found = None,
                _ if is_there => done(op, found.get_or_insert_default(), matches!(part, Part::Some).then_some(&mut *dice)),
                _ => {}
            }
        }
        found
    }
}

/// Does what was done to a file; with dice, a write reaches some of its sectors only.
fn done(op: &Op, content: &mut Vec<u8>, mut torn: Option<&mut TestRng>) {
    match op {
        Op::Write { at, bytes, .. } => {
            content.resize(content.len().max(at + bytes.len()), 0);
            for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                if torn.as_mut().is_none_or(|dice| below(dice, 4) > 0) {
                    let at = at + number * SECTOR;
                    content[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
        Op::Cut { len, .. } => content.resize(*len, 0),
        Op::Sync { .. } | Op::Delete { .. } | Op::Begun(_) | Op::Durable(_) => {}
    }
}

/// The files at one moment, by their names.
#[derive(Default)]
struct Disk<'a>(BTreeMap<&'a str, Content<'a>>);

impl<'a> Disk<'a> {
    fn after(made: &[u8], ops: &'a [Op]) -> Self {
        let mut disk = Self(BTreeMap::from([(FILE, Content { durable: Some(made.to_vec()), since: Vec::new() })]));
        for op in ops {
            match op {
                Op::Write { file, .. } | Op::Cut { file, .. } | Op::Delete { file, durably: false } => {
                    disk.0.entry(file).or_default().since.push(op);
                }
                Op::Delete { file, durably: true } => drop(disk.0.remove(file.as_str())),
                Op::Sync { file } => {
                    if disk.0.get(file.as_str()).is_none_or(|content| content.durable.is_none()) {
                        disk.sync_names();
                    }
                    let content = disk.0.entry(file).or_default();
                    let all = content.found(Part::All, &mut TestRng::deterministic_rng(RngAlgorithm::XorShift));
                    *content = Content { durable: all, since: Vec::new() };
                }
                Op::Begun(_) | Op::Durable(_) => {}
            }
        }
        disk
    }

    /// The directory was synced, as SQLite does with the first sync of a file that it made: names that came and went since did so for good.
    fn sync_names(&mut self) {
        for content in self.0.values_mut() {
            if let Some(removed) = content.since.iter().rposition(|op| matches!(op, Op::Delete { .. })) {
                content.durable = None;
                content.since.drain(..=removed);
            }
            if !content.since.is_empty() {
                content.durable.get_or_insert_default();
            }
        }
    }

    /// What a ledger tells that is opened on what is found; it has to go on from there, too.
    fn story(&self, part: Part, dice: &mut TestRng) -> Result<String, String> {
        let state = tempfile::tempdir_in(memory()).unwrap();
        for (name, content) in &self.0 {
            if let Some(mut found) = content.found(part, dice) {
                // The engine's own zeros, which SQLite knows nothing of.
                if name.ends_with("-wal") {
                    perhaps_room(&mut found, dice);
                }
                fs::write(state.path().join(name), found).unwrap();
            }
        }
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(state.path(), private).unwrap();
        let told = std::panic::catch_unwind(|| {
            let mut ledger = SqliteLedger::open(state.path()).unwrap();
            let told = story(&ledger);
            begin(&mut ledger, &target("shop"), "next");
            told
        });
        told.map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
    }
}

/// A life of a ledger, as SQLite brings it to the disk: made, filled, its log copied in the middle, and closed.
fn life(script: &[Append]) -> (Vec<u8>, Vec<Op>) {
    let state = tempfile::tempdir_in(memory()).unwrap();
    let path = state.path().join(FILE);
    make::make(state.path(), &path).unwrap();
    let made = fs::read(&path).unwrap();
    drop(shim::noted());
    let mut ledger = SqliteLedger::open(state.path()).unwrap();
    for (number, append) in script.iter().enumerate() {
        shim::note(Op::Begun(number + 1));
        append.to(&mut ledger);
        if append.is_durable() {
            shim::note(Op::Durable(number + 1));
        }
        if number == script.len() / 2 {
            let copied = |row: &rusqlite::Row<'_>| row.get::<_, i64>(2);
            assert!(ledger.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], copied).unwrap() > 0);
        }
    }
    drop(ledger);
    shim::note(Op::Durable(script.len()));
    (made, shim::noted())
}

/// How many states were tried, and what was wrong with some.
fn lose_power(made: &[u8], ops: &[Op], stories: &[String]) -> (u64, Vec<String>) {
    let mut dice = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let (mut tried, mut wrong) = (0, Vec::new());
    let (mut begun, mut durable) = (0, 0);
    for (moment, op) in ops.iter().enumerate() {
        match op {
            Op::Begun(number) => begun = *number,
            Op::Durable(number) => durable = *number,
            Op::Sync { .. } | Op::Delete { .. } => {}
            Op::Write { .. } | Op::Cut { .. } => continue,
        }
        let disk = Disk::after(made, &ops[..=moment]);
        let before = Disk::after(made, &ops[..moment]);
        let parts = std::iter::repeat_n(Part::Some, usize::try_from(PARTS * rounds()).unwrap());
        for part in [Part::Nothing, Part::All].into_iter().chain(parts) {
            let found = if matches!(op, Op::Sync { .. }) { &before } else { &disk };
            tried += 1;
            match found.story(part, &mut dice) {
                Ok(told) if stories[durable..=begun].contains(&told) => {}
                other => wrong.push(format!("at {moment} of {}, {part:?}, {durable} durable of {begun}: {other:?}", ops.len())),
            }
        }
    }
    (tried, wrong)
}

#[test]
fn whenever_the_power_goes_under_sqlite_all_that_was_durable_is_there() {
    // In a process of its own: what is watched is the default for every other test.
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "ledger::sqlite::tests::under::watched"])
        .output()
        .unwrap();
    let out = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && out.contains("1 passed"), "{out}");
    println!("{out}");
}

#[test]
#[ignore = "started by `whenever_the_power_goes_under_sqlite_all_that_was_durable_is_there`"]
fn watched() {
    shim::watch();
    let script = script();
    let stories = stories(&script);
    let (made, ops) = life(&script);
    let syncs = ops.iter().filter(|op| matches!(op, Op::Sync { .. })).count();
    let (tried, wrong) = lose_power(&made, &ops, &stories);
    println!("ledger, under SQLite: {syncs} syncs, power-loss states tried: {tried}, found wrong: {}", wrong.len());
    assert!(wrong.is_empty(), "{} of {tried}, the first: {}", wrong.len(), wrong[0]);
    assert!(tried > 300 && syncs > 10, "only {tried} at {syncs} syncs");

    // Syncs that do nothing would be found out.
    let unsynced: Vec<Op> = ops.into_iter().filter(|op| !matches!(op, Op::Sync { .. })).collect();
    let (_, wrong) = lose_power(&made, &unsynced, &stories);
    assert!(wrong.len() > 20, "only {}", wrong.len());
}
