//! What runs that died left in staged directories: finished where it was decided, dropped where it wasn't, before anything else touches them.

use super::Error;
use super::dead::Dead;
use super::keep;
use super::staging::{self, Label, Of, Stages};
use crate::diagnostic::codes;
use crate::ledger::Target;
use crate::model::event::{Place, What};
use crate::model::files::FileChanges;
use crate::model::grant::DirGrant;
use crate::model::id::RunId;
use crate::plan::{Plan, PlanStepKind};
use crate::stage::{Changes, Ending, Recovered, StageError};
use std::collections::BTreeMap;

/// What was found, brought to an end and not yet recorded.
#[derive(Default)]
pub struct Salvaged {
    committed: BTreeMap<Place, FileChanges>,
    /// What was committed of other runs of the target: they are over, and something that came after their end was cut off.
    afterwards: Vec<(RunId, Place, FileChanges)>,
    kept: Vec<What>,
    found: Vec<Recovered>,
}

impl Salvaged {
    /// What a hook of the dead run changed, if its commit was decided.
    #[must_use]
    pub fn committed(&self, place: &Place) -> Option<&FileChanges> {
        self.committed.get(place)
    }

    /// The hooks of the dead run whose commit was decided.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.committed.keys()
    }

    /// What was committed of runs that are over: after their end, of what takes them back.
    pub fn afterwards(&self) -> impl Iterator<Item = (&RunId, &Place, &FileChanges)> {
        self.afterwards.iter().map(|(run, place, files)| (run, place, files))
    }

    /// What lies there for somebody to look at, as warnings.
    #[must_use]
    pub fn kept(&self) -> Vec<What> {
        self.kept.clone()
    }

    /// Removes what was found; only once it is recorded.
    ///
    /// # Errors
    /// What can't be removed.
    pub fn forget(self) -> Result<(), StageError> {
        self.found.into_iter().try_for_each(Recovered::forget)
    }
}

/// Ends what was left in the directories of `plans`, all of one target, and of the run that died, if one did. Under the lock.
///
/// # Errors
/// [`Error::NotRecovered`] if that isn't possible now.
pub fn salvage(target: &Target, plans: &[&Plan], dead: Option<(&RunId, &Plan)>, stages: &Stages) -> Result<Salvaged, Error> {
    let plans = plans.iter().copied().chain(dead.map(|(_, plan)| plan));
    let bases = staging::bases(plans.flat_map(dirs));
    if bases.is_empty() {
        return Ok(Salvaged::default());
    }
    let mut salvaged = Salvaged::default();
    for (label, found) in staging::recover(&bases, stages).map_err(Error::NotRecovered)? {
        match &found.ending {
            // Of another application that shares the directory: its own next run says and records it.
            Ending::Kept(_) | Ending::Committed(_) if label.run.is_some() && !label.is_of(target) => {}
            Ending::Kept(why) => salvaged.kept.push(kept(&found, why)),
            Ending::Committed(changes) => {
                salvaged.kept.extend(found.left().map(keep::left_to_others));
                match (dead.filter(|(run, _)| label.run.as_ref() == Some(run)), &label) {
                    (Some((_, plan)), _) => salvaged.record(plan, &label, changes),
                    (None, Label { run: Some(run), of: Of::Hook { place }, .. }) => {
                        salvaged.afterwards.push((run.clone(), place.clone(), staging::shown(changes)));
                    }
                    (None, _) => {}
                }
                salvaged.found.push(found);
            }
            Ending::Dropped => salvaged.found.push(found),
        }
    }
    Ok(salvaged)
}

/// The hooks of a dead run whose commit is decided, by what lies in its directories; looked at only.
pub(super) fn decided(target: &Target, dead: &Dead, stages: &Stages) -> Vec<Place> {
    let bases = staging::bases(dirs(&dead.plan));
    if bases.is_empty() {
        return Vec::new();
    }
    let labels = staging::decided(&bases, stages).into_iter();
    let own = labels.filter(|label| label.is_of(target) && label.run.as_ref() == Some(&dead.run));
    own.flat_map(|label| keep::places(&dead.plan, &label)).collect()
}

impl Salvaged {
    fn record(&mut self, plan: &Plan, label: &Label, changes: &[Changes]) {
        let files = staging::shown(changes);
        self.committed.extend(keep::places(plan, label).into_iter().map(|place| (place, files.clone())));
    }
}

fn kept(found: &Recovered, why: &str) -> What {
    let paths: Vec<String> = found.paths().map(|path| path.display().to_string()).collect();
    let message = format!("{} holds what a hook wrote and could not be committed: {why}; look at it, then remove it", paths.join(", "));
    What::Warning { code: codes::STAGE_KEPT.to_owned(), message }
}

fn dirs(plan: &Plan) -> impl Iterator<Item = &DirGrant> {
    let hooks = plan.steps.iter().filter_map(|step| match &step.kind {
        PlanStepKind::Phase { hooks, .. } => Some(hooks),
        _ => None,
    });
    hooks.flatten().flat_map(|hook| &hook.grants.dirs)
}
