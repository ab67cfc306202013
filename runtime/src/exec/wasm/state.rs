//! What belongs to one store: the guest's WASI context, its meter, its leash, and what it was seen to be refused.

use super::facility::fs::Sight;
use super::facility::listing::Listings;
use super::leash::Leash;
use super::meter::Meter;
use std::sync::Arc;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxView, WasiView};

/// A store's data. The preview1 context serves components too: its inner view is the 0.2 context.
pub(super) struct State {
    /// Everything the guest can reach.
    pub(super) wasi: WasiP1Ctx,
    /// What it may grow to.
    pub(super) meter: Meter,
    /// Who may stop it.
    pub(super) leash: Arc<Leash>,
    /// What it was granted by path, and refused.
    pub(super) sight: Sight,
    /// What its open listings of directories hold.
    pub(super) listings: Listings,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}
