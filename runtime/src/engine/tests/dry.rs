//! What a dry run says of what it can't try here.

use super::*;
use crate::model::outcome::SkipReason;

const NEEDS: &str = "a mount namespace of its own";

fn cannot_be_tried() -> Execution {
    Execution::not_started(Outcome::Failed { cause: Cause::Unsupported { needs: NEEDS.to_owned() } })
}

fn steps() -> Vec<PlanStep> {
    vec![phase("p", vec![hook("a"), hook("b"), hook("c")])]
}

#[tokio::test]
async fn what_this_machine_cannot_try_is_not_tried_with_the_reason_and_the_rest_goes_on() {
    let mut bench = bench(MockExecutor::new().ending("p/b", cannot_be_tried()));
    let report = bench.runner.dry_run(&prepared("r1", steps()), &Stop::new()).await.unwrap();
    assert_eq!(bench.executor.ran(), ["p/a", "p/b", "p/c"]);
    assert_eq!((report.status, report.hooks[1].outcome), (Status::Success, OutcomeWord::Skipped), "{report:#?}");
    let skip = report.hooks[1].skip_reason.as_ref().unwrap();
    assert_eq!(skip.why, SkipReason::NotTried { why: NEEDS.to_owned() });
    assert!(skip.text.contains("not tried") && skip.text.contains(NEEDS), "{}", skip.text);
    assert_eq!(report.not_tried(), ["p/b"]);
    assert_eq!(report.would_change.as_ref().unwrap().not_tried, ["p/b"]);
    assert_eq!(report.hooks_executed, ["p: a.wasm - OK", &format!("p: b.wasm - SKIPPED ({})", skip.text), "p: c.wasm - OK"]);
}

#[tokio::test]
async fn what_failed_beside_it_decides_the_end() {
    let mut bench = bench(MockExecutor::new().ending("p/a", cannot_be_tried()).exiting("p/b", 3));
    let report = bench.runner.dry_run(&prepared("r1", steps()), &Stop::new()).await.unwrap();
    assert_eq!(report.status, Status::Failed);
    assert_eq!(report.not_tried(), ["p/a", "p/c"], "what it couldn't try, and what it didn't come to");
    let error = serde_json::to_value(report.first_error.unwrap()).unwrap();
    assert_eq!(error["hook"], "b", "{error}");
}

#[tokio::test]
async fn a_real_run_sees_it_fail() {
    let mut bench = bench(MockExecutor::new().ending("p/b", cannot_be_tried()));
    let report = bench.run("r1", steps()).await;
    assert_eq!((report.status, report.hooks[1].outcome, report.not_tried().len()), (Status::Failed, OutcomeWord::Failed, 0));
}
