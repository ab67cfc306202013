//! How long something that is due may take to start.

use super::*;
use crate::exec::{Running, Surroundings};
use crate::model::job::Job;
use crate::model::wait::WaitPlan;

/// A port of this machine on which nobody listens.
fn closed() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

fn waiting(id: &str, target: &str, timeout_ms: u64) -> PlanHook {
    let wait = WaitPlan { target: target.parse().unwrap(), timeout_ms, anywhere: false };
    PlanHook { wait_for: Some(wait), ..hook(id) }
}

/// A phase whose hooks have to start within this time.
fn hurried(name: &str, start_timeout: &str, hooks: Vec<PlanHook>) -> PlanStep {
    let policy = format!(r#"{{"title": "P", "on_failure": "warn", "start_timeout": "{start_timeout}"}}"#);
    PlanStep { name: StepName::new(name).unwrap(), kind: PlanStepKind::Phase { policy: serde_json::from_str(&policy).unwrap(), hooks } }
}

fn cause(report: &Report, index: usize) -> String {
    report.hooks[index].cause.as_ref().map(|cause| cause.text.clone()).unwrap_or_default()
}

#[tokio::test]
async fn s4_67_what_is_not_ready_in_time_is_not_started_and_the_phase_decides() {
    let mut bench = bench(MockExecutor::new());
    let target = closed();
    let steps = vec![hurried("p", "1h", vec![waiting("a", &target, 50), hook("b")])];
    let report = bench.run("r1", steps).await;
    assert_eq!((report.status, bench.executor.ran()), (Status::Success, vec!["p/b".to_owned()]));
    let text = cause(&report, 0);
    assert!(text.starts_with(&format!("{target} was not ready within 50 ms: ")) && text.ends_with("it was not started"), "{text}");
    let said = bench.seen(|what| match what {
        What::GettingReady { place, doing } => Some(format!("{place}: {doing}")),
        _ => None,
    });
    assert_eq!(said, [format!("p/a: waiting for {target} (at most 50 ms)")]);
}

#[tokio::test]
async fn s4_67_a_run_that_is_stopped_waits_no_longer() {
    let mut bench = bench(MockExecutor::new());
    let prepared = prepared("r1", vec![phase("p", vec![waiting("a", &closed(), 3_600_000)])]);
    let stop = Stop::new();
    let asks = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        stop.request(Some(15));
    };
    let (report, ()) = tokio::join!(bench.runner.run(&prepared, &stop), asks);
    let report = report.unwrap();
    assert_eq!((report.status, bench.executor.ran().len()), (Status::Interrupted, 0));
    assert_eq!(report.hooks[0].outcome, OutcomeWord::Cancelled);
}

/// Loads for ever, or begins at once and takes its time.
struct Slow {
    begins: bool,
}

impl Executor for Slow {
    fn execute<'a>(&'a self, _: &'a Job, around: Surroundings) -> Running<'a> {
        Box::pin(async move {
            if !self.begins {
                around.cancel.cancelled().await;
                return Ok(Execution::not_started(Outcome::Cancelled));
            }
            around.begun.cancel();
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            Ok(Execution::not_started(if around.cancel.is_cancelled() { Outcome::Cancelled } else { Outcome::Succeeded }))
        })
    }
}

#[tokio::test]
async fn a6_what_does_not_start_in_time_failed_and_what_has_started_has_its_own_limits() {
    for (begins, expected) in [(true, ""), (false, "not started within 50 ms (start_timeout): it was still loading it")] {
        let mut bench = bench(MockExecutor::new());
        bench.runner.executors.wasm = Arc::new(Slow { begins });
        let report = bench.run("r1", vec![hurried("p", "50ms", vec![hook("a")])]).await;
        assert_eq!(cause(&report, 0), expected);
    }
}

#[tokio::test]
async fn a6_waiting_counts_towards_the_start() {
    let mut bench = bench(MockExecutor::new());
    let target = closed();
    let report = bench.run("r1", vec![hurried("p", "50ms", vec![waiting("a", &target, 3_600_000)])]).await;
    assert_eq!(cause(&report, 0), format!("not started within 50 ms (start_timeout): it was still waiting for {target}"));
    assert_eq!(report.hooks[0].attempt, None);
}
