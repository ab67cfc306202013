//! Every state with every input that matters in it, and random lives.

use super::{Effect, Ending, Followed, Input, Machine, Ran, Spec};
use proptest::prelude::*;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(30);
const SPEC: Spec = Spec { interval: INTERVAL, longest_sleep: None, once: false, follows: true, application: true };
const ALONE: Spec = Spec { application: false, ..SPEC };
const TERM: i32 = libc::SIGTERM;
const HUP: i32 = libc::SIGHUP;

use Effect::{Exit, Follow, Forward, Interrupt, Run, Sleep, Start};
use Input::{ApplicationEnded, Begin, NotStarted, Signal, StartDue, Started, Woke};

const FOLLOWED: Input = Input::Followed(Followed::Yes);
const UNFOLLOWED: Input = Input::Followed(Followed::No);
const BUSY: Input = Input::Followed(Followed::Locked);
const SUCCEEDED: Input = Input::Ran(Ran::Succeeded);
const IDLE: Input = Input::Ran(Ran::Idle);
const LOCKED: Input = Input::Ran(Ran::Locked);
const FAILED: Input = Input::Ran(Ran::Failed);
const FIRST: Effect = Run { at_start: true };
const CYCLE: Effect = Run { at_start: false };
const END: Effect = Interrupt { signal: Some(TERM) };
const STOP: Effect = Interrupt { signal: None };

/// What the last of these inputs leads to.
fn last(spec: Spec, inputs: &[Input]) -> Vec<Effect> {
    let mut machine = Machine::new(spec);
    let mut effects = Vec::new();
    for input in inputs {
        effects = machine.handle(*input);
    }
    effects
}

#[track_caller]
fn table(spec: Spec, before: &[Input], rows: &[(Input, &[Effect])]) {
    for (input, expected) in rows {
        let inputs = [before, &[*input]].concat();
        assert_eq!(last(spec, &inputs), *expected, "{spec:?}\n{inputs:?}");
    }
}

/// How the lives that the tables begin with came where they are.
const RUNNING: &[Input] = &[Begin, FOLLOWED];
const STARTED: &[Input] = &[Begin, FOLLOWED, StartDue, Started];
const SLEEPING: &[Input] = &[Begin, FOLLOWED, StartDue, Started, SUCCEEDED];
const IN_A_CYCLE: &[Input] = &[Begin, FOLLOWED, StartDue, Started, SUCCEEDED, Woke, FOLLOWED];

#[test]
fn s4_24_s4_26_the_start_and_then_cycle_after_cycle() {
    table(SPEC, &[], &[(Begin, &[Follow])]);
    table(SPEC, &[Begin], &[(FOLLOWED, &[FIRST]), (UNFOLLOWED, &[FIRST]), (BUSY, &[FIRST])]);
    table(SPEC, RUNNING, &[(StartDue, &[Start])]);
    table(SPEC, STARTED, &[(SUCCEEDED, &[Sleep(INTERVAL)]), (StartDue, &[])]);
    table(SPEC, SLEEPING, &[(Woke, &[Follow])]);
    table(SPEC, &[SLEEPING, &[Woke]].concat(), &[(FOLLOWED, &[CYCLE]), (UNFOLLOWED, &[CYCLE]), (BUSY, &[Sleep(INTERVAL)])]);
    for end in [SUCCEEDED, IDLE, LOCKED, FAILED] {
        table(SPEC, IN_A_CYCLE, &[(end, &[Sleep(INTERVAL)])]);
    }
    let unasked = Spec { follows: false, ..SPEC };
    table(unasked, &[], &[(Begin, &[FIRST])]);
    table(unasked, &[Begin, StartDue, Started, SUCCEEDED], &[(Woke, &[CYCLE])]);
}

#[test]
fn s4_7_s4_25_a_start_that_fails_starts_no_application() {
    table(SPEC, RUNNING, &[(FAILED, &[Exit(Ending::LastRun)]), (LOCKED, &[Exit(Ending::LastRun)])]);
    table(ALONE, RUNNING, &[(FAILED, &[Exit(Ending::LastRun)]), (SUCCEEDED, &[Sleep(INTERVAL)])]);
}

#[test]
fn s4_29_a_failed_cycle_is_followed_by_the_next() {
    table(SPEC, &[IN_A_CYCLE, &[FAILED, Woke]].concat(), &[(FOLLOWED, &[CYCLE])]);
    // What fails after the application's start is a cycle that failed.
    table(SPEC, STARTED, &[(FAILED, &[Sleep(INTERVAL)])]);
    table(SPEC, &[STARTED, &[FAILED, Woke]].concat(), &[(FOLLOWED, &[CYCLE])]);
}

#[test]
fn failures_double_the_sleep_up_to_a_bound_and_a_success_ends_that() {
    let spec = Spec { longest_sleep: Some(Duration::from_secs(200)), ..ALONE };
    let mut machine = Machine::new(spec);
    let mut slept = Vec::new();
    let mut cycle = |inputs: &[Input]| {
        slept.extend(inputs.iter().flat_map(|input| machine.handle(*input)).filter_map(|effect| match effect {
            Sleep(sleep) => Some(sleep.as_secs()),
            _ => None,
        }));
    };
    cycle(&[Begin, FOLLOWED, SUCCEEDED]);
    for _ in 0..40 {
        cycle(&[Woke, FOLLOWED, FAILED]);
    }
    cycle(&[Woke, FOLLOWED, LOCKED]);
    cycle(&[Woke, FOLLOWED, SUCCEEDED]);
    // A remote that can't be read is a failure, whatever there was to run.
    cycle(&[Woke, UNFOLLOWED, IDLE]);
    cycle(&[Woke, FOLLOWED, IDLE]);
    assert_eq!((&slept[..5], &slept[40..]), (&[30, 60, 120, 200, 200][..], &[200, 200, 30, 60, 30][..]));
    let shorter = Spec { longest_sleep: Some(Duration::from_secs(1)), ..ALONE };
    assert_eq!(last(shorter, &[Begin, FOLLOWED, SUCCEEDED, Woke, FOLLOWED, FAILED]), [Sleep(INTERVAL)], "never shorter than the interval");
}

#[test]
fn a_signal_in_each_state_without_an_application() {
    let stopped = Exit(Ending::Stopped(TERM));
    table(ALONE, &[Begin], &[(Signal(TERM), &[END]), (Signal(libc::SIGUSR1), &[])]);
    table(
        ALONE,
        &[Begin, Signal(TERM)],
        &[(FOLLOWED, &[stopped]), (UNFOLLOWED, &[stopped]), (Signal(TERM), &[Exit(Ending::AtOnce(TERM))])],
    );
    table(ALONE, RUNNING, &[(Signal(TERM), &[END]), (Signal(HUP), &[Interrupt { signal: Some(HUP) }])]);
    table(
        ALONE,
        &[RUNNING, &[Signal(TERM)]].concat(),
        &[(FAILED, &[stopped]), (SUCCEEDED, &[stopped]), (Signal(libc::SIGINT), &[Exit(Ending::AtOnce(libc::SIGINT))])],
    );
    table(ALONE, &[RUNNING, &[SUCCEEDED]].concat(), &[(Signal(TERM), &[END, stopped]), (Signal(libc::SIGWINCH), &[])]);
}

#[test]
fn a_signal_before_the_application_is_started_stops_all_and_it_never_is() {
    table(SPEC, &[Begin], &[(Signal(TERM), &[END]), (Signal(HUP), &[Interrupt { signal: Some(HUP) }]), (Signal(libc::SIGUSR1), &[])]);
    table(SPEC, RUNNING, &[(Signal(TERM), &[END])]);
    table(SPEC, &[RUNNING, &[Signal(TERM)]].concat(), &[(StartDue, &[]), (FAILED, &[Exit(Ending::Stopped(TERM))])]);
}

#[test]
fn a_signal_goes_to_the_application_and_its_end_is_the_end() {
    let ended = [Exit(Ending::Application(0))];
    for (before, answer) in [
        (STARTED.to_vec(), Some(FAILED)),
        (SLEEPING.to_vec(), None),
        ([SLEEPING, &[Woke]].concat(), Some(FOLLOWED)),
        (IN_A_CYCLE.to_vec(), Some(FAILED)),
    ] {
        table(
            SPEC,
            &before,
            &[(Signal(TERM), &[Forward(TERM), END]), (Signal(HUP), &[Forward(HUP)]), (Signal(libc::SIGUSR1), &[Forward(libc::SIGUSR1)])],
        );
        let asked = [&before[..], &[Signal(TERM)]].concat();
        table(SPEC, &asked, &[(Signal(TERM), &[Forward(TERM)])]);
        let Some(answer) = answer else {
            table(SPEC, &asked, &[(ApplicationEnded(0), &ended)]);
            continue;
        };
        // Whichever ends first waits for the other.
        table(SPEC, &asked, &[(answer, &[])]);
        table(SPEC, &[&asked[..], &[answer]].concat(), &[(ApplicationEnded(0), &ended)]);
        table(SPEC, &[&asked[..], &[ApplicationEnded(0)]].concat(), &[(answer, &ended), (Signal(TERM), &ended)]);
    }
}

#[test]
fn an_application_that_ends_by_itself_ends_everything_with_its_code() {
    let ended = [Exit(Ending::Application(7))];
    table(SPEC, SLEEPING, &[(ApplicationEnded(7), &[STOP, ended[0]])]);
    for (before, answer) in [(STARTED.to_vec(), FAILED), ([SLEEPING, &[Woke]].concat(), FOLLOWED), (IN_A_CYCLE.to_vec(), SUCCEEDED)] {
        table(SPEC, &before, &[(ApplicationEnded(7), &[STOP])]);
        table(SPEC, &[&before[..], &[ApplicationEnded(7)]].concat(), &[(answer, &ended)]);
    }
}

#[test]
fn an_application_that_can_not_be_started_fails_the_start() {
    table(SPEC, RUNNING, &[(StartDue, &[Start])]);
    table(SPEC, &[RUNNING, &[StartDue]].concat(), &[(NotStarted(127), &[])]);
    table(SPEC, &[RUNNING, &[StartDue, NotStarted(127)]].concat(), &[(FAILED, &[Exit(Ending::Application(127))])]);
}

#[test]
fn a_run_that_passes_the_applications_place_by_starts_it_afterwards() {
    table(SPEC, RUNNING, &[(SUCCEEDED, &[Start, Sleep(INTERVAL)])]);
    table(SPEC, &[RUNNING, &[SUCCEEDED]].concat(), &[(NotStarted(126), &[STOP, Exit(Ending::Application(126))]), (Started, &[])]);
}

#[test]
fn one_cycle_is_one_cycle_and_with_an_application_one_start() {
    let once = Spec { once: true, ..ALONE };
    table(once, &[Begin], &[(FOLLOWED, &[CYCLE]), (BUSY, &[Exit(Ending::LastRun)])]);
    for end in [SUCCEEDED, IDLE, LOCKED, FAILED] {
        table(once, &[Begin, FOLLOWED], &[(end, &[Exit(Ending::LastRun)])]);
    }
    table(once, &[Begin, UNFOLLOWED], &[(IDLE, &[Exit(Ending::Unfollowed)]), (FAILED, &[Exit(Ending::LastRun)])]);
    let start = Spec { once: true, ..SPEC };
    table(start, RUNNING, &[(FAILED, &[Exit(Ending::LastRun)]), (SUCCEEDED, &[Start])]);
    table(start, STARTED, &[(SUCCEEDED, &[]), (ApplicationEnded(3), &[])]);
    table(start, &[STARTED, &[SUCCEEDED]].concat(), &[(ApplicationEnded(3), &[Exit(Ending::Application(3))])]);
    table(start, &[STARTED, &[ApplicationEnded(3)]].concat(), &[(SUCCEEDED, &[Exit(Ending::Application(3))])]);
}

fn any_spec() -> impl Strategy<Value = Spec> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(once, follows, application, backs_off)| Spec {
        once,
        follows,
        application,
        longest_sleep: backs_off.then_some(Duration::from_mins(5)),
        ..SPEC
    })
}

/// The world around a machine: what is under way, and whether there is an application.
#[derive(Default)]
struct World {
    under_way: Option<Effect>,
    runs: bool,
    starts: u32,
    stopped: bool,
    exit: Option<Ending>,
}

impl World {
    fn perform(&mut self, effects: Vec<Effect>) -> Vec<Input> {
        let mut answers = Vec::new();
        for effect in effects {
            assert_eq!(self.exit, None, "nothing comes after the end");
            match effect {
                Follow | Run { .. } | Sleep(_) => {
                    assert!(self.under_way.is_none() && !self.stopped, "{effect:?} while {:?}", self.under_way);
                    self.under_way = Some(effect);
                }
                Interrupt { .. } => {
                    assert!(self.under_way.is_some());
                    self.under_way.take_if(|what| matches!(what, Sleep(_)));
                }
                Start => {
                    self.starts += 1;
                    self.runs = true;
                    answers.push(Started);
                }
                Forward(_) => assert!(self.runs),
                Exit(ending) => self.exit = Some(ending),
            }
        }
        answers
    }

    /// Something that can happen now.
    fn next(&mut self, dice: u32) -> Option<Input> {
        let pick = |of: &[Input]| of[dice as usize / 8 % of.len()];
        match (dice % 8, self.under_way) {
            (0, _) => {
                let signal = [TERM, libc::SIGINT, HUP, libc::SIGUSR1][dice as usize / 8 % 4];
                self.stopped |= [TERM, libc::SIGINT].contains(&signal);
                Some(Signal(signal))
            }
            (1, _) if self.runs => {
                self.runs = false;
                Some(ApplicationEnded(9))
            }
            (2, Some(Run { at_start: true })) => Some(StartDue),
            (_, Some(what)) => {
                self.under_way = None;
                Some(match what {
                    Follow => pick(&[FOLLOWED, UNFOLLOWED, BUSY]),
                    Run { .. } => pick(&[SUCCEEDED, IDLE, FAILED, LOCKED]),
                    _ => Woke,
                })
            }
            _ => None,
        }
    }
}

proptest! {
    #[test]
    fn whatever_comes_it_ends_when_it_was_asked_to(spec in any_spec(), dice in proptest::collection::vec(any::<u32>(), 0..60)) {
        let mut machine = Machine::new(spec);
        let mut world = World::default();
        let mut inputs = vec![Begin];
        // After the dice somebody stops it, and everything comes to its end.
        let stop = (0..8).map(|_| None);
        for throw in dice.into_iter().map(Some).chain(stop) {
            while let Some(input) = inputs.pop() {
                inputs.extend(world.perform(machine.handle(input)));
            }
            if world.exit.is_some() {
                break;
            }
            inputs.extend(match throw {
                Some(dice) => world.next(dice),
                None if !world.stopped => { world.stopped = true; Some(Signal(TERM)) }
                None if world.runs => { world.runs = false; Some(ApplicationEnded(0)) }
                None => world.next(7),
            });
        }
        prop_assert!(world.starts <= 1 && (spec.application || world.starts == 0));
        let Some(ending) = world.exit else { return Err(TestCaseError::fail("it didn't end")) };
        if world.starts == 1 {
            prop_assert!(matches!(ending, Ending::Application(_)), "{ending:?}");
        }
        prop_assert!(machine.handle(Begin).is_empty());
    }
}
