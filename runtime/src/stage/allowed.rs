//! Whether the file system will let a commit do its steps: asked before it is decided, since what is decided must be done. A copy let the hook do
//! what the directory itself would have refused.

use super::error::Forbidden;
use super::log::Step;
use super::tree::{Node, Tree};
use rustix::fs::{Access, AtFlags, StatxAttributes, StatxFlags};
use rustix::io::{Errno, Result};
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// The first path that keeps the steps from being done in `base`, and how.
///
/// # Errors
/// What the system says.
pub(super) fn forbidden(steps: &[Step], base: BorrowedFd<'_>) -> Result<Found> {
    let user = rustix::process::geteuid();
    let mut check = Check { user: user.as_raw(), is_root: user.is_root(), base: Tree::new(base), dirs: BTreeMap::new() };
    for step in steps {
        if let Some(found) = check.step(step)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A path, and what keeps this user from changing it; none: nothing does.
type Found = Option<(PathBuf, Forbidden)>;

struct Check<'a> {
    user: u32,
    is_root: bool,
    base: Tree<'a>,
    /// What was found out about directories in which something comes or goes.
    dirs: BTreeMap<PathBuf, Option<Forbidden>>,
}

impl Check<'_> {
    fn step(&mut self, step: &Step) -> Result<Found> {
        let (at, is_entry) = match step {
            Step::Unlock { .. } => return Ok(None),
            Step::Adapt { at, .. } => (at, false),
            Step::Remove { at, .. } | Step::Make { at, .. } | Step::Put { at, .. } => (at, true),
        };
        let now = self.base.node(at)?;
        if now.is_some()
            && let Some(flag) = self.flag(at, now.as_ref().is_some_and(Node::is_dir))?
        {
            return Ok(Some((at.clone(), flag)));
        }
        if is_entry { self.entry(at, now.as_ref()) } else { Ok(None) }
    }

    /// Whether an entry may come into the directory that holds it, or leave it.
    fn entry(&mut self, at: &Path, now: Option<&Node>) -> Result<Found> {
        let Some(dir) = at.parent() else { return Ok(None) };
        // One that is made by the commit is its own.
        let Some(node) = self.base.node(dir)?.filter(Node::is_dir) else { return Ok(None) };
        let found = if let Some(found) = self.dirs.get(dir) {
            *found
        } else {
            let found = self.dir(dir, &node)?;
            *self.dirs.entry(dir.to_owned()).or_insert(found)
        };
        // Adding is what such a directory allows.
        if let Some(found) = found.filter(|found| *found != Forbidden::AppendOnlyDirectory || now.is_some()) {
            return Ok(Some((dir.to_owned(), found)));
        }
        let owner = now.map_or(self.user, |now| now.uid);
        let is_stuck = !self.is_root && node.mode & 0o1000 != 0 && node.uid != self.user && owner != self.user;
        Ok(is_stuck.then(|| (at.to_owned(), Forbidden::Sticky { user: self.user, owner })))
    }

    fn dir(&mut self, at: &Path, node: &Node) -> Result<Option<Forbidden>> {
        if let Some(flag) = self.flag(at, true)? {
            return Ok(Some(flag));
        }
        // Its owner opens it for as long as it takes.
        if self.is_root || node.uid == self.user {
            return Ok(None);
        }
        match rustix::fs::accessat(self.base.dir(at)?, c".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
            Err(Errno::ACCESS) => Ok(Some(Forbidden::Directory { user: self.user })),
            allowed => allowed.map(|()| None),
        }
    }

    fn flag(&mut self, at: &Path, is_dir: bool) -> Result<Option<Forbidden>> {
        let (dir, name) = self.base.place(at)?;
        let flags = rustix::fs::statx(dir, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())?.stx_attributes;
        let append_only = if is_dir { Forbidden::AppendOnlyDirectory } else { Forbidden::AppendOnly };
        let known = [(StatxAttributes::IMMUTABLE, Forbidden::Immutable), (StatxAttributes::APPEND, append_only)];
        Ok(known.into_iter().find(|(flag, _)| flags.contains(*flag)).map(|(_, forbidden)| forbidden))
    }
}
