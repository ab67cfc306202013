//! Host steps that an embedder carries out in code.

use super::{ExecError, Executor, Running, Surroundings};
use crate::model::id::StepName;
use crate::model::job::{Execution, Guest, Job, Stream};
use crate::model::outcome::{Cause, Outcome, TimeLimit, Usage};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// What a step in code gets: the variables that a command would get.
#[derive(Debug, Clone)]
pub struct StepCall {
    /// `DEPLOY_TAG`, `APP_DIR`, … by name.
    pub env: BTreeMap<String, String>,
}

/// What a step in code gives back: `key, value` pairs as a command would write them to `WASMHOOK_OUTPUT`, or why it failed.
pub type StepResult = Result<Vec<(String, String)>, String>;

/// A host step in code.
pub type StepFn = Arc<dyn Fn(StepCall) -> Pin<Box<dyn Future<Output = StepResult> + Send>> + Send + Sync>;

/// Runs steps in code.
#[derive(Default)]
pub struct InCode {
    steps: BTreeMap<StepName, StepFn>,
    others: Option<Arc<dyn Executor>>,
}

impl InCode {
    /// An executor of these steps.
    #[must_use]
    pub fn new(steps: BTreeMap<StepName, StepFn>) -> Self {
        Self { steps, others: None }
    }

    /// An executor of these steps that leaves others to `others`.
    #[must_use]
    pub fn over(steps: BTreeMap<StepName, StepFn>, others: Arc<dyn Executor>) -> Self {
        Self { steps, others: Some(others) }
    }
}

impl Executor for InCode {
    fn execute<'a>(&'a self, job: &'a Job, around: Surroundings) -> Running<'a> {
        Box::pin(async move {
            let Guest::InCode { step } = &job.guest else {
                return Err(ExecError::new("carrying out a step in code", "the job is a command or a module"));
            };
            let run = match (self.steps.get(step), &self.others) {
                (Some(run), _) => run,
                (None, Some(others)) => return others.execute(job, around).await,
                (None, None) => return Err(ExecError::new("carrying out a step in code", format!("nobody gave code for {step}"))),
            };
            let started = Instant::now();
            around.begun.cancel();
            let result = run(StepCall { env: job.env.iter().cloned().collect() });
            let deadline = async {
                match job.limits.timeout() {
                    Some(timeout) => tokio::time::sleep(timeout).await,
                    None => std::future::pending().await,
                }
            };
            let mut execution = tokio::select! {
                result = result => ended(result, &around),
                () = deadline => Execution::not_started(Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false }),
                () = around.cancel.cancelled() => Execution::not_started(Outcome::Cancelled),
            };
            execution.usage = Usage { wall_ms: u64::try_from(started.elapsed().as_millis()).ok(), ..Usage::default() };
            Ok(execution)
        })
    }
}

fn ended(result: StepResult, around: &Surroundings) -> Execution {
    match result {
        Ok(outputs) => Execution { outputs, ..Execution::not_started(Outcome::Succeeded) },
        Err(message) => {
            around.output.line(Stream::Stderr, &message);
            Execution {
                tail: vec![message],
                exit_code: Some(1),
                ..Execution::not_started(Outcome::Failed { cause: Cause::Exit { code: 1 } })
            }
        }
    }
}
