//! Guests that could not be stopped, and the directories their threads may still have open.

use crate::model::grant::DirGrant;
use crate::model::job::Job;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A job whose thread could not be stopped, and what it was granted. It gets no further host call, but one that it is in may still end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldDirs {
    /// The job's name.
    pub job: String,
    /// The directories it was granted.
    pub dirs: Vec<DirGrant>,
}

impl HeldDirs {
    pub(super) fn of(job: &Job) -> Self {
        Self { job: job.name.clone(), dirs: job.dirs.clone() }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Held(Mutex<Numbered>);

#[derive(Default)]
struct Numbered {
    last: u64,
    jobs: Vec<(u64, HeldDirs)>,
}

impl Held {
    /// One more. Returns its number.
    pub(super) fn add(&self, job: HeldDirs) -> u64 {
        let mut numbered = self.lock();
        numbered.last += 1;
        let number = numbered.last;
        numbered.jobs.push((number, job));
        number
    }

    /// Its thread has ended after all.
    pub(super) fn remove(&self, number: u64) {
        self.lock().jobs.retain(|(theirs, _)| *theirs != number);
    }

    /// Those that are still there.
    pub(super) fn list(&self) -> Vec<HeldDirs> {
        self.lock().jobs.iter().map(|(_, job)| job.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
