//! Notices of success that would be sent before there is one (S2.13).

use super::phase_of;
use crate::diagnostic::{Diagnostic, codes};
use crate::document::quote;
use crate::manifest::{GuestDecl, HookDecl};
use crate::model::id::StepName;
use crate::model::policy::When;
use crate::profile::{Profile, ProfileStepKind};

/// Words by which people name what tells others of a deployment.
const TELLING: &[&str] = &["notify", "notification", "notice", "announce", "slack", "mattermost", "telegram", "webhook"];

/// Warns of a hook that seems to tell of a success, where the profile has a phase in which it would be true.
pub(super) fn check(hook: &HookDecl, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let Some(later) = later(profile) else { return };
    let early = phase_of(hook, profile).is_some_and(|phase| stands_before_live(profile, phase));
    if !early || !tells(hook) {
        return;
    }
    let message = format!(
        "hook {} seems to send a notice, and later steps can still fail: it would tell of a deployment that never became live",
        quote(hook.id.value.as_str())
    );
    let help = format!("move it to `phase = \"{later}\"`, which has its turn only if everything succeeded");
    found.push(Diagnostic::warning(codes::EARLY_NOTICE, message).at(hook.id.at.clone()).help(help));
}

/// The phase that has its turn only if everything succeeded.
fn later(profile: &Profile) -> Option<&StepName> {
    profile.phases().find(|(_, policy)| policy.when == When::Succeeded).map(|(name, _)| name)
}

fn stands_before_live(profile: &Profile, phase: &StepName) -> bool {
    let at = |wanted: &dyn Fn(&crate::profile::ProfileStep) -> bool| profile.steps.iter().position(wanted);
    let live = at(&|step| matches!(&step.kind, ProfileStepKind::Host(policy) if policy.makes_live));
    at(&|step| step.name == *phase).zip(live).is_some_and(|(phase, live)| phase < live)
}

fn tells(hook: &HookDecl) -> bool {
    let command: &[String] = match &hook.guest.value {
        GuestDecl::Wasm { path } => std::slice::from_ref(path),
        GuestDecl::Native { argv, .. } => argv,
    };
    let texts = [Some(hook.id.value.as_str()), hook.label.as_deref()];
    let mut texts = texts.into_iter().flatten().chain(command.iter().map(String::as_str));
    texts.any(|text| text.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| TELLING.contains(&word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse;

    fn found(profile: &str, hook: &str) -> Vec<Diagnostic> {
        let (manifest, problems) = parse("m.toml", &format!("schema = 1\n[[hook]]\n{hook}\n"));
        assert_eq!(problems, []);
        crate::lint::check(&manifest, &crate::profile::builtin(profile).unwrap())
    }

    #[test]
    fn s2_13_a_notice_of_success_belongs_where_success_is_known() {
        for early in [
            "id = 'notify'\nrun = 'x'",
            "id = 'a'\nlabel = 'Announce on Slack'\nrun = 'x'",
            "id = 'a'\nrun = 'curl https://hooks.slack.com/x'",
        ] {
            let found = found("divio", early);
            assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), [codes::EARLY_NOTICE], "{early}");
            assert!(found[0].help.as_ref().unwrap().contains("phase = \"on-success\""));
        }
        assert_eq!(found("divio", "id = 'migrate'\nrun = 'python manage.py migrate'"), []);
        assert_eq!(found("divio", "id = 'notify'\nphase = 'on-success'\nrun = 'x'"), []);
        assert_eq!(found("blueking", "id = 'notify'\nrun = 'x'"), [], "without such a phase there is no better place");
    }
}
