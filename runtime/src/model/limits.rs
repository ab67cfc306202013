//! What an execution may use. One value limits and, as [`Usage`](super::outcome::Usage), measures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Fuel units granted for each second of the timeout: about what one fast core burns in it.
pub const FUEL_PER_SECOND: u64 = 10_000_000_000;

/// A limit, by the key that sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitKey {
    /// `fuel`.
    Fuel,
    /// `timeout`.
    Timeout,
    /// `memory`.
    Memory,
    /// `table_elements`.
    TableElements,
    /// `output`.
    Output,
    /// `handles`.
    Handles,
    /// `module`.
    Module,
    /// `cpu_time`.
    CpuTime,
}

impl LimitKey {
    /// The key as it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fuel => "fuel",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::TableElements => "table_elements",
            Self::Output => "output",
            Self::Handles => "handles",
            Self::Module => "module",
            Self::CpuTime => "cpu_time",
        }
    }
}

/// The limits of one execution, fully resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// CPU budget of a wasm hook in fuel units (about one per WebAssembly instruction); null for native hooks.
    pub fuel: Option<u64>,
    /// Deadline in milliseconds of wall time, from the moment the guest starts; null is no deadline.
    pub timeout_ms: Option<u64>,
    /// How long a native hook has between TERM and KILL, in milliseconds.
    pub grace_ms: u64,
    /// Linear memory of a wasm hook, or address space of each native process, in bytes.
    pub memory_bytes: u64,
    /// Table elements of a wasm hook, over all its tables.
    pub table_elements: u64,
    /// Bytes of output kept and shown; what exceeds them is dropped and counted.
    pub output_bytes: u64,
    /// Open handles (files, directories, sockets) of a wasm hook; open files of a native one.
    pub handles: u32,
    /// Size of a wasm module, in bytes.
    pub module_bytes: u64,
    /// CPU time of each native process, in milliseconds; null is unlimited.
    pub cpu_time_ms: Option<u64>,
    /// Which of them are as high as the operator's policy allows: a hook that asks for more doesn't get it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_ceiling: Vec<LimitKey>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: Some(300 * FUEL_PER_SECOND),
            timeout_ms: Some(300_000),
            grace_ms: 5_000,
            memory_bytes: 512 << 20,
            table_elements: 1_000_000,
            output_bytes: 10 << 20,
            handles: 1_024,
            module_bytes: 256 << 20,
            cpu_time_ms: None,
            at_ceiling: Vec::new(),
        }
    }
}

impl Limits {
    /// The deadline, if there is one.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// The grace period between TERM and KILL.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }

    /// The CPU time of each native process.
    #[must_use]
    pub fn cpu_time(&self) -> Option<Duration> {
        self.cpu_time_ms.map(Duration::from_millis)
    }
}
