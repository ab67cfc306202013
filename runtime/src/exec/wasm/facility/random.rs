//! Random numbers: the host's generator is no right, but how much of it one call may ask for is bounded.

use wasmtime_wasi::WasiCtxBuilder;

/// Most random bytes of one call: what the host allocates for it.
const MAX_BYTES: u64 = 1 << 20;

/// Bounds a call.
pub(in super::super) fn prepare(context: &mut WasiCtxBuilder) {
    context.max_random_size(MAX_BYTES);
}
