//! What people read of `wasmhook test`: one line a case; of a failed one everything that wasn't as expected, what the hook changed instead,
//! and its last lines.

use super::figures;
use super::line::{Line, text};
use super::look::{Look, Style, Symbol};
use wasmhook::model::outcome::{Cause, Outcome, Usage};
use wasmhook::testcase::{Change, FileState};
use wasmhook::trial::{CaseFile, Second, Tried};

/// How many changed paths are named.
const MAX_CHANGES: usize = 20;

/// How many cases passed and failed.
#[derive(Debug, Default)]
pub struct Tally {
    /// As expected.
    pub passed: usize,
    /// Not as expected.
    pub failed: usize,
}

impl Tally {
    /// Counts one more case.
    pub fn count(&mut self, passed: bool) {
        *(if passed { &mut self.passed } else { &mut self.failed }) += 1;
    }
}

/// A case that ran.
pub fn case(look: Look, file: &CaseFile, tried: &Tried) -> String {
    let mut lines = heading(look, &file.title(), tried);
    for warning in &tried.warnings {
        lines.extend(Line::new(look).space(2).symbol(Symbol::Warning).space(1).plain(warning).fold(look.width, 4));
    }
    for lost in &tried.unenforced {
        let lost = format!("not enforced: {lost}");
        lines.extend(Line::new(look).space(2).symbol(Symbol::Warning).space(1).plain(&lost).fold(look.width, 4));
    }
    if !tried.mismatches.is_empty() {
        lines.extend(tried.mismatches.iter().flat_map(|mismatch| block(look, &mismatch.to_string())));
        lines.extend(what_happened(look, tried));
    }
    if let Some(second) = tried.second.as_ref().filter(|second| !second.is_harmless()) {
        lines.extend(second_run(look, second));
    }
    text(&lines)
}

/// How many cases there were, and how they ended.
pub fn summary(look: Look, tally: &Tally) -> String {
    let all = tally.passed + tally.failed;
    let (symbol, failed) = match tally.failed {
        0 => (Symbol::Done, String::new()),
        failed => (Symbol::Failed, format!(", {failed} failed")),
    };
    let line = Line::new(look).symbol(symbol).space(1);
    let line = line.plain(&format!("{all} {}: {} passed{failed}", if all == 1 { "case" } else { "cases" }, tally.passed));
    format!("\n{}", text(&[line]))
}

fn heading(look: Look, title: &str, tried: &Tried) -> Vec<Line> {
    let symbol = if tried.passed() { Symbol::Done } else { Symbol::Failed };
    let line = Line::new(look).symbol(symbol).space(1).add(Style::Name, title);
    let notes = notes(tried);
    let line = if notes.is_empty() { line } else { line.add(Style::Dim, &format!(" ({notes})")) };
    line.fold(look.width, 2)
}

/// What is worth knowing of a case whatever came of it: an ending that isn't a success, what it used, and that it ran twice.
fn notes(tried: &Tried) -> String {
    let ending = match &tried.observed.outcome {
        Outcome::Succeeded => None,
        outcome => Some(outcome.to_string()),
    };
    let second = match &tried.second {
        Some(second) if second.is_harmless() => Some("the second run changed nothing".to_owned()),
        _ => None,
    };
    [ending, used(&tried.observed.usage), second].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn used(usage: &Usage) -> Option<String> {
    let wall = usage.wall_ms.map(figures::millis);
    let fuel = usage.fuel.map(|fuel| format!("{} fuel", figures::count(fuel)));
    let parts: Vec<String> = [wall, fuel].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A sentence, and below it the lines that belong to it: removed and added ones in their colours.
fn block(look: Look, shown: &str) -> Vec<Line> {
    let mut lines = shown.lines();
    let mut block = Line::new(look).space(2).plain(lines.next().unwrap_or_default()).fold(look.width, 4);
    for line in lines {
        let style = match line.as_bytes().first() {
            Some(b'-') => Style::Bad,
            Some(b'+') => Style::Good,
            _ => Style::Dim,
        };
        let room = look.width.saturating_sub(4);
        let parts = Line::new(look).add(style, line).chop(room);
        block.extend(parts.into_iter().map(|part| Line::new(look).space(4).append(part)));
    }
    block
}

/// What the hook did instead of what was expected.
fn what_happened(look: Look, tried: &Tried) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Outcome::Failed { cause: Cause::Trap { message, backtrace, .. } } = &tried.observed.outcome {
        lines.extend(message.lines().flat_map(|line| quoted(look, line)));
        lines.extend(backtrace.iter().flat_map(|frame| quoted(look, &format!("at {frame}"))));
    }
    for denial in tried.denials.iter().flatten() {
        let refused = format!("it was refused {}; to allow it: {}", denial.what, denial.allow);
        lines.extend(Line::new(look).space(2).plain(&refused).fold(look.width, 4));
    }
    if tried.observed.usage.wall_ms.is_some() {
        lines.extend(changed(look, &tried.changes));
        lines.extend(last_lines(look, &tried.tail));
    }
    lines
}

/// The paths that the hook changed: a step that did nothing at all shows here (S3.41).
fn changed(look: Look, changes: &[Change]) -> Vec<Line> {
    if changes.is_empty() {
        return vec![Line::new(look).space(2).plain("it changed no file")];
    }
    let mut lines = vec![Line::new(look).space(2).plain("it changed:")];
    for change in changes.iter().take(MAX_CHANGES) {
        let kind = match (&change.before, &change.after) {
            (None, Some(FileState::Dir)) => "created, a directory",
            (None, _) => "created",
            (_, None) => "deleted",
            _ => "modified",
        };
        lines.extend(Line::new(look).space(4).plain(&format!("/{} ({kind})", change.path)).fold(look.width, 6));
    }
    if changes.len() > MAX_CHANGES {
        lines.push(Line::new(look).space(4).plain(&format!("and {} more", changes.len() - MAX_CHANGES)));
    }
    lines
}

fn last_lines(look: Look, tail: &[String]) -> Vec<Line> {
    if tail.is_empty() {
        return vec![Line::new(look).space(2).plain("it printed nothing")];
    }
    let mut lines = vec![Line::new(look).space(2).plain("its last lines:")];
    lines.extend(tail.iter().flat_map(|line| quoted(look, line)));
    lines
}

fn second_run(look: Look, second: &Second) -> Vec<Line> {
    let mut lines = Vec::new();
    if !second.outcome.is_ok() {
        lines.extend(block(look, &format!("the second run, on what the first one left, ended as {}", second.outcome)));
        lines.extend(last_lines(look, &second.tail));
    }
    if !second.changes.is_empty() {
        lines.extend(block(look, "the second run changed what the first one had done; a hook that is safe to run twice changes nothing:"));
        lines.extend(second.changes.iter().take(MAX_CHANGES).flat_map(|change| block(look, &change.to_string())));
        if second.changes.len() > MAX_CHANGES {
            lines.push(Line::new(look).space(2).plain(&format!("and {} changes more", second.changes.len() - MAX_CHANGES)));
        }
    }
    lines
}

/// A line that isn't ours: behind a bar, so that it can't be taken for one.
fn quoted(look: Look, text: &str) -> Vec<Line> {
    let bar = Line::new(look).space(4).symbol(Symbol::Bar).space(1);
    let room = look.width.saturating_sub(bar.width());
    Line::new(look).plain(text).chop(room).into_iter().map(|part| bar.clone().append(part)).collect()
}
