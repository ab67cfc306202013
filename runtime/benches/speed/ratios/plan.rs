//! A plan of 1,000 hooks, from the manifest to the report, each recorded in the ledger, and a shell that starts 1,000 scripts; and the plan of
//! 10,000 hooks alone, beside starting as many processes.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Rounds, in_turn, time};
use std::cell::Cell;
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
    let hooks = ManyHooks::new();
    std::fs::write(hooks.site.path().join("noop.sh"), "").unwrap();
    let shell_loop = format!("i=0; while [ $i -lt {HOOKS} ]; do /bin/bash {}/noop.sh; i=$((i+1)); done", hooks.site.path().display());
    let theirs = || time(|| assert!(Command::new("/bin/sh").args(["-c", &shell_loop]).status().unwrap().success())).1;
    let pair = in_turn(TIMES, || hooks.run(), theirs);
    vec![Row::pair("a plan of 1,000 no-op hooks, with ledger", "shell loop of bash", &pair, Goal::Ratio(1.0 / 50.0)), planned()]
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
        std::fs::write(site.path().join("wasmhook.toml"), manifest(HOOKS)).unwrap();
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

fn manifest(hooks: usize) -> String {
    let mut text = "schema = 1\napp = \"bench\"\n".to_owned();
    for number in 0..hooks {
        write!(text, "[[hook]]\nid = \"noop-{number}\"\nphase = \"pre-deploy\"\nwasm = \"noop.wasm\"\n").unwrap();
    }
    text
}
