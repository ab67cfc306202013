//! What a person sees of a run: golden texts, and properties that hold for every text a guest may write.

use super::live::Live;
use super::summary;
use crate::render::given::Given;
use crate::render::line::text;
use crate::render::look::Look;
use crate::render::testing::journal::{begin, ended, events, failure, hostile, place, success};
use crate::render::testing::{ASCII, COLOUR, UNICODE, assert_fits, assert_harmless, wide};
use proptest::prelude::*;
use wasmhook::model::event::{Event, Role, Status, Verified, What};
use wasmhook::model::job::Stream;
use wasmhook::model::outcome::{Cause, Outcome, Usage, Verdict};
use wasmhook::report::{Report, StagedDir};

fn live(look: Look, events: &[Event]) -> String {
    let mut live = Live::new(look);
    events.iter().map(|event| text(&live.event(event))).collect()
}

fn summary(look: Look, events: &[Event]) -> String {
    summary::render(look, &Report::fold(events), &Given::default())
}

#[test]
fn live_lines_of_a_success() {
    insta::assert_snapshot!(live(UNICODE, &success()), @r#"
    shop/testsite v0.3.28 → v0.4.0 (abc123), profile tenant-upgrade, run 01JFAKE
    → stop-services: Stopping services...
      ✓ stop-services succeeded [400 ms]
        Services stopped
    → pre-pull: no hooks
    → post-pull
      → post-pull/warm: release/warm.wasm (wasm; at most 5m, fuel 3T, memory 512
        MiB)
      post-pull/warm │ warming 1 of 900
      ⚠ post-pull/warm timed-out: deadline; the run goes on [1.2 s of 5m, fuel 1.2G
        of 3T, memory 12 MiB of 512 MiB]
      → post-pull/v0.4.0: release/v0.4.0.wasm (wasm; at most 5m, fuel 3T, memory 512
        MiB)
      post-pull/v0.4.0 │ === Release hook: v0.4.0 ===
      ✓ post-pull/v0.4.0 succeeded [1.2 s of 5m, fuel 1.2G of 3T, memory 12 MiB of
        512 MiB]
    → post-migrate
      - post-migrate/verify skipped: already done in run 01JEARLIER
    → update-version: Updating the version...
      ✓ update-version succeeded [400 ms]
        Version updated
    → start-services: Starting services...
      ✓ start-services succeeded [400 ms]
        Services started
    "#);
}

#[test]
fn a_step_that_was_only_cancelled_did_not_end_the_run() {
    let mut events = failure();
    assert!(live(ASCII, &events).contains("post-pull ends the run"));
    for event in &mut events {
        if let What::Finished { result, .. } = &mut event.what {
            result.outcome = if result.verdict == Verdict::Abort { Outcome::Cancelled } else { result.outcome.clone() };
        }
    }
    assert!(!live(ASCII, &events).contains("ends the run"), "{}", live(ASCII, &events));
}

#[test]
fn live_lines_of_a_failure_in_a_log_file() {
    insta::assert_snapshot!(live(ASCII, &failure()), @r#"
    shop/testsite v0.3.28 -> v0.4.0 (abc123), profile tenant-upgrade, run 01JFAKE
    -> stop-services: Stopping services...
      + stop-services succeeded [400 ms]
        Services stopped
    -> pre-pull: no hooks
    -> post-pull
      -> post-pull/warm: release/warm.wasm (wasm; at most 5m, fuel 3T, memory 512 MiB)
      post-pull/warm | warm
      + post-pull/warm succeeded [1.2 s of 5m, fuel 1.2G of 3T, memory 12 MiB of 512 MiB]
      -> post-pull/v0.4.0: release/v0.4.0.wasm (wasm; at most 5m, fuel 3T, memory 512 MiB)
      post-pull/v0.4.0 | reading data
      post-pull/v0.4.0 | thread 'main' panicked at src/main.rs:3
      x post-pull/v0.4.0 failed: trap: unreachable (a panic or an abort) [1.2 s of 5m, fuel 1.2G of 3T, memory 12 MiB of 512 MiB]
        ! refused: write /srv/other; to allow it: dirs = [{ path = "/srv/other" }]
    x post-pull ends the run
    -> start-services: Starting services...
      + start-services succeeded [400 ms]
        Services started
    ! Services run the new tree with the old version record.
    "#);
}

#[test]
fn what_is_copied_for_want_of_an_overlay_is_said_once() {
    let mut events = success();
    for event in &mut events {
        if let What::Finished { result, .. } = &mut event.what {
            let staged = |how: &str, why: &[&str]| StagedDir {
                dir: format!("/srv/{how}"),
                how: how.to_owned(),
                why: why.iter().map(|why| (*why).to_owned()).collect(),
            };
            result.stages = Some(vec![staged("copy", &["overlay: Operation not permitted", "user-overlay: none"]), staged("overlay", &[])]);
        }
    }
    let said =
        "/srv/copy is staged by copying it: no overlay can be made of it here (overlay: Operation not permitted; user-overlay: none)\n";
    for text in [live(wide(ASCII, 200), &events), summary(wide(ASCII, 200), &events)] {
        assert_eq!((text.matches(said).count(), text.contains("/srv/overlay")), (1, false), "{text}");
    }
}

#[test]
fn summary_of_a_success_at_80_columns() {
    insta::assert_snapshot!(summary(UNICODE, &success()), @r#"
    ⚠ succeeded with 1 warning: shop/testsite v0.3.28 → v0.4.0 (abc123), run
      01JFAKE, 24 s

    PHASE         HOOK    OUTCOME      TIME         FUEL        MEMORY
    post-pull     warm    ⚠ timed-out  1.2 s of 5m  1.2G of 3T  12 MiB of 512 MiB
    post-pull     v0.4.0  ✓ succeeded  1.2 s of 5m  1.2G of 3T  12 MiB of 512 MiB
    post-migrate  verify  - skipped
    - post-migrate/verify skipped: already done in run 01JEARLIER

    ⚠ post-pull/warm (release/warm.wasm) timed-out; the run went on
      timed-out: deadline
      its last lines:
        │ warming 1 of 900
      → raise the limit: timeout = "10m" (now 5m)
      → or make the job smaller: incremental migrations, indexes
      → or, if it isn't critical, move it to a phase after the deployment

    The new version is live.
    "#);
}

#[test]
fn summary_of_a_failure_at_80_columns() {
    insta::assert_snapshot!(summary(UNICODE, &failure()), @r#"
    ✗ failed: shop/testsite v0.3.28 → v0.4.0 (abc123), run 01JFAKE, 20 s

    PHASE      HOOK    OUTCOME      TIME         FUEL        MEMORY
    post-pull  warm    ✓ succeeded  1.2 s of 5m  1.2G of 3T  12 MiB of 512 MiB
    post-pull  v0.4.0  ✗ failed     1.2 s of 5m  1.2G of 3T  12 MiB of 512 MiB

    ✗ post-pull/v0.4.0 (release/v0.4.0.wasm) failed
      trap: unreachable (a panic or an abort)
        │ wasm trap: `unreachable` instruction executed
      in, innermost first:
        core::panicking::panic
        migrate::main
      it was refused write /srv/other; to allow it: dirs = [{ path = "/srv/other" }]
      outside-path attempts not observed (with --audit they are)
      its last lines:
        │ reading data
        │ thread 'main' panicked at src/main.rs:3

    Did not run because of it: post-migrate/verify, update-version.
    Services run the new tree with the old version record.
    The new version is not live.

    Next:
      wasmhook show 01JFAKE  # all that it wrote
      wasmhook run --resume --tag v0.4.0 --env-name testsite  # only what is missing
      wasmhook run --tag v0.4.0 --env-name testsite  # from the first step
    "#);
}

#[test]
fn summary_of_a_failure_at_200_columns() {
    insta::assert_snapshot!(summary(wide(ASCII, 200), &failure()), @r#"
    x failed: shop/testsite v0.3.28 -> v0.4.0 (abc123), run 01JFAKE, 20 s

    PHASE      HOOK    OUTCOME      TIME         FUEL        MEMORY
    post-pull  warm    + succeeded  1.2 s of 5m  1.2G of 3T  12 MiB of 512 MiB
    post-pull  v0.4.0  x failed     1.2 s of 5m  1.2G of 3T  12 MiB of 512 MiB

    x post-pull/v0.4.0 (release/v0.4.0.wasm) failed
      trap: unreachable (a panic or an abort)
        | wasm trap: `unreachable` instruction executed
      in, innermost first:
        core::panicking::panic
        migrate::main
      it was refused write /srv/other; to allow it: dirs = [{ path = "/srv/other" }]
      outside-path attempts not observed (with --audit they are)
      its last lines:
        | reading data
        | thread 'main' panicked at src/main.rs:3

    Did not run because of it: post-migrate/verify, update-version.
    Services run the new tree with the old version record.
    The new version is not live.

    Next:
      wasmhook show 01JFAKE  # all that it wrote
      wasmhook run --resume --tag v0.4.0 --env-name testsite  # only what is missing
      wasmhook run --tag v0.4.0 --env-name testsite  # from the first step
    "#);
}

#[test]
fn summary_of_a_failure_at_40_columns() {
    insta::assert_snapshot!(summary(wide(UNICODE, 40), &failure()), @r#"
    ✗ failed: shop/testsite v0.3.28 → v0.4.0
      (abc123), run 01JFAKE, 20 s

    PHASE      HOOK    OUTCOME      TIME
    post-pull  warm    ✓ succeeded  1.2 s
    post-pull  v0.4.0  ✗ failed     1.2 s

    ✗ post-pull/v0.4.0 (release/v0.4.0.wasm)
      failed
      trap: unreachable (a panic or an
        abort)
        │ wasm trap: `unreachable` instructi
        │ on executed
      in, innermost first:
        core::panicking::panic
        migrate::main
      it was refused write /srv/other; to
        allow it: dirs = [{ path =
        "/srv/other" }]
      outside-path attempts not observed
        (with --audit they are)
      its last lines:
        │ reading data
        │ thread 'main' panicked at src/main
        │ .rs:3

    Did not run because of it:
      post-migrate/verify, update-version.
    Services run the new tree with the old
      version record.
    The new version is not live.

    Next:
      # all that it wrote
      wasmhook show 01JFAKE
      # only what is missing
      wasmhook run --resume --tag v0.4.0 \
        --env-name testsite
      # from the first step
      wasmhook run --tag v0.4.0 --env-name \
        testsite
    "#);
}

#[test]
fn refusals_that_are_not_kept_are_counted() {
    let mut events = failure();
    let denied = events.iter_mut().find_map(|event| match &mut event.what {
        What::Finished { result, .. } if result.denials.as_ref().is_some_and(|denials| !denials.is_empty()) => Some(result),
        _ => None,
    });
    denied.unwrap().more_denials = 936;
    let shown = live(ASCII, &events);
    assert!(shown.contains("    ! refused 936 more times: only the first 1 are listed\n"), "{shown}");
    let shown = summary(ASCII, &events);
    assert!(shown.contains("  and 936 more denials; the report has the first 1\n"), "{shown}");
    let report = Report::fold(&events);
    let hook = |id: &str| report.hooks.iter().find(|hook| hook.id.as_str() == id).unwrap();
    assert_eq!((hook("v0.4.0").more_denials, hook("warm").more_denials), (Some(936), Some(0)));
    // Of a hook that didn't fail it stands among what all were refused.
    let mut audited = report;
    audited.outside_path_attempts = Some(wasmhook::report::OutsidePaths::Observed);
    audited.hooks.iter_mut().for_each(|hook| hook.cause = None);
    let shown = summary::render(ASCII, &audited, &Given::default());
    assert!(shown.contains("  and 936 more; the JSON report has 1 of all\n"), "{shown}");
}

#[test]
fn a_run_that_died_asks_what_became_of_its_hook() {
    let mut events = success();
    let started = |event: &Event| matches!(&event.what, What::Started { place, .. } if place.to_string() == "post-pull/v0.4.0");
    events.truncate(events.iter().position(started).unwrap() + 2);
    insta::assert_snapshot!(summary(UNICODE, &events), @r#"
    ✗ interrupted: shop/testsite v0.3.28 → v0.4.0 (abc123), run 01JFAKE, 12 s

    PHASE      HOOK    OUTCOME      TIME         FUEL        MEMORY
    post-pull  warm    ⚠ timed-out  1.2 s of 5m  1.2G of 3T  12 MiB of 512 MiB
    post-pull  v0.4.0  ✗ unknown

    ⚠ post-pull/warm (release/warm.wasm) timed-out; the run went on
      timed-out: deadline
      its last lines:
        │ warming 1 of 900
      → raise the limit: timeout = "10m" (now 5m)
      → or make the job smaller: incremental migrations, indexes
      → or, if it isn't critical, move it to a phase after the deployment

    ✗ post-pull/v0.4.0 (release/v0.4.0.wasm) unknown
      it was cut off, and nobody has said what became of it
      it may have changed files in /srv/db
      what it wrote to /srv/static was staged, and is dropped
      its last lines:
        │ === Release hook: v0.4.0 ===
      → find out what it did, and say so with one of the commands below: nothing of
        this release runs before that
      → if it may always run a second time, write idempotent = true in the hook:
        then it restarts by itself

    Did not run because of it: post-migrate/verify, update-version, start-services.
    The new version is not live.

    Next:
      wasmhook show 01JFAKE  # all that it wrote
      # it may run again
      wasmhook resolve post-pull/v0.4.0 --retry --tag v0.4.0 --env-name testsite
      # it is done
      wasmhook resolve post-pull/v0.4.0 --mark-done --tag v0.4.0 --env-name \
        testsite
      # it did nothing
      wasmhook resolve post-pull/v0.4.0 --mark-not-run --tag v0.4.0 --env-name \
        testsite
      wasmhook run --resume --tag v0.4.0 --env-name testsite  # only what is missing
      wasmhook run --tag v0.4.0 --env-name testsite  # from the first step
    "#);
}

#[test]
fn without_a_line_it_printed_nothing_or_nobody_knows() {
    let h = || place("post-pull", "v0.4.0");
    let signal = Outcome::Failed { cause: Cause::Signal { signal: 9 } };
    let silent = ended(signal, Verdict::Abort);
    let killed = What::Finished { place: h(), result: Box::new(silent) };
    let told = |last: Vec<What>| summary(UNICODE, &events([vec![begin(), What::Started { place: h(), attempt: 1 }], last].concat()));
    let (killed, died) = (told(vec![killed]), told(Vec::new()));
    assert!(killed.contains("\n  it printed nothing\n") && !killed.contains("wrote nothing"), "{killed}");
    assert!(died.contains("\n  no lines of it are recorded\n"), "{died}");
}

/// A run that asks the verify of its last hook; what it says ends the run.
fn verified(whats: Vec<What>) -> Vec<Event> {
    let main = place("post-pull", "v0.4.0");
    let mut all = vec![begin(), What::Started { place: main, attempt: 1 }];
    all.extend(whats);
    events(all)
}

fn asked() -> Vec<What> {
    let verify = place("post-pull", "v0.4.0").in_role(Role::Verify);
    let line = "no column `email`".to_owned();
    vec![
        What::Verifying { place: verify.clone(), attempt: 1, reported: Some(Vec::new()) },
        What::Output { place: verify, stream: Stream::Stdout, line },
    ]
}

#[test]
fn a_verify_has_lines_of_its_own_and_says_why_its_hook_failed() {
    let verify = place("post-pull", "v0.4.0").in_role(Role::Verify);
    let outcome = Outcome::Failed { cause: Cause::Exit { code: 4 } };
    let (usage, tail) = (Usage::default(), vec!["no column `email`".to_owned()]);
    let said = Verified { outcome, exit_code: Some(4), usage, denials: None, more_denials: 0, unenforced: vec![], tail };
    let not_verified = Outcome::Failed { cause: Cause::NotVerified { message: "failed: exit code 4".to_owned() } };
    let mut whats = asked();
    whats.push(What::Verified { place: verify, result: Box::new(said) });
    whats.push(What::Finished { place: place("post-pull", "v0.4.0"), result: Box::new(ended(not_verified, Verdict::Abort)) });
    let events = verified(whats);
    let mut live = Live::new(UNICODE);
    let lines: Vec<String> = events.iter().flat_map(|event| live.event(event)).map(|line| line.show()).collect();
    insta::assert_snapshot!(lines[3..6].join("\n"), @r#"
      → post-pull/v0.4.0 (verify): did it take?
      post-pull/v0.4.0 (verify) │ no column `email`
      ⚠ post-pull/v0.4.0 (verify) failed: exit code 4
    "#);
    assert!(live.running().is_empty());
    let shown = summary(UNICODE, &events);
    assert!(shown.contains("its verify's last lines:\n    │ no column `email`"), "{shown}");
}

#[test]
fn a_run_that_died_in_a_verify_says_that_its_hook_had_ended() {
    let shown = summary(UNICODE, &verified(asked()));
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("it had ended with success, and its verify was under way when the engine died"), "{shown}");
    assert!(!shown.contains("find out what it did"), "{shown}");
}

#[test]
fn a_run_that_never_started_says_why_and_where_to_look() {
    let shown = |status| summary::render(UNICODE, &Report::not_started(status), &Given::default());
    assert_eq!(shown(Status::Skipped), "- skipped: another run holds the lock\n");
    insta::assert_snapshot!(shown(Status::Locked), @r#"
    ✗ locked by another run: nothing ran

    Next:
      wasmhook status  # who holds the lock
    "#);
}

#[test]
fn a_refusal_lists_its_reasons_with_the_sign_of_a_failure() {
    let notice = wasmhook::report::Notice { code: "moved-tag".to_owned(), message: "tag v1 points elsewhere".to_owned() };
    let refused = Report { notices: vec![notice], ..Report::not_started(Status::Refused) };
    insta::assert_snapshot!(summary::render(UNICODE, &refused, &Given::default()), @r#"
    ✗ refused: nothing ran

    ✗ tag v1 points elsewhere [moved-tag]

    Next:
      wasmhook plan  # what would run, and why not
    "#);
}

#[test]
fn a_command_that_is_broken_into_lines_is_one_to_the_shell() {
    let given =
        Given { selectors: ["-C", "'/srv/a b'", "--policy", "/etc/wasmhook/policy.toml"].map(str::to_owned).to_vec(), ..Given::default() };
    let told = summary::render(wide(UNICODE, 50), &Report::fold(&failure()), &given);
    insta::assert_snapshot!(told.split_once("Next:\n").unwrap().1, @r#"
      wasmhook show 01JFAKE  # all that it wrote
      # only what is missing
      wasmhook run --resume -C '/srv/a b' --policy \
        /etc/wasmhook/policy.toml --tag v0.4.0 \
        --env-name testsite
      # from the first step
      wasmhook run -C '/srv/a b' --policy \
        /etc/wasmhook/policy.toml --tag v0.4.0 \
        --env-name testsite
    "#);
    assert_fits(&told, 50);
}

#[test]
fn s3_58_a_failure_is_told_with_its_details() {
    let told = summary(UNICODE, &failure());
    for detail in ["unreachable", "migrate::main", "thread 'main' panicked", "write /srv/other", "dirs = ["] {
        assert!(told.contains(detail), "{detail} in {told}");
    }
}

#[test]
fn s4_48_a_tolerated_failure_is_not_silent() {
    let (live, summary) = (live(UNICODE, &success()), summary(UNICODE, &success()));
    assert!(live.contains("⚠ post-pull/warm timed-out: deadline; the run goes on"), "{live}");
    assert!(summary.starts_with("⚠ succeeded with 1 warning"), "{summary}");
}

#[test]
fn s4_76_the_advice_on_a_timeout_is_shown() {
    let told = summary(UNICODE, &success());
    assert!(told.contains("raise the limit: timeout = \"10m\" (now 5m)") && told.contains("make the job smaller"), "{told}");
}

#[test]
fn every_line_fits_from_40_columns_on() {
    for width in 40..=200 {
        for events in [success(), failure()] {
            assert_fits(&live(wide(UNICODE, width), &events), width);
            assert_fits(&summary(wide(UNICODE, width), &events), width);
        }
    }
}

#[test]
fn what_runs_is_known_until_it_ends() {
    let mut live = Live::new(UNICODE);
    let events = success();
    let running = events.iter().map(|event| {
        live.event(event);
        live.running().len()
    });
    assert_eq!(running.max(), Some(1));
    assert!(live.running().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_guest_steers_the_terminal(words in prop::collection::vec("(\\PC|\u{1b}|[\u{0}-\u{1f}]|[\u{7f}-\u{9f}]|\u{202e}|\u{2028}){0,30}", 1..4), width in 40usize..120) {
        let events = hostile(&words.join("\n"));
        for look in [UNICODE, COLOUR, ASCII] {
            let look = wide(look, width);
            assert_harmless(&live(look, &events));
            assert_harmless(&summary(look, &events));
        }
        assert_fits(&summary(wide(UNICODE, width), &events), width);
        prop_assert!(summary(ASCII, &events).is_ascii() && live(ASCII, &events).is_ascii());
    }
}

#[test]
fn what_could_not_be_enforced_is_named_when_its_hook_ends_and_at_the_end() {
    let mut events = success();
    for event in &mut events {
        if let What::Finished { place, result } = &mut event.what
            && place.to_string() == "post-pull/v0.4.0"
        {
            result.unenforced = vec!["TCP ports".to_owned(), "devices".to_owned()];
        }
    }
    let (live, summary) = (live(wide(UNICODE, 200), &events), summary(wide(UNICODE, 200), &events));
    for lost in ["TCP ports", "devices"] {
        assert_eq!(live.matches(&format!("not enforced: {lost}")).count(), 1, "{live}");
        assert_eq!(summary.matches(&format!("post-pull/v0.4.0: not enforced: {lost}")).count(), 1, "{summary}");
    }
    let ends = live.find("post-pull/v0.4.0 succeeded").unwrap();
    assert!(live.find("not enforced").unwrap() > ends, "{live}");
}
