//! Figures as people read them: used of limit.

use std::time::Duration;
use wasmhook::model::event::GuestKind;
use wasmhook::model::limits::Limits;
use wasmhook::model::units::{show_duration, show_size};
use wasmhook::report::UsageReport;

/// A count with three or so digits: `950`, `12.3k`, `3T`.
pub fn count(n: u64) -> String {
    const UNITS: [(u64, &str); 5] =
        [(1_000_000_000_000_000, "P"), (1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    let Some((factor, unit)) = UNITS.into_iter().find(|(factor, _)| n >= *factor) else { return n.to_string() };
    match (n / factor, n % factor / (factor / 10)) {
        (whole, 0) => format!("{whole}{unit}"),
        (whole, tenth) => format!("{whole}.{tenth}{unit}"),
    }
}

/// Milliseconds.
pub fn millis(ms: u64) -> String {
    show_duration(Duration::from_millis(ms))
}

/// `used of limit`, or what is known of the two; `None` if nothing is.
fn used(used: Option<u64>, limit: Option<u64>, show: impl Fn(u64) -> String) -> Option<String> {
    match (used, limit) {
        (Some(used), Some(limit)) => Some(format!("{} of {}", show(used), show(limit))),
        (Some(used), None) => Some(show(used)),
        (None, _) => None,
    }
}

/// Fuel burned of the budget; `None` if it wasn't measured.
pub fn fuel(usage: &UsageReport) -> Option<String> {
    used(usage.fuel, usage.fuel_limit, count)
}

/// Wall time of the deadline; `None` if it wasn't measured.
pub fn wall(usage: &UsageReport) -> Option<String> {
    used(usage.wall_ms, usage.timeout_ms, millis)
}

/// Peak memory of the limit; `None` if it wasn't measured.
pub fn memory(usage: &UsageReport) -> Option<String> {
    used(usage.memory_peak_bytes, usage.memory_limit_bytes, show_size)
}

/// All figures of an execution on one line: `1.2 s of 5m, fuel 1.2G of 3T, memory 12 MiB of 512 MiB`.
pub fn all(usage: &UsageReport) -> String {
    let parts = [wall(usage), fuel(usage).map(|text| format!("fuel {text}")), memory(usage).map(|text| format!("memory {text}"))];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The limits that most hooks meet first: `5m, fuel 3T, memory 512 MiB`. The kernel holds the memory of a native command's processes, each by
/// itself.
pub fn limits(limits: &Limits, guest: GuestKind) -> String {
    let timeout = limits.timeout_ms.map_or_else(|| NO_DEADLINE.to_owned(), millis);
    [timeout, but_time(limits, guest)].join(", ")
}

/// The same in a sentence: `at most 5m, fuel 3T, memory 512 MiB`, `no deadline; at most fuel 3T, memory 512 MiB`.
pub fn at_most(limits: &Limits, guest: GuestKind) -> String {
    match limits.timeout_ms {
        Some(_) => format!("at most {}", self::limits(limits, guest)),
        None => format!("{NO_DEADLINE}; at most {}", but_time(limits, guest)),
    }
}

const NO_DEADLINE: &str = "no deadline";

fn but_time(limits: &Limits, guest: GuestKind) -> String {
    let fuel = limits.fuel.map(|fuel| format!("fuel {}", count(fuel)));
    let cpu = limits.cpu_time_ms.map(|ms| format!("CPU time {}", millis(ms)));
    let each = if guest == GuestKind::Native { " per process" } else { "" };
    let memory = format!("memory {}{each}", show_size(limits.memory_bytes));
    [fuel, cpu, Some(memory)].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_few_digits() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1k"), (12_345, "12.3k"), (3_000_000_000_000, "3T"), (u64::MAX, "18446.7P")] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn what_was_not_measured_is_not_shown() {
        let usage = UsageReport { wall_ms: Some(1_200), timeout_ms: Some(300_000), fuel_limit: Some(5), ..UsageReport::default() };
        assert_eq!(all(&usage), "1.2 s of 5m");
        assert_eq!(fuel(&usage), None);
        assert_eq!(limits(&Limits::default(), GuestKind::Wasm), "5m, fuel 3T, memory 512 MiB");
        let native = Limits { fuel: None, ..Limits::default() };
        assert_eq!(limits(&native, GuestKind::Native), "5m, memory 512 MiB per process");
        assert_eq!(at_most(&native, GuestKind::Native), "at most 5m, memory 512 MiB per process");
        let endless = Limits { timeout_ms: None, ..native };
        assert_eq!(limits(&endless, GuestKind::Native), "no deadline, memory 512 MiB per process");
        assert_eq!(at_most(&endless, GuestKind::Native), "no deadline; at most memory 512 MiB per process");
    }
}
