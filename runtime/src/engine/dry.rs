//! What a dry run shows: everything that was staged, and how the texts among it differ.

use super::gate::Decisions;
use super::machine::Decision;
use super::staging::{At, Staging};
use crate::model::event::What;
use crate::model::files::{FileChanges, TextDiff};
use crate::model::outcome::SkipReason;
use crate::plan::{Plan, PlanStepKind};
use similar::TextDiff as Diff;
use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

/// Most files whose difference is kept, and the largest file that is looked at.
const MAX_DIFFS: usize = 100;
const MAX_BYTES: u64 = 256 << 10;
/// Most characters of one difference.
const MAX_DIFF: usize = 64 << 10;
/// How long the smallest diff is looked for; past it, a larger one does.
const MAX_TIME: Duration = Duration::from_millis(500);

/// The same decisions, but that no host step runs: those have the operator's rights, and nothing could undo them.
#[must_use]
pub fn decisions(plan: &Plan, mut decisions: Decisions) -> Decisions {
    for (step, decided) in plan.steps.iter().zip(&mut decisions.by_step) {
        if matches!(step.kind, PlanStepKind::Host { .. }) {
            for decision in decided.iter_mut().filter(|decision| **decision == Decision::Run) {
                *decision = Decision::Skip(SkipReason::DryRun);
            }
        }
    }
    decisions
}

/// Everything that is staged.
#[must_use]
pub fn would_change(staging: Option<&Staging>) -> What {
    let Some(staging) = staging else { return What::WouldChange { files: FileChanges::default(), diffs: Vec::new() } };
    let (files, at) = staging.changes().unwrap_or_else(|error| {
        tracing::warn!(%error, "what a dry run changed can't be read");
        Default::default()
    });
    let changed = files.created.iter().chain(&files.modified).chain(&files.deleted);
    let diffs = changed.filter_map(|path| diff(staging, path, at.get(path)?)).take(MAX_DIFFS).collect();
    What::WouldChange { files, diffs }
}

fn diff(staging: &Staging, path: &str, at: &At) -> Option<TextDiff> {
    let (before, after) = staging.sides(at)?;
    if before.is_none() && after.is_none() {
        return None;
    }
    let (before, after) = (text(before)?, text(after)?);
    let diff = Diff::configure().timeout(MAX_TIME).diff_lines(&before, &after);
    let mut diff = diff.unified_diff().context_radius(3).header(path, path).to_string();
    if diff.len() > MAX_DIFF {
        let cut = (0..=MAX_DIFF).rev().find(|cut| diff.is_char_boundary(*cut)).unwrap_or(0);
        diff.truncate(cut);
        diff.push_str("\n… (the rest is left out)\n");
    }
    (!diff.is_empty()).then(|| TextDiff { path: path.to_owned(), diff })
}

/// The text of a small file; nothing where it is none. What isn't there is empty.
fn text(file: Option<File>) -> Option<String> {
    let Some(file) = file else { return Some(String::new()) };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MAX_BYTES || bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes).ok()
}
