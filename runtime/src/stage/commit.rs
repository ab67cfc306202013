//! Committing: check, make durable, decide, do. Up to the decision nothing outside the stage changes; after it, everything will.

use super::Kind;
use super::allowed;
use super::diff::{Act, Change, Refusal};
use super::disk::Disk;
use super::error::{At, CommitError, Conflict, ConflictKind, StageError};
use super::left::{self, Told};
use super::log::{self, Log, Step};
use super::place::Place;
use super::tree::{self, Node, Time, Tree};
use super::{Changes, Ends, Part, Stage, Staged};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use std::collections::BTreeSet;
use std::ffi::OsStr;
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
    left: Option<Told>,
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
        let mut log = Log { schema: 1, label: self.label.clone(), parts: Vec::new(), left: Vec::new() };
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
    match remove_file(disk, home, "commit").and_then(|()| disk.sync(&home.dir)).at("take back the commit of", &home.path) {
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
        if let Some((at, forbidden)) = allowed::forbidden(&steps, self.root.as_fd()).at("read", &self.base)? {
            return Err(CommitError::Forbidden { path: self.base.join(at), forbidden });
        }
        if !rustix::process::geteuid().is_root() {
            self.open_staged(&steps)?;
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
        let born = tree::born(&self.root, OsStr::new("")).at("read", &self.base)?;
        Ok(log::Part { base: self.base.clone(), identity: root.identity(), born, place, tree, steps })
    }

    /// Lets their owner walk through the staged directories that lead to new files, whatever modes the hook gave them: the log has those.
    fn open_staged(&self, steps: &[Step]) -> std::result::Result<(), StageError> {
        let root = self.staged()?;
        let mut tree = Tree::new(root.as_fd());
        let from = steps.iter().filter_map(|step| if let Step::Put { from, .. } = step { from.parent() } else { None });
        let dirs: BTreeSet<&Path> = from.flat_map(Path::ancestors).collect();
        for at in dirs {
            let mut open = || {
                let dir = tree.handle(at)?;
                let mode = Node::open(&dir)?.mode;
                if mode & 0o700 == 0o700 { Ok(()) } else { tree::set_mode(&dir, mode | 0o700) }
            };
            open().at("open the staged", self.base.join(at))?;
        }
        Ok(())
    }

    fn refusal(&self, refusal: &Refusal) -> CommitError {
        match refusal {
            Refusal::Owner(at, old, new) => {
                let new = (rustix::process::geteuid().as_raw(), new.gid);
                CommitError::OthersFile { path: self.base.join(at), old: (old.uid, old.gid), new }
            }
            Refusal::NotStageable(at, kind) => CommitError::NotStageable { path: self.base.join(at), kind: *kind },
            Refusal::Unseen(at, node) => {
                let what = if node.is_whiteout() { "whiteout of an overlay (a character device 0/0)" } else { node.kind.word() };
                CommitError::Unseen { path: self.base.join(at), what }
            }
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
                    Some(node) if node.ctime >= *begun => Some(theirs(&mut now, change, *begun).at("read", &path)?),
                    None if change.is_copy && Self::lost(&mut now, change, *begun).at("read", &path)? => Some(ConflictKind::Deleted),
                    _ => None,
                },
                Staged::Copy { .. } => became(change.before, now.node(&change.at).at("read", &path)?),
            };
            conflicts.extend(how.map(|how| Conflict { path, how, by_hook: by_hook(change, how) }));
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
            conflicts.extend(how.map(|how| Conflict { path, how, by_hook: by_hook(change, how) }));
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

/// How somebody else changed what an overlay shows changed: what they made, and the hook didn't copy from it, the hook never saw.
fn theirs(now: &mut Tree<'_>, change: &Change, begun: Time) -> Result<ConflictKind> {
    let is_seen = change.is_copy || !matches!(change.act, Act::Put { .. } | Act::Make(_));
    let (dir, name) = now.place(&change.at)?;
    let is_new = !is_seen && tree::born(dir, name)?.is_some_and(|born| born >= begun);
    Ok(if is_new { ConflictKind::Created } else { ConflictKind::Modified })
}

/// How the hook changed what somebody else changed like this.
fn by_hook(change: &Change, theirs: ConflictKind) -> ConflictKind {
    match change.act {
        Act::Remove => ConflictKind::Deleted,
        _ if theirs == ConflictKind::Created || (change.before.is_none() && !change.is_copy) => ConflictKind::Created,
        _ => ConflictKind::Modified,
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
    let node = Node::open(&handle)?;
    take_marks(disk, &handle, &node)?;
    if node.kind != Kind::File {
        return Ok(true);
    }
    let (dir, name) = tree.place(at)?;
    match rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::ACCESS) => Ok(false),
        file => disk.sync(file?).map(|()| true),
    }
}

/// Takes overlayfs's marks off an entry. Its owner may write to it for that, whatever its mode says.
fn take_marks(disk: &Disk, handle: &OwnedFd, node: &Node) -> Result<()> {
    let names = tree::xattr_names(handle)?;
    let marks: Vec<_> = names.iter().filter(|name| tree::is_overlay_mark(name)).collect();
    let is_closed = node.kind == Kind::File && node.mode & 0o200 == 0 && !marks.is_empty() && !rustix::process::geteuid().is_root();
    if is_closed {
        tree::set_mode(handle, node.mode | 0o600)?;
    }
    let taken = marks.into_iter().try_for_each(|name| disk.remove_xattr(handle, name));
    if is_closed { taken.and(tree::set_mode(handle, node.mode)) } else { taken }
}

/// Copies one file, link or pipe, durably.
fn land(disk: &Disk, tree: &mut Tree<'_>, from: &Path, landing: &OwnedFd, to: &Path) -> Result<()> {
    let old = tree.handle(from)?;
    let node = Node::open(&old)?;
    if node.kind == Kind::File && node.mode & 0o400 == 0 {
        // The hook closed it to its owner, who has to read it once more.
        tree::set_mode(&old, node.mode | 0o400)?;
    }
    let meta = tree::Meta::of(&old, &node)?;
    let (dir, name) = tree.place(from)?;
    match node.kind {
        Kind::Link => disk.symlink(&rustix::fs::readlinkat(dir, name, Vec::new())?, landing, to)?,
        Kind::Pipe => disk.pipe(landing, to)?,
        _ => {
            let source = rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            let target = disk.create(landing, to.as_os_str())?;
            disk.copy(&source, &target)?;
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

    /// Does what was decided, but for what somebody else changed since. After an error it may be called again; if nobody does,
    /// [`recover`](super::recover) finishes it.
    ///
    /// # Errors
    /// [`CommitError::Unfinished`]: what the system said. The directories may be half new until it is finished.
    pub fn apply(&mut self) -> std::result::Result<(), CommitError> {
        let home = self.places.first();
        apply(&self.disk, &mut self.log, home).map_err(|source| CommitError::Unfinished {
            source: match home {
                Some(home) => source.of_stage(&home.path, rustix::process::geteuid().as_raw()),
                None => source,
            },
        })
    }

    /// The same commit, once [`apply`](Self::apply) succeeded.
    #[must_use]
    pub fn applied(self) -> Applied {
        Applied { changes: self.changes(), left: left::told(&self.log.left), disk: self.disk, places: self.places }
    }
}

/// Does every part of a log, and notes in its home that it did. What was left to others is in the log then, and no longer among its steps.
pub(super) fn apply(disk: &Disk, log: &mut Log, home: Option<&Place>) -> std::result::Result<(), StageError> {
    for part in &mut log.parts {
        log.left.extend(part.apply(disk)?);
    }
    let Some(home) = home else { return Ok(()) };
    note_done(disk, log, home).at("note the end of the commit in", &home.path)
}

fn note_done(disk: &Disk, log: &Log, home: &Place) -> Result<()> {
    if !log.left.is_empty() {
        write_durably(disk, home, "done", &serde_json::to_vec(log).map_err(|_| Errno::INVAL)?)?;
        remove_file(disk, home, "commit")?;
        return disk.sync(&home.dir);
    }
    match disk.rename((&home.dir, OsStr::new("commit")), (&home.dir, OsStr::new("done"))) {
        // By an earlier call.
        Err(Errno::NOENT) => {}
        renamed => renamed?,
    }
    disk.sync(&home.dir)
}

fn remove_file(disk: &Disk, home: &Place, name: &str) -> Result<()> {
    match disk.unlink(&home.dir, OsStr::new(name)) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    }
}

/// Makes a stage that is done one that is kept, for this reason.
pub(super) fn keep_done(disk: &Disk, home: &Place, why: &str) -> Result<()> {
    write_durably(disk, home, "kept", why.as_bytes())?;
    for log in ["commit", "done"] {
        remove_file(disk, home, log)?;
    }
    disk.sync(&home.dir)
}

/// Ends a stage whose commit is done: it goes, unless something of it was `left` for a person.
pub(super) fn forget(disk: &Disk, places: Vec<Place>, left: Option<&Told>) -> std::result::Result<(), StageError> {
    match (left, places.first()) {
        (Some(left), Some(home)) if left.is_kept => {
            keep_done(disk, home, &left.text).at("keep", &home.path)?;
            places.into_iter().map(Place::stay).for_each(drop);
            Ok(())
        }
        _ => places.into_iter().try_for_each(|place| place.vanish(disk)),
    }
}

impl Applied {
    /// What it changed: one for each transactional directory.
    #[must_use]
    pub fn changes(&self) -> &[Changes] {
        &self.changes
    }

    /// What was left as it was, since somebody else was there after the decision: a sentence for a person, who finds the hook's version in the
    /// stage. None: nothing was.
    #[must_use]
    pub fn left(&self) -> Option<&str> {
        self.left.as_ref().map(|left| left.text.as_str())
    }

    /// Removes the stage's directories, but for what was left. Only after the outcome was recorded: until then a crash is told of by
    /// [`recover`](super::recover).
    ///
    /// # Errors
    /// What the system says; [`recover`](super::recover) removes what is left.
    pub fn forget(self) -> std::result::Result<(), StageError> {
        forget(&self.disk, self.places, self.left.as_ref())
    }
}
