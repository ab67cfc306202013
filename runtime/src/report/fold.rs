//! The fold itself: one event at a time. A journal may break off anywhere; what was in flight then is `unknown`.

use super::entry::{HookReport, OutcomeWord, StepReport, UsageReport, VerifyReport};
use super::failure::{Failure, FirstError, Skip};
use super::{Notice, OutsidePaths, Report, WouldChange};
use crate::diagnostic::codes;
use crate::model::event::{Earlier, Event, Finished, Place, PlannedHook, PlannedStep, Role, RunHeader, Status, What};
use crate::model::id::{HookId, StepName};
use crate::model::outcome::{Outcome, SkipReason, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// How many of the last lines of a hook are kept when the journal breaks off before its end.
const TAIL_LINES: usize = 20;

/// Folds a run's events into its report, one at a time.
#[derive(Debug, Clone)]
pub struct Folder {
    report: Report,
    planned: BTreeMap<Place, PlannedHook>,
    /// Hooks that were looked at, as their steps' `not_run` names them.
    reached: BTreeSet<String>,
    /// What started and hasn't ended: for a hook, its position in `report.hooks`; for a host step, its position in `report.steps`.
    in_flight: BTreeMap<Place, usize>,
    /// Backups of what hasn't started yet.
    backups: BTreeMap<Place, String>,
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// Nothing happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            report: Report::not_started(Status::Interrupted),
            planned: BTreeMap::new(),
            reached: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            backups: BTreeMap::new(),
        }
    }

    /// Takes the next event.
    pub fn push(&mut self, event: &Event) {
        self.report.ended_at = Some(event.at);
        match &event.what {
            What::RunStarted { header, steps } => {
                self.report.run_id = Some(event.run.clone());
                self.report.started_at = Some(event.at);
                self.start(header, steps);
            }
            What::StepStarted { step, detail } => {
                self.detail(detail.as_ref());
                let index = self.step(step);
                self.report.steps[index].started_at = Some(event.at);
            }
            What::Started { place, attempt } => self.started(event.at, place, *attempt),
            What::BackedUp { place, path, .. } => self.backed_up(place, path.as_ref()),
            What::Verifying { place, reported, .. } => self.verifying(event.at, place, reported.is_some()),
            What::Verified { place, result } => {
                if let Some(verify) = self.verify(place) {
                    verify.said(result);
                }
            }
            What::Output { place, line, .. } => self.output(place, line),
            What::Finished { place, result } => self.finished(place, result),
            What::StepFinished { step, verdict, detail } => {
                self.detail(detail.as_ref());
                let index = self.step(step);
                self.report.steps[index].verdict = Some(*verdict);
            }
            What::Warning { code, message } => {
                self.report.warnings += 1;
                self.report.notices.push(Notice { code: code.clone(), message: message.clone() });
            }
            What::WouldChange { files, diffs } => {
                self.report.would_change = Some(WouldChange { files: files.clone(), diffs: diffs.clone(), not_tried: Vec::new() });
            }
            What::GettingReady { .. } | What::Resolved { by: None, .. } => {}
            What::Resolved { place, release, resolution, by: Some(by) } => {
                let message = format!("{place} of release {release} {} by {by}", resolution.words());
                self.report.notices.push(Notice { code: codes::RESOLVED.to_owned(), message });
            }
            What::DeployFailed { by, detail } => {
                self.report.status = Status::SucceededButDeployFailed;
                // The old version goes on.
                self.report.new_version_live = self.report.new_version_live.map(|_| false);
                self.report.notices.push(Notice { code: codes::DEPLOY_FAILED.to_owned(), message: format!("{detail} (said by {by})") });
                self.detail(Some(detail));
                self.report.left_half_way = Some(detail.clone());
            }
            What::Unlocked { by, owner } => {
                let message = format!("{by} took the lock away from {owner}");
                self.report.notices.push(Notice { code: codes::UNLOCKED.to_owned(), message });
            }
            What::Interrupted { signal } => self.report.signal = *signal,
            What::RunFinished { status, detail, .. } => {
                self.report.status = *status;
                self.detail(detail.as_ref());
                self.report.left_half_way.clone_from(detail);
            }
        }
    }

    /// The report of what was pushed.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.break_off();
        for step in &mut self.report.steps {
            step.not_run.retain(|name| !self.reached.contains(name));
        }
        let not_tried = self.report.not_tried();
        if let Some(would) = &mut self.report.would_change {
            would.not_tried = not_tried;
        }
        self.report.hooks_executed = self.report.hooks.iter().map(HookReport::executed).collect();
        self.report
    }

    /// The version that is live if the run ends with `status`: a run that failed half-way may have checked a tree out that isn't.
    #[must_use]
    pub fn live_version(&self, status: Status) -> Option<String> {
        let report = &self.report;
        let is_live = report.new_version_live.unwrap_or(status == Status::Success);
        if is_live { report.tag.as_ref().map(ToString::to_string) } else { report.previous_version.clone() }
    }

    fn start(&mut self, header: &RunHeader, steps: &[PlannedStep]) {
        self.report = self.report.clone().of(header);
        self.report.outside_path_attempts = Some(if header.audit { OutsidePaths::Observed } else { OutsidePaths::NotObserved });
        let Earlier { backup_path, migrations_run, details } = header.earlier.clone();
        (self.report.backup_path, self.report.migrations_run, self.report.details) = (backup_path, migrations_run, details);
        self.report.steps = steps.iter().map(StepReport::planned).collect();
        self.report.new_version_live = steps.iter().any(|step| step.makes_live).then_some(false);
        let hooks = steps.iter().flat_map(|step| &step.hooks);
        self.planned = hooks.map(|hook| (hook.place.clone(), hook.clone())).collect();
    }

    fn backed_up(&mut self, place: &Place, path: Option<&String>) {
        let Some(path) = path else { return };
        self.report.backup_path.get_or_insert_with(|| path.clone());
        self.backups.insert(place.clone(), path.clone());
    }

    fn started(&mut self, at: jiff::Timestamp, place: &Place, attempt: u32) {
        let index = if let Some(hook) = &place.hook {
            let index = self.reach(place, hook);
            let entry = &mut self.report.hooks[index];
            (entry.attempt, entry.started_at) = (Some(attempt), Some(at));
            index
        } else {
            let index = self.step(&place.step);
            self.report.steps[index].started_at.get_or_insert(at);
            index
        };
        self.in_flight.insert(place.clone(), index);
    }

    fn verifying(&mut self, at: jiff::Timestamp, place: &Place, hook_ended: bool) {
        let main = place.in_role(Role::Main);
        let Some(&index) = self.in_flight.get(&main) else { return };
        let planned = self.planned.get(&main).and_then(|planned| planned.verify.as_ref());
        self.report.hooks[index].verify = Some(VerifyReport::asked(planned, at, hook_ended));
    }

    /// The verify at `place`, whose hook is in flight.
    fn verify(&mut self, place: &Place) -> Option<&mut VerifyReport> {
        let index = *self.in_flight.get(&place.in_role(Role::Main))?;
        self.report.hooks.get_mut(index)?.verify.as_mut()
    }

    /// Lines are kept for what is in flight only: a finished execution brings its own last lines.
    fn output(&mut self, place: &Place, line: &str) {
        let tail = match (place.role, &place.hook, self.in_flight.get(place)) {
            (Role::Verify, ..) => self.verify(place).map(|verify| &mut verify.tail),
            (_, Some(_), Some(&index)) => Some(&mut self.report.hooks[index].tail),
            (_, None, Some(&index)) => Some(&mut self.report.steps[index].tail),
            (.., None) => None,
        };
        let Some(tail) = tail else { return };
        if tail.len() == TAIL_LINES {
            tail.remove(0);
        }
        tail.push(line.to_owned());
    }

    fn finished(&mut self, place: &Place, result: &Finished) {
        let in_flight = self.in_flight.remove(place);
        self.outputs(&result.outputs);
        self.detail(result.detail.as_ref());
        if result.verdict == Verdict::ProceedWithWarning {
            self.report.warnings += 1;
        }
        if result.verdict == Verdict::Abort {
            self.first_error(place, Failure::of(&result.outcome));
        }
        match &place.hook {
            Some(hook) => self.hook_finished(place, hook, in_flight, result),
            None => self.step_finished(place, result),
        }
    }

    fn hook_finished(&mut self, place: &Place, hook: &HookId, in_flight: Option<usize>, result: &Finished) {
        if matches!(result.outcome, Outcome::Skipped { reason: SkipReason::Aborted }) {
            return; // never reached: it stays among its step's `not_run`
        }
        let index = in_flight.unwrap_or_else(|| self.reach(place, hook));
        let entry = &mut self.report.hooks[index];
        entry.outcome = OutcomeWord::of(&result.outcome);
        entry.verdict = Some(result.verdict);
        entry.cause = Failure::of(&result.outcome);
        entry.skip_reason = Skip::of(&result.outcome);
        entry.exit_code = result.exit_code;
        entry.usage.measure(&result.usage);
        entry.denials.clone_from(&result.denials);
        entry.more_denials = result.denials.as_ref().map(|_| result.more_denials);
        entry.unenforced.clone_from(&result.unenforced);
        entry.files.clone_from(&result.files);
        entry.stages.clone_from(&result.stages);
        entry.after_skipped.clone_from(&result.after_skipped);
        entry.tail.clone_from(&result.tail);
        if result.outcome == Outcome::Unknown {
            self.may_have_touched(place, index);
        }
    }

    /// Nobody knows how the hook of this entry ended.
    fn may_have_touched(&mut self, place: &Place, index: usize) {
        let planned = self.planned.get(&place.in_role(Role::Main));
        self.report.hooks[index].may_have_touched = planned.and_then(|planned| planned.reach.clone());
    }

    fn step_finished(&mut self, place: &Place, result: &Finished) {
        let index = self.step(&place.step);
        let entry = &mut self.report.steps[index];
        entry.outcome = Some(OutcomeWord::of(&result.outcome));
        entry.verdict = Some(result.verdict);
        entry.cause = Failure::of(&result.outcome);
        entry.skip_reason = Skip::of(&result.outcome);
        entry.exit_code = result.exit_code;
        entry.usage.get_or_insert_default().measure(&result.usage);
        entry.tail.clone_from(&result.tail);
        if entry.makes_live {
            self.report.new_version_live = live(&result.outcome, self.report.new_version_live);
        }
    }

    /// Position of a new entry for a hook that is looked at now.
    fn reach(&mut self, place: &Place, hook: &HookId) -> usize {
        self.reached.insert(place.to_string());
        let planned = self.planned.get(&place.in_role(Role::Main));
        // A revert runs under its hook's plan, but for what it is.
        let revert = planned.and_then(|planned| planned.revert.as_ref()).filter(|_| place.role == Role::Revert);
        self.report.hooks.push(HookReport {
            id: hook.clone(),
            label: planned.map_or_else(|| hook.to_string(), |planned| planned.label.clone()),
            phase: place.step.clone(),
            service: place.service.clone(),
            instance: place.instance.clone(),
            guest: revert.map(|revert| revert.guest).or(planned.map(|planned| planned.guest)),
            fallback: planned.and_then(|planned| planned.fallback.clone()).filter(|_| revert.is_none()),
            outcome: OutcomeWord::Unknown,
            verdict: None,
            cause: None,
            exit_code: None,
            skip_reason: None,
            usage: revert
                .map(|revert| &revert.limits)
                .or(planned.map(|planned| &planned.limits))
                .map_or_else(UsageReport::default, UsageReport::within),
            denials: None,
            more_denials: None,
            files: None,
            backup_path: self.backups.remove(place),
            verify: None,
            may_have_touched: None,
            attempt: None,
            started_at: None,
            source: planned.and_then(|planned| planned.source.clone()),
            file: revert.map(|revert| &revert.file).or(planned.map(|planned| &planned.file)).map_or_else(|| hook.to_string(), Clone::clone),
            role: place.role,
            unconfined: planned.is_some_and(|planned| planned.unconfined),
            unenforced: Vec::new(),
            tail: Vec::new(),
            stages: None,
            after_skipped: Vec::new(),
        });
        self.report.hooks.len() - 1
    }

    /// Position of a step; one that the journal's plan doesn't name is added.
    fn step(&mut self, name: &StepName) -> usize {
        if let Some(index) = self.report.steps.iter().position(|step| step.step == *name) {
            return index;
        }
        self.report.steps.push(StepReport::unplanned(name.clone()));
        self.report.steps.len() - 1
    }

    fn outputs(&mut self, outputs: &[(String, String)]) {
        for (key, value) in outputs {
            match key.as_str() {
                "migration" => self.report.migrations_run.push(value.clone()),
                "detail" => self.report.details.push(value.clone()),
                "backup_path" => {
                    self.report.backup_path.get_or_insert_with(|| value.clone());
                }
                _ => {} // for the hooks and steps that name it
            }
        }
    }

    fn detail(&mut self, detail: Option<&String>) {
        self.report.details.extend(detail.cloned());
    }

    fn first_error(&mut self, place: &Place, cause: Option<Failure>) {
        let (None, Some(cause)) = (&self.report.first_error, cause) else { return };
        self.report.first_error = Some(match &place.hook {
            Some(hook) => FirstError::Hook { hook: hook.clone(), phase: place.step.clone(), cause },
            None => FirstError::Step { step: place.step.clone(), cause },
        });
    }

    /// What is still in flight when the events end was running when the engine died.
    fn break_off(&mut self) {
        for (place, index) in std::mem::take(&mut self.in_flight) {
            let cause = Failure::of(&Outcome::Unknown);
            self.first_error(&place, cause.clone());
            if place.hook.is_some() {
                self.report.hooks[index].cause = cause; // its outcome is `unknown` from the start
                self.may_have_touched(&place, index);
            } else {
                self.report.steps[index].outcome = Some(OutcomeWord::Unknown);
                self.report.steps[index].cause = cause;
            }
        }
    }
}

/// Whether the new version is live after a step that makes it so ended like this; `before` is what was known until then.
fn live(outcome: &Outcome, before: Option<bool>) -> Option<bool> {
    match outcome {
        Outcome::Succeeded | Outcome::Skipped { reason: SkipReason::AlreadyDone { .. } } => Some(true),
        // Without a command, somebody else makes it live, and what wasn't selected may have been made live before: nobody here saw it.
        Outcome::Skipped { reason: SkipReason::NotConfigured | SkipReason::NotSelected } if before != Some(true) => None,
        _ => before,
    }
}
