//! The leash of one running guest: who may pull it (the deadline, a cancel), what happens then, and who is told if pulling doesn't help.
//!
//! Pulling does four things, since no single one stops every guest: the flag that stops the guest at its next border to the host, the wake-up
//! that drops one that waits in the host, the signal that gets one out of the kernel, and, when all that didn't help in time, the answer in
//! its place. (Fuel yields stop one that only computes: they give the wake-up its turn.)

use super::super::ExecError;
use super::held::{Held, HeldDirs};
use super::interrupt::{Interrupt, ThreadId};
use super::tally::Tally;
use super::watch::Alarm;
use crate::model::job::Execution;
use crate::model::outcome::{Outcome, TimeLimit};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

/// How long a guest has to end once its leash was pulled.
pub(super) const ABANDON_AFTER: Duration = Duration::from_millis(200);

/// How often the signal is sent until the guest has ended or is given up, and how often afterwards: it may free a thread even then.
const SIGNAL_EVERY: Duration = Duration::from_millis(1);
const SIGNAL_RARELY: Duration = Duration::from_millis(50);

/// What an execution ends with.
pub(super) type Answer = Result<Execution, ExecError>;

/// Why a leash was pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pull {
    /// Its time is up.
    Deadline,
    /// Nobody wants it any more.
    Cancelled,
}

impl Pull {
    /// The outcome of a guest that was pulled.
    pub(super) fn outcome(self, abandoned: bool) -> Outcome {
        match self {
            Self::Deadline => Outcome::TimedOut { limit: TimeLimit::Deadline, abandoned },
            Self::Cancelled => Outcome::Cancelled,
        }
    }
}

const RUNNING: u8 = 0;
const DEADLINE: u8 = 1;
const CANCELLED: u8 = 2;
const ENDED: u8 = 3;

/// Where the answer goes, and what is remembered of a guest that had to be left behind.
pub(super) struct Desk {
    /// To whoever waits.
    pub(super) answer: oneshot::Sender<Answer>,
    /// What the job would hold.
    pub(super) held: HeldDirs,
    /// What all such jobs hold.
    pub(super) everything_held: Arc<Held>,
    /// The job's place among those that may run at once; another gets it once the answer is given, even in the guest's place.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// The leash.
pub(super) struct Leash {
    /// What the execution has used so far.
    pub(super) tally: Tally,
    state: AtomicU8,
    over: AtomicBool,
    pulled_at: OnceLock<Instant>,
    wake: Notify,
    thread: AtomicI32,
    interrupt: Option<Interrupt>,
    desk: Mutex<Option<Desk>>,
    abandoned_as: OnceLock<u64>,
}

impl Leash {
    /// A leash whose holder is on the same thread as the guest: nobody can be told anything before it ends.
    pub(super) fn new(tally: Tally, interrupt: Option<Interrupt>) -> Self {
        Self {
            tally,
            state: AtomicU8::new(RUNNING),
            over: AtomicBool::new(false),
            pulled_at: OnceLock::new(),
            wake: Notify::new(),
            thread: AtomicI32::new(0),
            interrupt,
            desk: Mutex::new(None),
            abandoned_as: OnceLock::new(),
        }
    }

    /// The same leash, whose holder waits elsewhere for the answer.
    pub(super) fn awaited(self, desk: Desk) -> Self {
        Self { desk: Mutex::new(Some(desk)), ..self }
    }

    /// The guest runs on `thread` from now on, or will: it is the one that is interrupted.
    pub(super) fn lives_on(&self, thread: ThreadId) {
        self.thread.store(thread, Ordering::Release);
    }

    /// Pulls it. Only the first pull counts, and none after the guest's end.
    pub(super) fn pull(&self, why: Pull) {
        let to = match why {
            Pull::Deadline => DEADLINE,
            Pull::Cancelled => CANCELLED,
        };
        if self.state.compare_exchange(RUNNING, to, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            let _ = self.pulled_at.set(Instant::now());
            self.wake.notify_one();
        }
    }

    /// Resolves when it is pulled.
    pub(super) async fn pulled(&self) {
        self.wake.notified().await;
    }

    /// Why it was pulled, if it was.
    pub(super) fn verdict(&self) -> Option<Pull> {
        match self.state.load(Ordering::Acquire) {
            DEADLINE => Some(Pull::Deadline),
            CANCELLED => Some(Pull::Cancelled),
            _ => None,
        }
    }

    /// The guest has ended. Returns why it was pulled, if that came first.
    pub(super) fn end(&self) -> Option<Pull> {
        let _ = self.state.compare_exchange(RUNNING, ENDED, Ordering::AcqRel, Ordering::Acquire);
        self.over.store(true, Ordering::Release);
        self.thread.store(0, Ordering::Release);
        self.verdict()
    }

    /// Gives the answer, unless it was given in the guest's place.
    pub(super) fn answer(&self, answer: Answer) {
        self.over.store(true, Ordering::Release);
        if let Some(desk) = self.desk.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody waits any more if the future was dropped.
            let _ = desk.answer.send(answer);
        }
    }

    /// Answers in the place of a guest that doesn't end.
    fn abandon(&self, why: Pull) {
        let (tail, usage) = self.tally.peek();
        // The number is there before the desk is seen empty, so that a thread that ends just now takes it off the list again.
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Desk { answer, held, everything_held, place }) = desk.take() else { return };
        // A job that is still being loaded holds nothing.
        if self.tally.has_started() {
            let _ = self.abandoned_as.set(everything_held.add(held));
        }
        drop(place);
        let _ = answer.send(Ok(Execution { usage, tail, ..Execution::not_started(why.outcome(true)) }));
    }

    /// Under which number it was left behind, if it was.
    pub(super) fn abandoned_as(&self) -> Option<u64> {
        self.abandoned_as.get().copied()
    }
}

impl Alarm for Leash {
    /// The first time, at the deadline; then until the guest has ended or is given up.
    fn ring(&self, now: Instant) -> Option<Instant> {
        if self.over.load(Ordering::Acquire) {
            return None;
        }
        self.pull(Pull::Deadline);
        let why = self.verdict()?;
        let give_up = *self.pulled_at.get_or_init(|| now) + ABANDON_AFTER;
        let is_over = now >= give_up;
        if is_over {
            self.abandon(why);
        }
        let thread = self.thread.load(Ordering::Acquire);
        match self.interrupt {
            // What is loaded for it isn't the guest's to be interrupted.
            Some(interrupt) if thread != 0 && self.tally.has_started() => {
                interrupt.send(thread);
                Some(now + if is_over { SIGNAL_RARELY } else { SIGNAL_EVERY })
            }
            _ => (!is_over).then_some(give_up),
        }
    }
}
