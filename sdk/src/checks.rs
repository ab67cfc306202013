//! A self-test that reports line by line, in the form that release commands use (S2.25):
//!
//! ```text
//! Running security configuration checks...
//!
//! database configuration    ... passed
//! gateway server            ... failed (HTTPS not enforced; no exemptions)
//!
//! Security configuration checks failed.
//! ```

use crate::outcome::Outcome;
use crate::say;
use std::fmt;

/// The column of the dots where nobody asked for another.
const COLUMN: usize = 26;

/// A series of checks. Each prints its line as soon as it is known; [`finish`](Self::finish) prints the summary and decides.
///
/// ```no_run
/// use wasmhook_sdk::{Checks, Outcome};
///
/// fn main() -> Outcome {
///     let mut checks = Checks::new("security configuration checks");
///     checks.check_result("database configuration", std::fs::metadata("/app/db.toml"));
///     checks.check("gateway server", cfg!(feature = "https"), "HTTPS not enforced; no exemptions");
///     checks.finish()
/// }
/// ```
#[derive(Debug)]
pub struct Checks {
    title: String,
    column: usize,
    done: Vec<Check>,
}

impl Checks {
    /// Begins a series and prints `Running <title>...`. The title is what runs: `security configuration checks`.
    pub fn new(title: impl Into<String>) -> Self {
        let checks = Self { title: title.into(), column: COLUMN, done: Vec::new() };
        say::line(&checks.heading());
        checks
    }

    /// Puts the dots in another column: one more than the longest name has characters, at least.
    #[must_use]
    pub fn column(mut self, column: usize) -> Self {
        self.column = column;
        self
    }

    /// Records one check. The reason is shown if it failed; clauses are separated by `; `.
    pub fn check(&mut self, name: impl Into<String>, result: impl Into<CheckResult>, reason: impl fmt::Display) {
        let failed = (result.into() == CheckResult::Failed).then(|| say::one_line(&reason.to_string()));
        self.record(Check { name: name.into(), failed });
    }

    /// Records one check that explains itself: it failed if `result` is an error, for the reason that it gives.
    pub fn check_result<T, E: fmt::Display>(&mut self, name: impl Into<String>, result: Result<T, E>) {
        // `{:#}` is an `anyhow::Error` with all its causes on one line.
        let failed = result.err().map(|error| say::one_line(&format!("{error:#}")));
        self.record(Check { name: name.into(), failed });
    }

    /// What was checked so far.
    #[must_use]
    pub fn done(&self) -> &[Check] {
        &self.done
    }

    /// Prints the summary: done if every check passed. A series without a check is a failure, since it has checked nothing.
    pub fn finish(self) -> Outcome {
        say::line(&self.summary());
        let failed: Vec<Check> = self.done.iter().filter(|check| check.failed.is_some()).cloned().collect();
        if failed.is_empty() && !self.done.is_empty() {
            return Outcome::Done;
        }
        Outcome::Failed(anyhow::Error::new(ChecksFailed { title: self.title, failed }))
    }

    fn record(&mut self, check: Check) {
        say::line(&check.line(self.column));
        self.done.push(check);
    }

    fn heading(&self) -> String {
        format!("Running {}...\n", self.title)
    }

    fn summary(&self) -> String {
        let title = capitalised(&self.title);
        if self.done.is_empty() {
            return format!("{title} failed: nothing was checked.");
        }
        let word = if self.done.iter().any(|check| check.failed.is_some()) { "failed" } else { "passed" };
        format!("\n{title} {word}.")
    }
}

/// One check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// Why it failed; none if it passed.
    pub failed: Option<String>,
}

impl Check {
    fn line(&self, column: usize) -> String {
        let name = say::one_line(&self.name);
        let width = column.saturating_sub(1);
        match &self.failed {
            None => format!("{name:width$} ... passed"),
            Some(reason) if reason.is_empty() => format!("{name:width$} ... failed"),
            Some(reason) => format!("{name:width$} ... failed ({reason})"),
        }
    }
}

/// Whether a check passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckResult {
    /// It did.
    Passed,
    /// It didn't.
    Failed,
}

impl From<bool> for CheckResult {
    fn from(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }
}

/// At least one check failed, or none was made. Its summary has been printed: [`Outcome`] doesn't print it again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChecksFailed {
    /// What the series was called.
    pub title: String,
    /// The failed checks.
    pub failed: Vec<Check>,
}

impl fmt::Display for ChecksFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.failed.iter().map(|check| check.name.as_str()).collect();
        if names.is_empty() {
            return write!(f, "{} failed: nothing was checked", self.title);
        }
        write!(f, "{} failed: {}", self.title, names.join(", "))
    }
}

impl std::error::Error for ChecksFailed {}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(checks: &Checks) -> String {
        let lines: Vec<String> = checks.done().iter().map(|check| check.line(checks.column)).collect();
        format!("{}\n{}\n{}", checks.heading(), lines.join("\n"), checks.summary())
    }

    #[test]
    fn s2_25_the_log_has_the_form_of_the_seed() {
        let mut checks = Checks::new("security configuration checks");
        checks.check("database configuration", true, "");
        checks.check_result("user accounts", Ok::<(), String>(()));
        checks.check("gateway server", false, "HTTPS not enforced; no exemptions");
        let seed = "Running security configuration checks...\n\n\
                    database configuration    ... passed\n\
                    user accounts             ... passed\n\
                    gateway server            ... failed (HTTPS not enforced; no exemptions)\n\n\
                    Security configuration checks failed.";
        assert_eq!(log(&checks), seed);
        assert!(matches!(checks.finish(), Outcome::Failed(error) if error.is::<ChecksFailed>()));
    }

    #[test]
    fn s2_26_reasons_are_kept_as_records() {
        let mut checks = Checks::new("checks");
        checks.check("a", CheckResult::Passed, "unused");
        checks.check("b", CheckResult::Failed, "one; two");
        checks.check_result("c", Err::<(), _>(anyhow::anyhow!("inner").context("outer")));
        let reasons: Vec<Option<&str>> = checks.done().iter().map(|check| check.failed.as_deref()).collect();
        assert_eq!(reasons, [None, Some("one; two"), Some("outer: inner")]);
    }

    #[test]
    fn long_names_and_other_columns_stay_readable() {
        let check = Check { name: "a name longer than its column".into(), failed: Some("why".into()) };
        assert_eq!(check.line(10), "a name longer than its column ... failed (why)");
        let mut checks = Checks::new("checks").column(4);
        checks.check("a", false, "x\ny");
        assert_eq!(checks.done()[0].line(checks.column), "a   ... failed (x y)");
    }

    #[test]
    fn all_passed_is_done_and_nothing_checked_is_not() {
        let mut checks = Checks::new("checks");
        checks.check("a", true, "");
        assert_eq!(checks.summary(), "\nChecks passed.");
        assert!(checks.finish().is_ok());
        assert!(!Checks::new("checks").finish().is_ok());
    }
}
