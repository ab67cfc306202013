//! What is different between two plans, in sentences: why one can't go on with the run of the other.

use super::{Plan, PlanGuest, PlanHook, PlanStep, PlanStepKind};
use crate::model::event::Place;
use crate::model::id::Digest;
use serde::Serialize;
use std::fmt::Debug;

/// Every difference that counts for the digest, the most general first; empty for plans of the same digest.
#[must_use]
pub fn differences(before: &Plan, now: &Plan) -> Vec<String> {
    if before.digest() == now.digest() {
        return Vec::new();
    }
    let mut found = whole(before, now);
    let names = |plan: &Plan| plan.steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
    if names(before) == names(now) {
        found.extend(before.steps.iter().zip(&now.steps).flat_map(|(before, now)| step(before, now)));
    } else {
        found.push(format!("the profile {} has other steps", now.profile));
    }
    if found.is_empty() {
        found.push("the plan's format".to_owned());
    }
    found
}

fn whole(before: &Plan, now: &Plan) -> Vec<String> {
    let shown = |name: &str, before: Option<String>, now: Option<String>| {
        let word = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        (before != now).then(|| format!("{name} {} is now {}", word(before), word(now)))
    };
    let text = |value: &str| Some(value.to_owned());
    [
        shown("tag", before.tag.as_ref().map(ToString::to_string), now.tag.as_ref().map(ToString::to_string)),
        shown("commit", before.commit.as_ref().map(ToString::to_string), now.commit.as_ref().map(ToString::to_string)),
        shown("profile", text(&before.profile), text(&now.profile)),
        shown("previous version", before.previous_version.clone(), now.previous_version.clone()),
        shown("app_dir", text(&before.app_dir), text(&now.app_dir)),
        shown("data_dir", text(&before.data_dir), text(&now.data_dir)),
        (digest(&(before.on_locked, before.on_unknown)) != digest(&(now.on_locked, now.on_unknown)))
            .then(|| format!("the policies of profile {}", now.profile)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn step(before: &PlanStep, now: &PlanStep) -> Vec<String> {
    match (&before.kind, &now.kind) {
        (PlanStepKind::Host { policy: p, command: c }, PlanStepKind::Host { policy, command }) => {
            let changed = [(p != policy, "the policies"), (c != command, "the command")];
            changed.iter().filter(|(changed, _)| *changed).map(|(_, what)| format!("{what} of step {}", now.name)).collect()
        }
        (PlanStepKind::Phase { policy: p, hooks: h }, PlanStepKind::Phase { policy, hooks }) => {
            let mut found: Vec<String> = (p != policy).then(|| format!("the policies of phase {}", now.name)).into_iter().collect();
            let placed = |hooks: &[PlanHook]| hooks.iter().map(|hook| hook.place(&now.name)).collect::<Vec<Place>>();
            let (old, new) = (placed(h), placed(hooks));
            found.extend(old.iter().filter(|place| !new.contains(place)).map(|place| format!("{place} is gone")));
            found.extend(new.iter().filter(|place| !old.contains(place)).map(|place| format!("{place} is new")));
            let kept = |list: &[Place], other: &[Place]| list.iter().filter(|place| other.contains(place)).cloned().collect::<Vec<_>>();
            if kept(&old, &new) != kept(&new, &old) {
                found.push(format!("the order of the hooks of {}", now.name));
            }
            let twin = |place: &Place| h.iter().find(|hook| hook.place(&now.name) == *place);
            found.extend(new.iter().zip(hooks).filter_map(|(place, hook)| self::hook(place, twin(place)?, hook)));
            found
        }
        (PlanStepKind::Fact { fact: f, .. }, PlanStepKind::Fact { fact, .. }) if f == fact => Vec::new(),
        _ => vec![format!("step {} is of another kind", now.name)],
    }
}

fn hook(place: &Place, before: &PlanHook, now: &PlanHook) -> Option<String> {
    if before == now {
        return None;
    }
    let bytes = |hook: &PlanHook| match &hook.guest {
        PlanGuest::Wasm { digest, .. } => Some(digest.clone()),
        PlanGuest::Native { script, .. } => script.as_ref().map(|script| script.digest.clone()),
    };
    let parts = [
        (bytes(before) != bytes(now), "bytes"),
        (bytes(before) == bytes(now) && before.guest != now.guest, "command or arguments"),
        (before.grants != now.grants, "grants"),
        (before.limits != now.limits, "limits"),
        (before.backup != now.backup || before.effects != now.effects, "effects or backup"),
        (before.wait_for != now.wait_for, "what it waits for"),
        (before.selected != now.selected, "selection"),
        (before.enabled != now.enabled, "enabled"),
    ];
    let parts: Vec<&str> = parts.iter().filter(|(changed, _)| *changed).map(|(_, what)| *what).collect();
    Some(format!("{place}: {}", if parts.is_empty() { "settings".to_owned() } else { parts.join(", ") }))
}

fn digest(value: &(impl Serialize + Debug)) -> Digest {
    Digest::of_json(value)
}
