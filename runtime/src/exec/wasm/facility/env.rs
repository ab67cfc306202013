//! Environment variables and arguments: the job's own, nothing of the process's.

use crate::model::job::{Job, WasmGuest};
use std::path::Path;
use wasmtime_wasi::WasiCtxBuilder;

/// Gives the job its variables, the file's name as argument 0, and its arguments.
pub(in super::super) fn prepare(context: &mut WasiCtxBuilder, job: &Job, guest: &WasmGuest) {
    let program = Path::new(&guest.file).file_name().map_or_else(|| guest.file.clone().into(), |name| name.to_string_lossy());
    context.arg(program).args(&guest.args).envs(&job.env);
}
