//! A callback of the embedder's that panics: whoever called the engine gets the panic, and nothing is held any more.

use super::world::{World, step};
use std::sync::Arc;
use std::time::Duration;
use wasmhook::Stop;
use wasmhook::ledger::Target;
use wasmhook::ledger::lock::Lock;
use wasmhook::model::event::Status;
use wasmhook::model::id::{AppName, EnvironmentName};

#[tokio::test]
async fn a_step_in_code_that_panics_does_so_to_its_caller_and_the_lock_falls() {
    for pause in [None, Some(Duration::from_millis(1))] {
        let world = World::new();
        let engine = world.engine().host_step(step("deploy"), move |_| async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            panic!("the load balancer's client has a bug");
        });
        let (engine, request) = (Arc::new(engine.build().unwrap()), world.request());
        let run = tokio::spawn(async move { engine.run(&request, &Stop::new()).await });
        let ended = tokio::time::timeout(Duration::from_mins(1), run).await.unwrap_or_else(|_| panic!("{pause:?}: it has no end"));
        assert!(ended.unwrap_err().is_panic(), "{pause:?}");
        let target = Target { app: AppName::new("shop").unwrap(), environment: EnvironmentName::new("testsite").unwrap() };
        assert!(Lock::holder(&world.state(), &target).unwrap().is_none(), "{pause:?}");
        let next = world.engine().build().unwrap().run(&world.request(), &Stop::new()).await.unwrap();
        assert_eq!(next.status, Status::Success, "{pause:?}: {next:#?}");
        assert_eq!(world.called()[..2], ["stop-services", "start-services"], "{pause:?}: what the dead run owed came first");
    }
}
