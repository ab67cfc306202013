//! What an embedder uses: an engine that loads, locks, runs and reports. The program of this package is built on nothing else.
//!
//! ```no_run
//! # async fn upgrade() -> Result<(), Box<dyn std::error::Error>> {
//! use wasmhook::{Engine, Request, Stop, model::id::{EnvironmentName, Tag}};
//!
//! let engine = Engine::builder("/var/lib/wasmhook", "/var/cache/wasmhook").build()?;
//! let mut request = Request::new("/srv/testsite", EnvironmentName::new("testsite")?);
//! request.tag = Some(Tag::new("v0.4.0")?);
//! let report = engine.run(&request, &Stop::new()).await?;
//! println!("{:?}: {:?}", report.status, report.hooks_executed);
//! # Ok(())
//! # }
//! ```

use crate::engine::{Clock, Error as RunError, Executors, Prepared, Readiness, Runner, Sink, Stop, Writers};
use crate::exec::Executor;
use crate::exec::in_code::{InCode, StepFn};
use crate::exec::native::NativeExecutor;
use crate::exec::wasm::{Cache, WasmExecutor};
use crate::ledger::lock::{Attempt, Holder, Lock, LockError, Owner};
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{Ledger, LedgerError, Target};
use crate::load::{self, Declared, LoadError, Probe, Request};
use crate::model::event::Status;
use crate::model::id::{Digest, RunId, StepName};
use crate::model::outcome::Cause;
use crate::model::policy::OnLocked;
use crate::report::Report;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Opens the ledger of a run.
type OpenLedger = Arc<dyn Fn() -> Result<Box<dyn Ledger>, LedgerError> + Send + Sync>;
/// Hears of whoever is waited for.
type OnWait = Arc<dyn Fn(&Holder) + Send + Sync>;

/// Why an engine could not be built, or could not carry a run out. A hook's failure is none: it stands in the report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for can't be loaded, or is refused.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The lock could not be tried.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The run could not be driven to its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The sandbox could not be set up.
    #[error("cannot set up the sandbox: {0}")]
    Sandbox(String),
}

/// Builds an [`Engine`].
pub struct Builder {
    state: PathBuf,
    cache: PathBuf,
    command: String,
    lock_patience: Option<Duration>,
    sinks: Vec<Arc<dyn Sink>>,
    steps: BTreeMap<StepName, StepFn>,
    clock: Clock,
    open_ledger: Option<OpenLedger>,
    wasm: Option<Arc<dyn Executor>>,
    native: Option<Arc<dyn Executor>>,
    operator_env: Vec<(String, String)>,
    interrupt_signal: Option<i32>,
    pool: Option<NonZeroU32>,
    on_wait: Option<OnWait>,
}

impl Builder {
    /// Hands every event to `sink` as it happens.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Carries a host step out in code instead of by a command.
    #[must_use]
    pub fn host_step(mut self, step: StepName, run: StepFn) -> Self {
        self.steps.insert(step, run);
        self
    }

    /// What the lock's record calls this run (the default is `embedded`).
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = command.into();
        self
    }

    /// How long to wait for the lock where the profile says wait (the default is for ever).
    #[must_use]
    pub fn lock_patience(mut self, patience: Duration) -> Self {
        self.lock_patience = Some(patience);
        self
    }

    /// Hears of whoever is waited for.
    #[must_use]
    pub fn on_wait(mut self, on_wait: OnWait) -> Self {
        self.on_wait = Some(on_wait);
        self
    }

    /// Tells the time (the default is the machine's clock).
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Keeps the ledger elsewhere than in SQLite in the state directory; opened once for each run.
    #[must_use]
    pub fn ledger(mut self, open: impl Fn() -> Result<Box<dyn Ledger>, LedgerError> + Send + Sync + 'static) -> Self {
        self.open_ledger = Some(Arc::new(open));
        self
    }

    /// Runs wasm hooks with another executor.
    #[must_use]
    pub fn wasm_executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.wasm = Some(executor);
        self
    }

    /// Runs native hooks and host steps with another executor.
    #[must_use]
    pub fn native_executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.native = Some(executor);
        self
    }

    /// The operator's environment: what host steps get besides what the plan gives them (PATH, HOME, LANG).
    #[must_use]
    pub fn operator_env(mut self, env: impl IntoIterator<Item = (String, String)>) -> Self {
        self.operator_env = env.into_iter().collect();
        self
    }

    /// The signal that gets a hook's thread out of a blocking system call at its deadline. Off unless named: a handler for it is installed.
    #[must_use]
    pub fn interrupt_signal(mut self, signal: i32) -> Self {
        self.interrupt_signal = Some(signal);
        self
    }

    /// Reserves memory slots for `hooks` wasm hooks at a time, and lets no more run at once. For engines that are kept and run many: a hook
    /// then starts several times faster; a process that runs one plan of a few dozen is faster without.
    #[must_use]
    pub fn pool(mut self, hooks: NonZeroU32) -> Self {
        self.pool = Some(hooks);
        self
    }

    /// Builds the engine.
    ///
    /// # Errors
    /// [`Error::Sandbox`] if the sandbox can't be set up on this machine.
    pub fn build(self) -> Result<Engine, Error> {
        let sandbox = |error: &dyn std::fmt::Display| Error::Sandbox(error.to_string());
        let protected = vec![("state", self.state.clone()), ("cache", self.cache.clone())];
        let mut wasm = protected.iter().fold(WasmExecutor::builder(), |wasm, (name, path)| wasm.protect(*name, path));
        // Without a cache every run compiles anew: slower, never wrong.
        match Cache::open(&self.cache) {
            Ok(cache) => wasm = wasm.cache(cache),
            Err(error) => tracing::warn!(%error, "the compile cache can't be used"),
        }
        if let Some(signal) = self.interrupt_signal {
            wasm = wasm.interrupt_signal(signal);
        }
        if let Some(hooks) = self.pool {
            wasm = wasm.pool(hooks);
        }
        let wasm = Arc::new(wasm.build().map_err(|error| sandbox(&error))?);
        let native = Arc::new(NativeExecutor::builder().operator_env(self.operator_env).build());
        let steps_in_code = self.steps.keys().cloned().collect();
        let executors = Executors {
            wasm: self.wasm.unwrap_or_else(|| wasm.clone()),
            native: self.native.unwrap_or(native),
            in_code: Arc::new(InCode::new(self.steps)),
        };
        let state = self.state.clone();
        let open_ledger = self.open_ledger.unwrap_or_else(|| Arc::new(move || Ok(Box::new(SqliteLedger::open(&state)?))));
        Ok(Engine {
            state: self.state,
            command: self.command,
            lock_patience: self.lock_patience,
            sinks: self.sinks,
            clock: self.clock,
            open_ledger,
            executors,
            probe: wasm,
            steps_in_code,
            protected,
            on_wait: self.on_wait,
        })
    }
}

/// Runs the hooks of releases. Cheap to keep, and meant to be kept: it holds compiled modules.
pub struct Engine {
    state: PathBuf,
    command: String,
    lock_patience: Option<Duration>,
    sinks: Vec<Arc<dyn Sink>>,
    clock: Clock,
    open_ledger: OpenLedger,
    executors: Executors,
    probe: Arc<WasmExecutor>,
    steps_in_code: Vec<StepName>,
    protected: Vec<(&'static str, PathBuf)>,
    on_wait: Option<OnWait>,
}

/// A plan that nobody has started, and what the gate says of it.
pub struct Preview {
    /// The plan and what doesn't stand in it.
    pub prepared: Prepared,
    /// What the gate decided.
    pub readiness: Readiness,
}

impl Engine {
    /// A builder for an engine that keeps its state and its compiled modules in these directories, which are the engine's alone.
    #[must_use]
    pub fn builder(state: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Builder {
        Builder {
            state: state.into(),
            cache: cache.into(),
            command: "embedded".to_owned(),
            lock_patience: None,
            sinks: Vec::new(),
            steps: BTreeMap::new(),
            clock: Arc::new(jiff::Timestamp::now),
            open_ledger: None,
            wasm: None,
            native: None,
            operator_env: Vec::new(),
            interrupt_signal: None,
            pool: None,
            on_wait: None,
        }
    }

    /// Runs what `request` names, from the lock to the report.
    ///
    /// # Errors
    /// [`Error`] if nothing could be loaded, if it is refused, or if the machinery failed. A failed hook is no error.
    pub async fn run(&self, request: &Request, stop: &Stop) -> Result<Report, Error> {
        let request = self.complete(request);
        let declared = load::declare(&request)?;
        let target = Target { app: declared.app.clone(), environment: declared.environment.clone() };
        let lock = match self.lock(&target, declared.profile.on_locked).await? {
            Attempt::Held(lock) => lock,
            Attempt::Busy(holder) => return Ok(locked_out(&declared, &holder)),
        };
        let ledger = (self.open_ledger)()?;
        let prepared = self.prepare(declared, &request, &*ledger, &target).await?;
        let writers = Writers { ledger: Some(ledger), sinks: self.sinks.clone(), clock: self.clock.clone() };
        let report = Runner::new(self.executors.clone(), writers).run(&prepared, stop).await?;
        self.release(lock);
        Ok(report)
    }

    /// What [`run`](Self::run) would do now, without doing it. Takes no lock and writes nothing but what git fetches, where `request` says so.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn plan(&self, request: &Request) -> Result<Preview, Error> {
        let request = self.complete(request);
        let declared = load::declare(&request)?;
        let target = Target { app: declared.app.clone(), environment: declared.environment.clone() };
        let ledger: Option<Box<dyn Ledger>> = SqliteLedger::open_readonly(&self.state)?.map(|ledger| Box::new(ledger) as Box<dyn Ledger>);
        let previous = previous_version(ledger.as_deref(), &target)?;
        let prepared = load::prepare(declared, &request, self.new_run(), previous, &*self.probe).await?;
        let runner = Runner::new(self.executors.clone(), Writers { ledger, sinks: Vec::new(), clock: self.clock.clone() });
        let readiness = runner.readiness(&prepared)?;
        Ok(Preview { prepared, readiness })
    }

    fn complete(&self, request: &Request) -> Request {
        let mut request = request.clone();
        request.steps_in_code.extend(self.steps_in_code.iter().cloned());
        request.protected.extend(self.protected.iter().cloned());
        request
    }

    async fn prepare(&self, declared: Declared, request: &Request, ledger: &dyn Ledger, target: &Target) -> Result<Prepared, Error> {
        let previous = previous_version(Some(ledger), target)?;
        Ok(load::prepare(declared, request, self.new_run(), previous, &*self.probe).await?)
    }

    async fn lock(&self, target: &Target, on_locked: OnLocked) -> Result<Attempt, LockError> {
        let owner = Owner::of_this_process(&self.command, (self.clock)());
        match on_locked {
            OnLocked::Wait => {
                let on_wait = |holder: &Holder| {
                    if let Some(told) = &self.on_wait {
                        told(holder);
                    }
                };
                Lock::acquire_waiting(&self.state, target, &owner, self.lock_patience, on_wait).await
            }
            OnLocked::Skip | OnLocked::Fail => Lock::try_acquire(&self.state, target, &owner),
        }
    }

    /// Gives the lock back; while a hook that could not be stopped still has its thread, only when that has ended.
    fn release(&self, lock: Lock) {
        let executor = Arc::clone(&self.probe);
        if executor.abandoned().is_empty() {
            return drop(lock);
        }
        let waiting = std::thread::Builder::new().name("wasmhook-lock".to_owned()).spawn(move || {
            while !executor.abandoned().is_empty() {
                std::thread::sleep(Duration::from_millis(100));
            }
            drop(lock);
        });
        if let Err(error) = waiting {
            tracing::error!(%error, "the lock was given back although a hook that could not be stopped may still be there");
        }
    }

    /// A name for a run: its time, and enough chance to tell two runs of one moment apart.
    fn new_run(&self) -> RunId {
        let now = (self.clock)();
        let mut salt = [0u8; 8];
        // Without the kernel's randomness the time alone tells runs apart.
        let _ = rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty());
        let text =
            format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), &Digest::of(&[&salt[..], now.to_string().as_bytes()].concat()).hex()[..6]);
        RunId::new(text).unwrap_or_else(|_| unreachable!("digits, letters and dashes make a name"))
    }
}

impl Probe for WasmExecutor {
    fn probe(&self, file: &str, bytes: &[u8]) -> Result<(), Cause> {
        WasmExecutor::probe(self, file, bytes)
    }
}

fn previous_version(ledger: Option<&dyn Ledger>, target: &Target) -> Result<Option<String>, LedgerError> {
    let last = ledger.map(|ledger| ledger.last_success(target)).transpose()?.flatten();
    Ok(last.and_then(|run| run.tag.map(|tag| tag.to_string())))
}

fn locked_out(declared: &Declared, holder: &Holder) -> Report {
    let status = if declared.profile.on_locked == OnLocked::Skip { Status::Skipped } else { Status::Locked };
    let mut report = Report::not_started(status);
    report.app = Some(declared.app.clone());
    report.environment = Some(declared.environment.clone());
    let message = match holder {
        Holder::Known(owner) => format!(
            "{} in {} is locked by {} on {} (process {}, since {}): {}",
            declared.app, declared.environment, owner.user, owner.host, owner.pid, owner.since, owner.command
        ),
        Holder::Unknown => format!("{} in {} is locked by another run", declared.app, declared.environment),
    };
    report.notices.push(crate::report::Notice { code: "locked".to_owned(), message });
    report
}

/// The state directory as an embedder sees it: what runs there were.
///
/// # Errors
/// [`LedgerError`] if there is a ledger and it can't be read.
pub fn history(state: &Path) -> Result<Option<Box<dyn Ledger>>, LedgerError> {
    Ok(SqliteLedger::open_readonly(state)?.map(|ledger| Box::new(ledger) as Box<dyn Ledger>))
}
