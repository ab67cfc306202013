//! The redo log: what a commit does, in an order in which each step may be done again.

use super::diff::{Act, Change};
use super::disk::Disk;
use super::error::{At, StageError};
use super::left::{Found, Left};
use super::tree::{self, Meta, Node, Time, Tree};
use super::{Changes, Kind};
use rustix::io::{Errno, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Everything that one commit does. Once it stands under its name in the stage's home, it will be done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Log {
    pub schema: u32,
    pub label: String,
    pub parts: Vec<Part>,
    /// Once it is done: what of it wasn't, since somebody else had been there meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
}

/// What is done in one directory.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    /// The granted directory.
    #[serde(with = "tree::path_text")]
    pub base: PathBuf,
    /// Its device and inode: what stands there later may be another.
    pub identity: (u64, u64),
    /// When it was made, where the file system says: the number of a directory that is gone is given to another.
    #[serde(default)]
    pub born: Option<Time>,
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
        /// What it was when the commit was decided. None: an earlier version didn't say.
        #[serde(default)]
        was: Option<Was>,
    },
    /// A directory is made. `new`: nothing was there.
    Make {
        #[serde(with = "tree::path_text")]
        at: PathBuf,
        new: bool,
    },
    /// A file, link or pipe is renamed to where it belongs. `new`: nothing was there. Not `named`: what was there differs in its time alone.
    Put {
        #[serde(with = "tree::path_text")]
        at: PathBuf,
        /// Where it lies in the part's tree.
        #[serde(with = "tree::path_text")]
        from: PathBuf,
        new: bool,
        #[serde(default = "yes")]
        named: bool,
        /// What stood there when the commit was decided, unless a directory had to be removed first. None: an earlier version didn't say.
        #[serde(default)]
        was: Option<Was>,
    },
    /// A directory gets its attributes. `named`: it was there and had others.
    Adapt {
        #[serde(with = "tree::path_text")]
        at: PathBuf,
        meta: Meta,
        named: bool,
    },
}

const fn yes() -> bool {
    true
}

/// What stood at a path, as far as it tells whether somebody else has put something else there since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Was {
    Nothing,
    Entry { kind: Kind, size: u64, mtime: Time },
}

impl Was {
    fn of(node: Option<&Node>) -> Self {
        node.map_or(Self::Nothing, |node| Self::Entry { kind: node.kind, size: node.size, mtime: node.mtime })
    }
}

/// The steps of sorted changes: removals from the leaves up, directories from the root down, files, then the directories' attributes from the
/// leaves up, since a directory may forbid its owner to write.
pub(super) fn steps(changes: &[Change]) -> Vec<Step> {
    let filled: BTreeSet<&Path> = changes.iter().filter(|change| change.act != Act::Remove).map(|change| change.at.as_path()).collect();
    let mut steps = Vec::new();
    for Change { at, act, before, .. } in changes.iter().rev() {
        if let (Act::Remove, Some(node)) = (act, before) {
            let for_good = !filled.contains(at.as_path());
            steps.push(Step::Remove { at: at.clone(), inode: node.ino, dir: node.is_dir(), for_good, was: Some(Was::of(Some(node))) });
        }
    }
    let new = |change: &Change| change.before.is_none();
    let made = changes.iter().filter(|change| matches!(change.act, Act::Make(_)));
    steps.extend(made.map(|change| Step::Make { at: change.at.clone(), new: new(change) }));
    let put = changes.iter().filter(|change| matches!(change.act, Act::Put { .. }));
    let was = |change: &Change| Was::of(change.before.as_ref().filter(|before| !before.is_dir()));
    steps.extend(put.map(|change| Step::Put {
        at: change.at.clone(),
        from: change.at.clone(),
        new: new(change),
        named: change.act != Act::Put { named: false },
        was: Some(was(change)),
    }));
    steps.extend(changes.iter().rev().filter_map(|Change { at, act, .. }| match act {
        Act::Make(meta) => Some(Step::Adapt { at: at.clone(), meta: meta.clone(), named: false }),
        Act::Adapt { meta, named } => Some(Step::Adapt { at: at.clone(), meta: meta.clone(), named: *named }),
        Act::Remove | Act::Put { .. } => None,
    }));
    steps
}

/// Puts before the steps what an owner without write access to some directories needs, and after them what takes it away again.
///
/// # Errors
/// The path, and what the system says.
pub(super) fn unlock(steps: &mut Vec<Step>, base: BorrowedFd<'_>) -> std::result::Result<(), (PathBuf, Errno)> {
    let mut tree = Tree::new(base);
    let worked_in: BTreeSet<PathBuf> = steps.iter().filter_map(Step::in_dir).map(ToOwned::to_owned).collect();
    // It may be begun anew after it has closed them.
    let closed: BTreeSet<PathBuf> = steps.iter().filter_map(Step::closes).map(ToOwned::to_owned).collect();
    let parents: BTreeSet<&Path> = steps.iter().flat_map(|step| step.at().ancestors().skip(1)).collect();
    let mut locked: Vec<PathBuf> = parents.into_iter().filter(|at| closed.contains(*at)).map(ToOwned::to_owned).collect();
    for at in worked_in {
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
            locked.push(at);
        }
    }
    // Those above lead to the others.
    locked.sort();
    locked.dedup();
    steps.splice(0..0, locked.into_iter().map(|at| Step::Unlock { at }));
    Ok(())
}

impl Step {
    /// The directory in which its owner can't work any more.
    fn closes(&self) -> Option<&Path> {
        match self {
            Self::Adapt { at, meta, .. } if meta.mode & 0o300 != 0o300 => Some(at),
            _ => None,
        }
    }

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

    /// Whether the directory that was staged still stands at its path.
    pub(super) fn is_there(&self) -> std::result::Result<bool, StageError> {
        let root = match tree::open_root(&self.base) {
            Err(error) if tree::is_absent(error) => return Ok(false),
            root => root.at("open", &self.base)?,
        };
        let now = Node::open(&root).at("read", &self.base)?.identity();
        let born = tree::born(&root, OsStr::new("")).at("read", &self.base)?;
        Ok(now == self.identity && self.born.zip(born).is_none_or(|(then, now)| then == now))
    }

    /// Does every step, and makes them durable. Those that were done before stay done; what somebody else has put in the way of some since the
    /// decision stays, those are no longer part of it, and what they were comes back.
    pub(super) fn apply(&mut self, disk: &Disk) -> std::result::Result<Vec<Left>, StageError> {
        if self.steps.is_empty() {
            return Ok(Vec::new());
        }
        if !self.is_there()? {
            self.steps.clear();
            return Ok(vec![self.all_left()]);
        }
        let root = tree::open_root(&self.base).at("open", &self.base)?;
        let place = tree::open_root(&self.place).at("open", &self.place)?;
        let staged = tree::open_below(&place, &self.tree, rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY)
            .at("open", self.place.join(&self.tree))?;
        let (mut base, mut staged) = (Tree::new(root.as_fd()), Tree::new(staged.as_fd()));
        let mut touched = BTreeSet::new();
        let mut left = BTreeMap::new();
        for step in &self.steps {
            let at = step.at();
            // Below something that was left there is nowhere to go.
            if at.ancestors().any(|above| left.contains_key(above)) {
                continue;
            }
            if let Some(found) = step.apply(disk, &mut base, &mut staged).at("commit", self.base.join(at))? {
                left.insert(at.to_owned(), self.left(step, found));
            }
            touched.extend(step.in_dir());
            touched.extend(matches!(step, Step::Make { .. } | Step::Adapt { .. }).then_some(at));
        }
        for at in touched {
            match tree::open_dir(&root, at) {
                // Removed by a later step: what came in its place, or in that of a directory above it, is synced with what holds it.
                Err(error) if tree::is_absent(error) => {}
                // What its owner may not read can't be synced alone.
                Err(Errno::ACCESS) => {
                    tree::open_dir(&place, Path::new("")).and_then(|place| disk.sync_all(place)).at("sync", self.base.join(at))?;
                }
                dir => dir.and_then(|dir| disk.sync(dir)).at("sync", self.base.join(at))?,
            }
        }
        self.steps.retain(|step| !step.at().ancestors().any(|above| left.contains_key(above)));
        Ok(left.into_values().collect())
    }

    /// All of it, since another directory stands there, or none.
    pub(super) fn all_left(&self) -> Left {
        Left { path: self.base.clone(), found: Found::Replaced, kept: self.place.join(&self.tree) }
    }

    fn left(&self, step: &Step, found: Found) -> Left {
        let kept = match step {
            Step::Put { from, .. } => self.place.join(&self.tree).join(from),
            Step::Make { at, .. } => self.place.join(&self.tree).join(at),
            Step::Unlock { .. } | Step::Remove { .. } | Step::Adapt { .. } => PathBuf::new(),
        };
        Left { path: self.base.join(step.at()), found, kept }
    }
}

impl Step {
    fn at(&self) -> &Path {
        match self {
            Self::Unlock { at } | Self::Remove { at, .. } | Self::Make { at, .. } | Self::Put { at, .. } | Self::Adapt { at, .. } => at,
        }
    }

    /// Does it; what somebody else did there meanwhile, where that leaves no room for it.
    fn apply(&self, disk: &Disk, base: &mut Tree<'_>, staged: &mut Tree<'_>) -> Result<Option<Found>> {
        match self {
            Self::Unlock { at } => match base.node(at)? {
                Some(node) if node.is_dir() => disk.unlock(base.handle(at)?).map(|()| None),
                // Done before: something else has its place by now.
                _ => Ok(None),
            },
            Self::Remove { at, inode, dir, for_good, was } => {
                // By its inode: what stands there now may be what took its place.
                let Some(node) = base.node(at)?.filter(|node| node.ino == *inode && node.is_dir() == *dir) else { return Ok(None) };
                let is_changed = was.is_some_and(|was| was != Was::of(Some(&node)));
                remove(disk, base.place(at)?, &node, is_changed).map(|found| found.filter(|_| *for_good))
            }
            Self::Make { at, .. } => match base.node(at)? {
                Some(node) if node.is_dir() => Ok(None),
                Some(node) => Ok(Some(Found::InTheWay { kind: node.kind })),
                None => match base.place(at) {
                    Err(error) if tree::is_absent(error) => Ok(Some(Found::NoDirectory)),
                    place => place.and_then(|(dir, name)| disk.mkdir(dir, name)).map(|()| None),
                },
            },
            Self::Put { at, from, was, .. } => {
                if staged.node(from)?.is_none() {
                    return Ok(None);
                }
                if let Some(found) = in_the_way(base, at, *was)? {
                    return Ok(Some(found));
                }
                match disk.rename(staged.place(from)?, base.place(at)?) {
                    // The hook closed the directory that it wrote it in. Its mode stands in a later step of the log.
                    Err(Errno::ACCESS) => {
                        disk.unlock(staged.place(from)?.0)?;
                        disk.rename(staged.place(from)?, base.place(at)?).map(|()| None)
                    }
                    renamed => renamed.map(|()| None),
                }
            }
            Self::Adapt { at, meta, .. } => match base.node(at)? {
                Some(node) if node.is_dir() => disk.set_meta(base.handle(at)?, meta).map(|()| None),
                _ => Ok(None),
            },
        }
    }
}

/// Removes a file or an empty directory, unless somebody else has written to it.
fn remove(disk: &Disk, (dir, name): (BorrowedFd<'_>, &OsStr), node: &Node, is_changed: bool) -> Result<Option<Found>> {
    if node.is_dir() {
        return match disk.rmdir(dir, name) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Some(Found::NotEmpty)),
            removed => removed.map(|()| None),
        };
    }
    if is_changed { Ok(Some(Found::Changed)) } else { disk.unlink(dir, name).map(|()| None) }
}

/// What keeps a file from being put at a path, where something else `was` when that was decided.
fn in_the_way(base: &mut Tree<'_>, at: &Path, was: Option<Was>) -> Result<Option<Found>> {
    match base.place(at) {
        Err(error) if tree::is_absent(error) => return Ok(Some(Found::NoDirectory)),
        place => place?,
    };
    let now = base.node(at)?;
    Ok(match (now, was) {
        (Some(node), _) if node.is_dir() => Some(Found::InTheWay { kind: node.kind }),
        (now, Some(was)) if was != Was::of(now.as_ref()) => Some(match (was, now) {
            (Was::Nothing, Some(node)) => Found::InTheWay { kind: node.kind },
            (_, Some(_)) => Found::Changed,
            (_, None) => Found::Gone,
        }),
        _ => None,
    })
}

/// What steps change in a directory, sorted.
pub(super) fn changes(base: &Path, steps: &[Step]) -> Changes {
    let mut changes = Changes::none(base);
    let shown = |at: &Path| if at.as_os_str().is_empty() { PathBuf::from(".") } else { at.to_owned() };
    for step in steps {
        match step {
            Step::Remove { at, for_good: true, .. } => changes.deleted.push(shown(at)),
            Step::Make { at, new: true } | Step::Put { at, new: true, .. } => changes.created.push(shown(at)),
            Step::Make { at, new: false } | Step::Put { at, new: false, named: true, .. } | Step::Adapt { at, named: true, .. } => {
                changes.modified.push(shown(at));
            }
            Step::Unlock { .. } | Step::Remove { .. } | Step::Put { .. } | Step::Adapt { .. } => {}
        }
    }
    changes.created.sort();
    changes.modified.sort();
    changes.deleted.sort();
    changes
}
