//! The caller's runtime is the caller's: a guest that computes, or that has to be compiled, takes nothing of it.

use super::world::{Tape, World, hook};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use wasmhook::Stop;
use wasmhook::model::event::Status;

#[test]
fn a_single_threaded_runtime_goes_on_while_a_guest_spins() {
    goes_on(&Builder::new_current_thread().enable_all().build().unwrap());
}

#[test]
fn a_multi_threaded_runtime_goes_on_while_a_guest_spins() {
    goes_on(&Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
}

fn goes_on(runtime: &Runtime) {
    let (world, tape) = (World::new(), Tape::new());
    let engine = Arc::new(world.engine().sink(tape.clone()).build().unwrap());
    let request = world.request().with_hook(hook("spin").timeout(Duration::from_millis(300)));
    let ticks = Arc::new(AtomicU32::new(0));
    runtime.block_on(async {
        let ticking = Arc::clone(&ticks);
        let ticker = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                ticking.fetch_add(1, Ordering::SeqCst);
            }
        });
        // Spawned, as a server would: the future of a run can go to another thread.
        let run = tokio::spawn(async move { engine.run(&request, &Stop::new()).await });
        tape.guest_speaks().await;
        let before = ticks.load(Ordering::SeqCst);
        let report = run.await.unwrap().unwrap();
        let during = ticks.load(Ordering::SeqCst) - before;
        ticker.abort();
        assert_eq!(report.status, Status::Failed, "{report:#?}");
        assert_eq!(report.hooks[0].outcome.word(), "timed-out");
        // Sixty would be perfect, none is what a blocked runtime has.
        assert!(during >= 5, "{during} ticks in 300 ms");
    });
}
