//! How a preview1 guest ends itself: with any code it likes, as every shell allows. (wasmtime-wasi refuses 126 and above.)

use super::super::state::State;
use super::PREVIEW1;
use wasmtime::{Linker, Result};
use wasmtime_wasi::I32Exit;

/// Puts a `proc_exit` in the place of wasmtime-wasi's.
pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(PREVIEW1, "proc_exit", |code: i32| -> Result<()> { Err(I32Exit(code).into()) })?;
    Ok(())
}
