//! How the engine is configured. Not what a hook may do: that is limits and facilities.
//!
//! Fuel counts and preempts guest code; there are no epochs, since a flag looked at on the border to the host makes the deadline hard at a
//! lower price (`watch.rs`, `leash.rs`).

use std::num::{NonZeroU32, NonZeroUsize};
use wasmtime::{Config, Enabled, Engine, OperatorCost, PoolingAllocationConfig, Result, WasmBacktraceDetails};

/// Most frames of a backtrace.
pub(super) const MAX_FRAMES: usize = 20;

/// Fuel between two yields, half a millisecond or so: often enough for a deadline, and for whoever lends the first slice a thread; too rare to be
/// measured.
pub(super) const YIELD_INTERVAL: u64 = 1_000_000;

/// Core instances, memories and tables that one component may need (its own, the adapter's and the glue between them).
const PER_HOOK: u32 = 8;

/// Memory slots for each hook that runs; a slot is address space, not memory.
const MEMORIES_PER_HOOK: u32 = 2;

/// Largest table in a slot.
const TABLE_ELEMENTS: usize = 1 << 20;

/// Bytes of a memory slot that stay resident between two hooks; only the pages that were written are cleared.
const KEEP_MEMORY: usize = 1 << 20;

/// Bytes of a table slot that stay resident.
const KEEP_TABLE: usize = 64 << 10;

/// The engine: with slots for `pool` hooks at a time if the machine grants the address space, and without slots otherwise.
pub(super) fn engine(pool: Option<NonZeroU32>) -> Result<Engine> {
    if let Some(hooks) = pool {
        match Engine::new(base().allocation_strategy(slots(hooks.get()))) {
            Ok(engine) => return Ok(engine),
            Err(error) => tracing::debug!(%error, "no address space for a pool of {hooks} hooks: memory is allocated on demand"),
        }
    }
    Engine::new(&base())
}

fn base() -> Config {
    let mut cost = OperatorCost::new();
    // By default growing is free, however much memory it asks the host for.
    cost.variable.memory_grow_per_page = u8::MAX;
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .consume_fuel(true)
        .operator_cost(cost)
        // The default looks into the process's environment.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(MAX_FRAMES));
    config
}

/// Twice the slots that may be in use: a hook that could not be stopped keeps its own until its thread ends.
fn slots(hooks: u32) -> PoolingAllocationConfig {
    let hooks = hooks.saturating_mul(2);
    let parts = hooks.saturating_mul(PER_HOOK);
    let memories = hooks.saturating_mul(MEMORIES_PER_HOOK);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(parts)
        .total_component_instances(hooks)
        .total_memories(memories)
        .max_memories_per_module(MEMORIES_PER_HOOK)
        .total_tables(parts)
        .max_tables_per_module(PER_HOOK)
        .table_elements(TABLE_ELEMENTS)
        .total_stacks(hooks)
        .max_unused_warm_slots(hooks)
        // Keeping memory without knowing which pages were written would clear all of it: both or neither.
        .linear_memory_keep_resident(KEEP_MEMORY)
        .table_keep_resident(KEEP_TABLE)
        .pagemap_scan(Enabled::Auto);
    pool
}
