//! Executors: each runs one [`Job`] and says how it ended. A job that fails is an [`Execution`]; an executor that fails is an [`ExecError`].

pub mod application;
pub mod dirs;
pub mod in_code;
mod lease;
pub mod mock;
#[cfg_attr(not(target_os = "linux"), path = "native/elsewhere.rs")]
pub mod native;
pub mod output;
pub mod outputs;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod testing;
#[cfg(feature = "wasm")]
pub mod wasm;

use crate::model::job::{Execution, Job, Stream};
use std::future::Future;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Takes a job's output, line by line, while it runs; on any thread, the one that polls the execution included, so it must not wait for that.
pub trait OutputSink: Send + Sync {
    /// One line without its end. Never longer than [`output::MAX_LINE`] bytes: longer ones come in pieces.
    fn line(&self, stream: Stream, line: &str);

    /// The same output as it came from the guest, byte for byte, up to its limit: for whoever passes it on. Whoever reads lines leaves it alone.
    fn bytes(&self, _stream: Stream, _bytes: &[u8]) {}
}

/// What surrounds an execution: who wants its output, and who may cancel it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// Takes the output.
    pub output: Arc<dyn OutputSink>,
    /// Cancels the execution: its outcome is then `cancelled`.
    pub cancel: CancellationToken,
    /// Kept by the executor as long as anything of the execution is left.
    pub hold: Hold,
    /// One view for each granted directory whose writes are staged. A staged grant without one is refused: never live instead.
    pub staged: Vec<Staged>,
    /// Whether the job is only tried: nothing but its staged views and its private directories may change, and nothing but its output may leave.
    pub dry: bool,
    /// Whether attempts at paths outside every grant are looked at, and come back as denials; it costs the guest an empty directory at `/`.
    pub audit: bool,
    /// Cancelled by the executor when the guest starts: everything is loaded and staged by then.
    pub begun: CancellationToken,
}

/// What a job sees in the place of a granted directory whose writes, or the writes of others to it, are staged.
#[derive(Debug, Clone)]
pub struct Staged {
    /// The grant's guest path.
    pub guest: String,
    /// The root of the view: a detached mount, or an ordinary directory.
    pub dir: Arc<OwnedFd>,
    /// The user namespace that owns the mount, if it was made without privileges.
    pub user_namespace: Option<Arc<OwnedFd>>,
    /// Device and inode of the directory that it shows, if it is known: the grant is of no other.
    pub of: Option<(u64, u64)>,
    /// Granted directories that stay live in it, by their paths on the host, with the same.
    pub live: Vec<(PathBuf, (u64, u64))>,
}

impl Surroundings {
    /// Surroundings in which nothing has to outlive the execution.
    #[must_use]
    pub fn new(output: Arc<dyn OutputSink>, cancel: CancellationToken) -> Self {
        Self { output, cancel, hold: Hold::default(), staged: Vec::new(), dry: false, audit: false, begun: CancellationToken::new() }
    }

    /// The same, with the views of the directories whose writes are staged.
    #[must_use]
    pub fn staging(self, staged: Vec<Staged>) -> Self {
        Self { staged, ..self }
    }

    /// The same, for a job that is only tried: see [`dry`](Self::dry). Whoever asks for it stages every directory that is granted for writing.
    #[must_use]
    pub fn dry(self) -> Self {
        Self { dry: true, ..self }
    }

    /// The same, looking at attempts outside every grant: see [`audit`](Self::audit).
    #[must_use]
    pub fn auditing(self, audit: bool) -> Self {
        Self { audit, ..self }
    }

    /// The view of the grant at `guest`.
    fn view(&self, guest: &str) -> Option<&Staged> {
        self.staged.iter().find(|staged| staged.guest == guest)
    }

    /// The same, with something that has to stay as long as anything of the execution is left.
    #[must_use]
    pub fn holding(self, hold: Hold) -> Self {
        Self { hold, ..self }
    }
}

/// Something that has to stay as long as anything of an execution is left: the run's lock, while a thread can't be stopped or a process is not
/// yet gone. An executor drops it before it answers, or, where it answers in the guest's place or nobody waits, when the guest has ended.
#[derive(Clone, Default)]
pub struct Hold(#[expect(dead_code, reason = "kept, never read")] Option<Arc<dyn std::any::Any + Send + Sync>>);

impl Hold {
    /// Holds `what` until the last clone is dropped.
    #[must_use]
    pub fn of(what: impl std::any::Any + Send + Sync) -> Self {
        Self(Some(Arc::new(what)))
    }
}

/// The sandbox machinery itself failed: not the guest's fault, and no outcome of it.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {source}")]
pub struct ExecError {
    /// What the executor was doing.
    pub doing: String,
    /// Why it could not.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl ExecError {
    /// An error with what was being done.
    pub fn new(doing: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { doing: doing.into(), source: source.into() }
    }
}

/// The future of an execution.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Execution, ExecError>> + Send + 'a>>;

/// Runs jobs.
pub trait Executor: Send + Sync {
    /// Runs `job` to its end. Dropping the future ends the job as a cancel does, without waiting for it.
    ///
    /// # Errors
    /// [`ExecError`] only if the machinery failed; whatever the guest does is an [`Execution`].
    fn execute<'a>(&'a self, job: &'a Job, around: Surroundings) -> Running<'a>;
}
