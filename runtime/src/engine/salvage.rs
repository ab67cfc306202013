//! What runs that died left in staged directories: finished where it was decided, dropped where it wasn't, before anything else touches them.

use super::keep;
use super::staging::{self, Label, Stages};
use super::{Error, target};
use crate::model::event::Place;
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

    /// Removes what was found; only once it is recorded.
    ///
    /// # Errors
    /// What can't be removed.
    pub fn forget(self) -> Result<(), StageError> {
        self.found.into_iter().try_for_each(Recovered::forget)
    }
}

/// Ends what was left in the directories of `next` and of the run that died, if one did. Under the lock.
///
/// # Errors
/// [`Error::NotRecovered`] if that isn't possible now.
pub fn salvage(next: &Plan, dead: Option<(&RunId, &Plan)>, stages: &Stages) -> Result<Salvaged, Error> {
    let plans = [Some(next), dead.map(|(_, plan)| plan)];
    let bases = staging::bases(plans.into_iter().flatten().flat_map(dirs));
    if bases.is_empty() {
        return Ok(Salvaged::default());
    }
    let mut salvaged = Salvaged::default();
    for (label, found) in staging::recover(&bases, stages).map_err(Error::NotRecovered)? {
        let is_dead_runs = dead.is_some_and(|(run, _)| label.run.as_ref() == Some(run));
        match &found.ending {
            Ending::Kept(_) => {}
            // Of another application that shares the directory: its own next run records it.
            Ending::Committed(_) if label.run.is_some() && !label.is_of(&target(next)) => {}
            Ending::Committed(changes) => {
                if let Some((_, plan)) = dead.filter(|_| is_dead_runs) {
                    salvaged.record(plan, &label, changes);
                }
                salvaged.found.push(found);
            }
            Ending::Dropped => salvaged.found.push(found),
        }
    }
    Ok(salvaged)
}

impl Salvaged {
    fn record(&mut self, plan: &Plan, label: &Label, changes: &[Changes]) {
        let files = staging::shown(changes);
        self.committed.extend(keep::places(plan, label).into_iter().map(|place| (place, files.clone())));
    }
}

fn dirs(plan: &Plan) -> impl Iterator<Item = &DirGrant> {
    let hooks = plan.steps.iter().filter_map(|step| match &step.kind {
        PlanStepKind::Phase { hooks, .. } => Some(hooks),
        _ => None,
    });
    hooks.flatten().flat_map(|hook| &hook.grants.dirs)
}
