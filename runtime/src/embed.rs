//! What an embedder uses: an engine that loads, locks, runs and reports. The program of this package is built on nothing else.
//!
//! ```no_run
//! use std::time::Duration;
//! use wasmhook::manifest::HookDecl;
//! use wasmhook::model::id::{EnvironmentName, HookId, StepName, Tag};
//! use wasmhook::{Engine, Request, Stop};
//!
//! # async fn stop_services(_tag: Option<String>) -> Result<(), String> { Ok(()) }
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // One engine for all tenants: it holds compiled modules. Its two directories are its own; no hook can reach them.
//!     let engine = Engine::builder("/var/lib/wasmhook", "/var/cache/wasmhook")
//!         .host_step(StepName::new("stop-services")?, |step| async move {
//!             stop_services(step.env.get("DEPLOY_TAG").cloned()).await?;
//!             Ok(vec![("detail".to_owned(), "2 services stopped".to_owned())])
//!         })
//!         .build()?;
//!     let banner = HookDecl::wasm(HookId::new("banner")?, StepName::new("post-pull")?, "banner.wasm").timeout(Duration::from_secs(5));
//!     let request = Request::new("/srv/testsite", EnvironmentName::new("testsite")?)
//!         .with_tag(Tag::new("v0.4.0")?)
//!         .with_module("banner.wasm", std::fs::read("/usr/share/hooks/banner.wasm")?)
//!         .with_hook(banner);
//!     let report = engine.run(&request, &Stop::new()).await?;
//!     println!("{}", serde_json::to_string_pretty(&report)?);
//!     Ok(())
//! }
//! ```

mod builder;
mod heart;
mod ledgers;
mod not_run;
#[cfg(test)]
mod profiles;
mod resolve;
mod turn;
mod watch;

pub use builder::{Builder, STAGES};
pub use resolve::{ResolveError, Resolved};
pub use watch::{Told, Watch};

use crate::engine::pending::{self, Pending};
use crate::engine::preflight::{self, Foreseen};
use crate::engine::{Clock, Error as RunError, Executors, Prepared, Readiness, Runner, Sink, Stages, Stop, Writers, resume, staging};
use crate::exec::Hold;
use crate::exec::in_code::{InCode, StepFn};
use crate::ledger::lock::{Holder, Lock, LockError, NotEnded};
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{Ledger, LedgerError, Target};
use crate::load::{self, Declared, LoadError, Previous, Probe, Request, Settled};
use crate::model::event::{Status, What};
use crate::model::id::{Digest, RunId, StepName};
use crate::model::policy::OnLocked;
use crate::plan::Notice;
use crate::report::{Folder, Report};
use crate::salt::salt;
use ledgers::Ledgers;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use turn::{Lockout, Patience};

/// Hears of whoever is waited for.
type OnWait = Box<dyn Fn(&Holder) + Send + Sync>;

/// Why an engine could not be built, or could not carry a run out. A hook's failure is none: it stands in the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    /// The directory for copies of staged directories can't be made.
    #[error("cannot make {path} for copies of staged directories: {source}")]
    Scratch {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The sandbox could not be set up.
    #[error("cannot set up the sandbox: {0}")]
    Sandbox(String),
}

/// Runs the hooks of releases. Meant to be kept, and shared by as many runs as there are tenants: it holds compiled modules.
///
/// Guests never run on the caller's threads. What an engine does there itself is short: it reads small files and writes the ledger.
pub struct Engine {
    /// What every plan warns of: what this engine lacks.
    warnings: Vec<Notice>,
    state: PathBuf,
    cache: PathBuf,
    command: String,
    lock_patience: Option<Duration>,
    /// Whether this process is there for one run.
    alone: bool,
    sinks: Vec<Arc<dyn Sink>>,
    clock: Clock,
    ledgers: Ledgers,
    executors: Executors,
    probe: Arc<dyn Probe>,
    steps_in_code: Vec<StepName>,
    protected: Vec<(&'static str, PathBuf)>,
    /// PATH as host steps find it.
    operator_path: Option<String>,
    on_wait: Option<OnWait>,
    heartbeat: Duration,
    stages: Stages,
    scratch: PathBuf,
}

/// A plan that nobody has started, and what the gate says of it.
#[non_exhaustive]
pub struct Preview {
    /// The plan and what doesn't stand in it.
    pub prepared: Prepared,
    /// What the gate decided.
    pub readiness: Readiness,
    /// What the checks before each phase would find now; also among the plan's notices.
    pub foreseen: Vec<Foreseen>,
}

/// What has to be there before a run begins.
enum Turn {
    Ours { lock: Arc<Lock>, ledger: Box<dyn Ledger>, prepared: Box<Prepared> },
    Theirs(Holder, Option<NotEnded>),
}

impl Engine {
    /// A builder for an engine that keeps its state and its compiled modules in these directories, which are the engine's alone.
    pub fn builder(state: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Builder {
        Builder::new(state.into(), cache.into())
    }

    /// Runs what `request` names, from the lock to the report. `stop` ends it early, in order; dropping the future ends it at once: whatever
    /// guest was running is stopped, the lock falls when that is done, and the next run finds a run that died.
    ///
    /// # Errors
    /// [`Error`] if nothing could be loaded, if it is refused, or if the machinery failed. A failed hook is no error.
    ///
    /// # Panics
    /// If code that was given to the engine does: as a run that died, the next one finishes it.
    pub async fn run(&self, request: &Request, stop: &Stop) -> Result<Report, Error> {
        self.run_with(request, stop, None).await
    }

    /// As [`run`](Self::run), with one more host step in code.
    async fn run_with(&self, request: &Request, stop: &Stop, in_code: Option<(StepName, StepFn)>) -> Result<Report, Error> {
        let mut request = self.complete(request);
        let mut executors = self.executors.clone();
        if let Some((name, run)) = in_code {
            request.steps_in_code.push(name.clone());
            executors.in_code = Arc::new(InCode::over([(name, run)].into(), executors.in_code));
        }
        // On the heap: an embedder's own futures shouldn't carry it.
        Box::pin(self.run_in_turn(request, stop, executors)).await
    }

    async fn run_in_turn(&self, request: Request, stop: &Stop, executors: Executors) -> Result<Report, Error> {
        let declared = load::declare(&request)?;
        let (target, on_locked) = (target(&declared), on_locked(&declared, &request));
        let turn = tokio::select! {
            biased;
            signal = stop.asked() => return Ok(not_run::stopped(&target, signal)),
            turn = self.turn(declared, &request, &target) => turn?,
        };
        let (lock, ledger, prepared) = match turn {
            Turn::Ours { lock, ledger, prepared } => (lock, ledger, prepared),
            Turn::Theirs(holder, why) => return Ok(not_run::locked_out(&target, on_locked, &holder, why.as_ref())),
        };
        let writers = Writers { ledger: Some(ledger), sinks: self.sinks.clone(), clock: self.clock.clone() };
        let heart = Arc::downgrade(&lock);
        let mut runner = Runner::new(executors, writers, self.stages.clone()).holding(Hold::of(lock));
        if let Some(idle) = request.only_if_changed.then(|| runner.idle(&prepared)).transpose()?.flatten() {
            return Ok(not_run::idle(&target, &prepared.plan, idle));
        }
        tokio::select! {
            report = runner.run(&prepared, stop) => Ok(report?),
            never = heart::beat(heart, self.heartbeat) => match never {},
        }
    }

    /// What [`run`](Self::run) would do now, without doing it. Takes no lock and writes nothing but what git fetches, where `request` says so.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn plan(&self, request: &Request) -> Result<Preview, Error> {
        let request = self.complete(request);
        let declared = load::declare(&request)?;
        let ledger = self.ledgers.look()?;
        let request = going_on(request, ledger.as_deref(), &target(&declared))?;
        let mut prepared = self.prepare(declared, &request).await?;
        let writers = Writers { ledger, sinks: Vec::new(), clock: self.clock.clone() };
        let is_on = self.is_on(&prepared);
        let runner = Runner::new(self.executors.clone(), writers, self.stages.clone()).beside(is_on);
        let readiness = runner.readiness(&prepared)?;
        let foreseen = preflight::foreseen(&prepared, readiness.decisions());
        prepared.plan.notices.extend(foreseen.iter().map(Foreseen::notice));
        if let Some(decisions) = readiness.decisions() {
            prepared.plan.warnings.extend(decisions.notices.iter().cloned());
            prepared.plan.notices.extend(runner.own_release(&prepared, decisions)?);
        }
        Ok(Preview { prepared, readiness, foreseen })
    }

    /// Tries what [`run`](Self::run) would do: really runs the hooks, over directories that are staged and dropped, and skips host steps. Leaves
    /// nothing behind, fetches nothing, and takes no lock; what would have changed stands in the report.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn dry_run(&self, request: &Request, stop: &Stop) -> Result<Report, Error> {
        let request = Request { fetch: None, ..self.complete(request) };
        let declared = load::declare(&request)?;
        let ledger = self.ledgers.look()?;
        let request = going_on(request, ledger.as_deref(), &target(&declared))?;
        let prepared = self.prepare(declared, &request).await?;
        let writers = Writers { ledger, sinks: self.sinks.clone(), clock: self.clock.clone() };
        // Its copies need not survive anything.
        let stages = Stages { scratch: self.scratch.clone(), ..self.stages.clone() };
        let is_on = self.is_on(&prepared);
        Ok(Box::pin(Runner::new(self.executors.clone(), writers, stages).beside(is_on).dry_run(&prepared, stop)).await?)
    }

    /// Whether somebody is carrying a run out, as far as this user can see.
    fn is_on(&self, prepared: &Prepared) -> bool {
        matches!(Lock::holder(&self.state, &crate::engine::target(&prepared.plan)), Ok(Some(_)))
    }

    /// What the engine remembers of its runs; `None` if there was none yet.
    ///
    /// # Errors
    /// [`LedgerError`] if there is a ledger and it can't be read.
    pub fn ledger(&self) -> Result<Option<Box<dyn Ledger>>, LedgerError> {
        self.ledgers.look()
    }

    async fn prepare(&self, declared: Declared, request: &Request) -> Result<Prepared, LoadError> {
        // On the heap: what waits for it shouldn't carry it.
        let mut prepared = Box::pin(load::prepare(declared, request, self.new_run(), &self.probe)).await?;
        prepared.plan.warnings.extend(self.warnings.iter().cloned());
        Ok(prepared)
    }

    fn complete(&self, request: &Request) -> Request {
        let mut request = request.clone();
        request.steps_in_code.clone_from(&self.steps_in_code);
        request.protected.clone_from(&self.protected);
        request.operator_path.clone_from(&self.operator_path);
        request.mirrors.clone_from(&self.cache);
        request
    }

    /// The lock, and under it the ledger and the plan.
    async fn turn(&self, declared: Declared, request: &Request, target: &Target) -> Result<Turn, Error> {
        let patience = Patience::of(&declared.profile).over(on_locked(&declared, request));
        let (lock, replaced) = match self.lock(target, patience).await? {
            Lockout::Ours(lock, replaced) => (Arc::new(lock), replaced),
            Lockout::Theirs(holder, why) => return Ok(Turn::Theirs(holder, why)),
        };
        let ledger = self.ledgers.open()?;
        staging::make_scratch(&self.stages).map_err(|source| Error::Scratch { path: self.stages.scratch.clone(), source })?;
        let request = going_on(request.clone(), Some(&*ledger), target)?;
        let mut prepared = self.prepare(declared, &request).await?;
        prepared.plan.warnings.extend(replaced);
        Ok(Turn::Ours { lock, ledger, prepared: Box::new(prepared) })
    }

    /// A name for a run: its time, and enough chance to tell two runs of one moment apart.
    fn new_run(&self) -> RunId {
        let now = (self.clock)();
        // Without the kernel's randomness the time alone tells runs apart.
        let text =
            format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), &Digest::of(&[&salt()[..], now.to_string().as_bytes()].concat()).hex()[..6]);
        RunId::new(text).unwrap_or_else(|_| unreachable!("digits, letters and dashes make a name"))
    }
}

fn on_locked(declared: &Declared, request: &Request) -> OnLocked {
    request.on_locked.unwrap_or(declared.profile.on_locked)
}

fn target(declared: &Declared) -> Target {
    Target { app: declared.app.clone(), environment: declared.environment.clone() }
}

/// The request with what only the ledger knows: the version that is live, and what the run that it goes on with was for.
fn going_on(request: Request, ledger: Option<&dyn Ledger>, target: &Target) -> Result<Request, Error> {
    let request = Request { settled: settled(ledger, target)?, ..request };
    let partial = !request.phases.is_empty() || !request.only.is_empty();
    let base = match ledger.filter(|_| request.resume) {
        Some(ledger) => resume::base(ledger, target, partial)?,
        None => None,
    };
    let Some(base) = base else {
        return Ok(Request { previous: Previous::Remembered(previous_version(ledger, target)?), ..request });
    };
    let named = request.tag.is_some() || request.commit.is_some();
    Ok(Request { tag: if named { request.tag } else { base.plan.tag }, previous: Previous::AsItWas(base.plan.previous_version), ..request })
}

/// What is settled: nothing is, where something was running when an engine died since.
fn settled(ledger: Option<&dyn Ledger>, target: &Target) -> Result<Settled, LedgerError> {
    let Some(ledger) = ledger else { return Ok(Settled::At(None)) };
    if !ledger.unresolved(target)?.is_empty() || ledger.unfinished(target)?.is_some() {
        return Ok(Settled::No);
    }
    Ok(Settled::At(ledger.last_success(target)?.and_then(|run| run.commit)))
}

/// The version that is live, as the newest run left it.
fn previous_version(ledger: Option<&dyn Ledger>, target: &Target) -> Result<Option<String>, LedgerError> {
    let Some(ledger) = ledger else { return Ok(None) };
    let Some(last) = ledger.runs(target, 1)?.pop() else { return Ok(None) };
    if let What::RunFinished { live_version, .. } = ledger.last_event(&last.run)?.what {
        return Ok(live_version);
    }
    // It died, or somebody said something of it since.
    let mut folder = Folder::new();
    ledger.events(&last.run)?.iter().for_each(|event| folder.push(event));
    Ok(folder.live_version(last.status.unwrap_or(Status::Interrupted)))
}

/// What the past of `target` still asks for, where its runs are kept in this state directory. The caller knows that no run is on.
///
/// # Errors
/// [`RunError`] if the ledger, or a plan in it, can't be read.
pub fn pending(ledger: &dyn Ledger, state: &Path, target: &Target) -> Result<Pending, RunError> {
    pending::of(ledger, target, &Stages::new(state.join(builder::STAGES)))
}

/// The state directory as an embedder sees it: what runs there were.
///
/// # Errors
/// [`LedgerError`] if there is a ledger and it can't be read.
pub fn history(state: &Path) -> Result<Option<Box<dyn Ledger>>, LedgerError> {
    Ok(SqliteLedger::open_readonly(state)?.map(|ledger| Box::new(ledger) as Box<dyn Ledger>))
}
