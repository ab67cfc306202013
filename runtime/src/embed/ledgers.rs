//! Where an engine's ledger is: in SQLite below the state directory, or wherever the embedder opens one.

use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{Ledger, LedgerError};
use crate::stage::Disk;
use std::path::PathBuf;
use std::sync::Arc;

/// Opens an embedder's ledger.
pub(super) type Open = Box<dyn Fn() -> Result<Box<dyn Ledger>, LedgerError> + Send + Sync>;

/// How ledgers are opened.
pub(super) enum Ledgers {
    /// In this state directory, on this disk.
    Sqlite(PathBuf, Disk),
    /// By the embedder.
    Own(Open),
}

impl Ledgers {
    /// For a run.
    pub(super) fn open(&self) -> Result<Box<dyn Ledger>, LedgerError> {
        match self {
            Self::Sqlite(state, disk) => {
                let disk = disk.clone();
                Ok(Box::new(SqliteLedger::open(state)?.with_points(Arc::new(move || Ok(disk.point()?)))))
            }
            Self::Own(open) => open(),
        }
    }

    /// To look at what there is; creates nothing.
    pub(super) fn look(&self) -> Result<Option<Box<dyn Ledger>>, LedgerError> {
        match self {
            Self::Sqlite(state, _) => super::history(state),
            Self::Own(open) => open().map(Some),
        }
    }
}
