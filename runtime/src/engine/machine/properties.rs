//! What the machine promises, on random lives: random lifecycles, random outcomes in random order, a cancel at a random moment.

use super::*;
use crate::model::outcome::{SkipReason, TimeLimit};
use crate::model::policy::{AfterFailure, OnTimeout, When};
use proptest::prelude::*;

fn slot() -> impl Strategy<Value = SlotSpec> {
    let decision = prop_oneof![6 => Just(Decision::Run), 1 => Just(Decision::Skip(SkipReason::Disabled))];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (decision, flags, 0usize..2).prop_map(|(decision, (allow_failure, live, gets_ready, revert), list)| SlotSpec {
        decision,
        allow_failure,
        live,
        gets_ready,
        revert,
        list,
    })
}

fn step() -> impl Strategy<Value = StepSpec> {
    let policies = (prop::sample::select(OnFailure::ALL), prop::sample::select(OnTimeout::ALL), prop::sample::select(Files::ALL));
    let turns =
        (prop_oneof![4 => Just(When::Any), 1 => Just(When::Succeeded), 1 => Just(When::Failed)], prop::sample::select(AfterFailure::ALL));
    (policies, turns, any::<bool>(), prop::bool::weighted(0.3), prop::collection::vec(slot(), 0..4)).prop_map(
        |((on_failure, on_timeout, files), (when, after_failure), background, always, slots)| StepSpec {
            on_failure,
            on_timeout,
            files,
            background: background && !always,
            always,
            when,
            after_failure,
            slots,
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        5 => Just(Outcome::Succeeded),
        1 => Just(Outcome::Failed { cause: Cause::Exit { code: 1 } }),
        1 => Just(Outcome::TimedOut { limit: TimeLimit::Fuel, abandoned: false }),
    ]
}

#[derive(Debug, Clone)]
struct Fate {
    outcome: Outcome,
    pick: prop::sample::Index,
    found: bool,
}

fn fate() -> impl Strategy<Value = Fate> {
    (outcome(), any::<prop::sample::Index>(), prop::bool::weighted(0.05)).prop_map(|(outcome, pick, found)| Fate { outcome, pick, found })
}

/// Plays a whole life; `cancel_at` is the number of inputs before the cancel.
fn play(spec: &Lifecycle, fates: &[Fate], cancel_at: Option<usize>) -> (Vec<Effect>, Machine) {
    let mut machine = Machine::new(spec.clone());
    let mut all = Vec::new();
    let mut pending = vec![Input::Start(LockState::Held)];
    let mut stopped = BTreeSet::new();
    for turn in 0.. {
        let fate = &fates[turn % fates.len()];
        let input = if cancel_at == Some(turn) {
            Input::Cancel { signal: None }
        } else if pending.is_empty() {
            break;
        } else {
            match pending.remove(fate.pick.index(pending.len())) {
                Input::Ended { at, .. } if stopped.contains(&at) => Input::Ended { at, outcome: Outcome::Cancelled },
                // Who is stopped while it gets ready may have become so in that moment.
                Input::Ready { at } if stopped.contains(&at) && fate.outcome.is_ok() => Input::Ended { at, outcome: Outcome::Cancelled },
                Input::Ready { at } if fate.found => Input::Ended { at, outcome: Outcome::Failed { cause: Cause::Exit { code: 1 } } },
                Input::Preflighted { step, .. } if fate.found => Input::Preflighted { step, findings: vec![(0, vec!["finding".into()])] },
                other => other,
            }
        };
        for effect in machine.handle(input) {
            match &effect {
                Effect::Preflight { step } => pending.push(Input::Preflighted { step: *step, findings: vec![] }),
                Effect::GetReady(at) => pending.push(Input::Ready { at: *at }),
                Effect::Launch(at) => pending.push(Input::Ended { at: *at, outcome: fate.outcome.clone() }),
                Effect::CommitStage { step } => pending.push(Input::Committed { step: *step, outcome: fate.outcome.clone() }),
                Effect::Cancel(at) => {
                    stopped.insert(*at);
                }
                _ => {}
            }
            all.push(effect);
        }
    }
    (all, machine)
}

fn position(effects: &[Effect], wanted: impl Fn(&Effect) -> bool) -> Vec<usize> {
    effects.iter().enumerate().filter_map(|(index, effect)| wanted(effect).then_some(index)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_life_keeps_the_promises(steps in prop::collection::vec(step(), 0..6), fates in prop::collection::vec(fate(), 1..20), cancel_at in prop::option::of(0usize..12)) {
        let spec = Lifecycle { on_locked: OnLocked::Wait, steps };
        let cancel_at = cancel_at.filter(|turn| *turn > 0);
        let (effects, machine) = play(&spec, &fates, cancel_at);

        // The end: exactly one finish, the last effect, right after the lock was released, once.
        prop_assert!(matches!(effects.last(), Some(Effect::Finish(_))), "{effects:?}");
        prop_assert_eq!(position(&effects, |e| matches!(e, Effect::Finish(_))).len(), 1);
        prop_assert_eq!(position(&effects, |e| *e == Effect::ReleaseLock), vec![effects.len() - 2]);

        // Intent before each launch, outcome after it, each once.
        let launches: Vec<(usize, At)> = effects.iter().enumerate().filter_map(|(i, e)| if let Effect::Launch(at) = e { Some((i, *at)) } else { None }).collect();
        for (index, at) in &launches {
            let durable = at.revert || spec.steps[at.step].slots[at.slot].live;
            prop_assert_eq!(&effects[index - 1], &Effect::Record(Record::Intent { at: *at, durable }));
            prop_assert_eq!(launches.iter().filter(|(_, other)| other == at).count(), 1, "launched twice");
            let outcomes = position(&effects, |e| matches!(e, Effect::Record(Record::Outcome { at: other, .. }) if other == at));
            prop_assert!(outcomes.len() == 1 && outcomes[0] > *index);
        }

        // After an abort or a cancel only reverts and always steps are launched; after a cancel no reverts.
        let abort = position(&effects, |e| matches!(e, Effect::Record(Record::Outcome { at, verdict: Verdict::Abort, .. }) if !at.revert)).into_iter().next();
        let cancel = position(&effects, |e| matches!(e, Effect::Record(Record::Interrupted { .. }))).into_iter().next();
        for (index, at) in &launches {
            let aborted = abort.is_some_and(|abort| abort < *index) || cancel.is_some_and(|cancel| cancel < *index);
            prop_assert!(!aborted || at.revert || spec.steps[at.step].always, "{at:?} launched after the end: {effects:?}");
            prop_assert!(!(at.revert && cancel.is_some_and(|cancel| cancel < *index)), "reverted after a cancel");
        }

        // Every always step starts exactly once (its later slots give way only to its own abort).
        for (index, step) in spec.steps.iter().enumerate().filter(|(_, step)| step.always && step.when == When::Any) {
            prop_assert_eq!(position(&effects, |e| *e == Effect::Record(Record::StepStarted { step: index })).len(), 1, "always step {} of {:?}", index, &step);
        }

        // A step that waits for a failure has its turn only after one; one that waits for success, only without one.
        let bad = |effect: &Effect| matches!(effect, Effect::Record(Record::Outcome { at, outcome, .. }) if !at.revert && !outcome.is_ok() && *outcome != Outcome::Cancelled);
        for (index, step) in spec.steps.iter().enumerate().filter(|(_, step)| step.when != When::Any && step.files != Files::Commit) {
            let Some(start) = position(&effects, |e| *e == Effect::Record(Record::StepStarted { step: index })).into_iter().next() else { continue };
            if spec.steps.iter().all(|step| step.files != Files::Commit) {
                prop_assert_eq!(effects[..start].iter().any(bad), step.when == When::Failed, "step {} of {:?}", index, effects);
            }
        }

        // Nothing runs in a list after it ended.
        for (index, at) in launches.iter().filter(|(_, at)| !at.revert && spec.steps[at.step].after_failure == AfterFailure::EndList) {
            let list = spec.steps[at.step].slots[at.slot].list;
            let failed = effects[..*index].iter().any(|e| matches!(e, Effect::Record(Record::Outcome { at: other, outcome: Outcome::Failed { .. }, .. })
                if other.step == at.step && other.slot < at.slot && !other.revert && spec.steps[other.step].slots[other.slot].list == list));
            prop_assert!(!failed, "{:?} ran in a list that had ended", at);
        }

        // Steps that started finished; stages that opened ended.
        for index in 0..spec.steps.len() {
            let count = |wanted: &dyn Fn(&Effect) -> bool| position(&effects, wanted).len();
            prop_assert_eq!(count(&|e| *e == Effect::Record(Record::StepStarted { step: index })), count(&|e| matches!(e, Effect::Record(Record::StepFinished { step, .. }) if *step == index)));
            prop_assert_eq!(count(&|e| *e == Effect::OpenStage { step: index }), count(&|e| matches!(e, Effect::CommitStage { step } | Effect::DropStage { step } if *step == index)));
        }

        // The first error stays the first.
        let first = effects.iter().find_map(|e| match e {
            Effect::Record(Record::Outcome { at, verdict: Verdict::Abort, outcome }) if *outcome != Outcome::Cancelled => Some(*at),
            _ => None,
        });
        if first.is_some() {
            prop_assert_eq!(machine.first_error().is_some(), true);
        }
        if spec.steps.iter().all(|step| step.files != Files::Commit) {
            prop_assert_eq!(machine.first_error(), first);
        }
    }
}
