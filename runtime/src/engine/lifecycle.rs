//! Plan + decisions → what the machine sees, and back from its indices to the names of the plan.

use super::gate::{self, Decisions};
use super::machine::{At, Lifecycle, SlotSpec, StepSpec};
use crate::model::event::{Place, PlannedHook, PlannedSibling, PlannedStep, Role, StepKind};
use crate::model::grant::DirMode;
use crate::model::id::Digest;
use crate::model::policy::{Background, Gate, Sandbox};
use crate::model::reach::Reach;
use crate::plan::{Plan, PlanGuest, PlanHook, PlanSibling, PlanStep, PlanStepKind};
use std::borrow::Cow;

/// The machine's view of a plan.
#[must_use]
pub fn of(plan: &Plan, decisions: &Decisions) -> Lifecycle {
    let steps = plan.steps.iter().zip(&decisions.by_step).map(|(step, decisions)| spec(step, decisions)).collect();
    Lifecycle { on_locked: plan.on_locked, steps }
}

fn spec(step: &PlanStep, decisions: &[super::machine::Decision]) -> StepSpec {
    match &step.kind {
        PlanStepKind::Fact { .. } => StepSpec::default(),
        PlanStepKind::Host { policy, .. } => StepSpec {
            on_failure: policy.on_failure,
            always: policy.always,
            slots: decisions
                .iter()
                .map(|decision| SlotSpec {
                    decision: decision.clone(),
                    allow_failure: false,
                    live: true,
                    gets_ready: false,
                    revert: false,
                    list: 0,
                })
                .collect(),
            ..StepSpec::default()
        },
        PlanStepKind::Phase { policy, hooks } => StepSpec {
            on_failure: policy.on_failure,
            on_timeout: policy.on_timeout,
            files: policy.files,
            background: policy.background == Background::Yes,
            always: policy.runs_after_an_abort(),
            when: policy.when,
            after_failure: policy.after_failure,
            slots: hooks
                .iter()
                .zip(decisions)
                .map(|(hook, decision)| SlotSpec {
                    decision: decision.clone(),
                    allow_failure: hook.allow_failure,
                    live: hook.is_live(),
                    gets_ready: hook.gets_ready(),
                    revert: hook.revert.is_some(),
                    list: list_of(hooks, hook),
                })
                .collect(),
        },
    }
}

/// Which list a hook belongs to: that of the first hook of its service on its instance.
fn list_of(hooks: &[PlanHook], hook: &PlanHook) -> usize {
    hooks.iter().position(|other| other.service == hook.service && other.instance == hook.instance).unwrap_or(0)
}

/// The slots of a step, whether anything stands in them or not.
#[must_use]
pub fn slots(kind: &PlanStepKind) -> std::ops::Range<usize> {
    match kind {
        PlanStepKind::Phase { hooks, .. } => 0..hooks.len(),
        PlanStepKind::Host { .. } | PlanStepKind::Fact { .. } => 0..1,
    }
}

/// The name of what stands at `at`.
#[must_use]
pub fn place(plan: &Plan, at: At) -> Place {
    let step = &plan.steps[at.step];
    let role = if at.revert { Role::Revert } else { Role::Main };
    match &step.kind {
        PlanStepKind::Phase { hooks, .. } => Place { role, ..hooks[at.slot].place(&step.name) },
        PlanStepKind::Host { .. } | PlanStepKind::Fact { .. } => Place { role, ..Place::step(step.name.clone()) },
    }
}

/// What decides under which identity an execution is remembered: the gate that holds for it, and the digest of what runs.
#[must_use]
pub fn identity(plan: &Plan, at: At) -> (Gate, Digest) {
    match &plan.steps[at.step].kind {
        PlanStepKind::Phase { policy, hooks } => {
            let hook = &hooks[at.slot];
            let sibling = hook.revert.as_ref().filter(|_| at.revert);
            (gate::gate_of(policy.gate, hook), sibling.map_or_else(|| hook.digest.clone(), |sibling| hook.with(sibling).digest))
        }
        PlanStepKind::Host { command, .. } => (Gate::None, Digest::of_json(command)),
        PlanStepKind::Fact { .. } => (Gate::None, Digest::of(b"")),
    }
}

/// Where the thing called `place` stands in the plan. What says whether a hook took has no place of its own in it.
#[must_use]
pub fn find(plan: &Plan, place: &Place) -> Option<At> {
    if place.role == Role::Verify {
        return None;
    }
    let step = plan.steps.iter().position(|step| step.name == place.step)?;
    let slot = match &plan.steps[step].kind {
        PlanStepKind::Phase { hooks, .. } => {
            hooks.iter().position(|hook| Place { role: place.role, ..hook.place(&place.step) } == *place)?
        }
        PlanStepKind::Host { .. } | PlanStepKind::Fact { .. } => 0,
    };
    Some(At { step, slot, revert: place.role == Role::Revert })
}

/// The plan as events carry it.
#[must_use]
pub fn planned_steps(plan: &Plan) -> Vec<PlannedStep> {
    plan.steps.iter().map(planned_step).collect()
}

fn planned_step(step: &PlanStep) -> PlannedStep {
    let (kind, always, makes_live, hooks) = match &step.kind {
        PlanStepKind::Fact { .. } => (StepKind::Fact, false, false, Vec::new()),
        PlanStepKind::Host { policy, .. } => (StepKind::Host, policy.always, policy.makes_live, Vec::new()),
        PlanStepKind::Phase { policy, hooks } => {
            let hooks = hooks.iter().map(|hook| PlannedHook {
                place: hook.place(&step.name),
                label: hook.label.clone(),
                file: file_name(hook.guest.shown()).to_owned(),
                guest: hook.guest.kind(),
                fallback: hook.fallback.clone(),
                source: hook.source.clone(),
                unconfined: is_unconfined(hook),
                reach: Some(reach_of(hook)),
                enabled: hook.enabled,
                limits: hook.limits.clone(),
                revert: hook.revert.as_ref().map(planned_sibling),
                verify: hook.verify.as_ref().map(planned_sibling),
            });
            (StepKind::Phase, policy.always, false, hooks.collect())
        }
    };
    let found = if let PlanStepKind::Fact { found, .. } = &step.kind { Some(found.clone()) } else { None };
    PlannedStep { step: step.name.clone(), kind, always, makes_live, found, hooks }
}

const fn is_unconfined(hook: &PlanHook) -> bool {
    matches!(hook.guest, PlanGuest::Native { sandbox: Sandbox::None, .. })
}

fn reach_of(hook: &PlanHook) -> Reach {
    Reach::of(&hook.grants.dirs, is_unconfined(hook))
}

/// How far the rights of what stands at `at` go: a host step has the operator's.
#[must_use]
pub fn reach(plan: &Plan, at: At) -> Reach {
    hook(plan, at).map_or_else(Reach::unconfined, |hook| reach_of(&hook))
}

fn planned_sibling(sibling: &PlanSibling) -> PlannedSibling {
    PlannedSibling { file: file_name(sibling.guest.shown()).to_owned(), guest: sibling.guest.kind(), limits: sibling.limits.clone() }
}

/// What stands at `at`: the hook, or what takes it back; `None` for anything but a hook.
#[must_use]
pub fn hook(plan: &Plan, at: At) -> Option<Cow<'_, PlanHook>> {
    let PlanStepKind::Phase { hooks, .. } = &plan.steps.get(at.step)?.kind else { return None };
    let hook = hooks.get(at.slot)?;
    if !at.revert {
        return Some(Cow::Borrowed(hook));
    }
    hook.revert.as_ref().map(|revert| Cow::Owned(hook.with(revert)))
}

/// What says whether the hook at `at` took: it has the hook's grants, and may only read.
#[must_use]
pub fn verify(plan: &Plan, at: At) -> Option<PlanHook> {
    let hook = hook(plan, at)?;
    let mut verify = hook.with(hook.verify.as_ref()?);
    for dir in verify.grants.dirs.iter_mut().filter(|dir| dir.mode != DirMode::Scratch) {
        dir.mode = DirMode::Read;
    }
    Some(verify)
}

/// The last component of a path; a command line stays whole.
pub fn file_name(shown: &str) -> &str {
    if shown.contains(char::is_whitespace) { shown } else { shown.rsplit('/').next().unwrap_or(shown) }
}
