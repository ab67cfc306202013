//! How guests end by themselves.

use super::*;
use crate::model::outcome::TrapKind;

const NOOP: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

#[test]
fn a_guest_that_returns_has_succeeded() {
    let execution = run(&job(NOOP));
    assert_eq!((execution.outcome, execution.exit_code), (Outcome::Succeeded, Some(0)));
    assert_eq!(execution.denials, Some(Vec::new()));
}

#[test]
fn a_preview1_exit_code_is_kept_whatever_it_is() {
    for code in [0, 1, 7, 125, 126, 137, 255] {
        let execution = run(&job(&preview1("", &format!("(call $exit (i32.const {code}))"))));
        assert_eq!(execution.exit_code, Some(code));
        let expected = if code == 0 { Outcome::Succeeded } else { Outcome::Failed { cause: Cause::Exit { code } } };
        assert_eq!(execution.outcome, expected);
    }
}

#[test]
fn usage_is_measured_and_fuel_is_the_same_every_time() {
    let executor = executor();
    let loop_ = job(&preview1(
        "",
        "(local $n i32) (loop $again (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $again (i32.lt_u (local.get $n) (i32.const 100000)))) (drop (memory.grow (i32.const 3)))",
    ));
    let first = run_on(&executor, &loop_).0.usage;
    assert!(first.fuel.is_some_and(|fuel| fuel > 100_000), "{first:?}");
    assert!(first.wall_ms.is_some());
    assert_eq!(first.memory_peak_bytes, Some(7 * 65_536));
    assert_eq!(first.output_bytes, Some(0));
    assert_eq!(run_on(&executor, &loop_).0.usage.fuel, first.fuel);
}

#[test]
fn growing_memory_costs_fuel() {
    let fuel = |pages| run(&job(&preview1("", &format!("(drop (memory.grow (i32.const {pages})))")))).usage.fuel.unwrap();
    assert!(fuel(100) >= fuel(0) + 100 * 255);
}

#[test]
fn a_trap_says_which_and_where() {
    let wat = r#"(module (memory (export "memory") 1)
        (func $_ZN4core9panicking5panic17h0123456789abcdefE unreachable)
        (func $deploy (call $_ZN4core9panicking5panic17h0123456789abcdefE))
        (func $start (export "_start") (call $deploy)))"#;
    let Cause::Trap { trap, message, backtrace } = cause(run(&job(wat))) else { panic!() };
    assert_eq!(trap, TrapKind::Unreachable);
    assert!(message.contains("unreachable"), "{message}");
    assert_eq!(backtrace, ["core::panicking::panic", "deploy", "start"]);
}

#[test]
fn each_kind_of_trap_has_its_name() {
    for (body, kind) in [
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", TrapKind::Arithmetic),
        ("(drop (i32.load (i32.const 900000)))", TrapKind::MemoryOutOfBounds),
        ("(call_indirect $t (i32.const 0))", TrapKind::BadCall),
        ("(call $again)", TrapKind::StackOverflow),
    ] {
        let wat = format!(
            r#"(module (memory (export "memory") 1) (type $f (func)) (table $t 1 funcref) (func $again (call $again)) (func (export "_start") {})) "#,
            body.replace("$t (", "$t (type $f) (")
        );
        let Cause::Trap { trap, backtrace, .. } = cause(run(&job(&wat))) else { panic!("{body}") };
        assert_eq!(trap, kind, "{body}");
        assert!(backtrace.len() <= 20);
    }
}

#[test]
fn a_host_call_with_a_bad_pointer_is_the_guests_fault() {
    let Cause::Trap { trap, .. } = cause(run(&job(&preview1("", "(call $write (i32.const 1) (i32.const -8) (i32.const 100))")))) else {
        panic!()
    };
    assert_eq!(trap, TrapKind::HostCall);
}

#[test]
fn run_blocking_ends_as_execute_does_but_not_inside_a_runtime() {
    let executor = executor();
    let (lines, around) = surroundings();
    let hello = job(&preview1(
        r#"(data (i32.const 1024) "hello\n")"#,
        "(call $write (i32.const 1) (i32.const 1024) (i32.const 6)) (call $exit (i32.const 3))",
    ));
    for _ in 0..3 {
        let execution = executor.run_blocking(&hello, &around).unwrap();
        assert_eq!(execution.exit_code, Some(3));
        assert_eq!(execution.tail, ["hello"]);
    }
    assert_eq!(lines.all().len(), 3);
    assert!(block_on(async { executor.run_blocking(&hello, &around) }).is_err());
}

#[test]
fn a_native_command_is_no_job_for_this_executor() {
    use crate::model::job::NativeGuest;
    let native = NativeGuest { argv: vec!["true".into()], cwd: "/".into(), tree: None, script: None, sandbox: None, detach: false };
    let job = Job { guest: Guest::Native(native), ..job(NOOP) };
    assert!(executor().run_blocking(&job, &surroundings().1).is_err());
}

#[test]
fn with_a_pool_more_hooks_than_slots_take_turns() {
    let executor = Arc::new(WasmExecutor::builder().pool(2.try_into().unwrap()).build().unwrap());
    let job = Arc::new(job(NOOP));
    let runs: Vec<_> = (0..16)
        .map(|_| {
            let (executor, job) = (Arc::clone(&executor), Arc::clone(&job));
            std::thread::spawn(move || run_on(&executor, &job).0.outcome)
        })
        .collect();
    assert!(runs.into_iter().all(|run| run.join().unwrap() == Outcome::Succeeded));
}
