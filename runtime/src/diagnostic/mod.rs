//! What is wrong, where it stands, which rule it breaks, and the way out. [`render()`] shows findings to people; nothing here decides anything.

pub mod codes;
mod render;
mod visible;

pub use render::{Style, render};
pub use visible::visible;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
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

impl Location {
    /// The place of a value that no file holds.
    #[must_use]
    pub const fn nowhere() -> Self {
        Self { source: None, span: 0..0 }
    }

    /// The source's name with line and column, both from 1; columns count characters. `None` if no file holds the value.
    #[must_use]
    pub fn position(&self) -> Option<(&str, usize, usize)> {
        let source = self.source.as_ref()?;
        let (line, column) = source.position(self.span.start);
        Some((&source.name, line, column))
    }
}

impl fmt::Display for Location {
    /// `wasmhook.toml:3:1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position() {
            Some((name, line, column)) => write!(f, "{}:{line}:{column}", visible(name)),
            None => f.write_str("no file"),
        }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: Location,
}

impl<T> Located<T> {
    /// A value that no file holds.
    #[must_use]
    pub const fn nowhere(value: T) -> Self {
        Self { value, at: Location::nowhere() }
    }

    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: change(self.value), at: self.at }
    }
}

/// A source text with its name.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// What a person calls it: `wasmhook.toml`.
    pub name: String,
    /// All of it.
    pub text: String,
    /// Where its lines begin, in bytes: a text may have ten thousand findings.
    lines: Vec<usize>,
}

impl Source {
    /// A text under a name.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Arc::new(Self { name: name.into(), text, lines })
    }

    /// Line and column, both from 1, of a byte of the text; columns count characters. What lies past the end is the end.
    #[must_use]
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let end = self.text.floor_char_boundary(byte);
        let line = self.lines.partition_point(|start| *start <= end);
        (line, self.text[self.lines[line - 1]..end].chars().count() + 1)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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
    /// A stable code of [`codes`]: `unknown-key`.
    pub code: &'static str,
    /// One sentence that names the thing and the rule.
    pub message: String,
    /// Where it stands.
    pub at: Option<Location>,
    /// The way out.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding that stops.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, message: message.into(), at: None, help: None }
    }

    /// A finding that doesn't stop.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// The same finding at a place.
    #[must_use]
    pub fn at(mut self, at: Location) -> Self {
        self.at = Some(at);
        self
    }

    /// The same finding with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Puts findings in the order of the texts: by file name, then by place; those without a place come first.
pub fn sort(found: &mut [Diagnostic]) {
    fn place(diagnostic: &Diagnostic) -> Option<(&str, usize)> {
        let at = diagnostic.at.as_ref()?;
        Some((at.source.as_ref()?.name.as_str(), at.span.start))
    }
    found.sort_by(|a, b| place(a).cmp(&place(b)));
}

/// Whether any finding stops.
#[must_use]
pub fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source::new("a.toml", "ä = 1\nbü = 2\n");
        for (byte, position) in
            [(0, (1, 1)), (1, (1, 1)), (2, (1, 2)), (7, (2, 1)), (10, (2, 3)), (14, (2, 7)), (15, (3, 1)), (999, (3, 1))]
        {
            assert_eq!(source.position(byte), position, "byte {byte}");
        }
        assert_eq!(Location { source: Some(source), span: 10..11 }.to_string(), "a.toml:2:3");
        assert_eq!(Location::nowhere().to_string(), "no file");
    }
}
