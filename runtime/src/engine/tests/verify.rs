//! What says whether a hook took: after it, and, where nobody knows how it ended, before it.

use super::*;
use crate::engine::open::Was;
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

#[tokio::test]
async fn what_a_verify_does_stands_in_the_journal_under_its_own_place() {
    let mut bench = bench(MockExecutor::new().exiting("p/a (verify)", 4));
    let report = bench.run("r1", vec![phase("p", vec![checked("a")])]).await;
    let story = bench.seen(|what| match what {
        What::Started { place, .. } => Some(format!("start {place}")),
        What::Verifying { place, attempt, reported } => Some(format!("start {place} of attempt {attempt}, reported {reported:?}")),
        What::Output { place, .. } => Some(format!("line of {place}")),
        What::Verified { place, result } => Some(format!("{place} {}", result.outcome)),
        What::Finished { place, result } => Some(format!("{place} {}", result.outcome.word())),
        _ => None,
    });
    let expected = [
        "start p/a",
        "line of p/a",
        "start p/a (verify) of attempt 1, reported Some([])",
        "line of p/a (verify)",
        "p/a (verify) failed: exit code 4",
        "p/a failed",
    ];
    assert_eq!(story, expected);
    assert_eq!(report.hooks.len(), 1, "it is a part of its hook");
    let verify = report.hooks[0].verify.as_ref().unwrap();
    assert_eq!((verify.outcome, verify.exit_code, verify.hook_ended), (OutcomeWord::Failed, Some(4), true));
    assert_eq!(verify.file.as_deref(), Some("aed.wasm"));
}

/// A run that dies while the verify of p/a runs, after a hook that reported `rows=7`.
async fn die_verifying(bench: &mut Bench, steps: Vec<PlanStep>) {
    die_in(bench, steps, "p/a (verify)").await;
    let begun = bench.seen(|what| match what {
        What::Verifying { place, reported, .. } => Some(format!("{place} {reported:?}")),
        _ => None,
    });
    assert_eq!(begun, [r#"p/a (verify) Some([("rows", "7")])"#], "it is known that the hook itself ended, and how");
    let dead = Report::fold(&*bench.tape.0.lock().unwrap());
    assert_eq!((dead.hooks[0].outcome, dead.hooks[0].verify.as_ref().unwrap().outcome), (OutcomeWord::Unknown, OutcomeWord::Unknown));
}

fn reporting() -> Execution {
    Execution { outputs: vec![("rows".into(), "7".into())], ..Execution::not_started(Outcome::Succeeded) }
}

#[tokio::test]
async fn after_a_crash_in_a_verify_only_that_is_asked_again_and_what_the_hook_reported_is_kept() {
    let mut bench = bench(MockExecutor::new().ending("p/a", reporting()));
    let steps = || vec![phase("p", vec![checked("a"), hook("b")])];
    die_verifying(&mut bench, steps()).await;
    let target = target(&prepared("r2", steps()).plan);
    let pending = pending::of(&**bench.runner.writers.ledger.as_ref().unwrap(), &target, &bench.runner.stages).unwrap();
    let open = &pending.unresolved[0];
    assert_eq!((&open.was, open.asks, open.waits), (&Was::Verifying(reporting().outputs), true, false));
    let report = bench.run("r2", steps()).await;
    assert_eq!((report.status, bench.executor.ran().join(" ")), (Status::Success, "p/a p/a (verify) p/b".to_owned()));
    assert!(report.notices[0].message.contains("p/a had ended with success, and its verify was under way"), "{:?}", report.notices);
    let died = bench.seen(|what| if let What::Warning { code, message } = what { Some(format!("{code}: {message}")) } else { None });
    assert!(died[0].starts_with("run-died: run dead died during p/a, which had ended with success and was being verified"), "{died:?}");
    let reported = bench.seen(|what| match what {
        What::Finished { place, result } if place.to_string() == "p/a" && result.outcome == Outcome::Succeeded => {
            Some(format!("{:?}", result.outputs))
        }
        _ => None,
    });
    assert_eq!(reported, [r#"[("rows", "7")]"#]);
}

#[tokio::test]
async fn a_second_crash_in_the_same_verify_forgets_nothing() {
    let mut bench = bench(MockExecutor::new().ending("p/a", reporting()));
    let steps = || vec![phase("p", vec![checked("a"), hook("b")])];
    die_verifying(&mut bench, steps()).await;
    bench.tape.0.lock().unwrap().clear();
    die_in_run(&mut bench, "dead-too", steps(), "p/a (verify)").await;
    let report = bench.run("r3", steps()).await;
    assert_eq!((report.status, bench.executor.ran().join(" ")), (Status::Success, "p/a p/a (verify) p/b".to_owned()));
    let again = bench.seen(|what| match what {
        What::Verifying { reported, .. } => Some(format!("{reported:?}")),
        _ => None,
    });
    assert_eq!(again, [r#"Some([("rows", "7")])"#; 2]);
}

#[tokio::test]
async fn after_a_crash_in_a_verify_that_then_denies_the_hook_runs_again() {
    let mut bench = bench(MockExecutor::new().ending("p/a", reporting()).exiting("p/a (verify)", 1));
    let steps = || vec![phase("p", vec![checked("a")])];
    die_verifying(&mut bench, steps()).await;
    let report = bench.run("r2", steps()).await;
    assert_eq!((report.status, bench.executor.ran().join(" ")), (Status::Success, "p/a p/a (verify) p/a p/a (verify)".to_owned()));
}
