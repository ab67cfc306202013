//! Whose turn it is: the lock, who is waited for, and who has had it for too long.

use super::Engine;
use crate::diagnostic::codes;
use crate::ledger::Target;
use crate::ledger::lock::{Attempt, Holder, Lock, LockError, NotEnded, Owner};
use crate::model::policy::OnLocked;
use crate::model::units::show_duration;
use crate::plan::Notice;
use crate::profile::Profile;
use std::time::Duration;

/// What a profile says of somebody else's turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    on_locked: OnLocked,
    /// After how long an owner is ended.
    stale_after: Option<Duration>,
    /// How long it has to end by itself.
    grace: Duration,
}

impl Patience {
    /// What `profile` says.
    pub(super) fn of(profile: &Profile) -> Self {
        // Whoever is told to stop gives its own hook that long, and then has something to write down.
        let grace = profile.limits.grace().saturating_mul(2);
        Self { on_locked: profile.on_locked, stale_after: profile.stale_after(), grace }
    }

    /// None: whoever has it keeps it, and isn't waited for.
    pub(super) const NONE: Self = Self { on_locked: OnLocked::Skip, stale_after: None, grace: Duration::ZERO };

    /// The same, where what `on_locked` says is decided.
    pub(super) fn over(self, on_locked: OnLocked) -> Self {
        Self { on_locked, ..self }
    }

    /// The same, where an owner is never ended.
    pub(super) const fn without_an_end(self) -> Self {
        Self { stale_after: None, ..self }
    }

    /// How long until `holder` has had it for too long; `None` where that never is.
    fn left(&self, holder: &Holder, now: jiff::Timestamp) -> Option<Duration> {
        let Holder::Known(owner) = holder else { return None };
        Some(self.stale_after?.saturating_sub(owner.age(now)))
    }
}

/// The lock, or who has it.
pub(super) enum Lockout {
    /// It is ours; what there is to say of whoever had it.
    Ours(Lock, Option<Notice>),
    /// Somebody else has it; why that one wasn't ended, if it has had it for too long.
    Theirs(Holder, Option<NotEnded>),
}

impl Engine {
    /// The lock, as the profile waits for it.
    pub(super) async fn lock(&self, target: &Target, patience: Patience) -> Result<Lockout, LockError> {
        let owner = Owner { alone: self.alone, ..Owner::of_this_process(&self.command, (self.clock)()) };
        let holder = match Lock::try_acquire(&self.state, target, &owner)? {
            Attempt::Held(lock) => return Ok(Lockout::Ours(lock, None)),
            Attempt::Busy(holder) => holder,
        };
        let left = patience.left(&holder, (self.clock)());
        let waits = match patience.on_locked {
            OnLocked::Wait => [self.lock_patience, left].into_iter().flatten().min(),
            OnLocked::Skip | OnLocked::Fail => Some(Duration::ZERO),
        };
        let on_wait = |holder: &Holder| {
            if let (Some(told), OnLocked::Wait) = (&self.on_wait, patience.on_locked) {
                told(holder);
            }
        };
        let holder = match Lock::acquire_waiting(&self.state, target, &owner, waits, on_wait).await? {
            Attempt::Held(lock) => return Ok(Lockout::Ours(lock, None)),
            Attempt::Busy(holder) => holder,
        };
        match (&holder, patience.left(&holder, (self.clock)())) {
            (Holder::Known(stale), Some(Duration::ZERO)) => self.replace(target, &owner, stale, patience).await,
            _ => Ok(Lockout::Theirs(holder, None)),
        }
    }

    /// Ends an owner that has had the lock for too long, and takes its turn.
    async fn replace(&self, target: &Target, owner: &Owner, stale: &Owner, patience: Patience) -> Result<Lockout, LockError> {
        let ended = match stale.end(patience.grace).await {
            Ok(ended) => ended,
            Err(why) => return Ok(Lockout::Theirs(Holder::Known(stale.clone()), Some(why))),
        };
        let message = format!(
            "the run of {} on {} (process {}, since {}: {}) had the lock for longer than {}: {ended}, and this run takes its place",
            stale.user,
            stale.host,
            stale.pid,
            stale.since,
            stale.command,
            show_duration(patience.stale_after.unwrap_or_default()),
        );
        // Its lock fell with it; if somebody else was faster, that one has all its time before it.
        Ok(match Lock::try_acquire(&self.state, target, owner)? {
            Attempt::Held(lock) => Lockout::Ours(lock, Some(Notice { code: codes::STALE_RUN.to_owned(), message })),
            Attempt::Busy(holder) => Lockout::Theirs(holder, None),
        })
    }
}
