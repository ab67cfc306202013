//! The sandbox: runs a WASI preview1 command module or a `wasi:cli/command` component with exactly the rights of its job. The only module
//! that names wasmtime; no type of it is in a public signature.

mod admission;
mod cache;
mod classify;
mod config;
mod facility;
mod held;
mod hook_thread;
mod in_flight;
mod interrupt;
mod leash;
mod load;
mod memo;
mod meter;
mod native_code;
mod output;
mod run;
mod sniff;
mod state;
mod tally;
#[cfg(test)]
mod tests;
mod timers;
mod watch;

pub use cache::{Cache, CacheEntry, CacheError};
pub use held::HeldDirs;

use super::dirs::{Guard, Protected};
use super::{ExecError, Executor, Running, Surroundings};
use crate::model::id::Digest;
use crate::model::job::{Execution, Guest, Job};
use crate::model::outcome::{Cause, Outcome};
use held::Held;
use hook_thread::{HookThreads, Task};
use interrupt::Interrupt;
use leash::{Desk, Leash, Pull};
use load::{Loader, Refusal, Source};
use run::{Core, Request};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};
use tally::Tally;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use watch::Watch;

/// How long a hook may take to compile, unless the builder says otherwise.
pub const COMPILE_TIMEOUT: Duration = Duration::from_mins(2);

/// What a [`WasmExecutor`] is made with.
#[derive(Default)]
pub struct WasmExecutorBuilder {
    cache: Option<Cache>,
    pool: Option<NonZeroU32>,
    interrupt_signal: Option<i32>,
    compile_timeout: Option<Duration>,
    scratch_root: Option<PathBuf>,
    protected: Vec<Protected>,
}

impl WasmExecutorBuilder {
    /// Keeps compiled hooks in `cache`. Without one, each process compiles for itself.
    #[must_use]
    pub fn cache(self, cache: Cache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Reserves slots for `hooks` hooks at a time, and lets no more run at once. It pays from about 30 executions on; where the address space
    /// for it is refused, memory is allocated on demand.
    #[must_use]
    pub fn pool(self, hooks: NonZeroU32) -> Self {
        Self { pool: Some(hooks), ..self }
    }

    /// Interrupts blocking system calls of hooks with this signal (SIGURG, or a real-time one): its handler, installed for the whole process,
    /// does nothing. Without it, a hook that blocks in the kernel past its deadline is abandoned.
    #[must_use]
    pub fn interrupt_signal(self, signal: impl Into<Option<i32>>) -> Self {
        Self { interrupt_signal: signal.into(), ..self }
    }

    /// How long a hook may take to compile; [`COMPILE_TIMEOUT`] by default.
    #[must_use]
    pub fn compile_timeout(self, timeout: Duration) -> Self {
        Self { compile_timeout: Some(timeout), ..self }
    }

    /// Makes private directories in `root` instead of the system's directory for temporary files.
    #[must_use]
    pub fn scratch_root(self, root: impl Into<PathBuf>) -> Self {
        Self { scratch_root: Some(root.into()), ..self }
    }

    /// Refuses jobs whose grants reach `path`, which a message calls `name` (`state`; the cache is protected anyway).
    #[must_use]
    pub fn protect(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.protected.push(Protected::new(name, path));
        self
    }

    /// Makes the executor: its engine, and the thread that watches deadlines.
    ///
    /// # Errors
    /// [`ExecError`] if the engine can't be set up, a thread can't be started, or the signal can't be used.
    pub fn build(self) -> Result<WasmExecutor, ExecError> {
        let sandbox = |error: wasmtime::Error| ExecError::new("setting up the sandbox", format!("{error:#}"));
        let interrupt = self.interrupt_signal.map(Interrupt::install).transpose()?;
        let cache = self.cache.map(Arc::new);
        let mut protected = self.protected;
        protected.extend(cache.as_deref().map(|cache| Protected::new("cache", cache.path())));
        let engine = config::engine(self.pool).map_err(sandbox)?;
        let loader = Loader::new(engine, cache, self.compile_timeout.unwrap_or(COMPILE_TIMEOUT));
        let watch = Watch::start().map_err(|error| ExecError::new("starting the thread that watches deadlines", error))?;
        let scratch_root = self.scratch_root.unwrap_or_else(std::env::temp_dir);
        Ok(WasmExecutor {
            core: Arc::new(Core { loader, watch, guard: Guard::new(protected), scratch_root, swept: Once::new() }),
            threads: HookThreads::default(),
            places: self.pool.map(|hooks| Arc::new(Semaphore::new(hooks.get() as usize))),
            interrupt,
            held: Arc::default(),
        })
    }
}

/// Runs wasm jobs.
pub struct WasmExecutor {
    core: Arc<Core>,
    threads: HookThreads,
    places: Option<Arc<Semaphore>>,
    interrupt: Option<Interrupt>,
    held: Arc<Held>,
}

impl WasmExecutor {
    /// An executor to be configured.
    #[must_use]
    pub fn builder() -> WasmExecutorBuilder {
        WasmExecutorBuilder::default()
    }

    /// The jobs whose threads could not be stopped and haven't ended since. What overlaps their write grants must wait.
    #[must_use]
    pub fn abandoned(&self) -> Vec<HeldDirs> {
        self.held.list()
    }

    /// Whether `bytes` is a hook that this host can run, however large, found out by compiling it (through the cache) and running nothing.
    ///
    /// # Errors
    /// The cause with which its execution would fail before it starts.
    pub fn probe(&self, file: &str, bytes: &[u8]) -> Result<(), Cause> {
        let bytes: Arc<[u8]> = bytes.into();
        let source = Source { file, bytes: &bytes, digest: &Digest::of(&bytes), limit: u64::MAX };
        match self.core.loader.load(&source) {
            Ok(_) => Ok(()),
            Err(Refusal::Cause { cause, .. }) => Err(cause),
            Err(Refusal::Machinery(error)) => Err(Cause::Spawn { message: error.to_string() }),
        }
    }

    /// Runs `job` and waits for its end: on the calling thread, unless the guest could get stuck in the kernel there. The answer comes 250 ms after
    /// the deadline at the latest, if need be in the guest's place (`timed-out`, abandoned).
    ///
    /// # Errors
    /// [`ExecError`] as for [`execute`](Executor::execute), and if the thread already drives an async runtime.
    pub fn run_blocking(&self, job: &Job, around: &Surroundings) -> Result<Execution, ExecError> {
        if tokio::runtime::Handle::try_current().is_ok() {
            return Err(ExecError::new(format!("running {}", job.name), "this thread drives an async runtime: use `execute` there"));
        }
        if can_get_stuck(job) { pollster::block_on(self.execute(job, around.clone())) } else { self.run_here(job, around) }
    }

    fn run_here(&self, job: &Job, around: &Surroundings) -> Result<Execution, ExecError> {
        let Some(_place) = pollster::block_on(self.place(around)) else { return Ok(Execution::not_started(Outcome::Cancelled)) };
        let leash = Arc::new(self.leash(job, around));
        leash.lives_on(interrupt::this_thread());
        let timers = self.threads.timers()?;
        let ran = timers.block_on(self.core.run(Request { job, around, leash: &leash }));
        leash.end();
        self.threads.give_back(timers);
        ran
    }

    fn leash(&self, job: &Job, around: &Surroundings) -> Leash {
        Leash::new(Tally::new(Arc::clone(&around.output), job.limits.output_bytes), self.interrupt)
    }

    /// The execution of `job`, which has to outlive whoever asked for it.
    fn task(&self, job: &Job, around: Surroundings, leash: &Arc<Leash>) -> Result<Task, ExecError> {
        let work = {
            let (core, job, leash) = (Arc::clone(&self.core), job.clone(), Arc::clone(leash));
            async move { core.run(Request { job: &job, around: &around, leash: &leash }).await }
        };
        Ok(Task {
            name: job.name.clone(),
            work: Box::pin(work),
            timers: self.threads.timers()?,
            leash: Arc::clone(leash),
            held: Arc::clone(&self.held),
        })
    }

    /// Whether the first slice of `job` may run on the thread that asks for it: the guest is compiled and mapped, and its calls can't block.
    fn may_begin_here(&self, job: &Job) -> bool {
        !can_get_stuck(job) && matches!(&job.guest, Guest::Wasm(guest) if self.core.loader.has(&guest.digest))
    }

    /// A place among those that may run at once; `None` if the job was cancelled before there was one.
    async fn place(&self, around: &Surroundings) -> Option<Option<OwnedSemaphorePermit>> {
        let Some(places) = &self.places else { return Some(None) };
        tokio::select! {
            biased;
            // It fails only once it is closed, which it never is.
            place = Arc::clone(places).acquire_owned() => Some(place.ok()),
            () = around.cancel.cancelled() => None,
        }
    }

    /// Pulls the leash now, and keeps pulling until the guest has ended or is given up.
    fn cancel(core: &Core, leash: &Arc<Leash>) {
        leash.pull(Pull::Cancelled);
        core.watch.set(Instant::now(), Arc::clone(leash) as _);
    }
}

/// Whether the kernel could keep the guest for ever: it has one of the host's directories, where there may be a pipe or a file of another machine.
/// A signal gets many a guest out, but not each: none that waits for a disk, none on a thread that blocks it, and no component (the host's side of
/// its file calls tries again after each).
fn can_get_stuck(job: &Job) -> bool {
    job.dirs.iter().any(|dir| dir.host.is_some())
}

/// Cancels an execution that nobody waits for any more.
struct Unwanted {
    core: Arc<Core>,
    leash: Option<Arc<Leash>>,
}

impl Drop for Unwanted {
    fn drop(&mut self) {
        if let Some(leash) = self.leash.take() {
            WasmExecutor::cancel(&self.core, &leash);
        }
    }
}

impl Executor for WasmExecutor {
    fn execute<'a>(&'a self, job: &'a Job, around: Surroundings) -> Running<'a> {
        Box::pin(async move {
            let Some(place) = self.place(&around).await else { return Ok(Execution::not_started(Outcome::Cancelled)) };
            let (answer, mut answered) = oneshot::channel();
            let desk = Desk { answer, held: HeldDirs::of(job), everything_held: Arc::clone(&self.held), place };
            let leash = Arc::new(self.leash(job, &around).awaited(desk));
            let mut unwanted = Unwanted { core: Arc::clone(&self.core), leash: Some(Arc::clone(&leash)) };
            let cancel = around.cancel.clone();
            let task = self.task(job, around, &leash)?;
            let task = if self.may_begin_here(job) { task.begin(&self.threads) } else { Some(task) };
            if let Some(task) = task {
                self.threads.run(task)?;
            }
            let answer = tokio::select! {
                biased;
                answer = &mut answered => answer,
                () = cancel.cancelled() => {
                    Self::cancel(&self.core, &leash);
                    answered.await
                }
            };
            unwanted.leash = None;
            answer.unwrap_or_else(|_| Err(ExecError::new(format!("running {}", job.name), "its thread ended without an answer")))
        })
    }
}
