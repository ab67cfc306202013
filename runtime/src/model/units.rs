//! Durations and sizes as people write them: `"5m"`, `"1h30m"`, `300`, `"64MiB"`.

use std::time::Duration;

/// A value that is not a duration or a size; the text names the forms that are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a duration.
    #[error("`{0}` is not a duration: write seconds (`300`), or numbers with units (`90s`, `5m`, `1h30m`, `250ms`)")]
    Duration(String),
    /// Not a size.
    #[error("`{0}` is not a size: write bytes (`1048576`) or a number with a unit (`512KiB`, `64MiB`, `2GiB`, `10MB`)")]
    Size(String),
    /// Larger than the engine can count.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Parses a duration: whole seconds without a unit, or a sequence of `<number><unit>` with the units `ms`, `s`, `m`, `h`, `d`.
///
/// # Errors
/// [`UnitError::Duration`] for anything else, [`UnitError::TooLarge`] past `u64` milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let bad = || UnitError::Duration(text.to_owned());
    let large = || UnitError::TooLarge(text.to_owned());
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(bad());
    }
    if trimmed.bytes().all(|b| b.is_ascii_digit()) {
        let seconds: u64 = trimmed.parse().map_err(|_| large())?;
        return millis(seconds, 1_000).ok_or_else(large);
    }
    let mut total = Duration::ZERO;
    let mut rest = trimmed;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        if digits == 0 || letters == 0 {
            return Err(bad());
        }
        let number: u64 = rest[..digits].parse().map_err(|_| large())?;
        let unit = match &rest[digits..digits + letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        total = millis(number, unit).and_then(|part| total.checked_add(part)).ok_or_else(large)?;
        rest = rest[digits + letters..].trim_start();
    }
    Ok(total)
}

fn millis(number: u64, unit: u64) -> Option<Duration> {
    number.checked_mul(unit).map(Duration::from_millis)
}

/// Parses a size in bytes: a whole number, or one with `B`, `KiB`, `MiB`, `GiB`, `TiB` (powers of 1,024) or `KB`, `MB`, `GB`, `TB` (powers of 1,000).
///
/// # Errors
/// [`UnitError::Size`] for anything else, [`UnitError::TooLarge`] past `u64` bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(UnitError::Size(text.to_owned()));
    }
    let number: u64 = trimmed[..digits].parse().map_err(|_| UnitError::TooLarge(text.to_owned()))?;
    let factor: u64 = match trimmed[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(UnitError::Size(text.to_owned())),
    };
    number.checked_mul(factor).ok_or_else(|| UnitError::TooLarge(text.to_owned()))
}

/// Writes a duration as a person would read it: `250 ms`, `1.5 s`, `5m`, `1h30m`.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 if ms.is_multiple_of(1_000) => format!("{} s", ms / 1_000),
        1_000..=59_999 => format!("{:.1} s", duration.as_secs_f64()),
        _ => {
            let seconds = duration.as_secs();
            let parts = [(seconds / 3_600, "h"), (seconds % 3_600 / 60, "m"), (seconds % 60, "s")];
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect()
        }
    }
}

/// Writes a size as a person would read it: `512 B`, `64 MiB`, `1.5 GiB`.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    let mut unit = "B";
    let mut factor = 1u64;
    for (name, size) in [("KiB", 1u64 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)] {
        if bytes >= size {
            (unit, factor) = (name, size);
        }
    }
    if bytes.is_multiple_of(factor) {
        return format!("{} {unit}", bytes / factor);
    }
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let value = bytes as f64 / factor as f64;
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, ms) in
            [("300", 300_000), ("90s", 90_000), ("1h30m", 5_400_000), ("250ms", 250), ("0", 0), ("1m", 60_000), ("2m 5s", 125_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "abc", "5 parsecs", "-1", "1.5s", "m", "5m5"] {
            assert!(matches!(parse_duration(text), Err(UnitError::Duration(_))), "{text}");
        }
        assert!(matches!(parse_duration("99999999999999999999d"), Err(UnitError::TooLarge(_))));
    }

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [("0", 0), ("1048576", 1 << 20), ("64MiB", 64 << 20), ("10 MB", 10_000_000), ("2g", 2 << 30)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5GiB", "12 apples"] {
            assert!(matches!(parse_size(text), Err(UnitError::Size(_))), "{text}");
        }
        assert!(matches!(parse_size("99999999TiB"), Err(UnitError::TooLarge(_))));
    }

    #[test]
    fn shown_as_people_read_them() {
        assert_eq!(show_duration(Duration::from_millis(250)), "250 ms");
        assert_eq!(show_duration(Duration::from_millis(1_500)), "1.5 s");
        assert_eq!(show_duration(Duration::from_mins(5)), "5m");
        assert_eq!(show_duration(Duration::from_mins(90)), "1h30m");
        assert_eq!(show_size(512), "512 B");
        assert_eq!(show_size(64 << 20), "64 MiB");
        assert_eq!(show_size(3 << 29), "1.5 GiB");
    }
}
