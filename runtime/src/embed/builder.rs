//! How an engine is put together: what the embedder says, over what a machine gives.

use super::ledgers::Ledgers;
use super::{Engine, Error, OnWait};
use crate::diagnostic::codes;
use crate::engine::staging::BACKUPS;
use crate::engine::{Clock, Executors, Sink, Stages};
use crate::exec::Executor;
use crate::exec::in_code::{InCode, StepCall, StepFn, StepResult};
use crate::exec::native::NativeExecutor;
use crate::exec::wasm::{Cache, WasmExecutor};
use crate::ledger::lock::Holder;
use crate::ledger::{Ledger, LedgerError};
use crate::load::Probe;
use crate::model::id::StepName;
use crate::model::outcome::Cause;
use crate::plan::Notice;
use crate::stage::{Backend, Disk};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where copies of staged directories lie in the state directory: a decided commit in them must survive power loss.
pub const STAGES: &str = "stages";

/// Where private directories are made unless somebody says otherwise.
const SCRATCH: &str = "/tmp";

/// Builds an [`Engine`]. Without more, an engine is the one of the `wasmhook` program.
#[must_use = "nothing is built before build()"]
pub struct Builder {
    state: PathBuf,
    cache: PathBuf,
    command: String,
    lock_patience: Option<Duration>,
    alone: bool,
    sinks: Vec<Arc<dyn Sink>>,
    steps: BTreeMap<StepName, StepFn>,
    clock: Clock,
    ledgers: Option<Ledgers>,
    wasm: Option<Arc<dyn Executor>>,
    native: Option<Arc<dyn Executor>>,
    operator_env: Vec<(String, String)>,
    scratch: Option<PathBuf>,
    pool: Option<NonZeroU32>,
    interrupt_signal: Option<i32>,
    on_wait: Option<OnWait>,
    backends: Vec<Backend>,
    disk: Disk,
}

impl Builder {
    pub(super) fn new(state: PathBuf, cache: PathBuf) -> Self {
        Self {
            state,
            cache,
            command: "embedded".to_owned(),
            lock_patience: None,
            alone: false,
            sinks: Vec::new(),
            steps: BTreeMap::new(),
            clock: Arc::new(jiff::Timestamp::now),
            ledgers: None,
            wasm: None,
            native: None,
            operator_env: Vec::new(),
            scratch: None,
            pool: None,
            interrupt_signal: None,
            on_wait: None,
            backends: Backend::ALL.to_vec(),
            disk: Disk::default(),
        }
    }

    /// Hands every event to `sink` as it happens. A sink is called on the thread that drives the run: one that waits makes the run wait.
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Carries a host step out in code, whatever command the operator wrote for it. It has the step's deadline and is dropped at its end or
    /// when the run is stopped; what it gives back is what a command would write to `WASMHOOK_OUTPUT`. A request whose profile has no such
    /// step is refused.
    pub fn host_step<F, Fut>(mut self, step: StepName, run: F) -> Self
    where
        F: Fn(StepCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StepResult> + Send + 'static,
    {
        self.steps.insert(step, Arc::new(move |call| Box::pin(run(call))));
        self
    }

    /// What the lock's record calls this run (the default is `embedded`).
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = command.into();
        self
    }

    /// How long to wait for the lock where the profile says wait (the default is for ever).
    pub fn lock_patience(mut self, patience: Duration) -> Self {
        self.lock_patience = Some(patience);
        self
    }

    /// This process is there for one run: another run may end it, where its profile says after how long (`stale_after`). Without it, a process
    /// that serves many is never ended because of one.
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Hears of whoever is waited for.
    pub fn on_wait(mut self, on_wait: impl Fn(&Holder) + Send + Sync + 'static) -> Self {
        self.on_wait = Some(Box::new(on_wait));
        self
    }

    /// Tells the time (the default is the machine's clock).
    pub fn clock(mut self, clock: impl Fn() -> jiff::Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Keeps the ledger elsewhere than in SQLite in the state directory. Opened once for each run and each plan; all of them must see the same
    /// history (a value in memory is shared as `Arc<Mutex<_>>`). The lock stays a file in the state directory.
    pub fn ledger(mut self, open: impl Fn() -> Result<Box<dyn Ledger>, LedgerError> + Send + Sync + 'static) -> Self {
        self.ledgers = Some(Ledgers::Own(Box::new(open)));
        self
    }

    /// Runs wasm hooks with another executor. Then no module is looked at before it runs: what the executor can't run fails when it runs.
    pub fn wasm_executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.wasm = Some(executor);
        self
    }

    /// Runs native hooks and host steps with another executor.
    pub fn native_executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.native = Some(executor);
        self
    }

    /// The operator's environment: what host steps get besides what the plan gives them (PATH, HOME, LANG).
    pub fn operator_env(mut self, env: impl IntoIterator<Item = (String, String)>) -> Self {
        self.operator_env = env.into_iter().collect();
        self
    }

    /// Reserves memory for this many wasm hooks at once, so that starting one is cheap: for engines that are kept (a process of few hooks is better
    /// off without).
    pub fn pool(mut self, hooks: NonZeroU32) -> Self {
        self.pool = Some(hooks);
        self
    }

    /// Where the private directories of hooks are made: on a file system that allows programs, in no directory that a hook is granted (the
    /// default is `/tmp`).
    pub fn scratch(mut self, dir: impl Into<PathBuf>) -> Self {
        self.scratch = Some(dir.into());
        self
    }

    /// How directories of the modes `txn` and `discard` may be staged (the default is any way, the cheapest that works first).
    pub fn backends(mut self, backends: impl IntoIterator<Item = Backend>) -> Self {
        self.backends = backends.into_iter().collect();
        self
    }

    /// The disk under stages and the embedded ledger: one that fails as planned, for tests.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// The signal that gets a hook's thread out of a blocking system call at its deadline. Off unless named: a handler for it is installed.
    pub fn interrupt_signal(mut self, signal: impl Into<Option<i32>>) -> Self {
        self.interrupt_signal = signal.into();
        self
    }

    /// Builds the engine.
    ///
    /// # Errors
    /// [`Error::Sandbox`] if the sandbox can't be set up on this machine.
    pub fn build(mut self) -> Result<Engine, Error> {
        let mut warnings = Vec::new();
        let protected = vec![("state", self.state.clone()), ("cache", self.cache.clone())];
        let (wasm, probe): (Arc<dyn Executor>, Arc<dyn Probe>) = if let Some(own) = self.wasm.take() {
            (own, Arc::new(Unprobed))
        } else {
            let sandbox = Arc::new(self.sandbox(&protected, &mut warnings)?);
            (Arc::clone(&sandbox) as _, sandbox)
        };
        let operator_path = self.operator_env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
        let native = self.native.take().unwrap_or_else(|| self.confinement(&protected));
        let stages = Stages { backends: self.backends, disk: self.disk.clone(), ..Stages::new(self.state.join(STAGES)) };
        let stages = Stages { backups: self.state.join(BACKUPS), ..stages };
        Ok(Engine {
            warnings,
            scratch: self.scratch.unwrap_or_else(|| PathBuf::from(SCRATCH)),
            stages,
            ledgers: self.ledgers.unwrap_or_else(|| Ledgers::Sqlite(self.state.clone(), self.disk)),
            state: self.state,
            cache: self.cache,
            command: self.command,
            lock_patience: self.lock_patience,
            alone: self.alone,
            sinks: self.sinks,
            clock: self.clock,
            steps_in_code: self.steps.keys().cloned().collect(),
            executors: Executors { wasm, native, in_code: Arc::new(InCode::new(self.steps)) },
            probe,
            protected,
            operator_path,
            on_wait: self.on_wait,
            heartbeat: super::heart::PACE,
        })
    }

    fn confinement(&mut self, protected: &[(&'static str, PathBuf)]) -> Arc<dyn Executor> {
        let native = NativeExecutor::builder().operator_env(std::mem::take(&mut self.operator_env));
        let native = protected.iter().fold(native, |native, (name, path)| native.protect(*name, path));
        Arc::new(match &self.scratch {
            Some(scratch) => native.scratch(scratch).build(),
            None => native.build(),
        })
    }

    fn sandbox(&self, protected: &[(&'static str, PathBuf)], warnings: &mut Vec<Notice>) -> Result<WasmExecutor, Error> {
        let mut wasm = protected.iter().fold(WasmExecutor::builder(), |wasm, (name, path)| wasm.protect(*name, path));
        // Without a cache every run compiles anew: slower, never wrong.
        match Cache::open(&self.cache) {
            Ok(cache) => wasm = wasm.cache(cache),
            Err(error) => {
                warnings.push(Notice { code: codes::CACHE.to_owned(), message: format!("the compile cache can't be used: {error}") });
            }
        }
        if let Some(hooks) = self.pool {
            wasm = wasm.pool(hooks);
        }
        if let Some(scratch) = &self.scratch {
            wasm = wasm.scratch_root(scratch);
        }
        wasm = wasm.interrupt_signal(self.interrupt_signal);
        wasm.build().map_err(|error| Error::Sandbox(error.to_string()))
    }
}

impl Probe for WasmExecutor {
    fn probe(&self, file: &str, bytes: &[u8]) -> Result<(), Cause> {
        Self::probe(self, file, bytes)
    }
}

/// Nobody here knows what another executor can run.
struct Unprobed;

impl Probe for Unprobed {
    fn probe(&self, _: &str, _: &[u8]) -> Result<(), Cause> {
        Ok(())
    }
}
