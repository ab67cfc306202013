//! The hooks of `hooks-examples/tenant-upgrade`, compiled by its own script: once per process, and then only what changed.

use crate::programs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where the example lies.
#[must_use]
pub fn dir() -> PathBuf {
    programs::root().join("hooks-examples/tenant-upgrade")
}

/// What its `build.sh` made.
///
/// # Panics
/// If a hook can't be compiled; the message says what to install.
#[must_use]
pub fn hooks() -> PathBuf {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BUILT.get_or_init(build) {
        Ok(built) => built.clone(),
        Err(why) => panic!("the example's hooks can't be compiled: {why}"),
    }
}

fn build() -> Result<PathBuf, String> {
    let guests = programs::guests_dir();
    let _lock = programs::lock().map_err(|error| format!("can't lock {}: {error}", guests.display()))?;
    programs::Target::ALL.into_iter().try_for_each(programs::ensure_target)?;
    let built = guests.join("tenant-upgrade");
    let mut script = Command::new(dir().join("build.sh"));
    programs::for_guests(&mut script).arg(&built).env("CARGO_TARGET_DIR", guests.join("examples"));
    programs::run(&mut script)?;
    Ok(built)
}
