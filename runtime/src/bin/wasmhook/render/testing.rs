//! Looks and a hostile text for the renderers' tests.

use super::look::{Charset, Colour, LongLines, Look};

/// A modern terminal without colours.
pub const UNICODE: Look = Look { width: 80, charset: Charset::Unicode, colour: Colour::Off, long_lines: LongLines::Fold };
/// A modern terminal.
pub const COLOUR: Look = Look { colour: Colour::On, ..UNICODE };
/// A log file.
pub const ASCII: Look = Look { charset: Charset::Ascii, long_lines: LongLines::Keep, ..UNICODE };

/// The same look, `width` columns wide.
pub const fn wide(look: Look, width: usize) -> Look {
    Look { width, ..look }
}

/// Panics if `text` holds a control character that isn't a line end or one of our own SGR sequences, or something that reorders text.
#[track_caller]
pub fn assert_harmless(text: &str) {
    let mut rest = text.to_owned();
    for sgr in ["0", "1", "2", "32", "33", "1;31", "36"] {
        rest = rest.replace(&format!("\u{1b}[{sgr}m"), "");
    }
    let bad = rest.chars().find(|c| *c != '\n' && !super::line::is_printable(*c, Charset::Unicode));
    assert_eq!(bad, None, "in {rest:?}");
}

/// Panics if a line of `text` is wider than `width`.
#[track_caller]
pub fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "wider than {width}: {line}");
    }
}

/// Journals as a run writes them.
pub mod journal {
    use wasmhook::model::event::{
        Earlier, Event, Finished, GuestKind, Place, PlannedHook, PlannedStep, Role, RunHeader, Status, StepKind, What,
    };
    use wasmhook::model::grant::{Capability, Denial};
    use wasmhook::model::id::{AppName, Commit, Digest, EnvironmentName, HookId, RunId, StepName, Tag};
    use wasmhook::model::job::Stream;
    use wasmhook::model::limits::Limits;
    use wasmhook::model::outcome::{Cause, Outcome, SkipReason, TimeLimit, TrapKind, Usage, Verdict};
    use wasmhook::model::reach::Reach;

    /// A step's name.
    pub fn step_name(name: &str) -> StepName {
        StepName::new(name).unwrap()
    }

    /// A hook's place.
    pub fn place(phase: &str, hook: &str) -> Place {
        Place { hook: Some(HookId::new(hook).unwrap()), role: Role::Main, ..Place::step(step_name(phase)) }
    }

    fn hook(phase: &str, id: &str, file: &str) -> PlannedHook {
        PlannedHook {
            place: place(phase, id),
            label: id.to_owned(),
            file: file.to_owned(),
            guest: GuestKind::Wasm,
            fallback: None,
            source: None,
            unconfined: false,
            enabled: true,
            limits: Limits::default(),
            reach: Some(Reach { live: vec!["/srv/db".into()], staged: vec!["/srv/static".into()], unconfined: false }),
            revert: None,
            verify: None,
        }
    }

    fn host(name: &str) -> PlannedStep {
        PlannedStep { step: step_name(name), kind: StepKind::Host, always: false, makes_live: false, found: None, hooks: Vec::new() }
    }

    fn phase(name: &str, hooks: Vec<PlannedHook>) -> PlannedStep {
        PlannedStep { kind: StepKind::Phase, hooks, ..host(name) }
    }

    /// How something ended.
    pub fn ended(outcome: Outcome, verdict: Verdict) -> Finished {
        let usage = Usage { fuel: Some(1_234_567_890), wall_ms: Some(1_200), memory_peak_bytes: Some(12 << 20), output_bytes: Some(120) };
        let usage = if matches!(outcome, Outcome::Skipped { .. }) { Usage::default() } else { usage };
        Finished { usage, denials: Some(Vec::new()), ..Finished::of(outcome, verdict) }
    }

    /// It succeeded.
    pub fn ok() -> Finished {
        ended(Outcome::Succeeded, Verdict::Proceed)
    }

    /// `whats` as the events of one run, a second apart.
    pub fn events(whats: Vec<What>) -> Vec<Event> {
        let event = |(seq, what)| Event {
            schema: 1,
            seq,
            at: jiff::Timestamp::from_second(1_765_900_000 + i64::try_from(seq).unwrap()).unwrap(),
            run: RunId::new("01JFAKE").unwrap(),
            what,
        };
        (0..).zip(whats).map(event).collect()
    }

    /// The run begins.
    pub fn begin() -> What {
        let header = RunHeader {
            app: AppName::new("shop").unwrap(),
            environment: EnvironmentName::new("testsite").unwrap(),
            profile: "tenant-upgrade".to_owned(),
            tag: Some(Tag::new("v0.4.0").unwrap()),
            commit: Some(Commit::new("abc123").unwrap()),
            previous_version: Some("v0.3.28".to_owned()),
            plan_digest: Digest::of(b"plan"),
            dry_run: false,
            partial: false,
            audit: false,
            resumes: None,
            earlier: Earlier::default(),
            trigger: None,
        };
        let steps = vec![
            host("stop-services"),
            phase("pre-pull", Vec::new()),
            phase("post-pull", vec![hook("post-pull", "warm", "release/warm.wasm"), hook("post-pull", "v0.4.0", "release/v0.4.0.wasm")]),
            phase("post-migrate", vec![hook("post-migrate", "verify", "verify.wasm")]),
            PlannedStep { makes_live: true, ..host("update-version") },
            PlannedStep { always: true, ..host("start-services") },
        ];
        What::RunStarted { header: Box::new(header), steps }
    }

    fn host_step(name: &str, begin: &str, end: &str) -> Vec<What> {
        let place = Place::step(step_name(name));
        vec![
            What::StepStarted { step: step_name(name), detail: Some(begin.to_owned()) },
            What::Started { place: place.clone(), attempt: 1 },
            What::Finished {
                place,
                result: Box::new(Finished {
                    usage: Usage { wall_ms: Some(400), ..Usage::default() },
                    detail: Some(end.to_owned()),
                    ..ok()
                }),
            },
            What::StepFinished { step: step_name(name), verdict: Verdict::Proceed, detail: None },
        ]
    }

    fn run(place: &Place, lines: &[&str], result: Finished) -> Vec<What> {
        let mut whats = vec![What::Started { place: place.clone(), attempt: 1 }];
        let output = |line: &&str| What::Output { place: place.clone(), stream: Stream::Stdout, line: (*line).to_owned() };
        whats.extend(lines.iter().map(output));
        let tail = lines.iter().map(|line| (*line).to_owned()).collect();
        whats.push(What::Finished { place: place.clone(), result: Box::new(Finished { tail, ..result }) });
        whats
    }

    fn until_post_pull() -> Vec<What> {
        let mut whats = vec![begin()];
        whats.extend(host_step("stop-services", "Stopping services...", "Services stopped"));
        whats.push(What::StepStarted { step: step_name("pre-pull"), detail: None });
        whats.push(What::StepFinished { step: step_name("pre-pull"), verdict: Verdict::Proceed, detail: None });
        whats.push(What::StepStarted { step: step_name("post-pull"), detail: None });
        whats
    }

    /// An upgrade that ends well, one tolerated timeout and one skip included.
    pub fn success() -> Vec<Event> {
        let mut whats = until_post_pull();
        let late = Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false };
        whats.extend(run(&place("post-pull", "warm"), &["warming 1 of 900"], ended(late, Verdict::ProceedWithWarning)));
        whats.extend(run(&place("post-pull", "v0.4.0"), &["=== Release hook: v0.4.0 ==="], ok()));
        let skip = Outcome::Skipped { reason: SkipReason::AlreadyDone { run: "01JEARLIER".to_owned() } };
        whats.push(What::StepStarted { step: step_name("post-migrate"), detail: None });
        whats.push(What::Finished { place: place("post-migrate", "verify"), result: Box::new(ended(skip, Verdict::Proceed)) });
        whats.extend(host_step("update-version", "Updating the version...", "Version updated"));
        whats.extend(host_step("start-services", "Starting services...", "Services started"));
        whats.push(What::RunFinished { status: Status::Success, detail: None, live_version: None });
        events(whats)
    }

    /// An upgrade whose second hook traps after a denial.
    pub fn failure() -> Vec<Event> {
        let trap = Cause::Trap {
            trap: TrapKind::Unreachable,
            message: "wasm trap: `unreachable` instruction executed".to_owned(),
            backtrace: vec!["core::panicking::panic".to_owned(), "migrate::main".to_owned()],
        };
        let denial = Denial {
            capability: Capability::Dir,
            what: "write /srv/other".to_owned(),
            allow: "dirs = [{ path = \"/srv/other\" }]".to_owned(),
        };
        let failed = Finished { denials: Some(vec![denial]), ..ended(Outcome::Failed { cause: trap }, Verdict::Abort) };
        let mut whats = until_post_pull();
        whats.extend(run(&place("post-pull", "warm"), &["warm"], ok()));
        whats.extend(run(&place("post-pull", "v0.4.0"), &["reading data", "thread 'main' panicked at src/main.rs:3"], failed));
        whats.push(What::StepFinished { step: step_name("post-pull"), verdict: Verdict::Abort, detail: None });
        whats.extend(host_step("start-services", "Starting services...", "Services started"));
        let meaning = "Services run the new tree with the old version record.".to_owned();
        whats.push(What::RunFinished { status: Status::Failed, detail: Some(meaning), live_version: None });
        events(whats)
    }

    /// A run in which everything that isn't ours says `text`.
    pub fn hostile(text: &str) -> Vec<Event> {
        let text = || text.to_owned();
        let mut begin = begin();
        if let What::RunStarted { header, steps } = &mut begin {
            header.previous_version = Some(text());
            header.profile = text();
            for hook in steps.iter_mut().flat_map(|step| &mut step.hooks) {
                (hook.label, hook.file, hook.fallback) = (text(), text(), Some(text()));
            }
        }
        let cause = Cause::Trap { trap: TrapKind::Other, message: text(), backtrace: vec![text()] };
        let denial = Denial { capability: Capability::Dir, what: text(), allow: text() };
        let failed = Finished {
            denials: Some(vec![denial.clone()]),
            unenforced: vec![text()],
            outputs: vec![("detail".to_owned(), text()), ("backup_path".to_owned(), text())],
            detail: Some(text()),
            ..ended(Outcome::Failed { cause }, Verdict::ProceedWithWarning)
        };
        let denied = ended(Outcome::Failed { cause: Cause::Denied { denial } }, Verdict::Abort);
        let skipped = ended(Outcome::Skipped { reason: SkipReason::SaidByHook { message: text() } }, Verdict::Proceed);
        let mut whats = vec![begin, What::StepStarted { step: step_name("post-pull"), detail: Some(text()) }];
        whats.extend(run(&place("post-pull", "warm"), &[&text()], failed));
        whats.extend(run(&place("post-pull", "v0.4.0"), &[&text()], denied));
        whats.push(What::Finished { place: place("post-migrate", "verify"), result: Box::new(skipped) });
        whats.push(What::StepFinished { step: step_name("post-pull"), verdict: Verdict::Abort, detail: Some(text()) });
        whats.push(What::Warning { code: text(), message: text() });
        whats.push(What::RunFinished { status: Status::Failed, detail: Some(text()), live_version: None });
        events(whats)
    }
}
