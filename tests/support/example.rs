//! The hooks of `hooks-examples`, compiled by its own scripts: once per process, and then only what changed.

use crate::programs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

type Built = OnceLock<Result<PathBuf, String>>;

/// Where the examples lie.
#[must_use]
pub fn all() -> PathBuf {
    programs::root().join("hooks-examples")
}

/// Where the upgrade of a tenant lies.
#[must_use]
pub fn dir() -> PathBuf {
    all().join("tenant-upgrade")
}

/// What its `build.sh` made.
///
/// # Panics
/// If a hook can't be compiled; the message says what to install.
#[must_use]
pub fn hooks() -> PathBuf {
    static BUILT: Built = OnceLock::new();
    made(BUILT.get_or_init(|| build("tenant-upgrade/build.sh", "tenant-upgrade")))
}

/// The commands of the other four systems as modules: what `build-ported.sh` made.
///
/// # Panics
/// If a hook can't be compiled; the message says what to install.
#[must_use]
pub fn ported() -> PathBuf {
    static BUILT: Built = OnceLock::new();
    made(BUILT.get_or_init(|| build("build-ported.sh", "ported")))
}

/// Where the examples' modules are compiled: their scripts take it from `CARGO_TARGET_DIR`.
#[must_use]
pub fn target() -> PathBuf {
    programs::guests_dir().join("examples")
}

fn made(built: &Result<PathBuf, String>) -> PathBuf {
    match built {
        Ok(built) => built.clone(),
        Err(why) => panic!("the examples' hooks can't be compiled: {why}"),
    }
}

fn build(script: &str, name: &str) -> Result<PathBuf, String> {
    let guests = programs::guests_dir();
    let _lock = programs::lock().map_err(|error| format!("can't lock {}: {error}", guests.display()))?;
    programs::Target::ALL.into_iter().try_for_each(programs::ensure_target)?;
    let built = guests.join(name);
    let mut script = Command::new(all().join(script));
    programs::for_guests(&mut script).arg(&built).env("CARGO_TARGET_DIR", target());
    programs::run(&mut script)?;
    Ok(built)
}
