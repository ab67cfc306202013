//! A guest that nothing can end: the kernel keeps its thread. An executor that answers in its place and keeps its `Hold` is what the sandbox
//! is then; that the sandbox itself abandons such a thread is shown beside it.

use super::world::{World, hook};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wasmhook::Stop;
use wasmhook::exec::{Executor, Hold, Running, Surroundings};
use wasmhook::ledger::Target;
use wasmhook::ledger::lock::{Holder, Lock};
use wasmhook::model::event::Status;
use wasmhook::model::id::{AppName, EnvironmentName};
use wasmhook::model::job::{Execution, Job};
use wasmhook::model::outcome::{Outcome, TimeLimit};
use wasmhook::report::OutcomeWord;

/// Abandons every guest, and keeps what it holds until it is let go.
#[derive(Default)]
struct Stuck(Mutex<Vec<Hold>>);

impl Executor for Stuck {
    fn execute<'a>(&'a self, _: &'a Job, around: Surroundings) -> Running<'a> {
        self.0.lock().unwrap().push(around.hold);
        Box::pin(async { Ok(Execution::not_started(Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: true })) })
    }
}

#[tokio::test]
async fn the_lock_stays_while_a_thread_that_was_abandoned_lives() {
    let world = World::new();
    let stuck = Arc::new(Stuck::default());
    let engine = world.engine().wasm_executor(stuck.clone()).lock_patience(Duration::from_millis(100)).build().unwrap();
    let request = world.request().with_hook(hook("prints"));
    let first = engine.run(&request, &Stop::new()).await.unwrap();
    assert_eq!((first.status, first.hooks[0].outcome), (Status::Failed, OutcomeWord::TimedOut), "{first:#?}");

    let target = Target { app: AppName::new("shop").unwrap(), environment: EnvironmentName::new("testsite").unwrap() };
    let holder = Lock::holder(&world.state(), &target).unwrap();
    assert!(matches!(holder, Some(Holder::Known(ref owner)) if owner.pid == std::process::id()), "{holder:?}");
    let second = engine.run(&request, &Stop::new()).await.unwrap();
    assert_eq!((second.status, stuck.0.lock().unwrap().len()), (Status::Locked, 1), "nothing runs beside it: {second:#?}");

    stuck.0.lock().unwrap().clear();
    assert!(Lock::holder(&world.state(), &target).unwrap().is_none(), "its thread has ended");
    let third = engine.run(&request, &Stop::new()).await.unwrap();
    assert_ne!(third.status, Status::Locked);
}
