//! One hook of the plan: what runs, with which grants and limits.

use super::grants::{self, Roots, Rules};
use super::guest::{Beside, Choice};
use super::limits::{self, Layers, Lowered};
use super::order::Instance;
use super::resolve::Resolver;
use super::{PlanGuest, PlanHook, PlanSibling};
use crate::diagnostic::codes;
use crate::manifest::HookDecl;
use crate::model::event::GuestKind;
use crate::model::grant::{Capability, Denial, DirGrant, DirMode, EnvSource, Grants};
use crate::model::id::{Digest, StepName};
use crate::model::limits::Limits;
use crate::model::policy::{Files, OnChange, Sandbox};
use crate::profile::{PhasePolicy, ProfileLimits};
use std::collections::BTreeMap;

impl Resolver<'_> {
    pub(super) fn hook(
        &mut self,
        decl: &HookDecl,
        instance: Option<&Instance>,
        phase: &StepName,
        policy: &PhasePolicy,
    ) -> Option<PlanHook> {
        let choice = self.choose(decl);
        let sandbox = self.sandbox(decl, &choice);
        // On an instance, its directory is the application's root.
        let roots = Roots { app_dir: instance.map_or(self.given.roots.app_dir, |instance| &instance.dir), ..self.given.roots };
        let guest = self.guest(decl, &choice.guest, sandbox, roots);
        self.refuse_aliases(decl, &choice.guest);
        let decl = &self.asking(decl, guest.kind(), policy);
        let grants = self.grants(decl, guest.kind(), roots, policy);
        self.warn_of_local_directories(decl, phase, policy);
        let limits = self.limits(decl, guest.kind(), &policy.limits);
        let (guest, mut grants, limits) = (guest, grants?, limits?);
        let source = self.source(decl);
        let lacks = self.lacks_of_tree(decl, &guest);
        if decl.detach && guest.kind() == GuestKind::Native {
            self.may_detach(decl, &grants);
        }
        let main = PlanSibling { guest: guest.clone(), limits: limits.clone() };
        let beside = Beside { decl, main: &main, roots, sandbox, phase: &policy.limits };
        let verify = decl.verify.as_ref().and_then(|verify| self.sibling(&verify.value, &beside));
        let revert = decl.revert.as_ref().and_then(|revert| self.sibling(&revert.value, &beside));
        let selected = self.given.selection.takes(phase, &decl.id.value);
        let backup = self.backup(decl, &grants, instance);
        if decl.enabled && selected {
            self.demand_backup(decl);
        }
        let digest = hook_digest(&guest, &grants, &self.engine_env);
        if guest.kind() == GuestKind::Native {
            // After the digest: where the machine has its programs says nothing about the hook.
            self.programs.grant(&mut grants);
        }
        Some(PlanHook {
            id: decl.id.value.clone(),
            label: decl.label.clone().unwrap_or_else(|| decl.id.value.to_string()),
            service: decl.service.as_ref().map(|at| at.value.clone()),
            instance: instance.map(|instance| instance.name.clone()),
            origin: decl.origin.clone(),
            source,
            fallback: choice.fallback,
            unusable: choice
                .unusable
                .or(lacks)
                .or_else(|| self.lacks(decl, decl.verify.as_ref(), "verify"))
                .or_else(|| self.lacks(decl, decl.revert.as_ref(), "revert"))
                .or_else(|| {
                    [Some(&main), verify.as_ref(), revert.as_ref()].into_iter().flatten().find_map(|runs| self.too_large(decl, runs))
                }),
            effects: decl.effects.clone(),
            backup,
            wait_for: self.wait_for(decl),
            verify,
            revert,
            grants,
            limits,
            digest,
            guest,
            once: decl.once,
            on_change: decl.on_change.unwrap_or(OnChange::Error),
            idempotent: decl.idempotent,
            allow_failure: decl.allow_failure,
            enabled: decl.enabled,
            selected,
        })
    }

    fn sandbox(&mut self, decl: &HookDecl, choice: &Choice) -> Sandbox {
        let asked = decl.sandbox.as_ref().map_or(self.given.profile.sandbox, |at| at.value);
        let weakest = self.given.policy.sandbox.unwrap_or(if self.given.one_file { Sandbox::None } else { Sandbox::Strict });
        match grants::sandbox(asked, weakest) {
            Ok(sandbox) => {
                let siblings = decl.verify.iter().chain(&decl.revert).any(|sibling| sibling.value.is_native());
                if sandbox == Sandbox::None && (choice.guest.is_native() || siblings) {
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

    /// What outlives the run needs the operator's word, and directories that outlive it too.
    fn may_detach(&mut self, decl: &HookDecl, grants: &Grants) {
        if !self.given.policy.detach.unwrap_or(self.given.one_file) {
            let what = "`detach`: processes that outlive the run are not allowed by the policy".to_owned();
            let allow = "[policy] detach = true".to_owned();
            self.denials.push((decl.id.value.clone(), Denial { capability: Capability::Import, what, allow }));
        }
        if let Some(dir) = grants.dirs.iter().find(|dir| !matches!(dir.mode, DirMode::Read | DirMode::Write)) {
            let message = format!(
                "hook {}: what it leaves behind outlives its directory {} ({}): grant that with the mode `read` or `write`, in a phase that keeps what is written",
                decl.id.value, dir.guest, dir.mode
            );
            self.invalid(codes::DETACHED_STAGE, message, decl);
        }
    }

    fn grants(&mut self, decl: &HookDecl, kind: GuestKind, roots: Roots<'_>, policy: &PhasePolicy) -> Option<Grants> {
        let mut engine_env = self.engine_env.clone();
        engine_env.insert("APP_DIR".to_owned(), EnvSource::Value { value: roots.app_dir.to_owned() });
        let rules = Rules {
            roots,
            policy: self.given.policy,
            env: policy.env.unwrap_or(self.given.profile.env),
            app_env: self.given.app_env,
            default_mode: self.given.profile.default_mode,
            files: policy.files,
            engine_env: &engine_env,
        };
        match grants::resolve(decl, kind, &rules) {
            Ok(grants) => {
                self.refuse_whole_app(decl, &grants, roots.app_dir, policy);
                self.refuse_two_ends(decl, &grants);
                Some(grants)
            }
            Err(denials) => {
                self.denials.extend(denials.into_iter().map(|denial| (decl.id.value.clone(), denial)));
                None
            }
        }
    }

    /// What lies in a staged directory is a part of its stage, which is committed or dropped as a whole.
    fn refuse_two_ends(&mut self, decl: &HookDecl, grants: &Grants) {
        if let Some((outer, inner)) = grants::two_ends(&grants.dirs) {
            let message = format!(
                "hook {}: {} (`{}`) lies in {} (`{}`), and one stage can't both be committed and dropped: give both the mode `txn`, or both `discard`",
                decl.id.value, inner.guest, inner.mode, outer.guest, outer.mode
            );
            self.invalid(codes::IMPOSSIBLE_GRANT, message, decl);
        }
    }

    /// The hooks of a phase that is committed as one whole write to one stage.
    pub(super) fn refuse_two_ends_of_a_phase(
        &mut self,
        phase: &StepName,
        policy: &PhasePolicy,
        hooks: &[PlanHook],
        declared: &[&HookDecl],
    ) {
        if policy.files != Files::Commit {
            return;
        }
        let hooks: Vec<&PlanHook> = hooks.iter().filter(|hook| hook.enabled && hook.selected).collect();
        let Some((outer, inner)) = grants::two_ends(hooks.iter().flat_map(|hook| &hook.grants.dirs)) else { return };
        let whose = |grant: &DirGrant| hooks.iter().find(|hook| hook.grants.dirs.iter().any(|dir| std::ptr::eq(dir, grant)));
        let Some((around, within)) = whose(outer).zip(whose(inner)) else { return };
        if std::ptr::eq(*around, *within) {
            // Said of the hook by itself.
            return;
        }
        let Some(decl) = declared.iter().find(|decl| decl.id.value == within.id) else { return };
        let place = if inner.host == outer.host { "is the directory" } else { "lies in the directory" };
        let message = format!(
            "hooks {} and {}: {} (`{}`) {place} {} (`{}`) of the other, and phase {phase} is committed as one whole (files = \"commit\"): give both the mode `txn`, or both `discard`",
            within.id, around.id, inner.guest, inner.mode, outer.guest, outer.mode
        );
        self.invalid(codes::IMPOSSIBLE_GRANT, message, decl);
    }

    pub(super) fn limits(&mut self, decl: &HookDecl, kind: GuestKind, phase: &ProfileLimits) -> Option<Limits> {
        let layers = Layers { asked: &decl.limits, phase, profile: &self.given.profile.limits, ceiling: &self.given.policy.limits };
        match limits::resolve(kind, layers) {
            Ok((limits, lowered)) => {
                for Lowered { asked, said, .. } in lowered {
                    let message = format!("{}: {said}", decl.id.value);
                    // Who asked for more and doesn't get it hears so in the run too; a default that the operator lowers is the operator's wish.
                    if asked { self.warn(codes::LIMIT_LOWERED, message) } else { self.notice(codes::LIMIT_LOWERED, message) }
                }
                Some(limits)
            }
            Err(error) => {
                self.invalid("bad-profile", format!("profile {}: {error}", self.given.profile.name), decl);
                None
            }
        }
    }
}

/// Over what the hook is and may do: its bytes, arguments, directories and the names of its variables. What the engine itself sets
/// (the previous tag, the run) differs from run to run and doesn't count.
fn hook_digest(guest: &PlanGuest, grants: &Grants, engine_env: &BTreeMap<String, EnvSource>) -> Digest {
    let env: Vec<_> = grants.env.iter().filter(|env| engine_env.get(&env.name) != Some(&env.source)).collect();
    Digest::of_json(&(guest, &grants.dirs, env))
}
