//! The host's side of each capability. `link` gives guests the functions, once for an engine; `prepare` gives one job its rights: nowhere else
//! does a right come to exist, and a job without grants gets an empty context.

pub(super) mod clock;
pub(super) mod env;
pub(super) mod exit;
pub(super) mod fs;
pub(super) mod listing;
pub(super) mod net;
pub(super) mod random;
mod reading;
pub(super) mod stdio;

use super::state::State;
use wasmtime::{AsContextMut, Caller, Extern, Linker, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1;
use wiggle::GuestMemory;

/// The preview1 module's name.
const PREVIEW1: &str = "wasi_snapshot_preview1";

/// Everything that a preview1 module can import.
pub(super) fn link_modules(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi::p1::add_to_linker_async(linker, |state: &mut State| &mut state.wasi)?;
    linker.allow_shadowing(true);
    clock::link(linker)?;
    exit::link(linker)?;
    fs::link(linker)?;
    listing::link_modules(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Everything that a 0.2 component can import.
pub(super) fn link_components(linker: &mut wasmtime::component::Linker<State>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    fs::link_components(linker)?;
    listing::link_components(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The calling guest's memory, and the state it calls with, ready for one of the preview1 functions that ours wrap.
fn called<'a>(caller: &'a mut Caller<'_, State>) -> Result<(GuestMemory<'a>, &'a mut State)> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Err(wasmtime::format_err!("the module doesn't export its memory, so it can't call WASI functions"));
    };
    let copy_budget = caller.as_context_mut().hostcall_fuel();
    let (bytes, state) = memory.data_and_store_mut(caller);
    state.wasi.set_hostcall_fuel(copy_budget);
    Ok((GuestMemory::Unshared(bytes), state))
}
