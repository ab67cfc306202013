//! Gate rules, each by the smallest plan that shows it.

use super::*;
use crate::model::grant::{DirGrant, DirMode, Grants};
use crate::model::id::{AppName, Digest, EnvironmentName, SourceName, StepName, Tag};
use crate::model::limits::Limits;
use crate::model::policy::OnLocked;
use crate::model::source::{GitUrl, HookSource, Revision};
use crate::plan::{PlanGuest, PlanSibling, SCHEMA};
use crate::profile::PhasePolicy;

fn phase(gate: Gate) -> PhasePolicy {
    PhasePolicy { gate, ..serde_json::from_str(r#"{"title": "Deploy"}"#).unwrap() }
}

fn hook() -> PlanHook {
    PlanHook {
        id: HookId::new("h").unwrap(),
        label: "h".into(),
        service: None,
        instance: None,
        origin: "test".into(),
        source: None,
        guest: PlanGuest::Wasm { file: "h.wasm".into(), digest: Digest::of(b"h"), args: vec![] },
        fallback: None,
        grants: Grants::none(),
        limits: Limits::default(),
        digest: Digest::of(b"as planned"),
        once: None,
        on_change: OnChange::Error,
        idempotent: false,
        allow_failure: false,
        enabled: true,
        selected: true,
        unusable: None,
        effects: vec![],
        backup: None,
        wait_for: None,
        verify: None,
        revert: None,
    }
}

fn live(hook: PlanHook) -> PlanHook {
    let dirs = vec![DirGrant { host: Some("/app".into()), guest: "/app".into(), mode: DirMode::Write }];
    PlanHook { grants: Grants { dirs, ..hook.grants }, ..hook }
}

fn plan(gate: Gate, hook: PlanHook) -> Plan {
    Plan {
        schema: SCHEMA,
        app: AppName::new("a").unwrap(),
        environment: EnvironmentName::new("e").unwrap(),
        profile: "test".into(),
        tag: Some(Tag::new("v1").unwrap()),
        commit: Some(Commit::new("aaaaaaa").unwrap()),
        previous_version: None,
        app_dir: "/app".into(),
        data_dir: "/app".into(),
        on_locked: OnLocked::Wait,
        on_unknown: OnUnknown::Stop,
        marker: Some(".release-v1-done".into()),
        partial: false,
        steps: vec![PlanStep {
            name: StepName::new("deploy").unwrap(),
            kind: PlanStepKind::Phase { policy: phase(gate), hooks: vec![hook] },
        }],
        notices: vec![],
        warnings: vec![],
    }
}

fn place(plan: &Plan) -> Place {
    crate::engine::lifecycle::place(plan, crate::engine::machine::At::main(0, 0))
}

fn memory(outcome: Option<Outcome>) -> Memory {
    Memory { outcome, digest: Digest::of(b"as planned"), run: RunId::new("r1").unwrap(), attempts: 1 }
}

fn remembering(plan: &Plan, memory: Memory) -> Snapshot {
    Snapshot { memories: BTreeMap::from([(place(plan), memory)]), release_known: true, ..Snapshot::default() }
}

fn decision(plan: &Plan, snapshot: &Snapshot) -> Decision {
    decide(plan, snapshot).unwrap().by_step[0][0].clone()
}

fn already_done() -> Decision {
    Decision::Skip(SkipReason::AlreadyDone { run: "r1".into() })
}

#[test]
fn once_skips_what_succeeded_and_runs_what_did_not() {
    let plan = plan(Gate::Once, hook());
    assert_eq!(decision(&plan, &remembering(&plan, memory(Some(Outcome::Succeeded)))), already_done());
    for outcome in [
        Outcome::Cancelled,
        Outcome::Skipped { reason: SkipReason::Disabled },
        Outcome::TimedOut { limit: crate::model::outcome::TimeLimit::Fuel, abandoned: false },
    ] {
        assert_eq!(decision(&plan, &remembering(&plan, memory(Some(outcome)))), Decision::Run);
    }
    assert_eq!(decision(&plan, &Snapshot::default()), Decision::Run);
}

#[test]
fn without_a_gate_it_runs_every_time_and_once_on_the_hook_overrides() {
    let every_time = plan(Gate::None, hook());
    assert_eq!(decision(&every_time, &remembering(&every_time, memory(Some(Outcome::Succeeded)))), Decision::Run);
    let overridden = plan(Gate::None, PlanHook { once: Some(true), ..hook() });
    assert_eq!(decision(&overridden, &remembering(&overridden, memory(Some(Outcome::Succeeded)))), already_done());
    let freed = plan(Gate::Once, PlanHook { once: Some(false), ..hook() });
    assert_eq!(decision(&freed, &remembering(&freed, memory(Some(Outcome::Succeeded)))), Decision::Run);
}

#[test]
fn s4_81_commit_changed_compares_with_the_last_successful_commit_only() {
    let plan = plan(Gate::CommitChanged, hook());
    let last = |commit: &str| Snapshot { last_success: Some(Commit::new(commit).unwrap()), ..Snapshot::default() };
    assert_eq!(decision(&plan, &last("aaaaaaa")), Decision::Skip(SkipReason::CommitUnchanged));
    assert_eq!(decision(&plan, &last("bbbbbbb")), Decision::Run, "A, B, A runs three times");
    assert_eq!(decision(&plan, &Snapshot::default()), Decision::Run, "the first time");
}

#[test]
fn a_changed_hook_is_what_on_change_says() {
    let changed = Memory { digest: Digest::of(b"as it was"), ..memory(Some(Outcome::Succeeded)) };
    let with = |on_change| {
        let plan = plan(Gate::Once, PlanHook { on_change, ..hook() });
        decide(&plan, &remembering(&plan, changed.clone()))
    };
    assert_eq!(with(OnChange::Error).unwrap_err()[0].hook.as_str(), "h");
    let warned = with(OnChange::Warn).unwrap();
    assert_eq!((&warned.by_step[0][0], warned.notices[0].code.as_str()), (&already_done(), "hook-changed"));
    assert_eq!(with(OnChange::Rerun).unwrap().by_step[0][0], Decision::Run);
    let ignored = with(OnChange::Ignore).unwrap();
    assert_eq!((&ignored.by_step[0][0], ignored.notices.len()), (&already_done(), 0));
}

#[test]
fn s3_42_the_marker_speaks_only_for_a_release_that_the_ledger_does_not_know() {
    let plan = plan(Gate::Once, hook());
    let marked = Snapshot { marker_present: true, ..Snapshot::default() };
    assert_eq!(decision(&plan, &marked), Decision::Skip(SkipReason::Marker { path: ".release-v1-done".into() }));
    let known = Snapshot { release_known: true, ..marked };
    assert_eq!(decision(&plan, &known), Decision::Run, "a script of an unfinished run may have touched it");
}

fn open(plan: &Plan, release: &str, was: Was) -> (Place, Open) {
    let place = place(plan);
    (place.clone(), Open { key: Key { release: release.to_owned(), place }, memory: memory(None), was })
}

#[test]
fn what_was_half_taken_back_waits_for_a_person_only_if_it_was_live_and_says_so_either_way() {
    let half = |plan: &Plan| Snapshot { unresolved: BTreeMap::from([open(plan, "v1", Was::HalfTakenBack)]), ..Snapshot::default() };
    for (hook, decision, then) in [
        (live(hook()), Decision::Unresolved, "nobody knows how much of it is left"),
        (PlanHook { idempotent: true, ..live(hook()) }, Decision::Run, "it runs again"),
    ] {
        let plan = plan(Gate::Once, hook);
        let decisions = decide(&plan, &half(&plan)).unwrap();
        assert_eq!(decisions.by_step[0][0], decision);
        let Notice { code, message } = &decisions.notices[0];
        assert_eq!((code.as_str(), message.ends_with(then)), ("half-taken-back", true), "{message}");
    }
}

#[test]
fn what_was_running_when_the_engine_died_waits_for_a_person_only_if_it_was_live() {
    let unresolved =
        |plan: &Plan| Snapshot { unresolved: BTreeMap::from([open(plan, "v1", Was::Running)]), release_known: true, ..Snapshot::default() };
    let stop = plan(Gate::Once, live(hook()));
    assert_eq!(decision(&stop, &unresolved(&stop)), Decision::Unresolved);
    for restarts in [
        plan(Gate::Once, hook()),
        plan(Gate::Once, PlanHook { idempotent: true, ..live(hook()) }),
        Plan { on_unknown: OnUnknown::Rerun, ..stop.clone() },
    ] {
        let decisions = decide(&restarts, &unresolved(&restarts)).unwrap();
        assert_eq!((&decisions.by_step[0][0], decisions.notices[0].code.as_str()), (&Decision::Run, "rerun-after-crash"));
    }
    let other_release = Snapshot { unresolved: BTreeMap::from([open(&stop, "v0", Was::Running)]), ..Snapshot::default() };
    assert_eq!(decision(&stop, &other_release), Decision::Run, "under once another release's crash is another execution");
}

#[test]
fn the_verify_of_what_died_is_asked_where_its_word_can_decide() {
    let guest = PlanGuest::Wasm { file: "v.wasm".into(), digest: Digest::of(b"v"), args: vec![] };
    let verified = |hook: PlanHook| PlanHook { verify: Some(PlanSibling { guest: guest.clone(), limits: Limits::default() }), ..hook };
    let txn = DirGrant { host: Some("/data".into()), guest: "/data".into(), mode: DirMode::Txn };
    let mixed = |idempotent| {
        let mut hook = PlanHook { idempotent, ..verified(live(hook())) };
        hook.grants.dirs.push(txn.clone());
        hook
    };
    for (hook, asks) in [(verified(live(hook())), true), (verified(hook()), false), (mixed(false), true), (mixed(true), false)] {
        let plan = plan(Gate::Once, hook);
        let reported = vec![("rows".to_owned(), "7".to_owned())];
        let snapshot =
            Snapshot { unresolved: BTreeMap::from([open(&plan, "v1", Was::Verifying(reported.clone()))]), ..Snapshot::default() };
        let decisions = decide(&plan, &snapshot).unwrap();
        assert_eq!(decisions.by_step[0][0], Decision::Run);
        assert_eq!(decisions.verify_first, BTreeMap::from_iter(asks.then(|| (place(&plan), Some(reported)))));
        assert!(decisions.notices[0].message.starts_with("deploy/h had ended with success, and its verify was under way when run r1 died"));
    }
}

#[test]
fn disabled_and_unselected_hooks_say_so() {
    let disabled = plan(Gate::Once, PlanHook { enabled: false, ..hook() });
    assert_eq!(decision(&disabled, &Snapshot::default()), Decision::Skip(SkipReason::Disabled));
    let unselected = plan(Gate::Once, PlanHook { selected: false, ..hook() });
    assert_eq!(decision(&unselected, &Snapshot::default()), Decision::Skip(SkipReason::NotSelected));
}

#[test]
fn the_release_is_the_tag_else_the_commit_else_the_run() {
    let plan = plan(Gate::Once, hook());
    let run = RunId::new("r9").unwrap();
    assert_eq!(release_of(&plan, Gate::Once, &run), "v1");
    assert_eq!(release_of(&Plan { tag: None, ..plan.clone() }, Gate::Once, &run), "aaaaaaa");
    assert_eq!(release_of(&Plan { tag: None, commit: None, ..plan.clone() }, Gate::Once, &run), "run r9");
    assert_eq!(release_of(&plan, Gate::CommitChanged, &run), "run r9");
}

#[test]
fn s4_7_what_another_repository_does_not_give_at_a_start_fails_in_its_phase() {
    let git = GitUrl::new("file:///jobs").unwrap();
    let elsewhere = HookSource { name: SourceName::new("jobs").unwrap(), git, revision: Revision::default(), commit: None };
    for (source, at_start, refused) in
        [(None, true, true), (None, false, true), (Some(elsewhere.clone()), false, true), (Some(elsewhere), true, false)]
    {
        let plan = plan(Gate::None, PlanHook { unusable: Some("it can't be read".to_owned()), source, ..hook() });
        let decisions = decide(&plan, &Snapshot::default()).unwrap();
        assert_eq!(!hopeless(&plan, &decisions, at_start).is_empty(), refused, "{:?} at_start = {at_start}", plan.steps);
    }
}
