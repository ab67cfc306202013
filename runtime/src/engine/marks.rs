//! What a run leaves in files of the application: the marker of its release, the commit of its success.

use super::gate::Decisions;
use super::machine::Decision;
use super::{LastCommit, Prepared};
use crate::ledger::commit_file;
use crate::model::outcome::SkipReason;
use crate::plan::PlanStepKind;

/// Writes the marker once, after the release's last hook succeeded; a run of some hooks, or one that the marker stopped, writes none.
pub(super) fn write_marker(prepared: &Prepared, decisions: &Decisions) -> Result<(), String> {
    let plan = &prepared.plan;
    let hooks = plan
        .steps
        .iter()
        .zip(&decisions.by_step)
        .filter(|(step, _)| matches!(step.kind, PlanStepKind::Phase { .. }))
        .flat_map(|(_, decisions)| decisions);
    let mut ran = hooks.filter(|decision| !matches!(decision, Decision::Skip(SkipReason::Marker { .. })));
    if plan.partial || plan.marker.is_none() || ran.next().is_none() {
        return Ok(());
    }
    (prepared.write_marker)()
}

/// Writes the commit to the file that holds that of the last success, where there is one; a run of some hooks isn't that of the commit.
pub(super) fn write_commit(prepared: &Prepared) -> Result<(), String> {
    let (LastCommit::InFile { path, .. }, Some(commit)) = (&prepared.last_commit, &prepared.plan.commit) else { return Ok(()) };
    if prepared.plan.partial {
        return Ok(());
    }
    commit_file::write(path, commit)
        .map_err(|error| format!("{} could not be written: {error}; the next run takes the commit for another one", path.display()))
}
