//! What says whether a hook took. It is asked after the hook, over the same stages; or first, where nobody knows how the attempt before ended.
//! The journal has its start before it runs: whoever finds a dead run can tell the hook from its verify.

use super::job::Reported;
use crate::exec::{ExecError, Executor, OutputSink, Surroundings};
use crate::model::event::{Place, Verified, What};
use crate::model::job::{Execution, Job};
use crate::model::outcome::{Cause, Outcome};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What says whether a job took.
pub struct Verify {
    /// What runs it.
    pub executor: Arc<dyn Executor>,
    /// The same directories, to be read only: where they are staged, it sees what was written before that is committed.
    pub job: Job,
    /// Its place: the hook's, in the role `verify`.
    pub place: Place,
    /// Which attempt at the hook it belongs to.
    pub attempt: u32,
    /// Takes its lines.
    pub output: Arc<dyn OutputSink>,
    /// Records what it does.
    pub say: Say,
    /// Whether it is asked before the hook: nobody knows how the attempt before ended.
    pub first: Option<First>,
}

/// Records an event; the answer comes when that is done, and never if the run is over.
pub type Say = Box<dyn Fn(What) -> oneshot::Receiver<()> + Send + Sync>;

/// What is known of the attempt before.
pub struct First {
    /// What the hook reported when it had itself ended with success; `None` if nobody knows whether it did.
    pub reported: Option<Reported>,
    /// Whether something of it was staged, and is lost: that the hook took can then be true of the rest alone.
    pub lost: bool,
}

impl Verify {
    /// Asks it, once it is recorded that it starts.
    async fn says(&self, around: &Surroundings, reported: Option<Reported>) -> Result<Outcome, ExecError> {
        let starts = What::Verifying { place: self.place.clone(), attempt: self.attempt, reported };
        (self.say)(starts).await.map_err(|over| ExecError::new(format!("recording the start of {}", self.place), over))?;
        let around = Surroundings { output: Arc::clone(&self.output), ..around.clone() };
        let Execution { outcome, exit_code, usage, denials, more_denials, unenforced, tail, outputs: _, dropped_outputs: _ } =
            self.executor.execute(&self.job, around).await?;
        let said = Verified { outcome: outcome.clone(), exit_code, usage, denials, more_denials, unenforced, tail };
        // The hook's outcome follows, which is what has to be known.
        drop((self.say)(What::Verified { place: self.place.clone(), result: Box::new(said) }));
        Ok(outcome)
    }

    /// What became of the attempt before, if there was one and its effects are there.
    async fn of_the_last(&self, around: &Surroundings) -> Result<Option<Execution>, ExecError> {
        let Some(First { reported, lost }) = &self.first else { return Ok(None) };
        if self.says(around, reported.clone()).await? != Outcome::Succeeded {
            return Ok(None);
        }
        let (outcome, line) = if *lost {
            (
                Outcome::Unknown,
                "it took, says its verify, but what it wrote to `txn` directories was dropped when the run died: it was not run again",
            )
        } else {
            (Outcome::Succeeded, "it took, says its verify: it was not run again")
        };
        let outputs = reported.clone().filter(|_| outcome == Outcome::Succeeded).unwrap_or_default();
        Ok(Some(Execution { tail: vec![line.to_owned()], outputs, ..Execution::not_started(outcome) }))
    }
}

/// Runs `job`, and asks whether it took.
///
/// # Errors
/// [`ExecError`] if the machinery failed, or if the run is over.
pub async fn verified(executor: &dyn Executor, job: &Job, around: Surroundings, verify: Option<&Verify>) -> Result<Execution, ExecError> {
    let Some(verify) = verify else { return executor.execute(job, around).await };
    if let Some(execution) = verify.of_the_last(&around).await? {
        return Ok(execution);
    }
    let execution = executor.execute(job, around.clone()).await?;
    if execution.said_outcome() != Outcome::Succeeded {
        return Ok(execution);
    }
    let outcome = match verify.says(&around, Some(execution.outputs.clone())).await? {
        Outcome::Succeeded => return Ok(execution),
        Outcome::Cancelled => Outcome::Cancelled,
        said => Outcome::Failed { cause: Cause::NotVerified { message: said.to_string() } },
    };
    // What it reports is believed only if it took.
    Ok(Execution { outcome, outputs: Vec::new(), ..execution })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::mock::MockExecutor;
    use crate::model::event::Role;
    use crate::model::id::{HookId, StepName};
    use crate::model::job::{Guest, Stream};
    use crate::model::limits::Limits;
    use tokio_util::sync::CancellationToken;

    struct Deaf;
    impl OutputSink for Deaf {
        fn line(&self, _: Stream, _: &str) {}
    }

    fn job(name: &str) -> Job {
        let guest = Guest::InCode { step: StepName::new("p").unwrap() };
        Job { name: name.into(), guest, env: vec![], dirs: vec![], limits: Limits::default(), collect_outputs: false }
    }

    fn verify(executor: &Arc<MockExecutor>, first: Option<First>, say: Say) -> Verify {
        let place = Place { hook: Some(HookId::new("a").unwrap()), role: Role::Verify, ..Place::step(StepName::new("p").unwrap()) };
        Verify { executor: executor.clone(), job: job("verify"), place, attempt: 1, output: Arc::new(Deaf), say, first }
    }

    fn recorded() -> Say {
        Box::new(|_| {
            let (done, waits) = oneshot::channel();
            done.send(()).unwrap();
            waits
        })
    }

    async fn carried_out(executor: &Arc<MockExecutor>, verify: &Verify) -> Result<Execution, ExecError> {
        let around = Surroundings::new(Arc::new(Deaf), CancellationToken::new());
        verified(&**executor, &job("hook"), around, Some(verify)).await
    }

    #[tokio::test]
    async fn what_took_but_for_what_was_staged_is_for_a_person_to_judge() {
        let executor = Arc::new(MockExecutor::new());
        let first = |lost| Some(First { reported: Some(vec![("k".into(), "v".into())]), lost });
        let lost = carried_out(&executor, &verify(&executor, first(true), recorded())).await.unwrap();
        assert_eq!((lost.outcome, lost.outputs.len()), (Outcome::Unknown, 0));
        let whole = carried_out(&executor, &verify(&executor, first(false), recorded())).await.unwrap();
        assert_eq!((whole.outcome, whole.outputs.len()), (Outcome::Succeeded, 1));
        assert_eq!(executor.ran(), ["verify", "verify"], "the hook didn't run again");
    }

    #[tokio::test]
    async fn a_verify_that_is_not_recorded_does_not_start() {
        let executor = Arc::new(MockExecutor::new());
        let error = carried_out(&executor, &verify(&executor, None, Box::new(|_| oneshot::channel().1))).await.unwrap_err();
        assert!(error.to_string().contains("recording the start of p/a (verify)"), "{error}");
        assert_eq!(executor.ran(), ["hook"]);
    }
}
