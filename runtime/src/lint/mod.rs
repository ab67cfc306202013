//! What a manifest and a profile say about each other, before any file is looked at: phases and steps that don't exist, ids written twice,
//! paths that leave their directory, grants that nothing can enforce. Pure; the plan looks again at what only real paths can show.

mod paths;

use crate::diagnostic::{Diagnostic, Located, codes};
use crate::document::{error_at, not_available, quote, suggest};
use crate::manifest::{GuestDecl, HookDecl, Manifest};
use crate::model::grant::DirMode;
use crate::model::id::StepName;
use crate::model::policy::EnvPolicy;
use crate::profile::Profile;
use std::collections::HashSet;

/// Everything wrong between the two, hook by hook.
#[must_use]
pub fn check(manifest: &Manifest, profile: &Profile) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    host_steps(manifest, profile, &mut found);
    if let Some(file) = &manifest.env_file {
        paths::below(file, "the manifest's directory", "give a file elsewhere with `--env-file`", &mut found);
    }
    for hook in &manifest.hooks {
        phase(hook, profile, &mut found);
        service(hook, manifest, &mut found);
        env(hook, profile, &mut found);
        files(hook, &mut found);
        default_mode(hook, profile, &mut found);
        paths::grants(&hook.dirs, &mut found);
    }
    duplicate_ids(manifest, profile, &mut found);
    found
}

fn host_steps(manifest: &Manifest, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let known: Vec<_> = profile.host_steps().map(|(name, _)| name.as_str()).collect();
    for (name, _) in &manifest.host_steps {
        if !known.contains(&name.value.as_str()) {
            let message = format!("the profile `{}` has no host step {}", profile.name, quote(name.value.as_str()));
            let help = suggest(name.value.as_str(), known.iter().copied());
            found.push(error_at(name, codes::UNKNOWN_HOST_STEP, message).help(help));
        }
    }
}

fn phase(hook: &HookDecl, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let known: Vec<_> = profile.phases().map(|(name, _)| name.as_str()).collect();
    let Some(phase) = &hook.phase else {
        if profile.default_phase.is_none() {
            let message = format!("hook {} names no phase, and the profile `{}` has no default", quote(hook.id.value.as_str()), profile.name);
            let help = format!("write `phase = \"…\"`: {}", known.join(", "));
            found.push(error_at(&hook.id, codes::MISSING_KEY, message).help(help));
        }
        return;
    };
    let name = phase.value.as_str();
    if known.contains(&name) {
        return;
    }
    let all = format!("its phases are: {}", known.join(", "));
    let (message, help) = match profile.step(&phase.value) {
        Some(_) => (format!("{} is a step of the profile `{}`, and no phase that hooks attach to", quote(name), profile.name), all),
        None => (
            format!("the profile `{}` has no phase {}", profile.name, quote(name)),
            crate::document::nearest(name, known.iter().copied()).map_or(all.clone(), |near| format!("did you mean `{near}`? {all}")),
        ),
    };
    found.push(error_at(phase, codes::UNKNOWN_PHASE, message).help(help));
}

/// Services are free labels until the manifest declares some.
fn service(hook: &HookDecl, manifest: &Manifest, found: &mut Vec<Diagnostic>) {
    let Some(service) = hook.service.as_ref().filter(|_| !manifest.services.is_empty()) else { return };
    if manifest.services.iter().all(|known| known.value != service.value) {
        let name = service.value.as_str();
        let help = suggest(name, manifest.services.iter().map(|known| known.value.as_str()));
        found.push(error_at(service, codes::UNKNOWN_SERVICE, format!("there is no `[services.{name}]`")).help(help));
    }
}

fn env(hook: &HookDecl, profile: &Profile, found: &mut Vec<Diagnostic>) {
    if profile.env != EnvPolicy::None {
        return;
    }
    for name in hook.env.iter().filter(|name| !name.value.starts_with("WASMHOOK_")) {
        let message = format!("the profile `{}` hands the app environment to nobody; {} would stay empty", profile.name, quote(&name.value));
        found.push(error_at(name, codes::NO_EFFECT, message).help("write the value with `set`"));
    }
}

/// Hook files are read from the manifest's own tree, and a process starts inside the application's.
fn files(hook: &HookDecl, found: &mut Vec<Diagnostic>) {
    let fallback = hook.fallback.as_ref().map(|fallback| (&fallback.value.guest, &fallback.at));
    for (guest, at) in [Some((&hook.guest.value, &hook.guest.at)), fallback].into_iter().flatten() {
        if let GuestDecl::Wasm { path } = guest {
            let path = Located { value: path.clone(), at: at.clone() };
            paths::below(&path, "the manifest's directory", "put the hook into the repository", found);
        }
    }
    if let Some(cwd) = &hook.cwd {
        paths::below(cwd, "the application's root", "name a folder below it", found);
    }
}

fn default_mode(hook: &HookDecl, profile: &Profile, found: &mut Vec<Diagnostic>) {
    if !matches!(profile.default_mode, DirMode::Txn | DirMode::Discard) {
        return;
    }
    for dir in hook.dirs.iter().filter(|dir| dir.mode.is_none()) {
        let what = format!("`{}`, the mode that the profile `{}` gives a directory without one", profile.default_mode, profile.name);
        let help = "write `mode = \"write\"` (what a failed hook wrote stays) or `mode = \"read\"`";
        found.push(not_available(&what).at(dir.path.at.clone()).help(help));
    }
}

fn duplicate_ids(manifest: &Manifest, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let mut seen: HashSet<(Option<&StepName>, &str)> = HashSet::new();
    for hook in &manifest.hooks {
        let phase = hook.phase.as_ref().map(|phase| &phase.value).or(profile.default_phase.as_ref());
        if !seen.insert((phase, hook.id.value.as_str())) {
            let place = phase.map_or_else(String::new, |phase| format!(" in the phase {}", quote(phase.as_str())));
            let message = format!("there is another hook {}{place}", quote(hook.id.value.as_str()));
            found.push(error_at(&hook.id, codes::DUPLICATE_ID, message).help("the ledger remembers a hook by its id: give each its own"));
        }
    }
}
