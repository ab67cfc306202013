//! What takes hooks back: when a phase fails, and when a deployment failed after its run.

use super::*;
use crate::engine::open::Was;
use crate::engine::pending::{self, Pending};
use crate::model::event::Resolution;
use crate::plan::PlanSibling;

impl Bench {
    /// A journal that goes on where that of a run ended.
    fn journal(&mut self, run: &RunId) -> Journal<'_> {
        let next = self.runner.writers.ledger.as_ref().unwrap().last_event(run).unwrap().seq + 1;
        Journal::new(&mut self.runner.writers, run.clone(), next)
    }

    fn say_it_failed(&mut self, run: &RunId) {
        let said = What::DeployFailed { by: "me".into(), detail: "deployment not completed".into() };
        self.journal(run).record(said, None, Durability::Now).unwrap();
    }

    fn resolve(&mut self, name: &str, resolution: Resolution) {
        let target = target(&prepared("any", vec![]).plan);
        let known = crate::engine::resolve::waiting(&**self.runner.writers.ledger.as_ref().unwrap(), &target).unwrap();
        let execution = known.into_iter().find(|execution| execution.is_called(name)).unwrap();
        assert!(execution.can_be(resolution), "{execution:?}");
        let (key, digest) = (execution.key, execution.digest);
        let what = What::Resolved { place: key.place.clone(), release: key.release.clone(), resolution, by: Some("me".into()) };
        self.journal(&execution.run).record(what, Some((&key, &digest)), Durability::Now).unwrap();
    }

    fn pending(&self) -> Pending {
        let target = target(&prepared("any", vec![]).plan);
        pending::of(&**self.runner.writers.ledger.as_ref().unwrap(), &target, &self.runner.stages).unwrap()
    }
}

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
async fn a_revert_that_fails_is_a_warning_and_leaves_its_hook_done_if_it_could_change_nothing() {
    let mut bench = bench(MockExecutor::new().exiting("p/b", 1).exiting("p/a (revert)", 9));
    let steps = || vec![reverting("p", vec![PlanHook { grants: Grants::none(), ..undoable("a") }, undoable("b")])];
    let report = bench.run("r1", steps()).await;
    assert_eq!((report.status, report.warnings), (Status::Failed, 1));
    assert_eq!(report.hooks_executed[2], "p (revert): una.wasm - FAILED (exit code 9)");
    let again = bench.run("r2", steps()).await;
    assert_eq!(again.hooks_executed[0], "p: a.wasm - SKIPPED (already done in run r1)");
}

#[tokio::test]
async fn what_a_live_revert_that_failed_left_is_for_a_person_to_say() {
    let mut bench = bench(MockExecutor::new().exiting("p/b", 1).exiting("p/a (revert)", 9));
    let steps = || vec![reverting("p", vec![undoable("a"), undoable("b")])];
    bench.run("r1", steps()).await;
    let again = bench.run("r2", steps()).await;
    assert_eq!((again.status, again.hooks[0].outcome), (Status::Failed, OutcomeWord::Unknown), "{:?}", again.hooks_executed);
    assert!(again.notices[0].message.contains("p/a was to be taken back in run r1, and its revert was cut off or failed"));
    assert_eq!(bench.executor.ran(), ["p/a", "p/b", "p/a (revert)"], "nothing runs before that");
    bench.resolve("p/a", Resolution::MarkDone);
    let report = bench.run("r3", steps()).await;
    assert_eq!(report.hooks_executed, ["p: a.wasm - SKIPPED (already done in run r1)", "p: b.wasm - OK"]);
}

#[tokio::test]
async fn s2_19_whoever_runs_again_while_a_deployment_is_half_taken_back_is_told_what_is_left() {
    let mut bench = bench(MockExecutor::new());
    let steps = || vec![phase("p", vec![undoable("a"), undoable("b")])];
    bench.run("r1", steps()).await;
    let prepared = prepared("later", steps());
    let run = RunId::new("r1").unwrap();
    bench.say_it_failed(&run);
    dying(&mut bench, "p/a (revert)", async |bench| {
        let stop = Stop::new();
        let undone = bench.runner.undo(&prepared, &run, &prepared.plan, &stop);
        assert!(undone.await_for(std::time::Duration::from_millis(200)).await.is_none());
    })
    .await;
    assert_eq!(bench.executor.ran(), ["p/a", "p/b", "p/b (revert)"]);
    let report = bench.run("r2", steps()).await;
    assert_eq!((report.status, bench.executor.ran().len()), (Status::Failed, 3), "what is left of p/a is unknown");
    let pending = bench.pending();
    assert_eq!((pending.unresolved.len(), &pending.unresolved[0].was, pending.unresolved[0].waits), (1, &Was::HalfTakenBack, true));
    let back = pending.taking_back.unwrap();
    assert_eq!((back.run.as_str(), back.places.len(), back.places[0].to_string().as_str()), ("r1", 1, "p/a"));
    bench.runner.undo(&prepared, &run, &prepared.plan, &Stop::new()).await.unwrap();
    assert_eq!(bench.executor.ran()[3..], ["p/a (revert)"]);
    bench.run("r3", steps()).await;
    assert_eq!(bench.executor.ran()[4..], ["p/a", "p/b"]);
    let pending = bench.pending();
    assert_eq!((pending.unresolved.len(), pending.taking_back), (0, None), "nothing is taken back under a newer success");
}

#[tokio::test]
async fn s2_19_after_the_run_what_it_did_is_taken_back_and_only_once() {
    let mut bench = bench(MockExecutor::new().exiting("q/c (revert)", 9));
    let steps = || vec![phase("p", vec![undoable("a"), hook("b")]), phase("q", vec![undoable("c")]), host("start", ALWAYS)];
    bench.run("r1", steps()).await;
    let prepared = prepared("later", steps());
    let run = RunId::new("r1").unwrap();
    for (attempt, expected) in [(1, vec!["q/c (revert)", "p/a (revert)"]), (2, vec!["q/c (revert)"]), (3, vec![])] {
        if attempt == 1 {
            bench.say_it_failed(&run);
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
