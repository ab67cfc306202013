//! The lifecycle as a pure state machine: inputs in, effects out. No I/O, no async, no wasm, no clock.
//!
//! The driver does the effects in the order given and feeds back what happened. What the machine promises whatever comes back
//! (`properties.rs` checks it on random lives):
//!
//! - every launch has an intent recorded before it and an outcome after it;
//! - after an abort nothing is launched but reverts and `always` steps, and every `always` step runs exactly once
//!   (unless it waits for a failure, and there was none);
//! - a cancel is an abort that reverts nothing;
//! - the first error stays the first;
//! - the lock is released on every way out.

pub mod io;
pub mod spec;
mod verdict;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use io::{Effect, Input, LockState, Record};
pub use spec::{At, Decision, Lifecycle, SlotSpec, StepSpec};
pub use verdict::verdict;

use crate::model::event::Status;
use crate::model::outcome::{Cause, Outcome, SkipReason, Verdict};
use crate::model::policy::{AfterFailure, Files, OnFailure, OnLocked, OnTimeout, When};
use std::collections::{BTreeMap, BTreeSet};

/// One run of a lifecycle.
#[derive(Debug)]
pub struct Machine {
    spec: Lifecycle,
    /// The step that comes next.
    next: usize,
    /// Steps that began and have not ended: at most one in the foreground, any number in the background.
    open: BTreeMap<usize, Track>,
    /// What runs at this moment.
    running: BTreeSet<At>,
    /// What of it hasn't started yet: something comes before.
    getting_ready: BTreeSet<At>,
    /// Main slots that succeeded, in the order they ended.
    succeeded: Vec<At>,
    /// Whether the reverts of what succeeded are owed.
    owes_reverts: bool,
    mode: Mode,
    /// What ended before the engine died; `None` if this is no recovery.
    ended_before: Option<BTreeSet<At>>,
    first_error: Option<At>,
    /// Whether anything ended badly so far, tolerated or not.
    blemished: bool,
    cancelled: bool,
    finished: bool,
    /// Whether the run had its end before: only what it owes is made up for, and its journal gets no second end.
    is_over: bool,
}

/// How far a run may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Everything runs.
    Normal,
    /// Only reverts and `always` steps run.
    Aborted,
}

/// A step under way.
#[derive(Debug)]
struct Track {
    state: TrackState,
    /// The slot that comes next.
    slot: usize,
    /// Slots that preflight ruled out.
    ruled_out: BTreeSet<usize>,
    /// Lists that a failure ended, and the first slot at which it did: nothing after it runs in that list.
    ended_lists: BTreeMap<usize, usize>,
    /// The gravest verdict so far.
    verdict: Verdict,
    /// Whether a hook of it ended badly, tolerated or not: what the phase staged is one whole, so none of it is committed then.
    spoilt: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrackState {
    Preflighting,
    Running,
    Committing,
}

impl Machine {
    /// A run from the first step.
    #[must_use]
    pub fn new(spec: Lifecycle) -> Self {
        Self {
            spec,
            next: 0,
            open: BTreeMap::new(),
            running: BTreeSet::new(),
            getting_ready: BTreeSet::new(),
            succeeded: Vec::new(),
            owes_reverts: false,
            mode: Mode::Normal,
            ended_before: None,
            first_error: None,
            blemished: false,
            cancelled: false,
            finished: false,
            is_over: false,
        }
    }

    /// The rest of a run whose engine died: the reverts that it was at, of what `succeeded` and wasn't taken back yet, the last first; and its
    /// `always` steps, of them only what never ended.
    #[must_use]
    pub fn recover(spec: Lifecycle, ended: BTreeSet<At>, succeeded: Vec<At>) -> Self {
        let dead = Self { mode: Mode::Aborted, cancelled: true, blemished: true, ended_before: Some(ended), ..Self::new(spec) };
        Self { owes_reverts: !succeeded.is_empty(), succeeded, ..dead }
    }

    /// What a run owes that had come to its end when the deployment it was part of failed: the reverts of what `succeeded`, the last first.
    #[must_use]
    pub fn undo(spec: Lifecycle, succeeded: Vec<At>) -> Self {
        let ended = Self::new(spec.clone()).slots().map(|(at, _)| at).collect();
        let over = Self { mode: Mode::Aborted, ended_before: Some(ended), is_over: true, ..Self::new(spec) };
        Self { succeeded, owes_reverts: true, ..over }
    }

    /// The first failure that aborted the run.
    #[must_use]
    pub fn first_error(&self) -> Option<At> {
        self.first_error
    }

    /// Takes an input and says what to do.
    #[must_use]
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.finished {
            return out;
        }
        match input {
            Input::Start(lock) => self.start(lock, &mut out),
            Input::Preflighted { step, findings } => self.preflighted(step, findings, &mut out),
            Input::Ready { at } => self.ready(at, &mut out),
            Input::Ended { at, outcome } => self.ended(at, outcome, &mut out),
            Input::Committed { step, outcome } => self.committed(step, &outcome, &mut out),
            Input::Cancel { signal } => self.cancel(signal, &mut out),
        }
        self.advance(&mut out);
        out
    }

    fn start(&mut self, lock: LockState, out: &mut Vec<Effect>) {
        if lock == LockState::Busy {
            let status = if self.spec.on_locked == OnLocked::Skip { Status::Skipped } else { Status::Locked };
            self.finished = true;
            return out.push(Effect::Finish(status));
        }
        if self.ended_before.is_some() {
            return;
        }
        out.push(Effect::Record(Record::RunStarted));
        let unresolved = self.slots().filter(|(_, slot)| slot.decision == Decision::Unresolved).map(|(at, _)| at).collect::<Vec<_>>();
        self.first_error = unresolved.first().copied();
        out.extend(
            unresolved.iter().map(|at| Effect::Record(Record::Outcome { at: *at, outcome: Outcome::Unknown, verdict: Verdict::Abort })),
        );
        if !unresolved.is_empty() {
            self.finish(out);
        }
    }

    fn slots(&self) -> impl Iterator<Item = (At, &SlotSpec)> {
        self.spec
            .steps
            .iter()
            .enumerate()
            .flat_map(|(step, spec)| spec.slots.iter().enumerate().map(move |(slot, spec)| (At::main(step, slot), spec)))
    }

    fn preflighted(&mut self, step: usize, findings: Vec<(usize, Vec<String>)>, out: &mut Vec<Effect>) {
        let Some(track) = self.open.get_mut(&step) else { return };
        track.state = TrackState::Running;
        track.ruled_out.extend(findings.iter().map(|(slot, _)| *slot));
        for (slot, findings) in findings {
            self.settle(At::main(step, slot), Outcome::Failed { cause: Cause::Preflight { findings } }, out);
        }
    }

    fn ready(&mut self, at: At, out: &mut Vec<Effect>) {
        if !self.getting_ready.remove(&at) {
            return;
        }
        if self.mode == Mode::Aborted && !self.spec.steps[at.step].always {
            // Whoever was to stop it came too late, or just in time: nothing of it has started.
            self.running.remove(&at);
            return self.settle(at, Outcome::Cancelled, out);
        }
        self.launch(at, out);
    }

    fn ended(&mut self, at: At, outcome: Outcome, out: &mut Vec<Effect>) {
        self.getting_ready.remove(&at);
        if !self.running.remove(&at) {
            return;
        }
        if at.revert {
            let verdict = if outcome.is_ok() { Verdict::Proceed } else { Verdict::ProceedWithWarning };
            return out.push(Effect::Record(Record::Outcome { at, outcome, verdict }));
        }
        if outcome == Outcome::Succeeded {
            self.succeeded.push(at);
        }
        self.settle(at, outcome, out);
    }

    /// Records how a main slot ended and draws the consequence.
    fn settle(&mut self, at: At, outcome: Outcome, out: &mut Vec<Effect>) {
        let step = &self.spec.steps[at.step];
        let verdict = verdict(&outcome, step, step.slots[at.slot].allow_failure);
        let reverts = step.on_failure == OnFailure::Revert;
        let stopped = outcome == Outcome::Cancelled && self.mode == Mode::Aborted;
        let failed = !outcome.is_ok() && outcome != Outcome::Cancelled;
        // A timeout that counts as a success doesn't end its list either.
        let counts = failed && !(matches!(outcome, Outcome::TimedOut { .. }) && step.on_timeout == OnTimeout::Pass);
        let ended_list = (counts && step.after_failure == AfterFailure::EndList).then(|| step.slots[at.slot].list);
        // Neither is a bad end of the run that is resumed forgotten.
        self.blemished |= failed || matches!(outcome, Outcome::Skipped { reason: SkipReason::Passed { .. } });
        if let (Some(track), Some(list)) = (self.open.get_mut(&at.step), ended_list) {
            let first = track.ended_lists.entry(list).or_insert(at.slot);
            *first = at.slot.min(*first);
        }
        self.weigh(at.step, verdict);
        if let Some(track) = self.open.get_mut(&at.step) {
            track.spoilt |= !outcome.is_ok();
        }
        if verdict == Verdict::Abort && !stopped {
            self.first_error = self.first_error.or(Some(at));
        }
        out.push(Effect::Record(Record::Outcome { at, outcome, verdict }));
        if verdict == Verdict::Abort && !stopped {
            self.abort(reverts, out);
        }
    }

    fn weigh(&mut self, step: usize, verdict: Verdict) {
        if let Some(track) = self.open.get_mut(&step) {
            track.verdict = graver(track.verdict, verdict);
        }
    }

    fn committed(&mut self, step: usize, outcome: &Outcome, out: &mut Vec<Effect>) {
        let spec = &self.spec.steps[step];
        let verdict = verdict(outcome, spec, false);
        let reverts = spec.on_failure == OnFailure::Revert;
        self.weigh(step, verdict);
        if !outcome.is_ok() {
            self.blemished = true;
            out.push(Effect::Record(Record::NotCommitted { step, outcome: outcome.clone(), verdict }));
            self.forget(step);
        }
        if verdict == Verdict::Abort {
            self.first_error = self.first_error.or(Some(At::main(step, 0)));
            self.abort(reverts, out);
        }
        self.close(step, out);
    }

    /// What a step's hooks wrote to its stage never came to be: there is nothing to take back but live effects.
    fn forget(&mut self, step: usize) {
        let slots = &self.spec.steps[step].slots;
        self.succeeded.retain(|at| at.step != step || slots[at.slot].live);
    }

    fn cancel(&mut self, signal: Option<i32>, out: &mut Vec<Effect>) {
        if self.cancelled {
            return;
        }
        self.cancelled = true;
        self.owes_reverts = false;
        if !self.is_over {
            out.push(Effect::Record(Record::Interrupted { signal }));
        }
        self.enter_abort(out);
    }

    fn abort(&mut self, reverts: bool, out: &mut Vec<Effect>) {
        if self.mode == Mode::Aborted {
            return;
        }
        self.owes_reverts = reverts;
        self.enter_abort(out);
    }

    /// Nothing but reverts and `always` steps from here on; what runs outside of those is stopped.
    fn enter_abort(&mut self, out: &mut Vec<Effect>) {
        self.mode = Mode::Aborted;
        let stop = self.running.iter().filter(|at| !at.revert && !self.spec.steps[at.step].always);
        // An aborted run lets the foreground hook that is under way come to its end only if nobody asked to stop.
        let at_once = |at: &At| self.cancelled || self.spec.steps[at.step].background || self.getting_ready.contains(at);
        out.extend(stop.filter(|at| at_once(at)).map(|at| Effect::Cancel(*at)));
    }

    /// Goes on until something outside has to answer.
    fn advance(&mut self, out: &mut Vec<Effect>) {
        while !self.finished {
            for step in self.open.keys().copied().collect::<Vec<_>>() {
                self.advance_track(step, out);
            }
            if self.blocked() {
                return;
            }
            if let Some(at) = self.next_revert() {
                self.due(at, out);
            } else if self.next < self.spec.steps.len() && !self.must_know_more() {
                self.open_next(out);
            } else if self.open.is_empty() && self.running.is_empty() {
                self.finish(out);
            } else {
                return;
            }
        }
    }

    /// The revert of the latest success that has one.
    fn next_revert(&mut self) -> Option<At> {
        while self.owes_reverts
            && let Some(at) = self.succeeded.pop()
        {
            if self.spec.steps[at.step].slots[at.slot].revert {
                return Some(At { revert: true, ..at });
            }
        }
        None
    }

    /// Whether the foreground has to wait: for a foreground step, for a revert, or, after an abort, for everything that is being stopped.
    fn blocked(&self) -> bool {
        let foreground = self.open.keys().any(|step| !self.spec.steps[*step].background);
        let reverting = self.running.iter().any(|at| at.revert);
        let stopping = self.mode == Mode::Aborted && self.open.keys().any(|step| !self.spec.steps[*step].always);
        foreground || reverting || stopping
    }

    /// Whether the next step depends on how the others end, and some haven't yet.
    fn must_know_more(&self) -> bool {
        self.spec.steps[self.next].when != When::Any && !self.open.is_empty()
    }

    fn open_next(&mut self, out: &mut Vec<Effect>) {
        let step = self.next;
        self.next += 1;
        let spec = &self.spec.steps[step];
        if !self.may_run(step) {
            return;
        }
        out.push(Effect::Record(Record::StepStarted { step }));
        if spec.files != Files::Keep && spec.slots.iter().any(|slot| slot.decision == Decision::Run) {
            out.push(Effect::OpenStage { step });
        }
        let preflight = spec.slots.iter().any(|slot| slot.decision == Decision::Run);
        let ruled_out = self.ended_before.iter().flatten().filter(|at| at.step == step && !at.revert).map(|at| at.slot).collect();
        let state = if preflight { TrackState::Preflighting } else { TrackState::Running };
        let track = Track { state, slot: 0, ruled_out, ended_lists: BTreeMap::new(), verdict: Verdict::Proceed, spoilt: false };
        self.open.insert(step, track);
        if preflight {
            out.push(Effect::Preflight { step });
        }
    }

    fn may_run(&self, step: usize) -> bool {
        let spec = &self.spec.steps[step];
        let owed = |ended: &BTreeSet<At>| (0..spec.slots.len()).any(|slot| !ended.contains(&At::main(step, slot)));
        let due = match spec.when {
            When::Any => true,
            When::Succeeded => !self.blemished,
            When::Failed => self.blemished,
        };
        due && (self.mode == Mode::Normal || spec.always && self.ended_before.as_ref().is_none_or(owed))
    }

    /// Takes an open step as far as it goes by itself.
    fn advance_track(&mut self, step: usize, out: &mut Vec<Effect>) {
        loop {
            let Some(track) = self.open.get_mut(&step) else { return };
            if track.state != TrackState::Running || self.running.iter().any(|at| at.step == step && !at.revert) {
                return;
            }
            let slots = &self.spec.steps[step].slots;
            let stopped = track.verdict == Verdict::Abort || (self.mode == Mode::Aborted && !self.spec.steps[step].always);
            if stopped || track.slot == slots.len() {
                return self.end_track(step, out);
            }
            let slot = track.slot;
            track.slot += 1;
            if track.ruled_out.contains(&slot) {
                continue; // settled already
            }
            match slots[slot].decision.clone() {
                Decision::Run if track.ended_lists.get(&slots[slot].list).is_some_and(|failed| slot > *failed) => {
                    self.settle(At::main(step, slot), Outcome::Skipped { reason: SkipReason::ListEnded }, out);
                }
                Decision::Run => self.due(At::main(step, slot), out),
                Decision::Skip(reason) => self.settle(At::main(step, slot), Outcome::Skipped { reason }, out),
                Decision::Unresolved => {}
            }
        }
    }

    fn due(&mut self, at: At, out: &mut Vec<Effect>) {
        self.running.insert(at);
        if at.revert || !self.spec.steps[at.step].slots[at.slot].gets_ready {
            return self.launch(at, out);
        }
        self.getting_ready.insert(at);
        out.push(Effect::GetReady(at));
    }

    fn launch(&self, at: At, out: &mut Vec<Effect>) {
        let durable = at.revert || self.spec.steps[at.step].slots[at.slot].live;
        out.push(Effect::Record(Record::Intent { at, durable }));
        out.push(Effect::Launch(at));
    }

    fn end_track(&mut self, step: usize, out: &mut Vec<Effect>) {
        let spec = &self.spec.steps[step];
        let staged = spec.files != Files::Keep && spec.slots.iter().any(|slot| slot.decision == Decision::Run);
        let Some(track) = self.open.get_mut(&step) else { return };
        let aborted = track.verdict == Verdict::Abort || (self.mode == Mode::Aborted && !spec.always);
        if staged && spec.files == Files::Commit && !aborted && !track.spoilt {
            track.state = TrackState::Committing;
            return out.push(Effect::CommitStage { step });
        }
        if staged {
            out.push(Effect::DropStage { step });
            self.forget(step);
        }
        self.close(step, out);
    }

    fn close(&mut self, step: usize, out: &mut Vec<Effect>) {
        if let Some(track) = self.open.remove(&step) {
            out.push(Effect::Record(Record::StepFinished { step, verdict: track.verdict }));
        }
    }

    fn finish(&mut self, out: &mut Vec<Effect>) {
        let status = match (self.cancelled, self.first_error) {
            (true, _) => Status::Interrupted,
            (false, Some(_)) => Status::Failed,
            (false, None) => Status::Success,
        };
        self.finished = true;
        if !self.is_over {
            out.push(Effect::Record(Record::RunFinished { status }));
        }
        out.push(Effect::ReleaseLock);
        out.push(Effect::Finish(status));
    }
}

const fn graver(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Abort, _) | (_, Verdict::Abort) => Verdict::Abort,
        (Verdict::ProceedWithWarning, _) | (_, Verdict::ProceedWithWarning) => Verdict::ProceedWithWarning,
        _ => Verdict::Proceed,
    }
}
