//! The network: there is none. Sockets and names are refused by the host, whatever a guest imports.

use wasmtime_wasi::WasiCtxBuilder;

/// Refuses everything, and doesn't rely on a default for it.
pub(in super::super) fn prepare(context: &mut WasiCtxBuilder) {
    context.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
}
