//! Components of the world `wasi:cli/command`.

use super::*;

/// A component whose `run` is `body`.
pub(super) fn component(version: &str, body: &str) -> String {
    format!(
        r#"(component
          (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
          (core func $exit (canon lower (func $exit "exit")))
          (core module $m (import "host" "exit" (func $exit (param i32))) (func (export "run") (result i32) {body}))
          (core instance $i (instantiate $m (with "host" (instance (export "exit" (func $exit))))))
          (func $run (result (result)) (canon lift (core func $i "run")))
          (instance $exported (export "run" (func $run)))
          (export "wasi:cli/run@{version}" (instance $exported)))"#
    )
}

#[test]
fn ok_is_success_and_err_is_exit_code_1() {
    for version in ["0.2.0", "0.2.3", "0.2.6"] {
        let execution = run(&job(&component(version, "(i32.const 0)")));
        assert_eq!((execution.outcome, execution.exit_code), (Outcome::Succeeded, Some(0)), "{version}");
    }
    let execution = run(&job(&component("0.2.0", "(i32.const 1)")));
    assert_eq!(execution.outcome, Outcome::Failed { cause: Cause::Exit { code: 1 } });
}

#[test]
fn exit_carries_ok_or_error_only() {
    for (status, code) in [(0, 0), (1, 1)] {
        let execution = run(&job(&component("0.2.0", &format!("(call $exit (i32.const {status})) unreachable"))));
        assert_eq!(execution.exit_code, Some(code));
    }
}

#[test]
fn a_component_that_was_refused_nothing_has_an_empty_list() {
    assert_eq!(run(&job(&component("0.2.0", "(i32.const 0)"))).denials, Some(Vec::new()));
}

#[test]
fn a_component_traps_runs_out_and_is_stopped_as_a_module_is() {
    use crate::model::outcome::{TimeLimit, TrapKind};
    assert!(matches!(cause(run(&job(&component("0.2.0", "unreachable")))), Cause::Trap { trap: TrapKind::Unreachable, .. }));
    let mut endless = job(&component("0.2.0", "(loop $l (br $l)) unreachable"));
    endless.limits.fuel = Some(1_000_000);
    assert!(matches!(run(&endless).outcome, Outcome::TimedOut { limit: TimeLimit::Fuel, .. }));
    endless.limits.fuel = None;
    endless.limits.timeout_ms = Some(50);
    assert!(matches!(run(&endless).outcome, Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false }));
}

#[test]
fn another_version_of_the_world_is_not_a_hook() {
    assert!(matches!(cause(run(&job(&component("0.3.0", "(i32.const 0)")))), Cause::NotAHook { .. }));
}
