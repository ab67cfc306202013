//! In the place of [`native`](super::native) where the kernel isn't Linux: what confines a command (Landlock, namespaces, a subreaper with handles on
//! processes) isn't there, so every native job is refused by name: hooks, what stands in for one, and host steps.

pub use crate::model::job::DEFAULT_PATH;

use super::{Executor, Running, Surroundings};
use crate::model::job::{Execution, Job};
use crate::model::outcome::{Cause, Outcome};
use std::path::PathBuf;

/// What a native command needs that this kernel lacks.
const NEEDS: &str = "Linux, whose kernel can confine a native command and end all that it starts; port it to WASI, or run it on Linux";

/// Refuses jobs whose guest is native.
#[derive(Clone)]
pub struct NativeExecutor(());

/// Builds a [`NativeExecutor`].
#[derive(Default)]
pub struct NativeExecutorBuilder(());

impl NativeExecutorBuilder {
    /// What host steps would find in their environment.
    #[must_use]
    pub fn operator_env(self, _env: Vec<(String, String)>) -> Self {
        self
    }

    /// One more directory that every confined hook could read.
    #[must_use]
    pub fn system_dir(self, _dir: impl Into<PathBuf>) -> Self {
        self
    }

    /// Where private directories would be made.
    #[must_use]
    pub fn scratch(self, _dir: impl Into<PathBuf>) -> Self {
        self
    }

    /// Would refuse jobs whose grants reach `path`.
    #[must_use]
    pub fn protect(self, _name: impl Into<String>, _path: impl Into<PathBuf>) -> Self {
        self
    }

    /// The executor.
    #[must_use]
    pub const fn build(self) -> NativeExecutor {
        NativeExecutor(())
    }
}

impl NativeExecutor {
    /// A builder.
    #[must_use]
    pub fn builder() -> NativeExecutorBuilder {
        NativeExecutorBuilder::default()
    }
}

impl Executor for NativeExecutor {
    fn execute<'a>(&'a self, _job: &'a Job, _around: Surroundings) -> Running<'a> {
        Box::pin(async { Ok(Execution::not_started(Outcome::Failed { cause: Cause::Unsupported { needs: NEEDS.to_owned() } })) })
    }
}
