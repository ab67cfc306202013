//! How a hook ended, in the engine's words.

use crate::checks::ChecksFailed;
use crate::output::{OutputFile, SKIPPED_KEY};
use crate::say;
use std::process::{ExitCode, Termination};

/// How a hook ended. Return it from `main`, alone or in a `Result`:
///
/// ```no_run
/// use wasmhook_sdk::prelude::*;
///
/// fn main() -> Result<Outcome> {
///     let rows = std::fs::read_to_string("/app/db/users.csv")?.lines().count();
///     if rows > 0 {
///         return Ok(Outcome::skipped("Data exists"));
///     }
///     Ok(Outcome::Done)
/// }
/// ```
#[derive(Debug)]
#[must_use = "a hook's outcome is what its `main` returns"]
pub enum Outcome {
    /// It did its work: exit code 0.
    Done,
    /// There was nothing to do, and this is why: exit code 0, the line `<reason>, skipping`, and `skipped=<reason>` for the engine where
    /// `WASMHOOK_OUTPUT` is granted.
    Skipped(String),
    /// It failed: exit code 1, and the error with its causes on standard error.
    Failed(anyhow::Error),
}

impl Outcome {
    /// There was nothing to do, and this is why: `Data exists`.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }

    /// Whether nothing went wrong.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        matches!(self, Self::Done | Self::Skipped(_))
    }
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl<T: Into<Outcome>> From<anyhow::Result<T>> for Outcome {
    fn from(result: anyhow::Result<T>) -> Self {
        result.map_or_else(Self::Failed, Into::into)
    }
}

impl Termination for Outcome {
    fn report(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Skipped(reason) => report_skip(&say::one_line(&reason)),
            Self::Failed(error) => report_failure(&error),
        }
    }
}

fn report_skip(reason: &str) -> ExitCode {
    say::line(&format!("{reason}, skipping"));
    // Not granted is fine: the line above was printed. Granted but broken is worth a word, though nothing failed.
    if let Ok(file) = OutputFile::from_env()
        && let Err(error) = file.append(SKIPPED_KEY, reason)
    {
        say::problem(&format!("warning: the reason didn't reach the engine: {error}"));
    }
    ExitCode::SUCCESS
}

fn report_failure(error: &anyhow::Error) -> ExitCode {
    // Failed checks have said so in their summary, which ends the section (S2.27).
    if !error.is::<ChecksFailed>() {
        say::problem(&format!("Error: {error:?}"));
    }
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(outcome: Outcome) -> String {
        format!("{:?}", outcome.report())
    }

    #[test]
    fn s4_50_a_skip_is_no_failure() {
        assert_eq!(code(Outcome::skipped("Data exists")), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(Outcome::Done), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(Outcome::Failed(anyhow::anyhow!("no"))), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn results_become_outcomes() {
        assert!(matches!(Outcome::from(Ok::<(), anyhow::Error>(())), Outcome::Done));
        assert!(matches!(Outcome::from(Ok::<_, anyhow::Error>(Outcome::skipped("x"))), Outcome::Skipped(reason) if reason == "x"));
        assert!(!Outcome::from(Err::<(), _>(anyhow::anyhow!("no"))).is_ok());
    }
}
