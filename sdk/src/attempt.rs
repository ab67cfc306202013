//! Steps that may fail without failing the hook (S3.39): what `|| true` swallows, this records.

use crate::output::{OutputFile, WARNING_KEY};
use crate::say;

/// Runs a step that may fail. If it does, the hook goes on: the line `warning: <what>: <why>` goes to standard error, and to the engine
/// where `WASMHOOK_OUTPUT` is granted.
///
/// ```
/// use wasmhook_sdk::best_effort;
///
/// let size = best_effort("measure the cache", || std::fs::metadata("/no/such/dir").map(|dir| dir.len()));
/// assert_eq!(size, None);
/// ```
pub fn best_effort<T, E: Into<anyhow::Error>>(what: &str, step: impl FnOnce() -> Result<T, E>) -> Option<T> {
    match step() {
        Ok(value) => Some(value),
        Err(error) => {
            record_warning(&format!("{what}: {:#}", error.into()));
            None
        }
    }
}

/// Says that something isn't as it should be, without failing: as [`best_effort`] does.
pub fn record_warning(text: &str) {
    let text = say::one_line(text);
    say::problem(&format!("warning: {text}"));
    if let Ok(file) = OutputFile::from_env() {
        record(&file, &text);
    }
}

fn record(file: &OutputFile, text: &str) {
    if let Err(error) = file.append(WARNING_KEY, text) {
        say::problem(&format!("warning: that warning didn't reach the engine: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_39_a_failed_step_is_recorded_and_the_hook_goes_on() {
        assert_eq!(best_effort("parse", || "7".parse::<u8>()), Some(7));
        assert_eq!(best_effort("parse", || "x".parse::<u8>()), None);
        assert_eq!(best_effort("bail", || Err::<(), _>(anyhow::anyhow!("no"))), None);
    }

    #[test]
    fn warnings_travel_one_line_each_even_if_the_file_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let file = OutputFile::at(dir.path().join("output"));
        record(&file, "copy json: no such file");
        record(&file, "second");
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "warning=copy json: no such file\nwarning=second\n");
        record(&OutputFile::at(dir.path().join("gone/output")), "nobody reads this");
    }
}
