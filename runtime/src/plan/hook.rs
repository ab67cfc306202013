//! One hook of the plan: what runs, with which grants and limits.

use super::grants::{self, Roots, Rules};
use super::limits::{self, Layers};
use super::order::Instance;
use super::resolve::Resolver;
use super::{FileFact, PlanGuest, PlanHook, PlanScript, PlanSibling, by_profile};
use crate::manifest::{GuestDecl, HookDecl, Located};
use crate::model::event::GuestKind;
use crate::model::grant::{EnvSource, Grants};
use crate::model::id::{Digest, StepName};
use crate::model::limits::Limits;
use crate::model::policy::{Cwd, FallbackWhen, OnChange, Sandbox};
use crate::profile::{PhasePolicy, ProfileLimits};
use std::collections::BTreeMap;

/// The hook itself or its fallback.
struct Choice {
    guest: GuestDecl,
    /// Why the fallback runs instead, if it does.
    fallback: Option<String>,
    /// Why it can't run, if that is known already.
    unusable: Option<String>,
}

/// What something that runs beside a hook has in common with it.
#[derive(Clone, Copy)]
struct Beside<'a> {
    decl: &'a HookDecl,
    main: &'a PlanSibling,
    sandbox: Sandbox,
    phase: &'a ProfileLimits,
}

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
        let guest = self.guest(decl, &choice.guest, sandbox);
        self.refuse_aliases(decl, &choice.guest);
        let decl = &self.asking(decl, guest.kind(), policy);
        let grants = self.grants(decl, guest.kind(), instance, policy);
        self.warn_of_local_directories(decl, phase, policy);
        let limits = self.limits(decl, guest.kind(), &policy.limits);
        let (guest, grants, limits) = (guest, grants?, limits?);
        let main = PlanSibling { guest: guest.clone(), limits: limits.clone() };
        let beside = Beside { decl, main: &main, sandbox, phase: &policy.limits };
        let verify = decl.verify.as_ref().map(|verify| self.sibling(&verify.value, &beside));
        let revert = decl.revert.as_ref().map(|revert| self.sibling(&revert.value, &beside));
        let selected = self.given.selection.takes(phase, &decl.id.value);
        let backup = self.backup(decl, &grants, instance);
        if decl.enabled && selected {
            self.demand_backup(decl);
        }
        let digest = hook_digest(&guest, &grants, &self.engine_env);
        Some(PlanHook {
            id: decl.id.value.clone(),
            label: decl.label.clone().unwrap_or_else(|| decl.id.value.to_string()),
            service: decl.service.as_ref().map(|at| at.value.clone()),
            instance: instance.map(|instance| instance.name.clone()),
            origin: decl.origin.clone(),
            fallback: choice.fallback,
            unusable: choice
                .unusable
                .or_else(|| self.lacks(decl.verify.as_ref(), "verify"))
                .or_else(|| self.lacks(decl.revert.as_ref(), "revert")),
            effects: decl.effects.clone(),
            backup,
            wait_for: self.wait_for(decl),
            verify: verify.flatten(),
            revert: revert.flatten(),
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

    /// What runs beside a hook. Its limits are the hook's, where they are of the same kind.
    fn sibling(&mut self, guest: &GuestDecl, beside: &Beside<'_>) -> Option<PlanSibling> {
        let Beside { decl, main, sandbox, phase } = *beside;
        let mut guest = self.guest(decl, guest, sandbox);
        if let PlanGuest::Wasm { args, .. } = &mut guest {
            args.clear(); // the hook's are its own
        }
        let limits = if guest.kind() == main.guest.kind() { main.limits.clone() } else { self.limits(decl, guest.kind(), phase)? };
        Some(PlanSibling { guest, limits })
    }

    /// Why what runs beside a hook can't: found out before the hook has done what nobody could take back.
    fn lacks(&self, sibling: Option<&Located<GuestDecl>>, role: &str) -> Option<String> {
        let GuestDecl::Wasm { path } = &sibling?.value else { return None };
        match self.given.files.get(path) {
            None | Some(FileFact::Missing) => Some(format!("there is no module {path}, its {role}: build it")),
            Some(FileFact::Unusable { why }) => Some(format!("its {role}: {why}")),
            Some(FileFact::Present { unsupported: Some(needs), .. }) => Some(format!("its {role} {path}: {needs}")),
            Some(FileFact::Present { unsupported: None, .. }) => None,
        }
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

    fn guest(&self, decl: &HookDecl, guest: &GuestDecl, sandbox: Sandbox) -> PlanGuest {
        match guest {
            GuestDecl::Wasm { path } => {
                let digest = match self.given.files.get(path) {
                    Some(FileFact::Present { digest, .. }) => digest.clone(),
                    _ => Digest::of(b""),
                };
                PlanGuest::Wasm { file: path.clone(), digest, args: decl.args.clone() }
            }
            GuestDecl::Native { argv, shell } => {
                let rules = &self.given.profile;
                let mut argv = by_profile::argv(argv, *shell, &rules.shell);
                let script = argv.iter().enumerate().find_map(|(index, word)| {
                    let file = script_path(decl, word);
                    match self.given.files.get(&file) {
                        Some(FileFact::Present { digest, .. }) => {
                            Some(PlanScript { index, file, digest: digest.clone(), copied: self.given.copies_scripts })
                        }
                        _ => None,
                    }
                });
                let shown = script.as_ref().map_or_else(|| shell_words::join(&argv), |script| script.file.clone());
                PlanGuest::Native {
                    cwd: self.cwd(decl, &mut argv, script.as_ref()),
                    argv,
                    sandbox,
                    script,
                    shown,
                    expand_env: rules.commands.expand_env,
                }
            }
        }
    }

    /// Where a command starts. In the folder of its script it calls that by its bare name.
    fn cwd(&self, decl: &HookDecl, argv: &mut [String], script: Option<&PlanScript>) -> String {
        let folder = match (&decl.cwd, self.given.profile.cwd, script) {
            (Some(cwd), ..) => cwd.value.as_str(),
            (None, Cwd::Folder, Some(script)) => {
                let (folder, name) = script.file.rsplit_once('/').unwrap_or(("", &script.file));
                argv[script.index] = format!("./{name}");
                folder
            }
            _ => "",
        };
        self.given.roots.expand(folder)
    }

    fn grants(&mut self, decl: &HookDecl, kind: GuestKind, instance: Option<&Instance>, policy: &PhasePolicy) -> Option<Grants> {
        let roots = Roots { app_dir: instance.map_or(self.given.roots.app_dir, |instance| &instance.dir), ..self.given.roots };
        let mut engine_env = self.engine_env.clone();
        if let Some(instance) = instance {
            engine_env.insert("APP_DIR".to_owned(), EnvSource::Value { value: instance.dir.clone() });
        }
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
                Some(grants)
            }
            Err(denials) => {
                self.denials.extend(denials.into_iter().map(|denial| (decl.id.value.clone(), denial)));
                None
            }
        }
    }

    fn limits(&mut self, decl: &HookDecl, kind: GuestKind, phase: &ProfileLimits) -> Option<Limits> {
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
}

/// The path, below the application's root, of the file that a word of a hook's command would name.
#[must_use]
pub fn script_path(decl: &HookDecl, word: &str) -> String {
    match decl.cwd.as_ref().map(|cwd| cwd.value.trim_matches('/')) {
        None | Some("" | ".") => word.to_owned(),
        Some(folder) => format!("{folder}/{}", word.trim_start_matches("./")),
    }
}

/// Over what the hook is and may do: its bytes, arguments, directories and the names of its variables. What the engine itself sets
/// (the previous tag, the run) differs from run to run and doesn't count.
fn hook_digest(guest: &PlanGuest, grants: &Grants, engine_env: &BTreeMap<String, EnvSource>) -> Digest {
    let env: Vec<_> = grants.env.iter().filter(|env| engine_env.get(&env.name) != Some(&env.source)).collect();
    Digest::of_json(&(guest, &grants.dirs, env))
}
