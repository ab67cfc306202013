//! A plan of 1,000 hooks, from the manifest to the report, each recorded in the ledger, and a shell that starts 1,000 scripts; and the plan of
//! 10,000 hooks alone, beside starting as many processes.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Rounds, in_turn, time};
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use wasmhook::model::event::Status;
use wasmhook::model::id::{EnvironmentName, Tag};
use wasmhook::{Engine, Request, Stop};

const HOOKS: usize = 1_000;
const PLANNED: usize = 10_000;
const SPAWNED: usize = 200;
const TIMES: Rounds = Rounds { rounds: 5, ours: 1 };

pub fn rows() -> Vec<Row> {
    let site = TempDir::new_in(guests::kept("tmp")).unwrap();
    std::fs::copy(guests::wasm("noop"), site.path().join("noop.wasm")).unwrap();
    std::fs::write(site.path().join("wasmhook.toml"), manifest(HOOKS)).unwrap();
    std::fs::write(site.path().join("noop.sh"), "").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ours = || ours(&runtime, &site);
    let shell_loop = format!("i=0; while [ $i -lt {HOOKS} ]; do /bin/bash {}/noop.sh; i=$((i+1)); done", site.path().display());
    let theirs = || time(|| assert!(Command::new("/bin/sh").args(["-c", &shell_loop]).status().unwrap().success())).1;
    let pair = in_turn(TIMES, ours, theirs);
    let mut rows = vec![Row::pair("a plan of 1,000 no-op hooks, with ledger", "shell loop of bash", &pair, Goal::None)];
    rows.push(planned());
    rows
}

/// `wasmhook plan` of `PLANNED` hooks, as a whole process that prints it; the peer starts `SPAWNED` processes, and its time is scaled.
fn planned() -> Row {
    let site = TempDir::new_in(guests::kept("tmp")).unwrap();
    std::fs::copy(guests::wasm("noop"), site.path().join("noop.wasm")).unwrap();
    std::fs::write(site.path().join("wasmhook.toml"), manifest(PLANNED)).unwrap();
    let state = TempDir::new_in(guests::kept("tmp")).unwrap();
    let plan = || {
        let mut plan = Command::new(env!("CARGO_BIN_EXE_wasmhook"));
        plan.args(["plan", "--tag", "v1", "-C"]).arg(site.path());
        plan.arg("--state").arg(state.path().join("state")).arg("--cache").arg(guests::kept("cache"));
        let output = plan.stderr(Stdio::null()).output().unwrap();
        assert!(output.status.success() && output.stdout.windows(9).filter(|word| word == b"noop.wasm").count() >= PLANNED);
    };
    let spawn = || (0..SPAWNED).for_each(|_| assert!(Command::new("/bin/true").status().unwrap().success()));
    let scale = u32::try_from(PLANNED / SPAWNED).unwrap();
    let pair = in_turn(TIMES, || time(plan).1, || time(spawn).1 * scale);
    let what = "`wasmhook plan` of 10,000 hooks, whole process";
    Row::pair(what, &format!("starting 10,000 processes ({SPAWNED} of /bin/true, scaled)"), &pair, Goal::Ratio(0.1))
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

fn manifest(hooks: usize) -> String {
    let mut text = "schema = 1\napp = \"bench\"\n".to_owned();
    for number in 0..hooks {
        write!(text, "[[hook]]\nid = \"noop-{number}\"\nphase = \"pre-deploy\"\nwasm = \"noop.wasm\"\n").unwrap();
    }
    text
}
