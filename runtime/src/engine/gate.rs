//! The gate: plan × what is remembered → which hooks run, and why the others don't. `plan` and `run` decide by this one function.

use super::job::Reported;
use super::lifecycle;
use super::machine::{At, Decision};
use super::open::{Open, Was};
use crate::diagnostic::codes;
use crate::ledger::{Key, Memory};
use crate::model::event::Place;
use crate::model::id::{Commit, Digest, HookId, RunId, StepName};
use crate::model::outcome::{Outcome, SkipReason};
use crate::model::policy::{Gate, OnChange, OnFailure, OnUnknown, Resume};
use crate::plan::{Notice, Plan, PlanHook, PlanStep, PlanStepKind};
use std::collections::BTreeMap;

/// What is remembered when a run begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The executions of this plan's release.
    pub memories: BTreeMap<Place, Memory>,
    /// Executions of any release that nobody knows the end of.
    pub unresolved: BTreeMap<Place, Open>,
    /// Executions that a dead run decided to commit, with the run: the next one finishes that first.
    pub decided: BTreeMap<Place, RunId>,
    /// A run that is on meanwhile: what it is doing isn't done yet, and nobody has to say anything of it.
    pub is_on: Option<RunId>,
    /// The commit of the last successful run.
    pub last_success: Option<Commit>,
    /// Whether the release's marker file exists.
    pub marker_present: bool,
    /// Whether the ledger has a run of this release.
    pub release_known: bool,
}

/// What the gate decided, for each step and slot of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// By step, then by slot.
    pub by_step: Vec<Vec<Decision>>,
    /// What a person should know about them.
    pub notices: Vec<Notice>,
    /// Hooks that were running when an engine died, and whose `verify` says whether they have to run again; with what they reported, if they
    /// had themselves ended with success.
    pub verify_first: BTreeMap<Place, Option<Reported>>,
}

/// A finished hook that changed since, where the manifest says that this is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "hook {hook} changed since it was done in run {run}: set its on_change to \"rerun\", \"warn\" or \"ignore\", or deploy it under a new tag"
)]
pub struct Changed {
    /// The hook.
    pub hook: HookId,
    /// The run in which it was done.
    pub run: RunId,
}

/// The release part of an execution's identity: the tag, else the commit, under `once`; the run itself otherwise.
#[must_use]
pub fn release_of(plan: &Plan, gate: Gate, run: &RunId) -> String {
    let release = plan.tag.as_ref().map(ToString::to_string).or_else(|| plan.commit.as_ref().map(ToString::to_string));
    match (gate, release) {
        (Gate::Once, Some(release)) => release,
        _ => format!("run {run}"),
    }
}

/// The gate that holds for one hook of a phase.
#[must_use]
pub const fn gate_of(phase: Gate, hook: &PlanHook) -> Gate {
    match hook.once {
        Some(true) => Gate::Once,
        Some(false) => Gate::None,
        None => phase,
    }
}

/// The key under which an execution is remembered.
#[must_use]
pub fn key_of(plan: &Plan, gate: Gate, place: Place, run: &RunId) -> Key {
    Key { release: release_of(plan, gate, run), place }
}

/// The key under which what stands at `at` in the plan of `run` is remembered, and the digest of what runs there.
#[must_use]
pub fn execution(plan: &Plan, at: At, run: &RunId) -> (Key, Digest) {
    let (gate, digest) = lifecycle::identity(plan, at);
    (key_of(plan, gate, lifecycle::place(plan, at), run), digest)
}

/// Whether what stands at `at` waits for a person if it was running when the engine died; otherwise it runs again by itself.
#[must_use]
pub fn waits(plan: &Plan, at: At) -> bool {
    match &plan.steps[at.step].kind {
        PlanStepKind::Phase { hooks, .. } => hook_waits(plan, &hooks[at.slot]),
        PlanStepKind::Host { policy, .. } => policy.resume == Resume::Ask,
        PlanStepKind::Fact { .. } => false,
    }
}

/// Whether the verify of what stands at `at` is asked if it was running when the engine died.
#[must_use]
pub fn asks(plan: &Plan, at: At) -> bool {
    match &plan.steps[at.step].kind {
        PlanStepKind::Phase { hooks, .. } => hook_asks(plan, &hooks[at.slot]),
        PlanStepKind::Host { .. } | PlanStepKind::Fact { .. } => false,
    }
}

fn hook_waits(plan: &Plan, hook: &PlanHook) -> bool {
    plan.on_unknown == OnUnknown::Stop && hook.is_live() && !hook.idempotent && hook.verify.is_none()
}

/// Whether its verify is asked what became of a hook that was running when an engine died. Of what was only staged nothing is there, so it
/// runs again whatever its verify thinks of how things stood before; and so does what lost a part of its writes and may run twice.
fn hook_asks(plan: &Plan, hook: &PlanHook) -> bool {
    let may_run_twice = hook.idempotent || plan.on_unknown == OnUnknown::Rerun;
    hook.verify.is_some() && hook.is_live() && !(hook.commits() && may_run_twice)
}

/// Decides for every hook and host step of the plan.
///
/// # Errors
/// Every finished hook that changed, where its `on_change` is `error`.
pub fn decide(plan: &Plan, snapshot: &Snapshot) -> Result<Decisions, Vec<Changed>> {
    let mut gate = Judge { plan, snapshot, notices: Vec::new(), changed: Vec::new(), verify_first: BTreeMap::new() };
    gate.beside();
    let by_step = plan.steps.iter().map(|step| gate.step(step)).collect();
    if gate.changed.is_empty() {
        Ok(Decisions { by_step, notices: gate.notices, verify_first: gate.verify_first })
    } else {
        Err(gate.changed)
    }
}

/// Hooks that would end the run because they can't run: nothing that happens before them could change that, so nothing has to happen.
///
/// At the start of a container one that another repository doesn't give is none of them: what that repository holds is a matter of the moment, not of
/// the plan, and nothing is stopped yet that a refusal would spare. It fails in its phase, which says what becomes of the start (S4.7).
#[must_use]
pub fn hopeless(plan: &Plan, decisions: &Decisions, at_start: bool) -> Vec<Notice> {
    let mut found = Vec::new();
    for (step, decided) in plan.steps.iter().zip(&decisions.by_step) {
        let PlanStepKind::Phase { policy, hooks } = &step.kind else { continue };
        if !matches!(policy.on_failure, OnFailure::Abort | OnFailure::Revert) {
            continue;
        }
        let running = hooks.iter().zip(decided).filter(|(hook, decided)| **decided == Decision::Run && !hook.allow_failure);
        let of_the_plan = running.filter(|(hook, _)| !at_start || hook.source.is_none());
        found.extend(of_the_plan.filter_map(|(hook, _)| {
            let message = format!("{}: {}", hook.place(&step.name), hook.unusable.as_ref()?);
            Some(Notice { code: "unusable-hook".to_owned(), message })
        }));
    }
    found
}

struct Judge<'a> {
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    notices: Vec<Notice>,
    changed: Vec<Changed>,
    verify_first: BTreeMap<Place, Option<Reported>>,
}

impl Judge<'_> {
    fn beside(&mut self) {
        if let Some(run) = &self.snapshot.is_on {
            let message = format!("run {run} is on: what it has not finished stands here as not done");
            self.notices.push(Notice { code: codes::RUN_IS_ON.to_owned(), message });
        }
    }

    fn step(&mut self, step: &PlanStep) -> Vec<Decision> {
        match &step.kind {
            PlanStepKind::Fact { .. } => Vec::new(),
            PlanStepKind::Host { .. } if self.plan.partial => vec![Decision::Skip(SkipReason::NotSelected)],
            PlanStepKind::Host { command: None, .. } => vec![Decision::Skip(SkipReason::NotConfigured)],
            PlanStepKind::Host { policy, .. } if policy.resume == Resume::Ask && self.is_open(&step.name) => vec![Decision::Unresolved],
            PlanStepKind::Host { .. } => vec![Decision::Run],
            PlanStepKind::Phase { policy, hooks } => {
                hooks.iter().map(|hook| self.hook(hook, &hook.place(&step.name), gate_of(policy.gate, hook))).collect()
            }
        }
    }

    /// Nothing says whether the commit changed: the hooks run, and a person is told why (A15).
    fn unknown_revision(&mut self) {
        let code = codes::UNKNOWN_REVISION;
        if self.notices.iter().all(|notice| notice.code != code) {
            let message =
                "hooks run when the commit changes, and no commit is known: they run; deploy from a git repository, or give --commit";
            self.notices.push(Notice { code: code.to_owned(), message: message.to_owned() });
        }
    }

    /// Whether a host step was running when an engine died, and nobody has said yet what became of it.
    fn is_open(&self, step: &StepName) -> bool {
        self.snapshot.unresolved.contains_key(&Place::step(step.clone()))
    }

    fn hook(&mut self, hook: &PlanHook, place: &Place, gate: Gate) -> Decision {
        if !hook.selected {
            return Decision::Skip(SkipReason::NotSelected);
        }
        if !hook.enabled {
            return Decision::Skip(SkipReason::Disabled);
        }
        self.decided(place);
        if let Some(decision) = self.unresolved(hook, place, gate) {
            return decision;
        }
        if gate == Gate::CommitChanged && self.plan.commit.is_none() {
            self.unknown_revision();
        }
        match gate {
            Gate::CommitChanged if self.plan.commit.is_some() && self.plan.commit == self.snapshot.last_success => {
                Decision::Skip(SkipReason::CommitUnchanged)
            }
            Gate::None | Gate::CommitChanged => Decision::Run,
            Gate::Once => self.once(hook, place),
        }
    }

    fn unresolved(&mut self, hook: &PlanHook, place: &Place, gate: Gate) -> Option<Decision> {
        let Open { key, memory: Memory { run, .. }, was } = self.snapshot.unresolved.get(place)?;
        let concerns_this = gate != Gate::Once || key.release == release_of(self.plan, gate, run);
        if !concerns_this {
            return None;
        }
        let (code, was, ended) = match was {
            Was::Running => (codes::RERUN_AFTER_CRASH, format!("was running when run {run} died"), None),
            Was::Verifying(reported) => {
                let was = format!("had ended with success, and its verify was under way when run {run} died");
                (codes::RERUN_AFTER_CRASH, was, Some(reported))
            }
            Was::HalfTakenBack => {
                (codes::HALF_TAKEN_BACK, format!("was to be taken back in run {run}, and its revert was cut off or failed"), None)
            }
        };
        let waits = hook_waits(self.plan, hook);
        if waits && code == codes::RERUN_AFTER_CRASH {
            return Some(Decision::Unresolved);
        }
        let asks = !waits && hook_asks(self.plan, hook);
        self.verify_first.extend(asks.then(|| (place.clone(), ended.cloned())));
        let then = match (waits, asks) {
            (true, _) => "nobody knows how much of it is left",
            (false, true) => "it runs again unless its verify says that it took",
            (false, false) => "it runs again",
        };
        self.notices.push(Notice { code: code.to_owned(), message: format!("{place} {was}; {then}") });
        Some(if waits { Decision::Unresolved } else { Decision::Run })
    }

    /// What will be done by the time the next run begins.
    fn decided(&mut self, place: &Place) {
        if let Some(run) = self.snapshot.decided.get(place) {
            let message = format!(
                "the commit of {place} was decided when run {run} died; the next run finishes it first, and until then some of its files are as they were before"
            );
            self.notices.push(Notice { code: codes::COMMIT_UNFINISHED.to_owned(), message });
        }
    }

    fn once(&mut self, hook: &PlanHook, place: &Place) -> Decision {
        match self.snapshot.memories.get(place) {
            Some(memory) if memory.outcome == Some(Outcome::Succeeded) => self.done(hook, memory),
            Some(_) => Decision::Run,
            None => match &self.plan.marker {
                Some(path) if self.snapshot.marker_present && !self.snapshot.release_known => {
                    Decision::Skip(SkipReason::Marker { path: path.clone() })
                }
                _ => Decision::Run,
            },
        }
    }

    fn done(&mut self, hook: &PlanHook, memory: &Memory) -> Decision {
        let skip = Decision::Skip(SkipReason::AlreadyDone { run: memory.run.to_string() });
        if memory.digest == hook.digest {
            return skip;
        }
        match hook.on_change {
            OnChange::Error => self.changed.push(Changed { hook: hook.id.clone(), run: memory.run.clone() }),
            OnChange::Warn => self.notices.push(Notice {
                code: "hook-changed".to_owned(),
                message: format!("hook {} changed since it was done in run {}; it stays done", hook.id, memory.run),
            }),
            OnChange::Rerun => return Decision::Run,
            OnChange::Ignore => {}
        }
        skip
    }
}

#[cfg(test)]
mod tests;
