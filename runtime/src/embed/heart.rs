//! Signs of life of whoever holds a lock, for people who look at it.

use crate::ledger::lock::Lock;
use std::convert::Infallible;
use std::sync::Weak;
use std::time::Duration;

/// How often the owner of a lock gives one.
pub(super) const PACE: Duration = Duration::from_secs(10);

/// A sign of life after each `pace`, for as long as this is waited for.
pub(super) async fn beat(lock: Weak<Lock>, pace: Duration) -> Infallible {
    loop {
        tokio::time::sleep(pace).await;
        if let Some(lock) = lock.upgrade() {
            lock.beat();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::{Engine, Request};
    use crate::engine::Stop;
    use crate::exec::{Executor, Running, Surroundings};
    use crate::ledger::Target;
    use crate::model::event::Status;
    use crate::model::id::{AppName, EnvironmentName, RunId};
    use crate::model::job::{Execution, Job};
    use crate::model::outcome::Outcome;
    use std::fs;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    /// Ends a job once the lock shows another sign of life than when it began.
    struct Waits {
        state: PathBuf,
        target: Target,
        seen: Mutex<Vec<String>>,
    }

    impl Executor for Waits {
        fn execute<'a>(&'a self, job: &'a Job, _: Surroundings) -> Running<'a> {
            Box::pin(async {
                let sign = || Lock::last_sign(&self.state, &self.target).unwrap();
                let (first, begun) = (sign(), Instant::now());
                while sign() <= first {
                    assert!(begun.elapsed() < Duration::from_secs(30), "{}: no sign of life", job.name);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                self.seen.lock().unwrap().push(job.name.clone());
                Ok(Execution::not_started(Outcome::Succeeded))
            })
        }
    }

    #[tokio::test]
    async fn whoever_holds_a_lock_gives_signs_of_life_in_a_run_and_when_one_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let hook = "[[hook]]\nid = \"a\"\nphase = \"pre-deploy\"\nwasm = \"a.wasm\"\nrevert = { wasm = \"a.wasm\" }\n";
        fs::write(dir.path().join("wasmhook.toml"), format!("schema = 1\napp = \"shop\"\n{hook}")).unwrap();
        fs::write(dir.path().join("a.wasm"), "").unwrap();
        let environment = EnvironmentName::new("prod").unwrap();
        let target = Target { app: AppName::new("shop").unwrap(), environment: environment.clone() };
        let waits = Arc::new(Waits { state: state.clone(), target, seen: Mutex::default() });
        let mut engine = Engine::builder(&state, dir.path().join("cache")).wasm_executor(waits.clone()).build().unwrap();
        assert_eq!(engine.heartbeat, PACE);
        engine.heartbeat = Duration::from_millis(5);

        let request = Request::new(dir.path(), environment);
        let report = engine.run(&request, &Stop::new()).await.unwrap();
        assert_eq!(report.status, Status::Success, "{report:#?}");
        let run: RunId = report.run_id.unwrap();
        engine.deploy_failed(&request, &run, &Stop::new()).await.unwrap();
        assert_eq!(*waits.seen.lock().unwrap(), ["pre-deploy/a", "pre-deploy/a (revert)"]);
    }
}
