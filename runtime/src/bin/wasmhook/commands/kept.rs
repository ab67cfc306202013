//! What hooks wrote, could not be committed, and still lies there for somebody to look at.

use serde::Serialize;
use std::path::Path;
use wasmhook::ledger::{Ledger, LedgerError, RunRecord};
use wasmhook::model::event::What;
use wasmhook::model::id::RunId;
use wasmhook::model::outcome::{Cause, Outcome};

/// Where it lies, and whose it is.
#[derive(Debug, Serialize)]
pub struct Kept {
    pub place: String,
    pub run_id: RunId,
    pub path: String,
}

/// What `runs` kept and nobody has removed yet, in their order.
pub fn of(ledger: &dyn Ledger, runs: &[RunRecord]) -> Result<Vec<Kept>, LedgerError> {
    let mut found = Vec::new();
    for run in runs {
        for event in ledger.events(&run.run)? {
            let What::Finished { place, result } = event.what else { continue };
            let Outcome::Failed { cause: Cause::Conflict { kept, .. } } = result.outcome else { continue };
            // A hook with several directories has several.
            if is_there(&kept) || kept.split(", ").any(is_there) {
                found.push(Kept { place: place.to_string(), run_id: run.run.clone(), path: kept });
            }
        }
    }
    Ok(found)
}

fn is_there(path: &str) -> bool {
    Path::new(path).symlink_metadata().is_ok()
}
