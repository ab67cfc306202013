//! What has to be there before something starts: looked at just before its phase by a run, and ahead of time by `check` and `plan`, which say
//! what a run would find now.

use super::gate::Decisions;
use super::machine::{At, Decision};
use super::{Checks, Lack, Prepared, job, lifecycle};
use crate::diagnostic::codes;
use crate::model::event::Place;
use crate::model::grant::DirMode;
use crate::model::policy::{Files, OnFailure, Sandbox, When};
use crate::plan::{Notice, Plan, PlanGuest, PlanHook, PlanStep, PlanStepKind};
use std::collections::BTreeMap;
use std::path::Path;

/// Everything that a hook lacks on the machine as it is.
#[must_use]
pub fn lacks(hook: &PlanHook, app_env: &BTreeMap<String, String>, checks: &dyn Checks) -> Vec<Lack> {
    let unset = job::missing(hook, app_env).into_iter().map(|missing| Lack::anywhere(missing.to_string()));
    unset.chain(checks.check(hook)).collect()
}

/// Something that a run would find now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// Where.
    pub place: Place,
    /// What is missing, and the way out.
    pub what: String,
    /// Whether a run would end there: nothing before it can put the thing where it has to be, and its failure is not tolerated.
    pub certain: bool,
}

impl Foreseen {
    /// As a plan says it.
    #[must_use]
    pub fn notice(&self) -> Notice {
        let then = if self.certain { "a run would fail there" } else { "a run would fail there, unless that changes before" };
        Notice { code: codes::PREFLIGHT.to_owned(), message: format!("{}: {} ({then})", self.place, self.what) }
    }
}

/// What a run of `prepared` would find now, without starting anything. What `decisions` leave out is passed over; without any, all that was
/// asked for is looked at.
#[must_use]
pub fn foreseen(prepared: &Prepared, decisions: Option<&Decisions>) -> Vec<Foreseen> {
    let plan = &prepared.plan;
    let mut found = Vec::new();
    let mut makers = Makers::default();
    for (index, step) in plan.steps.iter().enumerate() {
        let runs =
            |slot: usize| decisions.map_or_else(|| asked_for(plan, step, slot), |all| all.by_step[index].get(slot) == Some(&Decision::Run));
        let due = lifecycle::slots(&step.kind).filter(|slot| runs(*slot)).map(|slot| At::main(index, slot)).collect::<Vec<_>>();
        for at in &due {
            let place = lifecycle::place(plan, *at);
            let ends_the_run = ends_the_run(step, at.slot);
            found.extend(of_one(prepared, *at).into_iter().map(|lack| Foreseen {
                place: place.clone(),
                certain: ends_the_run && lack.at.as_deref().is_some_and(|path| is_of_the_tree(plan, path) && !makers.may_make(path)),
                what: lack.what,
            }));
        }
        // The checks of a phase come before its first hook: what one of its own makes is too late for them.
        for at in &due {
            makers.add(step, at.slot);
        }
    }
    found
}

fn asked_for(plan: &Plan, step: &PlanStep, slot: usize) -> bool {
    match &step.kind {
        PlanStepKind::Phase { hooks, .. } => hooks[slot].enabled && hooks[slot].selected,
        PlanStepKind::Host { command, .. } => command.is_some() && !plan.partial,
        PlanStepKind::Fact { .. } => false,
    }
}

fn of_one(prepared: &Prepared, at: At) -> Vec<Lack> {
    let (plan, checks) = (&prepared.plan, &*prepared.checks);
    if let PlanStepKind::Host { command: Some(command), .. } = &plan.steps[at.step].kind {
        // One that is carried out in code has no program.
        return if command.argv.is_empty() { Vec::new() } else { checks.check_command(command) };
    }
    let Some(hook) = lifecycle::hook(plan, at) else { return Vec::new() };
    let mut found = lacks(&hook, &prepared.app_env, checks);
    // Its siblings have its rights: what they lack of those was said.
    let mut of_sibling = |name: &str, sibling: Option<PlanHook>| {
        let more = sibling.into_iter().flat_map(|sibling| checks.check(&sibling)).filter(|lack| !found.contains(lack)).collect::<Vec<_>>();
        found.extend(more.into_iter().map(|lack| Lack { what: format!("its {name}: {}", lack.what), ..lack }));
    };
    of_sibling("verify", lifecycle::verify(plan, at));
    of_sibling("revert", lifecycle::hook(plan, At { revert: true, ..at }).map(std::borrow::Cow::into_owned));
    found
}

fn ends_the_run(step: &PlanStep, slot: usize) -> bool {
    let ends = |on_failure| matches!(on_failure, OnFailure::Abort | OnFailure::Revert);
    match &step.kind {
        PlanStepKind::Phase { policy, hooks } => ends(policy.on_failure) && !hooks[slot].allow_failure && policy.when != When::Failed,
        PlanStepKind::Host { policy, .. } => ends(policy.on_failure),
        PlanStepKind::Fact { .. } => false,
    }
}

/// What lies in the application's tree comes with it; what lies elsewhere is the machine's, and `check` may run on another one.
fn is_of_the_tree(plan: &Plan, path: &Path) -> bool {
    path.starts_with(&plan.app_dir)
}

/// What earlier steps may have put somewhere by then.
#[derive(Default)]
struct Makers {
    /// Something ran that nothing confines.
    anywhere: bool,
    /// Where hooks could write what stays.
    dirs: Vec<String>,
}

impl Makers {
    fn add(&mut self, step: &PlanStep, slot: usize) {
        match &step.kind {
            PlanStepKind::Host { .. } => self.anywhere = true,
            PlanStepKind::Phase { policy, hooks } => {
                let hook = &hooks[slot];
                self.anywhere |= matches!(hook.guest, PlanGuest::Native { sandbox: Sandbox::None, .. });
                let stays = hook.grants.dirs.iter().filter(|dir| matches!(dir.mode, DirMode::Write | DirMode::Txn));
                let stays = stays.filter(|_| policy.files != Files::Discard);
                self.dirs.extend(stays.filter_map(|dir| dir.host.clone()));
            }
            PlanStepKind::Fact { .. } => {}
        }
    }

    fn may_make(&self, path: &Path) -> bool {
        self.anywhere || self.dirs.iter().any(|dir| path.starts_with(dir))
    }
}
