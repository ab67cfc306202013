//! A plan of 1,000 hooks, from the manifest to the report, each recorded in the ledger; and a shell that starts 1,000 scripts.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Rounds, in_turn, time};
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
    let site = TempDir::new_in(guests::kept("tmp")).unwrap();
    std::fs::copy(guests::wasm("noop"), site.path().join("noop.wasm")).unwrap();
    std::fs::write(site.path().join("wasmhook.toml"), manifest()).unwrap();
    std::fs::write(site.path().join("noop.sh"), "").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ours = || ours(&runtime, &site);
    let shell_loop = format!("i=0; while [ $i -lt {HOOKS} ]; do /bin/bash {}/noop.sh; i=$((i+1)); done", site.path().display());
    let theirs = || time(|| assert!(Command::new("/bin/sh").args(["-c", &shell_loop]).status().unwrap().success())).1;
    let pair = in_turn(TIMES, ours, theirs);
    vec![Row::pair("a plan of 1,000 no-op hooks, with ledger", "shell loop of bash", &pair, Goal::None)]
}

/// A new ledger each time: nothing is skipped because it ran before.
fn ours(runtime: &tokio::runtime::Runtime, site: &TempDir) -> Duration {
    let state = TempDir::new_in(guests::kept("tmp")).unwrap();
    let engine = Engine::builder(state.path().join("state"), guests::kept("cache")).pool(4.try_into().unwrap()).build().unwrap();
    let mut request = Request::new(site.path(), EnvironmentName::new("bench").unwrap());
    request.tag = Some(Tag::new("v1").unwrap());
    let (report, took) = time(|| runtime.block_on(engine.run(&request, &Stop::new())).unwrap());
    assert_eq!((report.status, report.hooks.len()), (Status::Success, HOOKS), "{:?}", report.first_error);
    took
}

fn manifest() -> String {
    let mut text = "schema = 1\napp = \"bench\"\n".to_owned();
    for number in 0..HOOKS {
        write!(text, "[[hook]]\nid = \"noop-{number}\"\nphase = \"pre-deploy\"\nwasm = \"noop.wasm\"\n").unwrap();
    }
    text
}
