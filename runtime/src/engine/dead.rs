//! A run that died, as its journal has it.

use super::machine::At;
use super::replay::{self, Remains};
use super::{Error, keep, lifecycle, plan_of};
use crate::ledger::{Ledger, Target};
use crate::model::event::{Event, Place};
use crate::model::id::RunId;
use crate::plan::Plan;

/// A run that died.
pub(super) struct Dead {
    pub(super) run: RunId,
    pub(super) plan: Plan,
    pub(super) events: Vec<Event>,
}

/// What a decided commit is to an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decided {
    /// Its success: it was running, as far as the journal knows.
    Ended,
    /// Its success. Its intent, which waited in memory for company because it only writes to its own stage, was lost there.
    EndedUnseen,
    /// It had succeeded before, and counts with its phase's commit.
    Counts,
}

impl Dead {
    /// The run of a target that has no end, if there is one. The caller knows that nobody carries it out.
    pub(super) fn find(ledger: &dyn Ledger, target: &Target) -> Result<Option<Self>, Error> {
        let Some(record) = ledger.unfinished(target)? else { return Ok(None) };
        Self::read(ledger, record.run).map(Some)
    }

    pub(super) fn read(ledger: &dyn Ledger, run: RunId) -> Result<Self, Error> {
        Ok(Self { plan: plan_of(ledger, &run)?, events: ledger.events(&run)?, run })
    }

    pub(super) fn remains(&self) -> Remains {
        replay::remains(&self.plan, &self.events)
    }

    /// What the commits of `places`, which were decided, are to the executions there.
    pub(super) fn decided<'a>(&self, remains: &Remains, places: impl Iterator<Item = &'a Place>) -> Vec<(At, Decided)> {
        places.filter_map(|place| self.decided_there(remains, place)).collect()
    }

    fn decided_there(&self, remains: &Remains, place: &Place) -> Option<(At, Decided)> {
        let at = lifecycle::find(&self.plan, place)?;
        let decided = if remains.in_flight.contains(place) {
            Decided::Ended
        } else if keep::is_committed_as_one(&self.plan, at) {
            remains.succeeded.contains(&at).then_some(Decided::Counts)?
        } else {
            (!remains.ended.contains(&at)).then_some(Decided::EndedUnseen)?
        };
        Some((at, decided))
    }
}
