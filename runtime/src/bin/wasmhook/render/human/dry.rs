//! What a dry run would have changed, and what it didn't try.

use crate::render::line::Line;
use crate::render::look::{Look, Style, Symbol};
use wasmhook::model::id::StepName;
use wasmhook::report::{HookReport, OutcomeWord, Report, WouldChange};

/// How many created and modified paths are listed. What would be deleted is always listed in full.
const MAX_LISTED: usize = 20;

/// The changes, with the differences of texts if they are asked for.
pub fn changes(look: Look, report: &Report, diffs: bool) -> Vec<Line> {
    let Some(would) = &report.would_change else { return Vec::new() };
    if would.files.is_empty() {
        return vec![Line::new(look).plain("It would change no file.")];
    }
    let mut lines = vec![Line::new(look).add(Style::Strong, &format!("It would change {}:", paths(would.files.len())))];
    lines.extend(listed(look, "+", Style::Good, &would.files.created, MAX_LISTED));
    lines.extend(listed(look, "~", Style::Warn, &would.files.modified, MAX_LISTED));
    lines.extend(listed(look, "-", Style::Bad, &would.files.deleted, usize::MAX));
    if diffs {
        lines.extend(texts(look, would));
    } else if !would.diffs.is_empty() {
        lines.push(Line::new(look).add(Style::Dim, "  --diff shows how the texts among them would change"));
    }
    lines
}

fn listed(look: Look, sign: &str, style: Style, paths: &[String], most: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = paths.iter().take(most).map(|path| Line::new(look).space(2).add(style, sign).space(1).plain(path)).collect();
    if paths.len() > most {
        lines.push(Line::new(look).space(2).add(style, sign).add(Style::Dim, &format!(" and {} more", paths.len() - most)));
    }
    lines
}

fn texts(look: Look, would: &WouldChange) -> Vec<Line> {
    let style = |line: &str| match line.as_bytes().first() {
        Some(b'+') => Style::Good,
        Some(b'-') => Style::Bad,
        Some(b'@') => Style::Dim,
        _ => Style::Plain,
    };
    let shown = would.diffs.iter().flat_map(|text| text.diff.lines());
    std::iter::once(Line::new(look)).chain(shown.map(|line| Line::new(look).add(style(line), line))).collect()
}

/// Which hooks ran though a step before them didn't: each list of steps once.
pub fn after_skipped(look: Look, report: &Report) -> Vec<Line> {
    let mut after: Vec<(&[StepName], Vec<String>)> = Vec::new();
    let ran = |hook: &&HookReport| hook.outcome != OutcomeWord::Skipped && !hook.after_skipped.is_empty();
    for hook in report.hooks.iter().filter(ran) {
        match after.iter_mut().find(|(steps, _)| *steps == hook.after_skipped) {
            Some((_, names)) => names.push(hook.name()),
            None => after.push((&hook.after_skipped, vec![hook.name()])),
        }
    }
    let told = |(skipped, names): (&[StepName], Vec<String>)| {
        format!("{} {}: what it did may depend on that.", names.join(", "), after_steps(skipped))
    };
    after.into_iter().map(told).flat_map(|text| Line::new(look).symbol(Symbol::Warning).space(1).plain(&text).fold(look.width, 2)).collect()
}

/// `after skipped step deploy`
pub fn after_steps(skipped: &[StepName]) -> String {
    let names = skipped.iter().map(StepName::as_str).collect::<Vec<_>>().join(", ");
    format!("after skipped step{} {names}", if skipped.len() == 1 { "" } else { "s" })
}

/// The last line: how much of the release was not tried.
pub fn not_tried(look: Look, report: &Report) -> Vec<Line> {
    if !report.dry_run || report.run_id.is_none() {
        return Vec::new();
    }
    let names = report.not_tried();
    let text = match names.len() {
        0 => "Everything was tried.".to_owned(),
        1 => format!("1 thing was not tried: {}.", names[0]),
        n => format!("{n} things were not tried: {}.", names.join(", ")),
    };
    Line::new(look).plain(&text).fold(look.width, 2)
}

fn paths(count: usize) -> String {
    if count == 1 { "1 path".to_owned() } else { format!("{count} paths") }
}
