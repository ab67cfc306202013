//! Going on with a run that was cut off or failed: what of it is done, and so doesn't happen again.

use super::Error;
use super::gate::Decisions;
use super::machine::Decision;
use crate::ledger::{Ledger, RunRecord, Target};
use crate::model::event::{Earlier, Event, Place, Resolution, Role, Status, What};
use crate::model::id::RunId;
use crate::model::outcome::{Outcome, SkipReason, Verdict};
use crate::model::policy::Resume;
use crate::plan::{Plan, PlanStep, PlanStepKind};
use crate::report::Report;
use std::collections::BTreeMap;

/// How many of the newest runs are looked at.
pub(super) const LOOKED_AT: usize = 100;

/// The run that another one goes on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The run.
    pub run: RunId,
    /// Its plan.
    pub plan: Plan,
    /// What needn't happen again, with the reason for skipping it.
    pub past: BTreeMap<Place, SkipReason>,
    /// What ended badly and stopped the run, or was cut off.
    pub open: Vec<Place>,
    /// What it said of itself, as far as it is still true.
    pub said: Earlier,
}

/// The newest run of a target that didn't come to its end, though something of it had started. A success after it settles it; runs of some
/// hooks only (`partial`) and whole runs don't settle each other.
///
/// # Errors
/// [`Error`] if the ledger can't be read.
pub fn base(ledger: &dyn Ledger, target: &Target, partial: bool) -> Result<Option<Base>, Error> {
    for record in ledger.runs(target, LOOKED_AT)?.into_iter().filter(|record| !record.dry_run) {
        let plan = super::plan_of(ledger, &record.run)?;
        if plan.partial != partial {
            continue;
        }
        if matches!(record.status, Some(Status::Success | Status::SucceededButDeployFailed)) {
            return Ok(None);
        }
        let events = ledger.events(&record.run)?;
        if events.iter().any(|event| matches!(event.what, What::Started { .. })) {
            return Ok(Some(Base::of(&record, plan, &events)));
        }
    }
    Ok(None)
}

impl Base {
    fn of(record: &RunRecord, plan: Plan, events: &[Event]) -> Self {
        let mut base = Self { run: record.run.clone(), plan, past: BTreeMap::new(), open: Vec::new(), said: said(events) };
        for event in events {
            base.push(&event.what);
        }
        base
    }

    fn push(&mut self, what: &What) {
        match what {
            What::Started { place, .. } if place.role == Role::Main => self.reopen(place),
            What::Finished { place, result } if place.role == Role::Main => match past(&self.run, &result.outcome, result.verdict) {
                Some(reason) => self.close(place, reason),
                None => self.reopen(place),
            },
            What::Finished { place, result } if result.outcome == Outcome::Succeeded => {
                self.past.remove(&Place { role: Role::Main, ..place.clone() });
            }
            What::Resolved { place, resolution: Resolution::MarkDone, .. } => {
                self.close(place, SkipReason::AlreadyDone { run: self.run.to_string() });
            }
            What::Resolved { place, .. } => {
                self.past.remove(place);
            }
            _ => {}
        }
    }

    fn reopen(&mut self, place: &Place) {
        self.past.remove(place);
        self.open.retain(|other| other != place);
        self.open.push(place.clone());
    }

    fn close(&mut self, place: &Place, reason: SkipReason) {
        self.open.retain(|other| other != place);
        self.past.insert(place.clone(), reason);
    }

    /// The same decisions, but for what this run is past.
    #[must_use]
    pub fn over(&self, decisions: Decisions) -> Decisions {
        let by_step = self.plan.steps.iter().zip(decisions.by_step).map(|(step, decided)| self.step(step, decided)).collect();
        Decisions { by_step, ..decisions }
    }

    fn step(&self, step: &PlanStep, decided: Vec<Decision>) -> Vec<Decision> {
        let places: Vec<Place> = match &step.kind {
            PlanStepKind::Fact { .. } => Vec::new(),
            PlanStepKind::Host { policy, .. } if policy.always || policy.resume == Resume::Rerun => return decided,
            PlanStepKind::Host { .. } => vec![Place::step(step.name.clone())],
            PlanStepKind::Phase { policy, .. } if policy.runs_after_an_abort() => return decided,
            PlanStepKind::Phase { hooks, .. } => hooks.iter().map(|hook| hook.place(&step.name)).collect(),
        };
        let passes = |(place, decided): (&Place, Decision)| match (self.past.get(place), decided) {
            (Some(reason), Decision::Run) => Decision::Skip(reason.clone()),
            (_, decided) => decided,
        };
        places.iter().zip(decided).map(passes).collect()
    }
}

/// What the report of a run says that one that goes on with it repeats: not that it was left half-way, which it is no longer.
fn said(events: &[Event]) -> Earlier {
    let Report { backup_path, migrations_run, mut details, left_half_way, .. } = Report::fold(events);
    if left_half_way.is_some() && details.last() == left_half_way.as_ref() {
        details.pop();
    }
    Earlier { backup_path, migrations_run, details }
}

/// Why what ended like this needn't happen again; `None` if it is still to be done, or if the gate says the same of it as before.
fn past(run: &RunId, outcome: &Outcome, verdict: Verdict) -> Option<SkipReason> {
    match outcome {
        Outcome::Succeeded | Outcome::Skipped { reason: SkipReason::SaidByHook { .. } } => {
            Some(SkipReason::AlreadyDone { run: run.to_string() })
        }
        Outcome::Skipped { reason: reason @ (SkipReason::AlreadyDone { .. } | SkipReason::Passed { .. } | SkipReason::ListEnded) } => {
            Some(reason.clone())
        }
        Outcome::Failed { .. } | Outcome::TimedOut { .. } if verdict != Verdict::Abort => Some(SkipReason::Passed { run: run.to_string() }),
        _ => None,
    }
}
