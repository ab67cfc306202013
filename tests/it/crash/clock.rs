//! A machine whose clock is set back.

use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use wasmhook::ledger::Target;
use wasmhook::model::event::Status;
use wasmhook::model::id::{AppName, EnvironmentName, Tag};
use wasmhook::{Engine, Request, Stop};
use wasmhook_tests::Project;
use wasmhook_tests::project::hook;

#[tokio::test]
async fn a_clock_that_runs_backwards_confuses_neither_order_nor_memory() {
    let lines = hook("h", "pre-deploy", "run = \"sh -c 'echo ran >> log/log'\"\ndirs = [{ path = \"log\", mode = \"write\" }]");
    let project = Project::empty().file("app/wasmhook.toml", format!("schema = 1\napp = \"shop\"\n{lines}")).file("app/log/log", "");
    let seconds = Arc::new(AtomicI64::new(0));
    let clock = move || {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000) - SignedDuration::from_mins(seconds.fetch_add(1, Ordering::SeqCst))
    };
    let engine = Engine::builder(project.path().join("state"), project.path().join("cache")).clock(clock).build().unwrap();
    let mut runs = Vec::new();
    for tag in ["v1", "v1", "v2"] {
        let request = Request::new(project.path().join("app"), EnvironmentName::new("default").unwrap());
        let request = request.with_tag(Tag::new(tag).unwrap());
        let report = engine.run(&request, &Stop::new()).await.unwrap();
        assert_eq!(report.status, Status::Success, "{tag}: {report:#?}");
        runs.push(report.run_id);
    }
    assert_eq!(project.read("app/log/log"), "ran\nran\n", "once for each release");

    let target = Target { app: AppName::new("shop").unwrap(), environment: EnvironmentName::new("default").unwrap() };
    let ledger = engine.ledger().unwrap().unwrap();
    let known: Vec<_> = ledger.runs(&target, 10).unwrap();
    assert!(known.windows(2).all(|pair| pair[0].started < pair[1].started), "the newest has the oldest time");
    assert_eq!(known.iter().map(|run| Some(run.run.clone())).rev().collect::<Vec<_>>(), runs);
    assert_eq!(ledger.last_success(&target).unwrap().map(|run| run.tag), Some(Some(Tag::new("v2").unwrap())));
}
