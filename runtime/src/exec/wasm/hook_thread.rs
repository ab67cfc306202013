//! The threads that hooks run on. A guest may block its thread, so it never gets one of the caller's; a thread whose guest can't be stopped is
//! forgotten, and ends with it.

use super::held::Held;
use super::leash::Leash;
use super::run::{Core, Request};
use crate::exec::{ExecError, Surroundings};
use crate::model::job::Job;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::runtime::Runtime;

/// One job for a hook thread.
pub(super) struct Task {
    pub(super) core: Arc<Core>,
    pub(super) job: Job,
    pub(super) around: Surroundings,
    pub(super) leash: Arc<Leash>,
    pub(super) held: Arc<Held>,
}

/// Threads that wait for a job.
type Idle = Mutex<Vec<Sender<Task>>>;

/// The pool: as many threads as hooks ran at once. Dropping it lets the waiting ones end.
#[derive(Default)]
pub(super) struct HookThreads {
    idle: Arc<Idle>,
}

impl HookThreads {
    /// Gives `task` to a waiting thread, or to a new one.
    pub(super) fn run(&self, mut task: Task) -> Result<(), ExecError> {
        while let Some(thread) = lock(&self.idle).pop() {
            match thread.send(task) {
                Ok(()) => return Ok(()),
                // It ended; the task comes back.
                Err(refused) => task = refused.0,
            }
        }
        self.start(task)
    }

    fn start(&self, task: Task) -> Result<(), ExecError> {
        let runtime = runtime()?;
        let idle = Arc::downgrade(&self.idle);
        let live = move || live(&runtime, task, &idle);
        std::thread::Builder::new()
            .name("wasmhook-hook".to_owned())
            .spawn(live)
            .map_err(|error| ExecError::new("starting a hook thread", error))?;
        Ok(())
    }
}

/// The runtime of one thread: timers only, since a guest has no sockets.
pub(super) fn runtime() -> Result<Runtime, ExecError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| ExecError::new("starting a hook thread's timers", error))
}

/// Runs tasks until one is left behind or nobody has any more.
fn live(runtime: &Runtime, first: Task, idle: &Weak<Idle>) {
    let mut next = Some(first);
    while let Some(task) = next {
        if !work(runtime, task) {
            return;
        }
        next = wait(idle);
    }
}

fn wait(idle: &Weak<Idle>) -> Option<Task> {
    let (sender, tasks): (Sender<Task>, Receiver<Task>) = channel();
    lock(&*idle.upgrade()?).push(sender);
    tasks.recv().ok()
}

/// Runs one task. Returns whether the thread may go on: not one that was given up on.
fn work(runtime: &Runtime, task: Task) -> bool {
    let Task { core, job, mut around, leash, held } = task;
    let hold = std::mem::take(&mut around.hold);
    let ran = catch_unwind(AssertUnwindSafe(|| core.run(runtime, Request { job: &job, around: &around, leash: &leash })));
    let answer = ran.unwrap_or_else(|_| Err(ExecError::new(format!("running {}", job.name), "a host function panicked; please report it")));
    drop(hold);
    leash.answer(answer);
    match leash.abandoned_as() {
        Some(number) => {
            held.remove(number);
            false
        }
        None => true,
    }
}

fn lock(idle: &Idle) -> std::sync::MutexGuard<'_, Vec<Sender<Task>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
