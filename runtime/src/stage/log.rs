//! The redo log: what a commit does, in an order in which each step may be done again.

use super::Changes;
use super::diff::{Act, Change};
use super::disk::Disk;
use super::error::{At, StageError};
use super::tree::{self, Meta, Node, Tree};
use rustix::io::{Errno, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Everything that one commit does. Once it stands under its name in the stage's home, it will be done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Log {
    pub schema: u32,
    pub label: String,
    pub parts: Vec<Part>,
}

/// What is done in one directory.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    /// The granted directory.
    #[serde(with = "tree::path_text")]
    pub base: PathBuf,
    /// Its device and inode: what stands there later may be another.
    pub identity: (u64, u64),
    /// The directory whose stage this is, and of which `tree` is a part: it has to vouch for it.
    #[serde(with = "tree::path_text")]
    pub place: PathBuf,
    /// Where in `place` the new files lie.
    #[serde(with = "tree::path_text")]
    pub tree: PathBuf,
    pub steps: Vec<Step>,
}

/// One step. All paths are relative to the base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub(super) enum Step {
    /// A directory that its owner may not write is opened until the last step on it.
    Unlock {
        #[serde(with = "tree::path_text")]
        at: PathBuf,
    },
    /// This very file or empty directory is removed. `for_good`: nothing takes its place.
    Remove {
        #[serde(with = "tree::path_text")]
        at: PathBuf,
        inode: u64,
        dir: bool,
        for_good: bool,
    },
    /// A directory is made. `new`: nothing was there.
    Make {
        #[serde(with = "tree::path_text")]
        at: PathBuf,
        new: bool,
    },
    /// A file, link or pipe is renamed to where it belongs. `new`: nothing was there.
    Put {
        #[serde(with = "tree::path_text")]
        at: PathBuf,
        /// Where it lies in the part's tree.
        #[serde(with = "tree::path_text")]
        from: PathBuf,
        new: bool,
    },
    /// A directory gets its attributes. `named`: it was there and had others.
    Adapt {
        #[serde(with = "tree::path_text")]
        at: PathBuf,
        meta: Meta,
        named: bool,
    },
}

/// The steps of sorted changes: removals from the leaves up, directories from the root down, files, then the directories' attributes from the
/// leaves up, since a directory may forbid its owner to write.
pub(super) fn steps(changes: &[Change]) -> Vec<Step> {
    let filled: BTreeSet<&Path> = changes.iter().filter(|change| change.act != Act::Remove).map(|change| change.at.as_path()).collect();
    let mut steps = Vec::new();
    for Change { at, act, before, .. } in changes.iter().rev() {
        if let (Act::Remove, Some(node)) = (act, before) {
            steps.push(Step::Remove { at: at.clone(), inode: node.ino, dir: node.is_dir(), for_good: !filled.contains(at.as_path()) });
        }
    }
    let new = |change: &Change| change.before.is_none();
    let made = changes.iter().filter(|change| matches!(change.act, Act::Make(_)));
    steps.extend(made.map(|change| Step::Make { at: change.at.clone(), new: new(change) }));
    let put = changes.iter().filter(|change| matches!(change.act, Act::Put(_)));
    steps.extend(put.map(|change| Step::Put { at: change.at.clone(), from: change.at.clone(), new: new(change) }));
    steps.extend(changes.iter().rev().filter_map(|Change { at, act, .. }| match act {
        Act::Make(meta) => Some(Step::Adapt { at: at.clone(), meta: meta.clone(), named: false }),
        Act::Adapt { meta, named } => Some(Step::Adapt { at: at.clone(), meta: meta.clone(), named: *named }),
        Act::Remove | Act::Put(_) => None,
    }));
    steps
}

/// Puts before the steps what an owner without write access to some directories needs, and after them what takes it away again.
///
/// # Errors
/// The path, and what the system says.
pub(super) fn unlock(steps: &mut Vec<Step>, base: BorrowedFd<'_>) -> std::result::Result<(), (PathBuf, Errno)> {
    let mut tree = Tree::new(base);
    let mut parents: BTreeSet<PathBuf> = steps.iter().filter_map(Step::in_dir).map(ToOwned::to_owned).collect();
    let mut locked = Vec::new();
    while let Some(at) = parents.pop_first() {
        let look = |tree: &mut Tree<'_>| -> Result<Option<Meta>> {
            let Some(node) = tree.node(&at)?.filter(|node| node.is_dir() && node.mode & 0o300 != 0o300) else { return Ok(None) };
            Meta::of(tree.handle(&at)?, &node).map(Some)
        };
        if let Some(meta) = look(&mut tree).map_err(|errno| (at.clone(), errno))? {
            let is_settled = steps.iter().any(|step| matches!(step, Step::Adapt { at: settled, .. } if *settled == at));
            let is_removed = steps.iter().any(|step| matches!(step, Step::Remove { at: removed, .. } if *removed == at));
            if !is_settled && !is_removed {
                steps.push(Step::Adapt { at: at.clone(), meta, named: false });
            }
            locked.push(Step::Unlock { at });
        }
    }
    steps.splice(0..0, locked);
    Ok(())
}

impl Step {
    /// The directory in which an entry comes or goes.
    fn in_dir(&self) -> Option<&Path> {
        match self {
            Self::Remove { at, .. } | Self::Make { at, .. } | Self::Put { at, .. } => at.parent(),
            Self::Unlock { .. } | Self::Adapt { .. } => None,
        }
    }
}

impl Part {
    /// What it changes.
    pub(super) fn changes(&self) -> Changes {
        changes(&self.base, &self.steps)
    }

    /// Does every step, and makes them durable. Those that were done before stay done.
    pub(super) fn apply(&self, disk: &Disk) -> std::result::Result<(), StageError> {
        if self.steps.is_empty() {
            return Ok(());
        }
        let root = tree::open_root(&self.base).at("open", &self.base)?;
        let now = Node::open(&root).at("read", &self.base)?;
        if now.identity() != self.identity {
            return Err(Errno::STALE).at("commit to another directory than the one that was staged:", &self.base);
        }
        let place = tree::open_root(&self.place).at("open", &self.place)?;
        let staged = tree::open_below(&place, &self.tree, rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY)
            .at("open", self.place.join(&self.tree))?;
        let (mut base, mut staged) = (Tree::new(root.as_fd()), Tree::new(staged.as_fd()));
        let mut touched = BTreeSet::new();
        for step in &self.steps {
            let at = step.at();
            step.apply(disk, &mut base, &mut staged).at("commit", self.base.join(at))?;
            touched.extend(step.in_dir());
            touched.extend(matches!(step, Step::Make { .. } | Step::Adapt { .. }).then_some(at));
        }
        for at in touched {
            match tree::open_dir(&root, at) {
                // Removed by a later step: what came in its place, or in that of a directory above it, is synced with what holds it.
                Err(error) if tree::is_absent(error) => {}
                // What its owner may not read can't be synced alone.
                Err(Errno::ACCESS) => disk.sync_all(&place).at("sync", self.base.join(at))?,
                dir => dir.and_then(|dir| disk.sync(dir)).at("sync", self.base.join(at))?,
            }
        }
        Ok(())
    }
}

impl Step {
    fn at(&self) -> &Path {
        match self {
            Self::Unlock { at } | Self::Remove { at, .. } | Self::Make { at, .. } | Self::Put { at, .. } | Self::Adapt { at, .. } => at,
        }
    }

    fn apply(&self, disk: &Disk, base: &mut Tree<'_>, staged: &mut Tree<'_>) -> Result<()> {
        match self {
            Self::Unlock { at } => match base.node(at)? {
                Some(node) if node.is_dir() => disk.unlock(base.handle(at)?),
                // Done before: something else has its place by now.
                _ => Ok(()),
            },
            Self::Remove { at, inode, dir: was_dir, .. } => {
                // By its inode: what stands there now may be what took its place.
                let Some(node) = base.node(at)?.filter(|node| node.ino == *inode && node.is_dir() == *was_dir) else { return Ok(()) };
                let (dir, name) = base.place(at)?;
                if !node.is_dir() {
                    return disk.unlink(dir, name);
                }
                match disk.rmdir(dir, name) {
                    // Somebody else put something there since the decision. It isn't ours to remove.
                    Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
                    removed => removed,
                }
            }
            Self::Make { at, .. } => {
                let is_there = base.node(at)?.is_some_and(|node| node.is_dir());
                let (dir, name) = base.place(at)?;
                if is_there { Ok(()) } else { disk.mkdir(dir, name) }
            }
            Self::Put { at, from, .. } => {
                if staged.node(from)?.is_none() {
                    return Ok(());
                }
                match disk.rename(staged.place(from)?, base.place(at)?) {
                    // The hook closed the directory that it wrote it in. Its mode stands in a later step of the log.
                    Err(Errno::ACCESS) => {
                        disk.unlock(staged.place(from)?.0)?;
                        disk.rename(staged.place(from)?, base.place(at)?)
                    }
                    renamed => renamed,
                }
            }
            Self::Adapt { at, meta, .. } => match base.node(at)? {
                Some(node) if node.is_dir() => disk.set_meta(base.handle(at)?, meta),
                _ => Ok(()),
            },
        }
    }
}

/// What steps change in a directory, sorted.
pub(super) fn changes(base: &Path, steps: &[Step]) -> Changes {
    let mut changes = Changes::none(base);
    let shown = |at: &Path| if at.as_os_str().is_empty() { PathBuf::from(".") } else { at.to_owned() };
    for step in steps {
        match step {
            Step::Remove { at, for_good: true, .. } => changes.deleted.push(shown(at)),
            Step::Make { at, new: true } | Step::Put { at, new: true, .. } => changes.created.push(shown(at)),
            Step::Make { at, new: false } | Step::Put { at, new: false, .. } | Step::Adapt { at, named: true, .. } => {
                changes.modified.push(shown(at));
            }
            Step::Unlock { .. } | Step::Remove { .. } | Step::Adapt { .. } => {}
        }
    }
    changes.created.sort();
    changes.modified.sort();
    changes.deleted.sort();
    changes
}
