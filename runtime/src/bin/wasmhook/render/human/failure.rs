//! All about one failure: its cause, where it happened, its last lines, and the way out.

use super::hint;
use crate::render::line::{Line, brief};
use crate::render::look::{Look, Style, Symbol};
use wasmhook::diagnostic::codes;
use wasmhook::model::event::{GuestKind, Role, StepKind};
use wasmhook::model::grant::Denial;
use wasmhook::model::outcome::{Cause, Verdict};
use wasmhook::model::reach::Reach;
use wasmhook::report::{End, Failure, HookReport, OutcomeWord, OutsidePaths, Report, StepReport, UsageReport, Why};

/// How many denials are shown; the report holds them all.
const MAX_DENIALS: usize = 5;

/// A failed hook or host step, as much as the text about it needs.
struct Failed<'a> {
    name: String,
    what: String,
    outcome: OutcomeWord,
    verdict: Option<Verdict>,
    cause: &'a Failure,
    usage: UsageReport,
    denials: &'a [Denial],
    /// How many more attempts were refused.
    more_denials: u64,
    /// Whether it may have failed for something that it looked for where nobody looks.
    unobserved: bool,
    tail: &'a [String],
    /// What it may have changed, if nobody knows how it ended.
    touched: Option<Reach>,
    /// What became of it, where the cause doesn't say it.
    instead: Option<&'static str>,
}

/// The text about a failed hook of `report`; nothing if it didn't fail.
pub fn hook(look: Look, report: &Report, hook: &HookReport) -> Vec<Line> {
    let Some(cause) = &hook.cause else { return Vec::new() };
    let twin = hook.fallback.as_ref().map_or("", |_| ", its fallback");
    block(
        look,
        &Failed {
            name: hook.name(),
            what: format!("{}{twin}", brief(&hook.file, look.charset)),
            outcome: hook.outcome,
            verdict: hook.verdict,
            cause,
            usage: hook.usage.clone(),
            denials: hook.denials.as_deref().unwrap_or_default(),
            more_denials: hook.more_denials.unwrap_or_default(),
            unobserved: is_unobserved(report, hook),
            tail: last_words(hook),
            touched: hook.may_have_touched.clone(),
            instead: instead(hook),
        },
    )
}

/// Whether it is a wasm hook that ended itself badly, and nobody saw what it looked for outside its grants.
fn is_unobserved(report: &Report, hook: &HookReport) -> bool {
    let ended_itself = hook.cause.as_ref().is_some_and(|cause| matches!(cause.why, Why::Cause(Cause::Exit { .. } | Cause::Trap { .. })));
    ended_itself && hook.guest == Some(GuestKind::Wasm) && report.outside_path_attempts == Some(OutsidePaths::NotObserved)
}

fn instead(hook: &HookReport) -> Option<&'static str> {
    let asked = hook.verify.as_ref().is_some_and(|verify| verify.hook_ended && verify.outcome == OutcomeWord::Unknown);
    match (hook.outcome, hook.role) {
        (OutcomeWord::Unknown, Role::Revert) => {
            Some("it was cut off when the engine died: nobody knows how much it took back, until it is tried again")
        }
        (OutcomeWord::Unknown, _) if asked => {
            Some("it had ended with success, and its verify was under way when the engine died: the next run sees what became of it")
        }
        _ => None,
    }
}

/// The last lines of what says why: of a hook that isn't verified, its verify's.
fn last_words(hook: &HookReport) -> &[String] {
    match (&hook.verify, &hook.cause) {
        (Some(verify), Some(Failure { why: Why::Cause(Cause::NotVerified { .. }), .. })) => &verify.tail,
        _ => &hook.tail,
    }
}

/// The text about a host step that failed, or a phase that could not be committed; nothing if it didn't.
pub fn step(look: Look, step: &StepReport) -> Vec<Line> {
    let (Some(cause), Some(outcome)) = (&step.cause, step.outcome) else { return Vec::new() };
    block(
        look,
        &Failed {
            name: step.step.to_string(),
            what: if step.kind == StepKind::Phase { "commit of the phase" } else { "host step" }.to_owned(),
            outcome,
            verdict: step.verdict,
            cause,
            usage: step.usage.clone().unwrap_or_default(),
            denials: &[],
            more_denials: 0,
            unobserved: false,
            tail: &step.tail,
            touched: (step.kind == StepKind::Host && outcome == OutcomeWord::Unknown).then(Reach::unconfined),
            instead: None,
        },
    )
}

fn block(look: Look, failed: &Failed<'_>) -> Vec<Line> {
    let mut lines = heading(look, failed);
    if let Some(text) = failed.instead {
        return [lines, paragraph(look, text), touched(look, failed)].concat();
    }
    lines.extend(paragraph(look, &sentence(failed.cause)));
    lines.extend(touched(look, failed));
    if let Why::Cause(Cause::Trap { message, backtrace, .. }) = &failed.cause.why {
        lines.extend(message.lines().flat_map(|line| quoted(look, line)));
        lines.extend(list(look, "in, innermost first:", backtrace));
    }
    for denial in failed.denials.iter().take(MAX_DENIALS) {
        lines.extend(paragraph(look, &format!("it was refused {}; to allow it: {}", denial.what, denial.allow)));
    }
    let unlisted = failed.denials.len().saturating_sub(MAX_DENIALS) as u64 + failed.more_denials;
    if unlisted > 0 {
        let kept = if failed.more_denials > 0 { format!("; the report has the first {}", failed.denials.len()) } else { String::new() };
        lines.extend(paragraph(look, &format!("and {unlisted} more denials{kept}")));
    }
    if failed.unobserved {
        lines.extend(paragraph(look, "outside-path attempts not observed (with --audit they are)"));
    }
    lines.extend(last_lines(look, failed));
    for advice in hint::advice(failed.cause, &failed.usage) {
        let line = Line::new(look).space(2).symbol(Symbol::Arrow).space(1).plain(&advice);
        lines.extend(line.fold(look.width, 4));
    }
    lines
}

fn touched(look: Look, failed: &Failed<'_>) -> Vec<Line> {
    failed.touched.iter().flat_map(Reach::sentences).flat_map(|sentence| paragraph(look, &sentence)).collect()
}

fn last_lines(look: Look, failed: &Failed<'_>) -> Vec<Line> {
    match (failed.tail, started(failed.cause)) {
        ([], false) => Vec::new(),
        // It was killed with the engine, which may not have written down any more what it printed.
        ([], true) if matches!(failed.cause.why, Why::End(End::Unknown)) => paragraph(look, "no lines of it are recorded"),
        ([], true) => paragraph(look, "it printed nothing"),
        (tail, _) => {
            let whose = if matches!(failed.cause.why, Why::Cause(Cause::NotVerified { .. })) { "its verify's" } else { "its" };
            let mut lines = paragraph(look, &format!("{whose} last lines:"));
            lines.extend(tail.iter().flat_map(|line| quoted(look, line)));
            lines
        }
    }
}

/// Whether what failed for this cause could have written anything.
fn started(cause: &Failure) -> bool {
    match &cause.why {
        Why::End(_) => true,
        Why::Cause(cause) => matches!(cause, Cause::Exit { .. } | Cause::Signal { .. } | Cause::Trap { .. } | Cause::OutOfMemory { .. }),
    }
}

fn heading(look: Look, failed: &Failed<'_>) -> Vec<Line> {
    let tolerated = matches!(failed.verdict, Some(Verdict::Proceed | Verdict::ProceedWithWarning));
    let symbol = if tolerated { Symbol::Warning } else { Symbol::Failed };
    let mut line = Line::new(look).symbol(symbol).space(1).add(Style::Name, &failed.name);
    line = line.plain(&format!(" ({}) ", failed.what)).add(symbol.style(), failed.outcome.word());
    if tolerated {
        line = line.plain("; the run went on");
    }
    line.fold(look.width, 2)
}

/// The cause in a sentence; what stands on lines of its own is left out.
fn sentence(cause: &Failure) -> String {
    match &cause.why {
        Why::Cause(Cause::Denied { denial }) => format!("denied: {}", denial.what),
        // It is of what was given, not of what a hook did: `explain` knows it as it knows the other mistakes.
        Why::Cause(Cause::Preflight { .. }) => format!("{} [{}]", cause.text, codes::PREFLIGHT),
        _ => cause.text.clone(),
    }
}

fn paragraph(look: Look, text: &str) -> Vec<Line> {
    Line::new(look).space(2).plain(text).fold(look.width, 4)
}

fn list(look: Look, head: &str, items: &[String]) -> Vec<Line> {
    if items.is_empty() {
        return Vec::new();
    }
    let mut lines = paragraph(look, head);
    lines.extend(items.iter().flat_map(|item| Line::new(look).space(4).plain(item).fold(look.width, 6)));
    lines
}

/// A line that isn't ours: behind a bar, so that it can't be taken for one.
fn quoted(look: Look, text: &str) -> Vec<Line> {
    let bar = Line::new(look).space(4).symbol(Symbol::Bar).space(1);
    let room = look.width.saturating_sub(bar.width());
    Line::new(look).plain(text).chop(room).into_iter().map(|part| bar.clone().append(part)).collect()
}
