//! What a dead run's journal says: how far it came, and what it owes.

use super::job::Reported;
use super::lifecycle;
use super::machine::{At, Decision};
use crate::model::event::{Event, Place, Resolution, Role, What};
use crate::model::id::StepName;
use crate::model::outcome::{Outcome, SkipReason, Verdict};
use crate::model::policy::OnFailure;
use crate::plan::{Plan, PlanStep, PlanStepKind};
use std::collections::{BTreeMap, BTreeSet};

/// How far a dead run came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remains {
    /// What ended, by its place in the dead run's plan.
    pub ended: BTreeSet<At>,
    /// What of it succeeded.
    pub succeeded: BTreeSet<At>,
    /// What was running when the engine died.
    pub in_flight: Vec<Place>,
    /// What of that had itself ended with success, its verify being under way.
    pub verifying: BTreeSet<Place>,
    /// Whether anything had been launched: only then are `always` steps owed.
    pub began: bool,
    /// Whether it had failed where a failure is taken back, and was at it.
    pub reverting: bool,
    /// The next event's number.
    pub next_seq: u64,
    /// Attempts so far, by place.
    pub attempts: BTreeMap<Place, u32>,
}

/// Reads a dead run's journal against its plan.
#[must_use]
pub fn remains(plan: &Plan, events: &[Event]) -> Remains {
    let mut remains = Remains { next_seq: events.last().map_or(0, |event| event.seq + 1), ..Remains::default() };
    let mut aborted = false;
    for event in events {
        match &event.what {
            What::Started { place, attempt } => {
                remains.began = true;
                remains.attempts.insert(place.clone(), *attempt);
                remains.in_flight.push(place.clone());
                remains.verifying.remove(place);
            }
            What::Verifying { place, reported: Some(_), .. } => {
                remains.verifying.insert(place.in_role(Role::Main));
            }
            What::Finished { place, result } => {
                remains.in_flight.retain(|other| other != place);
                let at = lifecycle::find(plan, place);
                // The first failure decides; what was in flight when an engine died is none.
                if result.verdict == Verdict::Abort && result.outcome != Outcome::Unknown && !aborted {
                    aborted = true;
                    // A phase whose commit failed names no hook.
                    remains.reverting = plan.steps.iter().any(|step| step.name == place.step && reverts(&step.kind));
                }
                remains.ended.extend(at);
                remains.succeeded.extend(at.filter(|_| result.outcome == Outcome::Succeeded));
            }
            // Who is asked to stop takes nothing back.
            What::Interrupted { .. } => (aborted, remains.reverting) = (true, false),
            What::Resolved { place, resolution, by, .. } => {
                remains.in_flight.retain(|other| other != place);
                let never_was = |at: &At| by.is_none() && *resolution == Resolution::MarkNotRun && !is_live(plan, *at);
                remains.succeeded.retain(|at| lifecycle::place(plan, *at) != *place || !never_was(at));
            }
            _ => {}
        }
    }
    remains
}

/// What the hook at `place` reported when it had itself ended with success, if a run died before it was known whether it took.
#[must_use]
pub fn ended(events: &[Event], place: &Place) -> Option<Reported> {
    let mut ended = None;
    for event in events {
        match &event.what {
            What::Started { place: other, .. } if other == place => ended = None,
            What::Verifying { place: other, reported, .. } if other.in_role(Role::Main) == *place => ended.clone_from(reported),
            What::Finished { place: other, result } if other == place && result.outcome != Outcome::Unknown => ended = None,
            _ => {}
        }
    }
    ended
}

/// Whether what ran there has effects that no stage holds.
pub(super) fn is_live(plan: &Plan, at: At) -> bool {
    lifecycle::hook(plan, at).is_none_or(|hook| hook.is_live())
}

fn reverts(kind: &PlanStepKind) -> bool {
    let on_failure = match kind {
        PlanStepKind::Phase { policy, .. } => policy.on_failure,
        PlanStepKind::Host { policy, .. } => policy.on_failure,
        PlanStepKind::Fact { .. } => return false,
    };
    on_failure == OnFailure::Revert
}

/// Decisions under which everything runs that can: what is owed doesn't ask the gate.
#[must_use]
pub fn everything_runs(plan: &Plan) -> Vec<Vec<Decision>> {
    let of = |kind: &PlanStepKind| match kind {
        PlanStepKind::Fact { .. } => Vec::new(),
        PlanStepKind::Host { command: None, .. } => vec![Decision::Skip(SkipReason::NotConfigured)],
        PlanStepKind::Host { .. } if plan.partial => vec![Decision::Skip(SkipReason::NotSelected)],
        PlanStepKind::Host { .. } => vec![Decision::Run],
        PlanStepKind::Phase { hooks, .. } => hooks
            .iter()
            .map(|hook| if hook.enabled && hook.selected { Decision::Run } else { Decision::Skip(SkipReason::Disabled) })
            .collect(),
    };
    plan.steps.iter().map(|step| of(&step.kind)).collect()
}

/// Every place of the plan: a run that launched nothing owes nothing.
#[must_use]
pub fn all(plan: &Plan) -> BTreeSet<At> {
    plan.steps.iter().enumerate().flat_map(|(step, it)| lifecycle::slots(&it.kind).map(move |slot| At::main(step, slot))).collect()
}

/// What a dead run owes: `always` steps that will be run first of all.
#[must_use]
pub fn owed(plan: &Plan, events: &[Event]) -> Vec<StepName> {
    let remains = remains(plan, events);
    let open = |step: usize, slots: usize| (0..slots).any(|slot| !remains.ended.contains(&At::main(step, slot)));
    let owes = |(index, step): (usize, &PlanStep)| {
        let owes = match &step.kind {
            PlanStepKind::Host { policy, command } => policy.always && command.is_some() && !plan.partial && open(index, 1),
            PlanStepKind::Phase { policy, hooks } => policy.runs_after_an_abort() && open(index, hooks.len()),
            PlanStepKind::Fact { .. } => false,
        };
        (owes && remains.began).then(|| step.name.clone())
    };
    plan.steps.iter().enumerate().filter_map(owes).collect()
}
