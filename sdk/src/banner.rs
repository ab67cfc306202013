//! The first and the last line of a release hook (S3.34), and the frame around its work.

use crate::context::Context;
use crate::outcome::Outcome;
use crate::say;

/// Prints `=== Release hook: <tag> ===`.
pub fn begin(context: &Context) {
    say::line(&opening(context));
}

/// Prints `=== Release hook complete ===`.
pub fn complete() {
    say::line(CLOSING);
}

/// A whole release hook: reads the [`Context`], prints the first line, does the work, and prints the last line if the work is done.
///
/// The work returns `Result<()>` or `Result<Outcome>`:
///
/// ```no_run
/// use wasmhook_sdk::prelude::*;
///
/// fn main() -> Outcome {
///     release_hook(|ctx| write_atomic(ctx.app_dir.join("VERSION"), ctx.release()))
/// }
/// ```
pub fn release_hook<T: Into<Outcome>>(work: impl FnOnce(&Context) -> anyhow::Result<T>) -> Outcome {
    let context = match Context::from_env() {
        Ok(context) => context,
        Err(error) => return Outcome::Failed(error.into()),
    };
    begin(&context);
    let outcome = work(&context).into();
    if matches!(outcome, Outcome::Done) {
        complete();
    }
    outcome
}

const CLOSING: &str = "=== Release hook complete ===";

fn opening(context: &Context) -> String {
    format!("=== Release hook: {} ===", context.release())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::tests::VARS;

    #[test]
    fn s3_34_the_lines_are_those_of_the_seed() {
        assert_eq!(opening(&Context::from_vars(VARS).unwrap()), "=== Release hook: v0.4.0 ===");
        assert_eq!(CLOSING, "=== Release hook complete ===");
    }

    #[test]
    fn outside_of_an_engine_it_fails_and_says_what_is_missing() {
        let outcome = release_hook(|_| -> anyhow::Result<()> { panic!("must not run without a context") });
        assert!(matches!(outcome, Outcome::Failed(error) if error.to_string().contains("WASMHOOK_RUN_ID is not set")));
    }
}
