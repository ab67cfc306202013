//! Where the writes of transactional and discarded directories go until they are committed or dropped.
//!
//! A [`Stage`] shows a merged tree: the granted directory with the stage's writes over it. Nothing outside the stage changes until
//! [`Stage::prepare`] has made the commit durable as a decision; [`Prepared::apply`] then does what was decided, and may be done again. What a
//! crash leaves is found by [`recover`], which finishes what was decided and drops the rest: a directory is in the old state or in the new one.
//!
//! ```text
//!  <parent>/.wasmhook-stage-<id>/     beside the granted directory, on its file system
//!      owner      whose it is, and which directory of the stage is its home; locked while its process lives
//!      upper/     (overlay) the writes       work0/  the kernel's
//!      tree/      (copy) the whole tree
//!      commit     (home only) the redo log: the decision
//!      done       (home only) the same, once all of it is done
//!      kept       (home only) why it was kept for somebody to look at: it was refused, or some of it was left to who was there later
//! ```

mod allowed;
pub mod backup;
mod commit;
mod content;
mod copy;
mod decided;
mod diff;
mod disk;
mod error;
mod left;
mod log;
mod open;
mod overlay;
mod place;
mod recover;
mod sys;
#[cfg(test)]
mod tests;
mod tree;
mod values;

pub use commit::{Applied, NotPrepared, Prepared};
pub use decided::decided;
pub use disk::{Disk, Fault, FaultPlan};
pub use error::{CommitError, Conflict, ConflictKind, Forbidden, StageError, WhyNot};
pub use recover::{Recovered, recover};
pub use values::{Backend, Base, Changes, Ending, Ends, Kind, Limits, Request, View};

use copy::Snapshot;
use diff::{Before, Diff, Sides};
use error::At;
use overlay::Layers;
use place::Place;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tree::{Meta, Node, Time};

/// Staged directories, committed together or not at all.
///
/// One that is let go without [`prepare`](Self::prepare), [`discard`](Self::discard) or [`keep`](Self::keep) is dropped by the next [`recover`].
#[derive(Debug)]
pub struct Stage {
    label: String,
    disk: Disk,
    parts: Vec<Part>,
    views: AtomicU32,
    why_not: Vec<WhyNot>,
}

/// One staged directory.
#[derive(Debug)]
struct Part {
    /// Its path, without links.
    base: PathBuf,
    root: OwnedFd,
    ends: Ends,
    place: Place,
    /// In the base, where new files are brought before a commit if the place is on another file system.
    landing: Option<Place>,
    /// What the staged root was when the hook began.
    meta: Meta,
    tree: Staged,
    nested: Vec<overlay::Nested>,
}

/// The staged tree.
#[derive(Debug)]
enum Staged {
    Overlay { layers: Layers, mounted: overlay::Mounted, owner: overlay::Owner, begun: Time },
    Copy { snapshot: Snapshot, begun: Time },
}

impl Stage {
    /// The handle of a merged tree: that of the `index`th directory of the request, or of what lies `below` it (the empty path: of all of it).
    ///
    /// # Errors
    /// [`StageError::NotInStage`] if no directory lies there, or a link leads there; what the system says when it is mounted.
    pub fn view(&self, index: usize, below: &Path) -> Result<View, StageError> {
        let part = self.parts.get(index).ok_or(Errno::INVAL).at("view directory", index.to_string())?;
        let Staged::Overlay { layers, mounted, owner, .. } = &part.tree else {
            let seen = tree::open_seen(part.staged()?, below);
            let dir = seen.map_err(|errno| part.refused(overlay::Failure::Below(below.to_owned(), errno)))?;
            return Ok(View { dir, user_namespace: None, backend: Backend::Copy });
        };
        let serial = self.views.fetch_add(1, Ordering::Relaxed) + 1;
        let dir = overlay::view(layers, mounted, owner, below, serial).map_err(|failure| part.refused(failure))?;
        let user_namespace = match owner {
            overlay::Owner::Caller => None,
            overlay::Owner::Namespace(fd) => Some(rustix::io::dup(fd).at("view", &part.base)?),
        };
        Ok(View { dir, user_namespace, backend: part.backend() })
    }

    /// How the `index`th directory is staged.
    #[must_use]
    pub fn backend(&self, index: usize) -> Option<Backend> {
        self.parts.get(index).map(Part::backend)
    }

    /// Device and inode of the directory at a path below the `index`th directory (the empty path is that directory itself); none where there is
    /// no directory, or a link on the way.
    #[must_use]
    pub fn identity(&self, index: usize, below: &Path) -> Option<(u64, u64)> {
        let part = self.parts.get(index)?;
        let dir = tree::open_below(&part.root, below, OFlags::PATH | OFlags::DIRECTORY).and_then(Node::open);
        dir.ok().map(|node| node.identity())
    }

    /// The live directories that the `index`th directory shows, by the paths of the request, each with its device and inode.
    pub fn live(&self, index: usize) -> impl Iterator<Item = (&Path, (u64, u64))> {
        let nested = self.parts.get(index).map_or(&[][..], |part| &part.nested);
        nested.iter().map(|nested| (nested.granted.as_path(), nested.identity))
    }

    /// Why cheaper back ends weren't used, if they weren't: for the report.
    #[must_use]
    pub fn why_not(&self) -> &[WhyNot] {
        &self.why_not
    }

    /// What would be committed, and what will be dropped: one for each directory of the request, in its order.
    ///
    /// # Errors
    /// What the system says when the trees are read.
    pub fn changes(&self) -> Result<Vec<Changes>, StageError> {
        self.parts.iter().map(|part| Ok(log::changes(&part.base, &log::steps(&part.diff()?.changes)))).collect()
    }

    /// A file of the `index`th directory as it was and as it is in the stage; none where there is no regular file. For showing what changed.
    ///
    /// # Errors
    /// What the system says.
    pub fn sides(&self, index: usize, path: &Path) -> Result<(Option<std::fs::File>, Option<std::fs::File>), StageError> {
        let part = self.parts.get(index).ok_or(Errno::INVAL).at("read", path)?;
        let open = |root: &OwnedFd| -> Result<Option<std::fs::File>, StageError> {
            let node = tree::Tree::new(root.as_fd()).node(path).at("read", part.base.join(path))?;
            let file = node.filter(|node| node.kind == Kind::File).map(|_| tree::open_below(root, path, OFlags::RDONLY | OFlags::NONBLOCK));
            file.transpose().at("read", part.base.join(path)).map(|file| file.map(Into::into))
        };
        let staged = part.staged()?;
        let after = open(&staged)?;
        Ok((open(&part.root)?, after))
    }

    /// Drops all writes, and the stage.
    ///
    /// # Errors
    /// What the system says; [`recover`] drops what is left.
    pub fn discard(self) -> Result<(), StageError> {
        let disk = self.disk.clone();
        self.into_places().try_for_each(|place| place.vanish(&disk))
    }

    /// Leaves the stage for somebody to look at, and tells where: the next [`recover`] finds it as [`Ending::Kept`].
    ///
    /// # Errors
    /// What the system says.
    pub fn keep(self, why: &str) -> Result<Vec<PathBuf>, StageError> {
        for place in self.parts.iter().map(|part| &part.place) {
            // Whatever the hook wrote, and not only what a commit would need.
            self.disk.sync_all(&place.dir).and_then(|()| place.sync(&self.disk)).at("keep", &place.path)?;
        }
        if let Some(home) = self.parts.first().map(|part| &part.place) {
            commit::write_durably(&self.disk, home, "kept", why.as_bytes()).at("keep", &home.path)?;
        }
        Ok(self.into_places().map(Place::stay).collect())
    }

    /// Its home first: without it the others are rubbish.
    fn into_places(self) -> impl Iterator<Item = Place> {
        // The mounts go first.
        let parts: Vec<_> = self.parts.into_iter().map(|part| (part.place, part.landing)).collect();
        parts.into_iter().flat_map(|(place, landing)| [Some(place), landing]).flatten()
    }
}

impl Part {
    fn backend(&self) -> Backend {
        match &self.tree {
            Staged::Overlay { owner: overlay::Owner::Caller, .. } => Backend::Overlay,
            Staged::Overlay { owner: overlay::Owner::Namespace(_), .. } => Backend::UserOverlay,
            Staged::Copy { .. } => Backend::Copy,
        }
    }

    /// The name of the directory that holds the staged files.
    fn tree_name(&self) -> &'static str {
        match &self.tree {
            Staged::Overlay { .. } => "upper",
            Staged::Copy { .. } => "tree",
        }
    }

    /// The directory that holds the staged files.
    fn staged(&self) -> Result<OwnedFd, StageError> {
        let name = self.tree_name();
        tree::open_below(&self.place.dir, Path::new(name), OFlags::PATH | OFlags::DIRECTORY).at("open", self.place.path.join(name))
    }

    fn diff(&self) -> Result<Diff, StageError> {
        let staged = self.staged()?;
        let before = match &self.tree {
            Staged::Overlay { .. } => Before::Live,
            Staged::Copy { snapshot, begun } => Before::Copied { snapshot, begun: *begun },
        };
        let sides = Sides {
            base: self.root.as_fd(),
            staged: staged.as_fd(),
            before,
            root: &self.meta,
            nested: &self.nested,
            is_root: rustix::process::geteuid().is_root(),
        };
        diff::diff(&sides).map_err(|(at, errno)| StageError::Io { doing: "compare", path: self.base.join(at), source: errno.into() })
    }

    fn refused(&self, failure: overlay::Failure) -> StageError {
        open::refused(&self.base, failure)
    }
}
