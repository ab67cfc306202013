//! Whether a plan can run, as its ledger and its memories have it: asked before anything is recorded.

use super::gate::{self, Changed, Decisions, Snapshot};
use super::machine::Decision;
use super::open::Open;
use super::resume::{self, Base};
use super::{Error, Idle, LastCommit, Prepared, Runner, lifecycle, open, target, trigger};
use crate::diagnostic::codes;
use crate::ledger::{Ledger, LedgerError, Memory};
use crate::model::event::{Place, Trigger};
use crate::model::id::{Commit, RunId};
use crate::model::policy::Gate;
use crate::plan::{Notice, Plan, difference};
use std::collections::BTreeMap;

/// What has to be known before a plan can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready(Decisions),
    /// It is refused, for these reasons.
    Refused(Vec<Notice>),
}

impl Readiness {
    /// What was decided, unless a run would be refused.
    #[must_use]
    pub const fn decisions(&self) -> Option<&Decisions> {
        match self {
            Self::Ready(decisions) => Some(decisions),
            Self::Refused(_) => None,
        }
    }
}

impl Runner {
    /// What the gate decides on `prepared`, without running anything: what `plan` shows is what [`run`](Self::run) does.
    ///
    /// # Errors
    /// [`Error`] if the ledger can't be read.
    pub fn readiness(&self, prepared: &Prepared) -> Result<Readiness, Error> {
        Ok(match self.base(prepared)? {
            Ok(base) => self.decided(prepared, base.as_ref())?,
            Err(reason) => Readiness::Refused(vec![reason]),
        })
    }

    /// Why there would be nothing to run if only a change of the commit were a reason. What a dead run left behind is one too.
    ///
    /// # Errors
    /// [`Error`] if the ledger can't be read.
    pub fn idle(&self, prepared: &Prepared) -> Result<Option<Idle>, Error> {
        let plan = &prepared.plan;
        if let Some(ledger) = &self.writers.ledger
            && ledger.unfinished(&target(plan))?.is_some()
        {
            return Ok(None);
        }
        Ok(match &plan.commit {
            None => Some(Idle::UnknownRevision),
            Some(commit) => (self.last_success(prepared)?.as_ref() == Some(commit)).then_some(Idle::CommitUnchanged),
        })
    }

    /// Why hooks run again that the last run, which failed or was cut off, has as done: without a tag or commit, nothing says that this is the
    /// same release.
    ///
    /// # Errors
    /// [`Error`] if the ledger can't be read.
    pub fn own_release(&self, prepared: &Prepared, decisions: &Decisions) -> Result<Option<Notice>, Error> {
        let plan = &prepared.plan;
        let is_named = plan.tag.is_some() || plan.commit.is_some() || prepared.resume;
        let Some(ledger) = self.writers.ledger.as_ref().filter(|_| !is_named) else { return Ok(None) };
        let Some(base) = resume::base(&**ledger, &target(plan), plan.partial)? else { return Ok(None) };
        let again: Vec<String> = base.past.keys().filter(|place| runs_once(plan, place, decisions)).map(ToString::to_string).collect();
        let message = format!(
            "no tag or commit says which release this is, so each run is a release of its own: {} runs again, though it is done in run {}; \
             `wasmhook run --resume` goes on with that one",
            again.join(", "),
            base.run
        );
        Ok((!again.is_empty()).then(|| Notice { code: codes::OWN_RELEASE.to_owned(), message }))
    }

    pub(super) fn last_success(&self, prepared: &Prepared) -> Result<Option<Commit>, LedgerError> {
        match (&prepared.last_commit, &self.writers.ledger) {
            (LastCommit::InFile { commit, .. }, _) => Ok(commit.clone()),
            (LastCommit::InLedger, Some(ledger)) => Ok(ledger.last_success(&target(&prepared.plan))?.and_then(|run| run.commit)),
            (LastCommit::InLedger, None) => Ok(None),
        }
    }

    pub(super) fn trigger(&self, prepared: &Prepared) -> Result<Trigger, LedgerError> {
        let last = self.writers.ledger.as_ref().map(|ledger| ledger.runs(&target(&prepared.plan), 1)).transpose()?.unwrap_or_default();
        let last_success = self.last_success(prepared)?;
        Ok(trigger::of(prepared.plan.commit.as_ref(), prepared.at_start, last_success.as_ref(), last.first()))
    }

    pub(super) fn decided(&self, prepared: &Prepared, base: Option<&Base>) -> Result<Readiness, Error> {
        let snapshot = self.snapshot(prepared)?;
        if let Some(moved) = self.moved_tag(prepared)? {
            return Ok(Readiness::Refused(vec![moved]));
        }
        Ok(match gate::decide(&prepared.plan, &snapshot) {
            Ok(decisions) => {
                let decisions = base.map_or_else(|| decisions.clone(), |base| base.over(decisions.clone()));
                let hopeless = gate::hopeless(&prepared.plan, &decisions, prepared.at_start);
                if hopeless.is_empty() { Readiness::Ready(decisions) } else { Readiness::Refused(hopeless) }
            }
            Err(changed) => Readiness::Refused(changed.iter().map(changed_notice).collect()),
        })
    }

    /// The run to go on with, if that was asked for; or why there is none.
    pub(super) fn base(&self, prepared: &Prepared) -> Result<Result<Option<Base>, Notice>, Error> {
        let Some(ledger) = self.writers.ledger.as_ref().filter(|_| prepared.resume) else { return Ok(Ok(None)) };
        let plan = &prepared.plan;
        let Some(base) = resume::base(&**ledger, &target(plan), plan.partial)? else { return Ok(Err(nothing_to_resume(plan))) };
        let changed = difference::differences(&base.plan, plan);
        Ok(if changed.is_empty() { Ok(Some(base)) } else { Err(plan_changed(&base.run, &changed)) })
    }

    pub(super) fn snapshot(&self, prepared: &Prepared) -> Result<Snapshot, Error> {
        let plan = &prepared.plan;
        let mut snapshot = Snapshot { marker_present: prepared.marker_present, ..Snapshot::default() };
        let Some(ledger) = &self.writers.ledger else { return Ok(snapshot) };
        let target = target(plan);
        let release = gate::release_of(plan, Gate::Once, &prepared.run);
        snapshot.memories = memories(&**ledger, prepared)?;
        snapshot.is_on = if self.beside { ledger.unfinished(&target)?.map(|run| run.run) } else { None };
        let decided = if snapshot.is_on.is_none() { open::decided(&**ledger, &target, &self.stages)? } else { Vec::new() };
        let open = open::open(&**ledger, &target, Some(&snapshot.memories))?.into_iter();
        let is_past = |open: &Open| snapshot.is_on.as_ref() != Some(&open.memory.run);
        let open = open.filter(|open| is_past(open) && decided.iter().all(|(key, _)| *key != open.key));
        snapshot.unresolved = open.map(|open| (open.key.place.clone(), open)).collect();
        for (key, memory) in decided {
            if key.release == release {
                open::remember(&mut snapshot.memories, &key.place, &memory);
            }
            snapshot.decided.insert(key.place, memory.run);
        }
        snapshot.last_success = self.last_success(prepared)?;
        snapshot.release_known = !snapshot.memories.is_empty();
        Ok(snapshot)
    }

    /// Attempts before this run, by place.
    pub(super) fn attempts(&self, prepared: &Prepared) -> Result<BTreeMap<Place, u32>, LedgerError> {
        let Some(ledger) = &self.writers.ledger else { return Ok(BTreeMap::new()) };
        Ok(memories(&**ledger, prepared)?.into_iter().map(|(place, memory)| (place, memory.attempts)).collect())
    }

    fn moved_tag(&self, prepared: &Prepared) -> Result<Option<Notice>, LedgerError> {
        let plan = &prepared.plan;
        let (Some(ledger), Some(tag), Some(commit)) = (&self.writers.ledger, &plan.tag, &plan.commit) else { return Ok(None) };
        let known = ledger.commit_of_tag(&target(plan), tag)?.filter(|known| known != commit && !prepared.accept_moved_tag);
        Ok(known.map(|known| Notice {
            code: "moved-tag".to_owned(),
            message: format!("tag {tag} pointed to {known} when it was deployed, and now points to {commit}: deploy a new tag, or take it with --accept-moved-tag"),
        }))
    }
}

/// What is remembered of the plan's release.
fn memories(ledger: &dyn Ledger, prepared: &Prepared) -> Result<BTreeMap<Place, Memory>, LedgerError> {
    let release = gate::release_of(&prepared.plan, Gate::Once, &prepared.run);
    Ok(ledger.memories(&target(&prepared.plan), &release)?.into_iter().map(|(key, memory)| (key.place, memory)).collect())
}

/// Whether what is called `place` will run, and would not if its release were known.
fn runs_once(plan: &Plan, place: &Place, decisions: &Decisions) -> bool {
    let Some(at) = lifecycle::find(plan, place) else { return false };
    let runs = decisions.by_step.get(at.step).and_then(|slots| slots.get(at.slot)) == Some(&Decision::Run);
    runs && lifecycle::identity(plan, at).0 == Gate::Once
}

fn changed_notice(changed: &Changed) -> Notice {
    Notice { code: "hook-changed".to_owned(), message: changed.to_string() }
}

fn nothing_to_resume(plan: &Plan) -> Notice {
    let message = format!(
        "there is nothing to resume: no run of {} in {} was cut off or failed since the last success; run without --resume",
        plan.app, plan.environment
    );
    Notice { code: codes::NOTHING_TO_RESUME.to_owned(), message }
}

fn plan_changed(run: &RunId, changed: &[String]) -> Notice {
    let message = format!(
        "run {run} can't be resumed, since the plan changed: {}; undo that, or run without --resume to start from the first step",
        changed.join("; ")
    );
    Notice { code: codes::PLAN_CHANGED.to_owned(), message }
}
