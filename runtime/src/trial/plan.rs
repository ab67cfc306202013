//! Case → plan → job. A case is planned as a manifest with one hook under a lifecycle with one phase, by the function that plans runs.

use super::lay::Tree;
use super::read::CaseFile;
use super::run::TrialError;
use crate::engine::job::{self, Supplies};
use crate::engine::machine::At;
use crate::manifest::{GuestDecl, HookDecl, Located, Manifest, PolicyDecl};
use crate::model::grant::{DirMode, EnvSource};
use crate::model::id::{AppName, HookId, NameError, RunId, StepName};
use crate::model::job::Job;
use crate::model::outcome::{Cause, Outcome};
use crate::plan::grants::Roots;
use crate::plan::{Given, Plan, PlanError, PlanGuest, PlanHook, PlanStepKind, Selection, resolve};
use crate::profile::{self, PhasePolicy, Profile, ProfileStep, ProfileStepKind};
use std::collections::BTreeMap;

/// What the hook under test is told about its application, run and phase, which a case doesn't name.
const APP: &str = "test";
const RUN: &str = "test";
const PHASE: &str = "test";
/// Its id where the case's file has a name that can't be one.
const HOOK: &str = "hook";

/// What a hook asks for, granted in the case's tree: a job for each attempt.
pub(super) struct Planned {
    plan: Plan,
    hook: PlanHook,
    run: RunId,
    app_env: BTreeMap<String, String>,
}

impl Planned {
    /// Plans `file`'s hook for `tree`. A hook that is refused, for what it asks, has that as its outcome: no plan, no run.
    pub(super) fn of(file: &CaseFile, tree: &Tree) -> Result<Result<Self, Outcome>, TrialError> {
        let app_env: BTreeMap<String, String> = file.case.env.iter().map(|(name, value)| (name.value.clone(), value.clone())).collect();
        let mut plan = match resolved(file, &app_env)? {
            Ok(plan) => plan,
            Err(error) => return Ok(Err(refused(error))),
        };
        place(&mut plan, tree);
        let hook = plan.steps.iter().find_map(|step| match &step.kind {
            PlanStepKind::Phase { hooks, .. } => hooks.first().cloned(),
            PlanStepKind::Host { .. } | PlanStepKind::Fact { .. } => None,
        });
        let hook = hook.ok_or_else(|| TrialError::Plan("the plan has no hook".to_owned()))?;
        Ok(Ok(Self { plan, hook, run: RunId::new(RUN)?, app_env }))
    }

    /// The hook, for the checks before it starts.
    pub(super) fn hook(&self) -> &PlanHook {
        &self.hook
    }

    /// The job of the `attempt`th run.
    pub(super) fn job(&self, file: &CaseFile, attempt: u32) -> Result<Job, Outcome> {
        let supplies = Supplies { app_env: &self.app_env, blobs: &file.blobs, run: &self.run, outputs: job::Outputs::new() };
        let at = At { step: 0, slot: 0, revert: false };
        let place = self.hook.place(&self.plan.steps[0].name);
        job::job(&self.plan, at, &place, attempt, &supplies).map_err(|errors| {
            let findings = errors.iter().map(ToString::to_string).collect();
            Outcome::Failed { cause: Cause::Preflight { findings } }
        })
    }
}

fn resolved(file: &CaseFile, app_env: &BTreeMap<String, String>) -> Result<Result<Plan, PlanError>, TrialError> {
    let case = &file.case;
    // A variable that is granted and not given was warned of: it stays unset, as it would be if nobody had granted it.
    let env = case.hook.env.iter().filter(|name| name.value == crate::plan::grants::OUTPUT_VARIABLE || app_env.contains_key(&name.value));
    let hook = HookDecl { env: env.cloned().collect(), ..declared(file)? };
    Ok(resolve(&Given {
        manifest: &Manifest { hooks: vec![hook], ..Manifest::default() },
        profile: &lifecycle()?,
        policy: &PolicyDecl::default(),
        host_steps: &[],
        one_file: true,
        app: AppName::new(APP)?,
        environment: case.environment.clone(),
        tag: case.tag.clone(),
        commit: case.commit.clone(),
        previous_version: case.previous_tag.as_ref().map(ToString::to_string),
        roots: Roots { app_dir: &case.app_dir, data_dir: &case.data_dir },
        app_env: &app_env.keys().cloned().collect(),
        files: &file.facts,
        sources: &BTreeMap::new(),
        copies_scripts: true,
        facts: &BTreeMap::new(),
        instances: &[],
        selection: &Selection::default(),
        at_start: false,
        steps_in_code: &[],
        notices: Vec::new(),
        warnings: Vec::new(),
    }))
}

/// The `[[hook]]` that the case stands for.
fn declared(file: &CaseFile) -> Result<HookDecl, NameError> {
    let hook = &file.case.hook;
    let at = hook.guest.as_ref().map_or_else(crate::diagnostic::Location::nowhere, |guest| guest.at.clone());
    let mut guest = file.guest.clone();
    if let GuestDecl::Native { argv, .. } = &mut guest {
        argv.extend(hook.args.iter().cloned());
    }
    let args = if guest.is_native() { Vec::new() } else { hook.args.clone() };
    let id = file.name.rsplit('/').next().map_or_else(|| HookId::new(HOOK), HookId::new);
    Ok(HookDecl {
        id: Located::nowhere(id.or_else(|_| HookId::new(HOOK))?),
        label: None,
        phase: Some(Located::nowhere(StepName::new(PHASE)?)),
        service: None,
        source: None,
        guest: Located { value: guest, at },
        args,
        cwd: hook.cwd.clone(),
        dirs: hook.dirs.clone(),
        env: Vec::new(),
        set: hook.set.clone(),
        limits: hook.limits.clone(),
        once: None,
        on_change: None,
        idempotent: false,
        allow_failure: false,
        enabled: true,
        sandbox: None,
        detach: false,
        fallback: None,
        effects: Vec::new(),
        backup: Vec::new(),
        wait_for: None,
        wait_timeout: None,
        verify: None,
        revert: None,
        origin: file.name.clone(),
    })
}

/// The default profile's limits and rules, with one phase and no host step.
fn lifecycle() -> Result<Profile, TrialError> {
    let profile =
        profile::builtin(profile::BUILTIN_NAMES[0]).ok_or_else(|| TrialError::Plan("the default profile can't be read".to_owned()))?;
    let policy: PhasePolicy = profile
        .phases()
        .next()
        .map(|(_, policy)| policy.clone())
        .ok_or_else(|| TrialError::Plan("the default profile has no phase".to_owned()))?;
    let steps = vec![ProfileStep { name: StepName::new(PHASE)?, kind: ProfileStepKind::Phase(policy) }];
    Ok(Profile { steps, default_mode: DirMode::Write, marker: None, discovery: None, ..profile })
}

fn refused(error: PlanError) -> Outcome {
    match error {
        PlanError::Denied(mut denials) if !denials.is_empty() => {
            Outcome::Failed { cause: Cause::Denied { denial: denials.swap_remove(0).1 } }
        }
        PlanError::Denied(_) => Outcome::Failed { cause: Cause::Preflight { findings: Vec::new() } },
        PlanError::Invalid(found) => {
            Outcome::Failed { cause: Cause::Preflight { findings: found.into_iter().map(|finding| finding.message).collect() } }
        }
    }
}

/// Moves everything that lies on the host into the tree. A module sees the paths of the case; a process has no root of its own, so it is told
/// where they are.
fn place(plan: &mut Plan, tree: &Tree) {
    let hooks = plan.steps.iter_mut().filter_map(|step| match &mut step.kind {
        PlanStepKind::Phase { hooks, .. } => Some(hooks),
        PlanStepKind::Host { .. } | PlanStepKind::Fact { .. } => None,
    });
    for hook in hooks.flatten() {
        for dir in &mut hook.grants.dirs {
            dir.host = dir.host.take().map(|host| tree.host(&host));
        }
        let PlanGuest::Native { cwd, .. } = &mut hook.guest else { continue };
        *cwd = tree.host(cwd);
        for dir in &mut hook.grants.dirs {
            dir.guest = dir.host.clone().unwrap_or_default();
        }
        for grant in hook.grants.env.iter_mut().filter(|grant| matches!(grant.name.as_str(), "APP_DIR" | "DATA_DIR")) {
            if let EnvSource::Value { value } = &mut grant.source {
                *value = tree.host(value);
            }
        }
    }
}
