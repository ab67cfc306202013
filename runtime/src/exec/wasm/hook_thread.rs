//! The threads that hooks run on. A guest may block its thread, so it gets one of the caller's only for a moment in which it can't; a thread whose
//! guest can't be stopped is forgotten, and ends with it.

use super::held::Held;
use super::interrupt;
use super::leash::{Answer, Leash};
use super::timers::Timers;
use crate::exec::ExecError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

/// One execution on its way to its end. It may be begun on one thread and go on on another.
pub(super) struct Task {
    /// The job's name.
    pub(super) name: String,
    /// The execution, with everything that it holds.
    pub(super) work: Pin<Box<dyn Future<Output = Answer> + Send>>,
    /// What its timers are set on.
    pub(super) timers: Timers,
    pub(super) leash: Arc<Leash>,
    pub(super) held: Arc<Held>,
}

impl Task {
    /// Runs it on the calling thread until it ends, waits for something or has burnt the fuel of one slice; `None` once it has ended and its answer
    /// is given.
    pub(super) fn begin(mut self, threads: &HookThreads) -> Option<Self> {
        let polled = {
            let _entered = self.timers.enter();
            // Whoever goes on with it polls it at once: nobody needs to be woken.
            catch_unwind(AssertUnwindSafe(|| self.work.as_mut().poll(&mut Context::from_waker(Waker::noop()))))
        };
        match polled {
            Ok(Poll::Pending) => return Some(self),
            Ok(Poll::Ready(answer)) => self.end(Some(answer), &threads.pool),
            Err(_) => self.end(None, &threads.pool),
        };
        None
    }

    /// Runs it to its end. Returns whether the thread may go on: not one that was given up on.
    fn work(mut self, pool: &Weak<Pool>) -> bool {
        self.leash.lives_on(interrupt::this_thread());
        let ran = catch_unwind(AssertUnwindSafe(|| self.timers.block_on(self.work.as_mut())));
        let answer = ran.ok();
        match pool.upgrade() {
            Some(pool) => self.end(answer, &pool),
            None => self.end(answer, &Pool::default()),
        }
    }

    /// Answers, unless somebody did in its place. `None` is a panic.
    fn end(self, answer: Option<Answer>, pool: &Pool) -> bool {
        let Self { name, work, timers, leash, held } = self;
        drop(work);
        let answer = answer.unwrap_or_else(|| Err(ExecError::new(format!("running {name}"), "a host function panicked; please report it")));
        leash.answer(answer);
        lock(&pool.timers).push(timers);
        match leash.abandoned_as() {
            Some(number) => {
                held.remove(number);
                false
            }
            None => true,
        }
    }
}

/// What waits for a job.
#[derive(Default)]
struct Pool {
    threads: Mutex<Vec<Sender<Task>>>,
    timers: Mutex<Vec<Timers>>,
}

/// As many threads as hooks ran at once. Dropping it lets the waiting ones end.
#[derive(Default)]
pub(super) struct HookThreads {
    pool: Arc<Pool>,
}

impl HookThreads {
    /// Timers that nobody uses just now.
    pub(super) fn timers(&self) -> Result<Timers, ExecError> {
        let idle = lock(&self.pool.timers).pop();
        idle.map_or_else(Timers::start, Ok)
    }

    /// They are free again.
    pub(super) fn give_back(&self, timers: Timers) {
        lock(&self.pool.timers).push(timers);
    }

    /// Gives `task` to a waiting thread, or to a new one.
    pub(super) fn run(&self, mut task: Task) -> Result<(), ExecError> {
        while let Some(thread) = lock(&self.pool.threads).pop() {
            match thread.send(task) {
                Ok(()) => return Ok(()),
                // It ended; the task comes back.
                Err(refused) => task = refused.0,
            }
        }
        let pool = Arc::downgrade(&self.pool);
        std::thread::Builder::new()
            .name("wasmhook-hook".to_owned())
            .spawn(move || live(task, &pool))
            .map_err(|error| ExecError::new("starting a hook thread", error))?;
        Ok(())
    }
}

/// Runs tasks until one is left behind or nobody has any more.
fn live(first: Task, pool: &Weak<Pool>) {
    let mut next = Some(first);
    while let Some(task) = next {
        if !task.work(pool) {
            return;
        }
        next = wait(pool);
    }
}

fn wait(pool: &Weak<Pool>) -> Option<Task> {
    let (sender, tasks): (Sender<Task>, Receiver<Task>) = channel();
    lock(&pool.upgrade()?.threads).push(sender);
    tasks.recv().ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
