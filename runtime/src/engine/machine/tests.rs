//! The cross-seed decision table (Failure, Timeout, Concurrency, Skip rule, After), and the cases that it doesn't hold.

use super::*;
use crate::model::outcome::{SkipReason, TimeLimit};
use crate::model::policy::OnTimeout;

fn run() -> SlotSpec {
    SlotSpec { decision: Decision::Run, allow_failure: false, live: true, gets_ready: false, revert: false, list: 0 }
}

fn step(slots: Vec<SlotSpec>) -> StepSpec {
    StepSpec { slots, ..StepSpec::default() }
}

fn always() -> StepSpec {
    StepSpec { always: true, ..step(vec![run()]) }
}

fn lifecycle(steps: Vec<StepSpec>) -> Lifecycle {
    Lifecycle { on_locked: OnLocked::Wait, steps }
}

fn fails() -> Outcome {
    Outcome::Failed { cause: Cause::Exit { code: 1 } }
}

fn times_out(limit: TimeLimit) -> Outcome {
    Outcome::TimedOut { limit, abandoned: false }
}

/// A finished life: what was launched in order, and how it ended.
#[derive(Debug, PartialEq)]
struct Life {
    launched: Vec<(usize, usize)>,
    reverted: Vec<(usize, usize)>,
    verdicts: Vec<Verdict>,
    status: Status,
}

/// Plays a life in which each launch ends at once, as `fate` says.
fn live(machine: &mut Machine, fate: impl Fn(At) -> Outcome) -> Life {
    let mut life = Life { launched: vec![], reverted: vec![], verdicts: vec![], status: Status::Refused };
    let mut inputs = vec![Input::Start(LockState::Held)];
    while let Some(input) = inputs.pop() {
        for effect in machine.handle(input) {
            match effect {
                Effect::Preflight { step } => inputs.push(Input::Preflighted { step, findings: vec![] }),
                Effect::Launch(at) => {
                    let list = if at.revert { &mut life.reverted } else { &mut life.launched };
                    list.push((at.step, at.slot));
                    inputs.push(Input::Ended { at, outcome: fate(at) });
                }
                Effect::CommitStage { step } => inputs.push(Input::Committed { step, outcome: Outcome::Succeeded }),
                Effect::Record(Record::Outcome { verdict, .. }) => life.verdicts.push(verdict),
                Effect::Finish(status) => life.status = status,
                _ => {}
            }
        }
    }
    life
}

fn life(steps: Vec<StepSpec>, fate: impl Fn(At) -> Outcome) -> Life {
    live(&mut Machine::new(lifecycle(steps)), fate)
}

/// The six columns: what follows a hook's phase, and the phase's policies as the profiles have them.
fn columns() -> Vec<(&'static str, StepSpec, Vec<StepSpec>)> {
    let strict = |slots| step(slots);
    let lenient = |on_failure| StepSpec { on_failure, on_timeout: OnTimeout::Fail, ..step(vec![run(), run()]) };
    vec![
        ("S1", strict(vec![run(), run()]), vec![step(vec![run()])]),
        ("S2", strict(vec![run(), run()]), vec![step(vec![run()])]),
        ("S3", strict(vec![run(), run()]), vec![step(vec![run()]), always()]),
        ("S4 pre", strict(vec![run(), run()]), vec![step(vec![run()])]),
        ("S4 post", lenient(OnFailure::Warn), vec![step(vec![run()])]),
        ("S5 build", strict(vec![run(), run()]), vec![step(vec![run()])]),
        ("S5 deploy", StepSpec { on_timeout: OnTimeout::Pass, ..lenient(OnFailure::Continue) }, vec![step(vec![run()])]),
    ]
}

fn column(name: &str, fate: Outcome) -> Life {
    let (_, phase, after) = columns().into_iter().find(|(column, ..)| *column == name).unwrap();
    life([vec![phase], after].concat(), move |at| if at == At::main(0, 0) { fate.clone() } else { Outcome::Succeeded })
}

#[test]
fn failure_row() {
    for strict in ["S1", "S2", "S4 pre", "S5 build"] {
        let life = column(strict, fails());
        assert_eq!((life.launched, life.status), (vec![(0, 0)], Status::Failed), "{strict}");
    }
    let s3 = column("S3", fails());
    assert_eq!((s3.launched, s3.status), (vec![(0, 0), (2, 0)], Status::Failed), "always step runs, the others don't");
    let post = column("S4 post", fails());
    assert_eq!((post.launched.len(), post.verdicts[0], post.status), (3, Verdict::ProceedWithWarning, Status::Success));
    let deploy = column("S5 deploy", fails());
    assert_eq!((deploy.launched.len(), deploy.verdicts[0], deploy.status), (3, Verdict::Proceed, Status::Success));
}

#[test]
fn timeout_row() {
    for limit in [TimeLimit::Deadline, TimeLimit::Fuel, TimeLimit::CpuTime] {
        for strict in ["S1", "S2", "S3", "S4 pre", "S5 build"] {
            assert_eq!(column(strict, times_out(limit)).status, Status::Failed, "{strict}");
        }
        let post = column("S4 post", times_out(limit));
        assert_eq!((post.verdicts[0], post.status), (Verdict::ProceedWithWarning, Status::Success));
        let deploy = column("S5 deploy", times_out(limit));
        assert_eq!((deploy.launched.len(), deploy.verdicts[0], deploy.status), (3, Verdict::Proceed, Status::Success), "counts as success");
    }
}

/// How many launches a life has in which all succeeds, and how many of them were under way at once at most. Each ends when the machine has
/// nothing else to do.
fn launches(machine: &mut Machine) -> (usize, usize) {
    let (mut launched, mut most) = (0, 0);
    let mut running = std::collections::VecDeque::new();
    let mut inputs = vec![Input::Start(LockState::Held)];
    loop {
        let ended = || running.pop_front().map(|at| Input::Ended { at, outcome: Outcome::Succeeded });
        let Some(input) = inputs.pop().or_else(ended) else { return (launched, most) };
        for effect in machine.handle(input) {
            match effect {
                Effect::Preflight { step } => inputs.push(Input::Preflighted { step, findings: vec![] }),
                Effect::CommitStage { step } => inputs.push(Input::Committed { step, outcome: Outcome::Succeeded }),
                Effect::Launch(at) => running.push_back(at),
                _ => continue,
            }
            launched += usize::from(matches!(effect, Effect::Launch(_)));
        }
        most = most.max(running.len());
    }
}

#[test]
fn concurrency_row() {
    for (on_locked, status) in [(OnLocked::Skip, Status::Skipped), (OnLocked::Fail, Status::Locked), (OnLocked::Wait, Status::Locked)] {
        let mut machine = Machine::new(Lifecycle { on_locked, ..lifecycle(vec![step(vec![run()])]) });
        assert_eq!(machine.handle(Input::Start(LockState::Busy)), [Effect::Finish(status)], "nothing recorded, nothing launched");
    }
    for (name, phase, after) in columns() {
        let steps = [vec![phase], after].concat();
        let (launched, at_once) = launches(&mut Machine::new(lifecycle(steps.clone())));
        let slots: usize = steps.iter().map(|step| step.slots.len()).sum();
        assert_eq!((launched, at_once), (slots, 1), "{name}: one after the other, and the next step after the last of them");
    }
    // What this is told from.
    let background = StepSpec { background: true, ..step(vec![run()]) };
    assert_eq!(launches(&mut Machine::new(lifecycle(vec![background, step(vec![run()])]))), (2, 2));
}

#[test]
fn skip_row() {
    let reasons = [
        SkipReason::Marker { path: ".release-v1-done".into() },
        SkipReason::AlreadyDone { run: "r1".into() },
        SkipReason::CommitUnchanged,
        SkipReason::NotConfigured,
    ];
    for reason in reasons {
        for (name, mut phase, after) in columns() {
            phase.slots[0].decision = Decision::Skip(reason.clone());
            let steps = [vec![phase], after].concat();
            let mut others: Vec<_> = (0..steps.len()).flat_map(|at| (0..steps[at].slots.len()).map(move |slot| (at, slot))).collect();
            others.remove(0);
            let life = life(steps, |_| Outcome::Succeeded);
            assert_eq!((life.launched, life.status), (others, Status::Success), "{name}, {reason}: a skip counts as success");
            assert!(life.verdicts.iter().all(|verdict| *verdict == Verdict::Proceed), "{name}, {reason}: and warns of nothing");
        }
    }
}

#[test]
fn after_row() {
    for (name, ..) in columns() {
        let life = column(name, Outcome::Succeeded);
        let expected = if name == "S3" { 4 } else { 3 };
        assert_eq!((life.launched.len(), life.status), (expected, Status::Success), "{name}: what follows runs last");
        assert!(life.launched.is_sorted(), "{name}: in order");
    }
}

#[test]
fn s3_68_a_failed_health_check_leaves_services_as_they_are() {
    let life = life(vec![step(vec![run()]), always(), step(vec![run()])], |at| if at.step == 2 { fails() } else { Outcome::Succeeded });
    assert_eq!((life.launched, life.status), (vec![(0, 0), (1, 0), (2, 0)], Status::Failed));
}

#[test]
fn s3_59_a_failing_always_step_masks_nothing() {
    let mut machine = Machine::new(lifecycle(vec![step(vec![run()]), always(), always()]));
    let life = live(&mut machine, |_| fails());
    assert_eq!(life.launched, [(0, 0), (1, 0), (2, 0)], "each always step runs, also after another failed");
    assert_eq!(machine.first_error(), Some(At::main(0, 0)));
}

#[test]
fn revert_runs_the_siblings_of_successes_in_reverse_before_always_steps() {
    let undoable = || SlotSpec { revert: true, ..run() };
    let phase = StepSpec { on_failure: OnFailure::Revert, ..step(vec![undoable(), run(), undoable(), run()]) };
    let life = life(vec![phase, always()], |at| if at == At::main(0, 3) { fails() } else { Outcome::Succeeded });
    assert_eq!(life.reverted, [(0, 2), (0, 0)]);
    assert_eq!(life.status, Status::Failed);
}

#[test]
fn a_run_that_is_over_gets_its_reverts_and_nothing_else() {
    let undoable = || SlotSpec { revert: true, ..run() };
    let spec = lifecycle(vec![step(vec![undoable(), undoable()]), step(vec![undoable()]), always()]);
    let done = vec![At::main(0, 1), At::main(1, 0)];
    let mut machine = Machine::undo(spec.clone(), done.clone());
    let life = live(&mut machine, |at| if at.step == 1 { fails() } else { Outcome::Succeeded });
    assert_eq!((life.launched, life.reverted), (vec![], vec![(1, 0), (0, 1)]), "one that fails doesn't keep the others");
    let mut machine = Machine::undo(spec, done);
    let begun = machine.handle(Input::Start(LockState::Held));
    assert!(matches!(begun[..], [Effect::Record(Record::Intent { durable: true, .. }), Effect::Launch(_)]), "{begun:?}");
    assert_eq!(machine.handle(Input::Cancel { signal: Some(15) }), [], "its journal has its end already");
    let ended = machine.handle(Input::Ended { at: At { revert: true, ..At::main(1, 0) }, outcome: Outcome::Succeeded });
    assert!(matches!(ended[..], [Effect::Record(Record::Outcome { .. }), Effect::ReleaseLock, Effect::Finish(_)]), "{ended:?}");
}

#[test]
fn allow_failure_turns_abort_into_warn_and_never_the_other_way() {
    let tolerated = SlotSpec { allow_failure: true, ..run() };
    let life_of = |on_failure| {
        life(
            vec![StepSpec { on_failure, ..step(vec![tolerated.clone(), run()]) }],
            |at| if at.slot == 0 { fails() } else { Outcome::Succeeded },
        )
    };
    assert_eq!(life_of(OnFailure::Abort).verdicts, [Verdict::ProceedWithWarning, Verdict::Proceed]);
    assert_eq!(life_of(OnFailure::Continue).verdicts, [Verdict::Proceed, Verdict::Proceed]);
}

#[test]
fn preflight_findings_stop_a_strict_phase_before_its_first_hook() {
    let mut machine = Machine::new(lifecycle(vec![step(vec![run(), run()]), always()]));
    let _ = machine.handle(Input::Start(LockState::Held));
    let effects = machine.handle(Input::Preflighted { step: 0, findings: vec![(1, vec!["migrate.sh is not executable".into()])] });
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Launch(at) if at.step == 0)), "{effects:?}");
    assert_eq!(machine.first_error(), Some(At::main(0, 1)));
    assert!(effects.contains(&Effect::Preflight { step: 1 }), "the always step comes next");
}

#[test]
fn preflight_findings_under_warn_rule_out_only_their_hook() {
    let mut machine = Machine::new(lifecycle(vec![StepSpec { on_failure: OnFailure::Warn, ..step(vec![run(), run()]) }]));
    let _ = machine.handle(Input::Start(LockState::Held));
    let effects = machine.handle(Input::Preflighted { step: 0, findings: vec![(0, vec!["gone".into()])] });
    assert!(effects.contains(&Effect::Launch(At::main(0, 1))) && !effects.contains(&Effect::Launch(At::main(0, 0))));
}

#[test]
fn background_hooks_block_nothing_and_are_awaited_at_the_end() {
    let background = StepSpec { background: true, ..step(vec![run()]) };
    let mut machine = Machine::new(lifecycle(vec![background, step(vec![run()])]));
    let effects = machine.handle(Input::Start(LockState::Held));
    assert!(effects.contains(&Effect::Preflight { step: 1 }), "the next step doesn't wait: {effects:?}");
    assert!(machine.handle(Input::Preflighted { step: 0, findings: vec![] }).contains(&Effect::Launch(At::main(0, 0))));
    let _ = machine.handle(Input::Preflighted { step: 1, findings: vec![] });
    let effects = machine.handle(Input::Ended { at: At::main(1, 0), outcome: Outcome::Succeeded });
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Finish(_))), "the background hook still runs");
    let effects = machine.handle(Input::Ended { at: At::main(0, 0), outcome: Outcome::Succeeded });
    assert_eq!(effects.last(), Some(&Effect::Finish(Status::Success)));
}

#[test]
fn an_abort_cancels_background_hooks_and_waits_for_them_before_always_steps() {
    let background = StepSpec { background: true, ..step(vec![run(), run()]) };
    let mut machine = Machine::new(lifecycle(vec![background, step(vec![run()]), always()]));
    let _ = machine.handle(Input::Start(LockState::Held));
    let _ = machine.handle(Input::Preflighted { step: 0, findings: vec![] });
    let _ = machine.handle(Input::Preflighted { step: 1, findings: vec![] });
    let effects = machine.handle(Input::Ended { at: At::main(1, 0), outcome: fails() });
    assert!(effects.contains(&Effect::Cancel(At::main(0, 0))), "{effects:?}");
    assert!(!effects.contains(&Effect::Preflight { step: 2 }));
    let effects = machine.handle(Input::Ended { at: At::main(0, 0), outcome: Outcome::Cancelled });
    assert!(effects.contains(&Effect::Preflight { step: 2 }));
    assert_eq!(machine.first_error(), Some(At::main(1, 0)));
}

#[test]
fn a_cancel_stops_the_current_hook_and_still_runs_always_steps() {
    let undoable = SlotSpec { revert: true, ..run() };
    let mut machine =
        Machine::new(lifecycle(vec![StepSpec { on_failure: OnFailure::Revert, ..step(vec![undoable, run(), run()]) }, always()]));
    let _ = machine.handle(Input::Start(LockState::Held));
    let _ = machine.handle(Input::Preflighted { step: 0, findings: vec![] });
    let _ = machine.handle(Input::Ended { at: At::main(0, 0), outcome: Outcome::Succeeded });
    let effects = machine.handle(Input::Cancel { signal: Some(2) });
    assert_eq!(effects, [Effect::Record(Record::Interrupted { signal: Some(2) }), Effect::Cancel(At::main(0, 1))]);
    assert_eq!(machine.handle(Input::Cancel { signal: Some(2) }), [], "the second time is the driver's business");
    let effects = machine.handle(Input::Ended { at: At::main(0, 1), outcome: Outcome::Cancelled });
    assert!(effects.contains(&Effect::Preflight { step: 1 }), "a cancel reverts nothing: {effects:?}");
    let effects = [
        machine.handle(Input::Preflighted { step: 1, findings: vec![] }),
        machine.handle(Input::Ended { at: At::main(1, 0), outcome: Outcome::Succeeded }),
    ]
    .concat();
    assert_eq!(effects.last(), Some(&Effect::Finish(Status::Interrupted)));
}

#[test]
fn staged_phases_commit_once_at_their_end_and_drop_on_an_abort() {
    let staged = |files| StepSpec { files, ..step(vec![run(), run()]) };
    let trace = |files, fate: fn(At) -> Outcome| {
        let mut machine = Machine::new(lifecycle(vec![staged(files)]));
        let mut effects = machine.handle(Input::Start(LockState::Held));
        effects.extend(machine.handle(Input::Preflighted { step: 0, findings: vec![] }));
        for slot in 0..2 {
            effects.extend(machine.handle(Input::Ended { at: At::main(0, slot), outcome: fate(At::main(0, slot)) }));
        }
        effects
            .into_iter()
            .filter(|effect| matches!(effect, Effect::OpenStage { .. } | Effect::CommitStage { .. } | Effect::DropStage { .. }))
            .collect::<Vec<_>>()
    };
    let (open, commit, drop) = (Effect::OpenStage { step: 0 }, Effect::CommitStage { step: 0 }, Effect::DropStage { step: 0 });
    assert_eq!(trace(Files::Commit, |_| Outcome::Succeeded), [open.clone(), commit]);
    assert_eq!(trace(Files::Commit, |at| if at.slot == 1 { fails() } else { Outcome::Succeeded }), [open.clone(), drop.clone()]);
    assert_eq!(trace(Files::Discard, |_| Outcome::Succeeded), [open.clone(), drop.clone()]);
    assert_eq!(trace(Files::Keep, |_| Outcome::Succeeded), []);

    // What the phase staged is one whole: a tolerated failure in it leaves nothing behind either.
    let tolerated = SlotSpec { allow_failure: true, ..run() };
    let mut machine = Machine::new(lifecycle(vec![StepSpec { files: Files::Commit, ..step(vec![tolerated, run()]) }]));
    let mut effects = machine.handle(Input::Start(LockState::Held));
    effects.extend(machine.handle(Input::Preflighted { step: 0, findings: vec![] }));
    effects.extend(machine.handle(Input::Ended { at: At::main(0, 0), outcome: fails() }));
    effects.extend(machine.handle(Input::Ended { at: At::main(0, 1), outcome: Outcome::Succeeded }));
    assert!(effects.contains(&open) && effects.contains(&drop));
    assert_eq!(effects.last(), Some(&Effect::Finish(Status::Success)));
}

#[test]
fn a_failed_commit_is_a_failure_of_its_phase() {
    let mut machine = Machine::new(lifecycle(vec![StepSpec { files: Files::Commit, ..step(vec![run()]) }, step(vec![run()])]));
    let _ = machine.handle(Input::Start(LockState::Held));
    let _ = machine.handle(Input::Preflighted { step: 0, findings: vec![] });
    let _ = machine.handle(Input::Ended { at: At::main(0, 0), outcome: Outcome::Succeeded });
    let effects = machine.handle(Input::Committed { step: 0, outcome: fails() });
    assert_eq!(effects.last(), Some(&Effect::Finish(Status::Failed)));
}

#[test]
fn an_unresolved_hook_stops_the_run_before_anything_starts() {
    let unresolved = SlotSpec { decision: Decision::Unresolved, ..run() };
    let life = life(vec![step(vec![run()]), step(vec![unresolved]), always()], |_| Outcome::Succeeded);
    assert_eq!((life.launched, life.status), (vec![], Status::Failed));
}

#[test]
fn recovery_runs_pending_always_steps_only() {
    let spec = lifecycle(vec![always(), step(vec![run()]), always()]);
    let mut machine = Machine::recover(spec, BTreeSet::from([At::main(0, 0)]), Vec::new());
    let life = live(&mut machine, |_| Outcome::Succeeded);
    assert_eq!((life.launched, life.status), (vec![(2, 0)], Status::Interrupted));
}

/// S5.52: the rest of a failed command's list doesn't run; another service's list and later phases do. S5.35: a timeout ends no list.
#[test]
fn s5_52_a_failed_command_ends_its_list_and_no_other() {
    let of = |list| SlotSpec { list, ..run() };
    let deploy = StepSpec {
        on_failure: OnFailure::Continue,
        on_timeout: OnTimeout::Pass,
        after_failure: AfterFailure::EndList,
        ..step(vec![of(0), of(0), of(0), of(1), of(1)])
    };
    let steps = vec![deploy.clone(), deploy];
    let failed = life(steps.clone(), |at| if at == At::main(0, 1) { fails() } else { Outcome::Succeeded });
    assert_eq!(failed.launched, [(0, 0), (0, 1), (0, 3), (0, 4), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4)]);
    assert_eq!(failed.status, Status::Success, "no way back: the deploy goes on");
    let late = life(steps, |at| if at == At::main(0, 1) { times_out(TimeLimit::Deadline) } else { Outcome::Succeeded });
    assert_eq!(late.launched.len(), 10);
}

#[test]
fn s5_52_a_command_that_preflight_rules_out_ends_its_list_where_it_stands() {
    let deploy = StepSpec { on_failure: OnFailure::Continue, after_failure: AfterFailure::EndList, ..step(vec![run(), run(), run()]) };
    let mut machine = Machine::new(lifecycle(vec![deploy]));
    let _ = machine.handle(Input::Start(LockState::Held));
    let effects = machine.handle(Input::Preflighted { step: 0, findings: vec![(1, vec!["not executable".into()])] });
    assert!(effects.contains(&Effect::Launch(At::main(0, 0))), "what stands before it runs");
    let effects = machine.handle(Input::Ended { at: At::main(0, 0), outcome: Outcome::Succeeded });
    assert!(!effects.contains(&Effect::Launch(At::main(0, 2))), "what stands behind it doesn't");
}

fn notices() -> [StepSpec; 2] {
    let on = |when, always| StepSpec { when, always, on_failure: OnFailure::Warn, ..step(vec![run()]) };
    [on(When::Succeeded, false), on(When::Failed, true)]
}

/// S2.13, S4.48: a notice of success is sent only then; one of failure also for a failure that was tolerated.
#[test]
fn s2_13_s4_48_notices_go_out_where_they_are_true() {
    let [succeeded, failed] = notices();
    let steps = |on_failure| vec![StepSpec { on_failure, ..step(vec![run()]) }, succeeded.clone(), failed.clone()];
    let launched =
        |on_failure, first: Outcome| life(steps(on_failure), |at| if at.step == 0 { first.clone() } else { Outcome::Succeeded }).launched;
    assert_eq!(launched(OnFailure::Abort, Outcome::Succeeded), [(0, 0), (1, 0)]);
    assert_eq!(launched(OnFailure::Abort, fails()), [(0, 0), (2, 0)]);
    assert_eq!(launched(OnFailure::Warn, fails()), [(0, 0), (2, 0)]);
    assert_eq!(launched(OnFailure::Continue, times_out(TimeLimit::Fuel)), [(0, 0), (2, 0)]);
}

#[test]
fn s4_48_a_notice_that_fails_masks_nothing_and_waits_for_what_runs_in_the_background() {
    let [succeeded, failed] = notices();
    let late = StepSpec { background: true, on_failure: OnFailure::Warn, ..step(vec![run()]) };
    let mut machine = Machine::new(lifecycle(vec![step(vec![run()]), failed.clone()]));
    let life = live(&mut machine, |_| fails());
    assert_eq!((life.status, machine.first_error()), (Status::Failed, Some(At::main(0, 0))));

    let mut machine = Machine::new(lifecycle(vec![late, succeeded, failed]));
    let _ = machine.handle(Input::Start(LockState::Held));
    let started = machine.handle(Input::Preflighted { step: 0, findings: vec![] });
    assert!(started.contains(&Effect::Launch(At::main(0, 0))));
    assert!(
        !started.iter().any(|effect| matches!(effect, Effect::Preflight { step } if *step > 0)),
        "it isn't known yet which of the two is true"
    );
    let ended = machine.handle(Input::Ended { at: At::main(0, 0), outcome: fails() });
    assert!(ended.contains(&Effect::Preflight { step: 2 }) && !ended.contains(&Effect::Preflight { step: 1 }));
}

/// What a phase staged and never committed is not there, so nothing takes it back; what its hooks did besides is.
#[test]
fn nothing_is_taken_back_of_a_phase_that_was_not_committed() {
    let hook = |live| SlotSpec { live, revert: true, ..run() };
    let phase = || StepSpec { files: Files::Commit, on_failure: OnFailure::Revert, ..step(vec![hook(false), hook(true), hook(false)]) };
    let last_fails = |at: At| if at == At::main(0, 2) { fails() } else { Outcome::Succeeded };
    assert_eq!(life(vec![phase()], last_fails).reverted, [(0, 1)]);

    let mut machine = Machine::new(lifecycle(vec![step(vec![hook(false)]), phase()]));
    let mut effects = machine.handle(Input::Start(LockState::Held));
    effects.extend(machine.handle(Input::Preflighted { step: 0, findings: vec![] }));
    effects.extend(machine.handle(Input::Ended { at: At::main(0, 0), outcome: Outcome::Succeeded }));
    effects.extend(machine.handle(Input::Preflighted { step: 1, findings: vec![] }));
    for slot in 0..3 {
        effects.extend(machine.handle(Input::Ended { at: At::main(1, slot), outcome: Outcome::Succeeded }));
    }
    let refused = machine.handle(Input::Committed { step: 1, outcome: fails() });
    let said = Record::NotCommitted { step: 1, outcome: fails(), verdict: Verdict::Abort };
    assert!(refused.contains(&Effect::Record(said)), "{refused:?}");
    assert!(refused.contains(&Effect::Launch(At { revert: true, ..At::main(1, 1) })), "{refused:?}");
    let then = machine.handle(Input::Ended { at: At { revert: true, ..At::main(1, 1) }, outcome: Outcome::Succeeded });
    assert!(then.contains(&Effect::Launch(At { revert: true, ..At::main(0, 0) })), "the phase before it was kept: {then:?}");
}
