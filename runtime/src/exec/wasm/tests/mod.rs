//! Guests in WebAssembly text, run for real: what they may do, what stops them, what is said of them.

mod bombs;
mod cached;
mod components;
mod configurations;
mod endings;
#[cfg(target_os = "linux")]
mod files;
mod limits;
#[cfg(target_os = "linux")]
mod listings;
mod network;
#[cfg(target_os = "linux")]
mod overrun;
mod refused;
mod rights;
mod slices;
#[cfg(target_os = "linux")]
mod stopped;

use super::WasmExecutor;
use crate::exec::{Executor, OutputSink, Surroundings};
use crate::model::grant::{DirGrant, DirMode};
use crate::model::id::Digest;
use crate::model::job::{Execution, Guest, Job, Stream, WasmGuest};
use crate::model::limits::Limits;
use crate::model::outcome::{Cause, Outcome};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Remembers every line.
#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<(Stream, String)>>);

impl OutputSink for Lines {
    fn line(&self, stream: Stream, line: &str) {
        self.0.lock().unwrap().push((stream, line.to_owned()));
    }
}

impl Lines {
    fn all(&self) -> Vec<(Stream, String)> {
        self.0.lock().unwrap().clone()
    }
}

fn surroundings() -> (Arc<Lines>, Surroundings) {
    let lines = Arc::new(Lines::default());
    (Arc::clone(&lines), Surroundings::new(lines, CancellationToken::new()))
}

fn executor() -> WasmExecutor {
    WasmExecutor::builder().build().unwrap()
}

/// A job without any right, and with a generous deadline.
fn job_of(file: &str, bytes: &[u8]) -> Job {
    let guest = WasmGuest { file: file.to_owned(), bytes: bytes.into(), digest: Digest::of(bytes), args: Vec::new() };
    Job {
        name: file.to_owned(),
        guest: Guest::Wasm(guest),
        env: Vec::new(),
        dirs: Vec::new(),
        limits: Limits { timeout_ms: Some(60_000), ..Limits::default() },
        collect_outputs: false,
    }
}

fn job(wat: &str) -> Job {
    job_of("hooks/test.wat", wat.as_bytes())
}

fn grant(host: &Path, guest: &str, mode: DirMode) -> DirGrant {
    DirGrant { host: Some(host.display().to_string()), guest: guest.to_owned(), mode }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn run(job: &Job) -> Execution {
    run_on(&executor(), job).0
}

fn run_on(executor: &WasmExecutor, job: &Job) -> (Execution, Vec<(Stream, String)>) {
    let (lines, around) = surroundings();
    let execution = block_on(executor.execute(job, around)).unwrap();
    (execution, lines.all())
}

fn cause(execution: Execution) -> Cause {
    match execution.outcome {
        Outcome::Failed { cause } => cause,
        other => panic!("not failed, but {other:?}"),
    }
}

/// A preview1 module with `body` in its `_start`, and helpers that end it with an errno as its exit code.
fn preview1(data: &str, body: &str) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir" (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
  (memory (export "memory") 4)
  {data}
  ;; Ends with the errno, unless it is 0.
  (func $check (param $errno i32)
    (if (local.get $errno) (then (call $exit (local.get $errno)))))
  ;; Opens the path at 1024 below descriptor $dir, for reading or (with $create) for writing; the descriptor goes to address 0.
  (func $open (param $dir i32) (param $len i32) (param $create i32) (result i32)
    (call $path_open (local.get $dir) (i32.const 1) (i32.const 1024) (local.get $len)
      (local.get $create) (select (i64.const 64) (i64.const 2) (local.get $create)) (i64.const 0) (i32.const 0) (i32.const 0)))
  ;; Writes $len bytes from $at to $fd.
  (func $write (param $fd i32) (param $at i32) (param $len i32)
    (i32.store (i32.const 16) (local.get $at))
    (i32.store (i32.const 20) (local.get $len))
    (call $check (call $fd_write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 24))))
  ;; Reads up to $len bytes from $fd to 2048. Returns how many.
  (func $read (param $fd i32) (param $len i32) (result i32)
    (i32.store (i32.const 16) (i32.const 2048))
    (i32.store (i32.const 20) (local.get $len))
    (call $check (call $fd_read (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 24)))
    (i32.load (i32.const 24)))
  (func (export "_start") {body}))"#
    )
}
