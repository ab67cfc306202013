//! What was wrong, as programs read it.

use super::{Notice, Report};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::event::Status;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that was wrong, or that somebody should know of what was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Whether it stops.
    pub severity: Severity,
    /// A stable code (`docs/codes.md`).
    pub code: String,
    /// One sentence that names the thing and the rule.
    pub message: String,
    /// The way out, where the message doesn't say it itself.
    pub help: Option<String>,
    /// The file that it stands in, below the manifest's directory or as the call named it; null where it stands in none.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// Its column, from 1, in characters.
    pub column: Option<usize>,
}

impl From<&Diagnostic> for Problem {
    fn from(found: &Diagnostic) -> Self {
        let position = found.at.as_ref().and_then(|at| at.position());
        Self {
            severity: found.severity,
            code: found.code.to_owned(),
            message: found.message.clone(),
            help: found.help.clone(),
            file: position.map(|(file, ..)| file.to_owned()),
            line: position.map(|(_, line, _)| line),
            column: position.map(|(.., column)| column),
        }
    }
}

impl Report {
    /// The report of a run that never started, and why.
    #[must_use]
    pub fn not_started_because(status: Status, why: Vec<Notice>) -> Self {
        let problem = |notice: &Notice| Problem {
            severity: Severity::Error,
            code: notice.code.clone(),
            message: notice.message.clone(),
            help: None,
            file: None,
            line: None,
            column: None,
        };
        // Nothing is wrong where there was nothing to do.
        let problems = if status == Status::Skipped { Vec::new() } else { why.iter().map(problem).collect() };
        Self { problems, notices: why, ..Self::not_started(status) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Location, Source, codes};

    #[test]
    fn a_problem_says_where_it_stands_and_what_to_do() {
        let source = Source::new("wasmhook.toml", "a = 1\nbö = 2\n");
        let found = Diagnostic::error(codes::UNKNOWN_KEY, "no").at(Location { source: Some(source), span: 6..9 }).help("yes");
        let json = serde_json::to_value(Problem::from(&found)).unwrap();
        let expected = serde_json::json!({
            "severity": "error", "code": "unknown-key", "message": "no", "help": "yes", "file": "wasmhook.toml", "line": 2, "column": 1
        });
        assert_eq!(json, expected);
        assert_eq!(Problem::from(&Diagnostic::warning(codes::CACHE, "x")).severity, Severity::Warning);
    }

    #[test]
    fn why_nothing_ran_is_a_problem_unless_there_was_nothing_to_do() {
        let why = || vec![Notice { code: "locked".to_owned(), message: "somebody has it".to_owned() }];
        for (status, problems) in [(Status::Refused, 1), (Status::Locked, 1), (Status::Interrupted, 1), (Status::Skipped, 0)] {
            let report = Report::not_started_because(status, why());
            assert_eq!((report.status, report.notices, report.problems.len()), (status, why(), problems), "{status:?}");
        }
    }
}
