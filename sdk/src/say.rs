//! The only place that writes to the standard streams. A reader that went away is no reason for a hook to fail, so errors are dropped.

use std::io::Write as _;

/// A line on standard output: what a person should read.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A line on standard error: what went wrong.
pub(crate) fn problem(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The same text on one line: control characters, line ends among them, become spaces, and runs of spaces one.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
