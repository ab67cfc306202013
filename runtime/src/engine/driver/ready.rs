//! What comes before a start.

use super::{Driver, News};
use crate::engine::machine::At;
use crate::engine::ready::{Before, Readiness, StartBy, would_back_up};
use crate::engine::{Lack, lifecycle};
use crate::ledger::{Durability, LedgerError};
use crate::model::event::What;
use crate::model::job::Execution;
use crate::model::outcome::{Cause, Outcome};
use tokio_util::sync::CancellationToken;

impl Driver<'_, '_> {
    pub(super) fn get_ready(&mut self, at: At) {
        let place = lifecycle::place(self.setting.plan, at);
        let Some(hook) = self.hook(at) else { return self.ready(at) };
        // A link may have been put where a directory was when the phase began.
        let findings = Lack::words(self.setting.checks.check(&hook));
        if !findings.is_empty() {
            return self.ended(at, Execution::not_started(Outcome::Failed { cause: Cause::Preflight { findings } }));
        }
        if self.setting.keep.is_dry() {
            if let Some(what) = would_back_up(&hook, &place) {
                // The receiver lives as long as this driver.
                let _ = self.news.send(News::Said(what, None));
            }
            return self.ready(at);
        }
        let before = Before::of(self.setting.plan, &hook, &place, self.setting.supplies.run, self.setting.keep.stages());
        let start_by = StartBy::of(self.setting.plan, at);
        self.start_by.insert(at, start_by);
        let cancel = CancellationToken::new();
        self.cancels.insert(at, cancel.clone());
        let (news, hold) = (self.news.clone(), self.setting.hold.clone());
        self.tasks.spawn(async move {
            let told = news.clone();
            // The receiver is gone only when the run ended with an error: nobody is left to tell.
            let say = Box::new(move |what| drop(told.send(News::Said(what, None))));
            let _ = news.send(News::GotReady(at, before.get_ready(cancel, hold, start_by, say).await));
        });
    }

    pub(super) fn said(&mut self, what: What) -> Result<(), LedgerError> {
        match what {
            // Where the backup lies must be known whatever comes next.
            What::BackedUp { path: Some(_), .. } => self.journal.record(what, None, Durability::Now),
            // That a hook itself ended must be known even if the engine is killed next; after power loss its verify is asked without knowing.
            What::Verifying { .. } => {
                self.journal.record_soon(what, None)?;
                self.journal.settle()
            }
            _ => self.journal.record(what, None, Durability::Later),
        }
    }

    fn ready(&self, at: At) {
        // The receiver lives as long as this driver.
        let _ = self.news.send(News::GotReady(at, Ok(Readiness::Ready)));
    }
}
