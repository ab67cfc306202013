//! What to do about a failure: advice on its cause, and the next commands to type.

use crate::render::figures;
use crate::render::given::Given;
use crate::render::typed::{RESOLUTIONS, Typed};
use std::time::Duration;
use wasmhook::model::event::{Role, Status};
use wasmhook::model::id::{EnvironmentName, RunId, Tag};
use wasmhook::model::limits::LimitKey;
use wasmhook::model::outcome::{Cause, TimeLimit, TrapKind};
use wasmhook::model::units::{show_duration, show_size};
use wasmhook::report::{End, Failure, HookReport, OutcomeWord, Report, UsageReport, Why};

/// What can be done about `failure`, most likely first; empty if its own sentence says all there is.
pub fn advice(failure: &Failure, usage: &UsageReport) -> Vec<String> {
    match &failure.why {
        Why::End(End::TimedOut { limit, .. }) => out_of_time(*limit, usage),
        Why::End(End::Cancelled) => Vec::new(),
        Why::End(End::Unknown) | Why::Cause(Cause::Unresolved) => {
            vec![
                "find out what it did, and say so with one of the commands below: nothing of this release runs before that".to_owned(),
                "if it may always run a second time, write idempotent = true in the hook: then it restarts by itself".to_owned(),
            ]
        }
        Why::Cause(cause) => on_cause(cause, usage),
    }
}

fn on_cause(cause: &Cause, usage: &UsageReport) -> Vec<String> {
    let advice = match cause {
        Cause::Denied { denial } => format!("to allow it, write: {}", denial.allow),
        Cause::OutOfMemory { limit, what } if what == "memory" => {
            let more = format!("\"{}\" (now {})", size(limit.saturating_mul(2)), show_size(*limit));
            raise(LimitKey::Memory, "give it more", Some(&more), usage)
        }
        Cause::OutOfMemory { limit, .. } => {
            raise(LimitKey::TableElements, "give it more", Some(&format!("{} (now {limit})", limit.saturating_mul(2))), usage)
        }
        // The only limit whose end is an error of a host call: its message names the key.
        Cause::Trap { trap: TrapKind::HostCall, message, .. } if message.contains("`handles`") => {
            raise(LimitKey::Handles, "raise the limit", None, usage)
        }
        Cause::TooLarge { .. } => raise(LimitKey::Module, "raise the limit", None, usage),
        Cause::Trap { backtrace, .. } if backtrace.is_empty() => {
            "it has no function names: build it with debug information, and the report names the functions".to_owned()
        }
        Cause::Unsupported { .. } => "build it without that, or give it a `fallback` with when = \"unsupported\"".to_owned(),
        Cause::BrokenModule { .. } => "build it again: what is there can't run on any machine".to_owned(),
        Cause::Conflict { kept, .. } => {
            format!(
                "see what it wrote in {kept}; make sure that nobody else writes there during the deploy, remove that directory, and run again"
            )
        }
        Cause::NotVerified { .. } => {
            "the hook itself ended well: see what its verify said; what it wrote to `txn` directories was dropped".to_owned()
        }
        Cause::NotReady { .. } => "see why nobody answers there; if it only takes longer, raise `wait_timeout`".to_owned(),
        Cause::Spawn { .. } => "check that the program exists and is executable".to_owned(),
        Cause::Exit { .. }
        | Cause::Signal { .. }
        | Cause::Trap { .. }
        | Cause::NotAHook { .. }
        | Cause::TooComplex { .. }
        | Cause::NotAvailable { .. }
        | Cause::Preflight { .. }
        | Cause::NotStarted { .. }
        | Cause::Backup { .. }
        | Cause::Stage { .. }
        | Cause::Unresolved => return Vec::new(),
    };
    vec![advice]
}

fn out_of_time(limit: TimeLimit, usage: &UsageReport) -> Vec<String> {
    let time = |now: u64| format!("\"{}\" (now {})", duration(now.saturating_mul(2)), figures::millis(now));
    let fuel = |now: u64| format!("{} (now {})", now.saturating_mul(2), figures::count(now));
    let (key, more) = match limit {
        TimeLimit::Deadline => (LimitKey::Timeout, usage.timeout_ms.map(time)),
        TimeLimit::Fuel => (LimitKey::Fuel, usage.fuel_limit.map(fuel)),
        TimeLimit::CpuTime => (LimitKey::CpuTime, None),
    };
    vec![
        raise(key, "raise the limit", more.as_deref(), usage),
        "or make the job smaller: incremental migrations, indexes".to_owned(),
        "or, if it isn't critical, move it to a phase after the deployment".to_owned(),
    ]
}

/// What to raise where: in the hook, or in the policy if that is what held it.
fn raise(key: LimitKey, what: &str, more: Option<&str>, usage: &UsageReport) -> String {
    let word = key.word();
    let to = more.map_or_else(|| format!("`{word}`"), |more| format!("{word} = {more}"));
    if usage.at_ceiling.contains(&key) {
        format!("the operator's policy holds `{word}` there, whatever the hook asks: {what} under [policy]: {to}")
    } else {
        format!("{what}: {to}")
    }
}

/// A duration that the manifest reads back as the same.
fn duration(ms: u64) -> String {
    if ms.is_multiple_of(1_000) { show_duration(Duration::from_millis(ms)).replace(' ', "") } else { format!("{ms}ms") }
}

/// A size that the manifest reads back as the same.
fn size(bytes: u64) -> String {
    let shown = show_size(bytes);
    if shown.contains('.') { bytes.to_string() } else { shown.replace(' ', "") }
}

/// The next commands to type. They repeat what this call was `given`.
pub fn next(report: &Report, given: &Given) -> Vec<Typed> {
    let mut next: Vec<_> = shows(report, given).into_iter().chain(resolves(report, given)).collect();
    let then = |verb: &[&str], purpose: &str| Typed::new(command(verb, report, given), purpose);
    match report.status {
        Status::Success | Status::Skipped => return Vec::new(),
        Status::SucceededButDeployFailed => return shows(report, given).into_iter().chain(takes_back(report, given)).collect(),
        Status::Locked => return vec![then(&["status"], "who holds the lock")],
        Status::Refused => next.push(then(&["plan"], "what would run, and why not")),
        // A watch says itself when it tries again; a run beside it would only take its lock.
        Status::Interrupted | Status::Failed if given.watches => {}
        Status::Interrupted | Status::Failed if report.dry_run => next.push(then(&["run"], "again, after the fix")),
        Status::Interrupted | Status::Failed => {
            next.push(then(&["run", "--resume"], "only what is missing"));
            next.push(then(&["run"], "from the first step"));
        }
    }
    next
}

/// A dry run isn't remembered; and whoever sees the report of a run has no need of the command that shows it.
fn shows(report: &Report, given: &Given) -> Option<Typed> {
    let words = |run: &RunId| ["wasmhook", "show", &shell_words::quote(run.as_str())].map(str::to_owned).to_vec();
    let show = |run: &RunId| Typed::new([words(run), given.state.clone()].concat(), "all that it wrote");
    report.run_id.as_ref().filter(|_| !report.dry_run && !given.shows).map(show)
}

/// What takes back the rest of a run whose deployment failed: nothing, where every revert succeeded.
fn takes_back(report: &Report, given: &Given) -> Option<Typed> {
    let failed = report.reverts().iter().any(|revert| revert.cause.is_some());
    let run = report.run_id.as_ref().filter(|_| failed)?;
    let words = command(&["resolve", "--deploy-failed", &shell_words::quote(run.as_str())], report, given);
    Some(Typed::new(words, "what is left is taken back"))
}

/// What can be said of each hook that nobody knows the end of.
fn resolves(report: &Report, given: &Given) -> Vec<Typed> {
    // What takes a hook back isn't asked about: it is tried again.
    let hooks = report.hooks.iter().filter(|hook| hook.role == Role::Main);
    let unknown = hooks.filter(|hook| hook.outcome == OutcomeWord::Unknown).map(HookReport::name);
    let steps = report.steps.iter().filter(|step| step.outcome == Some(OutcomeWord::Unknown)).map(|step| step.step.to_string());
    let commands = |name: String| {
        RESOLUTIONS.map(|(word, purpose)| Typed::new(command(&["resolve", &shell_words::quote(&name), word], report, given), purpose))
    };
    unknown.chain(steps).flat_map(commands).collect()
}

/// A command about the same release: what the report knows of it, else what was given.
fn command(verb: &[&str], report: &Report, given: &Given) -> Vec<String> {
    given.command(verb, report.tag.as_ref().map(Tag::as_str), report.environment.as_ref().map(EnvironmentName::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhook::model::outcome::Outcome;
    use wasmhook::model::units::{parse_duration, parse_size};

    fn advised(outcome: &Outcome, usage: &UsageReport) -> String {
        advice(&Failure::of(outcome).unwrap(), usage).join("\n")
    }

    #[test]
    fn s4_76_a_timeout_comes_with_advice() {
        let usage = UsageReport { timeout_ms: Some(300_000), fuel_limit: Some(1_000), ..UsageReport::default() };
        let out_of = |limit| advised(&Outcome::TimedOut { limit, abandoned: false }, &usage);
        insta::assert_snapshot!(out_of(TimeLimit::Deadline), @r#"
        raise the limit: timeout = "10m" (now 5m)
        or make the job smaller: incremental migrations, indexes
        or, if it isn't critical, move it to a phase after the deployment
        "#);
        assert!(out_of(TimeLimit::Fuel).starts_with("raise the limit: fuel = 2000 (now 1k)"));
        assert!(out_of(TimeLimit::CpuTime).contains("cpu_time"));
    }

    #[test]
    fn what_the_policy_holds_is_raised_in_the_policy_whichever_limit_it_is() {
        use wasmhook::model::outcome::TrapKind;
        let timed_out = |limit| Outcome::TimedOut { limit, abandoned: false };
        let failed = |cause| Outcome::Failed { cause };
        let out_of = |what: &str| failed(Cause::OutOfMemory { limit: 512 << 20, what: what.to_owned() });
        let message = "it has as many open handles as its limit `handles` allows".to_owned();
        for (key, outcome, advised_there) in [
            (LimitKey::Timeout, timed_out(TimeLimit::Deadline), "timeout = \"600ms\" (now 300 ms)"),
            (LimitKey::Fuel, timed_out(TimeLimit::Fuel), "fuel = 2000 (now 1k)"),
            (LimitKey::CpuTime, timed_out(TimeLimit::CpuTime), "`cpu_time`"),
            (LimitKey::Memory, out_of("memory"), "memory = \"1GiB\" (now 512 MiB)"),
            (LimitKey::TableElements, out_of("table"), "table_elements = 1073741824 (now 536870912)"),
            (LimitKey::Handles, failed(Cause::Trap { trap: TrapKind::HostCall, message, backtrace: Vec::new() }), "`handles`"),
            (LimitKey::Module, failed(Cause::TooLarge { limit: 1 }), "`module`"),
        ] {
            let free = UsageReport { timeout_ms: Some(300), fuel_limit: Some(1_000), ..UsageReport::default() };
            let held = UsageReport { at_ceiling: vec![key], ..free.clone() };
            let (free, held) = (advised(&outcome, &free), advised(&outcome, &held));
            assert!(free.contains(advised_there) && !free.contains("[policy]"), "{free}");
            assert!(held.contains(&format!("under [policy]: {advised_there}")), "{held}");
        }
    }

    #[test]
    fn advised_values_are_read_back_as_they_are_meant() {
        for ms in [250, 500, 750, 1_000, 1_500, 5_000, 90_000, 300_000, 5_400_001] {
            assert_eq!(parse_duration(&duration(ms)), Ok(Duration::from_millis(ms)), "{}", duration(ms));
        }
        for bytes in [1, 1_000, 1 << 20, 3 << 29, 64 << 20, (1 << 30) + 1] {
            assert_eq!(parse_size(&size(bytes)), Ok(bytes), "{}", size(bytes));
        }
    }

    #[test]
    fn more_memory_is_advised_in_the_manifests_words() {
        let outcome = Outcome::Failed { cause: Cause::OutOfMemory { limit: 512 << 20, what: "memory".to_owned() } };
        assert_eq!(advised(&outcome, &UsageReport::default()), "give it more: memory = \"1GiB\" (now 512 MiB)");
    }

    #[test]
    fn a_report_that_is_shown_is_not_offered_again() {
        let report = Report { run_id: Some(RunId::new("01J").unwrap()), ..Report::not_started(Status::Failed) };
        let verbs = |shows| {
            let typed = next(&report, &Given { shows, ..Given::default() });
            typed.iter().map(|typed| typed.words[1].clone()).collect::<Vec<_>>()
        };
        assert_eq!(verbs(false), ["show", "run", "run"]);
        assert_eq!(verbs(true), ["run", "run"]);
    }

    #[test]
    fn commands_name_again_what_this_call_named_and_a_shell_reads_them_so() {
        use crate::args::Cli;
        use clap::Parser as _;
        let argv = [
            "wasmhook",
            "run",
            "-C",
            "/srv/my app's",
            "--policy",
            "$HOME/p.toml",
            "--only",
            "a",
            "--ignore-marker",
            "--no-fetch",
            "--tag",
            "v1",
            "--state",
            "s",
            "--cache",
            "c",
        ];
        let given = Given::by(&Cli::try_parse_from(argv).unwrap().command);
        let again = next(&Report::not_started(Status::Failed), &given).pop().unwrap();
        let pasted = shell_words::split(&again.words.join(" ")).unwrap();
        assert_eq!(pasted, argv);
    }
}
