//! One execution: load, prepare, run on the leash, say how it ended. The composition and nothing else.

use super::classify::{Ending, Stopped, ending};
use super::config::YIELD_INTERVAL;
use super::facility::{self, fs::Sight, fs::Unprepared, listing::Listings};
use super::leash::{Leash, Pull};
use super::load::{Hook, Loader, Refusal, Source};
use super::meter::Meter;
use super::state::State;
use super::watch::Watch;
use crate::exec::dirs::{Guard, Handle};
use crate::exec::lease::{self, Leased};
use crate::exec::outputs::{self, Reported};
use crate::exec::{ExecError, Surroundings};
use crate::model::grant::Denial;
use crate::model::job::{Execution, Guest, Job, WasmGuest};
use crate::model::limits::Limits;
use crate::model::outcome::{Cause, Outcome, TimeLimit};
use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Instant;
use wasmtime::{CallHook, Store};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder, WasiView};

/// Where a guest finds its private directory for outputs.
const OUTPUT_DIR: &str = "/run/wasmhook";

/// Everything that executions share.
pub(super) struct Core {
    pub(super) loader: Loader,
    pub(super) watch: Watch,
    pub(super) guard: Guard,
    pub(super) scratch_root: PathBuf,
    /// Whether what killed processes left there was looked for.
    pub(super) swept: Once,
}

/// One execution.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) job: &'a Job,
    pub(super) around: &'a Surroundings,
    pub(super) leash: &'a Arc<Leash>,
}

/// What exists for the time of one execution; dropping it removes the private directories.
struct Prepared {
    store: Store<State>,
    outputs: Option<Leased>,
    _private: Vec<Leased>,
}

impl Core {
    /// Runs the job to its end, or until its leash is pulled. Loading and preparing it block the thread that polls this first; then the guest yields
    /// after each slice of fuel, but its calls into the kernel block, too.
    pub(super) async fn run(&self, request: Request<'_>) -> Result<Execution, ExecError> {
        let Request { job, leash, .. } = request;
        let Guest::Wasm(guest) = &job.guest else {
            return Err(ExecError::new(format!("running {}", job.name), "the wasm executor was given a native command"));
        };
        let ready = self.ready(request, guest);
        // A job that was cancelled before it starts is cancelled, whatever is wrong with it, and starts nothing: also where whoever would pull its
        // leash is the one that polls this.
        if request.around.cancel.is_cancelled() {
            leash.pull(Pull::Cancelled);
        }
        if let Some(pull) = leash.verdict() {
            return Ok(Execution::not_started(pull.outcome(false)));
        }
        match ready {
            Ok((hook, prepared)) => self.drive(&hook, prepared, request).await,
            Err(Refusal::Machinery(error)) => Err(error),
            Err(Refusal::Cause { cause, denials }) => Ok(Execution { denials, ..Execution::not_started(Outcome::Failed { cause }) }),
        }
    }

    fn ready(&self, request: Request<'_>, guest: &WasmGuest) -> Result<(Arc<Hook>, Prepared), Refusal> {
        let job = request.job;
        let dirs = self.guard.open(&job.dirs, &request.around.staged).map_err(denied)?;
        let hook =
            self.loader.load(&Source { file: &guest.file, bytes: &guest.bytes, digest: &guest.digest, limit: job.limits.module_bytes })?;
        Ok((hook, self.prepare(request, guest, &dirs)?))
    }

    /// Gives the job its rights: facility by facility, and nowhere else.
    fn prepare(&self, request: Request<'_>, guest: &WasmGuest, dirs: &[Option<Handle>]) -> Result<Prepared, Refusal> {
        let Request { job, around, leash } = request;
        let mut context = WasiCtxBuilder::new();
        facility::net::prepare(&mut context);
        facility::random::prepare(&mut context);
        facility::stdio::prepare(&mut context, leash);
        facility::env::prepare(&mut context, job, guest);
        let mut private = facility::fs::prepare(&mut context, &job.dirs, dirs, around, &self.scratch_root).map_err(unprepared)?;
        let outputs = if job.collect_outputs {
            context.env(outputs::VARIABLE, format!("{OUTPUT_DIR}/{}", outputs::FILE));
            Some(facility::fs::private(&mut context, OUTPUT_DIR, &self.scratch_root).map_err(unprepared)?)
        } else {
            None
        };
        let opened = job.dirs.len() + usize::from(outputs.is_some());
        let outside = if around.audit {
            facility::fs::record_outside(&mut context, &job.dirs, &self.scratch_root).map_err(unprepared)?
        } else {
            None
        };
        let sight = Sight::new(&job.dirs).outside(outside.as_ref().map(|_| opened));
        private.extend(outside);
        if outputs.is_some() || !private.is_empty() {
            self.swept.call_once(|| lease::sweep_meanwhile(&self.scratch_root));
        }
        let store = self.store(context, sight, request).map_err(|error| machinery("setting up a store", &error))?;
        Ok(Prepared { store, outputs, _private: private })
    }

    fn store(&self, mut context: WasiCtxBuilder, sight: Sight, request: Request<'_>) -> wasmtime::Result<Store<State>> {
        let Request { job, leash, .. } = request;
        let meter = Meter::new(&job.limits, Arc::clone(leash));
        let state = State { wasi: context.build_p1(), meter, leash: Arc::clone(leash), sight, listings: Listings::default() };
        let mut store = Store::new(self.loader.engine(), state);
        store.data_mut().ctx().table.set_max_capacity(usize::try_from(job.limits.handles).unwrap_or(usize::MAX));
        store.limiter(|state| &mut state.meter);
        store.set_fuel(budget(&job.limits))?;
        store.fuel_async_yield_interval(Some(YIELD_INTERVAL))?;
        store.call_hook(|context, event| match event {
            CallHook::CallingHost | CallHook::ReturningFromHost if context.data().leash.verdict().is_some() => Err(Stopped.into()),
            _ => Ok(()),
        });
        Ok(store)
    }

    /// Starts the clock and the guest, and waits for whichever ends it.
    async fn drive(&self, hook: &Hook, mut prepared: Prepared, request: Request<'_>) -> Result<Execution, ExecError> {
        let Request { job, around, leash } = request;
        let started = leash.tally.start();
        around.begun.cancel();
        let deadline = job.limits.timeout().and_then(|timeout| started.checked_add(timeout));
        let alarm = deadline.map(|deadline| self.watch.set(deadline, Arc::clone(leash) as _));
        let store = &mut prepared.store;
        let ended = tokio::select! {
            biased;
            result = call(hook, store) => ending(result),
            () = leash.pulled() => Ending::Stopped,
            () = around.cancel.cancelled() => { leash.pull(Pull::Cancelled); Ending::Stopped }
        };
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            leash.pull(Pull::Deadline);
        }
        let pulled = leash.end();
        if let Some(alarm) = alarm {
            self.watch.clear(alarm);
        }
        finish(prepared, job, ended, pulled)
    }
}

/// Instantiates the hook, which may already run code of it, and calls it.
async fn call(hook: &Hook, store: &mut Store<State>) -> wasmtime::Result<()> {
    match hook {
        Hook::Module(pre) => {
            let instance = pre.instantiate_async(&mut *store).await?;
            instance.get_typed_func::<(), ()>(&mut *store, "_start")?.call_async(store, ()).await
        }
        Hook::Component(pre) => {
            let command = pre.instantiate_async(&mut *store).await?;
            match command.wasi_cli_run().call_run(store).await? {
                Ok(()) => Ok(()),
                Err(()) => Err(I32Exit(1).into()),
            }
        }
    }
}

/// Puts together what the execution was.
fn finish(mut prepared: Prepared, job: &Job, ended: Ending, pulled: Option<Pull>) -> Result<Execution, ExecError> {
    let leash = Arc::clone(&prepared.store.data().leash);
    let exit_code = match &ended {
        Ending::Exit(code) => Some(*code),
        _ => None,
    };
    let refused = prepared.store.data().meter.refused();
    let fuel_is_right = pulled.is_none() && refused.is_none();
    let outcome = outcome(ended, pulled, refused)?;
    // Once it was given up on, nobody expects another line of it.
    let (tail, mut usage) = if leash.abandoned_as().is_none() { leash.tally.close() } else { leash.tally.peek() };
    if fuel_is_right {
        usage.fuel = prepared.store.get_fuel().ok().and_then(|left| budget(&job.limits).checked_sub(left));
    }
    let Reported { pairs: outputs, dropped: dropped_outputs } = match (&prepared.outputs, &outcome) {
        (Some(dir), Outcome::Succeeded) => outputs::collect(&dir.path().join(outputs::FILE)),
        _ => Reported::default(),
    };
    let (denials, more_denials) = prepared.store.data_mut().sight.denials();
    let denials = Some(denials);
    Ok(Execution { outcome, exit_code, usage, denials, more_denials, unenforced: Vec::new(), tail, outputs, dropped_outputs })
}

/// The first that applies: pulled, out of fuel, a code of its own, a refused growth, a trap.
fn outcome(ended: Ending, pulled: Option<Pull>, refused: Option<Cause>) -> Result<Outcome, ExecError> {
    if let Some(pull) = pulled {
        return Ok(pull.outcome(false));
    }
    Ok(match ended {
        Ending::Exit(0) => Outcome::Succeeded,
        Ending::OutOfFuel => Outcome::TimedOut { limit: TimeLimit::Fuel, abandoned: false },
        Ending::Exit(code) => Outcome::Failed { cause: refused.unwrap_or(Cause::Exit { code }) },
        Ending::Trap(cause) => Outcome::Failed { cause: refused.unwrap_or(cause) },
        Ending::Stopped => Outcome::Cancelled,
        Ending::NoSlot(message) => {
            return Err(ExecError::new("finding a slot for the hook", format!("{message}; build the executor with a larger pool")));
        }
    })
}

/// A job without a fuel limit still burns fuel: that is how it yields.
fn budget(limits: &Limits) -> u64 {
    limits.fuel.unwrap_or(u64::MAX)
}

fn denied(denial: Denial) -> Refusal {
    Refusal::Cause { denials: Some(vec![denial.clone()]), cause: Cause::Denied { denial } }
}

fn unprepared(why: Unprepared) -> Refusal {
    match why {
        Unprepared::Denied(denial) => denied(denial),
        Unprepared::Host(error) => Refusal::Machinery(ExecError::new("preparing the job's directories", error)),
    }
}

/// wasmtime's errors aren't standard errors: their text crosses the border.
fn machinery(doing: &str, error: &wasmtime::Error) -> Refusal {
    Refusal::Machinery(ExecError::new(doing, format!("{error:#}")))
}
