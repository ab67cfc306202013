//! What hooks reported that are done since an earlier run: later hooks may name it all the same.

use super::gate::Decisions;
use super::machine::{At, Decision};
use super::{Error, Runner, job, lifecycle};
use crate::model::event::{Place, What};
use crate::model::grant::{EnvSource, OutputRef};
use crate::model::id::RunId;
use crate::model::outcome::SkipReason;
use crate::plan::{Plan, PlanStepKind};

impl Runner {
    /// What hooks reported that are done since an earlier run: later hooks may name it all the same.
    pub(super) fn earlier_outputs(&self, plan: &Plan, decisions: &Decisions) -> Result<job::Outputs, Error> {
        let mut outputs = job::Outputs::new();
        let Some(ledger) = &self.writers.ledger else { return Ok(outputs) };
        for (step, decided) in decisions.by_step.iter().enumerate() {
            for (slot, decision) in decided.iter().enumerate() {
                let Decision::Skip(SkipReason::AlreadyDone { run }) = decision else { continue };
                let place = lifecycle::place(plan, At::main(step, slot));
                let (Ok(run), Some(hook)) = (RunId::new(run.as_str()), place.hook.clone()) else { continue };
                if !is_named(plan, &place) {
                    continue;
                }
                let reported = ledger.events(&run)?.into_iter().filter_map(|event| match event.what {
                    What::Finished { place: other, result } if other == place => Some(result.outputs),
                    _ => None,
                });
                let reported = reported.flatten().collect();
                outputs.insert((place.step, hook), reported);
            }
        }
        Ok(outputs)
    }
}

/// Whether anything of the plan names an output of the hook at `place`.
fn is_named(plan: &Plan, place: &Place) -> bool {
    let of = |reference: &OutputRef| reference.phase == place.step && Some(&reference.hook) == place.hook.as_ref();
    plan.steps.iter().any(|step| match &step.kind {
        PlanStepKind::Phase { hooks, .. } => {
            hooks.iter().flat_map(|hook| &hook.grants.env).any(|env| matches!(&env.source, EnvSource::Output(reference) if of(reference)))
        }
        PlanStepKind::Host { command, .. } => {
            command.iter().flat_map(|command| &command.env).any(|name| OutputRef::parse(name).is_some_and(|reference| of(&reference)))
        }
        PlanStepKind::Fact { .. } => false,
    })
}
