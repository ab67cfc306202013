//! Does what the machine says: records, launches, cancels, and feeds back what happened. It decides nothing.

use super::gate::{self, Decisions};
use super::job::{self, Supplies};
use super::journal::Journal;
use super::keep::{self, Done, Held, Keep, Verify};
use super::lines::{self, Words};
use super::machine::{At, Decision, Effect, Input, LockState, Machine, Record};
use super::replay::Remains;
use super::salvage::Salvaged;
use super::stop::Stop;
use super::{Checks, Executors, lifecycle};
use crate::diagnostic::codes;
use crate::exec::{ExecError, Executor, Hold, OutputSink, Surroundings};
use crate::ledger::{Durability, Key, LedgerError};
use crate::model::event::{Finished, Place, Resolution, Status, What};
use crate::model::grant::{Capability, Denial, DirGrant};
use crate::model::id::Digest;
use crate::model::job::{Execution, Guest, Job, Stream};
use crate::model::outcome::{Cause, Outcome, SkipReason, Verdict};
use crate::plan::{Plan, PlanHook, PlanStepKind};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Why a run could not be driven to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// Something could not be recorded.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An executor failed.
    #[error(transparent)]
    Executor(#[from] ExecError),
}

/// What a drive needs besides the machine and the journal.
pub struct Setting<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What the gate decided.
    pub decisions: &'a Decisions,
    /// What runs jobs.
    pub executors: &'a Executors,
    /// What jobs are filled with.
    pub supplies: Supplies<'a>,
    /// The checks before a phase.
    pub checks: &'a dyn Checks,
    /// Attempts before this run, by place.
    pub attempts: BTreeMap<Place, u32>,
    /// Asks the run to stop.
    pub stop: &'a Stop,
    /// What stays until nothing of any execution is left.
    pub hold: &'a Hold,
    /// Where staged directories are kept until it is known how their hooks ended.
    pub keep: &'a mut Keep,
    /// What to do when the last phase is over and everything in it succeeded.
    pub after_hooks: &'a (dyn Fn() -> Result<(), String> + Send + Sync),
    /// What to do when the run has succeeded, before that is recorded.
    pub after_success: &'a (dyn Fn() -> Result<(), String> + Send + Sync),
}

/// Something that happened outside.
enum News {
    Output(At, Stream, String),
    Ended(At, Box<Result<Done, ExecError>>),
    Committed(usize, Box<Result<Done, ExecError>>),
}

/// Drives `machine` to its end.
///
/// # Errors
/// [`DriveError`] if the journal or an executor failed; what still ran was stopped then.
pub async fn drive(machine: Machine, setting: Setting<'_>, journal: &mut Journal<'_>) -> Result<Status, DriveError> {
    let (news, mut inbox) = mpsc::unbounded_channel();
    let mut driver = Driver {
        setting,
        journal,
        news,
        tasks: JoinSet::new(),
        cancels: BTreeMap::new(),
        executions: BTreeMap::new(),
        held: Held::default(),
        step_outputs: BTreeMap::new(),
        step_causes: BTreeMap::new(),
        done: Vec::new(),
        abandoned: Vec::new(),
    };
    let mut machine = machine;
    let mut inputs = VecDeque::from([Input::Start(LockState::Held)]);
    let mut cancelled = false;
    loop {
        while let Some(input) = inputs.pop_front() {
            for effect in machine.handle(input) {
                if let Effect::Finish(status) = effect {
                    return Ok(status);
                }
                inputs.extend(driver.perform(effect)?);
            }
        }
        let input = tokio::select! {
            biased;
            signal = driver.setting.stop.asked(), if !cancelled => {
                cancelled = true;
                Some(Input::Cancel { signal })
            }
            Some(news) = inbox.recv() => driver.take(news)?,
        };
        inputs.extend(input);
    }
}

struct Driver<'a, 'j> {
    setting: Setting<'a>,
    journal: &'a mut Journal<'j>,
    news: mpsc::UnboundedSender<News>,
    tasks: JoinSet<()>,
    cancels: BTreeMap<At, CancellationToken>,
    executions: BTreeMap<At, Done>,
    /// What may be let go, or said of hooks, once something else is durable.
    held: Held,
    step_outputs: BTreeMap<usize, Vec<(String, String)>>,
    /// Why a host step ended as it did, for its line.
    step_causes: BTreeMap<usize, String>,
    /// Steps that ran and did not fail, in order.
    done: Vec<usize>,
    /// What executions that could not be stopped may still write to.
    abandoned: Vec<DirGrant>,
}

impl Driver<'_, '_> {
    fn perform(&mut self, effect: Effect) -> Result<Option<Input>, DriveError> {
        match effect {
            Effect::Record(record) => self.record(record)?,
            Effect::Preflight { step } => return Ok(Some(Input::Preflighted { step, findings: self.preflight(step) })),
            Effect::Launch(at) => self.launch(at),
            Effect::Cancel(at) => {
                if let Some(cancel) = self.cancels.get(&at) {
                    cancel.cancel();
                }
            }
            Effect::OpenStage { step } => self.setting.keep.open_phase(self.setting.plan, step),
            Effect::CommitStage { step } => {
                let (staging, news) = (self.setting.keep.take_phase(step), self.news.clone());
                if staging.is_some() {
                    // Whoever finds the commit decided must know which hooks it stands for.
                    self.journal.sync()?;
                }
                self.tasks.spawn(async move {
                    // The receiver is gone only when the run ended with an error.
                    let _ = news.send(News::Committed(step, Box::new(keep::commit(staging).await)));
                });
            }
            Effect::DropStage { step } => self.drop_stage(step)?,
            // The lock is held by whoever called, and falls with the last event.
            Effect::ReleaseLock | Effect::Finish(_) => {}
        }
        Ok(None)
    }

    fn take(&mut self, news: News) -> Result<Option<Input>, DriveError> {
        match news {
            News::Output(at, stream, line) => {
                let place = lifecycle::place(self.setting.plan, at);
                self.journal.record(What::Output { place, stream, line }, None, Durability::Later)?;
                Ok(None)
            }
            News::Committed(step, done) => {
                let done = (*done)?;
                let outcome = done.execution.outcome.clone();
                self.held.keep(done.applied);
                self.held.phase_ended(step, &outcome, self.journal)?;
                Ok(Some(Input::Committed { step, outcome }))
            }
            News::Ended(at, done) => {
                let done = (*done)?;
                let execution = &done.execution;
                self.cancels.remove(&at);
                if matches!(execution.outcome, Outcome::TimedOut { abandoned: true, .. }) {
                    let dirs = self.hook(at).map(|hook| hook.grants.dirs.clone());
                    self.abandoned.extend(dirs.into_iter().flatten());
                }
                let outcome = self.setting.keep.said(execution);
                self.step_outputs.entry(at.step).or_default().extend(execution.outputs.iter().cloned());
                if outcome == Outcome::Succeeded {
                    self.hand_on(at, &done.execution);
                }
                self.executions.insert(at, done);
                Ok(Some(Input::Ended { at, outcome }))
            }
        }
    }

    /// What a hook reported is accepted only after its success.
    fn hand_on(&mut self, at: At, execution: &Execution) {
        let Place { step, hook: Some(hook), .. } = lifecycle::place(self.setting.plan, at) else { return };
        if !at.revert {
            self.setting.supplies.outputs.entry((step, hook)).or_default().extend(execution.outputs.iter().cloned());
        }
    }

    fn preflight(&self, step: usize) -> Vec<(usize, Vec<String>)> {
        let PlanStepKind::Phase { hooks, .. } = &self.setting.plan.steps[step].kind else { return Vec::new() };
        let runs = |slot: &usize| self.setting.decisions.by_step[step][*slot] == Decision::Run;
        let findings = |hook: &PlanHook| {
            let mut findings: Vec<String> = hook.unusable.iter().cloned().collect();
            findings.extend(job::missing(hook, &self.setting.supplies).iter().map(ToString::to_string));
            findings.extend(self.setting.checks.check(hook));
            findings
        };
        let slots = hooks.iter().enumerate().filter(|(slot, _)| runs(slot));
        slots.map(|(slot, hook)| (slot, findings(hook))).filter(|(_, findings)| !findings.is_empty()).collect()
    }

    fn launch(&mut self, at: At) {
        let place = lifecycle::place(self.setting.plan, at);
        let attempt = self.attempt(&place);
        let cancel = CancellationToken::new();
        self.cancels.insert(at, cancel.clone());
        // An earlier hook of the phase may have put a link where a granted directory was.
        let findings = self.hook(at).map(|hook| self.setting.checks.check(&hook)).unwrap_or_default();
        if !findings.is_empty() {
            return self.ended(at, Execution::not_started(Outcome::Failed { cause: Cause::Preflight { findings } }));
        }
        let mut job = match job::job(self.setting.plan, at, &place, attempt, &self.setting.supplies) {
            Ok(job) => job,
            Err(errors) => {
                let findings = errors.iter().map(ToString::to_string).collect();
                return self.ended(at, Execution::not_started(Outcome::Failed { cause: Cause::Preflight { findings } }));
            }
        };
        let verify = match self.verify(at, &place, attempt) {
            Ok(verify) => verify,
            Err(findings) => return self.ended(at, Execution::not_started(Outcome::Failed { cause: Cause::Preflight { findings } })),
        };
        if job::overlap(&job.dirs, &self.abandoned) {
            return self.ended(at, Execution::not_started(Outcome::Failed { cause: Cause::Denied { denial: abandoned_writer() } }));
        }
        let stagings = match self.setting.keep.of_job(at, &place, &mut job) {
            Ok(stagings) => stagings,
            Err(cause) => return self.ended(at, Execution::not_started(Outcome::Failed { cause })),
        };
        let executor = self.executor(&job);
        let news = self.news.clone();
        let around = Surroundings::new(Arc::new(Forward { at, news: news.clone() }), cancel).holding(self.setting.hold.clone());
        let around = if self.setting.keep.is_dry() { around.dry() } else { around };
        let span = tracing::info_span!("attempt", place = %place, attempt, outcome = tracing::field::Empty);
        let task = async move {
            let done = keep::carry_out(&*executor, &job, around, stagings, verify.as_ref()).await;
            if let Ok(done) = &done {
                tracing::Span::current().record("outcome", done.execution.outcome.word());
            }
            // The receiver is gone only when the run ended with an error: nobody is left to tell.
            let _ = news.send(News::Ended(at, Box::new(done)));
        };
        self.tasks.spawn(task.instrument(span));
    }

    /// What says whether the hook took, or what it lacks: who can't be asked afterwards isn't believed, so the hook doesn't start.
    fn verify(&self, at: At, place: &Place, attempt: u32) -> Result<Option<Verify>, Vec<String>> {
        let Some(hook) = lifecycle::verify(self.setting.plan, at) else { return Ok(None) };
        let findings = self.setting.checks.check(&hook);
        if !findings.is_empty() {
            return Err(findings.into_iter().map(|finding| format!("its verify: {finding}")).collect());
        }
        let job = job::verify(self.setting.plan, at, place, attempt, &self.setting.supplies)
            .map_err(|errors| errors.iter().map(|error| format!("its verify: {error}")).collect::<Vec<_>>())?;
        let before = self.setting.decisions.verify_first.contains(place);
        Ok(job.map(|job| Verify { executor: self.executor(&job), job, before }))
    }

    fn ended(&self, at: At, execution: Execution) {
        // The receiver lives as long as this driver.
        let _ = self.news.send(News::Ended(at, Box::new(Ok(Done::of(execution)))));
    }

    fn drop_stage(&mut self, step: usize) -> Result<(), LedgerError> {
        if let Err(error) = self.setting.keep.take_phase(step).map_or(Ok(()), |staging| staging.discard()) {
            self.journal.record(keep::left_behind(&error), None, Durability::Later)?;
        }
        self.held.phase_ended(step, &Outcome::Cancelled, self.journal)
    }

    fn executor(&self, job: &Job) -> Arc<dyn Executor> {
        match job.guest {
            Guest::Wasm(_) => Arc::clone(&self.setting.executors.wasm),
            Guest::Native(_) => Arc::clone(&self.setting.executors.native),
            Guest::InCode { .. } => Arc::clone(&self.setting.executors.in_code),
        }
    }

    fn attempt(&self, place: &Place) -> u32 {
        self.setting.attempts.get(place).copied().unwrap_or(0) + 1
    }

    /// The hook, or what takes it back.
    fn hook(&self, at: At) -> Option<Cow<'_, PlanHook>> {
        lifecycle::hook(self.setting.plan, at)
    }

    fn record(&mut self, record: Record) -> Result<(), LedgerError> {
        match record {
            // Opening the run, with its plan, is its caller's.
            Record::RunStarted => Ok(()),
            Record::StepStarted { step } => {
                let detail = self.host_line(step, Moment::Begin);
                self.journal.record(What::StepStarted { step: self.setting.plan.steps[step].name.clone(), detail }, None, Durability::Later)
            }
            Record::Intent { at, durable } => {
                let place = lifecycle::place(self.setting.plan, at);
                let attempt = self.attempt(&place);
                let (key, digest) = key(&self.setting, at);
                let durability = if durable { Durability::Now } else { Durability::Later };
                self.journal.record(What::Started { place, attempt }, Some((&key, &digest)), durability)?;
                self.let_go(durability)
            }
            Record::Outcome { at, outcome, verdict } => self.outcome(at, outcome, verdict),
            Record::StepFinished { step, verdict } => self.step_finished(step, verdict),
            Record::Interrupted { signal } => self.journal.record(What::Interrupted { signal }, None, Durability::Later),
            Record::RunFinished { status } => {
                let detail = self.left_half_way(status);
                if status == Status::Success
                    && let Err(message) = (self.setting.after_success)()
                {
                    self.journal.record(What::Warning { code: codes::COMMIT_NOT_WRITTEN.to_owned(), message }, None, Durability::Later)?;
                }
                if let Some(would_change) = self.setting.keep.would_change() {
                    self.journal.record(would_change, None, Durability::Later)?;
                }
                self.journal.record(What::RunFinished { status, detail }, None, Durability::Now)?;
                self.let_go(Durability::Now)
            }
        }
    }

    fn outcome(&mut self, at: At, outcome: Outcome, verdict: Verdict) -> Result<(), LedgerError> {
        let done = self.executions.remove(&at).unwrap_or_else(|| Done::of(Execution::not_started(outcome.clone())));
        let Done { execution, files, backend, applied } = done;
        let committed = applied.is_some();
        self.held.keep(applied);
        // What a phase commits as one whole is done when that is.
        let holds_back = outcome == Outcome::Succeeded && keep::is_committed_as_one(self.setting.plan, at);
        let detail = self.hook_line(at, &outcome, verdict);
        self.step_causes.insert(at.step, cause_text(&outcome));
        let live = self.hook(at).is_none_or(|hook| hook.is_live());
        let place = lifecycle::place(self.setting.plan, at);
        self.warnings(&place, &execution)?;
        self.tolerated(&place, &outcome, verdict, detail.as_deref())?;
        let finished = Finished {
            exit_code: execution.exit_code,
            usage: execution.usage,
            denials: execution.denials,
            unenforced: execution.unenforced,
            tail: execution.tail,
            outputs: execution.outputs,
            detail,
            files,
            staged: backend.map(|backend| backend.word().to_owned()),
            after_skipped: self.setting.keep.skipped_before(self.setting.plan, self.setting.decisions, at),
            ..Finished::of(outcome, verdict)
        };
        let (key, digest) = key(&self.setting, at);
        // What a live hook did must be known even if the engine is killed next; the next intent makes it survive power loss.
        let durability = if live || committed { Durability::Written } else { Durability::Later };
        let remembered = if holds_back { None } else { Some((&key, &digest)) };
        self.journal.record(What::Finished { place, result: Box::new(finished) }, remembered, durability)?;
        if holds_back {
            self.held.hold_back(at.step, key, digest);
        }
        Ok(())
    }

    /// What waited for something else to be durable: it is, with everything recorded so far.
    fn let_go(&mut self, durability: Durability) -> Result<(), LedgerError> {
        if durability == Durability::Now {
            for error in self.held.let_go() {
                self.journal.record(keep::left_behind(&error), None, Durability::Later)?;
            }
        }
        Ok(())
    }

    /// What it warned of comes before its end: an outcome in the journal is complete (S3.39).
    fn warnings(&mut self, place: &Place, execution: &Execution) -> Result<(), LedgerError> {
        for text in execution.warnings() {
            let warning = What::Warning { code: codes::HOOK_WARNING.to_owned(), message: format!("{place}: {text}") };
            self.journal.record(warning, None, Durability::Later)?;
        }
        Ok(())
    }

    /// A bad end that counts as none is said where nobody overlooks it (S5.22, S5.35); one that counts as a warning is counted with its outcome.
    fn tolerated(&mut self, place: &Place, outcome: &Outcome, verdict: Verdict, line: Option<&str>) -> Result<(), LedgerError> {
        if outcome.is_ok() || verdict != Verdict::Proceed {
            return Ok(());
        }
        let said = line.map_or_else(|| format!("{outcome}; the run goes on as if it had succeeded"), str::to_owned);
        let warning = What::Warning { code: codes::TOLERATED.to_owned(), message: format!("{place}: {said}") };
        self.journal.record(warning, None, Durability::Later)
    }

    fn step_finished(&mut self, step: usize, verdict: Verdict) -> Result<(), LedgerError> {
        let detail = self.host_line(step, Moment::of(verdict));
        self.journal.record(
            What::StepFinished { step: self.setting.plan.steps[step].name.clone(), verdict, detail },
            None,
            Durability::Later,
        )?;
        let is_done = |decision: &Decision| matches!(decision, Decision::Run | Decision::Skip(SkipReason::AlreadyDone { .. }));
        if verdict != Verdict::Abort && self.setting.decisions.by_step[step].iter().any(is_done) {
            self.done.push(step);
        }
        let is_phase = |kind: &PlanStepKind| matches!(kind, PlanStepKind::Phase { .. });
        let last = self.setting.plan.steps.iter().rposition(|step| is_phase(&step.kind));
        if last == Some(step)
            && verdict != Verdict::Abort
            && let Err(message) = (self.setting.after_hooks)()
        {
            self.journal.record(What::Warning { code: "marker-not-written".to_owned(), message }, None, Durability::Later)?;
        }
        Ok(())
    }

    /// The profile's line for a host step; steps without a command say nothing.
    fn host_line(&self, step: usize, moment: Moment) -> Option<String> {
        let PlanStepKind::Host { policy, command: Some(_) } = &self.setting.plan.steps[step].kind else { return None };
        if self.setting.decisions.by_step[step] != [Decision::Run] {
            return None;
        }
        let template = match moment {
            Moment::Begin => &policy.lines.begin,
            Moment::Done => &policy.lines.done,
            Moment::Tolerated => policy.lines.tolerated.as_ref().map_or(&policy.lines.failed, |_| &policy.lines.tolerated),
            Moment::Failed => &policy.lines.failed,
        };
        let outputs = self.step_outputs.get(&step).map_or(&[][..], Vec::as_slice);
        let version = self.setting.plan.tag.as_ref().map(ToString::to_string).unwrap_or_default();
        let cause = self.step_causes.get(&step).cloned().unwrap_or_default();
        template.as_ref().map(|template| lines::fill(template, &Words { fixed: vec![("version", version), ("cause", cause)], outputs }))
    }

    /// The profile's line for a hook that ran, or that a marker stands for.
    fn hook_line(&self, at: At, outcome: &Outcome, verdict: Verdict) -> Option<String> {
        // The profile's lines speak of what a release does, not of what takes it back.
        let PlanStepKind::Phase { policy, hooks } = &self.setting.plan.steps[at.step].kind else { return None };
        if at.revert {
            return None;
        }
        let template = match outcome {
            Outcome::Succeeded | Outcome::Skipped { reason: SkipReason::Marker { .. } } => &policy.lines.done,
            Outcome::Skipped { .. } => return None,
            _ if verdict != Verdict::Abort && policy.lines.tolerated.is_some() => &policy.lines.tolerated,
            _ => &policy.lines.failed,
        };
        let file = lifecycle::file_name(hooks[at.slot].guest.shown()).to_owned();
        let words = Words { fixed: vec![("title", policy.title.clone()), ("file", file), ("cause", cause_text(outcome))], outputs: &[] };
        template.as_ref().map(|template| lines::fill(template, &words))
    }

    /// What it means, in the profile's words, that the run ended between a step that changed things and the one that makes the version live.
    fn left_half_way(&self, status: Status) -> Option<String> {
        if !matches!(status, Status::Failed | Status::Interrupted) {
            return None;
        }
        let done = self.done.iter().rev().filter_map(|step| match &self.setting.plan.steps[*step].kind {
            PlanStepKind::Host { policy, .. } => Some((policy.makes_live, &policy.left_half_way)),
            PlanStepKind::Phase { policy, .. } => Some((false, &policy.left_half_way)),
            PlanStepKind::Fact { .. } => None,
        });
        done.take_while(|(makes_live, _)| !makes_live).find_map(|(_, sentence)| sentence.clone())
    }
}

#[derive(Clone, Copy)]
enum Moment {
    Begin,
    Done,
    Tolerated,
    Failed,
}

impl Moment {
    const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Proceed => Self::Done,
            Verdict::ProceedWithWarning => Self::Tolerated,
            Verdict::Abort => Self::Failed,
        }
    }
}

/// What a line says of a bad end.
fn cause_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { cause } => cause.to_string(),
        other => other.to_string(),
    }
}

fn abandoned_writer() -> Denial {
    Denial {
        capability: Capability::Dir,
        what: "a hook that could not be stopped may still write to the same directory".to_owned(),
        allow: "find out why it hangs (a dead network file system?), end its process, and run again".to_owned(),
    }
}

/// Hands a guest's lines to the driver.
struct Forward {
    at: At,
    news: mpsc::UnboundedSender<News>,
}

impl OutputSink for Forward {
    fn line(&self, stream: Stream, line: &str) {
        // A line that comes after the end of its execution has nowhere to go.
        let _ = self.news.send(News::Output(self.at, stream, line.to_owned()));
    }
}

/// Records how what was in flight when the engine died ended: with a decided commit it succeeded, else it is `unknown`.
///
/// # Errors
/// [`LedgerError`] if it could not be recorded.
pub fn bury(setting: &Setting<'_>, remains: &mut Remains, salvaged: &Salvaged, journal: &mut Journal<'_>) -> Result<(), LedgerError> {
    make_up_intents(setting, remains, salvaged, journal)?;
    for at in remains.in_flight.iter().filter_map(|place| lifecycle::find(setting.plan, place)) {
        let (key, digest) = key(setting, at);
        let place = lifecycle::place(setting.plan, at);
        let finished = match salvaged.committed(&place) {
            Some(files) => Finished { files: Some(files.clone()), ..Finished::of(Outcome::Succeeded, Verdict::Proceed) },
            None => Finished::of(Outcome::Unknown, Verdict::Abort),
        };
        let durability = if salvaged.committed(&place).is_some() { Durability::Now } else { Durability::Later };
        journal.record(What::Finished { place, result: Box::new(finished) }, Some((&key, &digest)), durability)?;
    }
    // Hooks of a phase that was committed as one whole had ended, and those that succeeded now count.
    let counted = remains.succeeded.iter().filter(|at| keep::is_committed_as_one(setting.plan, **at));
    for at in counted.filter(|at| salvaged.committed(&lifecycle::place(setting.plan, **at)).is_some()) {
        let (key, digest) = key(setting, *at);
        keep::counts(journal, &key, &digest, Resolution::MarkDone)?;
    }
    Ok(())
}

/// The intent of a hook that only writes to its own stage waits in memory for company; if it was lost there, the decided commit tells of it.
fn make_up_intents(
    setting: &Setting<'_>,
    remains: &mut Remains,
    salvaged: &Salvaged,
    journal: &mut Journal<'_>,
) -> Result<(), LedgerError> {
    for place in salvaged.places() {
        let Some(at) = lifecycle::find(setting.plan, place).filter(|at| !keep::is_committed_as_one(setting.plan, *at)) else { continue };
        if remains.in_flight.contains(place) || remains.ended.contains(&at) {
            continue;
        }
        let (key, digest) = key(setting, at);
        let attempt = setting.attempts.get(place).copied().unwrap_or(0) + 1;
        journal.record(What::Started { place: place.clone(), attempt }, Some((&key, &digest)), Durability::Later)?;
        remains.began = true;
        remains.in_flight.push(place.clone());
    }
    Ok(())
}

/// The identity and the digest under which an execution is remembered.
fn key(setting: &Setting<'_>, at: At) -> (Key, Digest) {
    let plan = setting.plan;
    let place = lifecycle::place(plan, at);
    let (gate, digest) = lifecycle::identity(plan, at);
    (gate::key_of(plan, gate, place, setting.supplies.run), digest)
}
