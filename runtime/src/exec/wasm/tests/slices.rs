//! Where a guest runs: its first slice where it was asked for, if nothing of it can block there; the rest on a thread of its own.

use super::{block_on, executor, grant, job, preview1, run_on, surroundings};
use crate::exec::{Executor, OutputSink, Surroundings};
use crate::model::grant::DirMode;
use crate::model::job::{Job, Stream};
use crate::model::limits::Limits;
use crate::model::outcome::{Outcome, TimeLimit};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use tokio_util::sync::CancellationToken;

/// Remembers which thread brought a line.
#[derive(Default)]
struct Threads(Mutex<Vec<ThreadId>>);

impl OutputSink for Threads {
    fn line(&self, _: Stream, _: &str) {
        self.0.lock().unwrap().push(thread::current().id());
    }
}

/// The threads that a job's lines came from, once it is loaded: whether each is this one.
fn here(job: &Job) -> Vec<bool> {
    let executor = executor();
    assert_eq!(run_on(&executor, job).0.outcome, Outcome::Succeeded);
    let threads = Arc::new(Threads::default());
    let around = Surroundings::new(Arc::clone(&threads) as _, CancellationToken::new());
    assert_eq!(block_on(executor.execute(job, around)).unwrap().outcome, Outcome::Succeeded);
    threads.0.lock().unwrap().iter().map(|id| *id == thread::current().id()).collect()
}

const SAY: &str = "(call $write (i32.const 1) (i32.const 1024) (i32.const 3))";

fn saying(body: &str) -> String {
    preview1(r#"(data (i32.const 1024) "hi\n")"#, body)
}

#[test]
fn a_short_guest_ends_where_it_was_asked_for() {
    assert_eq!(here(&job(&saying(SAY))), [true]);
}

#[test]
fn a_guest_that_waits_or_computes_goes_on_on_a_thread_of_its_own() {
    // One subscription of 48 zero bytes: its clock is the realtime one, and its time has come; 20 ms here.
    let wait = "(i64.store (i32.const 3096) (i64.const 20000000)) (i32.store (i32.const 3088) (i32.const 1))
                (call $check (call $poll (i32.const 3072) (i32.const 3200) (i32.const 1) (i32.const 3300)))";
    let compute = "(local $i i32) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br_if $l (i32.lt_u (local.get $i) (i32.const 1000000))))";
    assert_eq!(here(&job(&saying(&format!("{SAY} {wait} {SAY}")))), [true, false]);
    assert_eq!(here(&job(&saying(&format!("{compute} {SAY}")))), [false]);
}

#[test]
fn a_guest_that_was_cancelled_before_it_was_asked_for_runs_no_slice() {
    let (executor, job) = (executor(), job(&saying(SAY)));
    assert_eq!(run_on(&executor, &job).0.outcome, Outcome::Succeeded);
    let (lines, around) = surroundings();
    around.cancel.cancel();
    assert_eq!(block_on(executor.execute(&job, around.clone())).unwrap().outcome, Outcome::Cancelled);
    assert_eq!(executor.run_blocking(&job, &around).unwrap().outcome, Outcome::Cancelled);
    assert_eq!(lines.all(), []);
}

#[test]
fn a_guest_with_a_directory_never_runs_where_it_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let job = Job { dirs: vec![grant(dir.path(), "/d", DirMode::Read)], ..job(&saying(SAY)) };
    assert_eq!(here(&job), [false]);
}

#[test]
fn a_loaded_guest_that_never_ends_is_stopped_at_its_deadline() {
    let executor = executor();
    let endless = Job { limits: Limits { timeout_ms: Some(100), ..Limits::default() }, ..job(&preview1("", "(loop $l (br $l))")) };
    for _ in 0..2 {
        let outcome = run_on(&executor, &endless).0.outcome;
        assert_eq!(outcome, Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned: false });
    }
}

#[test]
fn an_executor_may_be_dropped_where_an_async_runtime_is_driven() {
    block_on(async {
        let (executor, job) = (executor(), job(&saying(SAY)));
        for _ in 0..2 {
            assert_eq!(executor.execute(&job, surroundings().1).await.unwrap().outcome, Outcome::Succeeded);
        }
        drop(executor);
    });
}
