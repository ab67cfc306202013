//! What recording costs: intents and outcomes in the ledger, beside a bare loop that appends the same lines to a file with the same syncs.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Rounds, in_turn, time};
use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;
use tempfile::TempDir;
use wasmhook::ledger::sqlite::SqliteLedger;
use wasmhook::ledger::{Durability, Key, Ledger, Target};
use wasmhook::model::event::{Earlier, Event, Finished, Place, Role, RunHeader, SCHEMA, What};
use wasmhook::model::id::{AppName, Digest, EnvironmentName, HookId, RunId, StepName};
use wasmhook::model::outcome::{Outcome, Verdict};

const HOOKS: u64 = 100;
const TIMES: Rounds = Rounds { rounds: 11, ours: 1 };

pub fn rows() -> Vec<Row> {
    let bench = Journaled::new();
    let row = |what: &str, live: bool| {
        let pair = in_turn(TIMES, || bench.ours(live), || bench.bare(live));
        Row::pair(what, "bare loop", &pair, Goal::Ratio(1.1))
    };
    vec![row("record 100 hooks with live effects, one sync each", true), row("record 100 hooks without, one sync", false)]
}

/// Runs of 100 hooks that are only recorded.
pub struct Journaled {
    dir: TempDir,
    runs: Cell<u32>,
}

impl Journaled {
    pub fn new() -> Self {
        Self { dir: TempDir::new_in(guests::kept("tmp")).unwrap(), runs: Cell::new(0) }
    }

    /// A run's events, two for each hook.
    fn events(&self) -> Vec<(Event, Option<Key>)> {
        self.runs.set(self.runs.get() + 1);
        let run = RunId::new(format!("run-{}", self.runs.get())).unwrap();
        let event = |seq, what| Event { schema: SCHEMA, seq, at: jiff::Timestamp::now(), run: run.clone(), what };
        let header = RunHeader {
            app: target().app,
            environment: target().environment,
            profile: "default".to_owned(),
            tag: None,
            commit: None,
            previous_version: None,
            plan_digest: Digest::of(b""),
            dry_run: false,
            partial: false,
            audit: false,
            resumes: None,
            earlier: Earlier::default(),
            trigger: None,
        };
        let mut events = vec![(event(0, What::RunStarted { header: Box::new(header), steps: Vec::new() }), None)];
        for hook in 0..HOOKS {
            let id = HookId::new(format!("hook-{hook}")).unwrap();
            let phase = StepName::new("pre-deploy").unwrap();
            let place = Place { step: phase, hook: Some(id), service: None, instance: None, role: Role::Main };
            let key = Some(Key { release: run.to_string(), place: place.clone() });
            events.push((event(2 * hook + 1, What::Started { place: place.clone(), attempt: 1 }), key.clone()));
            let result = Box::new(Finished::of(Outcome::Succeeded, Verdict::Proceed));
            events.push((event(2 * hook + 2, What::Finished { place, result }), key));
        }
        events
    }

    pub fn ours(&self, live: bool) -> Duration {
        let mut ledger = SqliteLedger::open(&self.dir.path().join("state")).unwrap();
        let events = self.events();
        ledger.begin(&target(), "v1", "{}", &events[0].0).unwrap();
        let digest = Digest::of(b"hook");
        let all = || {
            for (event, key) in &events[1..] {
                let durability = if live && matches!(event.what, What::Started { .. }) { Durability::Now } else { Durability::Later };
                ledger.append(event, key.as_ref().map(|key| (key, &digest)), durability).unwrap();
            }
            ledger.flush().unwrap();
        };
        time(all).1
    }

    fn bare(&self, live: bool) -> Duration {
        let mut file = OpenOptions::new().append(true).create(true).open(self.dir.path().join("bare")).unwrap();
        let events = self.events();
        let all = || {
            for (event, _) in &events[1..] {
                let text = serde_json::to_string(event).unwrap() + "\n";
                file.write_all(text.as_bytes()).unwrap();
                if live && matches!(event.what, What::Started { .. }) {
                    file.sync_data().unwrap();
                }
            }
            file.sync_data().unwrap();
        };
        time(all).1
    }
}

fn target() -> Target {
    Target { app: AppName::new("bench").unwrap(), environment: EnvironmentName::new("bench").unwrap() }
}
