//! What says whether a hook took: after it, and, where nobody knows how it ended, before it.

use super::*;
use crate::plan::PlanSibling;

fn checked(id: &str) -> PlanHook {
    let guest = PlanGuest::Wasm { file: format!("release/{id}ed.wasm"), digest: Digest::of(b"bytes"), args: vec![] };
    PlanHook { verify: Some(PlanSibling { guest, limits: Limits::default() }), ..hook(id) }
}

#[tokio::test]
async fn a_hook_that_its_verify_denies_failed_and_is_not_done() {
    let mut bench = bench(MockExecutor::new().exiting("p/a (verify)", 4));
    let report = bench.run("r1", vec![phase("p", vec![checked("a"), hook("b")])]).await;
    assert_eq!(bench.executor.ran(), ["p/a", "p/a (verify)"]);
    assert_eq!(report.hooks_executed, ["p: a.wasm - FAILED (not verified: failed: exit code 4)"]);
    let jobs = bench.executor.jobs();
    assert_eq!((jobs[0].dirs[0].mode, jobs[1].dirs[0].mode), (DirMode::Write, DirMode::Read), "it may look, and nothing else");
    let again = bench.run("r2", vec![phase("p", vec![checked("a"), hook("b")])]).await;
    assert_eq!((again.status, bench.executor.ran()[2..].join(" ")), (Status::Success, "p/a p/a (verify) p/b".to_owned()));
}

#[tokio::test]
async fn a_hook_that_failed_is_not_asked_about() {
    let mut bench = bench(MockExecutor::new().exiting("p/a", 1));
    bench.run("r1", vec![phase("p", vec![checked("a")])]).await;
    assert_eq!(bench.executor.ran(), ["p/a"]);
}

#[tokio::test]
async fn after_a_crash_verify_decides_whether_the_hook_took_in_place_of_a_person() {
    for (code, expected) in [(0, vec!["p/a (verify)", "p/b"]), (1, vec!["p/a (verify)", "p/a", "p/a (verify)", "p/b"])] {
        let mut bench = bench(MockExecutor::new().exiting("p/a (verify)", code));
        let steps = || vec![phase("p", vec![checked("a"), hook("b")])];
        die_in(&mut bench, steps(), "p/a").await;
        let report = bench.run("r2", steps()).await;
        assert_eq!(report.status, Status::Success, "{report:?}");
        assert_eq!(bench.executor.ran(), expected);
        assert_eq!(report.notices[0].code, "rerun-after-crash");
        let third = bench.run("r3", steps()).await;
        assert!(third.hooks_executed[0].contains("already done in run r2"), "{:?}", third.hooks_executed);
    }
}
