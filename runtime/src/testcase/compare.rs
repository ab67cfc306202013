//! Expected and observed, side by side.

use super::changes::{Change, changes};
use super::schema::{CauseWord, FileWord, OutcomeWord};
use super::tree::FileState;
use super::{Case, Expected, ExpectedFile};
use crate::model::job::Stream;
use crate::model::outcome::{Cause, Outcome, TimeLimit, Usage};
use crate::model::units::{show_duration, show_size};
use std::collections::BTreeMap;
use std::time::Duration;

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// How it ended.
    pub outcome: Outcome,
    /// The code it exited with, if it did.
    pub exit_code: Option<i32>,
    /// Its output, line by line, in the order in which it came.
    pub output: Vec<(Stream, String)>,
    /// Values it handed on through `WASMHOOK_OUTPUT`.
    pub outputs: Vec<(String, String)>,
    /// The tree before it ran.
    pub before: BTreeMap<String, FileState>,
    /// The tree afterwards.
    pub after: BTreeMap<String, FileState>,
    /// What it used.
    pub usage: Usage,
}

/// One expectation that wasn't met. `Display` says what was expected and what came instead, over several lines where that reads better.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// It ended in another way.
    Outcome {
        /// As expected.
        expected: OutcomeWord,
        /// As it was.
        observed: Outcome,
    },
    /// It failed for another reason, or another limit ended it.
    Cause {
        /// As expected.
        expected: CauseWord,
        /// As it was.
        observed: Outcome,
    },
    /// It was skipped for another reason.
    SkipReason {
        /// As expected.
        expected: String,
        /// As it was.
        observed: Outcome,
    },
    /// It exited with another code, or with none.
    ExitCode {
        /// As expected.
        expected: i32,
        /// As it was.
        observed: Option<i32>,
    },
    /// It wrote other lines.
    Lines {
        /// Where.
        stream: Stream,
        /// As expected.
        expected: Vec<String>,
        /// As it was.
        observed: Vec<String>,
    },
    /// A piece occurs in no line after that of the piece before it.
    Piece {
        /// Where.
        stream: Stream,
        /// What was expected.
        expected: String,
        /// The piece after whose line it was looked for; none for the first one.
        after: Option<String>,
        /// All lines.
        observed: Vec<String>,
    },
    /// It handed on another value, or none.
    Output {
        /// The key.
        key: String,
        /// As expected.
        expected: String,
        /// As it was.
        observed: Option<String>,
    },
    /// Something else lies at a path.
    File {
        /// The path in the tree.
        path: String,
        /// As expected.
        expected: ExpectedFile,
        /// What lay there before.
        before: Option<FileState>,
        /// As it is.
        observed: Option<FileState>,
    },
    /// A path changed that wasn't to.
    Unexpected(Change),
    /// It used more than it should, or nobody measured how much.
    Usage(Bound),
}

/// A bound on what a hook uses, exceeded or not measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// What is bounded: `fuel`.
    pub what: &'static str,
    /// How much was expected at most.
    pub max: String,
    /// How much it was; none if nothing measured it.
    pub used: Option<String>,
}

/// Every expectation of the case that wasn't met, in the order of the case's keys.
#[must_use]
pub fn compare(case: &Case, observed: &Observed) -> Vec<Mismatch> {
    let expected = &case.expected;
    let mut found = Vec::new();
    found.extend(ending(expected, observed));
    found.extend(lines(Stream::Stdout, expected.stdout.as_deref(), &expected.stdout_contains, observed));
    found.extend(lines(Stream::Stderr, expected.stderr.as_deref(), &expected.stderr_contains, observed));
    found.extend(outputs(expected, observed));
    found.extend(files(expected, observed));
    found.extend(bounds(expected, &observed.usage).map(Mismatch::Usage));
    found
}

fn ending(expected: &Expected, observed: &Observed) -> Vec<Mismatch> {
    let mut found = Vec::new();
    let outcome = || observed.outcome.clone();
    if expected.outcome.word() != observed.outcome.word() {
        found.push(Mismatch::Outcome { expected: expected.outcome, observed: outcome() });
    } else if let Some(cause) = expected.cause.filter(|cause| cause_word(&observed.outcome) != Some(*cause)) {
        found.push(Mismatch::Cause { expected: cause, observed: outcome() });
    } else if let Some(reason) = expected.skip_reason.as_ref().filter(|reason| skip_reason(&observed.outcome).as_ref() != Some(*reason)) {
        found.push(Mismatch::SkipReason { expected: reason.clone(), observed: outcome() });
    }
    if let Some(code) = expected.exit_code.filter(|code| observed.exit_code != Some(*code)) {
        found.push(Mismatch::ExitCode { expected: code, observed: observed.exit_code });
    }
    found
}

fn skip_reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Skipped { reason } => Some(reason.to_string()),
        _ => None,
    }
}

/// The word for what was wrong; none if nothing was, or nothing that a case can expect.
fn cause_word(outcome: &Outcome) -> Option<CauseWord> {
    match outcome {
        Outcome::TimedOut { limit, .. } => Some(match limit {
            TimeLimit::Fuel => CauseWord::Fuel,
            TimeLimit::Deadline => CauseWord::Deadline,
            TimeLimit::CpuTime => CauseWord::CpuTime,
        }),
        Outcome::Failed { cause } => match cause {
            Cause::Exit { .. } => Some(CauseWord::Exit),
            Cause::Signal { .. } => Some(CauseWord::Signal),
            Cause::Trap { .. } => Some(CauseWord::Trap),
            Cause::OutOfMemory { .. } => Some(CauseWord::OutOfMemory),
            Cause::Denied { .. } => Some(CauseWord::Denied),
            Cause::NotAHook { .. } => Some(CauseWord::NotAHook),
            Cause::BrokenModule { .. } => Some(CauseWord::BrokenModule),
            Cause::TooLarge { .. } => Some(CauseWord::TooLarge),
            Cause::TooComplex { .. } => Some(CauseWord::TooComplex),
            Cause::Unsupported { .. } | Cause::NotAvailable { .. } => Some(CauseWord::Unsupported),
            Cause::Preflight { .. } => Some(CauseWord::Preflight),
            Cause::Spawn { .. } => Some(CauseWord::Spawn),
            Cause::NotVerified { .. }
            | Cause::Unresolved
            | Cause::Conflict { .. }
            | Cause::Backup { .. }
            | Cause::NotReady { .. }
            | Cause::NotStarted { .. }
            | Cause::Stage { .. } => None,
        },
        Outcome::Succeeded | Outcome::Skipped { .. } | Outcome::Cancelled | Outcome::Unknown => None,
    }
}

fn lines(stream: Stream, exactly: Option<&[String]>, pieces: &[String], observed: &Observed) -> Vec<Mismatch> {
    let written: Vec<String> = observed.output.iter().filter(|(of, _)| *of == stream).map(|(_, line)| line.clone()).collect();
    let mut found = Vec::new();
    if let Some(expected) = exactly.filter(|expected| *expected != written) {
        found.push(Mismatch::Lines { stream, expected: expected.to_vec(), observed: written.clone() });
    }
    let (mut rest, mut after) = (written.as_slice(), None);
    for piece in pieces {
        if let Some(index) = rest.iter().position(|line| line.contains(piece)) {
            (rest, after) = (&rest[index + 1..], Some(piece.clone()));
        } else {
            found.push(Mismatch::Piece { stream, expected: piece.clone(), after: after.clone(), observed: written.clone() });
        }
    }
    found
}

fn outputs(expected: &Expected, observed: &Observed) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for (key, value) in &expected.outputs {
        let all: Vec<&String> = observed.outputs.iter().filter(|(of, _)| of == key).map(|(_, value)| value).collect();
        if !all.contains(&value) {
            let observed = all.last().map(|value| (*value).clone());
            found.push(Mismatch::Output { key: key.clone(), expected: value.clone(), observed });
        }
    }
    found
}

fn files(expected: &Expected, observed: &Observed) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for (path, file) in &expected.files {
        let (before, after) = (observed.before.get(path), observed.after.get(path));
        if !is_met(file, before, after) {
            let (before, observed) = (before.cloned(), after.cloned());
            found.push(Mismatch::File { path: path.clone(), expected: file.clone(), before, observed });
        }
    }
    if expected.nothing_else_changes {
        let unnamed = changes(&observed.before, &observed.after).into_iter().filter(|change| !is_named(expected, change));
        found.extend(unnamed.map(Mismatch::Unexpected));
    }
    found
}

/// A directory that came to be because a named file lies in it is as good as named.
fn is_named(expected: &Expected, change: &Change) -> bool {
    let holds = |path: &String| path.strip_prefix(&change.path).is_some_and(|rest| rest.starts_with('/'));
    expected.files.contains_key(&change.path) || (change.after == Some(FileState::Dir) && expected.files.keys().any(holds))
}

fn is_met(expected: &ExpectedFile, before: Option<&FileState>, after: Option<&FileState>) -> bool {
    match expected {
        ExpectedFile::Text(text) => after == Some(&FileState::of_bytes(text.as_bytes())),
        ExpectedFile::Contains(pieces) => match after {
            Some(FileState::File { text: Some(text), .. }) => pieces.iter().all(|piece| text.contains(piece.as_str())),
            _ => false,
        },
        ExpectedFile::Is(FileWord::Absent) => after.is_none(),
        ExpectedFile::Is(FileWord::File) => matches!(after, Some(FileState::File { .. })),
        ExpectedFile::Is(FileWord::Dir) => after == Some(&FileState::Dir),
        ExpectedFile::Is(FileWord::Unchanged) => before == after,
    }
}

fn bounds(expected: &Expected, usage: &Usage) -> impl Iterator<Item = Bound> {
    let wall = |ms| show_duration(Duration::from_millis(ms));
    let wall_max = expected.wall_max.map(|max| u64::try_from(max.as_millis()).unwrap_or(u64::MAX));
    let fuel = bound("fuel", expected.fuel_max, usage.fuel, |units| format!("{units} units"));
    let memory = bound("memory", expected.memory_max, usage.memory_peak_bytes, show_size);
    [fuel, memory, bound("wall time", wall_max, usage.wall_ms, wall)].into_iter().flatten()
}

fn bound(what: &'static str, max: Option<u64>, used: Option<u64>, show: impl Fn(u64) -> String) -> Option<Bound> {
    let max = max?;
    let fits = used.is_some_and(|used| used <= max);
    (!fits).then(|| Bound { what, max: show(max), used: used.map(show) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::has_errors;
    use crate::model::outcome::{SkipReason, TrapKind};
    use crate::testcase::parse;

    fn case(expected: &str) -> Case {
        let (case, found) = parse("hook.test.toml", &format!("schema = 1\n[expected]\n{expected}"));
        assert!(!has_errors(&found), "{found:?}");
        case.unwrap()
    }

    fn observed() -> Observed {
        let tree =
            |files: &[(&str, &str)]| files.iter().map(|(path, text)| ((*path).into(), FileState::of_bytes(text.as_bytes()))).collect();
        let lines = [(Stream::Stdout, "one"), (Stream::Stderr, "warning: x"), (Stream::Stdout, "two"), (Stream::Stdout, "three")];
        Observed {
            outcome: Outcome::Succeeded,
            exit_code: Some(0),
            output: lines.map(|(stream, line)| (stream, line.to_owned())).to_vec(),
            outputs: vec![("A".into(), "1".into()), ("warning".into(), "x".into()), ("warning".into(), "y".into())],
            before: tree(&[("app/cache/a", "old"), ("app/kept", "k")]),
            after: tree(&[("app/kept", "k"), ("app/new", "new\n")]),
            usage: Usage { fuel: Some(1_000), wall_ms: Some(20), memory_peak_bytes: None, output_bytes: Some(30) },
        }
    }

    fn mismatches(expected: &str, observed: &Observed) -> Vec<String> {
        compare(&case(expected), observed).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_met_is_silent() {
        for expected in [
            "",
            "outcome = \"succeeded\"\nexit_code = 0",
            "stdout = [\"one\", \"two\", \"three\"]\nstderr = [\"warning: x\"]",
            "stdout_contains = [\"on\", \"hre\"]\nstderr_contains = [\"warning\"]",
            "outputs = { A = \"1\", warning = \"x\" }",
            "files = { \"cache/a\" = { is = \"absent\" }, kept = { is = \"unchanged\" }, new = \"new\\n\" }\nnothing_else_changes = true",
            "files = { new = { contains = [\"ew\"] }, kept = { is = \"file\" } }",
            "fuel_max = 1_000\nwall_max = \"20ms\"",
        ] {
            assert_eq!(mismatches(expected, &observed()), [""; 0], "{expected}");
        }
    }

    #[test]
    fn each_expectation_bites() {
        for (expected, shown) in [
            ("outcome = \"failed\"", "outcome: expected failed, got succeeded"),
            ("outcome = \"failed\"\nexit_code = 3", "exit code: expected 3, got 0"),
            ("stdout = [\"one\", \"three\"]", "stdout: other lines than expected\n one\n+two\n three"),
            (
                "stdout_contains = [\"two\", \"one\"]",
                "stdout: no line holds \"one\" after the one that holds \"two\"; it wrote:\n one\n two\n three",
            ),
            ("stderr = []", "stderr: other lines than expected\n+warning: x"),
            ("stderr_contains = [\"one\"]", "stderr: no line holds \"one\"; it wrote:\n warning: x"),
            ("outputs = { A = \"2\" }", "output A: expected 2, got 1"),
            ("outputs = { B = \"2\" }", "output B: expected 2, and it handed nothing on under that key"),
            ("files.new = \"other\\n\"", "/app/new: other content than expected\n-other\n+new"),
            ("files.gone = \"x\"", "/app/gone: expected a text file, found nothing"),
            ("files.new = { contains = [\"x\", \"new\"] }", "/app/new: expected \"x\" in it; it holds:\n new"),
            ("files.new = { is = \"absent\" }", "/app/new: expected absent, found a file of 4 B"),
            ("files.new = { is = \"dir\" }", "/app/new: expected dir, found a file of 4 B"),
            ("files.new = { is = \"unchanged\" }", "/app/new: expected unchanged; /app/new: created\n+new"),
            ("files.\"cache/a\" = { is = \"file\" }", "/app/cache/a: expected file, found nothing"),
            ("files.new = { is = \"file\" }\nnothing_else_changes = true", "not expected: /app/cache/a: deleted"),
            ("fuel_max = 999", "fuel: expected at most 999 units, used 1000 units"),
            ("memory_max = \"1MiB\"", "memory: expected at most 1 MiB, and nothing measured it"),
            ("wall_max = \"19ms\"", "wall time: expected at most 19 ms, used 20 ms"),
        ] {
            assert!(mismatches(expected, &observed()).contains(&shown.to_owned()), "{expected}: {:#?}", mismatches(expected, &observed()));
        }
    }

    #[test]
    fn causes_and_skip_reasons_are_compared_by_their_words() {
        let ending = |outcome| Observed { outcome, exit_code: None, ..observed() };
        let trap = Cause::Trap { trap: TrapKind::Unreachable, message: String::new(), backtrace: vec![] };
        let trapped = ending(Outcome::Failed { cause: trap });
        assert_eq!(mismatches("outcome = \"failed\"\ncause = \"trap\"", &trapped), [""; 0]);
        let wrong = mismatches("outcome = \"failed\"\ncause = \"exit\"\nexit_code = 1", &trapped);
        assert_eq!(wrong[0], "cause: expected exit, got failed: trap: unreachable (a panic or an abort)");
        assert_eq!(wrong[1], "exit code: expected 1, and it didn't exit by itself");

        let slow = ending(Outcome::TimedOut { limit: TimeLimit::Fuel, abandoned: false });
        assert_eq!(mismatches("outcome = \"timed-out\"\ncause = \"fuel\"", &slow), [""; 0]);
        assert_eq!(mismatches("outcome = \"timed-out\"\ncause = \"deadline\"", &slow), ["cause: expected deadline, got timed-out: fuel"]);

        let skipped = ending(Outcome::Skipped { reason: SkipReason::SaidByHook { message: "Data exists".into() } });
        assert_eq!(mismatches("outcome = \"skipped\"\nskip_reason = \"Data exists\"", &skipped), [""; 0]);
        let wrong = mismatches("outcome = \"skipped\"\nskip_reason = \"No data\"", &skipped);
        assert_eq!(wrong, ["skip reason: expected No data, got skipped: Data exists"]);
    }

    #[test]
    fn s3_41_a_clearing_that_cleared_nothing_is_visible() {
        let unchanged = Observed { after: observed().before, ..observed() };
        let found = mismatches("files.\"cache/a\" = { is = \"absent\" }", &unchanged);
        assert_eq!(found, ["/app/cache/a: expected absent, found a file of 3 B"]);
    }

    #[test]
    fn directories_of_named_files_may_come_to_be() {
        let mut created = observed();
        created.after.insert("app/deep".into(), FileState::Dir);
        created.after.insert("app/deep/file".into(), FileState::of_bytes(b"x"));
        created.before.remove("app/cache/a");
        let expected = "files = { \"deep/file\" = \"x\", new = { is = \"file\" } }\nnothing_else_changes = true";
        assert_eq!(mismatches(expected, &created), [""; 0]);
        created.after.insert("app/empty".into(), FileState::Dir);
        assert_eq!(mismatches(expected, &created), ["not expected: /app/empty: created, a directory"]);
    }
}
