//! A plan of 1,000 hooks, from the manifest to the report, each recorded in the ledger; and a shell that starts 1,000 scripts.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Rounds, in_turn, time};
use std::cell::Cell;
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use wasmhook::model::event::Status;
use wasmhook::model::id::{EnvironmentName, Tag};
use wasmhook::{Engine, Request, Stop};

const HOOKS: usize = 1_000;
const TIMES: Rounds = Rounds { rounds: 5, ours: 1 };

pub fn rows() -> Vec<Row> {
    let hooks = ManyHooks::new();
    std::fs::write(hooks.site.path().join("noop.sh"), "").unwrap();
    let shell_loop = format!("i=0; while [ $i -lt {HOOKS} ]; do /bin/bash {}/noop.sh; i=$((i+1)); done", hooks.site.path().display());
    let theirs = || time(|| assert!(Command::new("/bin/sh").args(["-c", &shell_loop]).status().unwrap().success())).1;
    let pair = in_turn(TIMES, || hooks.run(), theirs);
    vec![Row::pair("a plan of 1,000 no-op hooks, with ledger", "shell loop of bash", &pair, Goal::Ratio(1.0 / 50.0))]
}

/// A work tree whose manifest declares 1,000 hooks that do nothing.
pub struct ManyHooks {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    site: TempDir,
    _state: TempDir,
    release: Cell<u32>,
}

impl ManyHooks {
    pub fn new() -> Self {
        let site = TempDir::new_in(guests::kept("tmp")).unwrap();
        std::fs::copy(guests::wasm("noop"), site.path().join("noop.wasm")).unwrap();
        std::fs::write(site.path().join("wasmhook.toml"), manifest()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let state = TempDir::new_in(guests::kept("tmp")).unwrap();
        let engine = Engine::builder(state.path().join("state"), guests::kept("cache")).pool(4.try_into().unwrap()).build().unwrap();
        Self { runtime, engine, site, _state: state, release: Cell::new(0) }
    }

    /// Runs all of them for a new release: nothing is skipped because it ran before.
    pub fn run(&self) -> Duration {
        self.release.set(self.release.get() + 1);
        let mut request = Request::new(self.site.path(), EnvironmentName::new("bench").unwrap());
        request.tag = Some(Tag::new(format!("v{}", self.release.get())).unwrap());
        let (report, took) = time(|| self.runtime.block_on(self.engine.run(&request, &Stop::new())).unwrap());
        assert_eq!((report.status, report.hooks.len()), (Status::Success, HOOKS), "{:?}", report.first_error);
        took
    }
}

fn manifest() -> String {
    let mut text = "schema = 1\napp = \"bench\"\n".to_owned();
    for number in 0..HOOKS {
        write!(text, "[[hook]]\nid = \"noop-{number}\"\nphase = \"pre-deploy\"\nwasm = \"noop.wasm\"\n").unwrap();
    }
    text
}
