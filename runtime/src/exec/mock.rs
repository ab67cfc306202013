//! An executor that only pretends: tests of everything above it need no guest and no time.

use super::{ExecError, Executor, Running, Surroundings};
use crate::model::job::{Execution, Job, Stream};
use crate::model::outcome::{Cause, Outcome};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Ends each job as it was told to, and remembers what it was given.
#[derive(Default)]
pub struct MockExecutor {
    scripted: Mutex<BTreeMap<String, Vec<Execution>>>,
    calls: Mutex<Vec<Job>>,
}

impl MockExecutor {
    /// An executor whose jobs all succeed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next execution of the job called `name` ends like this.
    #[must_use]
    pub fn ending(self, name: &str, execution: Execution) -> Self {
        if let Ok(mut scripted) = self.scripted.lock() {
            scripted.entry(name.to_owned()).or_default().push(execution);
        }
        self
    }

    /// The next execution of the job called `name` exits with `code`.
    #[must_use]
    pub fn exiting(self, name: &str, code: i32) -> Self {
        let outcome = if code == 0 { Outcome::Succeeded } else { Outcome::Failed { cause: Cause::Exit { code } } };
        self.ending(name, Execution { exit_code: Some(code), ..Execution::not_started(outcome) })
    }

    /// The names of the jobs that ran, in order.
    #[must_use]
    pub fn ran(&self) -> Vec<String> {
        self.jobs().into_iter().map(|job| job.name).collect()
    }

    /// The jobs that ran, in order.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        self.calls.lock().map(|calls| calls.clone()).unwrap_or_default()
    }
}

impl Executor for MockExecutor {
    fn execute<'a>(&'a self, job: &'a Job, around: Surroundings) -> Running<'a> {
        Box::pin(async move {
            self.calls.lock().map_err(|_| ExecError::new("recording the call", "a test panicked"))?.push(job.clone());
            around.begun.cancel();
            around.output.line(Stream::Stdout, &format!("{} ran", job.name));
            let mut scripted = self.scripted.lock().map_err(|_| ExecError::new("reading the script", "a test panicked"))?;
            let next = scripted.get_mut(&job.name).filter(|queue| !queue.is_empty()).map(|queue| queue.remove(0));
            Ok(next.unwrap_or_else(|| Execution { exit_code: Some(0), ..Execution::not_started(Outcome::Succeeded) }))
        })
    }
}
