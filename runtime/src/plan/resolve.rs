//! Manifest × profile × policy × facts → plan. Pure: everything the outside knows was handed in.

use super::given::{Given, PlanError};
use super::limits::{self, Layers};
use super::programs::Programs;
use super::{HostCommand, Notice, Plan, PlanHook, PlanStep, PlanStepKind, SCHEMA, by_profile, order};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::manifest::{GuestDecl, HookDecl, HostStepDecl, LimitsAsk};
use crate::model::event::GuestKind;
use crate::model::grant::{Denial, EnvSource};
use crate::model::id::{Commit, HookId, StepName, Tag};
use crate::model::limits::Limits;
use crate::profile::{HostPolicy, PhasePolicy, ProfileStepKind};
use std::collections::BTreeMap;

/// Resolves a plan.
///
/// # Errors
/// [`PlanError`] with everything that is invalid, or everything that is denied.
pub fn resolve(given: &Given<'_>) -> Result<Plan, PlanError> {
    let mut resolver = Resolver {
        given,
        engine_env: engine_env(given),
        programs: Programs::new(given.policy, &given.roots),
        diagnostics: Vec::new(),
        denials: Vec::new(),
        notices: given.notices.clone(),
        warnings: given.warnings.clone(),
    };
    let steps =
        given.profile.steps.iter().map(|step| PlanStep { name: step.name.clone(), kind: resolver.step(&step.name, &step.kind) }).collect();
    resolver.check_selection();
    resolver.say_who_decides();
    let Resolver { diagnostics, denials, notices, warnings, .. } = resolver;
    if !diagnostics.is_empty() {
        return Err(PlanError::Invalid(diagnostics));
    }
    if !denials.is_empty() {
        return Err(PlanError::Denied(denials));
    }
    let marker = given.profile.marker.as_ref().zip(given.tag.as_ref()).map(|(template, tag)| template.replace("{tag}", tag.as_str()));
    Ok(Plan {
        schema: SCHEMA,
        app: given.app.clone(),
        environment: given.environment.clone(),
        profile: given.profile.name.clone(),
        tag: given.tag.clone(),
        commit: given.commit.clone(),
        previous_version: given.previous_version.clone(),
        app_dir: given.roots.app_dir.to_owned(),
        data_dir: given.roots.data_dir.to_owned(),
        on_locked: given.profile.on_locked,
        on_unknown: given.profile.on_unknown,
        marker,
        partial: !given.selection.is_all(),
        steps,
        notices,
        warnings,
    })
}

/// The variables that every hook gets, with the values that are known by now.
fn engine_env(given: &Given<'_>) -> BTreeMap<String, EnvSource> {
    let value = |value: &str| EnvSource::Value { value: value.to_owned() };
    let mut env: BTreeMap<String, EnvSource> = BTreeMap::from([
        ("DEPLOY_ENV".to_owned(), value(given.environment.as_str())),
        ("DEPLOY_TAG".to_owned(), value(given.tag.as_ref().map_or("", Tag::as_str))),
        ("APP_DIR".to_owned(), value(given.roots.app_dir)),
        ("DATA_DIR".to_owned(), value(given.roots.data_dir)),
    ]);
    if let Some(commit) = &given.commit {
        env.insert("WASMHOOK_COMMIT".to_owned(), value(commit.as_str()));
    }
    if let Some(previous) = &given.previous_version {
        env.insert("WASMHOOK_PREVIOUS_TAG".to_owned(), value(previous));
    }
    for name in ["WASMHOOK_RUN_ID", "WASMHOOK_PHASE", "WASMHOOK_HOOK", "WASMHOOK_ATTEMPT", "TRACEPARENT"] {
        env.insert(name.to_owned(), EnvSource::Engine);
    }
    env
}

pub(super) struct Resolver<'a> {
    pub(super) given: &'a Given<'a>,
    pub(super) engine_env: BTreeMap<String, EnvSource>,
    pub(super) programs: Programs,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) denials: Vec<(HookId, Denial)>,
    pub(super) notices: Vec<Notice>,
    pub(super) warnings: Vec<Notice>,
}

impl<'a> Resolver<'a> {
    fn step(&mut self, name: &StepName, kind: &ProfileStepKind) -> PlanStepKind {
        match kind {
            ProfileStepKind::Phase(policy) => {
                let policy = by_profile::in_this_run(policy, self.given.at_start);
                PlanStepKind::Phase { hooks: self.phase(name, &policy), policy }
            }
            ProfileStepKind::Host(policy) => PlanStepKind::Host {
                policy: HostPolicy { resume: self.host_decl(name).and_then(|decl| decl.resume).unwrap_or(policy.resume), ..policy.clone() },
                command: self.host(name, policy),
            },
            ProfileStepKind::Fact(fact) => PlanStepKind::Fact {
                fact: fact.fact,
                found: self.given.facts.get(&fact.fact).cloned().unwrap_or_else(|| "nothing was done".to_owned()),
            },
        }
    }

    fn phase(&mut self, name: &StepName, policy: &PhasePolicy) -> Vec<PlanHook> {
        let declared = order::of_phase(&self.given.manifest.hooks, name, self.given.profile.default_phase.as_ref());
        self.warn_of_default_timeouts(&declared, name, policy);
        let pairs = order::on_instances(&declared, policy.scope, self.given.instances);
        let hooks: Vec<PlanHook> = pairs.into_iter().filter_map(|(hook, instance)| self.hook(hook, instance, name, policy)).collect();
        self.refuse_two_ends_of_a_phase(name, policy, &hooks, &declared);
        hooks
    }

    fn host(&mut self, name: &StepName, policy: &HostPolicy) -> Option<HostCommand> {
        if self.given.steps_in_code.contains(name) {
            return Some(HostCommand {
                argv: Vec::new(),
                cwd: self.given.roots.app_dir.to_owned(),
                env: Vec::new(),
                set: Vec::new(),
                limits: self.host_limits(policy, &LimitsAsk::default())?,
            });
        }
        let decl = self.host_decl(name)?;
        let GuestDecl::Native { argv, .. } = &decl.run.value else { return None };
        Some(HostCommand {
            argv: argv.iter().map(|word| self.fill(word)).collect(),
            cwd: self.given.roots.expand(decl.cwd.as_deref().unwrap_or("")),
            env: decl.env.clone(),
            set: decl.set.clone(),
            limits: self.host_limits(policy, &decl.limits)?,
        })
    }

    fn host_decl(&self, name: &StepName) -> Option<&'a HostStepDecl> {
        self.given.host_steps.iter().rev().find(|(step, _)| step.value == *name).map(|(_, decl)| decl)
    }

    fn host_limits(&mut self, policy: &HostPolicy, asked: &LimitsAsk) -> Option<Limits> {
        let layers = Layers { asked, phase: &policy.limits, profile: &self.given.profile.limits, ceiling: &LimitsAsk::default() };
        match limits::resolve(GuestKind::Native, layers) {
            Ok((limits, _)) => Some(limits),
            Err(error) => {
                self.diagnostics.push(Diagnostic {
                    severity: Severity::Error,
                    code: "bad-profile",
                    message: format!("profile {}: {error}", self.given.profile.name),
                    at: None,
                    help: None,
                });
                None
            }
        }
    }

    /// Replaces the words in braces that an operator's command may hold.
    fn fill(&self, word: &str) -> String {
        let given = self.given;
        [
            ("{tag}", given.tag.as_ref().map_or("", Tag::as_str)),
            ("{commit}", given.commit.as_ref().map_or("", Commit::as_str)),
            ("{previous_tag}", given.previous_version.as_deref().unwrap_or("")),
            ("{app_dir}", given.roots.app_dir),
            ("{data_dir}", given.roots.data_dir),
            ("{environment}", given.environment.as_str()),
        ]
        .iter()
        .fold(word.to_owned(), |word, (name, value)| word.replace(name, value))
    }

    fn check_selection(&mut self) {
        let known_so_far = self.diagnostics.len();
        let phases: Vec<&StepName> =
            self.given.profile.steps.iter().filter(|step| matches!(step.kind, ProfileStepKind::Phase(_))).map(|step| &step.name).collect();
        for phase in self.given.selection.phases.iter().filter(|phase| !phases.contains(phase)) {
            let known = phases.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            self.usage(
                "unknown-phase",
                format!("there is no phase {phase} in profile {}", self.given.profile.name),
                format!("its phases are: {known}"),
            );
        }
        for hook in &self.given.selection.only {
            if !self.given.manifest.hooks.iter().any(|decl| decl.id.value == *hook) {
                self.usage(
                    "unknown-hook",
                    format!("there is no hook {hook}"),
                    "`wasmhook list` shows every hook with its origin".to_owned(),
                );
            }
        }
        if self.diagnostics.len() == known_so_far {
            self.refuse_contradiction();
        }
    }

    /// Each of both selects something, and together they leave nothing: a run of nothing would look like one that did its work.
    fn refuse_contradiction(&mut self) {
        let (profile, selection) = (self.given.profile, self.given.selection);
        let of_phase = |phase| order::of_phase(&self.given.manifest.hooks, phase, profile.default_phase.as_ref());
        let named: Vec<(&StepName, &HookId)> = profile
            .phases()
            .flat_map(|(phase, _)| of_phase(phase).into_iter().map(move |hook| (phase, &hook.id.value)))
            .filter(|(_, hook)| selection.only.contains(hook))
            .collect();
        if selection.phases.is_empty() || selection.only.is_empty() || named.iter().any(|(phase, hook)| selection.takes(phase, hook)) {
            return;
        }
        let phases = selection.phases.iter().map(|phase| format!("--phase {phase}"));
        let asked: Vec<_> = phases.chain(selection.only.iter().map(|hook| format!("--only {hook}"))).collect();
        let places: Vec<_> = named.iter().map(|(phase, hook)| format!("{hook} is in {phase}")).collect();
        self.usage(
            codes::USAGE,
            format!("{} together select no hook", asked.join(" and ")),
            format!("{}: name its phase, or leave --phase out", places.join(", ")),
        );
    }

    fn say_who_decides(&mut self) {
        if self.given.one_file && !self.given.manifest.hooks.is_empty() {
            self.notice(
                "one-file",
                "no separate policy: every right that a hook asks for is granted (use --policy FILE for a ceiling of the operator's)"
                    .to_owned(),
            );
        }
    }

    pub(super) fn notice(&mut self, code: &str, message: String) {
        self.notices.push(Notice { code: code.to_owned(), message });
    }

    pub(super) fn warn(&mut self, code: &str, message: String) {
        self.warnings.push(Notice { code: code.to_owned(), message });
    }

    pub(super) fn invalid(&mut self, code: &'static str, message: String, decl: &HookDecl) {
        self.diagnostics.push(Diagnostic { severity: Severity::Error, code, message, at: Some(decl.id.at.clone()), help: None });
    }

    fn usage(&mut self, code: &'static str, message: String, help: String) {
        self.diagnostics.push(Diagnostic { severity: Severity::Error, code, message, at: None, help: Some(help) });
    }
}
