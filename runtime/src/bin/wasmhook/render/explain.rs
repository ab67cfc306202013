//! A profile as people read it: its lifecycle as a table, and what holds in one of its phases.

use super::line::{Line, text};
use super::look::{Look, Style};
use super::table::Table;
use serde::Serialize;
use wasmhook::model::id::StepName;
use wasmhook::model::policy::{AfterFailure, Background, EnvPolicy, Files, Gate, Scope, When};
use wasmhook::profile::{HostPolicy, PhasePolicy, Profile, ProfileStepKind};

/// The lifecycle of `profile`.
pub fn profile(look: Look, profile: &Profile) -> String {
    let head = Line::new(look).add(Style::Strong, &profile.name).plain(&format!(": {}", profile.description));
    let mut lines = head.fold(look.width, 2);
    lines.push(Line::new(look));
    for (name, value) in of_all(profile) {
        lines.extend(field(look, 18, name, &value));
    }
    lines.push(Line::new(look));
    let mut table = Table::new(look, &["STEP", "KIND", "ON FAILURE", "RUNS", "TIMEOUT", "ENVIRONMENT"]);
    for step in &profile.steps {
        let (kind, failure, runs, timeout, env) = match &step.kind {
            ProfileStepKind::Phase(policy) => {
                ("phase", failure(policy), runs(policy), timeout(profile, &policy.limits), environment(profile, policy).to_owned())
            }
            ProfileStepKind::Host(policy) => {
                ("host step", word(&policy.on_failure), host_runs(policy), timeout(profile, &policy.limits), "the operator's".to_owned())
            }
            ProfileStepKind::Fact(_) => ("fact", String::new(), "before the plan".to_owned(), String::new(), String::new()),
        };
        let cell = |text: &str| Line::new(look).plain(text);
        table.row(vec![
            Line::new(look).add(Style::Name, step.name.as_str()),
            cell(kind),
            cell(&failure),
            cell(&runs),
            cell(&timeout),
            cell(&env),
        ]);
    }
    text(&lines) + &text(&table.lines())
}

/// What holds in the phase or step called `name`, if `profile` has one.
pub fn step(look: Look, profile: &Profile, name: &StepName) -> Option<String> {
    let step = profile.step(name)?;
    let at = profile.steps.iter().position(|step| step.name == *name)?;
    let head = Line::new(look).add(Style::Strong, name.as_str()).plain(&format!(", profile {}", profile.name));
    let mut lines = head.fold(look.width, 2);
    let mut say = |name: &str, value: &str| lines.extend(field(look, 14, name, value));
    let neighbour = |index: Option<usize>| index.and_then(|index| profile.steps.get(index)).map(|step| step.name.to_string());
    say("after", &neighbour(at.checked_sub(1)).unwrap_or_else(|| "nothing: it is the first step".to_owned()));
    say("before", &neighbour(Some(at + 1)).unwrap_or_else(|| "nothing: it is the last step".to_owned()));
    match &step.kind {
        ProfileStepKind::Phase(policy) => {
            if let Some(about) = &policy.about {
                say("what it is", about);
            }
            say("runs", &runs(policy));
            say("on failure", &failure(policy));
            say("on timeout", &word(&policy.on_timeout));
            say("timeout", &timeout(profile, &policy.limits));
            say("environment", environment(profile, policy));
            if policy.files != Files::Keep {
                say("files", &word(&policy.files));
            }
            let dirs: Vec<String> = policy.dirs.iter().map(|dir| format!("{} ({})", dir.path, dir.mode)).collect();
            if !dirs.is_empty() {
                say("directories", &format!("{} for a native hook that names none", dirs.join(", ")));
            }
            for source in sources(profile, name, policy) {
                say("defined by", &source);
            }
        }
        ProfileStepKind::Host(policy) => {
            say("runs", &host_runs(policy));
            say("on failure", &word(&policy.on_failure));
            say("timeout", &timeout(profile, &policy.limits));
            say("environment", "the operator's rights; of the app environment what it names");
            say(
                "defined by",
                &format!("[host_step.{name}] in the operator's --policy file, or in wasmhook.toml where one file serves both"),
            );
        }
        ProfileStepKind::Fact(fact) => {
            say("runs", "before the plan is made");
            say("what it is", &word(&fact.fact));
        }
    }
    Some(text(&lines))
}

/// Where the hooks of a phase are written.
fn sources(profile: &Profile, name: &StepName, policy: &PhasePolicy) -> Vec<String> {
    let default = if profile.default_phase.as_ref() == Some(name) { ", or no phase" } else { "" };
    let mut sources = vec![format!("wasmhook.toml: [[hook]] with phase = \"{name}\"{default}")];
    sources.extend(policy.defined_in.iter().cloned());
    if let Some(discovery) = &profile.discovery {
        let default = if discovery.default_phase == *name { format!(", and {}/<tag>.<ext>", discovery.folder) } else { String::new() };
        sources.push(format!("files {}/<tag>.{name}.<ext>{default} ({})", discovery.folder, discovery.extensions.join(", ")));
    }
    for hook in profile.default_hooks.iter().filter(|hook| hook.phase == *name) {
        let when = hook.when_file.as_ref().map_or_else(String::new, |file| format!(" if the application has {file}"));
        sources.push(format!("the profile: `{}`{when}, unless the application declares a hook here", hook.run.join(" ")));
    }
    sources
}

/// What a run does about another one.
fn another_run(profile: &Profile) -> String {
    let stale = profile.stale_after.as_ref().map(|time| format!("; after {time} it is ended and replaced"));
    word(&profile.on_locked) + &stale.unwrap_or_default()
}

/// What holds for every step.
fn of_all(profile: &Profile) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("another run", another_run(profile)),
        ("after a crash", word(&profile.on_unknown)),
        ("app environment", word(&profile.env)),
        ("native hooks in", word(&profile.cwd)),
        ("directory mode", profile.default_mode.to_string()),
    ];
    if let Some(phase) = &profile.default_phase {
        rows.push(("default phase", phase.to_string()));
    }
    if !profile.shell.is_empty() {
        rows.push(("shell", profile.shell.join(" ")));
    }
    if let Some(marker) = &profile.marker {
        rows.push(("marker", marker.clone()));
    }
    if let Some(file) = &profile.commit_file {
        rows.push(("last commit in", file.clone()));
    }
    if let Some(interval) = &profile.watch.interval {
        rows.push(("watched every", interval.clone()));
    }
    rows.extend(profile.aliases.iter().map(|alias| ("alias", format!("{} is {}", alias.path, alias.dir))));
    rows
}

fn failure(policy: &PhasePolicy) -> String {
    let ends = if policy.after_failure == AfterFailure::EndList { ", ends its list" } else { "" };
    format!("{}{ends}", word(&policy.on_failure))
}

fn runs(policy: &PhasePolicy) -> String {
    let mut parts = vec![match policy.gate {
        Gate::None => "every run",
        Gate::Once => "once per release",
        Gate::CommitChanged => "when the commit changed",
    }];
    match policy.when {
        When::Any => {}
        When::Succeeded => parts.push("if all succeeded"),
        When::Failed => parts.push("if something failed"),
    }
    if policy.scope == Scope::All {
        parts.push("on all instances");
    }
    match policy.background {
        Background::No => {}
        Background::AtStart => parts.push("in the background at the start"),
        Background::Yes => parts.push("in the background"),
    }
    if policy.always {
        parts.push("always");
    }
    parts.join(", ")
}

fn host_runs(policy: &HostPolicy) -> String {
    let mut parts = vec!["every run"];
    parts.extend(policy.always.then_some("always"));
    parts.extend(policy.makes_live.then_some("makes the version live"));
    parts.join(", ")
}

fn timeout(profile: &Profile, limits: &wasmhook::profile::ProfileLimits) -> String {
    limits.timeout.as_ref().or(profile.limits.timeout.as_ref()).cloned().unwrap_or_else(|| "300s".to_owned())
}

fn environment(profile: &Profile, policy: &PhasePolicy) -> &'static str {
    match policy.env.unwrap_or(profile.env) {
        EnvPolicy::None => "none of the app's",
        EnvPolicy::Named => "what a hook names",
        EnvPolicy::App => "the app's; wasm hooks what they name",
    }
}

fn field(look: Look, width: usize, name: &str, value: &str) -> Vec<Line> {
    Line::new(look).space(2).add(Style::Dim, &format!("{name:<width$}")).plain(value).fold(look.width, width + 2)
}

fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
