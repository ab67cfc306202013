//! Limits: what the hook asks, else its phase, else the profile, else the defaults; never above the operator's ceiling.

use crate::manifest::LimitsAsk;
use crate::model::event::GuestKind;
use crate::model::limits::{FUEL_PER_SECOND, LimitKey, Limits};
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

/// A limit that the ceiling lowered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    /// Which one.
    pub key: LimitKey,
    /// Whether the hook itself asked for more; otherwise its phase, the profile or a default did.
    pub asked: bool,
    /// From what to what, in a sentence.
    pub said: String,
}

/// The limits of one execution, and those that the ceiling lowered.
///
/// # Errors
/// [`UnitError`] if a profile's limit can't be read.
pub fn resolve(kind: GuestKind, layers: Layers<'_>) -> Result<(Limits, Vec<Lowered>), UnitError> {
    let defaults = Limits::default();
    let Layers { asked, phase, profile, ceiling } = layers;
    let mut cap = Cap { asked, lowered: Vec::new(), at_ceiling: Vec::new() };

    let timeout = duration(asked.timeout.as_ref().map(|at| at.value), [&phase.timeout, &profile.timeout], defaults.timeout())?;
    let timeout_ms = cap.time(LimitKey::Timeout, timeout.filter(|t| !t.is_zero()), ceiling.timeout.as_ref().map(|at| at.value));
    let grace =
        duration(asked.grace.as_ref().map(|at| at.value), [&phase.grace, &profile.grace], Some(defaults.grace()))?.unwrap_or_default();
    let memory = size(asked.memory.as_ref().map(|at| at.value), [&phase.memory, &profile.memory], defaults.memory_bytes)?;
    let output = size(asked.output.as_ref().map(|at| at.value), [&phase.output, &profile.output], defaults.output_bytes)?;
    let fuel = asked.fuel.as_ref().map(|at| at.value).or(phase.fuel).or(profile.fuel).or_else(|| timeout_ms.map(fuel_for));
    let cpu_time = asked.cpu_time.as_ref().map(|at| at.value).filter(|t| !t.is_zero());
    let limits = Limits {
        fuel: if kind == GuestKind::Wasm { cap.optional(LimitKey::Fuel, fuel, ceiling.fuel.as_ref().map(|at| at.value)) } else { None },
        timeout_ms,
        grace_ms: millis(grace),
        memory_bytes: cap.plain(LimitKey::Memory, memory, ceiling.memory.as_ref().map(|at| at.value)),
        table_elements: cap.plain(
            LimitKey::TableElements,
            asked.table_elements.as_ref().map_or(defaults.table_elements, |at| at.value),
            ceiling.table_elements.as_ref().map(|at| at.value),
        ),
        output_bytes: cap.plain(LimitKey::Output, output, ceiling.output.as_ref().map(|at| at.value)),
        handles: cap.handles(asked.handles.as_ref().map_or(defaults.handles, |at| at.value), ceiling.handles.as_ref().map(|at| at.value)),
        module_bytes: cap.plain(
            LimitKey::Module,
            asked.module.as_ref().map_or(defaults.module_bytes, |at| at.value),
            ceiling.module.as_ref().map(|at| at.value),
        ),
        cpu_time_ms: if kind == GuestKind::Native {
            cap.time(LimitKey::CpuTime, cpu_time, ceiling.cpu_time.as_ref().map(|at| at.value))
        } else {
            None
        },
        at_ceiling: Vec::new(),
    };
    Ok((Limits { at_ceiling: cap.at_ceiling, ..limits }, cap.lowered))
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
    asked: &'a LimitsAsk,
    lowered: Vec<Lowered>,
    at_ceiling: Vec<LimitKey>,
}

impl Cap<'_> {
    fn plain(&mut self, key: LimitKey, wanted: u64, ceiling: Option<u64>) -> u64 {
        self.optional(key, Some(wanted), ceiling).unwrap_or(wanted)
    }

    fn handles(&mut self, wanted: u32, ceiling: Option<u32>) -> u32 {
        u32::try_from(self.plain(LimitKey::Handles, wanted.into(), ceiling.map(u64::from))).unwrap_or(wanted)
    }

    fn optional(&mut self, key: LimitKey, wanted: Option<u64>, ceiling: Option<u64>) -> Option<u64> {
        self.under(key, key.word(), wanted, ceiling)
    }

    fn under(&mut self, key: LimitKey, name: &str, wanted: Option<u64>, ceiling: Option<u64>) -> Option<u64> {
        let Some(ceiling) = ceiling else { return wanted };
        match wanted {
            Some(below) if below < ceiling => return wanted,
            Some(above) if above > ceiling => {
                let said = format!("{name} lowered from {above} to the policy's {ceiling}");
                self.lowered.push(Lowered { key, asked: asks(self.asked, key), said });
            }
            _ => {}
        }
        self.at_ceiling.push(key);
        Some(ceiling)
    }

    /// Zero in a ceiling means no ceiling, as zero in an ask means no limit.
    fn time(&mut self, key: LimitKey, wanted: Option<Duration>, ceiling: Option<Duration>) -> Option<u64> {
        self.under(key, &format!("{} (ms)", key.word()), wanted.map(millis), ceiling.filter(|t| !t.is_zero()).map(millis))
    }
}

fn asks(asked: &LimitsAsk, key: LimitKey) -> bool {
    match key {
        LimitKey::Fuel => asked.fuel.is_some(),
        LimitKey::Timeout => asked.timeout.is_some(),
        LimitKey::Memory => asked.memory.is_some(),
        LimitKey::TableElements => asked.table_elements.is_some(),
        LimitKey::Output => asked.output.is_some(),
        LimitKey::Handles => asked.handles.is_some(),
        LimitKey::Module => asked.module.is_some(),
        LimitKey::CpuTime => asked.cpu_time.is_some(),
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

    fn resolved(asked: &LimitsAsk, phase: &ProfileLimits, profile: &ProfileLimits, ceiling: &LimitsAsk) -> (Limits, Vec<Lowered>) {
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
        assert!(lowered.iter().all(|lowered| lowered.asked));
        assert_eq!(limits.at_ceiling, [LimitKey::Timeout, LimitKey::Fuel, LimitKey::Memory]);
    }

    #[test]
    fn what_is_as_high_as_the_ceiling_is_known_whoever_asked_for_it() {
        let at_ten = || LimitsAsk {
            timeout: Some(at(Duration::from_secs(10))),
            handles: Some(at(9)),
            table_elements: Some(at(8)),
            module: Some(at(7)),
            output: Some(at(6)),
            ..LimitsAsk::default()
        };
        let none = ProfileLimits::default();
        let keys = [LimitKey::Timeout, LimitKey::TableElements, LimitKey::Output, LimitKey::Handles, LimitKey::Module];
        let (limits, lowered) = resolved(&at_ten(), &none, &none, &at_ten());
        assert_eq!(
            (limits.at_ceiling.as_slice(), lowered.as_slice()),
            (keys.as_slice(), [].as_slice()),
            "nobody gets more, and nobody asked"
        );
        let (limits, lowered) = resolved(&LimitsAsk::default(), &none, &none, &at_ten());
        assert_eq!((limits.at_ceiling.as_slice(), lowered.len()), (keys.as_slice(), keys.len()));
        assert!(lowered.iter().all(|lowered| !lowered.asked), "defaults asked for more, no hook did");
        let (limits, _) =
            resolved(&at_ten(), &none, &none, &LimitsAsk { timeout: Some(at(Duration::from_secs(11))), ..LimitsAsk::default() });
        assert_eq!(limits.at_ceiling, [], "below it a hook gets what it asks for");
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
