//! The native executor against real processes.

mod confinement;
mod copied;
mod descendants;
mod dry;
mod moved;
mod nested;
mod overrun;
mod running;
mod staged;
mod unprivileged;

use super::kernel::Kernel;
use super::{NativeExecutor, NativeExecutorBuilder};
use crate::exec::testing::{Kind, inside, is_mounted_below};
use crate::exec::{Executor, OutputSink, Staged, Surroundings};
use crate::model::grant::{Denial, DirGrant, DirMode};
use crate::model::job::{Execution, Guest, Job, NativeGuest, Stream};
use crate::model::limits::Limits;
use crate::model::outcome::{Cause, Outcome};
use crate::model::policy::Sandbox;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Lines(Mutex<Vec<(Stream, String)>>);

impl OutputSink for Lines {
    fn line(&self, stream: Stream, line: &str) {
        self.0.lock().unwrap().push((stream, line.to_owned()));
    }
}

/// What surrounds the jobs of one test.
struct World {
    /// A directory of its own, with links resolved.
    dir: TempDir,
    executor: NativeExecutor,
    lines: Arc<Lines>,
    cancel: CancellationToken,
}

impl World {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(configure: impl FnOnce(NativeExecutorBuilder) -> NativeExecutorBuilder) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let scratch = dir.path().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let executor = configure(NativeExecutor::builder().scratch(scratch)).build();
        Self { dir, executor, lines: Arc::default(), cancel: CancellationToken::new() }
    }

    fn on(kernel: Kernel) -> Self {
        let mut world = Self::new();
        world.executor.kernel = kernel;
        world
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// A new directory.
    fn folder(&self, name: &str) -> String {
        std::fs::create_dir(self.dir.path().join(name)).unwrap();
        self.path(name)
    }

    fn around(&self) -> Surroundings {
        Surroundings::new(self.lines.clone(), self.cancel.clone())
    }

    async fn run(&self, job: &Job) -> Execution {
        self.run_in(job, self.around()).await
    }

    async fn run_in(&self, job: &Job, around: Surroundings) -> Execution {
        self.executor.execute(job, around).await.unwrap()
    }

    async fn run_staged(&self, job: &Job, view: &Staged) -> Execution {
        self.run_in(job, self.around().staging(vec![view.clone()])).await
    }

    fn lines(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    fn stdout(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().iter().filter(|(stream, _)| *stream == Stream::Stdout).map(|(_, line)| line.clone()).collect()
    }

    /// What is left in the scratch directory.
    fn leftovers(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("scratch")).unwrap().count()
    }
}

fn command(argv: &[&str]) -> Job {
    let guest = NativeGuest {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        cwd: "/".into(),
        tree: None,
        script: None,
        sandbox: Some(Sandbox::Strict),
        detach: false,
    };
    let limits = Limits { fuel: None, timeout_ms: Some(60_000), grace_ms: 200, ..Limits::default() };
    Job { name: "test".to_owned(), guest: Guest::Native(guest), env: Vec::new(), dirs: Vec::new(), limits, collect_outputs: false }
}

/// A hook that is a shell line, confined strictly.
fn sh(line: &str) -> Job {
    command(&["sh", "-c", line])
}

trait JobExt: Sized {
    fn native(&mut self) -> &mut NativeGuest;
    fn sandbox(self, sandbox: Option<Sandbox>) -> Self;
    fn grant(self, path: &str, mode: DirMode) -> Self;
    fn grant_at(self, host: Option<&str>, guest: &str, mode: DirMode) -> Self;
    fn var(self, name: &str, value: &str) -> Self;
    fn timeout(self, ms: u64) -> Self;
    fn cwd(self, dir: &str) -> Self;
    fn detached(self) -> Self;
    fn outputs(self) -> Self;
}

impl JobExt for Job {
    fn native(&mut self) -> &mut NativeGuest {
        match &mut self.guest {
            Guest::Native(guest) => guest,
            Guest::Wasm(_) | Guest::InCode { .. } => panic!("a native job"),
        }
    }
    fn sandbox(mut self, sandbox: Option<Sandbox>) -> Self {
        self.native().sandbox = sandbox;
        self
    }
    fn grant(self, path: &str, mode: DirMode) -> Self {
        self.grant_at(Some(path), path, mode)
    }
    fn grant_at(mut self, host: Option<&str>, guest: &str, mode: DirMode) -> Self {
        self.dirs.push(DirGrant { host: host.map(str::to_owned), guest: guest.to_owned(), mode });
        self
    }
    fn var(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
    fn timeout(mut self, ms: u64) -> Self {
        self.limits.timeout_ms = Some(ms);
        self
    }
    fn cwd(mut self, dir: &str) -> Self {
        self.native().cwd = dir.into();
        self
    }
    fn detached(mut self) -> Self {
        self.native().detach = true;
        self
    }
    fn outputs(mut self) -> Self {
        self.collect_outputs = true;
        self
    }
}

fn exit(code: i32) -> Outcome {
    Outcome::Failed { cause: Cause::Exit { code } }
}

fn denied(execution: Execution) -> Denial {
    match execution.outcome {
        Outcome::Failed { cause: Cause::Denied { denial } } => denial,
        outcome => panic!("{outcome:?}"),
    }
}

/// The message of a job that could not be started.
fn spawn_message(execution: Execution) -> String {
    match execution.outcome {
        Outcome::Failed { cause: Cause::Spawn { message } } => message,
        outcome => panic!("{outcome:?}"),
    }
}

/// The pid that a hook wrote to a file, once it has.
async fn pid_in(file: &str) -> i32 {
    for _ in 0..1_000 {
        if let Some(pid) = std::fs::read_to_string(file).ok().and_then(|text| text.strip_suffix('\n')?.parse().ok()) {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no pid in {file}");
}

/// Whether a process runs; a zombie doesn't.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Waits until a process is gone.
async fn gone(pid: i32) -> bool {
    for _ in 0..500 {
        if !alive(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

fn end(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}
