//! Ours, always with everything on: budget, hard deadline with the interrupting signal, memory limit, captured output, cache.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wasmhook::exec::wasm::{Cache, WasmExecutor};
use wasmhook::exec::{OutputSink, Surroundings};
use wasmhook::model::grant::{DirGrant, DirMode};
use wasmhook::model::id::Digest;
use wasmhook::model::job::{Execution, Guest, Job, Stream, WasmGuest};
use wasmhook::model::limits::Limits;
use wasmhook::model::outcome::Outcome;

/// A real-time signal, as the program uses one.
const SIGNAL: i32 = libc::SIGURG;

/// An executor, and what it keeps its output in.
pub struct Sandbox {
    executor: WasmExecutor,
    lines: Arc<Lines>,
    around: Surroundings,
    _state: TempDir,
}

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl OutputSink for Lines {
    fn line(&self, _: Stream, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

impl Sandbox {
    /// One that a long-lived embedder would have: with a pool.
    pub fn pooled() -> Self {
        Self::new(true, &crate::guests::kept("cache"))
    }

    /// One that a process of one hook would have.
    pub fn on_demand(cache: &Path) -> Self {
        Self::new(false, cache)
    }

    fn new(pooled: bool, cache: &Path) -> Self {
        let state = TempDir::new().unwrap();
        std::fs::set_permissions(cache, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let mut builder =
            WasmExecutor::builder().cache(Cache::open(cache).unwrap()).protect("state", state.path()).interrupt_signal(SIGNAL);
        if pooled {
            builder = builder.pool(4.try_into().unwrap());
        }
        let lines = Arc::new(Lines::default());
        let around = Surroundings::new(Arc::clone(&lines) as _, CancellationToken::new());
        Self { executor: builder.build().unwrap(), lines, around, _state: state }
    }

    /// Runs `job`.
    pub fn run(&self, job: &Job) -> Execution {
        self.lines.0.lock().unwrap().clear();
        self.executor.run_blocking(job, &self.around).unwrap()
    }

    /// Runs `job`, which has to succeed. Returns what it wrote.
    pub fn succeed(&self, job: &Job) -> Vec<String> {
        let execution = self.run(job);
        assert_eq!(execution.outcome, Outcome::Succeeded, "{execution:?}");
        std::mem::take(&mut *self.lines.0.lock().unwrap())
    }
}

/// A job with the default limits, all of which are on.
pub fn job(wasm: &Path, args: &[&str]) -> Job {
    let bytes: Arc<[u8]> = std::fs::read(wasm).unwrap().into();
    let file = wasm.file_name().unwrap().to_string_lossy().into_owned();
    let digest = Digest::of(&bytes);
    Job {
        name: file.clone(),
        guest: Guest::Wasm(WasmGuest { file, bytes, digest, args: args.iter().map(|arg| (*arg).to_owned()).collect() }),
        env: Vec::new(),
        dirs: Vec::new(),
        limits: Limits::default(),
        collect_outputs: false,
    }
}

/// `job` with a directory to write to.
pub fn with_dir(mut job: Job, host: &Path, guest: &str) -> Job {
    job.dirs.push(DirGrant { host: Some(host.display().to_string()), guest: guest.to_owned(), mode: DirMode::Write });
    job
}

/// `job` with another deadline.
pub fn within(mut job: Job, timeout: Duration) -> Job {
    job.limits.timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap());
    job
}
