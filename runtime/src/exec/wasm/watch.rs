//! The watcher: one thread that calls alarms at their time. It knows nothing of hooks.
//!
//! Setting an alarm costs a lock and a push: the thread is woken only for one that is due before it would look again by itself.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// Something to call at its time.
pub(super) trait Alarm: Send + Sync {
    /// Its time has come. Returns when it wants to be called again, if it does.
    fn ring(&self, now: Instant) -> Option<Instant>;
}

/// An alarm that was set.
#[derive(Clone, Copy)]
pub(super) struct AlarmId(u64);

/// The thread and what it waits for. Dropping it ends the thread.
pub(super) struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

#[derive(Default)]
struct Alarms {
    set: Vec<(Instant, u64, Arc<dyn Alarm>)>,
    last_id: u64,
    /// When the thread looks again by itself; `None` is never.
    looks_at: Option<Instant>,
    closing: bool,
}

impl Watch {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("wasmhook-watch".to_owned()).spawn(move || theirs.keep_watch())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Calls `alarm` at `when`.
    pub(super) fn set(&self, when: Instant, alarm: Arc<dyn Alarm>) -> AlarmId {
        let mut alarms = self.shared.lock();
        alarms.last_id += 1;
        let id = alarms.last_id;
        alarms.set.push((when, id, alarm));
        if alarms.looks_at.is_none_or(|at| when < at) {
            self.shared.changed.notify_one();
        }
        AlarmId(id)
    }

    /// Forgets an alarm. The thread isn't woken for it.
    pub(super) fn clear(&self, id: AlarmId) {
        let mut alarms = self.shared.lock();
        if let Some(index) = alarms.set.iter().position(|(_, theirs, _)| *theirs == id.0) {
            alarms.set.swap_remove(index);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It can't panic but in an alarm, and then there is nothing left to end.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_watch(&self) {
        let mut alarms = self.lock();
        while !alarms.closing {
            let now = Instant::now();
            if let Some(index) = alarms.set.iter().position(|(when, ..)| *when <= now) {
                let (_, id, alarm) = alarms.set.swap_remove(index);
                // While it is awake it looks at everything anyway: nobody has to wake it.
                alarms.looks_at = Some(now);
                drop(alarms);
                let again = alarm.ring(now);
                alarms = self.lock();
                alarms.set.extend(again.map(|when| (when, id, alarm)));
                continue;
            }
            let next = alarms.set.iter().map(|(when, ..)| *when).min();
            alarms.looks_at = next;
            alarms = match next {
                None => self.changed.wait(alarms).unwrap_or_else(PoisonError::into_inner),
                Some(when) => self.changed.wait_timeout(alarms, when - now).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    struct Bell(Mutex<Sender<u32>>, u32, Mutex<u32>);

    impl Alarm for Bell {
        fn ring(&self, now: Instant) -> Option<Instant> {
            self.0.lock().unwrap().send(self.1).unwrap();
            let mut left = self.2.lock().unwrap();
            *left = left.checked_sub(1)?;
            Some(now + Duration::from_millis(1))
        }
    }

    #[test]
    fn alarms_ring_in_the_order_of_their_times_and_again_if_they_want() {
        let (rung, bells) = channel();
        let watch = Watch::start().unwrap();
        let bell = |name, again| Arc::new(Bell(Mutex::new(rung.clone()), name, Mutex::new(again)));
        let now = Instant::now();
        watch.set(now + Duration::from_millis(100), bell(2, 0));
        watch.set(now + Duration::from_millis(10), bell(1, 1));
        let cleared = watch.set(now + Duration::from_millis(50), bell(9, 0));
        watch.clear(cleared);
        let order: Vec<u32> = (0..3).map(|_| bells.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
        assert_eq!(order, [1, 1, 2]);
        assert!(bells.try_recv().is_err());
    }
}
