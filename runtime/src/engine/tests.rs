//! The driver with a mock executor and the ledger in memory: what is recorded, in which order, and what a second run does.

use super::*;
use crate::exec::mock::MockExecutor;
use crate::ledger::memory::MemoryLedger;
use crate::model::event::{Event, Status, What};
use crate::model::grant::{DirGrant, DirMode, Grants};
use crate::model::id::{AppName, Commit, Digest, EnvironmentName, HookId, StepName, Tag};
use crate::model::job::Execution;
use crate::model::limits::Limits;
use crate::model::outcome::{Cause, Outcome, TimeLimit};
use crate::model::policy::{OnChange, OnLocked, OnUnknown};
use crate::plan::{HostCommand, PlanGuest, PlanHook, PlanStep, PlanStepKind, SCHEMA};
use crate::report::OutcomeWord;
use std::collections::BTreeMap;
use std::sync::Mutex;

mod backup;
mod dry;
mod foreseen;
mod ready;
mod resume;
mod revert;
mod staging;
mod verify;

#[derive(Default)]
struct Tape(Mutex<Vec<Event>>);

impl Sink for Tape {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

struct NoChecks;
impl Checks for NoChecks {
    fn check(&self, hook: &PlanHook) -> Vec<Lack> {
        if hook.id.as_str() == "unready" { vec![Lack::anywhere("it is not ready")] } else { Vec::new() }
    }

    fn check_command(&self, _: &HostCommand) -> Vec<Lack> {
        Vec::new()
    }
}

fn hook(id: &str) -> PlanHook {
    let dirs = vec![DirGrant { host: Some("/app".into()), guest: "/app".into(), mode: DirMode::Write }];
    PlanHook {
        id: HookId::new(id).unwrap(),
        label: id.into(),
        service: None,
        instance: None,
        origin: "test".into(),
        source: None,
        guest: PlanGuest::Wasm { file: format!("release/{id}.wasm"), digest: Digest::of(b"bytes"), args: vec![] },
        fallback: None,
        grants: Grants { dirs, env: vec![] },
        limits: Limits::default(),
        digest: Digest::of(id.as_bytes()),
        once: None,
        on_change: OnChange::Error,
        idempotent: false,
        allow_failure: false,
        enabled: true,
        selected: true,
        unusable: None,
        effects: vec![],
        backup: None,
        wait_for: None,
        verify: None,
        revert: None,
    }
}

fn phase(name: &str, hooks: Vec<PlanHook>) -> PlanStep {
    let policy = r#"{"title": "Post-pull", "gate": "once", "lines": {"done": "{title} hook OK: {file}", "failed": "{title} hook FAILED: {file} ({cause})"}}"#;
    PlanStep { name: StepName::new(name).unwrap(), kind: PlanStepKind::Phase { policy: serde_json::from_str(policy).unwrap(), hooks } }
}

fn host(name: &str, policy: &str) -> PlanStep {
    let command = HostCommand { argv: vec!["true".into()], cwd: "/".into(), env: vec![], set: vec![], limits: Limits::default() };
    PlanStep {
        name: StepName::new(name).unwrap(),
        kind: PlanStepKind::Host { policy: serde_json::from_str(policy).unwrap(), command: Some(command) },
    }
}

fn prepared(run: &str, steps: Vec<PlanStep>) -> Prepared {
    let plan = Plan {
        schema: SCHEMA,
        app: AppName::new("cbapp").unwrap(),
        environment: EnvironmentName::new("testsite").unwrap(),
        profile: "test".into(),
        tag: Some(Tag::new("v1").unwrap()),
        commit: Some(Commit::new("aaaaaaaa").unwrap()),
        previous_version: Some("v0".into()),
        app_dir: "/app".into(),
        data_dir: "/app/db".into(),
        on_locked: OnLocked::Wait,
        on_unknown: OnUnknown::Stop,
        marker: None,
        partial: false,
        steps,
        notices: vec![],
        warnings: vec![],
    };
    Prepared {
        run: RunId::new(run).unwrap(),
        plan,
        blobs: Blobs::from([(Digest::of(b"bytes"), Arc::from(&b"bytes"[..]))]),
        app_env: BTreeMap::new(),
        marker_present: false,
        write_marker: Box::new(|| Ok(())),
        checks: Box::new(NoChecks),
        accept_moved_tag: false,
        resume: false,
        audit: false,
        at_start: false,
        last_commit: LastCommit::InLedger,
    }
}

struct Bench {
    runner: Runner,
    executor: Arc<MockExecutor>,
    tape: Arc<Tape>,
}

fn bench(executor: MockExecutor) -> Bench {
    let executor = Arc::new(executor);
    let tape = Arc::new(Tape::default());
    let executors = Executors { wasm: executor.clone(), native: executor.clone(), in_code: executor.clone() };
    let clock: Clock = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
    let writers = Writers { ledger: Some(Box::new(MemoryLedger::new())), sinks: vec![tape.clone()], clock };
    Bench { runner: Runner::new(executors, writers, Stages::new("/tmp")), executor, tape }
}

impl Bench {
    async fn run(&mut self, run: &str, steps: Vec<PlanStep>) -> Report {
        self.runner.run(&prepared(run, steps), &Stop::new()).await.unwrap()
    }

    fn seen(&self, show: impl Fn(&What) -> Option<String>) -> Vec<String> {
        self.tape.0.lock().unwrap().iter().filter_map(|event| show(&event.what)).collect()
    }
}

const ABORT: &str = "{}";
const ALWAYS: &str = r#"{"always": true, "lines": {"begin": "Starting services..."}}"#;

#[tokio::test]
async fn s3_64_a_failing_hook_restarts_services_and_leaves_the_version_alone() {
    let mut bench = bench(MockExecutor::new().exiting("post-pull/b", 3));
    let steps = || {
        vec![host("stop", ABORT), phase("post-pull", vec![hook("a"), hook("b"), hook("c")]), host("version", ABORT), host("start", ALWAYS)]
    };
    let report = bench.run("r1", steps()).await;
    assert_eq!(bench.executor.ran(), ["stop", "post-pull/a", "post-pull/b", "start"]);
    assert_eq!(report.status, Status::Failed);
    assert_eq!(report.hooks_executed, ["post-pull: a.wasm - OK", "post-pull: b.wasm - FAILED (exit code 3)"]);
    assert_eq!(report.details, ["Post-pull hook OK: a.wasm", "Post-pull hook FAILED: b.wasm (exit code 3)", "Starting services..."]);
}

#[tokio::test]
async fn s3_36_a_second_run_skips_what_succeeded_and_runs_what_failed() {
    let mut bench = bench(MockExecutor::new().exiting("post-pull/b", 3));
    let steps = || vec![phase("post-pull", vec![hook("a"), hook("b")])];
    bench.run("r1", steps()).await;
    let second = bench.run("r2", steps()).await;
    assert_eq!(bench.executor.ran(), ["post-pull/a", "post-pull/b", "post-pull/b"]);
    assert_eq!(second.status, Status::Success);
    assert_eq!(second.hooks_executed[0], "post-pull: a.wasm - SKIPPED (already done in run r1)");
    assert_eq!(second.hooks[1].attempt, Some(2), "attempts are counted over all runs");
}

#[tokio::test]
async fn every_launch_has_its_intent_in_the_journal_before_it() {
    let mut bench = bench(MockExecutor::new());
    bench.run("r1", vec![phase("p", vec![hook("a")])]).await;
    let story = bench.seen(|what| match what {
        What::Started { place, .. } => Some(format!("intent {place}")),
        What::Output { line, .. } => Some(line.clone()),
        What::Finished { place, result } => Some(format!("{} {place}", result.outcome.word())),
        _ => None,
    });
    assert_eq!(story, ["intent p/a", "p/a ran", "succeeded p/a"]);
}

#[tokio::test]
async fn preflight_findings_are_an_outcome_under_the_phases_policy() {
    let mut bench = bench(MockExecutor::new());
    let report = bench.run("r1", vec![phase("p", vec![hook("a"), hook("unready")]), host("start", ALWAYS)]).await;
    assert_eq!(bench.executor.ran(), ["start"], "nothing of the phase ran");
    assert_eq!(report.hooks_executed, ["p: unready.wasm - FAILED (preflight: it is not ready)"]);
}

#[tokio::test]
async fn a_stop_interrupts_before_the_next_hook_and_still_runs_always_steps() {
    let mut bench = bench(MockExecutor::new());
    let stop = Stop::new();
    stop.request(Some(15));
    let report = bench.runner.run(&prepared("r1", vec![phase("p", vec![hook("a")]), host("start", ALWAYS)]), &stop).await.unwrap();
    assert_eq!((report.status, report.signal), (Status::Interrupted, Some(15)));
    assert!(bench.executor.ran().contains(&"start".to_owned()));
}

#[tokio::test]
async fn a_tag_that_moved_is_refused_until_it_is_accepted() {
    let mut bench = bench(MockExecutor::new());
    bench.run("r1", vec![phase("p", vec![hook("a")])]).await;
    let mut moved = prepared("r2", vec![phase("p", vec![hook("a")])]);
    moved.plan.commit = Some(Commit::new("bbbbbbbb").unwrap());
    let report = bench.runner.run(&moved, &Stop::new()).await.unwrap();
    assert_eq!((report.status, report.notices[0].code.as_str()), (Status::Refused, "moved-tag"));
    moved.accept_moved_tag = true;
    moved.run = RunId::new("r3").unwrap();
    assert_eq!(bench.runner.run(&moved, &Stop::new()).await.unwrap().status, Status::Success);
}

#[tokio::test]
async fn a_changed_hook_is_refused_before_anything_runs() {
    let mut bench = bench(MockExecutor::new());
    bench.run("r1", vec![phase("p", vec![hook("a")])]).await;
    let changed = PlanHook { digest: Digest::of(b"another"), ..hook("a") };
    let report = bench.run("r2", vec![host("stop", ABORT), phase("p", vec![changed])]).await;
    assert_eq!((report.status, report.notices[0].code.as_str()), (Status::Refused, "hook-changed"));
    assert_eq!(bench.executor.ran(), ["p/a"], "only the first run's hook ever ran");
}

#[tokio::test]
async fn a_hook_that_could_not_be_stopped_keeps_others_from_its_directory() {
    let abandoned = Execution::not_started(Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: true });
    let mut bench = bench(MockExecutor::new().ending("p/a", abandoned));
    let tolerated = PlanHook { allow_failure: true, ..hook("a") };
    let report = bench.run("r1", vec![phase("p", vec![tolerated, hook("b")])]).await;
    assert_eq!(bench.executor.ran(), ["p/a"]);
    assert_eq!(report.hooks[1].outcome, OutcomeWord::Failed);
}

#[tokio::test]
async fn a_hook_says_itself_that_it_was_skipped() {
    let said = Execution { outputs: vec![("skipped".into(), "data exists".into())], ..Execution::not_started(Outcome::Succeeded) };
    let mut bench = bench(MockExecutor::new().ending("p/a", said));
    let report = bench.run("r1", vec![phase("p", vec![hook("a")])]).await;
    assert_eq!((report.status, &report.hooks_executed[0][..]), (Status::Success, "p: a.wasm - SKIPPED (data exists)"));
}

#[tokio::test]
async fn s3_39_what_a_hook_tolerated_is_a_warning_of_the_run() {
    let warned = Execution {
        outputs: vec![
            ("warning".into(), "copy json: no such file".into()),
            ("rows".into(), "7".into()),
            ("warning".into(), "second".into()),
        ],
        ..Execution::not_started(Outcome::Succeeded)
    };
    let mut bench = bench(MockExecutor::new().ending("p/a", warned));
    let report = bench.run("r1", vec![phase("p", vec![hook("a"), hook("b")])]).await;
    assert_eq!((report.status, report.warnings), (Status::Success, 2));
    assert_eq!(report.hooks[0].outcome, OutcomeWord::Succeeded, "a warning changes no outcome");
    let notices: Vec<_> = report.notices.iter().map(|notice| (notice.code.as_str(), notice.message.as_str())).collect();
    assert_eq!(notices, [("hook-warning", "p/a: copy json: no such file"), ("hook-warning", "p/a: second")]);
    let story = bench.seen(|what| match what {
        What::Warning { message, .. } => Some(message.clone()),
        What::Finished { place, .. } => Some(format!("{place} finished")),
        _ => None,
    });
    assert_eq!(
        story,
        ["p/a: copy json: no such file", "p/a: second", "p/a finished", "p/b finished"],
        "an outcome in the journal is complete"
    );
}

/// An executor under which the engine dies: its future never ends, and the run is dropped.
async fn die_in(bench: &mut Bench, steps: Vec<PlanStep>, place: &str) {
    die_in_run(bench, "dead", steps, place).await;
}

async fn die_in_run(bench: &mut Bench, run: &str, steps: Vec<PlanStep>, place: &str) {
    dying(bench, place, async |bench| {
        let run = bench.runner.run(&prepared(run, steps), &Stop::new()).await_for(std::time::Duration::from_millis(200)).await;
        assert!(run.is_none(), "the run was to die in {place}");
    })
    .await;
}

/// Does `what` while the job at `place` has no end.
async fn dying(bench: &mut Bench, place: &str, what: impl AsyncFnOnce(&mut Bench)) {
    struct Dies(Arc<MockExecutor>, String);
    impl Executor for Dies {
        fn execute<'a>(&'a self, job: &'a crate::model::job::Job, around: crate::exec::Surroundings) -> crate::exec::Running<'a> {
            if job.name == self.1 { Box::pin(std::future::pending()) } else { self.0.execute(job, around) }
        }
    }
    let dies: Arc<dyn Executor> = Arc::new(Dies(bench.executor.clone(), place.to_owned()));
    let living = std::mem::replace(&mut bench.runner.executors, Executors { wasm: dies.clone(), native: dies.clone(), in_code: dies });
    what(bench).await;
    bench.runner.executors = living;
}

trait AwaitFor: Future + Sized {
    async fn await_for(self, time: std::time::Duration) -> Option<Self::Output> {
        tokio::time::timeout(time, self).await.ok()
    }
}
impl<F: Future> AwaitFor for F {}

#[tokio::test]
async fn after_a_crash_the_dead_runs_always_steps_come_first_and_a_live_hook_waits_for_a_person() {
    let mut bench = bench(MockExecutor::new());
    let steps = || vec![host("stop", ABORT), phase("p", vec![hook("a"), hook("b")]), host("start", ALWAYS)];
    die_in(&mut bench, steps(), "p/b").await;
    let report = bench.run("r2", steps()).await;
    assert_eq!(bench.executor.ran(), ["stop", "p/a", "start"], "services come back up, nothing else runs");
    assert_eq!(report.status, Status::Failed);
    assert!(report.hooks.iter().any(|hook| hook.outcome == OutcomeWord::Unknown), "{report:?}");
    let again = bench.run("r3", steps()).await;
    assert_eq!(again.status, Status::Failed, "it stays unknown until somebody says what became of it");
    assert_eq!(bench.executor.ran().len(), 3, "and the always step is not run again");
}

#[tokio::test]
async fn s4_79_where_the_profile_says_rerun_a_crashed_hook_runs_again_with_a_warning() {
    let mut bench = bench(MockExecutor::new());
    let steps = || vec![phase("p", vec![hook("a"), hook("b")])];
    die_in(&mut bench, steps(), "p/b").await;
    let mut again = prepared("r2", steps());
    again.plan.on_unknown = OnUnknown::Rerun;
    let report = bench.runner.run(&again, &Stop::new()).await.unwrap();
    assert_eq!(report.status, Status::Success);
    assert_eq!(bench.executor.ran(), ["p/a", "p/b"]);
    assert_eq!(report.notices[0].code, "rerun-after-crash");
    assert_eq!(report.hooks_executed[0], "p: a.wasm - SKIPPED (already done in run dead)");
}

#[tokio::test]
async fn the_first_error_stays_the_first() {
    let mut bench = bench(MockExecutor::new().exiting("p/a", 1).exiting("start", 9));
    let report = bench.run("r1", vec![phase("p", vec![hook("a")]), host("start", ALWAYS)]).await;
    let error = serde_json::to_value(report.first_error.unwrap()).unwrap();
    assert!(error.to_string().contains("\"a\""), "{error}");
    assert_eq!(report.status, Status::Failed);
}

#[tokio::test]
async fn the_marker_is_written_once_after_the_last_hook_succeeded() {
    let written = Arc::new(Mutex::new(0));
    for (fails, expected) in [(false, 1), (true, 1)] {
        let mut bench = bench(if fails { MockExecutor::new().exiting("q/b", 1) } else { MockExecutor::new() });
        let mut prepared = prepared("r1", vec![phase("p", vec![hook("a")]), phase("q", vec![hook("b")])]);
        prepared.plan.marker = Some(".release-v1-done".into());
        let count = written.clone();
        prepared.write_marker = Box::new(move || {
            *count.lock().unwrap() += 1;
            Ok(())
        });
        bench.runner.run(&prepared, &Stop::new()).await.unwrap();
        assert_eq!(*written.lock().unwrap(), expected, "s3_37: after a failure it is not written");
    }
}

#[tokio::test]
async fn a_cause_that_is_a_type_reaches_the_report() {
    let denied = Execution::not_started(Outcome::Failed { cause: Cause::NotAHook { found: "a library".into() } });
    let mut bench = bench(MockExecutor::new().ending("p/a", denied));
    let report = bench.run("r1", vec![phase("p", vec![hook("a")])]).await;
    assert_eq!(report.hooks[0].outcome, OutcomeWord::Failed);
    assert!(report.hooks_executed[0].contains("not a hook"), "{:?}", report.hooks_executed);
}

#[tokio::test]
async fn what_could_not_be_enforced_reaches_the_report_of_its_hook_and_no_other() {
    let weaker = Execution { unenforced: vec!["TCP ports".into()], ..Execution::not_started(Outcome::Succeeded) };
    let mut bench = bench(MockExecutor::new().ending("p/a", weaker));
    let report = bench.run("r1", vec![phase("p", vec![hook("a"), hook("b")])]).await;
    assert_eq!((&report.hooks[0].unenforced[..], &report.hooks[1].unenforced[..]), (&["TCP ports".to_owned()][..], &[][..]));
}
