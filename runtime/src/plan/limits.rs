//! Limits: what the hook asks, else its phase, else the profile, else the defaults; never above the operator's ceiling.

use crate::manifest::LimitsAsk;
use crate::model::event::GuestKind;
use crate::model::limits::{FUEL_PER_SECOND, Limits};
use crate::model::units::{UnitError, parse_duration, parse_size};
use crate::profile::ProfileLimits;
use std::time::Duration;

/// The layers that decide a limit, the nearest first.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// What the hook or host step asks.
    pub asked: &'a LimitsAsk,
    /// What its phase or step says.
    pub phase: &'a ProfileLimits,
    /// What the profile says.
    pub profile: &'a ProfileLimits,
    /// The operator's ceiling.
    pub ceiling: &'a LimitsAsk,
}

/// The limits of one execution, and a sentence for each that the ceiling lowered.
///
/// # Errors
/// [`UnitError`] if a profile's limit can't be read.
pub fn resolve(kind: GuestKind, layers: Layers<'_>) -> Result<(Limits, Vec<String>), UnitError> {
    let defaults = Limits::default();
    let mut lowered = Vec::new();
    let mut cap = Cap { lowered: &mut lowered };
    let Layers { asked, phase, profile, ceiling } = layers;

    let timeout = duration(asked.timeout.as_ref().map(|at| at.value), [&phase.timeout, &profile.timeout], defaults.timeout())?;
    let timeout_ms = cap.time("timeout", timeout.filter(|t| !t.is_zero()), ceiling.timeout.as_ref().map(|at| at.value));
    let grace =
        duration(asked.grace.as_ref().map(|at| at.value), [&phase.grace, &profile.grace], Some(defaults.grace()))?.unwrap_or_default();
    let memory = size(asked.memory.as_ref().map(|at| at.value), [&phase.memory, &profile.memory], defaults.memory_bytes)?;
    let output = size(asked.output.as_ref().map(|at| at.value), [&phase.output, &profile.output], defaults.output_bytes)?;
    let fuel = asked.fuel.as_ref().map(|at| at.value).or(phase.fuel).or(profile.fuel).or_else(|| timeout_ms.map(fuel_for));
    let cpu_time = asked.cpu_time.as_ref().map(|at| at.value).filter(|t| !t.is_zero());
    let limits = Limits {
        fuel: if kind == GuestKind::Wasm { cap.optional("fuel", fuel, ceiling.fuel.as_ref().map(|at| at.value)) } else { None },
        timeout_ms,
        grace_ms: millis(grace),
        memory_bytes: cap.plain("memory", memory, ceiling.memory.as_ref().map(|at| at.value)),
        table_elements: cap.plain(
            "table_elements",
            asked.table_elements.as_ref().map_or(defaults.table_elements, |at| at.value),
            ceiling.table_elements.as_ref().map(|at| at.value),
        ),
        output_bytes: cap.plain("output", output, ceiling.output.as_ref().map(|at| at.value)),
        handles: asked
            .handles
            .as_ref()
            .map_or(defaults.handles, |at| at.value)
            .min(ceiling.handles.as_ref().map_or(u32::MAX, |at| at.value)),
        module_bytes: cap.plain(
            "module",
            asked.module.as_ref().map_or(defaults.module_bytes, |at| at.value),
            ceiling.module.as_ref().map(|at| at.value),
        ),
        cpu_time_ms: cap.time("cpu_time", cpu_time, ceiling.cpu_time.as_ref().map(|at| at.value)).filter(|_| kind == GuestKind::Native),
    };
    Ok((limits, lowered))
}

/// The default fuel of a hook with this deadline: a deterministic twin of it.
fn fuel_for(timeout_ms: u64) -> u64 {
    (timeout_ms.saturating_mul(FUEL_PER_SECOND / 1_000)).max(1)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn duration(asked: Option<Duration>, layers: [&Option<String>; 2], default: Option<Duration>) -> Result<Option<Duration>, UnitError> {
    match (asked, layers.into_iter().flatten().next()) {
        (Some(asked), _) => Ok(Some(asked)),
        (None, Some(text)) => parse_duration(text).map(Some),
        (None, None) => Ok(default),
    }
}

fn size(asked: Option<u64>, layers: [&Option<String>; 2], default: u64) -> Result<u64, UnitError> {
    match (asked, layers.into_iter().flatten().next()) {
        (Some(asked), _) => Ok(asked),
        (None, Some(text)) => parse_size(text),
        (None, None) => Ok(default),
    }
}

/// Lowers what is above the ceiling, and says so.
struct Cap<'a> {
    lowered: &'a mut Vec<String>,
}

impl Cap<'_> {
    fn plain(&mut self, name: &str, asked: u64, ceiling: Option<u64>) -> u64 {
        self.optional(name, Some(asked), ceiling).unwrap_or(asked)
    }

    fn optional(&mut self, name: &str, asked: Option<u64>, ceiling: Option<u64>) -> Option<u64> {
        match (asked, ceiling) {
            (Some(asked), Some(ceiling)) if asked > ceiling => {
                self.lowered.push(format!("{name} lowered from {asked} to the policy's {ceiling}"));
                Some(ceiling)
            }
            (None, Some(ceiling)) => Some(ceiling),
            (asked, _) => asked,
        }
    }

    /// Zero in a ceiling means no ceiling, as zero in an ask means no limit.
    fn time(&mut self, name: &str, asked: Option<Duration>, ceiling: Option<Duration>) -> Option<u64> {
        self.optional(&format!("{name} (ms)"), asked.map(millis), ceiling.filter(|t| !t.is_zero()).map(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Location;
    use crate::manifest::Located;

    fn at<T>(value: T) -> Located<T> {
        Located { value, at: Location { source: None, span: 0..0 } }
    }

    fn resolved(asked: &LimitsAsk, phase: &ProfileLimits, profile: &ProfileLimits, ceiling: &LimitsAsk) -> (Limits, Vec<String>) {
        resolve(GuestKind::Wasm, Layers { asked, phase, profile, ceiling }).unwrap()
    }

    #[test]
    fn the_nearest_layer_decides() {
        let asked = LimitsAsk { timeout: Some(at(Duration::from_secs(5))), ..LimitsAsk::default() };
        let phase = ProfileLimits { timeout: Some("1m".into()), memory: Some("1MiB".into()), ..ProfileLimits::default() };
        let profile = ProfileLimits {
            timeout: Some("1h".into()),
            memory: Some("2MiB".into()),
            output: Some("3MiB".into()),
            ..ProfileLimits::default()
        };
        let (limits, lowered) = resolved(&asked, &phase, &profile, &LimitsAsk::default());
        assert_eq!((limits.timeout_ms, limits.memory_bytes, limits.output_bytes), (Some(5_000), 1 << 20, 3 << 20));
        assert_eq!(limits.fuel, Some(5 * FUEL_PER_SECOND), "fuel is the deadline's deterministic twin");
        assert!(lowered.is_empty());
    }

    #[test]
    fn the_operators_ceiling_holds_and_is_said() {
        let asked =
            LimitsAsk { timeout: Some(at(Duration::from_mins(1))), memory: Some(at(1 << 30)), fuel: Some(at(7)), ..LimitsAsk::default() };
        let ceiling =
            LimitsAsk { timeout: Some(at(Duration::from_secs(10))), memory: Some(at(1 << 20)), fuel: Some(at(5)), ..LimitsAsk::default() };
        let none = ProfileLimits::default();
        let (limits, lowered) = resolved(&asked, &none, &none, &ceiling);
        assert_eq!((limits.timeout_ms, limits.memory_bytes, limits.fuel), (Some(10_000), 1 << 20, Some(5)));
        assert_eq!(lowered.len(), 3);
    }

    #[test]
    fn zero_is_no_limit_but_not_past_a_ceiling() {
        let asked = LimitsAsk { timeout: Some(at(Duration::ZERO)), ..LimitsAsk::default() };
        let none = ProfileLimits::default();
        let (limits, _) = resolved(&asked, &none, &none, &LimitsAsk::default());
        assert_eq!((limits.timeout_ms, limits.fuel), (None, None));
        let ceiling = LimitsAsk { timeout: Some(at(Duration::from_secs(10))), ..LimitsAsk::default() };
        let (limits, _) = resolved(&asked, &none, &none, &ceiling);
        assert_eq!(limits.timeout_ms, Some(10_000));
    }

    #[test]
    fn native_hooks_have_no_fuel() {
        let none = ProfileLimits::default();
        let asked = LimitsAsk { cpu_time: Some(at(Duration::from_secs(3))), ..LimitsAsk::default() };
        let layers = Layers { asked: &asked, phase: &none, profile: &none, ceiling: &LimitsAsk::default() };
        let (limits, _) = resolve(GuestKind::Native, layers).unwrap();
        assert_eq!((limits.fuel, limits.cpu_time_ms), (None, Some(3_000)));
    }
}
