//! What an embedder may bring along: its ledger, its executors, its clock, and several tenants at once.

use super::world::{World, hook, step};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;
use wasmhook::Stop;
use wasmhook::exec::mock::MockExecutor;
use wasmhook::ledger::Ledger;
use wasmhook::ledger::memory::MemoryLedger;
use wasmhook::model::event::Status;
use wasmhook::report::OutcomeWord;

#[tokio::test]
async fn an_own_ledger_is_the_only_one() {
    let world = World::new();
    let ledger = Arc::new(Mutex::new(MemoryLedger::new()));
    let shared = Arc::clone(&ledger);
    let engine = world.engine().ledger(move || Ok(Box::new(Arc::clone(&shared)))).build().unwrap();
    let request = world.request().with_hook(hook("prints").arg("lines").arg("1"));
    let first = engine.run(&request, &Stop::new()).await.unwrap();
    assert_eq!(first.status, Status::Success, "{first:#?}");
    let plan = format!("{:?}", engine.plan(&request).await.unwrap().readiness);
    assert!(plan.contains("AlreadyDone"), "a plan asks the same ledger: {plan}");
    let second = engine.run(&request, &Stop::new()).await.unwrap();
    assert_eq!(second.hooks[0].outcome, OutcomeWord::Skipped);
    let target = ledger.targets().unwrap().remove(0);
    assert_eq!(ledger.runs(&target, 10).unwrap().len(), 2);
    assert!(wasmhook::history(&world.state()).unwrap().is_none(), "nothing was written to SQLite");
}

#[tokio::test]
async fn an_own_executor_runs_the_hooks_in_the_place_of_the_sandbox() {
    let world = World::new();
    let mock = Arc::new(MockExecutor::new().exiting("hooks/second", 3));
    let engine = world.engine().wasm_executor(mock.clone()).build().unwrap();
    let named = |id: &str| {
        let id = wasmhook::model::id::HookId::new(id).unwrap();
        wasmhook::manifest::HookDecl::wasm(id, step("hooks"), "elsewhere.wasm")
    };
    let request =
        world.request().with_module("elsewhere.wasm", *b"not for this machine").with_hook(named("first")).with_hook(named("second"));
    let report = engine.run(&request, &Stop::new()).await.unwrap();
    assert_eq!((report.status, mock.ran()), (Status::Failed, vec!["hooks/first".to_owned(), "hooks/second".to_owned()]), "{report:#?}");
    assert_eq!(report.hooks[1].exit_code, Some(3));
}

#[tokio::test]
async fn the_time_is_the_embedders() {
    let world = World::new();
    let noon: jiff::Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
    let report = world.engine().clock(move || noon).build().unwrap().run(&world.request(), &Stop::new()).await.unwrap();
    assert_eq!((report.started_at, report.ended_at), (Some(noon), Some(noon)));
    assert!(report.run_id.unwrap().as_str().starts_with("20260102-120000-"));
}

#[tokio::test]
async fn two_tenants_run_at_the_same_time_on_one_engine() {
    let world = World::new();
    world.tenant("other");
    // Each run waits in its first step until the other is there too: one after the other, they would wait for ever.
    let both = Arc::new(Barrier::new(2));
    let meet = move |_| {
        let both = Arc::clone(&both);
        async move {
            both.wait().await;
            Ok(Vec::new())
        }
    };
    let engine = world.engine().host_step(step("stop-services"), meet).build().unwrap();
    let (one, two) = (world.request().with_hook(hook("prints")), world.request_for("other").with_hook(hook("prints")));
    let stop = Stop::new();
    let runs = async { tokio::join!(engine.run(&one, &stop), engine.run(&two, &stop)) };
    let (one, two) = tokio::time::timeout(Duration::from_mins(2), runs).await.unwrap();
    assert_eq!((one.unwrap().status, two.unwrap().status), (Status::Success, Status::Success));
    let mut live = world.calls.lock().unwrap().iter().filter(|call| call.starts_with("deploy")).cloned().collect::<Vec<_>>();
    live.sort();
    assert_eq!(live, ["deploy other", "deploy testsite"]);
}
