//! The hooks that are loaded, by digest: a warm run neither hashes nor maps anything.

use super::load::Hook;
use crate::model::id::Digest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most hooks that stay loaded; the longest unused goes first.
const CAPACITY: usize = 256;

/// The memo.
#[derive(Default)]
pub(super) struct Memo(Mutex<Loaded>);

#[derive(Default)]
struct Loaded {
    hooks: HashMap<Digest, (u64, Arc<Hook>)>,
    uses: u64,
}

impl Memo {
    /// The hook with the digest, if it is loaded.
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Hook>> {
        let mut loaded = self.lock();
        loaded.uses += 1;
        let now = loaded.uses;
        let (used, hook) = loaded.hooks.get_mut(digest)?;
        *used = now;
        Some(Arc::clone(hook))
    }

    /// Remembers a hook.
    pub(super) fn keep(&self, digest: &Digest, hook: &Arc<Hook>) {
        let mut loaded = self.lock();
        if loaded.hooks.len() >= CAPACITY {
            let oldest = loaded.hooks.iter().min_by_key(|(_, (used, _))| *used).map(|(digest, _)| digest.clone());
            oldest.and_then(|digest| loaded.hooks.remove(&digest));
        }
        loaded.uses += 1;
        let now = loaded.uses;
        loaded.hooks.insert(digest.clone(), (now, Arc::clone(hook)));
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
