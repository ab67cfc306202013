//! A look into the scripts that hooks name: what they would do otherwise than they seem to, as warnings of the plan.

use crate::diagnostic::codes;
use crate::discover::{EntryKind, Source};
use crate::lint::script;
use crate::plan::{Notice, Plan, PlanGuest, PlanHook, PlanScript, PlanStepKind};
use crate::profile::Profile;
use std::collections::BTreeSet;

/// The largest script that is looked into, in bytes; a longer one is nobody's handiwork.
const MAX_LOOK: u64 = 1 << 20;

/// What is to be warned of in the scripts of a plan.
pub(super) async fn warnings(plan: &Plan, profile: &Profile, source: &Source) -> Vec<Notice> {
    let mut warnings = Vec::new();
    let mut keepers = BTreeSet::new();
    for script in scripts(plan) {
        let path = script.file.trim_start_matches("./");
        if profile.commands.warn_not_executable && script.index > 0 && !is_executable(source, path).await {
            let message = format!("{path} is not executable: run `chmod +x {path}`, and commit that");
            warnings.push(Notice { code: codes::NOT_EXECUTABLE.to_owned(), message });
        }
        let Ok(Some(bytes)) = source.read(path, MAX_LOOK).await else { continue };
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        for found in script::check(text) {
            warnings.push(Notice { code: found.code.to_owned(), message: format!("{path}, line {}: {}", found.line, found.message) });
        }
        if profile.marker.as_deref().is_some_and(|template| script::keeps_marker(text, template)) {
            keepers.insert(path);
        }
    }
    if keepers.len() > 1 {
        let all = keepers.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!(
            "{all} skip themselves if the release's marker exists, and create it: run one after the other, only the first does anything"
        );
        warnings.push(Notice { code: codes::SCRIPT_MARKER.to_owned(), message });
    }
    warnings
}

/// The scripts that the plan's hooks name, each once.
fn scripts(plan: &Plan) -> Vec<&PlanScript> {
    let hooks = plan.steps.iter().filter_map(|step| match &step.kind {
        PlanStepKind::Phase { hooks, .. } => Some(hooks),
        PlanStepKind::Host { .. } | PlanStepKind::Fact { .. } => None,
    });
    let named = hooks.flatten().filter_map(|hook: &PlanHook| match &hook.guest {
        PlanGuest::Native { script, .. } => script.as_ref(),
        PlanGuest::Wasm { .. } => None,
    });
    let mut seen = BTreeSet::new();
    named.filter(|script| seen.insert(&script.file)).collect()
}

/// Whether somebody may execute a file of the release; what can't be found out is no reason to warn.
async fn is_executable(source: &Source, path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    let entries = source.list(folder).await.ok().flatten().unwrap_or_default();
    entries.iter().find(|entry| entry.name == name).is_none_or(|entry| entry.kind != EntryKind::File { executable: false })
}
