//! What a crash left decided, looked at only: for telling of it before anybody finishes it.

use super::place::{self, Owner};
use super::tree::{self, Node};
use rustix::fs::OFlags;
use rustix::io::Result;
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// The labels of the stages at these directories whose commit is decided, by what lies there now. What can't be looked at is left out, and so
/// is what another user owns; the caller knows whether its owner lives.
#[must_use]
pub fn decided(bases: &[PathBuf], scratch: &Path) -> Vec<String> {
    let bases: BTreeSet<PathBuf> = bases.iter().filter_map(|base| base.canonicalize().ok()).collect();
    let beside = bases.iter().filter_map(|base| base.parent());
    let dirs: BTreeSet<&Path> = beside.chain(bases.iter().map(PathBuf::as_path)).chain([scratch]).collect();
    let stages = dirs.into_iter().filter_map(|dir| place::find(dir).ok()).flat_map(|found| found.stages);
    stages.filter_map(|home| label(&home).ok().flatten()).collect()
}

fn label(home: &Path) -> Result<Option<String>> {
    let dir = place::open_readable(home)?;
    if Node::open(&dir)?.uid != rustix::process::geteuid().as_raw() {
        return Ok(None);
    }
    let is_there = |name: &str| tree::open_below(&dir, Path::new(name), OFlags::PATH).is_ok();
    if !is_there("commit") && !is_there("done") {
        return Ok(None);
    }
    let owner = tree::open_below(&dir, Path::new("owner"), OFlags::RDONLY | OFlags::NONBLOCK)?;
    let owner: Option<Owner> = serde_json::from_slice(&place::read_all(owner.as_fd())?).ok();
    Ok(owner.filter(|owner| owner.home == home).map(|owner| owner.label))
}
