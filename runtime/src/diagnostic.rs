//! What is wrong, where it stands, which rule it breaks, and the way out.

use std::ops::Range;
use std::sync::Arc;

/// A place in a source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The source; `None` for values that no file holds (the command line, code).
    pub source: Option<Arc<Source>>,
    /// Bytes of its text.
    pub span: Range<usize>,
}

/// A source text with its name.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// What a person calls it: `wasmhook.toml`.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It can't go on like this.
    Error,
    /// It goes on, but probably not as meant.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable code (`docs/codes.md`): `unknown-key`.
    pub code: &'static str,
    /// One sentence that names the thing and the rule.
    pub message: String,
    /// Where it stands.
    pub at: Option<Location>,
    /// The way out.
    pub help: Option<String>,
}
