//! What the past still asks for: what nobody knows the end of, what a dead run owes, and what can be gone on with.

use super::open::{self, Open, Was};
use super::staging::Stages;
use super::{Error, gate, lifecycle, plan_of, replay, resume, undo};
use crate::ledger::{Key, Ledger, Memory, Target};
use crate::model::event::{Place, Role, Status};
use crate::model::id::{RunId, StepName};
use crate::model::reach::Reach;

/// What is pending when no run is on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// What was cut off, and of which nobody has said yet what became of it.
    pub unresolved: Vec<Unresolved>,
    /// What a dead run decided to commit: the next run finishes that before anything else.
    pub decided: Vec<(Key, Memory)>,
    /// `always` steps that the next run makes up for before anything else.
    pub owed: Vec<StepName>,
    /// What is still to be taken back of a run whose deployment failed, by saying so again.
    pub taking_back: Option<TakingBack>,
    /// The run that a resumed one would go on with.
    pub resumable: Option<RunId>,
}

/// An execution that nobody knows the end of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// Its identity.
    pub key: Key,
    /// What is remembered of it.
    pub memory: Memory,
    /// What it was in.
    pub was: Was,
    /// How far its rights went; `None` if its plan doesn't name it.
    pub may_have_touched: Option<Reach>,
    /// Whether nothing runs before a person said what became of it; otherwise it runs again by itself. By the plan it was started under.
    pub waits: bool,
    /// Whether the next run asks its verify, and runs it again only if that doesn't say that it took.
    pub asks: bool,
}

/// What is left of a run whose deployment failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakingBack {
    /// The run.
    pub run: RunId,
    /// The hooks whose reverts were cut off, failed, or were not begun; in the order in which the hooks ran.
    pub places: Vec<Place>,
}

/// What is pending for a target. The caller knows that no run is on.
///
/// # Errors
/// [`Error`] if the ledger, or a plan in it, can't be read.
pub fn of(ledger: &dyn Ledger, target: &Target, stages: &Stages) -> Result<Pending, Error> {
    let dead = ledger.unfinished(target)?;
    let decided = open::decided(ledger, target, stages)?;
    let mut unresolved = Vec::new();
    for open in open::open(ledger, target, None)? {
        let is_decided = decided.iter().any(|(key, _)| *key == open.key);
        // What takes a hook back waits for nobody: a dead run's is tried again with the rest of what is owed, another's when that is said again.
        let is_settled = open.key.place.role == Role::Revert && dead.as_ref().is_none_or(|dead| dead.run != open.memory.run);
        if !is_decided && !is_settled {
            unresolved.push(seen(ledger, open)?);
        }
    }
    let owed = match &dead {
        Some(dead) => replay::owed(&plan_of(ledger, &dead.run)?, &ledger.events(&dead.run)?),
        None => Vec::new(),
    };
    let resumable = resume::base(ledger, target, false)?.map(|base| base.run);
    Ok(Pending { unresolved, decided, owed, taking_back: taking_back(ledger, target)?, resumable })
}

fn seen(ledger: &dyn Ledger, Open { key, memory, was }: Open) -> Result<Unresolved, Error> {
    let plan = plan_of(ledger, &memory.run)?;
    let at = lifecycle::find(&plan, &key.place);
    let may_have_touched = at.map(|at| lifecycle::reach(&plan, at));
    let at = at.filter(|_| key.place.role == Role::Main);
    let (waits, asks) = at.map_or((false, false), |at| (gate::waits(&plan, at), gate::asks(&plan, at)));
    Ok(Unresolved { key, memory, was, may_have_touched, waits, asks })
}

/// What nothing built on since: a success after it would stand on what is taken back.
fn taking_back(ledger: &dyn Ledger, target: &Target) -> Result<Option<TakingBack>, Error> {
    let runs = ledger.runs(target, resume::LOOKED_AT)?;
    let whole = |status| matches!(status, Some(Status::Success | Status::SucceededButDeployFailed));
    let Some(newest) = runs.into_iter().find(|run| !run.dry_run && !run.partial && whole(run.status)) else { return Ok(None) };
    if newest.status == Some(Status::Success) {
        return Ok(None);
    }
    let (plan, events) = (plan_of(ledger, &newest.run)?, ledger.events(&newest.run)?);
    let places: Vec<Place> = undo::owed(&plan, &events).into_iter().map(|at| lifecycle::place(&plan, at)).collect();
    Ok((!places.is_empty()).then_some(TakingBack { run: newest.run, places }))
}
