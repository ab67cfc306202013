//! What a staged tree changes in its base. One walk serves both back ends: a copy is read as an overlay that hides the whole base.

use super::Kind;
use super::content;
use super::copy::Snapshot;
use super::overlay::{Marks, Nested};
use super::place;
use super::tree::{self, Meta, Node, Time, Tree};
use rustix::fs::OFlags;
use rustix::io::{Errno, Result};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What is done to one path of the base.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub at: PathBuf,
    pub act: Act,
    /// What stood there when the hook began.
    pub before: Option<Node>,
    /// Overlayfs copied it from the base; so if nothing stands there now, somebody else removed it.
    pub is_copy: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    /// Removed, to stay away or to make room for something of another kind.
    Remove,
    /// A directory is made.
    Make(Meta),
    /// A directory stays, with other attributes. Not `named` if that is only the time at which an entry came or went.
    Adapt { meta: Meta, named: bool },
    /// A file, link or pipe is put there, in one step over what was there. Not `named` if nothing of that differs but the time.
    Put { named: bool },
}

/// What can't be committed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    NotStageable(PathBuf, Kind),
    InLiveGrant(PathBuf),
    /// The hook put something in its place, or removed the directory that it is in, and couldn't see it.
    Unseen(PathBuf, Node),
    /// What stood there belongs to somebody to whom the new one can't be given: the old one and the new one.
    Owner(PathBuf, Node, Node),
}

#[derive(Debug, Default)]
pub(super) struct Diff {
    pub changes: Vec<Change>,
    pub refusals: Vec<Refusal>,
}

/// The base as the hook found it.
pub(super) enum Before<'a> {
    /// It is still there, under the overlay.
    Live,
    /// It was copied, before this moment.
    Copied { snapshot: &'a Snapshot, begun: Time },
}

/// The two trees.
pub(super) struct Sides<'a> {
    pub base: BorrowedFd<'a>,
    pub staged: BorrowedFd<'a>,
    pub before: Before<'a>,
    /// What the staged root was when the hook began.
    pub root: &'a Meta,
    pub nested: &'a [Nested],
    /// Whether this user may do everything whatever the modes of directories say.
    pub is_root: bool,
}

/// What of the base shows through a staged directory.
#[derive(Clone, Copy, PartialEq)]
enum Under {
    /// Everything that the staged one doesn't cover.
    Merged,
    /// Nothing: a directory stands there, hidden.
    Hidden,
    /// Nothing stands there.
    Nothing,
}

/// Compares; the changes come sorted by path, a directory before what lies in it, a removal before what takes its place.
pub(super) fn diff(sides: &Sides<'_>) -> std::result::Result<Diff, (PathBuf, Errno)> {
    let (base, staged) = (Tree::new(sides.base), Tree::new(sides.staged));
    let mut walk = Walk { sides, base, staged, found: Diff::default(), at: PathBuf::new(), opened: Vec::new() };
    let walked = walk.all();
    // The deepest first: those above lead to them.
    let closed = walk.opened.iter().rev().try_for_each(|(dir, mode)| tree::set_mode(dir, *mode));
    let (at, mut found) = (walk.at, walk.found);
    walked.and(closed).map_err(|errno| (at, errno))?;
    // Stable: of two changes of one path, the removal was found first.
    found.changes.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(found)
}

/// How much of two entries is the same.
#[derive(Clone, Copy, PartialEq)]
enum Likeness {
    Same,
    ButForTime,
    None,
}

struct Walk<'a> {
    sides: &'a Sides<'a>,
    base: Tree<'a>,
    staged: Tree<'a>,
    found: Diff,
    /// Where it is, for messages.
    at: PathBuf,
    /// Directories that the hook closed to their owner, and that are open while they are walked through; with their modes.
    opened: Vec<(OwnedFd, u32)>,
}

impl Walk<'_> {
    fn all(&mut self) -> Result<()> {
        let root = self.staged.handle(Path::new(""))?;
        let now = Node::open(&root)?;
        self.open_up(&root, &now)?;
        let meta = Meta::of(&root, &now)?;
        let under = if matches!(self.sides.before, Before::Live) { Under::Merged } else { Under::Hidden };
        let mut dirs = vec![(PathBuf::new(), under)];
        while let Some((dir, under)) = dirs.pop() {
            self.at.clone_from(&dir);
            let entries = self.staged.names(&dir)?;
            if under == Under::Hidden {
                self.hidden(&dir, &entries)?;
            }
            for name in entries.iter().filter(|name| !place::is_ours(name)) {
                self.at = dir.join(name);
                if let Some(below) = self.entry(&dir.join(name), under)? {
                    dirs.push((dir.join(name), below));
                }
            }
        }
        if meta == *self.sides.root { Ok(()) } else { self.root(&now, meta) }
    }

    /// The directory itself, which has other attributes now. Its staged root belongs to this user, whoever it belongs to.
    fn root(&mut self, now: &Node, meta: Meta) -> Result<()> {
        let named = !meta.is_but_for_time(self.sides.root);
        let before = Node::open(self.sides.base)?;
        if self.sides.is_root || before.uid == rustix::process::geteuid().as_raw() {
            let act = Act::Adapt { meta, named };
            self.found.changes.push(Change { at: PathBuf::new(), act, before: Some(before), is_copy: false });
        } else if named {
            self.found.refusals.push(Refusal::Owner(PathBuf::new(), before, *now));
        }
        Ok(())
    }

    /// What stands in a hidden directory, and has nothing over it, is removed.
    fn hidden(&mut self, dir: &Path, names: &[OsString]) -> Result<()> {
        for name in self.names_before(dir)? {
            let at = dir.join(&name);
            if names.binary_search(&name).is_ok() || place::is_ours(&name) {
                continue;
            }
            // Its absence from what the hook left says nothing.
            let is_unseen = self.before(&at)?.is_some_and(|before| self.is_unseen(&at, &before));
            if !is_unseen {
                self.remove(&at)?;
            }
        }
        Ok(())
    }

    /// One entry of the staged tree; tells how to go on below it.
    fn entry(&mut self, at: &Path, under: Under) -> Result<Option<Under>> {
        let Some(now) = self.staged.node(at)? else { return Ok(None) };
        let before = if under == Under::Nothing { None } else { self.before(at)? };
        if self.is_nested(at) {
            self.nested(at, &now)?;
            return Ok(None);
        }
        if now.is_whiteout() && matches!(self.sides.before, Before::Live) {
            if before.is_some() {
                self.remove(at)?;
            }
            return Ok(None);
        }
        if let Some(before) = before.filter(|before| self.is_unseen(at, before)) {
            self.found.refusals.push(Refusal::Unseen(at.to_owned(), before));
            return Ok(None);
        }
        match now.kind {
            Kind::Dir => self.dir(at, &now, before, under),
            Kind::File | Kind::Link | Kind::Pipe => self.file(at, &now, before).map(|()| None),
            Kind::Socket | Kind::Device => {
                self.found.refusals.push(Refusal::NotStageable(at.to_owned(), now.kind));
                Ok(None)
            }
        }
    }

    fn dir(&mut self, at: &Path, now: &Node, before: Option<Node>, under: Under) -> Result<Option<Under>> {
        let handle = self.staged.handle(at)?;
        self.open_up(&handle, now)?;
        let meta = Meta::of(&handle, now)?;
        let marks = self.marks(&handle, now)?;
        let is_copy = marks.is_copy;
        let Some(dir) = before.filter(Node::is_dir) else {
            if before.is_some() {
                self.remove(at)?;
            }
            self.found.changes.push(Change { at: at.to_owned(), act: Act::Make(meta), before, is_copy });
            return Ok(Some(Under::Nothing));
        };
        let below = if under == Under::Hidden || marks.is_opaque { Under::Hidden } else { Under::Merged };
        if !self.is_untouched(at, now) {
            let old = self.meta_before(at, &dir)?;
            let meta = self.with_its_owner(at, now, meta, &old);
            if self.is_of_others(&dir) && meta != old {
                // Its time follows what comes and goes in it.
                if !meta.is_but_for_time(&old) {
                    self.found.refusals.push(Refusal::Owner(at.to_owned(), dir, *now));
                }
            } else if meta != old {
                let named = !meta.is_but_for_time(&old);
                self.found.changes.push(Change { at: at.to_owned(), act: Act::Adapt { meta, named }, before, is_copy });
            }
        }
        Ok(Some(below))
    }

    /// Makes a staged directory one that its owner may walk through, until the walk is over.
    fn open_up(&mut self, dir: &OwnedFd, now: &Node) -> Result<()> {
        if self.sides.is_root || now.mode & 0o500 == 0o500 {
            return Ok(());
        }
        tree::set_mode(dir, now.mode | 0o700)?;
        self.opened.push((rustix::io::fcntl_dupfd_cloexec(dir, 0)?, now.mode));
        Ok(())
    }

    fn file(&mut self, at: &Path, now: &Node, before: Option<Node>) -> Result<()> {
        let handle = self.staged.handle(at)?;
        let marks = self.marks(&handle, now)?;
        let mut named = true;
        match before {
            Some(dir) if dir.is_dir() => self.remove(at)?,
            Some(_) if self.is_untouched(at, now) => return Ok(()),
            Some(old) => match self.likeness(at, now, &old)? {
                Likeness::Same => return Ok(()),
                _ if self.has_lost_its_owner(at, now, &old)? => {
                    self.found.refusals.push(Refusal::Owner(at.to_owned(), old, *now));
                    return Ok(());
                }
                likeness => named = likeness == Likeness::None,
            },
            None => {}
        }
        self.found.changes.push(Change { at: at.to_owned(), act: Act::Put { named }, before, is_copy: marks.is_copy });
        Ok(())
    }

    /// Removes what stood at a path, and all in it.
    fn remove(&mut self, at: &Path) -> Result<()> {
        let mut left = vec![at.to_owned()];
        while let Some(at) = left.pop() {
            let Some(before) = self.before(&at)? else { continue };
            // A socket goes with its directory: that is all it was there for.
            if self.is_unseen(&at, &before) && before.kind != Kind::Socket {
                self.found.refusals.push(Refusal::Unseen(at, before));
                continue;
            }
            if self.is_nested(&at) {
                self.found.refusals.push(Refusal::InLiveGrant(at));
                continue;
            }
            if before.is_dir() {
                left.extend(self.names_before(&at)?.iter().map(|name| at.join(name)));
            }
            self.found.changes.push(Change { at, act: Act::Remove, before: Some(before), is_copy: false });
        }
        Ok(())
    }

    fn is_nested(&self, at: &Path) -> bool {
        self.sides.nested.iter().any(|nested| nested.at == at)
    }

    /// Where a live grant stands, the stage may hold nothing of its own.
    fn nested(&mut self, at: &Path, now: &Node) -> Result<()> {
        let handle = self.staged.handle(at)?;
        let is_plain = now.is_dir() && !self.marks(&handle, now)?.is_opaque && self.staged.names(at)?.is_empty();
        if !is_plain {
            self.found.refusals.push(Refusal::InLiveGrant(at.to_owned()));
        }
        Ok(())
    }

    fn marks(&self, entry: impl AsFd, node: &Node) -> Result<Marks> {
        match self.sides.before {
            Before::Live => Marks::of(entry, node),
            Before::Copied { .. } => Ok(Marks::default()),
        }
    }

    /// What stood at a path when the hook began.
    fn before(&mut self, at: &Path) -> Result<Option<Node>> {
        match self.sides.before {
            Before::Live => self.base.node(at),
            Before::Copied { snapshot, .. } => Ok(snapshot.get(at).map(|copied| copied.base)),
        }
    }

    fn names_before(&mut self, dir: &Path) -> Result<Vec<OsString>> {
        match self.sides.before {
            Before::Live => self.base.names(dir),
            Before::Copied { snapshot, .. } => {
                let below = snapshot.range(dir.to_owned()..).skip(1).map(|(at, _)| at).take_while(|at| at.starts_with(dir));
                let children = below.filter(|at| at.parent() == Some(dir));
                Ok(children.filter_map(|at| at.file_name()).map(ToOwned::to_owned).collect())
            }
        }
    }

    fn meta_before(&mut self, at: &Path, node: &Node) -> Result<Meta> {
        match self.base.handle(at) {
            Ok(handle) => Meta::of(handle, node),
            // Somebody else removed it: a conflict, found by whoever compares the nodes.
            Err(error) if tree::is_absent(error) => {
                Ok(Meta { mode: u32::MAX, uid: 0, gid: 0, mtime: (0, 0), xattrs: std::collections::BTreeMap::new() })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the hook couldn't see what stood there: overlayfs takes a whiteout of the base for its own mark, and sockets and devices aren't
    /// copied.
    fn is_unseen(&self, at: &Path, before: &Node) -> bool {
        match self.sides.before {
            Before::Live => before.is_whiteout(),
            Before::Copied { snapshot, .. } => snapshot.get(at).is_some_and(|copied| copied.copy.is_none()),
        }
    }

    /// Whether the copy belongs to this user, whoever the original belongs to.
    fn is_unprivileged_copy(&self) -> bool {
        matches!(self.sides.before, Before::Copied { .. }) && !rustix::process::geteuid().is_root()
    }

    /// Whether what stood there belongs to somebody else, and its copy therefore to the wrong user.
    fn is_of_others(&self, before: &Node) -> bool {
        self.is_unprivileged_copy() && before.uid != rustix::process::geteuid().as_raw()
    }

    /// A copied directory goes back to its owner, and to its group if the hook didn't give it another.
    fn with_its_owner(&self, at: &Path, now: &Node, meta: Meta, old: &Meta) -> Meta {
        let Before::Copied { snapshot, .. } = self.sides.before else { return meta };
        let copy = snapshot.get(at).and_then(|copied| copied.copy);
        let gid = if copy.is_some_and(|copy| copy.gid == now.gid) { old.gid } else { meta.gid };
        if self.is_unprivileged_copy() { Meta { uid: old.uid, gid, ..meta } } else { meta }
    }

    /// Whether a copy is as it was when it was made.
    fn is_untouched(&self, at: &Path, now: &Node) -> bool {
        match self.sides.before {
            Before::Live => false,
            Before::Copied { snapshot, .. } => snapshot.get(at).and_then(|copied| copied.copy).is_some_and(|copy| copy == *now),
        }
    }

    /// Whether an unprivileged copy can't be given back to the owner and the group of what it was copied from. What the hook made anew is the
    /// hook's, as it would be without a stage.
    fn has_lost_its_owner(&mut self, at: &Path, now: &Node, old: &Node) -> Result<bool> {
        let Before::Copied { snapshot, begun } = self.sides.before else { return Ok(false) };
        let Some(copy) = snapshot.get(at).and_then(|copied| copied.copy) else { return Ok(false) };
        let (dir, name) = self.staged.place(at)?;
        // A number may have been given anew.
        let is_anew = copy.ino != now.ino || tree::born(dir, name)?.is_some_and(|born| born >= begun);
        Ok(!is_anew && (self.is_of_others(old) || (self.is_unprivileged_copy() && copy.gid == now.gid && old.gid != now.gid)))
    }

    /// How much of both sides is the same, attributes and content.
    fn likeness(&mut self, at: &Path, now: &Node, old: &Node) -> Result<Likeness> {
        if (now.kind, now.size, now.mode) != (old.kind, old.size, old.mode) {
            return Ok(Likeness::None);
        }
        let base = match self.base.handle(at) {
            Err(error) if tree::is_absent(error) => return Ok(Likeness::None),
            base => base?,
        };
        let (ours, theirs) = (Meta::of(self.staged.handle(at)?, now)?, Meta::of(base, old)?);
        if !ours.is_but_for_time(&theirs) || !self.is_same_content(at, now.kind)? {
            return Ok(Likeness::None);
        }
        Ok(if ours == theirs { Likeness::Same } else { Likeness::ButForTime })
    }

    fn is_same_content(&mut self, at: &Path, kind: Kind) -> Result<bool> {
        match kind {
            Kind::File => self.is_same_file(at),
            Kind::Link => {
                let target = |tree: &mut Tree<'_>| {
                    let (dir, name) = tree.place(at)?;
                    rustix::fs::readlinkat(dir, name, Vec::new())
                };
                Ok(target(&mut self.staged)? == target(&mut self.base)?)
            }
            _ => Ok(true),
        }
    }

    fn is_same_file(&self, at: &Path) -> Result<bool> {
        let open = |root| tree::open_below(root, at, OFlags::RDONLY | OFlags::NONBLOCK);
        match (open(self.sides.staged), open(self.sides.base)) {
            // One that can't be read can't be compared; so it counts as changed.
            (Err(Errno::ACCESS), _) | (_, Err(Errno::ACCESS)) => Ok(false),
            (ours, theirs) => content::is_same(&ours?, &theirs?),
        }
    }
}
