//! The machine's records as lines of the journal.

use super::said::{Moment, cause_text};
use super::{Driver, key};
use crate::diagnostic::codes;
use crate::engine::keep::{self, Done};
use crate::engine::lifecycle;
use crate::engine::machine::{At, Decision, Record};
use crate::ledger::{Durability, LedgerError};
use crate::model::event::{Finished, Place, Status, What};
use crate::model::job::Execution;
use crate::model::outcome::{Outcome, SkipReason, Verdict};
use crate::plan::PlanStepKind;
use crate::stage::Applied;

impl Driver<'_, '_> {
    pub(super) fn record(&mut self, record: Record) -> Result<(), LedgerError> {
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
            Record::NotCommitted { step, outcome, verdict } => self.not_committed(step, outcome, verdict),
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
                self.journal.record(
                    What::RunFinished { status, detail, live_version: self.journal.live_version(status) },
                    None,
                    Durability::Now,
                )?;
                self.let_go(Durability::Now)
            }
        }
    }

    fn outcome(&mut self, at: At, outcome: Outcome, verdict: Verdict) -> Result<(), LedgerError> {
        let done = self.executions.remove(&at).unwrap_or_else(|| Done::of(Execution::not_started(outcome.clone())));
        let Done { execution, files, stages, applied } = done;
        let committed = applied.is_some();
        self.keep(applied)?;
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
            more_denials: execution.more_denials,
            unenforced: execution.unenforced,
            tail: execution.tail,
            outputs: execution.outputs,
            detail,
            files,
            stages,
            after_skipped: self.setting.keep.skipped_before(self.setting.plan, self.setting.decisions, at),
            ..Finished::of(outcome, verdict)
        };
        let (key, digest) = key(&self.setting, at);
        let remembered = if holds_back { None } else { Some((&key, &digest)) };
        let what = What::Finished { place, result: Box::new(finished) };
        // What a live hook did must be known even if the engine is killed next; the next intent makes it survive power loss.
        if live || committed {
            self.journal.record_soon(what, remembered)?;
        } else {
            self.journal.record(what, remembered, Durability::Later)?;
        }
        if holds_back {
            self.held.hold_back(at.step, key, digest);
        }
        Ok(())
    }

    /// Keeps a commit until the next durable record; what it left to others is said.
    pub(super) fn keep(&mut self, applied: Option<Applied>) -> Result<(), LedgerError> {
        if let Some(left) = applied.as_ref().and_then(Applied::left) {
            self.journal.record(keep::left_to_others(left), None, Durability::Later)?;
        }
        self.held.keep(applied);
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

    /// The end of a phase whose hooks succeeded one by one, and whose commit did not.
    fn not_committed(&mut self, step: usize, outcome: Outcome, verdict: Verdict) -> Result<(), LedgerError> {
        let place = Place::step(self.setting.plan.steps[step].name.clone());
        self.tolerated(&place, &outcome, verdict, None)?;
        let what = What::Finished { place, result: Box::new(Finished::of(outcome, verdict)) };
        self.journal.record(what, None, Durability::Later)
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
}
