//! What runs: the hook itself or its fallback, and what runs beside it.

use super::grants::Roots;
use super::resolve::Resolver;
use super::{FileFact, PlanGuest, PlanScript, PlanSibling, by_profile};
use crate::manifest::{GuestDecl, HookDecl, Located};
use crate::model::id::Digest;
use crate::model::policy::{Cwd, FallbackWhen, Sandbox};
use crate::model::units::show_size;
use crate::profile::ProfileLimits;

/// The hook itself or its fallback.
pub(super) struct Choice {
    pub guest: GuestDecl,
    /// Why the fallback runs instead, if it does.
    pub fallback: Option<String>,
    /// Why it can't run, if that is known already.
    pub unusable: Option<String>,
}

/// What something that runs beside a hook has in common with it.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub decl: &'a HookDecl,
    pub main: &'a PlanSibling,
    pub roots: Roots<'a>,
    pub sandbox: Sandbox,
    pub phase: &'a ProfileLimits,
}

impl Resolver<'_> {
    /// The hook itself or its fallback, and why.
    pub(super) fn choose(&self, decl: &HookDecl) -> Choice {
        let itself = |unusable| Choice { guest: decl.guest.value.clone(), fallback: None, unusable };
        if let Some(why) = self.unread(decl) {
            return itself(Some(why));
        }
        let reason = match (&decl.guest.value, decl.fallback.as_ref().map(|at| at.value.when)) {
            (_, Some(FallbackWhen::Always)) => Some("always, as declared".to_owned()),
            (GuestDecl::Wasm { path }, when) => match self.file(decl, path) {
                None | Some(FileFact::Missing) if when.is_some() => Some(format!("there is no module {path}")),
                None | Some(FileFact::Missing) => {
                    return itself(Some(format!("there is no module {path}: build it, or declare a fallback")));
                }
                Some(FileFact::Unusable { why }) => return itself(Some(why.clone())),
                Some(FileFact::Present { unsupported: Some(needs), .. }) if when == Some(FallbackWhen::Unsupported) => {
                    Some(format!("this host can't run {path}: {needs}"))
                }
                Some(FileFact::Present { unsupported: Some(needs), .. }) => {
                    let other = if decl.fallback.is_none() { "; or give the hook a fallback with when = \"unsupported\"" } else { "" };
                    return itself(Some(format!("{path}: {needs}{other}")));
                }
                // Its size is judged in `too_large`, once its limits are known.
                Some(FileFact::Present { unsupported: None, .. } | FileFact::TooLarge { .. }) => None,
            },
            (GuestDecl::Native { .. }, _) => None,
        };
        match (reason, &decl.fallback) {
            (Some(reason), Some(fallback)) => {
                let unusable = match &fallback.value.guest {
                    GuestDecl::Wasm { path }
                        if !matches!(self.file(decl, path), Some(FileFact::Present { .. } | FileFact::TooLarge { .. })) =>
                    {
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
    pub(super) fn sibling(&mut self, guest: &GuestDecl, beside: &Beside<'_>) -> Option<PlanSibling> {
        let Beside { decl, main, roots, sandbox, phase } = *beside;
        let mut guest = self.guest(decl, guest, sandbox, roots);
        match &mut guest {
            PlanGuest::Wasm { args, .. } => args.clear(),        // the hook's are its own
            PlanGuest::Native { detach, .. } => *detach = false, // it looks, or takes back, and is done
        }
        let limits = if guest.kind() == main.guest.kind() { main.limits.clone() } else { self.limits(decl, guest.kind(), phase)? };
        Some(PlanSibling { guest, limits })
    }

    /// Why what runs beside a hook can't: found out before the hook has done what nobody could take back.
    pub(super) fn lacks(&self, decl: &HookDecl, sibling: Option<&Located<GuestDecl>>, role: &str) -> Option<String> {
        let GuestDecl::Wasm { path } = &sibling?.value else { return None };
        match self.file(decl, path) {
            None | Some(FileFact::Missing) => Some(format!("there is no module {path}, its {role}: build it")),
            Some(FileFact::Unusable { why }) => Some(format!("its {role}: {why}")),
            Some(FileFact::Present { unsupported: Some(needs), .. }) => Some(format!("its {role} {path}: {needs}")),
            Some(FileFact::Present { unsupported: None, .. } | FileFact::TooLarge { .. }) => None,
        }
    }

    /// Why a module is more than its limits allow: its size is known, so nothing has to run before that is found.
    pub(super) fn too_large(&self, decl: &HookDecl, runs: &PlanSibling) -> Option<String> {
        let PlanGuest::Wasm { file, .. } = &runs.guest else { return None };
        let (FileFact::Present { size, .. } | FileFact::TooLarge { size }) = self.file(decl, file)? else { return None };
        let limit = runs.limits.module_bytes;
        let ceiling = self.given.policy.limits.module.as_ref().map(|at| at.value);
        let whose = if ceiling == Some(limit) { "[policy]" } else { "the hook's limits" };
        (*size > limit).then(|| {
            format!(
                "{file} has {}, more than the limit of {}: make it smaller, or raise `module` in {whose}",
                show_size(*size),
                show_size(limit)
            )
        })
    }

    pub(super) fn guest(&self, decl: &HookDecl, guest: &GuestDecl, sandbox: Sandbox, roots: Roots<'_>) -> PlanGuest {
        match guest {
            GuestDecl::Wasm { path } => {
                let digest = match self.file(decl, path) {
                    Some(FileFact::Present { digest, .. }) => digest.clone(),
                    _ => Digest::of(b""),
                };
                PlanGuest::Wasm { file: path.clone(), digest, args: decl.args.clone() }
            }
            GuestDecl::Native { argv, shell } => {
                let rules = &self.given.profile;
                let mut argv = by_profile::argv(argv, *shell, &rules.shell);
                if decl.source.is_some() {
                    return self.guest_of_source(decl, argv, sandbox);
                }
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
                    cwd: roots.expand(self.cwd(decl, &mut argv, script.as_ref())),
                    tree: None,
                    argv,
                    sandbox,
                    script,
                    shown,
                    expand_env: rules.commands.expand_env,
                    detach: decl.detach,
                }
            }
        }
    }

    /// The folder in which a command starts, below the application's root. In that of its script it calls the script by its bare name.
    fn cwd<'w>(&self, decl: &'w HookDecl, argv: &mut [String], script: Option<&'w PlanScript>) -> &'w str {
        match (&decl.cwd, self.given.profile.cwd, script) {
            (Some(cwd), ..) => cwd.value.as_str(),
            (None, Cwd::Folder, Some(script)) => {
                let (folder, name) = script.file.rsplit_once('/').unwrap_or(("", &script.file));
                argv[script.index] = format!("./{name}");
                folder
            }
            _ => "",
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
