//! Lines while a run goes on: each event becomes none or more of them. Complete without a terminal: nothing is ever overwritten.

use super::{dry, settle, versions};
use crate::render::figures;
use crate::render::line::{Line, brief};
use crate::render::look::{LongLines, Look, Style, Symbol};
use std::collections::{BTreeMap, BTreeSet};
use wasmhook::model::backup::BackupContents;
use wasmhook::model::event::{Event, Finished, GuestKind, Place, PlannedHook, PlannedStep, Role, RunHeader, StepKind, Verified, What};
use wasmhook::model::grant::Denial;
use wasmhook::model::id::{Commit, RunId, StepName, Tag};
use wasmhook::model::outcome::{Outcome, Verdict};
use wasmhook::model::units::show_size;
use wasmhook::report::UsageReport;

/// What was seen of a run so far, as far as its next lines need it.
pub struct Live {
    look: Look,
    steps: BTreeMap<StepName, PlannedStep>,
    hooks: BTreeMap<Place, PlannedHook>,
    running: Vec<Running>,
    /// Steps in which something was told to abort, and whether all of that was only cancelled.
    only_cancelled: BTreeMap<StepName, bool>,
    /// Directories of which it was said that they are copied.
    copied: BTreeSet<String>,
}

/// Something that runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Where.
    pub place: Place,
    /// Its deadline in milliseconds, if it is known.
    pub timeout_ms: Option<u64>,
}

impl Live {
    /// Nothing was seen yet.
    pub const fn new(look: Look) -> Self {
        Self {
            look,
            steps: BTreeMap::new(),
            hooks: BTreeMap::new(),
            running: Vec::new(),
            only_cancelled: BTreeMap::new(),
            copied: BTreeSet::new(),
        }
    }

    /// What the lines are made for.
    pub const fn look(&self) -> Look {
        self.look
    }

    /// What runs now, oldest first.
    pub fn running(&self) -> &[Running] {
        &self.running
    }

    /// The lines that tell of `event`.
    pub fn event(&mut self, event: &Event) -> Vec<Line> {
        match &event.what {
            What::RunStarted { header, steps } => self.run_started(&event.run, header, steps),
            What::StepStarted { step, detail } => self.step_started(step, detail.as_deref()),
            What::Started { place, attempt } => self.started(place, *attempt),
            What::GettingReady { place, doing } => self.before(place, doing),
            What::BackedUp { place, dirs, path, contents } => self.before(place, &backed_up(dirs, path.as_deref(), contents)),
            What::Verifying { place, reported, .. } => self.verifying(place, reported.is_some()),
            What::Verified { place, result } => self.verified(place, result),
            What::Output { place, line, .. } => self.output(place, line),
            What::Finished { place, result } => self.finished(place, result),
            What::StepFinished { step, verdict, detail } => self.step_finished(step, *verdict, detail.as_deref()),
            What::Warning { code, message } => self.warning(&format!("{message} [{code}]")),
            What::Resolved { place, release, resolution, by: Some(by) } => {
                self.warning(&format!("{place} of release {release} {} by {by}", resolution.words()))
            }
            What::DeployFailed { by, detail } => self.warning(&format!("{detail} (said by {by})")),
            What::Unlocked { by, owner } => self.warning(&format!("{by} took the lock away from {owner}")),
            What::Interrupted { signal: Some(signal) } => self.warning(&format!("interrupted by signal {signal}: ending what runs")),
            What::Interrupted { signal: None } => self.warning("interrupted: ending what runs"),
            What::RunFinished { detail: Some(detail), .. } => self.warning(detail),
            // The summary tells of it.
            What::RunFinished { detail: None, .. } | What::WouldChange { .. } | What::Resolved { by: None, .. } => Vec::new(),
        }
    }

    fn line(&self) -> Line {
        Line::new(self.look)
    }

    fn warning(&self, text: &str) -> Vec<Line> {
        settle(self.look, self.line().symbol(Symbol::Warning).space(1).plain(text), 2)
    }

    fn run_started(&mut self, run: &RunId, header: &RunHeader, steps: &[PlannedStep]) -> Vec<Line> {
        self.steps = steps.iter().map(|step| (step.step.clone(), step.clone())).collect();
        self.hooks = steps.iter().flat_map(|step| &step.hooks).map(|hook| (hook.place.clone(), hook.clone())).collect();
        let new = header.tag.as_ref().map(Tag::as_str);
        let commit = header.commit.as_ref().map(Commit::as_str);
        let versions = versions(self.look, header.previous_version.as_deref(), new, commit);
        let target = self.line().add(Style::Strong, &format!("{}/{}", header.app, header.environment));
        let target = if versions.width() > 0 { target.space(1).append(versions) } else { target };
        let head = target.add(Style::Dim, &format!(", profile {}, run {run}", header.profile));
        let mut lines = settle(self.look, head, 2);
        if header.dry_run {
            lines.extend(self.warning("dry run: nothing is left behind"));
        }
        lines
    }

    fn step_started(&self, step: &StepName, detail: Option<&str>) -> Vec<Line> {
        let mut line = self.line().symbol(Symbol::Arrow).space(1).add(Style::Strong, step.as_str());
        let planned = self.steps.get(step);
        if let Some(detail) = detail.or(planned.and_then(|planned| planned.found.as_deref())) {
            line = line.plain(": ").plain(detail);
        }
        if planned.is_some_and(|planned| planned.kind == StepKind::Phase && planned.hooks.is_empty()) {
            line = line.add(Style::Dim, ": no hooks");
        }
        settle(self.look, line, 2)
    }

    /// What happens before something starts.
    fn before(&self, place: &Place, text: &str) -> Vec<Line> {
        let line = self.line().space(2).symbol(Symbol::Arrow).space(1).add(Style::Name, &place.to_string()).plain(": ").plain(text);
        settle(self.look, line, 4)
    }

    fn started(&mut self, place: &Place, attempt: u32) -> Vec<Line> {
        let planned = self.hooks.get(place);
        let timeout_ms = planned.and_then(|hook| hook.limits.timeout_ms);
        let mut lines = Vec::new();
        if let Some(hook) = planned {
            lines = settle(self.look, self.beginning(hook, attempt), 4);
            if let Some(source) = &hook.source {
                lines.extend(self.note(&format!("it comes from {source}")));
            }
            if let Some(reason) = &hook.fallback {
                lines.extend(self.note(&format!("the fallback runs: {reason}")));
            }
            if hook.unconfined {
                lines.extend(self.note("unconfined: it runs with the rights of whoever started this"));
            }
        }
        self.running.push(Running { place: place.clone(), timeout_ms });
        lines
    }

    fn verifying(&mut self, place: &Place, hook_ended: bool) -> Vec<Line> {
        let planned = self.hooks.get(&place.in_role(Role::Main)).and_then(|hook| hook.verify.as_ref());
        self.running.push(Running { place: place.clone(), timeout_ms: planned.and_then(|planned| planned.limits.timeout_ms) });
        let asked = if hook_ended { "did it take?" } else { "did it take before the engine died?" };
        self.before(
            place,
            &planned.map_or_else(|| asked.to_owned(), |planned| format!("{}: {asked}", brief(&planned.file, self.look.charset))),
        )
    }

    fn verified(&mut self, place: &Place, result: &Verified) -> Vec<Line> {
        self.running.retain(|running| running.place != *place);
        let symbol = if result.outcome.is_ok() { Symbol::Done } else { Symbol::Warning };
        let line = self.line().space(2).symbol(symbol).space(1).add(Style::Name, &place.to_string());
        let mut lines = settle(self.look, line.plain(&format!(" {}", result.outcome)), 4);
        lines.extend(self.refused(result.denials.as_deref(), result.more_denials));
        lines
    }

    fn refused(&self, denials: Option<&[Denial]>, more: u64) -> Vec<Line> {
        let refused = |denial: &Denial| self.note(&format!("refused: {}; to allow it: {}", denial.what, denial.allow));
        let unkept = (more > 0)
            .then(|| self.note(&format!("refused {more} more times: only the first {} are listed", denials.map_or(0, <[Denial]>::len))));
        denials.unwrap_or_default().iter().flat_map(refused).chain(unkept.into_iter().flatten()).collect()
    }

    fn beginning(&self, hook: &PlannedHook, attempt: u32) -> Line {
        let kind = match hook.guest {
            GuestKind::Wasm => "wasm",
            GuestKind::Native => "native",
        };
        let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        // A hook that was found by its file's name has that name already.
        let named = hook.place.hook.as_ref().is_some_and(|id| id.as_str() == hook.file);
        let file = if named { String::new() } else { format!(": {}", brief(&hook.file, self.look.charset)) };
        self.line()
            .space(2)
            .symbol(Symbol::Arrow)
            .space(1)
            .add(Style::Name, &hook.place.to_string())
            .plain(&file)
            .add(Style::Dim, &format!(" ({kind}{again}; {})", figures::at_most(&hook.limits, hook.guest)))
    }

    fn note(&self, text: &str) -> Vec<Line> {
        settle(self.look, self.line().space(4).symbol(Symbol::Warning).space(1).plain(text), 6)
    }

    fn output(&self, place: &Place, text: &str) -> Vec<Line> {
        let half = (self.look.width / 2).max(8);
        let name = self.line().add(Style::Name, &place.to_string()).cut(half);
        let prefix = self.line().space(2).append(name).space(1).symbol(Symbol::Bar).space(1);
        let text = self.line().plain(text);
        let parts = match self.look.long_lines {
            LongLines::Fold => text.chop(self.look.width.saturating_sub(prefix.width()).max(8)),
            LongLines::Keep => vec![text],
        };
        parts.into_iter().map(|part| prefix.clone().append(part)).collect()
    }

    fn finished(&mut self, place: &Place, result: &Finished) -> Vec<Line> {
        self.running.retain(|running| running.place != *place);
        if result.verdict == Verdict::Abort {
            let only_cancelled = self.only_cancelled.entry(place.step.clone()).or_insert(true);
            *only_cancelled &= result.outcome == Outcome::Cancelled;
        }
        let mut lines = settle(self.look, self.ending(place, result), 4);
        lines.extend(self.refused(result.denials.as_deref(), result.more_denials));
        // A host step never is confined, and a hook that isn't was marked when it began.
        for lost in result.unenforced.iter().filter(|lost| *lost != "unconfined") {
            lines.extend(self.note(&format!("not enforced: {lost}")));
        }
        for staged in result.stages.iter().flatten() {
            if let Some(copied) = staged.copied().filter(|_| self.copied.insert(staged.dir.clone())) {
                lines.extend(self.note(&copied));
            }
        }
        if !result.after_skipped.is_empty() && !matches!(result.outcome, Outcome::Skipped { .. }) {
            lines.extend(self.note(&format!("{}: what it did may depend on that", dry::after_steps(&result.after_skipped))));
        }
        if let (Some(detail), None) = (&result.detail, &place.hook) {
            lines.extend(settle(self.look, self.line().space(4).plain(detail), 4));
        }
        lines
    }

    fn ending(&self, place: &Place, result: &Finished) -> Line {
        let symbol = match (&result.outcome, result.verdict) {
            (Outcome::Succeeded, _) => Symbol::Done,
            (Outcome::Skipped { .. }, _) => Symbol::Skipped,
            (_, Verdict::Abort) => Symbol::Failed,
            (_, Verdict::Proceed | Verdict::ProceedWithWarning) => Symbol::Warning,
        };
        let goes_on = !result.outcome.is_ok() && result.verdict != Verdict::Abort;
        let usage = UsageReport::measured(&result.usage, self.hooks.get(place).map(|hook| &hook.limits));
        let mut figures = figures::all(&usage);
        if place.hook.is_none() && result.unenforced.iter().any(|lost| lost == "unconfined") {
            figures.push_str(", unconfined");
        }
        let mut line = self.line().space(2).symbol(symbol).space(1).add(Style::Name, &place.to_string());
        line = line.plain(&format!(" {}", result.outcome));
        if goes_on {
            line = line.add(Style::Warn, "; the run goes on");
        }
        if figures.is_empty() { line } else { line.add(Style::Dim, &format!(" [{figures}]")) }
    }

    fn step_finished(&self, step: &StepName, verdict: Verdict, detail: Option<&str>) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(detail) = detail {
            lines.extend(settle(self.look, self.line().space(4).plain(detail), 4));
        }
        // What was cancelled didn't end the run: somebody else did.
        if verdict == Verdict::Abort && !self.only_cancelled.get(step).is_some_and(|only| *only) {
            let line = self.line().symbol(Symbol::Failed).space(1).add(Style::Bad, &format!("{step} ends the run"));
            lines.extend(settle(self.look, line, 2));
        }
        lines
    }
}

fn backed_up(dirs: &[String], path: Option<&str>, contents: &BackupContents) -> String {
    let Some(path) = path else { return format!("a real run backs up {} before it", dirs.join(", ")) };
    let databases = match contents.databases {
        0 => String::new(),
        1 => ", 1 database".to_owned(),
        databases => format!(", {databases} databases"),
    };
    format!("backed up in {path} ({} files{databases}, {})", contents.files, show_size(contents.bytes))
}
