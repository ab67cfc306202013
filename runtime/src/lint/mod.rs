//! What a manifest and a profile say about each other, before any file is looked at: phases and steps that don't exist, ids written twice,
//! paths that leave their directory, grants that nothing can enforce. Pure; the plan looks again at what only real paths can show.

mod commands;
mod notices;
mod outputs;
mod paths;
pub mod script;
mod sources;

use crate::diagnostic::{Diagnostic, Located, Location, codes};
use crate::document::{error_at, nearest, quote, suggest};
use crate::manifest::{GuestDecl, HookDecl, Manifest};
use crate::model::id::StepName;
use crate::model::policy::EnvPolicy;
use crate::profile::Profile;
use std::collections::HashMap;

/// Everything wrong between the two, hook by hook.
#[must_use]
pub fn check(manifest: &Manifest, profile: &Profile) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    host_steps(manifest, profile, &mut found);
    if let Some(file) = &manifest.env_file {
        paths::below(file, "the manifest's directory", "give a file elsewhere with `--env-file`", &mut found);
    }
    sources::check(manifest, &mut found);
    for hook in &manifest.hooks {
        phase(hook, profile, &mut found);
        service(hook, manifest, &mut found);
        app_wide(hook, profile, &mut found);
        commands::check(hook, profile, &mut found);
        notices::check(hook, profile, &mut found);
        env(hook, profile, &mut found);
        outputs::check(hook, manifest, profile, &mut found);
        files(hook, &mut found);
        paths::grants(&hook.dirs, profile.default_mode, &mut found);
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
            let message =
                format!("hook {} names no phase, and the profile `{}` has no default", quote(hook.id.value.as_str()), profile.name);
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
            nearest(name, known.iter().copied()).map_or_else(|| all.clone(), |near| format!("did you mean `{near}`? {all}")),
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

/// Code is built once for all services (S5.5).
fn app_wide(hook: &HookDecl, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let (Some(service), Some(phase)) = (&hook.service, phase_of(hook, profile)) else { return };
    if profile.phases().any(|(name, policy)| name == phase && policy.app_wide) {
        let message = format!("the phase {} is the application's as a whole, and the hook names a service", quote(phase.as_str()));
        let per_service: Vec<_> = profile.phases().filter(|(_, policy)| !policy.app_wide).map(|(name, _)| name.as_str()).collect();
        let help = format!("remove `service`, or choose a phase that runs for each service: {}", per_service.join(", "));
        found.push(error_at(service, codes::APP_WIDE_PHASE, message).help(help));
    }
}

/// The phase that a hook stands in.
fn phase_of<'a>(hook: &'a HookDecl, profile: &'a Profile) -> Option<&'a StepName> {
    hook.phase.as_ref().map(|phase| &phase.value).or(profile.default_phase.as_ref())
}

fn env(hook: &HookDecl, profile: &Profile, found: &mut Vec<Diagnostic>) {
    if profile.env != EnvPolicy::None {
        return;
    }
    for name in hook.env.iter().filter(|name| !name.value.starts_with("WASMHOOK_") && !name.value.contains('.')) {
        let message =
            format!("the profile `{}` hands the app environment to nobody; {} would stay empty", profile.name, quote(&name.value));
        found.push(error_at(name, codes::NO_EFFECT, message).help("write the value with `set`"));
    }
}

/// Hook files are read from the manifest's own tree, and a process starts inside the application's.
fn files(hook: &HookDecl, found: &mut Vec<Diagnostic>) {
    let fallback = hook.fallback.as_ref().map(|fallback| (&fallback.value.guest, &fallback.at));
    let beside = hook.verify.iter().chain(&hook.revert).map(|sibling| (&sibling.value, &sibling.at));
    for (guest, at) in std::iter::once((&hook.guest.value, &hook.guest.at)).chain(fallback).chain(beside) {
        if let GuestDecl::Wasm { path } = guest {
            let path = Located { value: path.clone(), at: at.clone() };
            let root = if hook.source.is_some() { "its source's root" } else { "the manifest's directory" };
            paths::below(&path, root, "put the hook into the repository", found);
        }
    }
    if let Some(cwd) = &hook.cwd {
        let root = if hook.source.is_some() { "its source's root" } else { "the application's root" };
        paths::below(cwd, root, "name a folder below it", found);
    }
}

fn duplicate_ids(manifest: &Manifest, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<(Option<&StepName>, &str), &Location> = HashMap::new();
    for hook in &manifest.hooks {
        let phase = hook.phase.as_ref().map(|phase| &phase.value).or(profile.default_phase.as_ref());
        let id = hook.id.value.as_str();
        let Some(first) = seen.get(&(phase, id)) else {
            seen.insert((phase, id), &hook.id.at);
            continue;
        };
        let place = phase.map_or_else(String::new, |phase| format!(" of the phase {}", quote(phase.as_str())));
        let message = format!("another hook{place} has the id {} ({first})", quote(id));
        found.push(error_at(&hook.id, codes::DUPLICATE_ID, message).help("the ledger remembers a hook by its id: give each its own"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse;

    fn codes_for(profile: &str, text: &str) -> Vec<&'static str> {
        let (manifest, found) = parse("wasmhook.toml", &format!("schema = 1\n{text}"));
        assert_eq!(found, []);
        check(&manifest, &crate::profile::builtin(profile).unwrap()).iter().map(|finding| finding.code).collect()
    }

    fn dirs(dirs: &str) -> Vec<&'static str> {
        codes_for("default", &format!("[[hook]]\nid = 'a'\nphase = 'pre-deploy'\nwasm = 'a.wasm'\ndirs = [{dirs}]\n"))
    }

    #[test]
    fn grants_that_can_hold_are_left_alone() {
        for good in [
            "{ path = '.', mode = 'read' }, { path = 'data', mode = 'write' }",
            "{ path = 'data', mode = 'write' }, { path = 'database', mode = 'read' }",
            "{ path = '$APP_DIR', mode = 'write' }, { path = '$DATA_DIR', mode = 'read' }",
            "{ path = 'a/../b', mode = 'read' }, { path = '/srv/../etc', mode = 'read' }",
            "{ guest = '/x', mode = 'scratch' }, { guest = '/y', mode = 'scratch' }",
        ] {
            assert!(dirs(good).is_empty(), "{good}");
        }
    }

    #[test]
    fn grants_that_cannot_hold_are_refused_however_they_are_written() {
        for bad in [
            "{ path = '.', mode = 'write' }, { path = 'data', mode = 'read' }",
            "{ path = 'data/x', mode = 'read' }, { path = '$APP_DIR/./data/', mode = 'write' }",
            "{ path = '/srv', mode = 'write' }, { path = '/srv/a/../b', mode = 'read' }",
            "{ path = '/', mode = 'write' }, { path = '/srv', mode = 'read' }",
            "{ path = 'a', guest = '/a', mode = 'write' }, { path = 'a', guest = '/b', mode = 'read' }",
        ] {
            assert_eq!(dirs(bad), [codes::IMPOSSIBLE_GRANT], "{bad}");
        }
    }

    #[test]
    fn a_grant_without_a_mode_has_the_profile_s() {
        let hook = "[[hook]]\nid = 'a'\nwasm = 'a.wasm'\ndirs = [{ path = '.' }, { path = 'data', mode = 'read' }]\n";
        assert_eq!(codes_for("tenant-upgrade", hook), [codes::IMPOSSIBLE_GRANT]);
        assert_eq!(codes_for("default", &hook.replace("wasm =", "phase = 'pre-deploy'\nwasm =")), [codes::IMPOSSIBLE_GRANT]);
        let nested = hook.replace("'data', mode = 'read'", "'data', mode = 'txn'").replace("wasm =", "phase = 'pre-deploy'\nwasm =");
        assert_eq!(codes_for("default", &nested), [""; 0], "it is as wide as the profile's mode");
    }

    #[test]
    fn ids_are_unique_within_their_phase_over_all_manifests() {
        let hook = |phase: &str| format!("[[hook]]\nid = 'a'\n{phase}run = 'x'\n");
        let read = |text: &str| parse("m.toml", &format!("schema = 1\n{text}")).0;
        let both = crate::manifest::merge(vec![read(&hook("")), read(&hook("phase = 'post-pull'\n"))]);
        let found = check(&both, &crate::profile::builtin("tenant-upgrade").unwrap());
        assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), [codes::DUPLICATE_ID]);
        assert_eq!(codes_for("tenant-upgrade", &(hook("") + &hook("phase = 'pre-pull'\n"))), [""; 0]);
    }

    #[test]
    fn services_are_free_labels_until_some_are_declared() {
        let hook = "[[hook]]\nid = 'a'\nservice = 'web'\nrun = 'x'\n";
        assert_eq!(codes_for("tenant-upgrade", hook), [""; 0]);
        assert_eq!(codes_for("tenant-upgrade", &format!("[services.web]\n{hook}")), [""; 0]);
        assert_eq!(codes_for("tenant-upgrade", &format!("[services.db]\n{hook}")), [codes::UNKNOWN_SERVICE]);
    }

    #[test]
    fn a_profile_without_app_environment_gives_no_names() {
        let (manifest, _) = parse("m.toml", "schema = 1\n[[hook]]\nid = 'a'\nwasm = 'a.wasm'\nenv = ['A', 'WASMHOOK_OUTPUT']\n");
        let mut profile = crate::profile::builtin("tenant-upgrade").unwrap();
        assert_eq!(check(&manifest, &profile), []);
        profile.env = EnvPolicy::None;
        assert_eq!(check(&manifest, &profile).iter().map(|finding| finding.code).collect::<Vec<_>>(), [codes::NO_EFFECT]);
    }

    #[test]
    fn s5_5_s5_20_code_is_built_once_for_all_services() {
        let hook = |phase: &str| format!("[[hook]]\nid = 'a'\nphase = '{phase}'\nservice = 'web1'\nrun = 'x'\n");
        assert_eq!(codes_for("pagoda", &hook("exec")), [codes::APP_WIDE_PHASE]);
        assert_eq!(codes_for("pagoda", &hook("before_deploy")), [""; 0]);
    }

    #[test]
    fn s1_4_a_hook_of_a_build_that_an_image_has_not_is_an_error() {
        for phase in ["pre-build", "post-build"] {
            let hook = format!("[[hook]]\nid = 'a'\nphase = '{phase}'\nrun = 'x'\n");
            assert_eq!(codes_for("blueking-image", &hook), [codes::UNKNOWN_PHASE]);
            assert_eq!(codes_for("blueking", &hook), [""; 0]);
        }
    }
}
