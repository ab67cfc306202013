//! What tests of crashes ask of the program by its environment; a build without debug assertions never looks.
//!
//! - `WASMHOOK_FAULT=N:kill|eio|enospc`: what happens at the `N`th point (see [`FaultPlan`](wasmhook::stage::FaultPlan)).
//! - `WASMHOOK_FAULT_COUNT=FILE`: how many points were passed is written there at the end.
//! - `WASMHOOK_STAGE=overlay|user-overlay|copy`: the one way in which directories are staged.

use std::collections::BTreeMap;
use std::path::PathBuf;
use wasmhook::stage::{Backend, Disk};

/// What was asked for; by default, nothing.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The disk.
    pub disk: Disk,
    /// How directories may be staged; none: in any way.
    pub backend: Option<Backend>,
    count: Option<PathBuf>,
}

impl Faults {
    /// Reads them.
    ///
    /// # Errors
    /// What can't be understood.
    pub fn of(env: &BTreeMap<String, String>) -> Result<Self, String> {
        if !cfg!(debug_assertions) {
            return Ok(Self::default());
        }
        let disk = match env.get("WASMHOOK_FAULT") {
            Some(plan) => Disk::new(plan.parse()?),
            None => Disk::default(),
        };
        Ok(Self {
            disk,
            backend: env.get("WASMHOOK_STAGE").map(|word| backend(word)).transpose()?,
            count: env.get("WASMHOOK_FAULT_COUNT").map(PathBuf::from),
        })
    }

    /// Says how many points were passed, if somebody wants to know.
    ///
    /// # Errors
    /// What the system says of the file.
    pub fn tell(&self) -> std::io::Result<()> {
        self.count.as_ref().map_or(Ok(()), |file| std::fs::write(file, self.disk.points().to_string()))
    }
}

fn backend(word: &str) -> Result<Backend, String> {
    let known = Backend::ALL.iter().find(|backend| backend.word() == word).copied();
    known.ok_or_else(|| format!("WASMHOOK_STAGE={word}: write overlay, user-overlay or copy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str) -> Result<Faults, String> {
        Faults::of(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    #[cfg(debug_assertions)]
    fn they_are_read_in_builds_for_tests() {
        assert_eq!(of("WASMHOOK_STAGE", "copy").unwrap().backend, Some(Backend::Copy));
        assert!(of("WASMHOOK_FAULT", "0:eio").unwrap().disk.point().is_err());
        assert!(of("WASMHOOK_FAULT", "soon").unwrap_err().contains("`soon` is no fault"));
        assert!(of("WASMHOOK_STAGE", "best").unwrap_err().contains("overlay, user-overlay or copy"));
    }

    #[test]
    #[cfg(not(debug_assertions))]
    fn no_other_build_can_be_made_to_fail() {
        assert!(of("WASMHOOK_FAULT", "0:eio").unwrap().disk.point().is_ok());
    }
}
