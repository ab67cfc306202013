//! The fold, on hand-made journals.

use super::*;
use crate::model::event::{Earlier, Finished, GuestKind, Place, PlannedHook, PlannedStep, Role, StepKind, What};
use crate::model::grant::{Capability, Denial};
use crate::model::id::{HookId, StepName};
use crate::model::job::Stream;
use crate::model::limits::Limits;
use crate::model::outcome::{Cause, Outcome, SkipReason, TimeLimit, TrapKind, Usage, Verdict};
use crate::model::reach::Reach;

fn step_name(name: &str) -> StepName {
    StepName::new(name).unwrap()
}

fn place(phase: &str, hook: &str) -> Place {
    Place { hook: Some(HookId::new(hook).unwrap()), ..Place::step(step_name(phase)) }
}

fn hook(phase: &str, id: &str, file: &str) -> PlannedHook {
    PlannedHook {
        place: place(phase, id),
        label: format!("label of {id}"),
        file: file.to_owned(),
        guest: GuestKind::Wasm,
        fallback: None,
        source: None,
        unconfined: false,
        enabled: true,
        limits: Limits::default(),
        reach: Some(Reach { live: vec!["/srv/db".into()], ..Reach::default() }),
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

/// The lifecycle of the sample in S3's document.
fn lifecycle() -> Vec<PlannedStep> {
    vec![
        host("stop-services"),
        host("backup-database"),
        phase("post-pull", vec![hook("post-pull", "v0.3.28", "v0.3.28.sh")]),
        host("run-migrations"),
        phase("post-migrate", vec![hook("post-migrate", "v0.3.28", "v0.3.28.post-migrate.sh")]),
        PlannedStep { makes_live: true, ..host("update-version") },
        PlannedStep { always: true, ..host("start-services") },
        host("health-check"),
    ]
}

fn ended(outcome: Outcome) -> Finished {
    let verdict = if outcome.is_ok() { Verdict::Proceed } else { Verdict::Abort };
    let exit_code = outcome.is_ok().then_some(0);
    Finished { exit_code, usage: Usage { wall_ms: Some(1_200), ..Usage::default() }, ..Finished::of(outcome, verdict) }
}

fn ok() -> Finished {
    ended(Outcome::Succeeded)
}

fn exit(code: i32) -> Finished {
    Finished { exit_code: Some(code), tail: vec!["boom".to_owned()], ..ended(Outcome::Failed { cause: Cause::Exit { code } }) }
}

/// A journal as it is written.
struct Journal(Vec<Event>);

impl Journal {
    fn of(steps: Vec<PlannedStep>) -> Self {
        let header = RunHeader {
            app: AppName::new("shop").unwrap(),
            environment: EnvironmentName::new("testsite").unwrap(),
            profile: "tenant-upgrade".to_owned(),
            tag: Some(Tag::new("v0.3.28").unwrap()),
            commit: Some(Commit::new("abc123").unwrap()),
            previous_version: Some("v0.3.27".to_owned()),
            plan_digest: Digest::of(b"plan"),
            dry_run: false,
            partial: false,
            audit: false,
            resumes: None,
            earlier: Earlier::default(),
            trigger: None,
        };
        Self(Vec::new()).then(What::RunStarted { header: Box::new(header), steps })
    }

    fn then(mut self, what: What) -> Self {
        let seq = self.0.len() as u64;
        let at = jiff::Timestamp::from_second(1_765_900_000 + i64::try_from(seq).unwrap()).unwrap();
        self.0.push(Event { schema: 1, seq, at, run: RunId::new("01JFAKE").unwrap(), what });
        self
    }

    fn started(self, place: Place) -> Self {
        self.then(What::Started { place, attempt: 1 })
    }

    fn finished(self, place: Place, result: Finished) -> Self {
        self.then(What::Finished { place, result: Box::new(result) })
    }

    fn hook(self, place: Place, result: Finished) -> Self {
        self.started(place.clone()).finished(place, result)
    }

    fn step(self, name: &str, lines: [Option<&str>; 2], result: Finished) -> Self {
        let step = step_name(name);
        let place = Place::step(step.clone());
        let verdict = result.verdict;
        let [begin, end] = lines.map(|line| line.map(str::to_owned));
        self.then(What::StepStarted { step: step.clone(), detail: begin })
            .hook(place, Finished { detail: end, ..result })
            .then(What::StepFinished { step, verdict, detail: None })
    }

    fn warning(self) -> Self {
        self.then(What::Warning { code: "other-release".to_owned(), message: "v0.3.27's hooks don't run".to_owned() })
    }

    fn over(self, status: Status) -> Report {
        self.then(What::RunFinished { status, detail: None, live_version: None }).report()
    }

    fn report(self) -> Report {
        Report::fold(&self.0)
    }
}

fn with(result: Finished, outputs: &[(&str, &str)]) -> Finished {
    Finished { outputs: outputs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(), ..result }
}

/// The upgrade of S3's document up to its post-pull hook.
fn until_post_pull() -> Journal {
    Journal::of(lifecycle())
        .step("stop-services", [Some("Stopping services..."), Some("Services stopped")], ok())
        .step(
            "backup-database",
            [Some("Backing up database..."), None],
            with(ok(), &[("backup_path", "/path/to/pocket.db.backup_20251216")]),
        )
        .then(What::StepStarted { step: step_name("post-pull"), detail: None })
}

fn sample() -> Report {
    until_post_pull()
        .hook(place("post-pull", "v0.3.28"), Finished { detail: Some("Post-pull hook OK: v0.3.28.sh".to_owned()), ..ok() })
        .then(What::StepFinished { step: step_name("post-pull"), verdict: Verdict::Proceed, detail: None })
        .step(
            "run-migrations",
            [Some("Running migrations..."), Some("Ran 1 migrations")],
            with(ok(), &[("migration", "scripts/add_segment_tables.py")]),
        )
        .step("update-version", [None, None], ok())
        .step("start-services", [Some("Starting services..."), None], ok())
        .step("health-check", [None, Some("Health check passed")], ok())
        .over(Status::Success)
}

/// S3's document, word by word.
fn seed() -> serde_json::Value {
    serde_json::json!({
        "status": "success",
        "previous_version": "v0.3.27",
        "new_version": "v0.3.28",
        "commit": "abc123",
        "migrations_run": ["scripts/add_segment_tables.py"],
        "hooks_executed": ["post-pull: v0.3.28.sh - OK"],
        "backup_path": "/path/to/pocket.db.backup_20251216",
        "details": [
            "Stopping services...",
            "Services stopped",
            "Backing up database...",
            "Post-pull hook OK: v0.3.28.sh",
            "Running migrations...",
            "Ran 1 migrations",
            "Starting services...",
            "Health check passed"
        ]
    })
}

#[track_caller]
fn as_in_the_seed(field: &str) {
    let report = serde_json::to_value(sample()).unwrap();
    assert_eq!(report[field], seed()[field], "{field}");
    assert!(!seed()[field].is_null(), "{field} stands in the seed");
}

#[test]
fn s3_44_status() {
    as_in_the_seed("status");
}

#[test]
fn s3_45_previous_version() {
    as_in_the_seed("previous_version");
}

#[test]
fn s3_46_new_version() {
    as_in_the_seed("new_version");
}

#[test]
fn s3_47_commit() {
    as_in_the_seed("commit");
}

#[test]
fn s3_48_migrations_run() {
    as_in_the_seed("migrations_run");
}

#[test]
fn s3_49_hooks_executed() {
    as_in_the_seed("hooks_executed");
}

#[test]
fn s3_50_backup_path() {
    as_in_the_seed("backup_path");
}

#[test]
fn s3_51_details() {
    as_in_the_seed("details");
}

#[test]
fn s3_66_a_failed_run_has_the_same_fields() {
    let report = until_post_pull()
        .hook(
            place("post-pull", "v0.3.28"),
            Finished { detail: Some("Post-pull hook FAILED: v0.3.28.sh (exit code 3)".to_owned()), ..exit(3) },
        )
        .then(What::StepFinished { step: step_name("post-pull"), verdict: Verdict::Abort, detail: None })
        .finished(place("post-migrate", "v0.3.28"), ended(Outcome::Skipped { reason: SkipReason::Aborted }))
        .step("start-services", [Some("Starting services..."), None], exit(9))
        .over(Status::Failed);
    let (failed, good) = (serde_json::to_value(&report).unwrap(), serde_json::to_value(sample()).unwrap());
    let fields = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&failed), fields(&good));
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["first_error"]["hook"], "v0.3.28", "the services' failure masks nothing");
    assert_eq!(failed["first_error"]["cause"]["kind"], "exit");
    assert_eq!(failed["hooks"][0]["exit_code"], 3);
    assert_eq!(report.hooks.len(), 1, "later hooks are absent");
    assert_eq!(report.hooks_executed, ["post-pull: v0.3.28.sh - FAILED (exit code 3)"]);
    assert_eq!(report.new_version.as_deref(), Some("v0.3.28"));
    assert_eq!(report.new_version_live, Some(false));
    assert_eq!(report.details[3..], ["Post-pull hook FAILED: v0.3.28.sh (exit code 3)", "Starting services..."]);
    assert_eq!(report.not_reached(), ["run-migrations", "post-migrate/v0.3.28", "update-version", "health-check"]);
}

#[test]
fn a_hook_that_is_switched_off_is_not_among_what_did_not_run() {
    let mut steps = lifecycle();
    let off = &mut steps.iter_mut().find(|step| step.step.as_str() == "post-migrate").unwrap().hooks[0];
    off.enabled = false;
    let report = Journal::of(steps)
        .step("stop-services", [None, None], ok())
        .step("backup-database", [None, None], ok())
        .hook(place("post-pull", "v0.3.28"), exit(3))
        .then(What::StepFinished { step: step_name("post-pull"), verdict: Verdict::Abort, detail: None })
        .over(Status::Failed);
    assert_eq!(report.not_reached(), ["run-migrations", "update-version", "start-services", "health-check"]);
}

#[test]
fn s3_68_a_new_version_stays_live_when_the_health_check_fails() {
    let report = Journal::of(lifecycle())
        .step("update-version", [None, None], ok())
        .step("health-check", [None, None], exit(1))
        .over(Status::Failed);
    assert_eq!(report.new_version_live, Some(true));
    assert!(matches!(report.first_error, Some(FirstError::Step { ref step, .. }) if step.as_str() == "health-check"));
}

#[test]
fn s3_69_what_a_half_way_abort_means_is_said_in_the_profiles_words() {
    let words = "services run the new tree with the old version record".to_owned();
    let report =
        until_post_pull().then(What::RunFinished { status: Status::Failed, detail: Some(words.clone()), live_version: None }).report();
    assert_eq!(report.details.last(), Some(&words));
    assert_eq!(report.left_half_way, Some(words));
}

#[test]
fn s3_36_a_marker_skip_is_ok() {
    let skip = |reason| ended(Outcome::Skipped { reason });
    let report = Journal::of(lifecycle())
        .finished(place("post-pull", "v0.3.28"), skip(SkipReason::Marker { path: ".release-v0.3.28-done".to_owned() }))
        .finished(place("post-migrate", "v0.3.28"), skip(SkipReason::AlreadyDone { run: "01A".to_owned() }))
        .over(Status::Success);
    assert_eq!(
        report.hooks_executed,
        ["post-pull: v0.3.28.sh - OK", "post-migrate: v0.3.28.post-migrate.sh - SKIPPED (already done in run 01A)"]
    );
    let hooks = serde_json::to_value(&report.hooks).unwrap();
    assert_eq!(hooks[0]["outcome"], "skipped");
    assert_eq!(hooks[0]["skip_reason"]["reason"], "marker");
    assert_eq!((&hooks[0]["attempt"], &hooks[0]["usage"]["fuel"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}

#[test]
fn s5_35_a_timeout_that_passes_is_still_a_timeout() {
    let result = Finished { verdict: Verdict::Proceed, ..ended(Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false }) };
    let report = Journal::of(lifecycle()).hook(place("post-pull", "v0.3.28"), result).over(Status::Success);
    assert_eq!((report.status, report.warnings, &report.first_error), (Status::Success, 0, &None));
    let hook = serde_json::to_value(&report.hooks[0]).unwrap();
    assert_eq!((&hook["outcome"], &hook["verdict"]), (&"timed-out".into(), &"proceed".into()));
    assert_eq!((&hook["cause"]["kind"], &hook["cause"]["limit"]), (&"timed-out".into(), &"deadline".into()));
    assert_eq!(report.hooks_executed, ["post-pull: v0.3.28.sh - FAILED (timed-out: deadline)"]);
}

#[test]
fn a_tolerated_failure_is_a_success_with_warnings() {
    let tolerated = Finished { verdict: Verdict::ProceedWithWarning, ..exit(2) };
    let report = Journal::of(lifecycle()).warning().hook(place("post-pull", "v0.3.28"), tolerated).over(Status::Success);
    assert_eq!((report.status, report.warnings), (Status::Success, 2));
    assert_eq!(report.first_error, None);
    assert_eq!(report.notices[0].code, "other-release");
}

#[test]
fn a_journal_that_breaks_off_is_interrupted_and_what_ran_is_unknown() {
    let at = place("post-pull", "v0.3.28");
    let line = |n: u32| What::Output { place: at.clone(), stream: Stream::Stdout, line: format!("line {n}") };
    let mut journal = until_post_pull().started(at.clone());
    for n in 0..30 {
        journal = journal.then(line(n));
    }
    let report = journal.report();
    assert_eq!(report.status, Status::Interrupted);
    let hook = &report.hooks[0];
    assert_eq!((hook.outcome, hook.verdict), (OutcomeWord::Unknown, None));
    assert_eq!(hook.cause.as_ref().unwrap().why, Why::End(End::Unknown));
    assert_eq!((hook.tail.len(), hook.tail[19].as_str()), (20, "line 29"));
    assert_eq!(report.hooks_executed, ["post-pull: v0.3.28.sh - FAILED (it was cut off, and nobody has said what became of it)"]);
    assert!(matches!(report.first_error, Some(FirstError::Hook { .. })));
    assert_eq!(Report::fold(&[]), Report::not_started(Status::Interrupted));
}

#[test]
fn a_host_step_in_flight_is_unknown_too() {
    let report = Journal::of(lifecycle()).started(Place::step(step_name("run-migrations"))).report();
    let step = report.steps.iter().find(|step| step.step.as_str() == "run-migrations").unwrap();
    assert_eq!(step.outcome, Some(OutcomeWord::Unknown));
    assert!(!report.not_reached().contains(&"run-migrations".to_owned()));
}

#[test]
fn every_attempt_and_every_revert_has_an_entry_of_its_own() {
    let at = place("post-pull", "v0.3.28");
    let revert = Place { role: Role::Revert, ..at.clone() };
    let report = Journal::of(lifecycle())
        .hook(at.clone(), exit(1))
        .then(What::Started { place: at.clone(), attempt: 2 })
        .finished(at, ok())
        .hook(revert, ok())
        .over(Status::Failed);
    assert_eq!(report.hooks.iter().map(|hook| hook.attempt).collect::<Vec<_>>(), [Some(1), Some(2), Some(1)]);
    assert_eq!(report.hooks_executed[2], "post-pull (revert): v0.3.28.sh - OK");
}

#[test]
fn new_version_live_is_null_when_nothing_here_makes_it_so() {
    assert_eq!(Journal::of(vec![host("a")]).step("a", [None, None], ok()).over(Status::Success).new_version_live, None);
    let skipped = |reason| {
        let result = ended(Outcome::Skipped { reason });
        Journal::of(lifecycle()).step("update-version", [None, None], result).over(Status::Success).new_version_live
    };
    assert_eq!(skipped(SkipReason::NotConfigured), None);
    assert_eq!(skipped(SkipReason::AlreadyDone { run: "01A".to_owned() }), Some(true));
    assert_eq!(skipped(SkipReason::Aborted), Some(false));
}

#[test]
fn what_a_hook_says_cannot_replace_the_platforms_backup() {
    let report = until_post_pull()
        .hook(place("post-pull", "v0.3.28"), with(ok(), &[("backup_path", "/tmp/fake"), ("detail", "said by a hook")]))
        .over(Status::Success);
    assert_eq!(report.backup_path.as_deref(), Some("/path/to/pocket.db.backup_20251216"));
    assert_eq!(report.details.last().unwrap(), "said by a hook");
}

#[test]
fn fields_stand_in_the_order_of_the_format_and_unmeasured_is_null() {
    let report = serde_json::to_string(&sample()).unwrap();
    let order = [
        "schema",
        "status",
        "run_id",
        "app",
        "environment",
        "tag",
        "commit",
        "plan_digest",
        "dry_run",
        "new_version_live",
        "first_error",
        "warnings",
        "previous_version",
        "new_version",
        "migrations_run",
        "hooks_executed",
        "backup_path",
        "details",
        "steps",
        "hooks",
    ];
    assert!(report.starts_with("{\"schema\":1,\"status\":\"success\",\"run_id\":"));
    let value: serde_json::Value = serde_json::from_str(&report).unwrap();
    let fields: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields[..order.len()], order);
    let hook = value["hooks"][0].as_object().unwrap();
    let order = [
        "id",
        "label",
        "phase",
        "service",
        "instance",
        "guest",
        "fallback",
        "outcome",
        "verdict",
        "cause",
        "exit_code",
        "skip_reason",
        "usage",
        "denials",
        "files",
        "attempt",
        "started_at",
        "source",
    ];
    assert_eq!(hook.keys().map(String::as_str).collect::<Vec<_>>()[..order.len()], order);
    for null in ["denials", "files", "cause", "fallback", "skip_reason", "source"] {
        assert!(hook[null].is_null(), "{null}");
    }
    let usage = serde_json::json!({
        "fuel": null, "fuel_limit": 3_000_000_000_000_u64, "wall_ms": 1_200, "timeout_ms": 300_000,
        "memory_peak_bytes": null, "memory_limit_bytes": 536_870_912, "output_bytes": null
    });
    assert_eq!(hook["usage"], usage);
    assert_eq!(value["started_at"], "2025-12-16T15:46:40Z");
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let trap = Cause::Trap { trap: TrapKind::Unreachable, message: "wasm `unreachable`".to_owned(), backtrace: vec!["main".to_owned()] };
    let denial = Denial { capability: Capability::Dir, what: "/etc".to_owned(), allow: "dirs = [\"/etc\"]".to_owned() };
    let outcomes = [
        Outcome::Succeeded,
        Outcome::Skipped { reason: SkipReason::AlreadyDone { run: "01A".to_owned() } },
        Outcome::Failed { cause: trap },
        Outcome::Failed { cause: Cause::OutOfMemory { limit: u64::MAX, what: "memory".to_owned() } },
        Outcome::Failed { cause: Cause::Denied { denial } },
        Outcome::Failed { cause: Cause::Unresolved },
        Outcome::TimedOut { limit: TimeLimit::CpuTime, abandoned: true },
        Outcome::Cancelled,
        Outcome::Unknown,
    ];
    for outcome in outcomes {
        let report = Journal::of(lifecycle()).hook(place("post-pull", "v0.3.28"), ended(outcome)).over(Status::Failed);
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report, "{text}");
    }
}

#[test]
fn a_run_that_never_started_still_says_of_what() {
    let locked = Report::not_started(Status::Locked);
    assert_eq!((locked.run_id.clone(), locked.new_version_live), (None, None));
    let What::RunStarted { header, .. } = Journal::of(Vec::new()).0.remove(0).what else { panic!("a journal begins with its run") };
    assert_eq!(locked.of(&header).app.unwrap().as_str(), "shop");
}

#[test]
fn the_schema_of_the_report_names_every_field() {
    let schema = serde_json::to_value(schemars::schema_for!(Report)).unwrap();
    let report = serde_json::to_value(sample()).unwrap();
    for field in report.as_object().unwrap().keys() {
        assert!(schema["properties"].get(field).is_some(), "{field}");
    }
}

#[test]
fn profiles_know_every_field_of_a_report() {
    let report = serde_json::to_value(Report::not_started(Status::Refused)).unwrap();
    let fields: std::collections::BTreeSet<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, crate::profile::report_fields().iter().copied().collect());
}
