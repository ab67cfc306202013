//! Committing: check, make durable, decide, do. Up to the decision nothing outside the stage changes; after it, everything will.

use super::Kind;
use super::diff::{Act, Change, Refusal};
use super::disk::Disk;
use super::error::{At, CommitError, Conflict, ConflictKind, StageError};
use super::log::{self, Log, Step};
use super::place::Place;
use super::tree::{self, Node, Time, Tree};
use super::{Changes, Ends, Part, Stage, Staged};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A stage whose commit is decided: whatever happens, it will be done.
#[derive(Debug)]
pub struct Prepared {
    disk: Disk,
    log: Log,
    /// The home first.
    places: Vec<Place>,
}

/// A stage whose commit is done, and durable.
#[derive(Debug)]
pub struct Applied {
    disk: Disk,
    changes: Vec<Changes>,
    places: Vec<Place>,
}

/// Why a commit wasn't decided, and the stage as it was.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct NotPrepared {
    /// Why.
    #[source]
    pub error: CommitError,
    /// The stage; none if it is in doubt whether its commit was decided.
    pub stage: Option<Stage>,
}

impl Stage {
    /// Checks that nobody else changed what the hook changed, makes all new files durable, and then decides.
    ///
    /// # Errors
    /// Why nothing was decided; the stage comes back, to be dropped or kept.
    pub fn prepare(mut self) -> std::result::Result<Prepared, Box<NotPrepared>> {
        match self.decide() {
            Ok(log) => Ok(Prepared { disk: self.disk.clone(), log, places: self.into_places().collect() }),
            Err(error @ CommitError::InDoubt { .. }) => Err(Box::new(NotPrepared { error, stage: None })),
            Err(error) => Err(Box::new(NotPrepared { error, stage: Some(self) })),
        }
    }

    fn decide(&mut self) -> std::result::Result<Log, CommitError> {
        let mut log = Log { schema: 1, label: self.label.clone(), parts: Vec::new() };
        let home = self.parts.first().map(|part| part.place.path.clone()).unwrap_or_default();
        let mut found = Vec::new();
        for part in self.parts.iter_mut().filter(|part| part.ends == Ends::Txn) {
            let changes = part.changes()?;
            log.parts.push(part.prepare(&changes, &self.disk, &self.label, &home)?);
            found.push(changes);
        }
        for part in &self.parts {
            for place in [Some(&part.place), part.landing.as_ref()].into_iter().flatten() {
                place.sync(&self.disk).at("sync", &place.path)?;
            }
        }
        let Some(home) = self.parts.first().map(|part| &part.place) else { return Ok(log) };
        let text = serde_json::to_vec(&log).map_err(|_| Errno::INVAL).at("write the commit of", &home.path)?;
        let decided = write_durably(&self.disk, home, "commit", &text).at("write the commit of", &home.path).map_err(CommitError::Stage);
        // Making all of it durable took its time, and the first rename is still to come.
        match decided.and_then(|()| self.look_again(&found)) {
            Ok(()) => Ok(log),
            Err(error) => Err(withdraw(&self.disk, home, error)),
        }
    }

    /// Looks whether somebody else changed what will be committed, since its changes were found.
    fn look_again(&self, found: &[Vec<Change>]) -> std::result::Result<(), CommitError> {
        let mut conflicts = Vec::new();
        for (part, changes) in self.parts.iter().filter(|part| part.ends == Ends::Txn).zip(found) {
            conflicts.extend(part.overtaken(changes)?);
        }
        if conflicts.is_empty() { Ok(()) } else { Err(CommitError::Conflict { conflicts }) }
    }
}

/// After a failure somewhere between writing the log and the first rename: takes the decision back, or says that it can't.
fn withdraw(disk: &Disk, home: &Place, why: CommitError) -> CommitError {
    let gone = |name: &str| match disk.unlink(&home.dir, OsStr::new(name)) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    };
    match gone("commit").and_then(|()| disk.sync(&home.dir)).at("take back the commit of", &home.path) {
        Ok(()) => why,
        Err(second) => CommitError::InDoubt { source: if let CommitError::Stage(first) = why { first } else { second } },
    }
}

/// Writes a file of a stage's home, so that it is there whole or not at all.
pub(super) fn write_durably(disk: &Disk, home: &Place, name: &str, text: &[u8]) -> Result<()> {
    let new = format!("{name}.new");
    let file = disk.create(&home.dir, OsStr::new(&new))?;
    disk.write(&file, text)?;
    disk.sync(&file)?;
    disk.rename((&home.dir, OsStr::new(&new)), (&home.dir, OsStr::new(name)))?;
    disk.sync(&home.dir)
}

impl Part {
    /// What is to be committed: all of it can be, and nobody else changed it.
    fn changes(&self) -> std::result::Result<Vec<Change>, CommitError> {
        let diff = self.diff()?;
        if let Some(refusal) = diff.refusals.first() {
            return Err(self.refusal(refusal));
        }
        let conflicts = self.conflicts(&diff.changes)?;
        if conflicts.is_empty() { Ok(diff.changes) } else { Err(CommitError::Conflict { conflicts }) }
    }

    /// Everything but the decision: the steps, and all that they need, durable.
    fn prepare(&mut self, changes: &[Change], disk: &Disk, label: &str, home: &Path) -> std::result::Result<log::Part, CommitError> {
        let mut steps = log::steps(changes);
        if !rustix::process::geteuid().is_root() {
            log::unlock(&mut steps, self.root.as_fd()).map_err(|(at, errno)| StageError::Io {
                doing: "read",
                path: self.base.join(at),
                source: errno.into(),
            })?;
        }
        let root = Node::open(&self.root).at("read", &self.base)?;
        let is_beside = Node::open(&self.place.dir).at("read", &self.place.path)?.dev == root.dev;
        if is_beside {
            self.sync_files(disk, &steps)?;
        } else if !steps.is_empty() {
            self.land(disk, &mut steps, label, home)?;
        }
        let (place, tree) = match &self.landing {
            Some(landing) => (landing.path.clone(), PathBuf::new()),
            None => (self.place.path.clone(), PathBuf::from(self.tree_name())),
        };
        Ok(log::Part { base: self.base.clone(), identity: root.identity(), place, tree, steps })
    }

    fn refusal(&self, refusal: &Refusal) -> CommitError {
        match refusal {
            Refusal::Owner(at, node) => {
                let user = rustix::process::geteuid().as_raw();
                CommitError::OthersFile { path: self.base.join(at), owner: node.uid, group: node.gid, user }
            }
            Refusal::NotStageable(at, kind) => CommitError::NotStageable { path: self.base.join(at), kind: *kind },
            Refusal::InLiveGrant(at) => {
                let nested = self.nested.iter().find(|nested| at.starts_with(&nested.at)).map(|nested| nested.host.clone());
                CommitError::InLiveGrant { path: self.base.join(at), nested: nested.unwrap_or_default() }
            }
        }
    }

    /// What somebody else changed of what the hook changed.
    fn conflicts(&self, changes: &[Change]) -> std::result::Result<Vec<Conflict>, StageError> {
        let mut now = Tree::new(self.root.as_fd());
        let mut conflicts = Vec::new();
        for change in changes.iter().filter(|change| !matches!(change.act, Act::Adapt { named: false, .. })) {
            let path = self.base.join(&change.at);
            let how = match &self.tree {
                Staged::Overlay { begun, .. } => match change.before {
                    Some(node) if node.ctime >= *begun => Some(ConflictKind::Modified),
                    None if change.is_copy && Self::lost(&mut now, change, *begun).at("read", &path)? => Some(ConflictKind::Deleted),
                    _ => None,
                },
                Staged::Copy { .. } => became(change.before, now.node(&change.at).at("read", &path)?),
            };
            conflicts.extend(how.map(|how| Conflict { path, how }));
        }
        conflicts.sort();
        conflicts.dedup();
        Ok(conflicts)
    }

    /// What somebody else changed of these since they were found, the directory itself included: another may stand there by now.
    fn overtaken(&self, changes: &[Change]) -> std::result::Result<Vec<Conflict>, StageError> {
        self.still_there()?;
        let mut now = Tree::new(self.root.as_fd());
        let mut conflicts = Vec::new();
        // A landing is an entry of the directory itself.
        let is_looked_at = |change: &&Change| {
            let is_entered = change.at.as_os_str().is_empty() && self.landing.is_some();
            !is_entered && !matches!(change.act, Act::Adapt { named: false, .. })
        };
        for change in changes.iter().filter(is_looked_at) {
            let path = self.base.join(&change.at);
            let how = became(change.before, now.node(&change.at).at("read", &path)?);
            conflicts.extend(how.map(|how| Conflict { path, how }));
        }
        conflicts.dedup();
        Ok(conflicts)
    }

    /// Whether the directory that was staged still stands at its path.
    fn still_there(&self) -> std::result::Result<(), StageError> {
        let replaced = || StageError::Replaced { base: self.base.clone() };
        let now = tree::open_root(&self.base).and_then(Node::open).map_err(|_| replaced())?;
        let staged = Node::open(&self.root).at("read", &self.base)?;
        if now.identity() == staged.identity() { Ok(()) } else { Err(replaced()) }
    }

    /// Whether somebody else removed what a staged entry was copied from. A file may also have been moved here by the hook: then nobody has
    /// changed its directory since. (A directory of the base can't be moved.)
    fn lost(now: &mut Tree<'_>, change: &Change, begun: Time) -> Result<bool> {
        let dir = now.node(change.at.parent().unwrap_or(Path::new("")))?;
        Ok(matches!(change.act, Act::Make(_)) || dir.is_some_and(|dir| dir.ctime >= begun))
    }

    /// Makes the new files durable where they lie, with the directories that lead to them, and takes overlayfs's marks off them.
    fn sync_files(&self, disk: &Disk, steps: &[Step]) -> std::result::Result<(), StageError> {
        let root = self.staged()?;
        let mut tree = Tree::new(root.as_fd());
        let mut dirs = BTreeSet::new();
        let mut is_all = false;
        for at in steps.iter().filter_map(|step| if let Step::Put { from, .. } = step { Some(from) } else { None }) {
            let path = self.base.join(at);
            is_all |= !sync_file(disk, &mut tree, at).at("sync the staged", &path)?;
            dirs.extend(at.ancestors().skip(1));
        }
        for at in dirs {
            match tree::open_dir(&root, at) {
                Err(Errno::ACCESS) => is_all = true,
                dir => dir.and_then(|dir| disk.sync(dir)).at("sync the staged", self.base.join(at))?,
            }
        }
        if is_all {
            disk.sync_all(&self.place.dir).at("sync", &self.place.path)?;
        }
        Ok(())
    }

    /// Brings the new files to the base's own file system.
    fn land(&mut self, disk: &Disk, steps: &mut [Step], label: &str, home: &Path) -> std::result::Result<(), StageError> {
        let id = self.place.path.file_name().and_then(OsStr::to_str).unwrap_or_default().rsplit("stage-").next().unwrap_or_default();
        if let Some(old) = self.landing.take() {
            old.vanish(disk)?;
        }
        let landing = Place::create(disk, &self.base, id, label, Some(home)).at("make a landing in", &self.base)?;
        let landing = self.landing.insert(landing);
        let root = tree::open_below(&self.place.dir, Path::new("tree"), OFlags::PATH | OFlags::DIRECTORY).at("open", &self.place.path)?;
        let mut tree = Tree::new(root.as_fd());
        let puts = steps.iter_mut().filter_map(|step| if let Step::Put { from, .. } = step { Some(from) } else { None });
        for (number, from) in puts.enumerate() {
            let to = PathBuf::from(format!("new{number}"));
            land(disk, &mut tree, from, &landing.dir, &to).at("bring beside its target", self.base.join(&*from))?;
            *from = to;
        }
        Ok(())
    }
}

/// How one thing became another, if it did.
fn became(before: Option<Node>, now: Option<Node>) -> Option<ConflictKind> {
    match (before, now) {
        (None, Some(_)) => Some(ConflictKind::Created),
        (Some(_), None) => Some(ConflictKind::Deleted),
        (before, now) => (before != now).then_some(ConflictKind::Modified),
    }
}

/// Makes one file durable; says whether it could be opened for that.
fn sync_file(disk: &Disk, tree: &mut Tree<'_>, at: &Path) -> Result<bool> {
    let handle = tree.handle(at)?;
    for name in tree::xattr_names(&handle)?.iter().filter(|name| tree::is_overlay_mark(name)) {
        disk.remove_xattr(&handle, name)?;
    }
    if Node::open(&handle)?.kind != Kind::File {
        return Ok(true);
    }
    let (dir, name) = tree.place(at)?;
    match rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::ACCESS) => Ok(false),
        file => disk.sync(file?).map(|()| true),
    }
}

/// Copies one file, link or pipe, durably.
fn land(disk: &Disk, tree: &mut Tree<'_>, from: &Path, landing: &OwnedFd, to: &Path) -> Result<()> {
    let old = tree.handle(from)?;
    let node = Node::open(&old)?;
    let meta = tree::Meta::of(&old, &node)?;
    let (dir, name) = tree.place(from)?;
    match node.kind {
        Kind::Link => rustix::fs::symlinkat(rustix::fs::readlinkat(dir, name, Vec::new())?, landing, to)?,
        Kind::Pipe => rustix::fs::mkfifoat(landing, to, Mode::RWXU)?,
        _ => {
            let source = rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            let target = disk.create(landing, to.as_os_str())?;
            let copied = std::io::copy(&mut File::from(source), &mut File::from(rustix::io::dup(&target)?));
            copied.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
            disk.set_meta(&target, &meta)?;
            return disk.sync(&target);
        }
    }
    disk.set_meta(Tree::new(landing.as_fd()).handle(to)?, &meta)
}

impl Prepared {
    /// What it changes: one for each transactional directory.
    #[must_use]
    pub fn changes(&self) -> Vec<Changes> {
        self.log.parts.iter().map(log::Part::changes).collect()
    }

    /// Does what was decided. After an error it may be called again; if nobody does, [`recover`](super::recover) finishes it.
    ///
    /// # Errors
    /// [`CommitError::Unfinished`]: what the system said. The directories may be half new until it is finished.
    pub fn apply(&self) -> std::result::Result<(), CommitError> {
        apply(&self.disk, &self.log, self.places.first()).map_err(|source| CommitError::Unfinished { source })
    }

    /// The same commit, once [`apply`](Self::apply) succeeded.
    #[must_use]
    pub fn applied(self) -> Applied {
        Applied { changes: self.changes(), disk: self.disk, places: self.places }
    }
}

/// Does every part of a log, and notes in its home that it did.
pub(super) fn apply(disk: &Disk, log: &Log, home: Option<&Place>) -> std::result::Result<(), StageError> {
    log.parts.iter().try_for_each(|part| part.apply(disk))?;
    let Some(home) = home else { return Ok(()) };
    match disk.rename((&home.dir, OsStr::new("commit")), (&home.dir, OsStr::new("done"))) {
        // By an earlier call.
        Err(Errno::NOENT) => {}
        renamed => renamed.at("note the end of the commit in", &home.path)?,
    }
    disk.sync(&home.dir).at("note the end of the commit in", &home.path)
}

impl Applied {
    /// What it changed: one for each transactional directory.
    #[must_use]
    pub fn changes(&self) -> &[Changes] {
        &self.changes
    }

    /// Removes the stage's directories. Only after the outcome was recorded: until then a crash is told of by [`recover`](super::recover).
    ///
    /// # Errors
    /// What the system says; [`recover`](super::recover) removes what is left.
    pub fn forget(self) -> std::result::Result<(), StageError> {
        self.places.into_iter().try_for_each(|place| place.vanish(&self.disk))
    }
}
