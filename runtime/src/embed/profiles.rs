//! The built-in profiles, each from a manifest to a report: what runs, in which order, and what a bad end means. Nothing really runs.

mod blueking;
mod commit_sync;
mod divio;
mod outputs;
mod pagoda;

use crate::engine::{Blobs, Checks, Clock, Executors, Lack, LastCommit, Prepared, Runner, Sink, Stages, Stop, Writers};
use crate::exec::mock::MockExecutor;
use crate::ledger::memory::MemoryLedger;
use crate::manifest::{self, PolicyDecl};
use crate::model::event::{Event, Status, What};
use crate::model::id::{AppName, Commit, EnvironmentName, InstanceName, RunId};
use crate::model::job::Execution;
use crate::model::outcome::{Outcome, TimeLimit};
use crate::plan::grants::Roots;
use crate::plan::order::Instance;
use crate::plan::{Given, HostCommand, PlanHook, Selection, resolve};
use crate::profile::{self, Profile};
use crate::report::{OutcomeWord, Report};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

struct NoChecks;
impl Checks for NoChecks {
    fn check(&self, _: &PlanHook) -> Vec<Lack> {
        Vec::new()
    }

    fn check_command(&self, _: &HostCommand) -> Vec<Lack> {
        Vec::new()
    }
}

#[derive(Default)]
struct Tape(Mutex<Vec<Event>>);

impl Sink for Tape {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// An application on one platform; every host step of the profile has a command.
struct Platform {
    profile: Profile,
    manifest: String,
    runner: Runner,
    executor: Arc<MockExecutor>,
    tape: Arc<Tape>,
    instances: Vec<Instance>,
    runs: u32,
    /// Where the application and its instances lie: what a phase drops is staged beside them.
    ground: TempDir,
}

fn platform(profile: &str, hooks: &[&str], executor: MockExecutor) -> Platform {
    let profile = profile::builtin(profile).unwrap();
    let steps: String = profile.host_steps().map(|(name, _)| format!("[host_step.{name}]\nrun = 'true'\n")).collect();
    let hooks: String = hooks
        .iter()
        .map(|hook| {
            let (place, more) = hook.split_once(' ').unwrap_or((hook, ""));
            let (phase, id) = place.split_once('/').unwrap();
            format!("[[hook]]\nid = '{id}'\nphase = '{phase}'\nrun = '{id}'\n{more}\n")
        })
        .collect();
    let executor = Arc::new(executor);
    let executors = Executors { wasm: executor.clone(), native: executor.clone(), in_code: executor.clone() };
    let tape = Arc::new(Tape::default());
    let clock: Clock = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
    let ground = tempfile::tempdir().unwrap();
    for dir in ["shop/db", "1", "2", "stages"] {
        std::fs::create_dir_all(ground.path().join(dir)).unwrap();
    }
    let writers = Writers { ledger: Some(Box::new(MemoryLedger::new())), sinks: vec![tape.clone()], clock };
    let runner = Runner::new(executors, writers, Stages::new(ground.path().join("stages")));
    Platform { profile, manifest: format!("schema = 1\n{steps}{hooks}"), runner, executor, tape, instances: vec![], runs: 0, ground }
}

impl Platform {
    async fn deploy(&mut self, commit: &str) -> Report {
        self.run(Some(commit), false).await
    }

    async fn run(&mut self, commit: Option<&str>, at_start: bool) -> Report {
        self.runs += 1;
        let (manifest, problems) = manifest::parse("wasmhook.toml", &self.manifest);
        assert_eq!(problems, []);
        let found = crate::lint::check(&manifest, &self.profile);
        assert!(!crate::diagnostic::has_errors(&found), "{found:?}");
        let root = self.ground.path().display();
        let given = Given {
            manifest: &manifest,
            profile: &self.profile,
            policy: &PolicyDecl::default(),
            host_steps: &manifest.host_steps,
            one_file: true,
            app: AppName::new("shop").unwrap(),
            environment: EnvironmentName::new("prod").unwrap(),
            tag: None,
            commit: commit.map(|commit| Commit::new(commit).unwrap()),
            previous_version: None,
            roots: Roots { app_dir: &format!("{root}/shop"), data_dir: &format!("{root}/shop/db") },
            app_env: &BTreeSet::new(),
            files: &BTreeMap::new(),
            sources: &BTreeMap::new(),
            copies_scripts: false,
            facts: &BTreeMap::new(),
            instances: &self.instances,
            selection: &Selection::default(),
            at_start,
            steps_in_code: &[],
            notices: Vec::new(),
            warnings: Vec::new(),
        };
        let prepared = Prepared {
            run: RunId::new(format!("r{}", self.runs)).unwrap(),
            plan: resolve(&given).unwrap(),
            blobs: Blobs::new(),
            app_env: BTreeMap::new(),
            marker_present: false,
            write_marker: Box::new(|| Ok(())),
            checks: Box::new(NoChecks),
            accept_moved_tag: false,
            resume: false,
            audit: false,
            at_start,
            last_commit: LastCommit::InLedger,
        };
        self.runner.run(&prepared, &Stop::new()).await.unwrap()
    }

    /// The same platform with two instances of whatever it runs.
    fn on_two_instances(mut self) -> Self {
        let dir = |name: &str| self.ground.path().join(name).display().to_string();
        self.instances = ["1", "2"].map(|name| Instance { service: None, name: InstanceName::new(name).unwrap(), dir: dir(name) }).into();
        self
    }

    /// What ran since the last look.
    fn ran(&self) -> Vec<String> {
        self.executor.ran()
    }
}

fn late() -> Execution {
    Execution::not_started(Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false })
}

/// The jobs among what ran.
fn jobs(platform: &Platform) -> Vec<String> {
    platform.ran().into_iter().filter(|name| name.contains('/')).collect()
}

const A: &str = "aaaaaaaa";
const B: &str = "bbbbbbbb";
