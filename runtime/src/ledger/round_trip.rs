//! The journal's line *is* the event: whatever an event holds comes back from its JSON, and from the file.

use super::sqlite::SqliteLedger;
use super::{Durability, Ledger, sample};
use crate::model::backup::BackupContents;
use crate::model::event::{
    Earlier, Event, Finished, GuestKind, Place, PlannedHook, PlannedSibling, PlannedStep, Resolution, Role, RunHeader, SCHEMA, Status,
    StepKind, Trigger, Verified, What,
};
use crate::model::files::{FileChanges, StagedDir, TextDiff};
use crate::model::grant::{Capability, Denial};
use crate::model::id::{Commit, Digest, HookId, NameError, RunId, StepName};
use crate::model::job::Stream;
use crate::model::limits::{LimitKey, Limits};
use crate::model::outcome::{Cause, Complexity, Outcome, SkipReason, TimeLimit, TrapKind, Usage, Verdict};
use crate::model::reach::Reach;
use crate::model::source::{BranchName, GitUrl, HookSource, Revision};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

/// Every kind of event, with all that it can hold. A new kind doesn't compile until it is here.
fn index(what: &What) -> usize {
    match what {
        What::RunStarted { .. } => 0,
        What::StepStarted { .. } => 1,
        What::Started { .. } => 2,
        What::Output { .. } => 3,
        What::Finished { .. } => 4,
        What::StepFinished { .. } => 5,
        What::Warning { .. } => 6,
        What::Interrupted { .. } => 7,
        What::WouldChange { .. } => 8,
        What::Resolved { .. } => 9,
        What::Unlocked { .. } => 10,
        What::GettingReady { .. } => 11,
        What::BackedUp { .. } => 12,
        What::Verifying { .. } => 13,
        What::Verified { .. } => 14,
        What::RunFinished { .. } => 15,
        What::DeployFailed { .. } => 16,
    }
}
const KINDS: usize = 17;

fn name<T: TryFrom<String, Error = NameError> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    "[a-zA-Z0-9_äß€'\"%:][a-zA-Z0-9_+@:'\"%äß€🎉-]{0,12}".prop_map(|text| T::try_from(text).unwrap())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), Just("\u{0}\u{1b}[31m\"\\\u{2028}\u{feff}".to_owned())]
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 4]>().prop_map(|bytes| Digest::of(&bytes))
}

fn commit() -> impl Strategy<Value = Commit> {
    "[0-9a-f]{7,64}".prop_map(|text| Commit::new(text).unwrap())
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

fn place() -> impl Strategy<Value = Place> {
    let role = one_of(&[Role::Main, Role::Revert, Role::Verify]);
    (name::<StepName>(), of(name::<HookId>()), of(name()), of(name()), role).prop_map(|(step, hook, service, instance, role)| Place {
        step,
        hook,
        service,
        instance,
        role,
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    (of(any::<u64>()), of(any::<u64>()), any::<[u64; 5]>(), any::<u32>(), of(any::<u64>())).prop_map(
        |(fuel, timeout_ms, [grace_ms, memory_bytes, table_elements, output_bytes, module_bytes], handles, cpu_time_ms)| Limits {
            fuel,
            timeout_ms,
            grace_ms,
            memory_bytes,
            table_elements,
            output_bytes,
            handles,
            module_bytes,
            cpu_time_ms,
            at_ceiling: vec![LimitKey::Timeout],
        },
    )
}

fn denial() -> impl Strategy<Value = Denial> {
    let capability = one_of(&[Capability::Dir, Capability::Env, Capability::Net, Capability::Import, Capability::Effect]);
    (capability, text(), text()).prop_map(|(capability, what, allow)| Denial { capability, what, allow })
}

fn cause() -> impl Strategy<Value = Cause> {
    let trap = one_of(&[
        TrapKind::Unreachable,
        TrapKind::MemoryOutOfBounds,
        TrapKind::StackOverflow,
        TrapKind::Arithmetic,
        TrapKind::BadCall,
        TrapKind::HostCall,
        TrapKind::Other,
    ]);
    prop_oneof![
        any::<i32>().prop_map(|code| Cause::Exit { code }),
        any::<i32>().prop_map(|signal| Cause::Signal { signal }),
        (trap, text(), vec(text(), 0..3)).prop_map(|(trap, message, backtrace)| Cause::Trap { trap, message, backtrace }),
        (any::<u64>(), text()).prop_map(|(limit, what)| Cause::OutOfMemory { limit, what }),
        denial().prop_map(|denial| Cause::Denied { denial }),
        text().prop_map(|found| Cause::NotAHook { found }),
        text().prop_map(|message| Cause::BrokenModule { message }),
        any::<u64>().prop_map(|limit| Cause::TooLarge { limit }),
        (any::<u64>(), any::<u64>(), of(any::<u32>())).prop_map(|(found, limit, function)| Cause::TooComplex {
            what: Complexity::NestedLoops,
            found,
            limit,
            function
        }),
        text().prop_map(|needs| Cause::Unsupported { needs }),
        text().prop_map(|message| Cause::Backup { message }),
        (any::<u64>(), text()).prop_map(|(limit_ms, doing)| Cause::NotStarted { limit_ms, doing }),
        (text(), any::<u64>(), text()).prop_map(|(what, waited_ms, last)| Cause::NotReady { what, waited_ms, last }),
        text().prop_map(|what| Cause::NotAvailable { what }),
        vec(text(), 0..3).prop_map(|findings| Cause::Preflight { findings }),
        text().prop_map(|message| Cause::Spawn { message }),
        text().prop_map(|message| Cause::NotVerified { message }),
        Just(Cause::Unresolved),
        (text(), text()).prop_map(|(message, kept)| Cause::Conflict { message, kept }),
        text().prop_map(|message| Cause::Stage { message }),
    ]
}

fn skip_reason() -> impl Strategy<Value = SkipReason> {
    prop_oneof![
        text().prop_map(|run| SkipReason::AlreadyDone { run }),
        text().prop_map(|path| SkipReason::Marker { path }),
        one_of(&[
            SkipReason::CommitUnchanged,
            SkipReason::Disabled,
            SkipReason::NotConfigured,
            SkipReason::NotSelected,
            SkipReason::Aborted,
            SkipReason::Retried,
            SkipReason::MarkedNotRun,
            SkipReason::Reverted,
            SkipReason::DryRun
        ]),
        text().prop_map(|run| SkipReason::Passed { run }),
        text().prop_map(|message| SkipReason::SaidByHook { message }),
        text().prop_map(|why| SkipReason::NotTried { why }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let limit = one_of(&[TimeLimit::Fuel, TimeLimit::Deadline, TimeLimit::CpuTime]);
    prop_oneof![
        one_of(&[Outcome::Succeeded, Outcome::Cancelled, Outcome::Unknown]),
        skip_reason().prop_map(|reason| Outcome::Skipped { reason }),
        cause().prop_map(|cause| Outcome::Failed { cause }),
        (limit, any::<bool>()).prop_map(|(limit, abandoned)| Outcome::TimedOut { limit, abandoned }),
    ]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    one_of(&[Verdict::Proceed, Verdict::ProceedWithWarning, Verdict::Abort])
}

fn usage() -> impl Strategy<Value = Usage> {
    any::<[Option<u64>; 4]>().prop_map(|[fuel, wall_ms, memory_peak_bytes, output_bytes]| Usage {
        fuel,
        wall_ms,
        memory_peak_bytes,
        output_bytes,
    })
}

fn result() -> impl Strategy<Value = Finished> {
    let lists =
        ((of(vec(denial(), 0..3)), any::<u64>()), vec(text(), 0..3), vec(text(), 0..3), vec((text(), text()), 0..3), vec(name(), 0..3));
    (outcome(), verdict(), of(any::<i32>()), usage(), lists, (of(files()), of(vec(staged_dir(), 0..2))), of(text())).prop_map(
        |(
            outcome,
            verdict,
            exit_code,
            usage,
            ((denials, more_denials), unenforced, tail, outputs, after_skipped),
            (files, stages),
            detail,
        )| Finished {
            outcome,
            verdict,
            exit_code,
            usage,
            denials,
            more_denials,
            unenforced,
            tail,
            outputs,
            files,
            stages,
            after_skipped,
            detail,
        },
    )
}

fn staged_dir() -> impl Strategy<Value = StagedDir> {
    (text(), text(), vec(text(), 0..3)).prop_map(|(dir, how, why)| StagedDir { dir, how, why })
}

fn verified(finished: Finished) -> Verified {
    let Finished { outcome, exit_code, usage, denials, more_denials, unenforced, tail, .. } = finished;
    Verified { outcome, exit_code, usage, denials, more_denials, unenforced, tail }
}

fn files() -> impl Strategy<Value = FileChanges> {
    let paths = || vec(text(), 0..3);
    (paths(), paths(), paths()).prop_map(|(created, modified, deleted)| FileChanges { created, modified, deleted })
}

fn header() -> impl Strategy<Value = RunHeader> {
    let earlier = (of(text()), vec(text(), 0..2), vec(text(), 0..2)).prop_map(|(backup_path, migrations_run, details)| Earlier {
        backup_path,
        migrations_run,
        details,
    });
    let why = (of(name()), earlier, of(trigger()));
    (name(), name(), text(), of(name()), of(commit()), of(text()), digest(), (any::<bool>(), any::<bool>(), any::<bool>()), why).prop_map(
        |(
            app,
            environment,
            profile,
            tag,
            commit,
            previous_version,
            plan_digest,
            (dry_run, partial, audit),
            (resumes, earlier, trigger),
        )| {
            RunHeader {
                app,
                environment,
                profile,
                tag,
                commit,
                previous_version,
                plan_digest,
                dry_run,
                partial,
                audit,
                resumes,
                earlier,
                trigger,
            }
        },
    )
}

fn trigger() -> impl Strategy<Value = Trigger> {
    prop_oneof![
        one_of(&[Trigger::AtStart, Trigger::FirstCommit, Trigger::CommitUnchanged, Trigger::UnknownRevision]),
        commit().prop_map(|from| Trigger::CommitChanged { from }),
        name().prop_map(|run| Trigger::Retry { run }),
    ]
}

fn planned_hook() -> impl Strategy<Value = PlannedHook> {
    let guest = one_of(&[GuestKind::Wasm, GuestKind::Native]);
    (place(), text(), text(), guest, of(text()), of(source()), any::<bool>(), limits()).prop_map(
        |(place, label, file, guest, fallback, source, unconfined, limits)| PlannedHook {
            revert: fallback.clone().map(|file| PlannedSibling { file, guest, limits: limits.clone() }),
            verify: fallback.clone().map(|file| PlannedSibling { file, guest, limits: limits.clone() }),
            reach: Some(Reach { live: vec![file.clone()], staged: fallback.clone().into_iter().collect(), unconfined }),
            place,
            label,
            file,
            guest,
            fallback,
            source,
            unconfined,
            enabled: unconfined,
            limits,
        },
    )
}

fn source() -> impl Strategy<Value = HookSource> {
    let branch = "[a-z]{1,8}(/[a-z0-9]{1,8})?".prop_map(|text| Revision::Branch(BranchName::new(text).unwrap()));
    let revision = prop_oneof![Just(Revision::Head), branch, name().prop_map(Revision::Tag), commit().prop_map(Revision::Commit)];
    let git = "(https://|ssh://git@|git@)?[a-z]{1,8}".prop_map(|host| {
        let path = if host.contains("://") { "/a/b.git" } else { ":a/b.git" };
        GitUrl::new(format!("{host}{path}")).unwrap()
    });
    (name(), git, revision, of(commit())).prop_map(|(name, git, revision, commit)| HookSource { name, git, revision, commit })
}

fn planned_step() -> impl Strategy<Value = PlannedStep> {
    let kind = one_of(&[StepKind::Phase, StepKind::Host, StepKind::Fact]);
    (name(), kind, any::<bool>(), any::<bool>(), of(text()), vec(planned_hook(), 0..2))
        .prop_map(|(step, kind, always, makes_live, found, hooks)| PlannedStep { step, kind, always, makes_live, found, hooks })
}

fn what(kind: usize) -> BoxedStrategy<What> {
    let stream = one_of(&[Stream::Stdout, Stream::Stderr]);
    let status = one_of(Status::ALL);
    let resolution = one_of(&[Resolution::Retry, Resolution::MarkDone, Resolution::MarkNotRun]);
    match kind {
        0 => (header(), vec(planned_step(), 0..3)).prop_map(|(header, steps)| What::RunStarted { header: Box::new(header), steps }).boxed(),
        1 => (name(), of(text())).prop_map(|(step, detail)| What::StepStarted { step, detail }).boxed(),
        2 => (place(), any::<u32>()).prop_map(|(place, attempt)| What::Started { place, attempt }).boxed(),
        3 => (place(), stream, text()).prop_map(|(place, stream, line)| What::Output { place, stream, line }).boxed(),
        4 => (place(), result()).prop_map(|(place, result)| What::Finished { place, result: Box::new(result) }).boxed(),
        5 => (name(), verdict(), of(text())).prop_map(|(step, verdict, detail)| What::StepFinished { step, verdict, detail }).boxed(),
        6 => (text(), text()).prop_map(|(code, message)| What::Warning { code, message }).boxed(),
        7 => of(any::<i32>()).prop_map(|signal| What::Interrupted { signal }).boxed(),
        9 => (place(), text(), resolution, of(text()))
            .prop_map(|(place, release, resolution, by)| What::Resolved { place, release, resolution, by })
            .boxed(),
        10 => (text(), text()).prop_map(|(by, owner)| What::Unlocked { by, owner }).boxed(),
        11 => (place(), text()).prop_map(|(place, doing)| What::GettingReady { place, doing }).boxed(),
        12 => (place(), vec(text(), 0..3), of(text()), any::<[u64; 3]>())
            .prop_map(|(place, dirs, path, [files, bytes, databases])| What::BackedUp {
                place,
                dirs,
                path,
                contents: BackupContents { files, bytes, databases },
            })
            .boxed(),
        13 => (place(), any::<u32>(), of(vec((text(), text()), 0..3)))
            .prop_map(|(place, attempt, reported)| What::Verifying { place, attempt, reported })
            .boxed(),
        14 => (place(), result()).prop_map(|(place, result)| What::Verified { place, result: Box::new(verified(result)) }).boxed(),
        16 => (text(), text()).prop_map(|(by, detail)| What::DeployFailed { by, detail }).boxed(),
        8 => {
            let diff = (text(), text()).prop_map(|(path, diff)| TextDiff { path, diff });
            (files(), vec(diff, 0..3)).prop_map(|(files, diffs)| What::WouldChange { files, diffs }).boxed()
        }
        _ => (status, of(text()), of(text()))
            .prop_map(|(status, detail, live_version)| What::RunFinished { status, detail, live_version })
            .boxed(),
    }
}

fn event(kind: usize) -> impl Strategy<Value = Event> {
    // Years 0001 to 9999, to the nanosecond.
    let at = (-62_000_000_000_i64..253_000_000_000, 0..1_000_000_000_i32).prop_map(|(s, ns)| jiff::Timestamp::new(s, ns).unwrap());
    (any::<u64>(), at, name::<RunId>(), what(kind)).prop_map(|(seq, at, run, what)| Event { schema: SCHEMA, seq, at, run, what })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_event_comes_back_from_its_json(event in (0..KINDS).prop_flat_map(event)) {
        let line = serde_json::to_string(&event).unwrap();
        prop_assert!(!line.contains('\n'), "one line");
        prop_assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_with_every_kind_of_event_comes_back_from_the_file(
        header in header(),
        events in (0..KINDS).map(event).collect::<Vec<_>>(),
        run in name::<RunId>(),
    ) {
        let state = tempfile::tempdir().unwrap();
        let target = super::Target { app: header.app.clone(), environment: header.environment.clone() };
        let mut expected: Vec<Event> = events.into_iter().zip(0..).map(|(event, seq)| Event { seq, run: run.clone(), ..event }).collect();
        expected[0].what = What::RunStarted { header: Box::new(header), steps: Vec::new() };
        expected[15].what = What::RunFinished { status: Status::Success, detail: None, live_version: None };
        prop_assert!(expected.iter().map(|event| index(&event.what)).eq(0..KINDS));

        let mut ledger = SqliteLedger::open(state.path()).unwrap();
        ledger.begin(&target, "v1", "{}", &expected[0]).unwrap();
        for event in &expected[1..] {
            let key = sample::key("a");
            ledger.append(event, Some((&key, &Digest::of(b""))), Durability::Later).unwrap();
        }
        drop(ledger);
        let ledger = SqliteLedger::open_readonly(state.path()).unwrap().unwrap();
        prop_assert_eq!(&ledger.last_event(&run).unwrap(), expected.last().unwrap());
        prop_assert_eq!(ledger.events(&run).unwrap(), expected);
        prop_assert_eq!(ledger.plan(&run).unwrap(), "{}");
        let record = &ledger.runs(&target, 1).unwrap()[0];
        prop_assert_eq!(&record.run, &run);
    }
}
