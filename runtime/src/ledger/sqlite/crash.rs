//! What is left when the engine is killed: this test runs itself as the engine, and kills it at moments that it can't know.

use super::SqliteLedger;
use crate::ledger::sample::{begin, event, finished, key, run_finished, run_id, started, target, warning};
use crate::ledger::{Durability, Ledger};
use crate::model::event::Status;
use crate::model::id::Digest;
use crate::model::outcome::Outcome;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const STATE: &str = "WASMHOOK_TEST_CRASH_STATE";
const RUN: &str = "WASMHOOK_TEST_CRASH_RUN";
/// Each so many events are one hook: an intent, its output, its outcome.
const HOOK: u64 = 6;

/// Appends for ever, and says of each durable event that it is.
#[test]
#[ignore = "the victim of `after_a_kill_everything_durable_is_there`, which starts it"]
fn victim() {
    let (Some(state), Ok(run)) = (std::env::var_os(STATE), std::env::var(RUN)) else { return };
    let mut ledger = SqliteLedger::open(Path::new(&state)).unwrap();
    begin(&mut ledger, &target("shop"), &run);
    let mut out = std::io::stdout();
    for seq in 1.. {
        let key = key(&format!("hook-{}", (seq - 1) / HOOK));
        let (what, durability) = match (seq - 1) % HOOK {
            0 => (started(&key), Durability::Now),
            5 => (finished(&key, Outcome::Succeeded), Durability::Now),
            _ => (warning("a line of output"), Durability::Later),
        };
        ledger.append(&event(&run, seq, what), Some((&key, &Digest::of(b"hook"))), durability).unwrap();
        if durability == Durability::Now {
            writeln!(out, "durable {seq}").unwrap();
        }
    }
}

/// Starts the victim, kills it after `life` in the middle of its work, and tells the last event it knew to be durable.
fn kill_one(state: &Path, run: &str, life: Duration) -> u64 {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "ledger::sqlite::crash::victim"])
        .env(STATE, state)
        .env(RUN, run)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let number = |line: String| line.split_once("durable ").map(|(_, number)| number.parse::<u64>().unwrap());
    let first = lines.by_ref().find_map(number).expect("it works");
    let reader = std::thread::spawn(move || lines.filter_map(number).last());
    std::thread::sleep(life);
    victim.kill().unwrap();
    victim.wait().unwrap();
    reader.join().unwrap().unwrap_or(first)
}

#[test]
fn after_a_kill_everything_durable_is_there() {
    let state = tempfile::tempdir().unwrap();
    for round in 0..8_u64 {
        let run = format!("r{round}");
        let durable = kill_one(state.path(), &run, Duration::from_micros(round * 7_919));

        let ledger = SqliteLedger::open(state.path()).unwrap();
        let events = ledger.events(&run_id(&run)).unwrap();
        assert!(events.iter().map(|event| event.seq).eq(0..events.len() as u64), "without gaps from 0");
        assert!(events.len() as u64 > durable, "event {durable} was durable; there are {}", events.len());

        let last = events.len() as u64 - 1;
        let died_in_a_hook = !last.is_multiple_of(HOOK);
        let unknown = ledger.memories(&target("shop"), "v1").unwrap().into_iter().filter(|(_, memory)| memory.outcome.is_none()).count();
        assert_eq!(unknown, usize::from(died_in_a_hook), "the last event is {last}");
        assert_eq!(ledger.unfinished(&target("shop")).unwrap().map(|run| run.run), Some(run_id(&run)));
        drop(ledger);
        settle(state.path(), &run, last + 1);
    }
}

/// What recovery does: the hook in flight becomes `unknown`, and the run is over.
fn settle(state: &Path, run: &str, next: u64) {
    let mut ledger = SqliteLedger::open(state).unwrap();
    let shop = target("shop");
    let open: Vec<_> = ledger.memories(&shop, "v1").unwrap().into_iter().filter(|(_, memory)| memory.outcome.is_none()).collect();
    let mut seq = next;
    for (key, memory) in open {
        ledger.append(&event(run, seq, finished(&key, Outcome::Unknown)), Some((&key, &memory.digest)), Durability::Later).unwrap();
        seq += 1;
    }
    ledger.append(&event(run, seq, run_finished(Status::Interrupted)), None, Durability::Now).unwrap();
    assert_eq!(ledger.unfinished(&shop).unwrap(), None);
}
