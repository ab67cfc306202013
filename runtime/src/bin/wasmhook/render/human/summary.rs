//! A run that is over, at a glance: how it ended, each hook, all about each failure, what didn't run, what is live, and what to type next.

use super::{dry, failure, hint, versions, watch};
use crate::render::figures;
use crate::render::given::Given;
use crate::render::line::{Line, text};
use crate::render::look::{Look, Style, Symbol};
use crate::render::table::Table;
use std::collections::BTreeSet;
use wasmhook::model::event::Status;
use wasmhook::model::id::{Commit, RunId};
use wasmhook::model::outcome::Verdict;
use wasmhook::report::{HookReport, OutcomeWord, OutsidePaths, Report, StagedDir, UsageReport};

/// How many refusals of hooks that didn't fail are listed.
const MAX_REFUSED: usize = 20;

/// The summary of `report`, as text with line ends; the commands it ends with name again what this call was `given`.
pub fn render(look: Look, report: &Report, given: &Given) -> String {
    let mut sections = vec![head(look, report), hooks(look, report)];
    sections.extend(report.hooks.iter().map(|hook| failure::hook(look, report, hook)));
    sections.extend(report.steps.iter().map(|step| failure::step(look, step)));
    sections.push(notices(look, report));
    sections.push(refused(look, report));
    sections.push(dry::changes(look, report, given.diffs));
    sections.push(dry::after_skipped(look, report));
    sections.push(state(look, report));
    sections.push(next(look, report, given));
    sections.push(dry::not_tried(look, report));
    let sections: Vec<String> = sections.iter().filter(|lines| !lines.is_empty()).map(|lines| text(lines)).collect();
    sections.join("\n")
}

fn head(look: Look, report: &Report) -> Vec<Line> {
    let (symbol, words) = ending(report);
    let mut line = Line::new(look).symbol(symbol).space(1).add(Style::Strong, &words);
    if let (Some(app), Some(environment)) = (&report.app, &report.environment) {
        line = line.plain(&format!(": {app}/{environment}"));
    }
    let commit = report.commit.as_ref().map(Commit::as_str);
    let versions = versions(look, report.previous_version.as_deref(), report.new_version.as_deref(), commit);
    if versions.width() > 0 {
        line = line.space(1).append(versions);
    }
    if let Some(run) = report.run_id.as_ref().map(RunId::as_str) {
        line = line.add(Style::Dim, &format!(", run {run}"));
    }
    if let (Some(from), Some(to)) = (report.started_at, report.ended_at) {
        let took = u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0);
        line = line.add(Style::Dim, &format!(", {}", figures::millis(took)));
    }
    if report.dry_run {
        line = line.add(Style::Warn, ", dry run");
    }
    line.fold(look.width, 2)
}

fn ending(report: &Report) -> (Symbol, String) {
    match (report.status, report.warnings) {
        (Status::Success, 0) => (Symbol::Done, "succeeded".to_owned()),
        (Status::Success, 1) => (Symbol::Warning, "succeeded with 1 warning".to_owned()),
        (Status::Success, n) => (Symbol::Warning, format!("succeeded with {n} warnings")),
        (Status::SucceededButDeployFailed, _) => (Symbol::Failed, "succeeded, but the deployment was not completed".to_owned()),
        (Status::Failed, _) => (Symbol::Failed, "failed".to_owned()),
        (Status::Refused, _) => (Symbol::Failed, "refused: nothing ran".to_owned()),
        (Status::Interrupted, _) => (Symbol::Failed, "interrupted".to_owned()),
        (Status::Skipped, _) if watch::is_idle(report) => (Symbol::Skipped, "skipped: nothing to run".to_owned()),
        (Status::Skipped, _) => (Symbol::Skipped, "skipped: another run holds the lock".to_owned()),
        (Status::Locked, _) => (Symbol::Failed, "locked by another run: nothing ran".to_owned()),
    }
}

fn hooks(look: Look, report: &Report) -> Vec<Line> {
    let full = table(look, report, UsageReport::clone);
    // Where there is no room for the limits, what was used still is worth more than half of the columns.
    let table = if full.fits() { full } else { table(look, report, without_limits) };
    let mut lines = table.lines();
    if report.run_id.is_some() && lines.is_empty() {
        lines.push(Line::new(look).plain("No hook was due."));
    }
    lines.extend(skipped(look, report));
    lines
}

fn table(look: Look, report: &Report, shown: fn(&UsageReport) -> UsageReport) -> Table {
    let mut table = Table::new(look, &["PHASE", "HOOK", "OUTCOME", "TIME", "FUEL", "MEMORY"]);
    for hook in &report.hooks {
        let usage = shown(&hook.usage);
        let plain = |text: Option<String>| Line::new(look).plain(&text.unwrap_or_default());
        table.row(vec![
            Line::new(look).plain(hook.phase.as_str()),
            Line::new(look).add(Style::Name, &instance_name(hook)),
            outcome(look, hook),
            plain(figures::wall(&usage)),
            plain(figures::fuel(&usage)),
            plain(figures::memory(&usage)),
        ]);
    }
    table
}

fn without_limits(usage: &UsageReport) -> UsageReport {
    UsageReport { fuel_limit: None, timeout_ms: None, memory_limit_bytes: None, ..usage.clone() }
}

/// Why hooks were passed over: each reason once, with the hooks that it holds for.
fn skipped(look: Look, report: &Report) -> Vec<Line> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for (hook, skip) in report.hooks.iter().filter_map(|hook| Some((hook, hook.skip_reason.as_ref()?))) {
        match reasons.iter_mut().find(|(reason, _)| *reason == skip.text) {
            Some((_, names)) => names.push(hook.name()),
            None => reasons.push((&skip.text, vec![hook.name()])),
        }
    }
    let all = report.hooks.len();
    let told = |(reason, names): (&str, Vec<String>)| {
        let who = if names.len() == all && all > 1 { format!("all {all} hooks") } else { names.join(", ") };
        Line::new(look).symbol(Symbol::Skipped).space(1).plain(&format!("{who} skipped: {reason}")).fold(look.width, 2)
    };
    reasons.into_iter().flat_map(told).collect()
}

/// `hook`, `hook@instance`, `hook (revert)`.
fn instance_name(hook: &HookReport) -> String {
    let name = hook.name();
    let phase = format!("{}/", hook.phase);
    name.strip_prefix(&phase).unwrap_or(&name).to_owned()
}

fn outcome(look: Look, hook: &HookReport) -> Line {
    let symbol = match (hook.outcome, hook.verdict) {
        (OutcomeWord::Succeeded, _) => Symbol::Done,
        (OutcomeWord::Skipped, _) => Symbol::Skipped,
        (_, Some(Verdict::Proceed | Verdict::ProceedWithWarning)) => Symbol::Warning,
        (_, Some(Verdict::Abort) | None) => Symbol::Failed,
    };
    Line::new(look).symbol(symbol).space(1).plain(hook.outcome.word())
}

fn notices(look: Look, report: &Report) -> Vec<Line> {
    let symbol = match report.status {
        Status::Refused | Status::Locked => Symbol::Failed,
        Status::Skipped => Symbol::Skipped,
        Status::Success | Status::SucceededButDeployFailed | Status::Failed | Status::Interrupted => Symbol::Warning,
    };
    let mark = |text: &str| Line::new(look).symbol(symbol).space(1).plain(text).fold(look.width, 2);
    let unenforced = report.hooks.iter().flat_map(|hook| {
        hook.unenforced.iter().filter(|lost| *lost != "unconfined").map(|lost| format!("{}: not enforced: {lost}", hook.name()))
    });
    let said = report.notices.iter().map(|notice| format!("{} [{}]", notice.message, notice.code));
    // Each hook that has a directory would say the same of it.
    let copied: BTreeSet<String> =
        report.hooks.iter().flat_map(|hook| hook.stages.iter().flatten()).filter_map(StagedDir::copied).collect();
    said.chain(unenforced).chain(copied).flat_map(|text| mark(&text)).collect()
}

/// What hooks were refused that didn't fail of it, where somebody looked for all of it: another machine may not be as kind.
fn refused(look: Look, report: &Report) -> Vec<Line> {
    if report.outside_path_attempts != Some(OutsidePaths::Observed) {
        return Vec::new();
    }
    let told = report.hooks.iter().filter(|hook| hook.cause.is_none());
    let denials: Vec<_> = told.flat_map(|hook| hook.denials.iter().flatten().map(|denial| (hook.name(), denial))).collect();
    let mut lines: Vec<Line> = denials
        .iter()
        .take(MAX_REFUSED)
        .map(|(name, denial)| format!("{name} was refused {}; to allow it: {}", denial.what, denial.allow))
        .flat_map(|text| Line::new(look).symbol(Symbol::Warning).space(1).plain(&text).fold(look.width, 2))
        .collect();
    let unkept: u64 = report.hooks.iter().filter(|hook| hook.cause.is_none()).filter_map(|hook| hook.more_denials).sum();
    let unlisted = denials.len().saturating_sub(MAX_REFUSED) as u64 + unkept;
    if unlisted > 0 {
        let kept = if unkept > 0 { format!("{} of all", denials.len()) } else { "them all".to_owned() };
        lines.push(Line::new(look).space(2).add(Style::Dim, &format!("and {unlisted} more; the JSON report has {kept}")));
    }
    lines
}

/// What the run left behind, and what it didn't come to.
fn state(look: Look, report: &Report) -> Vec<Line> {
    let not_reached = report.not_reached();
    let cut_short = matches!(report.status, Status::Failed | Status::Interrupted) && !not_reached.is_empty();
    let missing = cut_short.then(|| format!("Did not run because of it: {}.", not_reached.join(", ")));
    let live = report.new_version_live.map(|live| format!("The new version is {}live.", if live { "" } else { "not " }));
    let backup = report.backup_path.as_ref().map(|path| format!("Backup: {path}"));
    let sentences = [missing, report.left_half_way.clone(), live, backup];
    sentences.into_iter().flatten().flat_map(|text| Line::new(look).plain(&text).fold(look.width, 2)).collect()
}

fn next(look: Look, report: &Report, given: &Given) -> Vec<Line> {
    let commands = hint::next(report, given);
    if commands.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::new(look).add(Style::Strong, "Next:")];
    lines.extend(commands.iter().flat_map(|typed| typed.lines(look, 2)));
    lines
}
