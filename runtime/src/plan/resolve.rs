//! Manifest × profile × policy × facts → plan. Pure: everything the outside knows was handed in.

use super::grants::{self, Roots, Rules};
use super::limits::{self, Layers};
use super::order::{self, Instance};
use super::{HostCommand, Notice, Plan, PlanGuest, PlanHook, PlanScript, PlanStep, PlanStepKind, SCHEMA};
use crate::diagnostic::{Diagnostic, Severity};
use crate::manifest::{GuestDecl, HookDecl, HostStepDecl, Located, Manifest, PolicyDecl};
use crate::model::event::GuestKind;
use crate::model::grant::{Denial, DirMode, EnvSource};
use crate::model::id::{AppName, Commit, Digest, EnvironmentName, HookId, StepName, Tag};
use crate::model::limits::Limits;
use crate::model::policy::{Cwd, FallbackWhen, OnChange, Sandbox};
use crate::profile::{Fact, HostPolicy, PhasePolicy, Profile, ProfileLimits, ProfileStepKind};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that decides a plan.
#[derive(Debug)]
pub struct Given<'a> {
    /// What the author wrote.
    pub manifest: &'a Manifest,
    /// The platform's lifecycle.
    pub profile: &'a Profile,
    /// The operator's ceiling.
    pub policy: &'a PolicyDecl,
    /// The operator's commands.
    pub host_steps: &'a [(Located<StepName>, HostStepDecl)],
    /// Whether author and operator share one file.
    pub one_file: bool,
    /// The application.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The tag being deployed.
    pub tag: Option<Tag>,
    /// The commit being deployed.
    pub commit: Option<Commit>,
    /// The version that is live now.
    pub previous_version: Option<String>,
    /// Where the application's root and data lie.
    pub roots: Roots<'a>,
    /// Names of the app environment.
    pub app_env: &'a BTreeSet<String>,
    /// What is known of the files that hooks name, by the path as written.
    pub files: &'a BTreeMap<String, FileFact>,
    /// Whether the release is read from a commit, so that its scripts run from private copies of the planned bytes.
    pub copies_scripts: bool,
    /// What came of the facts that the profile shows as steps.
    pub facts: &'a BTreeMap<Fact, String>,
    /// The instances the platform named.
    pub instances: &'a [Instance],
    /// What was asked for.
    pub selection: &'a Selection,
    /// Host steps that the embedder carries out in code.
    pub steps_in_code: &'a [StepName],
    /// What is to be said already.
    pub notices: Vec<Notice>,
    /// What is to be warned of already.
    pub warnings: Vec<Notice>,
}

/// What is known of a file that a hook names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFact {
    /// It is there.
    Present {
        /// The digest of its bytes.
        digest: Digest,
        /// Why this host can't run it, if it is a module that needs something else.
        unsupported: Option<String>,
    },
    /// It isn't there.
    Missing,
    /// It is there and can't be used.
    Unusable {
        /// Why.
        why: String,
    },
}

/// Which hooks were asked for: empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--phase`.
    pub phases: Vec<StepName>,
    /// `--only`.
    pub only: Vec<HookId>,
}

impl Selection {
    /// Whether everything was asked for, host steps included.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.phases.is_empty() && self.only.is_empty()
    }

    fn takes(&self, phase: &StepName, hook: &HookId) -> bool {
        (self.phases.is_empty() || self.phases.contains(phase)) && (self.only.is_empty() || self.only.contains(hook))
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanError {
    /// Something that was written can't be planned.
    Invalid(Vec<Diagnostic>),
    /// Something that was asked for isn't allowed.
    Denied(Vec<(HookId, Denial)>),
}

/// Resolves a plan.
///
/// # Errors
/// [`PlanError`] with everything that is invalid, or everything that is denied.
pub fn resolve(given: &Given<'_>) -> Result<Plan, PlanError> {
    let mut resolver = Resolver {
        given,
        engine_env: engine_env(given),
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

struct Resolver<'a> {
    given: &'a Given<'a>,
    engine_env: BTreeMap<String, EnvSource>,
    diagnostics: Vec<Diagnostic>,
    denials: Vec<(HookId, Denial)>,
    notices: Vec<Notice>,
    warnings: Vec<Notice>,
}

impl Resolver<'_> {
    fn step(&mut self, name: &StepName, kind: &ProfileStepKind) -> PlanStepKind {
        match kind {
            ProfileStepKind::Phase(policy) => PlanStepKind::Phase { policy: policy.clone(), hooks: self.phase(name, policy) },
            ProfileStepKind::Host(policy) => PlanStepKind::Host { policy: policy.clone(), command: self.host(name, policy) },
            ProfileStepKind::Fact(fact) => PlanStepKind::Fact {
                fact: fact.fact,
                found: self.given.facts.get(&fact.fact).cloned().unwrap_or_else(|| "nothing was done".to_owned()),
            },
        }
    }

    fn phase(&mut self, name: &StepName, policy: &PhasePolicy) -> Vec<PlanHook> {
        let declared = order::of_phase(&self.given.manifest.hooks, name, self.given.profile.default_phase.as_ref());
        let pairs = order::on_instances(&declared, policy.scope, self.given.instances);
        pairs.into_iter().filter_map(|(hook, instance)| self.hook(hook, instance, name, policy)).collect()
    }

    fn hook(&mut self, decl: &HookDecl, instance: Option<&Instance>, phase: &StepName, policy: &PhasePolicy) -> Option<PlanHook> {
        let choice = self.choose(decl);
        let sandbox = self.sandbox(decl, &choice);
        let guest = self.guest(decl, &choice.guest, sandbox);
        let grants = self.grants(decl, guest.kind(), instance);
        let limits = self.limits(decl, guest.kind(), &policy.limits);
        let (guest, grants, limits) = (guest, grants?, limits?);
        let digest = hook_digest(&guest, &grants, &self.engine_env);
        Some(PlanHook {
            id: decl.id.value.clone(),
            label: decl.label.clone().unwrap_or_else(|| decl.id.value.to_string()),
            service: decl.service.as_ref().map(|at| at.value.clone()),
            instance: instance.map(|instance| instance.name.clone()),
            origin: decl.origin.clone(),
            fallback: choice.fallback,
            unusable: choice.unusable,
            grants,
            limits,
            digest,
            guest,
            once: decl.once,
            on_change: decl.on_change.unwrap_or(OnChange::Error),
            idempotent: decl.idempotent,
            allow_failure: decl.allow_failure,
            enabled: decl.enabled,
            selected: self.given.selection.takes(phase, &decl.id.value),
        })
    }

    /// The hook itself or its fallback, and why.
    fn choose(&self, decl: &HookDecl) -> Choice {
        let itself = |unusable| Choice { guest: decl.guest.value.clone(), fallback: None, unusable };
        let reason = match (&decl.guest.value, decl.fallback.as_ref().map(|at| at.value.when)) {
            (_, Some(FallbackWhen::Always)) => Some("always, as declared".to_owned()),
            (GuestDecl::Wasm { path }, when) => match self.given.files.get(path) {
                None | Some(FileFact::Missing) if when.is_some() => Some(format!("there is no module {path}")),
                None | Some(FileFact::Missing) => {
                    return itself(Some(format!("there is no module {path}: build it, or declare a fallback")));
                }
                Some(FileFact::Unusable { why }) => return itself(Some(why.clone())),
                Some(FileFact::Present { unsupported: Some(needs), .. }) if when == Some(FallbackWhen::Unsupported) => {
                    Some(format!("this host can't run {path}: {needs}"))
                }
                Some(FileFact::Present { unsupported: Some(needs), .. }) => return itself(Some(format!("{path}: {needs}"))),
                Some(FileFact::Present { unsupported: None, .. }) => None,
            },
            (GuestDecl::Native { .. }, _) => None,
        };
        match (reason, &decl.fallback) {
            (Some(reason), Some(fallback)) => {
                let unusable = match &fallback.value.guest {
                    GuestDecl::Wasm { path } if !matches!(self.given.files.get(path), Some(FileFact::Present { .. })) => {
                        Some(format!("there is no module {path}, the fallback"))
                    }
                    _ => None,
                };
                Choice { guest: fallback.value.guest.clone(), fallback: Some(reason), unusable }
            }
            _ => itself(None),
        }
    }

    fn sandbox(&mut self, decl: &HookDecl, choice: &Choice) -> Sandbox {
        let asked = decl.sandbox.as_ref().map_or(self.given.profile.sandbox, |at| at.value);
        let weakest = self.given.policy.sandbox.unwrap_or(if self.given.one_file { Sandbox::None } else { Sandbox::Strict });
        match grants::sandbox(asked, weakest) {
            Ok(sandbox) => {
                if sandbox == Sandbox::None && matches!(choice.guest, GuestDecl::Native { .. }) {
                    self.warn("unconfined", format!("{} runs unconfined: it has all the rights of whoever runs wasmhook", decl.id.value));
                }
                sandbox
            }
            Err(denial) => {
                self.denials.push((decl.id.value.clone(), denial));
                Sandbox::Strict
            }
        }
    }

    fn guest(&self, decl: &HookDecl, guest: &GuestDecl, sandbox: Sandbox) -> PlanGuest {
        match guest {
            GuestDecl::Wasm { path } => {
                let digest = match self.given.files.get(path) {
                    Some(FileFact::Present { digest, .. }) => digest.clone(),
                    _ => Digest::of(b""),
                };
                PlanGuest::Wasm { file: path.clone(), digest, args: decl.args.clone() }
            }
            GuestDecl::Native { argv, .. } => {
                let argv = argv.clone();
                let script = argv.iter().enumerate().find_map(|(index, word)| match self.given.files.get(word) {
                    Some(FileFact::Present { digest, .. }) => {
                        Some(PlanScript { index, file: word.clone(), digest: digest.clone(), copied: self.given.copies_scripts })
                    }
                    _ => None,
                });
                let shown = script.as_ref().map_or_else(|| shell_words::join(&argv), |script| script.file.clone());
                PlanGuest::Native { cwd: self.cwd(decl, script.as_ref()), argv, sandbox, script, shown }
            }
        }
    }

    fn cwd(&self, decl: &HookDecl, script: Option<&PlanScript>) -> String {
        let folder = match (&decl.cwd, self.given.profile.cwd, script) {
            (Some(cwd), ..) => cwd.value.as_str(),
            (None, Cwd::Folder, Some(script)) => script.file.rsplit_once('/').map_or("", |(folder, _)| folder),
            _ => "",
        };
        self.given.roots.expand(folder)
    }

    fn grants(&mut self, decl: &HookDecl, kind: GuestKind, instance: Option<&Instance>) -> Option<crate::model::grant::Grants> {
        let roots = Roots { app_dir: instance.map_or(self.given.roots.app_dir, |instance| &instance.dir), ..self.given.roots };
        let mut engine_env = self.engine_env.clone();
        if let Some(instance) = instance {
            engine_env.insert("APP_DIR".to_owned(), EnvSource::Value { value: instance.dir.clone() });
        }
        let rules = Rules {
            roots,
            policy: self.given.policy,
            env: self.given.profile.env,
            app_env: self.given.app_env,
            default_mode: self.given.profile.default_mode,
            engine_env: &engine_env,
        };
        match grants::resolve(decl, kind, &rules) {
            Ok(grants) => {
                for grant in grants.dirs.iter().filter(|grant| matches!(grant.mode, DirMode::Txn | DirMode::Discard)) {
                    self.invalid(
                        "not-available",
                        format!(
                            "not available in this version: directory mode `{}` ({} of hook {}); write mode = \"read\" or \"write\"",
                            grant.mode, grant.guest, decl.id.value
                        ),
                        decl,
                    );
                }
                Some(grants)
            }
            Err(denials) => {
                self.denials.extend(denials.into_iter().map(|denial| (decl.id.value.clone(), denial)));
                None
            }
        }
    }

    fn limits(&mut self, decl: &HookDecl, kind: GuestKind, phase: &ProfileLimits) -> Option<crate::model::limits::Limits> {
        let layers = Layers { asked: &decl.limits, phase, profile: &self.given.profile.limits, ceiling: &self.given.policy.limits };
        match limits::resolve(kind, layers) {
            Ok((limits, lowered)) => {
                for lowered in lowered {
                    self.notice("limit-lowered", format!("{}: {lowered}", decl.id.value));
                }
                Some(limits)
            }
            Err(error) => {
                self.invalid("bad-profile", format!("profile {}: {error}", self.given.profile.name), decl);
                None
            }
        }
    }

    fn host(&mut self, name: &StepName, policy: &HostPolicy) -> Option<HostCommand> {
        if self.given.steps_in_code.contains(name) {
            return Some(HostCommand {
                argv: Vec::new(),
                cwd: self.given.roots.app_dir.to_owned(),
                env: Vec::new(),
                set: Vec::new(),
                limits: Limits::default(),
            });
        }
        let (_, decl) = self.given.host_steps.iter().rev().find(|(step, _)| step.value == *name)?;
        let GuestDecl::Native { argv, .. } = &decl.run.value else { return None };
        let layers =
            Layers { asked: &decl.limits, phase: &policy.limits, profile: &self.given.profile.limits, ceiling: &Default::default() };
        let limits = match limits::resolve(GuestKind::Native, layers) {
            Ok((limits, _)) => limits,
            Err(error) => {
                self.diagnostics.push(Diagnostic {
                    severity: Severity::Error,
                    code: "bad-profile",
                    message: format!("profile {}: {error}", self.given.profile.name),
                    at: None,
                    help: None,
                });
                return None;
            }
        };
        Some(HostCommand {
            argv: argv.iter().map(|word| self.fill(word)).collect(),
            cwd: self.given.roots.expand(decl.cwd.as_deref().unwrap_or("")),
            env: decl.env.clone(),
            set: decl.set.clone(),
            limits,
        })
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

    fn notice(&mut self, code: &str, message: String) {
        self.notices.push(Notice { code: code.to_owned(), message });
    }

    fn warn(&mut self, code: &str, message: String) {
        self.warnings.push(Notice { code: code.to_owned(), message });
    }

    fn invalid(&mut self, code: &'static str, message: String, decl: &HookDecl) {
        self.diagnostics.push(Diagnostic { severity: Severity::Error, code, message, at: Some(decl.id.at.clone()), help: None });
    }

    fn usage(&mut self, code: &'static str, message: String, help: String) {
        self.diagnostics.push(Diagnostic { severity: Severity::Error, code, message, at: None, help: Some(help) });
    }
}

struct Choice {
    guest: GuestDecl,
    fallback: Option<String>,
    unusable: Option<String>,
}

/// Over what the hook is and may do: its bytes, arguments, directories and the names of its variables. What the engine itself sets
/// (the previous tag, the run) differs from run to run and doesn't count.
fn hook_digest(guest: &PlanGuest, grants: &crate::model::grant::Grants, engine_env: &BTreeMap<String, EnvSource>) -> Digest {
    let env: Vec<_> = grants.env.iter().filter(|env| engine_env.get(&env.name) != Some(&env.source)).collect();
    Digest::of_json(&(guest, &grants.dirs, env))
}
