//! A plan for people: what will run, in order, with which rights, and why something is passed over. Decisions are the gate's; they come in.

use super::figures;
use super::human::versions;
use super::line::{Line, brief, text};
use super::look::{Look, Style, Symbol};
use serde::Serialize;
use wasmhook::model::backup;
use wasmhook::model::event::{GuestKind, Place, Role};
use wasmhook::model::grant::{EnvSource, Grants};
use wasmhook::model::id::{Commit, Tag};
use wasmhook::model::policy::{AfterFailure, Background, Files, OnTimeout, Sandbox, Scope, When};
use wasmhook::plan::{HostCommand, Plan, PlanGuest, PlanHook, PlanSibling, PlanStep, PlanStepKind};
use wasmhook::profile::{HostPolicy, PhasePolicy};

/// Says in a few words what will become of what stands at a place: `run`, `skip: already done in run 01J…`.
pub type Decide<'a> = dyn Fn(&Place) -> String + 'a;

/// `plan` as text.
pub fn render(look: Look, plan: &Plan, decide: &Decide<'_>) -> String {
    let mut lines = head(look, plan);
    for (index, step) in plan.steps.iter().enumerate() {
        lines.push(Line::new(look));
        lines.extend(self::step(look, index + 1, step, decide));
    }
    if !(plan.notices.is_empty() && plan.warnings.is_empty()) {
        lines.push(Line::new(look));
    }
    let said =
        plan.warnings.iter().map(|notice| (Symbol::Warning, notice)).chain(plan.notices.iter().map(|notice| (Symbol::Arrow, notice)));
    for (symbol, notice) in said {
        let line = Line::new(look).symbol(symbol).space(1).plain(&format!("{} [{}]", notice.message, notice.code));
        lines.extend(line.fold(look.width, 2));
    }
    text(&lines)
}

fn head(look: Look, plan: &Plan) -> Vec<Line> {
    let target = Line::new(look).add(Style::Strong, &format!("{}/{}", plan.app, plan.environment));
    let (new, commit) = (plan.tag.as_ref().map(Tag::as_str), plan.commit.as_ref().map(Commit::as_str));
    let versions = versions(look, plan.previous_version.as_deref(), new, commit);
    let target = if versions.width() > 0 { target.space(1).append(versions) } else { target };
    let mut lines = target.plain(&format!(", profile {}", plan.profile)).fold(look.width, 2);
    lines.extend(field(look, 0, "app", &plan.app_dir));
    lines.extend(field(look, 0, "data", &plan.data_dir));
    if let Some(marker) = &plan.marker {
        lines.extend(field(look, 0, "marker", marker));
    }
    lines.extend(field(look, 0, "lock", &word(&plan.on_locked)));
    lines.extend(field(look, 0, "unknown", &word(&plan.on_unknown)));
    lines.extend(field(look, 0, "digest", plan.digest().as_str()));
    lines
}

fn step(look: Look, number: usize, step: &PlanStep, decide: &Decide<'_>) -> Vec<Line> {
    let heading = Line::new(look).plain(&format!("{number:>2} ")).add(Style::Strong, step.name.as_str());
    match &step.kind {
        PlanStepKind::Phase { policy, hooks } => {
            let mut lines = heading.add(Style::Dim, &format!(": {}", phase_policy(policy))).fold(look.width, 5);
            if hooks.is_empty() {
                lines.push(Line::new(look).space(3).add(Style::Dim, "no hooks"));
            }
            lines.extend(hooks.iter().flat_map(|hook| self::hook(look, step, hook, decide)));
            lines
        }
        PlanStepKind::Host { policy, command } => {
            let mut lines = heading.add(Style::Dim, &format!(": host step, {}", host_policy(policy))).fold(look.width, 5);
            let decision = decide(&Place::step(step.name.clone()));
            lines.extend(Line::new(look).space(3).symbol(Symbol::Arrow).space(1).plain(&decision).fold(look.width, 5));
            lines.extend(command.iter().flat_map(|command| host_command(look, command)));
            lines
        }
        PlanStepKind::Fact { fact, found } => {
            heading.add(Style::Dim, &format!(": {}, done before the plan: ", word(fact))).plain(found).fold(look.width, 5)
        }
    }
}

/// The policies that bite, in the profile's words; what is as everybody expects is left out.
fn phase_policy(policy: &PhasePolicy) -> String {
    let mut parts = vec![format!("on failure {}", word(&policy.on_failure)), format!("gate {}", word(&policy.gate))];
    if policy.on_timeout != OnTimeout::Fail {
        parts.push(format!("on timeout {}", word(&policy.on_timeout)));
    }
    if policy.scope != Scope::One {
        parts.push(format!("scope {}", word(&policy.scope)));
    }
    if policy.files != Files::Keep {
        parts.push(format!("files {}", word(&policy.files)));
    }
    if policy.after_failure != AfterFailure::Next {
        parts.push("a failure ends its list".to_owned());
    }
    match policy.when {
        When::Any => {}
        When::Succeeded => parts.push("only if everything succeeded".to_owned()),
        When::Failed => parts.push("only if something failed".to_owned()),
    }
    parts.extend((policy.background == Background::Yes).then(|| "background".to_owned()));
    parts.extend(policy.always.then(|| "always".to_owned()));
    parts.join(", ")
}

fn host_policy(policy: &HostPolicy) -> String {
    let mut parts = vec![format!("on failure {}", word(&policy.on_failure)), format!("resume {}", word(&policy.resume))];
    parts.extend(policy.always.then(|| "always".to_owned()));
    parts.extend(policy.makes_live.then(|| "makes the new version live".to_owned()));
    parts.join(", ")
}

fn host_command(look: Look, command: &HostCommand) -> Vec<Line> {
    let set = command.set.iter().map(|(name, _)| name.clone());
    let env: Vec<String> = command.env.iter().cloned().chain(set).collect();
    let mut lines = field(look, 5, "run", &words(look, &command.argv));
    lines.extend(field(look, 5, "in", &command.cwd));
    lines.extend(optional(look, "env", &env.join(", ")));
    lines.extend(field(look, 5, "limits", &figures::limits(&command.limits, GuestKind::Native)));
    lines.extend(mark(look, "unconfined: it runs with the operator's rights"));
    lines
}

fn hook(look: Look, step: &PlanStep, hook: &PlanHook, decide: &Decide<'_>) -> Vec<Line> {
    let place = Place {
        hook: Some(hook.id.clone()),
        service: hook.service.clone(),
        instance: hook.instance.clone(),
        role: Role::Main,
        ..Place::step(step.name.clone())
    };
    let mut head = Line::new(look).space(3).symbol(Symbol::Arrow).space(1).add(Style::Name, &place.to_string());
    if hook.label != hook.id.as_str() {
        head = head.add(Style::Dim, &format!(" \"{}\"", brief(&hook.label, look.charset)));
    }
    let mut lines = head.plain(&format!(": {}", decide(&place))).fold(look.width, 7);
    lines.extend(guest(look, hook));
    lines.extend(grants(look, &hook.grants));
    lines.extend(field(look, 5, "limits", &figures::limits(&hook.limits, hook.guest.kind())));
    lines.extend(hook.wait_for.iter().flat_map(|wait| field(look, 5, "waits", &format!("for {wait}"))));
    lines.extend(hook.backup.iter().flat_map(|backup| field(look, 5, "backup", &backup.dirs.join(", "))));
    lines.extend(hook.is_irreversible().then(|| irreversible(look, hook)).into_iter().flatten());
    lines.extend(hook.verify.iter().flat_map(|verify| sibling(look, "verify", verify)));
    lines.extend(hook.revert.iter().flat_map(|revert| sibling(look, "revert", revert)));
    lines.extend(hook.unusable.iter().flat_map(|why| mark(look, &format!("can't run: {why}"))));
    lines
}

fn irreversible(look: Look, hook: &PlanHook) -> Vec<Line> {
    let without = if hook.backup.is_some() { "" } else { ", and has no backup" };
    mark(look, &format!("irreversible: it changes for good what nothing here can take back ({}){without}", backup::words(&hook.effects)))
}

/// What runs beside a hook: with its grants, so only what differs is said.
fn sibling(look: Look, name: &str, sibling: &PlanSibling) -> Vec<Line> {
    field(look, 5, name, &format!("{} ({})", brief(sibling.guest.shown(), look.charset), word(&sibling.guest.kind())))
}

fn guest(look: Look, hook: &PlanHook) -> Vec<Line> {
    let kind = match hook.guest.kind() {
        GuestKind::Wasm => "wasm",
        GuestKind::Native => "native",
    };
    let mut lines = field(look, 5, "file", &format!("{} ({kind}, from {})", brief(hook.guest.shown(), look.charset), hook.origin));
    if let Some(source) = &hook.source {
        lines.extend(field(look, 5, "source", &format!("{}: {source}", source.name)));
    }
    match &hook.guest {
        PlanGuest::Wasm { args, .. } => lines.extend(optional(look, "args", &words(look, args))),
        PlanGuest::Native { argv, cwd, tree, sandbox, detach, .. } => {
            lines.extend(field(look, 5, "run", &words(look, argv)));
            let copy = || format!("{} of a private copy of its source", if cwd.is_empty() { "the root" } else { cwd });
            lines.extend(field(look, 5, "in", &if tree.is_some() { copy() } else { cwd.clone() }));
            match sandbox {
                Sandbox::Strict => {}
                Sandbox::BestEffort => lines.extend(mark(look, "best-effort: what this machine can't enforce isn't enforced")),
                Sandbox::None => lines.extend(mark(look, "unconfined: nothing holds it")),
            }
            if *detach {
                lines.extend(mark(look, "detached: what it leaves behind goes on after the run"));
            }
        }
    }
    if let Some(reason) = &hook.fallback {
        lines.extend(mark(look, &format!("the fallback runs: {reason}")));
    }
    lines
}

fn grants(look: Look, grants: &Grants) -> Vec<Line> {
    let mut lines = Vec::new();
    for dir in &grants.dirs {
        let path = match &dir.host {
            Some(host) if *host == dir.guest => host.clone(),
            Some(host) => format!("{host} as {}", dir.guest),
            None => dir.guest.clone(),
        };
        lines.extend(field(look, 5, "dir", &format!("{} {path}", dir.mode)));
    }
    // The engine's own variables are the same for every hook: naming them each time would hide the others.
    let asked = grants.env.iter().filter(|env| env.source != EnvSource::Engine);
    let names: Vec<&str> = asked.map(|env| env.name.as_str()).collect();
    lines.extend(optional(look, "env", &names.join(", ")));
    lines
}

fn mark(look: Look, text: &str) -> Vec<Line> {
    Line::new(look).space(5).symbol(Symbol::Warning).space(1).plain(text).fold(look.width, 7)
}

/// Words of a command, as a shell reads them.
fn words(look: Look, words: &[String]) -> String {
    brief(&shell_words::join(words), look.charset).into_owned()
}

fn optional(look: Look, name: &str, value: &str) -> Vec<Line> {
    if value.is_empty() { Vec::new() } else { field(look, 5, name, value) }
}

fn field(look: Look, indent: usize, name: &str, value: &str) -> Vec<Line> {
    Line::new(look).space(indent).add(Style::Dim, &format!("{name:<7}")).space(1).plain(value).fold(look.width, indent + 8)
}

/// A policy's word, as manifests and JSON write it.
fn word<T: Serialize>(policy: &T) -> String {
    serde_json::to_value(policy).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
