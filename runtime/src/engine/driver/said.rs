//! What the run says of itself in the profile's words.

use super::Driver;
use crate::engine::lifecycle;
use crate::engine::lines::{self, Words};
use crate::engine::machine::{At, Decision};
use crate::model::event::Status;
use crate::model::outcome::{Outcome, SkipReason, Verdict};
use crate::plan::PlanStepKind;

impl Driver<'_, '_> {
    /// The profile's line for a host step; steps without a command say nothing.
    pub(super) fn host_line(&self, step: usize, moment: Moment) -> Option<String> {
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
    pub(super) fn hook_line(&self, at: At, outcome: &Outcome, verdict: Verdict) -> Option<String> {
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
    pub(super) fn left_half_way(&self, status: Status) -> Option<String> {
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

/// When a host step speaks.
#[derive(Clone, Copy)]
pub(super) enum Moment {
    Begin,
    Done,
    Tolerated,
    Failed,
}

impl Moment {
    pub(super) const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Proceed => Self::Done,
            Verdict::ProceedWithWarning => Self::Tolerated,
            Verdict::Abort => Self::Failed,
        }
    }
}

/// What a line says of a bad end.
pub(super) fn cause_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { cause } => cause.to_string(),
        other => other.to_string(),
    }
}
