//! Outputs of other hooks that a hook names: each is reported by a hook that comes before it.

use super::phase_of;
use crate::diagnostic::{Diagnostic, codes};
use crate::document::{error_at, quote, suggest};
use crate::manifest::{HookDecl, Manifest};
use crate::model::grant::OutputRef;
use crate::profile::Profile;

/// Reports outputs that nothing reports in time.
pub(super) fn check(hook: &HookDecl, manifest: &Manifest, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let place = |phase: &str| profile.steps.iter().position(|step| step.name.as_str() == phase);
    let own = phase_of(hook, profile).and_then(|phase| place(phase.as_str()));
    for name in &hook.env {
        let Some(reference) = OutputRef::parse(&name.value) else { continue };
        let Some(at) = place(reference.phase.as_str()) else {
            let help = suggest(reference.phase.as_str(), profile.phases().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
            let message =
                format!("{}: the profile `{}` has no phase {}", quote(&name.value), profile.name, quote(reference.phase.as_str()));
            found.push(error_at(name, codes::UNKNOWN_PHASE, message).help(help));
            continue;
        };
        if own.is_some_and(|own| at > own) {
            let message = format!("{}: {} comes after this hook, so nothing is reported yet", quote(&name.value), reference.phase);
            found.push(error_at(name, codes::NO_EFFECT, message).help("name an output of an earlier hook"));
        } else if !exists(&reference, manifest, profile) {
            let message = format!("{}: the phase {} has no hook {}", quote(&name.value), reference.phase, quote(reference.hook.as_str()));
            found.push(error_at(name, codes::UNKNOWN_HOOK, message).help("`wasmhook list` shows every hook with its phase"));
        }
    }
}

/// Whether the hook is declared; where hooks are found by their names, it may be one of those.
fn exists(reference: &OutputRef, manifest: &Manifest, profile: &Profile) -> bool {
    let declared = |hook: &HookDecl| hook.id.value == reference.hook && phase_of(hook, profile) == Some(&reference.phase);
    let brought = profile.default_hooks.iter().any(|hook| hook.id == reference.hook && hook.phase == reference.phase);
    profile.discovery.is_some() || brought || manifest.hooks.iter().any(declared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse;

    fn codes_for(env: &str) -> Vec<&'static str> {
        let hook = |id: &str, phase: &str, more: &str| format!("[[hook]]\nid = '{id}'\nphase = '{phase}'\nrun = 'x'\n{more}\n");
        let text = hook("a.b", "pre-deploy", "") + &hook("c", "pre-deploy", &format!("env = ['{env}']")) + &hook("d", "post-deploy", "");
        let (manifest, problems) = parse("m.toml", &format!("schema = 1\n{text}"));
        let found = crate::lint::check(&manifest, &crate::profile::builtin("default").unwrap());
        problems.iter().chain(&found).map(|found| found.code).collect()
    }

    #[test]
    fn s3_56_an_output_is_named_by_phase_hook_and_key() {
        assert_eq!(codes_for("pre-deploy.a.b.URL"), [""; 0], "an id may hold dots");
        assert_eq!(codes_for("pre-depoly.a.b.URL"), [codes::UNKNOWN_PHASE]);
        assert_eq!(codes_for("pre-deploy.x.URL"), [codes::UNKNOWN_HOOK]);
        assert_eq!(codes_for("post-deploy.d.URL"), [codes::NO_EFFECT]);
        assert_eq!(codes_for("a.URL"), [codes::BAD_NAME]);
        for reserved in ["PATH", "LD_PRELOAD", "DEPLOY_TAG", "WASMHOOK_OUTPUT", "APP_DIR"] {
            assert_eq!(codes_for(&format!("pre-deploy.a.b.{reserved}")), [codes::RESERVED_NAME], "{reserved}");
        }
    }
}
