//! A platform's exact lines while a run goes on, and its answer at the end: events in the words of a profile.

use super::json;
use super::line::harmless;
use super::look::Charset;
use serde::ser::SerializeMap as _;
use std::collections::{BTreeMap, BTreeSet};
use wasmhook::Told;
use wasmhook::diagnostic::codes;
use wasmhook::engine::lines::{Words, fill};
use wasmhook::model::event::{Event, Finished, Place, PlannedHook, PlannedStep, Role, RunHeader, Status, Trigger, What};
use wasmhook::model::id::StepName;
use wasmhook::model::outcome::{Cause, Outcome, SkipReason, Verdict};
use wasmhook::profile::{PhaseDialect, Profile, ProfileStepKind};
use wasmhook::report::Report;

/// What was said of a run so far, in one profile's words.
pub struct Dialect {
    profile: Profile,
    charset: Charset,
    at_start: bool,
    run: Vec<(&'static str, String)>,
    steps: BTreeMap<StepName, PlannedStep>,
    hooks: BTreeMap<Place, PlannedHook>,
    /// Begin lines that nothing followed yet, and the last line of each hook.
    held: BTreeMap<Place, String>,
    last: BTreeMap<Place, String>,
    /// What is said once.
    said: BTreeSet<String>,
    interrupted: bool,
}

impl Dialect {
    /// Nothing was said yet.
    pub const fn new(profile: Profile, charset: Charset) -> Self {
        Self {
            profile,
            charset,
            at_start: false,
            run: Vec::new(),
            steps: BTreeMap::new(),
            hooks: BTreeMap::new(),
            held: BTreeMap::new(),
            last: BTreeMap::new(),
            said: BTreeSet::new(),
            interrupted: false,
        }
    }

    /// Whether the run ends with an answer on standard output, so that its lines belong to standard error.
    pub const fn answers(&self) -> bool {
        !self.profile.dialect.response.is_empty()
    }

    /// The lines that tell of `event`.
    pub fn event(&mut self, event: &Event) -> String {
        let mut out = Out { charset: self.charset, text: String::new() };
        match &event.what {
            What::RunStarted { header, steps } => self.begin(header, steps),
            What::StepStarted { step, detail } => {
                out.maybe(detail.as_ref());
                if self.steps.get(step).is_some_and(|planned| planned.hooks.is_empty()) {
                    self.once(step, "empty", |phase| &phase.empty, &mut out);
                }
            }
            What::Started { place, .. } => self.started(place, &mut out),
            // To the platform, what verifies a hook is a part of it.
            What::Output { place, line, .. } if place.role == Role::Verify => self.output(&place.in_role(Role::Main), line, &mut out),
            What::Output { place, line, .. } => self.output(place, line, &mut out),
            What::Finished { place, result } => self.finished(place, result, &mut out),
            What::StepFinished { step, verdict, detail } => {
                out.maybe(detail.as_ref());
                self.step_finished(step, *verdict, &mut out);
            }
            What::Warning { code, message } => self.warning(code, message, &mut out),
            What::Interrupted { .. } => self.interrupted = true,
            // No platform has words for what it never had.
            What::GettingReady { .. }
            | What::Verifying { .. }
            | What::Verified { .. }
            | What::BackedUp { .. }
            | What::WouldChange { .. }
            | What::Resolved { .. }
            | What::DeployFailed { .. }
            | What::Unlocked { .. } => {}
            What::RunFinished { status, detail, .. } => {
                out.maybe(detail.as_ref());
                let ran = self.said.contains("ran");
                match status {
                    Status::Success if ran => self.of_run(self.profile.dialect.success.as_ref(), &mut out),
                    Status::Failed => self.of_run(self.profile.dialect.failed.as_ref(), &mut out),
                    _ => {}
                }
            }
        }
        out.text
    }

    /// What is said when everything is over: that there was no run, and the answer.
    ///
    /// # Errors
    /// `serde_json::Error` if the report can't be JSON.
    pub fn end(&self, report: &Report) -> Result<(String, Option<String>), serde_json::Error> {
        let mut out = Out { charset: self.charset, text: String::new() };
        if report.notices.iter().any(|notice| notice.code == codes::COMMIT_UNCHANGED) {
            self.of_run(self.profile.dialect.unchanged.as_ref(), &mut out);
        } else if report.status == Status::Skipped && report.notices.iter().any(|notice| notice.code == codes::UNKNOWN_REVISION) {
            report.notices.iter().for_each(|notice| self.warning(&notice.code, &notice.message, &mut out));
        } else if matches!(report.status, Status::Skipped | Status::Locked) {
            let locked = self.profile.dialect.locked.as_ref();
            match locked {
                Some(_) => self.of_run(locked, &mut out),
                None => out.line("another run holds the lock: nothing ran"),
            }
        }
        if report.status == Status::Refused {
            report.notices.iter().for_each(|notice| self.warning(&notice.code, &notice.message, &mut out));
        }
        Ok((out.text, self.answers().then(|| self.answer(report)).transpose()?))
    }

    fn answer(&self, report: &Report) -> Result<String, serde_json::Error> {
        let all = serde_json::to_value(report)?;
        let dialect = &self.profile.dialect;
        let more = dialect.response_failed.iter().filter(|_| report.status != Status::Success);
        let fields: Vec<_> = dialect.response.iter().chain(more).filter_map(|name| Some((name.as_str(), all.get(name)?))).collect();
        json::pretty(&InOrder(&fields))
    }

    /// The lines that tell of what happens between the runs of a watch; the end of a run is [`Self::end`]'s.
    pub fn told(&self, told: &Told) -> String {
        let mut out = Out { charset: self.charset, text: String::new() };
        let dialect = &self.profile.dialect;
        let line =
            |template: &Option<String>, word, value: String| template.as_ref().map(|template| self.filled(template, &[(word, value)]));
        match told {
            Told::CheckedOut { commit, .. } => out.maybe(line(&dialect.commit, "commit", commit.to_string()).as_ref()),
            Told::Waiting { seconds } => out.maybe(line(&dialect.waiting, "seconds", seconds.to_string()).as_ref()),
            Told::Warning { code, message } => self.warning(code, message, &mut out),
            Told::ApplicationNotStarted { message } => self.warning(codes::APPLICATION, message, &mut out),
            _ => {}
        }
        out.text
    }

    /// A new run: nothing was said of it yet.
    fn begin(&mut self, header: &RunHeader, steps: &[PlannedStep]) {
        self.at_start = header.trigger == Some(Trigger::AtStart);
        self.held.clear();
        self.last.clear();
        self.said.clear();
        self.interrupted = false;
        let shown = |name: Option<String>| name.unwrap_or_default();
        self.run = vec![
            ("app", header.app.to_string()),
            ("environment", header.environment.to_string()),
            ("tag", shown(header.tag.as_ref().map(ToString::to_string))),
            ("commit", shown(header.commit.as_ref().map(ToString::to_string))),
        ];
        self.steps = steps.iter().map(|step| (step.step.clone(), step.clone())).collect();
        self.hooks = steps.iter().flat_map(|step| &step.hooks).map(|hook| (hook.place.clone(), hook.clone())).collect();
    }

    fn started(&mut self, place: &Place, out: &mut Out) {
        if place.hook.is_none() {
            return;
        }
        if self.said.insert("ran".to_owned()) && !self.at_start {
            self.of_run(self.profile.dialect.begin.as_ref(), out);
        }
        self.once(&place.step, "heading", |phase| &phase.heading, out);
        if let Some(line) = self.of_hook(place, |phase| &phase.begin, &[]) {
            self.held.insert(place.clone(), line);
        }
    }

    fn output(&mut self, place: &Place, line: &str, out: &mut Out) {
        if let Some(begin) = self.held.remove(place).filter(|begin| begin != line) {
            out.line(&begin);
        }
        let prefix = self.of_hook(place, |phase| &phase.prefix, &[]).filter(|prefix| !line.starts_with(prefix.as_str()));
        match prefix {
            Some(prefix) => out.line(format!("{prefix} {line}").trim_end()),
            None => out.line(line),
        }
        self.last.insert(place.clone(), line.to_owned());
    }

    fn finished(&mut self, place: &Place, result: &Finished, out: &mut Out) {
        if place.hook.is_none() {
            return out.maybe(result.detail.as_ref());
        }
        if let Some(begin) = self.held.remove(place) {
            out.line(&begin);
        }
        let last = self.last.remove(place);
        match &result.outcome {
            Outcome::Succeeded => {
                let done = self.of_hook(place, |phase| &phase.done, &[]);
                out.maybe(done.filter(|done| last.as_ref() != Some(done)).as_ref());
            }
            Outcome::Skipped { reason } => self.skipped(place, reason, out),
            Outcome::Cancelled => out.maybe(self.of_hook(place, |phase| &phase.interrupted, &[]).as_ref()),
            outcome => self.bad_end(place, outcome, result.verdict, out),
        }
    }

    fn skipped(&mut self, place: &Place, reason: &SkipReason, out: &mut Out) {
        match reason {
            SkipReason::CommitUnchanged if self.said.insert("unchanged".to_owned()) => {
                self.of_run(self.profile.dialect.unchanged.as_ref(), out);
            }
            SkipReason::Disabled => self.once(&place.step, "empty", |phase| &phase.empty, out),
            SkipReason::AlreadyDone { .. } | SkipReason::Marker { .. } => {
                out.maybe(self.of_hook(place, |phase| &phase.skipped, &[]).as_ref());
            }
            _ => {}
        }
    }

    fn bad_end(&self, place: &Place, outcome: &Outcome, verdict: Verdict, out: &mut Out) {
        let seconds = self.hooks.get(place).and_then(|hook| hook.limits.timeout_ms).unwrap_or_default() / 1_000;
        let cause = match outcome {
            Outcome::Failed { cause } => cause.to_string(),
            other => other.to_string(),
        };
        let mut words = vec![("cause", cause), ("seconds", seconds.to_string())];
        let template: fn(&PhaseDialect) -> &Option<String> = match outcome {
            Outcome::Failed { cause: Cause::Exit { code } } => {
                words.push(("code", code.to_string()));
                |phase| if phase.exit.is_some() { &phase.exit } else { &phase.failed }
            }
            Outcome::TimedOut { .. } => |phase| if phase.timed_out.is_some() { &phase.timed_out } else { &phase.failed },
            _ => |phase| &phase.failed,
        };
        out.maybe(self.of_hook(place, template, &words).as_ref());
        if verdict != Verdict::Abort {
            out.maybe(self.of_hook(place, |phase| &phase.tolerated, &words).as_ref());
        }
    }

    fn step_finished(&self, step: &StepName, verdict: Verdict, out: &mut Out) {
        let Some((phase, title)) = self.phase(step) else { return };
        if verdict != Verdict::Abort || self.interrupted {
            return;
        }
        let at_start = phase.aborted_at_start.as_ref().filter(|_| self.at_start);
        out.maybe(at_start.or(phase.aborted.as_ref()).map(|template| self.filled(template, &[("title", title.to_owned())])).as_ref());
    }

    fn warning(&self, code: &str, message: &str, out: &mut Out) {
        // What a tolerated failure says of itself has its own line.
        if code == codes::TOLERATED && self.profile.phases().any(|(_, phase)| phase.dialect.tolerated.is_some()) {
            return;
        }
        let template = self.profile.dialect.warning.as_deref().unwrap_or("warning: {message} [{code}]");
        out.line(&self.filled(template, &[("message", message.to_owned()), ("code", code.to_owned())]));
    }

    fn phase(&self, step: &StepName) -> Option<(&PhaseDialect, &str)> {
        match &self.profile.step(step)?.kind {
            ProfileStepKind::Phase(policy) => Some((&policy.dialect, &policy.title)),
            ProfileStepKind::Host(_) | ProfileStepKind::Fact(_) => None,
        }
    }

    /// A line of a phase that is said once in a run.
    fn once(&mut self, step: &StepName, what: &str, template: fn(&PhaseDialect) -> &Option<String>, out: &mut Out) {
        if self.phase(step).is_none() || !self.said.insert(format!("{what} {step}")) {
            return;
        }
        let line = self
            .phase(step)
            .and_then(|(phase, title)| template(phase).as_ref().map(|template| self.filled(template, &[("title", title.to_owned())])));
        out.maybe(line.as_ref());
    }

    fn of_run(&self, template: Option<&String>, out: &mut Out) {
        out.maybe(template.map(|template| self.filled(template, &[])).as_ref());
    }

    fn of_hook(&self, place: &Place, template: fn(&PhaseDialect) -> &Option<String>, words: &[(&'static str, String)]) -> Option<String> {
        let (phase, title) = self.phase(&place.step)?;
        let template = template(phase).as_ref()?;
        let hook = self.hooks.get(place);
        let id = place.hook.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut all = vec![
            ("title", title.to_owned()),
            ("file", hook.map_or_else(|| id.clone(), |hook| hook.file.clone())),
            ("label", hook.map_or_else(|| id.clone(), |hook| hook.label.clone())),
            ("hook", id),
        ];
        all.extend(words.iter().cloned());
        Some(self.filled(template, &all))
    }

    fn filled(&self, template: &str, words: &[(&'static str, String)]) -> String {
        fill(template, &Words { fixed: words.iter().chain(&self.run).cloned().collect(), outputs: &[] })
    }
}

/// Text under construction: lines with their ends, and nothing in them that could steer a terminal.
struct Out {
    charset: Charset,
    text: String,
}

impl Out {
    /// A line, or the lines of a template that has several.
    fn line(&mut self, line: &str) {
        for line in line.split('\n') {
            let parts: Vec<String> = line.split('\t').map(|part| harmless(part, self.charset)).collect();
            self.text.push_str(&parts.join("\t"));
            self.text.push('\n');
        }
    }

    fn maybe(&mut self, line: Option<&String>) {
        if let Some(line) = line {
            self.line(line);
        }
    }
}

/// A JSON object whose fields keep their order.
struct InOrder<'a>(&'a [(&'a str, &'a serde_json::Value)]);

impl serde::Serialize for InOrder<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
