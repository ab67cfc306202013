//! Each limit bites, and says which one it was.

use super::*;
use crate::model::outcome::{TimeLimit, TrapKind};

fn limited(wat: &str, limits: impl FnOnce(&mut Limits)) -> Job {
    let mut job = job(wat);
    limits(&mut job.limits);
    job
}

#[test]
fn fuel_ends_a_loop_and_is_all_used() {
    let execution = run(&limited(&preview1("", "(loop $l (br $l))"), |limits| limits.fuel = Some(5_000_000)));
    assert_eq!(execution.outcome, Outcome::TimedOut { limit: TimeLimit::Fuel, abandoned: false });
    assert_eq!(execution.usage.fuel, Some(5_000_000));
}

#[test]
fn without_a_fuel_limit_a_loop_still_yields_to_its_deadline() {
    let execution = run(&limited(&preview1("", "(loop $l (br $l))"), |limits| {
        limits.fuel = None;
        limits.timeout_ms = Some(50);
    }));
    assert_eq!(execution.outcome, Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false });
    assert_eq!(execution.usage.fuel, None, "the counter isn't reliable after a deadline");
}

#[test]
fn memory_that_is_refused_may_be_done_without() {
    let polite = preview1("", "(if (i32.ne (memory.grow (i32.const 100)) (i32.const -1)) (then (call $exit (i32.const 9))))");
    let execution = run(&limited(&polite, |limits| limits.memory_bytes = 10 * 65_536));
    assert_eq!((execution.outcome, execution.usage.memory_peak_bytes), (Outcome::Succeeded, Some(4 * 65_536)));
}

#[test]
fn a_guest_that_fails_for_want_of_memory_is_out_of_memory() {
    let grow = "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then HOW))";
    for how in ["unreachable", "(call $exit (i32.const 1))"] {
        let execution = run(&limited(&preview1("", &grow.replace("HOW", how)), |limits| limits.memory_bytes = 10 * 65_536));
        assert_eq!(cause(execution), Cause::OutOfMemory { limit: 10 * 65_536, what: "memory".to_owned() });
    }
}

#[test]
fn a_first_memory_past_the_limit_is_out_of_memory() {
    let execution = run(&limited(&preview1("", ""), |limits| limits.memory_bytes = 65_536));
    assert_eq!(cause(execution), Cause::OutOfMemory { limit: 65_536, what: "memory".to_owned() });
}

#[test]
fn tables_are_limited_too() {
    let wat = r#"(module (memory (export "memory") 1) (table $t 1 funcref) (func (export "_start")
        (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))))"#;
    let execution = run(&limited(wat, |limits| limits.table_elements = 100));
    assert_eq!(cause(execution), Cause::OutOfMemory { limit: 100, what: "table".to_owned() });
    assert_eq!(run(&job(wat)).outcome, Outcome::Succeeded);
}

#[test]
fn output_past_the_limit_is_counted_not_kept_and_no_error_for_the_guest() {
    let wat = preview1(
        r#"(data (i32.const 1024) "0123456789\n")"#,
        "(local $n i32) (loop $again (call $write (i32.const 1) (i32.const 1024) (i32.const 11))
            (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $again (i32.lt_u (local.get $n) (i32.const 100))))",
    );
    let (execution, lines) = run_on(&executor(), &limited(&wat, |limits| limits.output_bytes = 33));
    assert_eq!((execution.outcome, execution.usage.output_bytes), (Outcome::Succeeded, Some(1_100)));
    assert_eq!(lines.len(), 4, "three lines, and one that says so: {lines:?}");
}

#[test]
fn a_line_of_many_megabytes_comes_in_pieces() {
    // 640 times the 64 KiB at address 65536: 40 MiB without a line's end.
    let wat = preview1(
        "",
        "(local $n i32) (memory.fill (i32.const 65536) (i32.const 120) (i32.const 65536))
         (loop $again (call $write (i32.const 1) (i32.const 65536) (i32.const 65536))
            (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $again (i32.lt_u (local.get $n) (i32.const 640))))",
    );
    let (execution, lines) = run_on(&executor(), &limited(&wat, |limits| limits.output_bytes = 1 << 20));
    assert_eq!(execution.usage.output_bytes, Some(40 << 20));
    assert!(lines.iter().all(|(_, line)| line.len() <= crate::exec::output::MAX_LINE));
    assert!(lines.iter().map(|(_, line)| line.len()).sum::<usize>() < 2 << 20);
    assert!(execution.tail.iter().all(|line| line.len() <= 2_048));
}

#[test]
fn handles_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), "").unwrap();
    let wat = preview1(
        r#"(data (i32.const 1024) "f")"#,
        "(local $n i32) (loop $again (call $check (call $open (i32.const 3) (i32.const 1) (i32.const 0)))
            (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $again (i32.lt_u (local.get $n) (i32.const 50))))",
    );
    let job = Job { dirs: vec![grant(dir.path(), "/d", DirMode::Read)], ..limited(&wat, |limits| limits.handles = 20) };
    let Cause::Trap { trap, message, .. } = cause(run(&job)) else { panic!() };
    assert_eq!(trap, TrapKind::HostCall);
    assert!(message.contains("handles"), "{message}");
    assert_eq!(run(&Job { limits: Limits::default(), ..job }).outcome, Outcome::Succeeded);
}

#[test]
fn a_module_past_its_size_is_refused_before_it_is_read() {
    let execution = run(&limited(&"x".repeat(1_000), |limits| limits.module_bytes = 999));
    assert!(matches!(cause(execution), Cause::TooLarge { limit: 999 }));
}

/// Takes 200 handles and keeps them.
const KEEPS: &str = r#"(component
      (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
      (alias export $poll "pollable" (type $pollable))
      (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (alias outer 1 $pollable (type $p)) (export "pollable" (type $p2 (eq $p)))
        (export "subscribe-duration" (func (param "when" u64) (result (own $p2))))))
      (core func $subscribe (canon lower (func $clock "subscribe-duration")))
      (core module $main (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
        (func (export "run") (result i32) (local $n i32)
          (loop $again (drop (call $subscribe (i64.const 1)))
            (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $again (i32.lt_u (local.get $n) (i32.const 200))))
          (i32.const 0)))
      (core instance $main (instantiate $main (with "host" (instance (export "subscribe" (func $subscribe))))))
      (func $run (result (result)) (canon lift (core func $main "run")))
      (instance $exported (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $exported)))"#;

/// Fails if its table can't grow.
const GROWS: &str = r#"(component
      (core module $main (table $t 1 funcref)
        (func (export "run") (result i32)
          (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable)) (i32.const 0)))
      (core instance $main (instantiate $main))
      (func $run (result (result)) (canon lift (core func $main "run")))
      (instance $exported (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $exported)))"#;

#[test]
fn handles_and_tables_of_a_component_are_limited_too() {
    let Cause::Trap { trap, message, .. } = cause(run(&limited(KEEPS, |limits| limits.handles = 20))) else { panic!() };
    assert_eq!(trap, TrapKind::HostCall);
    assert!(message.contains("handles"), "{message}");
    assert_eq!(run(&job(KEEPS)).outcome, Outcome::Succeeded);
    let execution = run(&limited(GROWS, |limits| limits.table_elements = 100));
    assert_eq!(cause(execution), Cause::OutOfMemory { limit: 100, what: "table".to_owned() });
    assert_eq!(run(&job(GROWS)).outcome, Outcome::Succeeded);
}
