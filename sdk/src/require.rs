//! The variables that a hook can't do without.

use crate::say;
use std::ffi::OsString;
use std::fmt;

/// The values of these variables, in this order. Empty counts as not set.
///
/// Where some are missing, each gets its line on standard output, all at once: `ERROR: Required variable X not set` (S4.71).
///
/// ```no_run
/// # fn main() -> wasmhook_sdk::anyhow::Result<()> {
/// let [database, cache] = wasmhook_sdk::require_env(&["DATABASE_URL", "REDIS_URL"])?;
/// # let _ = (database, cache);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`MissingVariables`] names them again, with the line that grants them.
pub fn require_env<const N: usize>(names: &[&str; N]) -> Result<[String; N], MissingVariables> {
    let read = read(names, |name| std::env::var_os(name));
    for absent in read.iter().filter_map(|variable| variable.as_ref().err()) {
        say::line(&absent.to_string());
    }
    collect(read)
}

/// As [`require_env`], with a line `✓ X configured` for each variable that is there. Values are never printed.
///
/// # Errors
/// [`MissingVariables`] names them again, with the line that grants them.
pub fn validate_env<const N: usize>(names: &[&str; N]) -> Result<[String; N], MissingVariables> {
    let read = read(names, |name| std::env::var_os(name));
    for (name, variable) in names.iter().zip(&read) {
        say::line(&line(name, variable));
    }
    collect(read)
}

/// One line for one variable, as [`validate_env`] prints it.
fn line(name: &str, variable: &Result<String, Absent>) -> String {
    variable.as_ref().map_or_else(ToString::to_string, |_| format!("✓ {name} configured"))
}

fn read<const N: usize>(names: &[&str; N], lookup: impl Fn(&str) -> Option<OsString>) -> [Result<String, Absent>; N] {
    names.map(|name| match lookup(name).filter(|value| !value.is_empty()).map(OsString::into_string) {
        None => Err(Absent::NotSet { name: name.to_owned() }),
        Some(Err(_)) => Err(Absent::NotText { name: name.to_owned() }),
        Some(Ok(value)) => Ok(value),
    })
}

fn collect<const N: usize>(read: [Result<String, Absent>; N]) -> Result<[String; N], MissingVariables> {
    let absent: Vec<Absent> = read.iter().filter_map(|variable| variable.as_ref().err().cloned()).collect();
    if absent.is_empty() { Ok(read.map(Result::unwrap_or_default)) } else { Err(MissingVariables { absent }) }
}

/// A required variable that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absent {
    /// It isn't set, or empty.
    NotSet {
        /// Its name.
        name: String,
    },
    /// Its value isn't UTF-8.
    NotText {
        /// Its name.
        name: String,
    },
}

impl Absent {
    /// The variable's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::NotSet { name } | Self::NotText { name } => name,
        }
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet { name } => write!(f, "ERROR: Required variable {name} not set"),
            Self::NotText { name } => write!(f, "ERROR: Required variable {name} is not UTF-8 text"),
        }
    }
}

/// Every required variable that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingVariables {
    /// They, in the order in which they were asked for.
    pub absent: Vec<Absent>,
}

impl fmt::Display for MissingVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.absent.iter().map(Absent::name).collect();
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        write!(
            f,
            "required variables are missing: {}; set them in the app environment, and grant them in the hook's entry: ",
            names.join(", ")
        )?;
        write!(f, "env = [{}]", quoted.join(", "))
    }
}

impl std::error::Error for MissingVariables {}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<OsString> {
        match name {
            "DATABASE_URL" => Some("sqlite:/db".into()),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        }
    }

    #[test]
    fn s4_71_each_missing_variable_has_its_exact_line() {
        let read = read(&["REDIS_URL", "DATABASE_URL", "EMPTY"], lookup);
        let absent = collect(read).unwrap_err().absent;
        let lines: Vec<String> = absent.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["ERROR: Required variable REDIS_URL not set", "ERROR: Required variable EMPTY not set"]);
    }

    #[test]
    fn s4_57_all_missing_are_named_at_once_with_the_line_that_grants_them() {
        let names = ["REDIS_URL", "DATABASE_URL", "API_KEY"];
        let read = read(&names, lookup);
        let lines: Vec<String> = names.iter().zip(&read).map(|(name, variable)| line(name, variable)).collect();
        assert_eq!(
            lines,
            ["ERROR: Required variable REDIS_URL not set", "✓ DATABASE_URL configured", "ERROR: Required variable API_KEY not set"]
        );
        let error = collect(read).unwrap_err().to_string();
        assert!(error.ends_with("env = [\"REDIS_URL\", \"API_KEY\"]"), "{error}");
    }

    #[test]
    fn what_is_there_comes_back_in_order() {
        assert_eq!(collect(read(&["DATABASE_URL"], lookup)), Ok(["sqlite:/db".to_owned()]));
        let error = require_env(&["WASMHOOK_SDK_TEST_UNSET"]).unwrap_err();
        assert_eq!(error.absent[0].name(), "WASMHOOK_SDK_TEST_UNSET");
        assert_eq!(validate_env(&["WASMHOOK_SDK_TEST_UNSET"]).unwrap_err(), error);
    }
}
