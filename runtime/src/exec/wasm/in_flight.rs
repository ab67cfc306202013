//! Work that is under way, by digest: whoever asks for the same meanwhile waits for it instead of doing it a second time.

use crate::model::id::Digest;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What is under way. `T` is what those who waited get.
pub(super) struct InFlight<T>(Mutex<HashMap<Digest, Arc<Flight<T>>>>);

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

struct Flight<T> {
    state: Mutex<State<T>>,
    landed: Condvar,
}

enum State<T> {
    UnderWay,
    /// With what those who wait share; `None` if each has to try for itself.
    Landed(Option<T>),
}

impl<T> InFlight<T> {
    /// The result of `work` for `digest`, done by one caller at a time. Those who waited get what `share` makes of it; where that is nothing
    /// (the machinery failed, or panicked), the next of them does the work itself. Blocks the thread.
    pub(super) fn once(&self, digest: &Digest, mut work: impl FnMut() -> T, share: impl Fn(&T) -> Option<T>) -> T {
        loop {
            let (flight, leads) = self.join(digest);
            if leads {
                let mut landing = Landing { all: self, digest, flight, shared: None };
                let result = work();
                landing.shared = share(&result);
                return result;
            }
            if let Some(result) = flight.wait(&share) {
                return result;
            }
        }
    }

    fn join(&self, digest: &Digest) -> (Arc<Flight<T>>, bool) {
        let mut all = lock(&self.0);
        if let Some(flight) = all.get(digest) {
            return (Arc::clone(flight), false);
        }
        let flight = Arc::new(Flight { state: Mutex::new(State::UnderWay), landed: Condvar::new() });
        all.insert(digest.clone(), Arc::clone(&flight));
        (flight, true)
    }
}

impl<T> Flight<T> {
    fn wait(&self, share: impl Fn(&T) -> Option<T>) -> Option<T> {
        let mut state = lock(&self.state);
        loop {
            match &*state {
                State::Landed(shared) => return shared.as_ref().and_then(share),
                State::UnderWay => state = self.landed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Ends a flight when it is dropped, also by a panic.
struct Landing<'a, T> {
    all: &'a InFlight<T>,
    digest: &'a Digest,
    flight: Arc<Flight<T>>,
    shared: Option<T>,
}

impl<T> Drop for Landing<'_, T> {
    fn drop(&mut self) {
        lock(&self.all.0).remove(self.digest);
        *lock(&self.flight.state) = State::Landed(self.shared.take());
        self.flight.landed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Waits until `count` callers besides the leader are on the flight of `digest`.
    fn joined(flights: &InFlight<u32>, digest: &Digest, count: usize) {
        // The map, the leader, and each who waits.
        while lock(&flights.0).get(digest).is_none_or(|flight| Arc::strong_count(flight) < count + 2) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn those_who_come_meanwhile_share_one_result() {
        let (flights, digest, works) = (InFlight::default(), Digest::of(b"a"), AtomicU32::new(0));
        let results: Vec<u32> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..5)
                .map(|_| {
                    scope.spawn(|| {
                        let work = || {
                            joined(&flights, &digest, 4);
                            works.fetch_add(1, Ordering::Relaxed)
                        };
                        flights.once(&digest, work, |result| Some(*result))
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert_eq!((works.load(Ordering::Relaxed), results), (1, vec![0; 5]));
        assert!(lock(&flights.0).is_empty(), "nothing is remembered");
    }

    #[test]
    fn what_is_not_shared_and_what_panicked_is_done_again_by_the_next() {
        let (flights, digest, works) = (InFlight::default(), Digest::of(b"a"), AtomicU32::new(0));
        let mut results: Vec<Option<u32>> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let work = || {
                            let nth = works.fetch_add(1, Ordering::Relaxed);
                            // Those who wait are fewer by one each time.
                            joined(&flights, &digest, 2 - nth as usize);
                            assert!(nth != 0, "the first panics");
                            nth
                        };
                        flights.once(&digest, work, |result| (*result > 1).then_some(*result))
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().ok()).collect()
        });
        results.sort_unstable();
        assert_eq!(results, [None, Some(1), Some(2)]);
    }
}
