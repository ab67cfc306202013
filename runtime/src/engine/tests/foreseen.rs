//! What a run would find now, by who could mend it before it gets there.

use super::*;
use crate::engine::gate::Decisions;
use crate::engine::machine::Decision;
use crate::engine::preflight::foreseen;
use crate::model::grant::{EnvGrant, EnvSource};
use crate::model::outcome::SkipReason;

/// Finds that the directory of the name of each hook is missing in the tree; of host steps the program.
struct AllMissing;
impl Checks for AllMissing {
    fn check(&self, hook: &PlanHook) -> Vec<Lack> {
        vec![Lack::at(format!("/app/{}", hook.id), "gone")]
    }

    fn check_command(&self, command: &HostCommand) -> Vec<Lack> {
        vec![Lack::anywhere(format!("no {}", command.argv[0]))]
    }
}

fn found_in(steps: Vec<PlanStep>) -> Vec<(String, String, bool)> {
    let prepared = Prepared { checks: Box::new(AllMissing), ..prepared("r1", steps) };
    foreseen(&prepared, None).into_iter().map(|found| (found.place.to_string(), found.what, found.certain)).collect()
}

/// A hook that may write to these directories.
fn writing(id: &str, dirs: &[(&str, DirMode)]) -> PlanHook {
    let dirs = dirs.iter().map(|(dir, mode)| DirGrant { host: Some((*dir).into()), guest: (*dir).into(), mode: *mode }).collect();
    PlanHook { grants: Grants { dirs, env: vec![] }, ..hook(id) }
}

fn gone(place: &str, certain: bool) -> (String, String, bool) {
    (place.to_owned(), "gone".to_owned(), certain)
}

#[test]
fn what_nothing_can_put_there_before_is_certain() {
    let steps = vec![phase("first", vec![writing("a", &[]), writing("b", &[])])];
    assert_eq!(found_in(steps), [gone("first/a", true), gone("first/b", true)]);
}

#[test]
fn a_host_step_before_may_mend_anything_and_one_after_nothing() {
    let steps = vec![phase("first", vec![writing("a", &[])]), host("checkout", ABORT), phase("last", vec![writing("b", &[])])];
    let program = ("checkout".to_owned(), "no true".to_owned(), false);
    assert_eq!(found_in(steps), [gone("first/a", true), program, gone("last/b", false)]);
}

#[test]
fn an_earlier_phases_hook_may_mend_what_it_writes_to_and_its_own_phases_comes_too_late() {
    let maker = || writing("maker", &[("/app/b", DirMode::Txn)]);
    let later = |dir, mode| vec![phase("first", vec![writing("m", &[(dir, mode)])]), phase("last", vec![writing("b", &[])])];
    assert_eq!(found_in(vec![phase("one", vec![maker(), writing("b", &[])])])[1], gone("one/b", true));
    assert_eq!(found_in(later("/app/b", DirMode::Txn))[1], gone("last/b", false));
    assert_eq!(found_in(later("/app", DirMode::Write))[1], gone("last/b", false));
    for (dir, mode) in [("/app/b", DirMode::Read), ("/app/b", DirMode::Discard), ("/app/bb", DirMode::Write)] {
        assert_eq!(found_in(later(dir, mode))[1], gone("last/b", true), "{dir} {mode}");
    }
}

#[test]
fn what_is_elsewhere_or_tolerated_is_not_certain() {
    struct Elsewhere;
    impl Checks for Elsewhere {
        fn check(&self, _: &PlanHook) -> Vec<Lack> {
            vec![Lack::at("/application/x", "gone"), Lack::anywhere("`php` is not in PATH")]
        }

        fn check_command(&self, _: &HostCommand) -> Vec<Lack> {
            Vec::new()
        }
    }
    let variable = EnvGrant { name: "DATABASE_URL".into(), source: EnvSource::App };
    let lacking = PlanHook { grants: Grants { dirs: vec![], env: vec![variable] }, ..hook("a") };
    let prepared = Prepared { checks: Box::new(Elsewhere), ..prepared("r1", vec![phase("p", vec![lacking])]) };
    let found = foreseen(&prepared, None);
    assert_eq!(found.len(), 3);
    assert!(found[0].what.contains("DATABASE_URL is not set") && found.iter().all(|found| !found.certain), "{found:?}");
    let lenient = PlanHook { allow_failure: true, ..writing("a", &[]) };
    assert_eq!(found_in(vec![phase("p", vec![lenient])]), [gone("p/a", false)]);
}

#[test]
fn what_does_not_run_is_not_looked_at() {
    let fact = PlanStep {
        name: StepName::new("target").unwrap(),
        kind: PlanStepKind::Fact { fact: crate::profile::Fact::Target, found: "v1".into() },
    };
    let steps = || {
        vec![fact.clone(), host("checkout", ABORT), phase("p", vec![writing("a", &[]), PlanHook { enabled: false, ..writing("b", &[]) }])]
    };
    let places: Vec<_> = found_in(steps()).into_iter().map(|(place, ..)| place).collect();
    assert_eq!(places, ["checkout", "p/a"]);
    let skip = || Decision::Skip(SkipReason::NotSelected);
    let decisions = Decisions { by_step: vec![vec![], vec![skip()], vec![Decision::Run, skip()]], ..Decisions::default() };
    let prepared = Prepared { checks: Box::new(AllMissing), ..prepared("r1", steps()) };
    let found = foreseen(&prepared, Some(&decisions));
    assert_eq!(found.len(), 1);
    assert!(found[0].certain, "the host step that doesn't run mends nothing");
}

#[test]
fn what_takes_a_hook_back_is_looked_at_too() {
    struct OnlyOfReverts;
    impl Checks for OnlyOfReverts {
        fn check(&self, hook: &PlanHook) -> Vec<Lack> {
            if hook.revert.is_none() { vec![Lack::anywhere("no program")] } else { Vec::new() }
        }

        fn check_command(&self, _: &HostCommand) -> Vec<Lack> {
            Vec::new()
        }
    }
    let revert = crate::plan::PlanSibling { guest: hook("back").guest, limits: Limits::default() };
    let hook = PlanHook { revert: Some(revert), ..hook("a") };
    let prepared = Prepared { checks: Box::new(OnlyOfReverts), ..prepared("r1", vec![phase("p", vec![hook])]) };
    assert_eq!(foreseen(&prepared, None)[0].what, "its revert: no program");
}
