//! Going on with a run that was cut off or failed, and what a person says of it.

use super::super::resolve::{Execution, waiting};
use super::*;
use crate::ledger::{Durability, Key, Ledger};
use crate::model::event::Resolution;

const TWICE: &str = r#"{"resume": "rerun"}"#;
const ASKS: &str = r#"{"resume": "ask"}"#;

/// An engine whose ledger can be looked into.
fn open_bench(executor: MockExecutor) -> (Bench, Arc<Mutex<MemoryLedger>>) {
    let ledger = Arc::new(Mutex::new(MemoryLedger::new()));
    let mut bench = bench(executor);
    bench.runner.writers.ledger = Some(Box::new(ledger.clone()));
    (bench, ledger)
}

fn steps() -> Vec<PlanStep> {
    vec![
        host("stop", TWICE),
        host("backup", ABORT),
        phase("p", vec![hook("a"), hook("b"), hook("c")]),
        host("migrate", ABORT),
        host("start", ALWAYS),
    ]
}

fn by(policy: &str, step: PlanStep) -> PlanStep {
    let PlanStepKind::Phase { hooks, .. } = step.kind else { return step };
    PlanStep { kind: PlanStepKind::Phase { policy: serde_json::from_str(policy).unwrap(), hooks }, ..step }
}

async fn resume(bench: &mut Bench, run: &str, steps: Vec<PlanStep>) -> Report {
    let again = Prepared { resume: true, ..prepared(run, steps) };
    bench.runner.run(&again, &Stop::new()).await.unwrap()
}

/// Says something of the only execution that waits for it.
fn say(ledger: &Arc<Mutex<MemoryLedger>>, resolution: Resolution) -> Execution {
    let plan = prepared("x", steps()).plan;
    let mut ledger = ledger.clone();
    let waiting = waiting(&ledger, &target(&plan)).unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let execution = waiting[0].clone();
    assert!(execution.can_be(resolution));
    let Key { place, release } = execution.key.clone();
    let seq = ledger.events(&execution.run).unwrap().len() as u64;
    let what = What::Resolved { place, release, resolution, by: Some("ops@here".into()) };
    let event = Event { schema: 1, seq, at: jiff::Timestamp::UNIX_EPOCH, run: execution.run.clone(), what };
    ledger.append(&event, Some((&execution.key, &execution.digest)), Durability::Now).unwrap();
    execution
}

/// What ran since the first `before`.
fn ran_since(bench: &Bench, before: usize) -> Vec<String> {
    bench.executor.ran().split_off(before)
}

#[tokio::test]
async fn a_resumed_run_does_only_what_is_missing() {
    let mut bench = bench(MockExecutor::new().exiting("p/b", 1));
    bench.run("r1", steps()).await;
    assert_eq!(bench.executor.ran(), ["stop", "backup", "p/a", "p/b", "start"]);
    let report = resume(&mut bench, "r2", steps()).await;
    assert_eq!(ran_since(&bench, 5), ["stop", "p/b", "p/c", "migrate", "start"], "what is done is not done again");
    assert_eq!((report.status, report.resumes), (Status::Success, Some(RunId::new("r1").unwrap())));
    assert_eq!(report.steps[1].skip_reason.as_ref().unwrap().text, "already done in run r1");
}

#[tokio::test]
async fn a_chain_of_resumed_runs_keeps_what_the_first_did_also_without_a_gate() {
    let ungated = |id: &str| PlanHook { once: Some(false), ..hook(id) };
    let steps = || vec![phase("p", vec![ungated("a"), ungated("b"), ungated("c")])];
    let (mut bench, ledger) = open_bench(MockExecutor::new().exiting("p/b", 1).exiting("p/b", 1));
    bench.run("r1", steps()).await;
    resume(&mut bench, "r2", steps()).await;
    assert_eq!(bench.executor.ran(), ["p/a", "p/b", "p/b"]);
    let said = say(&ledger, Resolution::MarkDone);
    assert_eq!((said.key.place.to_string().as_str(), said.run.as_str()), ("p/b", "r2"));
    let last = resume(&mut bench, "r3", steps()).await;
    assert_eq!((last.status, ran_since(&bench, 3)), (Status::Success, vec!["p/c".to_owned()]));
    assert_eq!(last.hooks_executed[0], "p: a.wasm - SKIPPED (already done in run r1)");
    assert_eq!(last.hooks_executed[1], "p: b.wasm - SKIPPED (already done in run r2)");
    let nothing = resume(&mut bench, "r4", steps()).await;
    assert_eq!((nothing.status, nothing.notices[0].code.as_str()), (Status::Refused, "nothing-to-resume"));
}

#[tokio::test]
async fn a_tolerated_failure_is_passed_and_not_repeated() {
    let tolerated = PlanHook { allow_failure: true, once: Some(false), ..hook("a") };
    let steps = || vec![phase("p", vec![tolerated.clone(), hook("b")])];
    let mut bench = bench(MockExecutor::new().exiting("p/a", 1).exiting("p/b", 1));
    bench.run("r1", steps()).await;
    let report = resume(&mut bench, "r2", steps()).await;
    assert_eq!(bench.executor.ran(), ["p/a", "p/b", "p/b"]);
    assert_eq!(report.hooks_executed[0], "p: a.wasm - SKIPPED (run r1, which goes on here, is past it)");
}

#[tokio::test]
async fn a_list_that_ended_stays_ended_and_what_waits_for_a_failure_has_its_turn() {
    let list = || {
        let list = r#"{"title": "P", "on_failure": "warn", "after_failure": "end-list"}"#;
        vec![
            by(list, phase("p", vec![hook("a"), hook("b")])),
            phase("q", vec![hook("c")]),
            by(r#"{"title": "Sorry", "when": "failed"}"#, phase("sorry", vec![hook("d")])),
        ]
    };
    let mut bench = bench(MockExecutor::new().exiting("p/a", 1).exiting("q/c", 1));
    bench.run("r1", list()).await;
    assert_eq!(bench.executor.ran(), ["p/a", "q/c", "sorry/d"]);
    let report = resume(&mut bench, "r2", list()).await;
    assert_eq!(ran_since(&bench, 3), ["q/c", "sorry/d"], "the failure that was passed is one all the same");
    assert_eq!(report.hooks_executed[1], "p: b.wasm - SKIPPED (an earlier command of its list failed)");
}

#[tokio::test]
async fn after_a_crash_always_steps_come_first_then_a_person_speaks_then_the_rest_runs() {
    for (resolution, expected) in [
        (Resolution::Retry, &["stop", "p/b", "p/c", "migrate", "start"][..]),
        (Resolution::MarkNotRun, &["stop", "p/b", "p/c", "migrate", "start"]),
        (Resolution::MarkDone, &["stop", "p/c", "migrate", "start"]),
    ] {
        let (mut bench, ledger) = open_bench(MockExecutor::new());
        die_in(&mut bench, steps(), "p/b").await;
        let stopped = resume(&mut bench, "r2", steps()).await;
        assert_eq!((stopped.status, bench.executor.ran()), (Status::Failed, ["stop", "backup", "p/a", "start"].map(str::to_owned).into()));
        say(&ledger, resolution);
        let report = resume(&mut bench, "r3", steps()).await;
        assert_eq!((report.status, ran_since(&bench, 4)), (Status::Success, expected.iter().map(|&s| s.to_owned()).collect()));
        assert_eq!(report.resumes, Some(RunId::new("dead").unwrap()), "the run that stopped at once had nothing to go on with");
    }
}

#[tokio::test]
async fn a_word_said_before_the_dead_run_is_finished_holds() {
    let (mut bench, ledger) = open_bench(MockExecutor::new());
    die_in(&mut bench, steps(), "p/b").await;
    say(&ledger, Resolution::MarkDone);
    let report = resume(&mut bench, "r2", steps()).await;
    assert_eq!(report.status, Status::Success);
    assert_eq!(bench.executor.ran(), ["stop", "backup", "p/a", "start", "stop", "p/c", "migrate", "start"]);
}

#[tokio::test]
async fn a_plain_run_walks_the_lifecycle_from_the_start() {
    let mut bench = bench(MockExecutor::new().exiting("p/b", 1));
    bench.run("r1", steps()).await;
    bench.run("r2", steps()).await;
    assert_eq!(ran_since(&bench, 5), ["stop", "backup", "p/b", "p/c", "migrate", "start"], "host steps run again, done hooks don't");
}

#[tokio::test]
async fn a_host_step_that_asks_stops_every_run_until_somebody_says_what_became_of_it() {
    let steps = || vec![host("deploy", ASKS), phase("p", vec![hook("a")])];
    let (mut bench, ledger) = open_bench(MockExecutor::new());
    die_in(&mut bench, steps(), "deploy").await;
    for run in ["r2", "r3"] {
        let stopped = bench.run(run, steps()).await;
        assert_eq!((stopped.status, stopped.steps[0].outcome), (Status::Failed, Some(OutcomeWord::Unknown)));
    }
    let resumed = resume(&mut bench, "r4", steps()).await;
    assert_eq!((resumed.status, bench.executor.ran().len()), (Status::Failed, 0));
    say(&ledger, Resolution::MarkDone);
    let report = resume(&mut bench, "r5", steps()).await;
    assert_eq!((report.status, bench.executor.ran()), (Status::Success, vec!["p/a".to_owned()]));
}

#[tokio::test]
async fn what_changed_is_named() {
    let mut bench = bench(MockExecutor::new().exiting("p/b", 1));
    bench.run("r1", steps()).await;
    let mut changed = steps();
    let bytes = PlanGuest::Wasm { file: "release/b.wasm".into(), digest: Digest::of(b"other"), args: vec![] };
    changed[0] = host("stop", ABORT);
    changed[2] = phase("p", vec![hook("a"), PlanHook { guest: bytes, digest: Digest::of(b"other"), ..hook("b") }, hook("new")]);
    let refused = resume(&mut bench, "r2", changed).await;
    let message = &refused.notices[0].message;
    for words in ["run r1 can't be resumed", "the policies of step stop", "p/c is gone", "p/new is new", "p/b: bytes"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert_eq!(bench.executor.ran().len(), 5, "nothing ran");
}

#[tokio::test]
async fn runs_of_some_hooks_and_whole_runs_do_not_settle_each_other() {
    let mut bench = bench(MockExecutor::new().exiting("p/b", 1));
    bench.run("r1", steps()).await;
    let mut some = prepared("r2", vec![phase("p", vec![hook("a")])]);
    some.plan.partial = true;
    assert_eq!(bench.runner.run(&some, &Stop::new()).await.unwrap().status, Status::Success);
    let report = resume(&mut bench, "r3", steps()).await;
    assert_eq!(report.resumes, Some(RunId::new("r1").unwrap()));
}

#[tokio::test]
async fn what_a_dead_run_owes_is_known_before_anybody_pays() {
    let (mut bench, ledger) = open_bench(MockExecutor::new());
    die_in(&mut bench, steps(), "p/b").await;
    let plan = prepared("x", steps()).plan;
    let owed = || replay::owed(&plan, &ledger.events(&RunId::new("dead").unwrap()).unwrap());
    assert_eq!(owed(), [StepName::new("start").unwrap()]);
    bench.run("r2", steps()).await;
    assert_eq!(owed(), []);
}

#[tokio::test]
async fn without_a_tag_or_commit_what_is_done_runs_again_and_a_plan_says_so() {
    let unnamed = |run: &str| {
        let mut prepared = prepared(run, vec![phase("p", vec![hook("a"), hook("b")])]);
        (prepared.plan.tag, prepared.plan.commit) = (None, None);
        prepared
    };
    let said = |bench: &Bench, prepared: &Prepared| {
        let readiness = bench.runner.readiness(prepared).unwrap();
        bench.runner.own_release(prepared, readiness.decisions().unwrap()).unwrap()
    };
    let (mut bench, ledger) = open_bench(MockExecutor::new().exiting("p/b", 1));
    assert_eq!(said(&bench, &unnamed("r0")), None, "nothing ran yet");
    bench.runner.run(&unnamed("r1"), &Stop::new()).await.unwrap();
    let notice = said(&bench, &unnamed("r2")).unwrap();
    assert!(notice.message.contains("p/a runs again, though it is done in run r1"), "{notice:?}");
    let release = "run r1".to_owned();
    let (key, digest) = (Key { place: hook("b").place(&StepName::new("p").unwrap()), release }, hook("b").digest);
    let what = What::Resolved { place: key.place.clone(), release: key.release.clone(), resolution: Resolution::MarkDone, by: None };
    let run = RunId::new("r1").unwrap();
    let seq = ledger.events(&run).unwrap().len() as u64;
    let event = Event { schema: 1, seq, at: jiff::Timestamp::UNIX_EPOCH, run, what };
    ledger.clone().append(&event, Some((&key, &digest)), Durability::Now).unwrap();
    assert!(said(&bench, &unnamed("r2")).unwrap().message.contains("p/a, p/b runs again"), "a person's word has the same end");
    assert_eq!(said(&bench, &Prepared { resume: true, ..unnamed("r2") }), None, "there it counts");
    let tagged = Prepared { plan: Plan { tag: Some(Tag::new("v1").unwrap()), ..unnamed("r2").plan }, ..unnamed("r2") };
    assert_eq!(said(&bench, &tagged), None, "another release is no question");
}
