//! What a platform builds on: the engine as a library, through its public API alone.

mod dropped;
mod endpoint;
mod own;
mod panics;
mod refused;
mod runtimes;
mod stopped;
mod stuck;
mod watch;
mod world;

use wasmhook::Stop;
use wasmhook::model::event::{Status, What};
use wasmhook::report::OutcomeWord;
use world::{Tape, World, hook, step};

#[tokio::test]
async fn s2_18_a20_hooks_and_host_steps_added_in_code_run_like_any_other() {
    let world = World::new();
    let engine = world.engine().build().unwrap();
    let request = world.request().with_hook(hook("prints").label("The banner").arg("lines").arg("2"));
    let report = engine.run(&request, &Stop::new()).await.unwrap();
    assert_eq!(report.status, Status::Success, "{report:#?}");
    assert_eq!(world.called(), ["stop-services", "deploy", "start-services"]);
    assert_eq!(report.hooks_executed, ["hooks: prints.wasm - OK"]);
    assert_eq!(report.details, ["stop-services done", "deploy done", "start-services done"]);
    assert_eq!(report.new_version_live, Some(true));
    assert_eq!((report.hooks[0].label.as_str(), report.hooks[0].outcome), ("The banner", OutcomeWord::Succeeded));
    assert!(report.hooks[0].usage.fuel.is_some_and(|fuel| fuel > 0), "{:?}", report.hooks[0].usage);
}

#[tokio::test]
async fn s2_18_a_plan_shows_where_a_hook_added_in_code_comes_from() {
    let world = World::new();
    let engine = world.engine().build().unwrap();
    let preview = engine.plan(&world.request().with_hook(hook("prints"))).await.unwrap();
    let plan = serde_json::to_value(&preview.prepared.plan).unwrap();
    assert!(plan.to_string().contains(r#""origin":"added in code""#), "{plan:#}");
    assert!(world.called().is_empty() && !world.state().exists(), "looking at a plan leaves nothing behind");
}

#[tokio::test]
async fn a_failed_hook_is_a_report_and_no_error() {
    let world = World::new();
    let engine = world.engine().build().unwrap();
    let report = engine.run(&world.request().with_hook(hook("exits").arg("7")), &Stop::new()).await.unwrap();
    assert_eq!((report.status, report.new_version_live), (Status::Failed, Some(false)), "{report:#?}");
    assert_eq!(report.hooks[0].exit_code, Some(7));
    assert_eq!(world.called(), ["stop-services", "start-services"], "nothing after the abort but what always runs");
    assert_eq!(report.not_reached(), ["deploy"]);
}

#[tokio::test]
async fn a_step_in_code_that_fails_aborts_and_says_why() {
    let world = World::new();
    let away = |_| async { Err("the load balancer doesn't answer".to_owned()) };
    let engine = world.engine().host_step(step("stop-services"), away).build().unwrap();
    let report = engine.run(&world.request().with_hook(hook("prints")), &Stop::new()).await.unwrap();
    assert_eq!((report.status, report.hooks.len()), (Status::Failed, 0), "{report:#?}");
    assert_eq!(world.called(), ["start-services"]);
    assert!(serde_json::to_string(&report).unwrap().contains("the load balancer doesn't answer"), "{report:#?}");
}

#[tokio::test]
async fn s3_36_a_second_run_skips_what_is_done_and_plan_says_so_before() {
    let world = World::new();
    let engine = world.engine().build().unwrap();
    let request = world.request().with_hook(hook("prints").arg("lines").arg("1"));
    let first = engine.run(&request, &Stop::new()).await.unwrap();
    let plan = format!("{:?}", engine.plan(&request).await.unwrap().readiness);
    assert!(plan.contains("AlreadyDone"), "{plan}");
    let second = engine.run(&request, &Stop::new()).await.unwrap();
    assert_eq!((second.status, second.hooks[0].outcome), (Status::Success, OutcomeWord::Skipped), "{second:#?}");
    assert_eq!((first.previous_version, second.previous_version.as_deref()), (None, Some("v1.0.0")));
    let ledger = wasmhook::history(&world.state()).unwrap().unwrap();
    let target = ledger.targets().unwrap().remove(0);
    assert_eq!(ledger.runs(&target, 10).unwrap().len(), 2);
}

#[tokio::test]
async fn a_sink_sees_every_event_in_order_and_the_ledger_keeps_the_same() {
    let (world, tape) = (World::new(), Tape::new());
    let engine = world.engine().sink(tape.clone()).build().unwrap();
    let report = engine.run(&world.request().with_hook(hook("prints").arg("lines").arg("3")), &Stop::new()).await.unwrap();
    let events = tape.events();
    assert!(events.iter().enumerate().all(|(index, event)| event.seq == index as u64), "{events:#?}");
    assert!(matches!(events.first().map(|event| &event.what), Some(What::RunStarted { .. })));
    assert!(matches!(events.last().map(|event| &event.what), Some(What::RunFinished { status: Status::Success, .. })));
    let lines: Vec<&str> =
        events.iter().filter_map(|event| if let What::Output { line, .. } = &event.what { Some(line.as_str()) } else { None }).collect();
    assert_eq!(lines, ["line 1", "line 2", "line 3"]);
    let kept = engine.ledger().unwrap().unwrap().events(report.run_id.as_ref().unwrap()).unwrap();
    assert_eq!(kept, events);
    assert_eq!(wasmhook::report::Report::fold(&kept), report);
}
