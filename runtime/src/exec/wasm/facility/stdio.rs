//! Standard streams: input is at its end at once, output goes to the execution's tally.

use super::super::leash::Leash;
use super::super::output::Output;
use crate::model::job::Stream;
use std::sync::Arc;
use wasmtime_wasi::WasiCtxBuilder;

/// Connects the streams.
pub(in super::super) fn prepare(context: &mut WasiCtxBuilder, leash: &Arc<Leash>) {
    context.stdin(tokio::io::empty()).stdout(Output::new(leash, Stream::Stdout)).stderr(Output::new(leash, Stream::Stderr));
}
