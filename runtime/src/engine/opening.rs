//! How a run begins: its header, what is recorded first, and the report of one that never begins.

use super::gate::{self, Decisions};
use super::journal::Journal;
use super::{Error, Prepared, lifecycle, target};
use crate::ledger::Durability;
use crate::model::event::{Earlier, RunHeader, Status, What};
use crate::model::id::Digest;
use crate::model::policy::Gate;
use crate::plan::Notice;
use crate::report::Report;

/// Attempts outside every grant are looked at in each dry run: nobody waits for it, and it changes nothing.
pub(super) fn header(prepared: &Prepared, plan_digest: Digest, dry_run: bool) -> RunHeader {
    let plan = &prepared.plan;
    RunHeader {
        app: plan.app.clone(),
        environment: plan.environment.clone(),
        profile: plan.profile.clone(),
        tag: plan.tag.clone(),
        commit: plan.commit.clone(),
        previous_version: plan.previous_version.clone(),
        plan_digest,
        dry_run,
        partial: prepared.plan.partial,
        audit: prepared.audit || dry_run,
        resumes: None,
        earlier: Earlier::default(),
        trigger: None,
    }
}

/// Opens the run in the journal, with everything a person should know about it.
pub(super) fn open(
    journal: &mut Journal<'_>,
    prepared: &Prepared,
    header: RunHeader,
    json: &str,
    decisions: &Decisions,
) -> Result<(), Error> {
    let plan = &prepared.plan;
    let release = gate::release_of(plan, Gate::Once, &prepared.run);
    let started = What::RunStarted { header: Box::new(header), steps: lifecycle::planned_steps(plan) };
    journal.open(&target(plan), &release, json, started)?;
    for Notice { code, message } in plan.warnings.iter().chain(&decisions.notices).cloned() {
        journal.record(What::Warning { code, message }, None, Durability::Later)?;
    }
    Ok(())
}

/// The report of a run that was refused before it began: nothing of it is recorded.
pub(super) fn refused(prepared: &Prepared, reasons: Vec<Notice>) -> Report {
    let reasons = reasons.into_iter().map(|Notice { code, message }| crate::report::Notice { code, message }).collect();
    Report::not_started_because(Status::Refused, reasons).of(&header(prepared, prepared.plan.digest(), false))
}
