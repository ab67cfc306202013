//! How far the commit of a stage came that nobody works on any more: the one rule for whoever finishes it, and for whoever only tells of it before.

use super::error::{At, StageError};
use super::left;
use super::log::Log;
use super::place::{self, Owner};
use super::tree;
use rustix::fs::OFlags;
use rustix::io::{Errno, Result};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// How far the commit of a stage came.
pub(super) enum Standing {
    /// It wasn't decided, or it was given up.
    Undecided,
    /// It is decided, and has to be finished.
    Decided(Log),
    /// It is decided, but none of the directories that were staged is there any more, as this tells: nothing of it counts as done.
    Nowhere(String),
    /// It is done.
    Done(Log),
}

/// How far the commit came that lies in this directory, the `home` of its stage.
///
/// # Errors
/// What the system says; [`StageError::NotUnderstood`] if what was decided can't be read.
pub(super) fn standing(home: &Path, dir: &OwnedFd) -> std::result::Result<Standing, StageError> {
    if let Some(text) = read(home, dir, "commit")? {
        let log = understood(&text, home)?;
        return Ok(match nothing_left(&log)? {
            Some(why) => Standing::Nowhere(why),
            None => Standing::Decided(log),
        });
    }
    let done = read(home, dir, "done")?;
    done.map_or(Ok(Standing::Undecided), |text| understood(&text, home).map(Standing::Done))
}

/// Why there is nothing to commit to: none of the directories that were staged is there any more. So nothing counts as done.
fn nothing_left(log: &Log) -> std::result::Result<Option<String>, StageError> {
    let mut all = Vec::new();
    for part in log.parts.iter().filter(|part| !part.steps.is_empty()) {
        if part.is_there()? {
            return Ok(None);
        }
        all.push(part.all_left());
    }
    Ok(left::told(&all).map(|told| told.text))
}

/// A file of a stage's home; none if it isn't there.
pub(super) fn read(home: &Path, dir: &OwnedFd, name: &str) -> std::result::Result<Option<Vec<u8>>, StageError> {
    match tree::open_below(dir, Path::new(name), OFlags::RDONLY | OFlags::NONBLOCK) {
        Err(Errno::NOENT) => Ok(None),
        file => file.and_then(|file| place::read_all(file.as_fd())).map(Some).at("read", home.join(name)),
    }
}

fn understood(text: &[u8], home: &Path) -> std::result::Result<Log, StageError> {
    let log: std::result::Result<Log, _> = serde_json::from_slice(text);
    let wrong = |why: String| StageError::NotUnderstood { path: home.to_owned(), why };
    let log = log.map_err(|error| wrong(error.to_string()))?;
    if log.schema == 1 { Ok(log) } else { Err(wrong(format!("schema {}", log.schema))) }
}

/// The directories, without links. Of one that is gone, what led to it.
pub(super) fn resolved(bases: &[PathBuf]) -> BTreeSet<PathBuf> {
    let gone = |base: &Path| Some(base.parent()?.canonicalize().ok()?.join(base.file_name()?));
    let resolved = |base: &PathBuf| match base.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => gone(base),
        base => base.ok(),
    };
    bases.iter().filter_map(resolved).collect()
}

/// Where the stages of these directories may lie.
pub(super) fn homes<'a>(bases: &'a BTreeSet<PathBuf>, scratch: &'a Path) -> BTreeSet<&'a Path> {
    let beside = bases.iter().filter_map(|base| base.parent());
    beside.chain(bases.iter().map(PathBuf::as_path)).chain([scratch]).collect()
}

/// The labels of the stages at these directories whose commit the next [`recover`](super::recover) finishes, or finds done; looked at only. What
/// is decided and can't be finished now is decided all the same. What can't be looked at is left out, and so is what another user owns; the
/// caller knows whether its owner lives.
#[must_use]
pub fn decided(bases: &[PathBuf], scratch: &Path) -> Vec<String> {
    let bases = resolved(bases);
    let stages = homes(&bases, scratch).into_iter().filter_map(|dir| place::find(dir).ok()).flat_map(|found| found.stages);
    stages.filter_map(|home| label(&home).ok().flatten()).collect()
}

fn label(home: &Path) -> Result<Option<String>> {
    let (parent, name) = (home.parent().unwrap_or(Path::new("/")), home.file_name().unwrap_or_default());
    let Some(dir) = place::open_own(&place::open_readable(parent)?, name)? else { return Ok(None) };
    if matches!(standing(home, &dir), Ok(Standing::Undecided | Standing::Nowhere(_))) {
        return Ok(None);
    }
    let owner = tree::open_below(&dir, Path::new("owner"), OFlags::RDONLY | OFlags::NONBLOCK)?;
    let owner: Option<Owner> = serde_json::from_slice(&place::read_all(owner.as_fd())?).ok();
    Ok(owner.filter(|owner| owner.home == home).map(|owner| owner.label))
}
