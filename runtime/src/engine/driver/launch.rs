//! Starting things: what a job lacks is its outcome, and nothing of it runs.

use super::{Driver, News};
use crate::engine::keep::{self, Done};
use crate::engine::lifecycle;
use crate::engine::machine::{At, Decision};
use crate::engine::ready::StartBy;
use crate::engine::verify::{First, Verify};
use crate::engine::{Lack, job, preflight};
use crate::exec::{Executor, OutputSink, Surroundings};
use crate::model::event::{Place, Role};
use crate::model::grant::{Capability, Denial};
use crate::model::job::{Execution, Guest, Job, Stream};
use crate::model::outcome::{Cause, Outcome};
use crate::plan::{PlanHook, PlanStepKind};
use std::sync::Arc;
use std::task::{Context, Waker};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

impl Driver<'_, '_> {
    pub(super) fn preflight(&self, step: usize) -> Vec<(usize, Vec<String>)> {
        let PlanStepKind::Phase { hooks, .. } = &self.setting.plan.steps[step].kind else { return Vec::new() };
        let runs = |slot: &usize| self.setting.decisions.by_step[step][*slot] == Decision::Run;
        let findings = |hook: &PlanHook| {
            let mut findings: Vec<String> = hook.unusable.iter().cloned().collect();
            findings.extend(Lack::words(preflight::lacks(hook, self.setting.supplies.app_env, self.setting.checks)));
            findings
        };
        let slots = hooks.iter().enumerate().filter(|(slot, _)| runs(slot));
        slots.map(|(slot, hook)| (slot, findings(hook))).filter(|(_, findings)| !findings.is_empty()).collect()
    }

    pub(super) fn launch(&mut self, at: At) {
        let place = lifecycle::place(self.setting.plan, at);
        let attempt = self.attempt(&place);
        let cancel = CancellationToken::new();
        self.cancels.insert(at, cancel.clone());
        // An earlier hook of the phase may have put a link where a granted directory was.
        let findings = self.hook(at).map(|hook| Lack::words(self.setting.checks.check(&hook))).unwrap_or_default();
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
        let start_by = self.start_by.remove(&at).unwrap_or_else(|| StartBy::of(self.setting.plan, at));
        let news = self.news.clone();
        let around = Surroundings::new(Arc::new(Forward { place: place.clone(), news: news.clone() }), cancel.clone())
            .holding(self.setting.hold.clone())
            .auditing(self.setting.audit);
        let around = if self.setting.keep.is_dry() { around.dry() } else { around };
        let span = tracing::info_span!("attempt", place = %place, attempt, outcome = tracing::field::Empty);
        let task = async move {
            let begun = around.begun.clone();
            let work = keep::carry_out(&*executor, &job, around, stagings, verify.as_ref());
            let done = start_by.hold(work, &begun, &cancel).await;
            if let Ok(done) = &done {
                tracing::Span::current().record("outcome", done.execution.outcome.word());
            }
            // The receiver is gone only when the run ended with an error: nobody is left to tell.
            let _ = news.send(News::Ended(at, Box::new(done)));
        };
        let mut task = Box::pin(task.instrument(span));
        // What ends at once needs no task of its own.
        if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.tasks.spawn(task);
        }
    }

    /// What says whether the hook took, or what it lacks: who can't be asked afterwards isn't believed, so the hook doesn't start.
    fn verify(&self, at: At, place: &Place, attempt: u32) -> Result<Option<Verify>, Vec<String>> {
        let Some(hook) = lifecycle::verify(self.setting.plan, at) else { return Ok(None) };
        let findings = Lack::words(self.setting.checks.check(&hook));
        if !findings.is_empty() {
            return Err(findings.into_iter().map(|finding| format!("its verify: {finding}")).collect());
        }
        let first = self.setting.decisions.verify_first.get(place);
        let lost = self.hook(at).is_some_and(|hook| hook.commits());
        let first = first.map(|reported| First { reported: reported.clone(), lost });
        let place = place.in_role(Role::Verify);
        let job = job::verify(self.setting.plan, at, &place, attempt, &self.setting.supplies)
            .map_err(|errors| errors.iter().map(|error| format!("its verify: {error}")).collect::<Vec<_>>())?;
        let output = Arc::new(Forward { place: place.clone(), news: self.news.clone() });
        let news = self.news.clone();
        let say = Box::new(move |what| {
            let (recorded, waits) = oneshot::channel();
            // The receiver is gone only when the run ended with an error: who waits is told by that.
            let _ = news.send(News::Said(what, Some(recorded)));
            waits
        });
        Ok(job.map(|job| Verify { executor: self.executor(&job), job, place, attempt, output, say, first }))
    }

    pub(super) fn ended(&self, at: At, execution: Execution) {
        // The receiver lives as long as this driver.
        let _ = self.news.send(News::Ended(at, Box::new(Ok(Done::of(execution)))));
    }

    fn executor(&self, job: &Job) -> Arc<dyn Executor> {
        match job.guest {
            Guest::Wasm(_) => Arc::clone(&self.setting.executors.wasm),
            Guest::Native(_) => Arc::clone(&self.setting.executors.native),
            Guest::InCode { .. } => Arc::clone(&self.setting.executors.in_code),
        }
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
    place: Place,
    news: mpsc::UnboundedSender<News>,
}

impl OutputSink for Forward {
    fn line(&self, stream: Stream, line: &str) {
        // A line that comes after the end of its execution has nowhere to go.
        let _ = self.news.send(News::Output(self.place.clone(), stream, line.to_owned()));
    }
}
