//! How differences read: one line where that says it, a unified diff where two texts stand against each other.

use super::ExpectedFile;
use super::changes::Change;
use super::compare::{Bound, Mismatch};
use super::schema::FileWord;
use super::tree::FileState;
use crate::diagnostic::visible;
use crate::model::job::Stream;
use crate::model::units::show_size;
use similar::{ChangeTag, TextDiff};
use std::fmt;
use std::time::Duration;

/// Lines of agreement shown around a difference.
const CONTEXT: usize = 3;

/// How many lines of a diff are shown; the rest is counted.
const MAX_LINES: usize = 200;

/// How long the smallest diff is looked for; past it, a larger one does.
const MAX_TIME: Duration = Duration::from_millis(500);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome { expected, observed } => write!(f, "outcome: expected {expected}, got {observed}"),
            Self::Cause { expected, observed } => write!(f, "cause: expected {expected}, got {observed}"),
            Self::SkipReason { expected, observed } => write!(f, "skip reason: expected {}, got {observed}", visible(expected)),
            Self::ExitCode { expected, observed: Some(code) } => write!(f, "exit code: expected {expected}, got {code}"),
            Self::ExitCode { expected, observed: None } => write!(f, "exit code: expected {expected}, and it didn't exit by itself"),
            Self::Lines { stream, expected, observed } => {
                write!(f, "{}: other lines than expected{}", word(*stream), diff(&join(expected), &join(observed)))
            }
            Self::Piece { stream, expected, after, observed } => piece(f, *stream, expected, after.as_deref(), observed),
            Self::Output { key, expected, observed: Some(value) } => {
                write!(f, "output {key}: expected {}, got {}", visible(expected), visible(value))
            }
            Self::Output { key, expected, observed: None } => {
                write!(f, "output {key}: expected {}, and it handed nothing on under that key", visible(expected))
            }
            Self::File { path, expected, before, observed } => file(f, path, expected, (before.as_ref(), observed.as_ref())),
            Self::Unexpected(change) => write!(f, "not expected: {change}"),
            Self::Usage(bound) => bound.fmt(f),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.used {
            Some(used) => write!(f, "{}: expected at most {}, used {used}", self.what, self.max),
            None => write!(f, "{}: expected at most {}, and nothing measured it", self.what, self.max),
        }
    }
}

impl fmt::Display for Change {
    /// `/app/log: modified`, and the difference where both are text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = visible(&self.path);
        match (&self.before, &self.after) {
            (Some(_), None) => write!(f, "/{path}: deleted"),
            (None, Some(FileState::File { text: Some(text), .. })) => write!(f, "/{path}: created{}", diff("", text)),
            (None, Some(state)) => write!(f, "/{path}: created, {}", describe(Some(state))),
            (Some(before), Some(after)) => match (text(before), text(after)) {
                (Some(old), Some(new)) => write!(f, "/{path}: modified{}", diff(old, new)),
                _ => write!(f, "/{path}: {}, before: {}", describe(Some(after)), describe(Some(before))),
            },
            (None, None) => write!(f, "/{path}: unchanged"),
        }
    }
}

fn piece(f: &mut fmt::Formatter<'_>, stream: Stream, expected: &str, after: Option<&str>, observed: &[String]) -> fmt::Result {
    write!(f, "{}: no line holds {:?}", word(stream), visible(expected))?;
    if let Some(after) = after {
        write!(f, " after the one that holds {:?}", visible(after))?;
    }
    match observed {
        [] => f.write_str("; it wrote nothing there"),
        lines => write!(f, "; it wrote:{}", shown(lines.iter().map(|line| (' ', line.as_str())))),
    }
}

fn file(f: &mut fmt::Formatter<'_>, path: &str, expected: &ExpectedFile, states: (Option<&FileState>, Option<&FileState>)) -> fmt::Result {
    let (before, observed) = states;
    write!(f, "/{}: ", visible(path))?;
    match (expected, observed.and_then(text)) {
        (ExpectedFile::Text(wanted), Some(found)) => write!(f, "other content than expected{}", diff(wanted, found)),
        (ExpectedFile::Text(_) | ExpectedFile::Contains(_), None) => write!(f, "expected a text file, found {}", describe(observed)),
        (ExpectedFile::Contains(pieces), Some(found)) => {
            let missing: Vec<String> = pieces.iter().filter(|piece| !found.contains(*piece)).map(|piece| format!("{piece:?}")).collect();
            write!(f, "expected {} in it; it holds:{}", missing.join(", "), shown(found.lines().map(|line| (' ', line))))
        }
        (ExpectedFile::Is(FileWord::Unchanged), _) => {
            let change = Change { path: path.to_owned(), before: before.cloned(), after: observed.cloned() };
            write!(f, "expected unchanged; {change}")
        }
        (ExpectedFile::Is(word), _) => write!(f, "expected {word}, found {}", describe(observed)),
    }
}

fn describe(state: Option<&FileState>) -> String {
    match state {
        None => "nothing".to_owned(),
        Some(FileState::Dir) => "a directory".to_owned(),
        Some(FileState::File { size, digest, text: None }) => {
            format!("a file of {} ({})", show_size(*size), digest.hex().get(..12).unwrap_or_default())
        }
        Some(FileState::File { size, .. }) => format!("a file of {}", show_size(*size)),
        Some(FileState::Link { target }) => format!("a link to {}", visible(target)),
        Some(FileState::Other) => "neither a file nor a directory".to_owned(),
    }
}

fn text(state: &FileState) -> Option<&str> {
    match state {
        FileState::File { text, .. } => text.as_deref(),
        _ => None,
    }
}

const fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

fn join(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// The unified diff from `old` to `new`, a line break before each line. Where only one of the two ends with a line end, that is said.
fn diff(old: &str, new: &str) -> String {
    let diff = TextDiff::configure().timeout(MAX_TIME).diff_lines(old, new);
    let ends_differ = !old.is_empty() && !new.is_empty() && old.ends_with('\n') != new.ends_with('\n');
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            lines.push(('…', String::new()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let end = if ends_differ && change.missing_newline() { "  (no line end)" } else { "" };
            let line = change.value();
            lines.push((sign, format!("{}{end}", line.strip_suffix('\n').unwrap_or(line))));
        }
    }
    shown(lines.iter().map(|(sign, line)| (*sign, line.as_str())))
}

/// Lines with their signs, each after a line break; escaped, and at most [`MAX_LINES`] of them.
fn shown<'a>(lines: impl Iterator<Item = (char, &'a str)>) -> String {
    let (mut shown, mut more) = (String::new(), 0_usize);
    for (index, (sign, line)) in lines.enumerate() {
        if index < MAX_LINES {
            shown.push('\n');
            shown.push(sign);
            shown.push_str(&visible(line));
        } else {
            more += 1;
        }
    }
    if more > 0 {
        shown.extend(["\n… and ", &more.to_string(), " lines more"]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(expected: &str, found: &str) -> String {
        let expected = ExpectedFile::Text(expected.to_owned());
        let observed = Some(FileState::of_bytes(found.as_bytes()));
        Mismatch::File { path: "app/config.json".into(), expected, before: None, observed }.to_string()
    }

    #[test]
    fn two_texts_stand_against_each_other_with_what_surrounds_the_difference() {
        let expected = (1..=30).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let found = expected.replace("line 15", "line fifteen");
        let shown = "/app/config.json: other content than expected\n line 12\n line 13\n line 14\n-line 15\n+line fifteen\n line 16\n line 17\n line 18";
        assert_eq!(file(&expected, &found), shown);
    }

    #[test]
    fn a_missing_line_end_is_said_in_words() {
        assert_eq!(file("a\n", "a"), "/app/config.json: other content than expected\n-a\n+a  (no line end)");
    }

    #[test]
    fn what_a_hook_wrote_is_shown_escaped_and_never_without_end() {
        let shown = file("", &"\u{1b}[2Jx\n".repeat(MAX_LINES + 5));
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        assert!(shown.ends_with("… and 5 lines more"), "{shown}");
    }

    #[test]
    fn what_is_no_text_is_described() {
        let change = |before, after| Change { path: "x".into(), before, after }.to_string();
        assert_eq!(change(None, Some(FileState::Dir)), "/x: created, a directory");
        assert_eq!(
            change(Some(FileState::of_bytes(b"ab")), Some(FileState::Link { target: "y".into() })),
            "/x: a link to y, before: a file of 2 B"
        );
        let binary = change(Some(FileState::of_bytes(&[0xff])), Some(FileState::of_bytes(&[0xfe])));
        assert_eq!(binary, "/x: a file of 1 B (aa687b58b0e7), before: a file of 1 B (a8100ae6aa19)");
    }
}
