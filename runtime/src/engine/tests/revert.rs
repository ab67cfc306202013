//! What takes hooks back: when a phase fails, and when a deployment failed after its run.

use super::*;
use crate::plan::PlanSibling;

fn undoable(id: &str) -> PlanHook {
    let guest = PlanGuest::Wasm { file: format!("release/un{id}.wasm"), digest: Digest::of(b"bytes"), args: vec![] };
    PlanHook { revert: Some(PlanSibling { guest, limits: Limits { fuel: Some(7), ..Limits::default() } }), ..hook(id) }
}

fn reverting(name: &str, hooks: Vec<PlanHook>) -> PlanStep {
    let mut step = phase(name, hooks);
    if let PlanStepKind::Phase { policy, .. } = &mut step.kind {
        policy.on_failure = crate::model::policy::OnFailure::Revert;
    }
    step
}

#[tokio::test]
async fn s2_20_a_failure_runs_the_reverts_of_what_succeeded_in_reverse_and_they_run_again_next_time() {
    let mut bench = bench(MockExecutor::new().exiting("p/c", 1));
    let steps = || vec![reverting("p", vec![undoable("a"), undoable("b"), undoable("c")]), host("start", ALWAYS)];
    let report = bench.run("r1", steps()).await;
    assert_eq!(bench.executor.ran(), ["p/a", "p/b", "p/c", "p/b (revert)", "p/a (revert)", "start"]);
    assert_eq!(report.hooks_executed[3], "p (revert): unb.wasm - OK");
    assert_eq!(report.hooks[3].usage.fuel_limit, Some(7), "its own limits");
    assert_eq!(report.first_error.map(|first| first.cause().text.clone()).as_deref(), Some("exit code 1"));
    let job = bench.executor.jobs().into_iter().find(|job| job.name == "p/a (revert)").unwrap();
    assert_eq!(job.dirs, hook("a").grants.dirs, "under the hook's own grants");
    bench.run("r2", steps()).await;
    assert_eq!(bench.executor.ran()[6..], ["p/a", "p/b", "p/c", "start"], "what was taken back is not done any more");
}

#[tokio::test]
async fn what_a_run_that_died_was_taking_back_is_taken_back_by_the_next_one() {
    let mut bench = bench(MockExecutor::new().exiting("p/c", 1));
    let steps = || vec![reverting("p", vec![undoable("a"), undoable("b"), undoable("c")]), host("start", ALWAYS)];
    die_in(&mut bench, steps(), "p/b (revert)").await;
    assert_eq!(bench.executor.ran(), ["p/a", "p/b", "p/c"]);
    let report = bench.run("r2", steps()).await;
    // The one that was cut off runs again, as it would by `resolve --deploy-failed`; then the whole release.
    assert_eq!(bench.executor.ran()[3..], ["p/b (revert)", "p/a (revert)", "start", "p/a", "p/b", "p/c", "start"]);
    assert_eq!(report.status, Status::Success);
    let said = bench.seen(|what| match what {
        What::Warning { code, message } if code == "run-died" => Some(message.clone()),
        _ => None,
    });
    assert!(said[0].contains("what was being taken back"), "{said:?}");
}

#[tokio::test]
async fn a_run_that_died_before_anything_failed_takes_nothing_back() {
    let mut bench = bench(MockExecutor::new());
    let steps = || vec![reverting("p", vec![undoable("a"), undoable("b")])];
    die_in(&mut bench, steps(), "p/b").await;
    let report = bench.run("r2", steps()).await;
    assert_eq!((report.status, bench.executor.ran()), (Status::Failed, vec!["p/a".to_owned()]), "a person is asked about p/b");
}

#[tokio::test]
async fn a_revert_that_fails_is_a_warning_and_leaves_its_hook_done() {
    let mut bench = bench(MockExecutor::new().exiting("p/b", 1).exiting("p/a (revert)", 9));
    let steps = || vec![reverting("p", vec![undoable("a"), undoable("b")])];
    let report = bench.run("r1", steps()).await;
    assert_eq!((report.status, report.warnings), (Status::Failed, 1));
    assert_eq!(report.hooks_executed[2], "p (revert): una.wasm - FAILED (exit code 9)");
    let again = bench.run("r2", steps()).await;
    assert_eq!(again.hooks_executed[0], "p: a.wasm - SKIPPED (already done in run r1)");
}

#[tokio::test]
async fn s2_19_after_the_run_what_it_did_is_taken_back_and_only_once() {
    let mut bench = bench(MockExecutor::new().exiting("q/c (revert)", 9));
    let steps = || vec![phase("p", vec![undoable("a"), hook("b")]), phase("q", vec![undoable("c")]), host("start", ALWAYS)];
    bench.run("r1", steps()).await;
    let prepared = prepared("later", steps());
    let run = RunId::new("r1").unwrap();
    for (attempt, expected) in [(1, vec!["q/c (revert)", "p/a (revert)"]), (2, vec!["q/c (revert)"]), (3, vec![])] {
        let events = bench.tape.0.lock().unwrap().clone();
        if attempt == 1 {
            let said = What::DeployFailed { by: "me".into(), detail: "deployment not completed".into() };
            let mut journal = Journal::new(&mut bench.runner.writers, run.clone(), events.last().unwrap().seq + 1);
            journal.record(said, None, crate::ledger::Durability::Now).unwrap();
        }
        let before = bench.executor.ran().len();
        let report = bench.runner.undo(&prepared, &run, &prepared.plan, &Stop::new()).await.unwrap().report;
        assert_eq!(bench.executor.ran()[before..], expected, "attempt {attempt}");
        assert_eq!(report.status, Status::SucceededButDeployFailed);
    }
    let next = bench.run("r2", steps()).await;
    assert_eq!(next.hooks_executed[1], "p: b.wasm - SKIPPED (already done in run r1)", "what has no revert stays");
    assert!(bench.executor.ran().ends_with(&["p/a".into(), "q/c".into(), "start".into()]), "{:?}", bench.executor.ran());
}

#[tokio::test]
async fn a_revert_whose_bytes_are_gone_is_said_and_not_guessed() {
    let mut bench = bench(MockExecutor::new().exiting("p/b", 1));
    let gone = PlanGuest::Wasm { file: "gone.wasm".into(), digest: Digest::of(b"gone"), args: vec![] };
    let hopeless = PlanHook { revert: Some(PlanSibling { guest: gone, limits: Limits::default() }), ..hook("a") };
    let report = bench.run("r1", vec![reverting("p", vec![hopeless, hook("b")])]).await;
    assert_eq!(report.hooks_executed[2], "p (revert): gone.wasm - FAILED (preflight: the planned bytes of gone.wasm are not at hand)");
}
