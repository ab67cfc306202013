//! Nothing that wasn't granted is there: one test for each facility.

use super::*;
use crate::model::outcome::TrapKind;

/// Writes what `get` put at 4096 to standard output: strings that end in NUL.
fn listing(sizes: &str, get: &str) -> String {
    preview1(
        "",
        &format!(
            "(call $check (call ${sizes} (i32.const 100) (i32.const 104)))
             (call $check (call ${get} (i32.const 3000) (i32.const 4096)))
             (call $write (i32.const 1) (i32.const 4096) (i32.load (i32.const 104)))"
        ),
    )
}

fn printed(job: &Job) -> String {
    run_on(&executor(), job).1.into_iter().map(|(_, line)| line).collect()
}

#[test]
fn env_without_a_grant_is_empty_and_argument_0_is_the_file() {
    assert_eq!(printed(&job(&listing("env_sizes", "env"))), "");
    assert_eq!(printed(&job(&listing("args_sizes", "args"))), "test.wat\0");
}

#[test]
fn env_and_args_are_exactly_those_of_the_job() {
    let mut env = job(&listing("env_sizes", "env"));
    env.env = vec![("DEPLOY_TAG".into(), "v1".into()), ("EMPTY".into(), String::new())];
    assert_eq!(printed(&env), "DEPLOY_TAG=v1\0EMPTY=\0");
    let mut args = job(&listing("args_sizes", "args"));
    if let Guest::Wasm(guest) = &mut args.guest {
        guest.args = vec!["--flag".into(), "two words".into()];
    }
    assert_eq!(printed(&args), "test.wat\0--flag\0two words\0");
}

#[test]
fn fs_without_a_grant_has_no_directory() {
    let errno = run(&job(&preview1("", "(call $check (call $fd_prestat_get (i32.const 3) (i32.const 0)))"))).exit_code;
    assert_eq!(errno, Some(8), "EBADF");
}

#[test]
fn stdio_input_is_at_its_end_at_once() {
    let body = "(call $exit (i32.add (i32.const 40) (call $read (i32.const 0) (i32.const 10))))";
    assert_eq!(run(&job(&preview1("", body))).exit_code, Some(40));
}

#[test]
fn stdio_output_keeps_its_streams_apart() {
    let wat = preview1(
        r#"(data (i32.const 1024) "out\n") (data (i32.const 1032) "err\n")"#,
        "(call $write (i32.const 1) (i32.const 1024) (i32.const 4)) (call $write (i32.const 2) (i32.const 1032) (i32.const 4))",
    );
    let (execution, lines) = run_on(&executor(), &job(&wat));
    assert_eq!(lines, [(Stream::Stdout, "out".to_owned()), (Stream::Stderr, "err".to_owned())]);
    assert_eq!((execution.usage.output_bytes, execution.tail), (Some(8), vec!["out".to_owned(), "err".to_owned()]));
}

#[test]
fn clock_tells_the_time_and_sleeps_as_long_as_asked() {
    // A relative sleep of 30 ms; the subscription is left as it was.
    let wat = preview1(
        "",
        "(i64.store (i32.const 1024) (i64.const 77))
         (i32.store (i32.const 1040) (i32.const 1))
         (i64.store (i32.const 1048) (i64.const 30000000))
         (call $check (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 100)))
         (if (i64.ne (i64.load (i32.const 1048)) (i64.const 30000000)) (then (call $exit (i32.const 201))))
         (if (i64.ne (i64.load (i32.const 2048)) (i64.const 77)) (then (call $exit (i32.const 202))))
         (if (i32.ne (i32.load (i32.const 100)) (i32.const 1)) (then (call $exit (i32.const 203))))",
    );
    let execution = run(&job(&wat));
    assert_eq!(execution.exit_code, Some(0));
    assert!(execution.usage.wall_ms >= Some(30), "{:?}", execution.usage);
}

#[test]
fn random_numbers_of_one_call_are_bounded() {
    let component = r#"(component
      (import "wasi:random/random@0.2.0" (instance $random (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
      (core module $libc (memory (export "memory") 64)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
      (core instance $libc (instantiate $libc))
      (core func $bytes (canon lower (func $random "get-random-bytes") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
      (core module $main (import "host" "bytes" (func $bytes (param i64 i32)))
        (func (export "run") (result i32) (call $bytes (i64.const LEN) (i32.const 16)) (i32.const 0)))
      (core instance $main (instantiate $main (with "host" (instance (export "bytes" (func $bytes))))))
      (func $run (result (result)) (canon lift (core func $main "run")))
      (instance $exported (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $exported)))"#;
    assert_eq!(run(&job(&component.replace("LEN", "32"))).outcome, Outcome::Succeeded);
    let Cause::Trap { trap, .. } = cause(run(&job(&component.replace("LEN", "2000000")))) else { panic!() };
    assert_eq!(trap, TrapKind::HostCall);
}
