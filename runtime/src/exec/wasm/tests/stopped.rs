//! Guests that don't want to end. The bounds are generous: machines are busy. What is asserted is who won.

use super::*;
use crate::exec::wasm::interrupt::Interrupt;
use crate::model::outcome::TimeLimit;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

pub(super) const DEADLINE: u64 = 100;

/// Far less than any of these guests would take, far more than a busy machine needs.
const SOON: Duration = Duration::from_secs(10);

pub(super) const STOPPED: Outcome = Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false };
pub(super) const ABANDONED: Outcome = Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: true };

pub(super) fn hurried(wat: &str) -> Job {
    let mut job = job(wat);
    job.limits.timeout_ms = Some(DEADLINE);
    job
}

fn timed(executor: &WasmExecutor, job: &Job) -> Execution {
    let start = Instant::now();
    let (execution, _) = run_on(executor, job);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(DEADLINE), "{took:?}");
    assert!(took < SOON, "{took:?}");
    execution
}

pub(super) fn interrupting() -> WasmExecutor {
    WasmExecutor::builder().interrupt_signal(libc::SIGURG).build().unwrap()
}

/// A directory with a pipe `f` that nobody writes to, and a job that may read there.
pub(super) fn with_pipe(body: &str) -> (tempfile::TempDir, Job) {
    let dir = tempfile::tempdir().unwrap();
    mknodat(CWD, dir.path().join("f"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let job = Job { dirs: vec![grant(dir.path(), "/d", DirMode::Read)], ..hurried(&preview1(r#"(data (i32.const 1024) "f")"#, body)) };
    (dir, job)
}

pub(super) const OPEN: &str = "(call $open (i32.const 3) (i32.const 1) (i32.const 0))";

/// A single subscription to a clock at 1024: `nanoseconds` from now, or at that instant.
pub(super) fn polling(nanoseconds: i64, absolute: bool) -> String {
    preview1(
        "",
        &format!(
            "(i32.store (i32.const 1040) (i32.const 1)) (i64.store (i32.const 1048) (i64.const {nanoseconds})) (i32.store16 (i32.const 1064) (i32.const {}))
             (call $check (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 100)))",
            i32::from(absolute)
        ),
    )
}

#[test]
fn an_endless_loop() {
    assert_eq!(timed(&executor(), &hurried(&preview1("", "(loop $l (br $l))"))).outcome, STOPPED);
}

#[test]
fn an_endless_loop_in_the_start_section() {
    let wat = r#"(module (memory (export "memory") 1) (func $boot (loop $l (br $l))) (start $boot) (func (export "_start")))"#;
    assert_eq!(timed(&executor(), &hurried(wat)).outcome, STOPPED);
}

#[test]
fn a_long_sleep_and_an_event_that_never_comes() {
    for wat in [polling(3_600_000_000_000, false), polling(-1, true)] {
        let execution = timed(&executor(), &hurried(&wat));
        assert_eq!(execution.outcome, STOPPED);
        assert!(execution.usage.wall_ms >= Some(DEADLINE));
        assert_eq!(execution.exit_code, None);
    }
}

#[test]
fn a_pipe_that_nobody_writes_to_with_a_signal() {
    let (_dir, job) = with_pipe(&format!("(call $check {OPEN})"));
    let executor = interrupting();
    assert_eq!(timed(&executor, &job).outcome, STOPPED);
    assert_eq!(executor.abandoned(), []);
}

#[test]
fn a_pipe_that_is_opened_again_after_each_interruption_with_a_signal() {
    let (_dir, job) = with_pipe(&format!("(loop $again (drop {OPEN}) (br $again))"));
    assert_eq!(timed(&interrupting(), &job).outcome, STOPPED);
}

#[test]
fn run_blocking_is_interrupted_too() {
    let (_dir, job) = with_pipe(&format!("(loop $again (drop {OPEN}) (br $again))"));
    assert_eq!(interrupting().run_blocking(&job, &surroundings().1).unwrap().outcome, STOPPED);
}

#[test]
fn run_blocking_answers_at_the_deadline_without_a_signal_and_with_one_that_frees_nobody() {
    for interrupt in [None, Some(Interrupt::idle())] {
        let (dir, job) = with_pipe(&format!("(call $check {OPEN})"));
        let executor = WasmExecutor { interrupt, ..executor() };
        let start = Instant::now();
        assert_eq!(executor.run_blocking(&job, &surroundings().1).unwrap().outcome, ABANDONED);
        assert!(start.elapsed() < SOON);
        assert_eq!(executor.abandoned().len(), 1, "what it was granted is held");
        assert_eq!(executor.run_blocking(&super::job(&preview1("", "")), &surroundings().1).unwrap().outcome, Outcome::Succeeded);
        let _writer: File = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(dir.path().join("f")).unwrap();
    }
}

#[test]
fn without_a_signal_a_blocked_guest_is_left_behind_and_gets_no_further_call() {
    let (dir, mut job) =
        with_pipe(&format!("(call $check {OPEN}) (call $check (call $unlink (i32.const 3) (i32.const 1024) (i32.const 1)))"));
    job.dirs[0].mode = DirMode::Write;
    let executor = executor();
    let execution = timed(&executor, &job);
    assert_eq!(execution.outcome, ABANDONED);
    assert_eq!(execution.usage.fuel, None);
    assert_eq!(executor.abandoned().iter().map(|held| &held.dirs).collect::<Vec<_>>(), [&job.dirs]);

    // Other hooks still run, on other threads.
    assert_eq!(run_on(&executor, &super::job(&preview1("", ""))).0.outcome, Outcome::Succeeded);

    // Somebody opens the other end at last: its thread comes back, may do nothing more, and is taken off the list.
    let _writer: File = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(dir.path().join("f")).unwrap();
    let start = Instant::now();
    while !executor.abandoned().is_empty() {
        assert!(start.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(dir.path().join("f").exists(), "it was stopped on its way back to the guest");
}

#[test]
fn a_guest_left_behind_does_not_keep_the_last_place_of_a_pool() {
    let (dir, job) = with_pipe(&format!("(call $check {OPEN})"));
    let executor = WasmExecutor::builder().pool(1.try_into().unwrap()).build().unwrap();
    assert_eq!(timed(&executor, &job).outcome, ABANDONED);
    assert_eq!(run_on(&executor, &super::job(&preview1("", ""))).0.outcome, Outcome::Succeeded);
    let _writer: File = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(dir.path().join("f")).unwrap();
}

#[test]
fn whoever_ends_after_the_deadline_was_too_late_whatever_its_code() {
    // The timer is due when the guest wakes up at the same moment: either way the clock decides.
    let mut job = job(&polling(60_000_000, false));
    job.limits.timeout_ms = Some(50);
    assert_eq!(run(&job).outcome, STOPPED);
}

#[test]
fn a_cancel_ends_each_kind_of_guest() {
    let (_dir, pipe) = with_pipe(&format!("(loop $again (drop {OPEN}) (br $again))"));
    let without_deadline = |job: Job| Job { limits: Limits { timeout_ms: None, ..job.limits.clone() }, ..job };
    for job in [pipe, job(&preview1("", "(loop $l (br $l))")), job(&polling(3_600_000_000_000, false))] {
        let job = without_deadline(job);
        let executor = interrupting();
        let (_, around) = surroundings();
        let cancel = around.cancel.clone();
        let canceller = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            cancel.cancel();
        });
        let start = Instant::now();
        assert_eq!(block_on(executor.execute(&job, around)).unwrap().outcome, Outcome::Cancelled);
        assert!(start.elapsed() < SOON);
        canceller.join().unwrap();
    }
}

#[test]
fn a_cancel_before_the_start_starts_nothing() {
    let (lines, around) = surroundings();
    around.cancel.cancel();
    let wat = preview1(r#"(data (i32.const 1024) "ran\n")"#, "(call $write (i32.const 1) (i32.const 1024) (i32.const 4))");
    for _ in 0..20 {
        let execution = block_on(executor().execute(&job(&wat), around.clone())).unwrap();
        assert_eq!(execution.outcome, Outcome::Cancelled);
    }
    assert_eq!(lines.all(), []);
}

#[test]
fn nobody_waiting_any_more_is_a_cancel() {
    let (_dir, job) = with_pipe(&format!("(loop $again (drop {OPEN}) (br $again))"));
    let job = Job { limits: Limits { timeout_ms: None, ..job.limits.clone() }, ..job };
    let executor = interrupting();
    let (_, around) = surroundings();
    let dropped = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    dropped.block_on(async {
        let _ = tokio::time::timeout(Duration::from_millis(100), executor.execute(&job, around)).await;
    });
    let start = Instant::now();
    // The pipe's directory can go once no thread is in it: the executor's threads are done when its core has one owner left.
    while Arc::strong_count(&executor.core) > 1 {
        assert!(start.elapsed() < SOON, "its thread still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_that_cannot_serve_is_refused() {
    for signal in [libc::SIGSEGV, libc::SIGKILL, 0, 4_000] {
        assert!(WasmExecutor::builder().interrupt_signal(signal).build().is_err(), "{signal}");
    }
}
