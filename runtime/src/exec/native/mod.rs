//! Runs native commands: hooks under the same policy as wasm hooks as far as the kernel can say it, and the operator's host steps.
//!
//! A command is started without a shell, with an environment of its own, nothing to read, its own process group without a terminal, and behind a
//! *supervisor* process that finds whatever it leaves behind. What it may touch is decided in `confine` alone. This module
//! composes; it makes no system call.

mod children;
mod confine;
mod copy;
mod environment;
mod kernel;
mod launch;
mod mounts;
mod places;
mod prepare;
mod private;
mod process;
mod program;
mod streams;
mod supervise;
mod supervisor;
mod sys;
#[cfg(test)]
mod tests;
mod verdict;
mod wire;

pub use crate::model::job::DEFAULT_PATH;
pub use confine::SYSTEM_DIRS;

use super::dirs::{Guard, Protected};
use super::{ExecError, Executor, Running, Surroundings};
use crate::model::grant::Denial;
use crate::model::job::{Execution, Guest, Job};
use crate::model::outcome::{Cause, Outcome};
use confine::Unconfined;
use kernel::Kernel;
use process::Run;
use std::path::PathBuf;
use std::sync::{Arc, Once};

/// Where private directories are made unless the embedder names another place.
const DEFAULT_SCRATCH: &str = "/tmp";

/// Runs jobs whose guest is native.
#[derive(Clone)]
pub struct NativeExecutor {
    guard: Arc<Guard>,
    operator_env: Vec<(String, String)>,
    system_dirs: Vec<PathBuf>,
    scratch: PathBuf,
    /// Whether what killed processes left in `scratch` was looked for.
    swept: Arc<Once>,
    kernel: Kernel,
}

/// Builds a [`NativeExecutor`].
#[derive(Default)]
pub struct NativeExecutorBuilder {
    protected: Vec<Protected>,
    operator_env: Vec<(String, String)>,
    system_dirs: Vec<PathBuf>,
    scratch: Option<PathBuf>,
}

impl NativeExecutorBuilder {
    /// What host steps find in their environment unless the job itself sets it: PATH, HOME and LANG, and whatever else the operator's
    /// commands need. Hooks never see it.
    #[must_use]
    pub fn operator_env(mut self, env: Vec<(String, String)>) -> Self {
        self.operator_env = env;
        self
    }

    /// One more directory that every confined hook may read and execute, besides [`SYSTEM_DIRS`]: `/nix/store`, a toolchain. The operator's to give.
    #[must_use]
    pub fn system_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.system_dirs.push(dir.into());
        self
    }

    /// Where private directories (HOME, TMPDIR, scripts) are made: a directory that exists, on a file system that allows programs. `/tmp` by default.
    /// A confined hook whose grant contains it is refused. The first job also removes there, on a thread of its own, what killed processes of this
    /// user left behind.
    #[must_use]
    pub fn scratch(mut self, dir: impl Into<PathBuf>) -> Self {
        self.scratch = Some(dir.into());
        self
    }

    /// Refuses jobs whose grants reach `path`, which a message calls `name` (`state`, `cache`).
    #[must_use]
    pub fn protect(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.protected.push(Protected::new(name, path));
        self
    }

    /// The executor. Asks the kernel what it can enforce.
    #[must_use]
    pub fn build(self) -> NativeExecutor {
        NativeExecutor {
            guard: Arc::new(Guard::new(self.protected)),
            operator_env: self.operator_env,
            system_dirs: self.system_dirs,
            scratch: self.scratch.unwrap_or_else(|| PathBuf::from(DEFAULT_SCRATCH)),
            swept: Arc::new(Once::new()),
            kernel: Kernel::detect(),
        }
    }
}

impl NativeExecutor {
    /// A builder whose executor gives nothing but the defaults.
    #[must_use]
    pub fn builder() -> NativeExecutorBuilder {
        NativeExecutorBuilder::default()
    }

    /// One job from its check to its result. The order matters: nothing is made for a job that is refused, and what is private stays until
    /// the last process that may use it is gone.
    async fn run(&self, job: &Job, around: &Surroundings) -> Result<Execution, NotRun> {
        let Guest::Native(guest) = &job.guest else {
            return Err(ExecError::new(format!("running {}", job.name), "the native executor was given a wasm guest").into());
        };
        if around.cancel.is_cancelled() {
            return Err(NotRun::Ended(Outcome::Cancelled));
        }
        let dirs = self.guard.open(&job.dirs, &around.staged)?;
        let prepared = self.prepare(job, guest, dirs, around)?;
        let execution = match prepared.run(&job.limits, around).await? {
            Run::Finished(finished) => verdict::execution(job, &finished, &prepared),
            Run::Failed(failure) => Execution::not_started(prepared.explain(failure)?),
        };
        prepared.remove().await;
        Ok(execution)
    }
}

impl Executor for NativeExecutor {
    fn execute<'a>(&'a self, job: &'a Job, around: Surroundings) -> Running<'a> {
        Box::pin(async move {
            match self.run(job, &around).await {
                Ok(execution) => Ok(execution),
                Err(NotRun::Ended(outcome)) => Ok(Execution::not_started(outcome)),
                Err(NotRun::Broken(error)) => Err(error),
            }
        })
    }
}

/// Why a job has no process.
enum NotRun {
    /// That is its outcome.
    Ended(Outcome),
    /// The machinery failed.
    Broken(ExecError),
}

impl NotRun {
    /// It could not be started; `message` names the file, the rule and the way out.
    fn spawn(message: String) -> Self {
        Self::Ended(Outcome::Failed { cause: Cause::Spawn { message } })
    }

    /// It can't be tried in a dry run, for want of this.
    fn untriable(needs: String) -> Self {
        Self::Ended(Outcome::Failed { cause: Cause::Unsupported { needs } })
    }
}

impl From<ExecError> for NotRun {
    fn from(error: ExecError) -> Self {
        Self::Broken(error)
    }
}

impl From<Denial> for NotRun {
    fn from(denial: Denial) -> Self {
        Self::Ended(Outcome::Failed { cause: Cause::Denied { denial } })
    }
}

impl From<Unconfined> for NotRun {
    fn from(unconfined: Unconfined) -> Self {
        match unconfined {
            Unconfined::Denied(denial) => denial.into(),
            Unconfined::Untriable(needs) => Self::untriable(needs),
            Unconfined::Broken(error) => error.into(),
        }
    }
}
