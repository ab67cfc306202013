//! `Stop`: the run ends in order, and says so.

use super::world::{Tape, World, hook, step};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use wasmhook::model::event::Status;
use wasmhook::report::OutcomeWord;
use wasmhook::{Engine, Stop};

#[tokio::test]
async fn a7_a_stopped_run_is_interrupted_and_its_always_steps_run() {
    let (world, tape, stop) = (World::new(), Tape::new(), Stop::new());
    let engine = world.engine().sink(tape.clone()).build().unwrap();
    let request = world.request().with_hook(hook("spin")).with_hook(hook("prints"));
    let (report, ()) = tokio::join!(engine.run(&request, &stop), async {
        tape.guest_speaks().await;
        stop.request(None);
    });
    let report = report.unwrap();
    assert_eq!((report.status, report.signal), (Status::Interrupted, None), "{report:#?}");
    assert_eq!((report.hooks.len(), report.hooks[0].outcome), (1, OutcomeWord::Cancelled));
    assert_eq!(world.called(), ["stop-services", "start-services"]);
    assert_eq!(report.new_version_live, Some(false));
}

#[tokio::test]
async fn a_run_that_is_stopped_before_it_begins_runs_nothing() {
    let (world, stop) = (World::new(), Stop::new());
    stop.request(Some(15));
    let report = world.engine().build().unwrap().run(&world.request(), &stop).await.unwrap();
    assert_eq!((report.status, report.signal, report.run_id), (Status::Interrupted, Some(15), None));
    assert!(world.called().is_empty() && wasmhook::history(&world.state()).unwrap().is_none());
}

#[tokio::test]
async fn who_waits_for_the_lock_can_be_stopped() {
    let world = World::new();
    let (inside, go_on, waits) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let engine: Engine = {
        let (inside, go_on, waits) = (Arc::clone(&inside), Arc::clone(&go_on), Arc::clone(&waits));
        let hold = move |_| {
            let (inside, go_on) = (Arc::clone(&inside), Arc::clone(&go_on));
            async move {
                inside.notify_one();
                go_on.notified().await;
                Ok(Vec::new())
            }
        };
        world.engine().host_step(step("deploy"), hold).on_wait(move |_| waits.notify_one()).build().unwrap()
    };
    let (request, never, stop) = (world.request(), Stop::new(), Stop::new());
    let second = async {
        inside.notified().await;
        let (report, ()) = tokio::join!(engine.run(&request, &stop), async {
            waits.notified().await;
            stop.request(None);
        });
        go_on.notify_one();
        report
    };
    let both = async { tokio::join!(engine.run(&request, &never), second) };
    let (first, second) = tokio::time::timeout(Duration::from_mins(2), both).await.unwrap();
    assert_eq!((first.unwrap().status, second.unwrap().status), (Status::Success, Status::Interrupted));
}
