//! The second back end: a copy of the whole tree, sharing its blocks where the file system can.

use super::Kind;
use super::overlay::Nested;
use super::tree::{self, Meta, Node, Tree};
use super::{Limits, content, place};
use rustix::fs::{Access, AtFlags, Gid, Mode, OFlags};
use rustix::io::{Errno, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What one entry was when it was copied.
#[derive(Debug, Clone)]
pub(super) struct Copied {
    /// In the base.
    pub base: Node,
    /// In the copy; none for what isn't copied: sockets and devices.
    pub copy: Option<Node>,
}

/// Every entry below a copied directory, by its path. The directory itself has the empty path.
pub(super) type Snapshot = BTreeMap<PathBuf, Copied>;

/// Why a tree wasn't copied.
pub(super) enum Failure {
    /// More than this.
    TooMuch(String),
    /// What can't be read or given to the copy, by its path in the base; and what the system said.
    At(PathBuf, Errno),
}

/// Copies everything below `root` into the empty directory `to`, but for what lies in nested grants.
pub(super) fn copy(root: BorrowedFd<'_>, to: BorrowedFd<'_>, nested: &[Nested], limits: Limits) -> std::result::Result<Snapshot, Failure> {
    let at = |at: &Path| {
        let at = at.to_owned();
        move |errno| Failure::At(at, errno)
    };
    let root_node = Node::open(root).map_err(at(Path::new("")))?;
    let mut copier = Copier { from: root, to, limits, bytes: 0, clones: Clones::default(), snapshot: Snapshot::new() };
    copier.snapshot.insert(PathBuf::new(), Copied { base: root_node, copy: None });
    let mut dirs = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(dir) = dirs.get(next).cloned() {
        next += 1;
        let names = names(copier.from, &dir).map_err(at(&dir))?;
        for name in names.iter().filter(|name| !place::is_ours(name)) {
            let entry = dir.join(name);
            let node = copier.entry(&entry).map_err(at(&entry))?;
            copier.check()?;
            if node.is_some_and(|node| node.is_dir()) && !nested.iter().any(|nested| nested.at == entry) {
                dirs.push(entry);
            }
        }
    }
    // Only now, since each entry made in a directory changes it, and one may forbid it. Nested grants are dirs of the copy, too.
    copier.finish_dirs().map_err(at(Path::new("")))?;
    Ok(copier.snapshot)
}

/// The names in a directory through which this user also gets to what they stand for.
fn names(root: BorrowedFd<'_>, at: &Path) -> Result<Vec<OsString>> {
    let dir = tree::open_dir(root, at)?;
    rustix::fs::accessat(&dir, c".", Access::EXEC_OK, AtFlags::EACCESS)?;
    tree::names(dir)
}

struct Copier<'a> {
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    limits: Limits,
    bytes: u64,
    clones: Clones,
    snapshot: Snapshot,
}

impl Copier<'_> {
    fn check(&self) -> std::result::Result<(), Failure> {
        if self.snapshot.len() as u64 > self.limits.files.saturating_add(1) {
            return Err(Failure::TooMuch(format!("{} files", self.limits.files)));
        }
        if self.bytes > self.limits.bytes {
            return Err(Failure::TooMuch(format!("{} bytes", self.limits.bytes)));
        }
        Ok(())
    }

    /// Copies one entry; none if it vanished meanwhile.
    fn entry(&mut self, at: &Path) -> Result<Option<Node>> {
        let (mut from, mut to) = (Tree::new(self.from), Tree::new(self.to));
        let Some(base) = from.node(at)? else { return Ok(None) };
        let (dir, name) = to.place(at)?;
        match base.kind {
            Kind::File => {
                let old = tree::open_below(self.from, at, OFlags::RDONLY | OFlags::NONBLOCK)?;
                let data = content::data(old.as_fd())?;
                self.bytes = self.bytes.saturating_add(content::amount(&data));
                if self.bytes <= self.limits.bytes {
                    let new = rustix::fs::openat(dir, name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC, Mode::RWXU)?;
                    self.clones.content(&old, &new, &data)?;
                }
            }
            Kind::Link => {
                let (dir_from, name_from) = from.place(at)?;
                let target = rustix::fs::readlinkat(dir_from, name_from, Vec::new())?;
                rustix::fs::symlinkat(target, dir, name)?;
            }
            Kind::Pipe => rustix::fs::mkfifoat(dir, name, Mode::RWXU)?,
            Kind::Dir => rustix::fs::mkdirat(dir, name, Mode::RWXU)?,
            Kind::Socket | Kind::Device => {}
        }
        let copy = match base.kind {
            Kind::Socket | Kind::Device => None,
            Kind::Dir => Some(base),
            _ if self.bytes > self.limits.bytes => None,
            _ => Some(copy_meta(&from.handle(at)?, &to.handle(at)?, &base)?),
        };
        self.snapshot.insert(at.to_owned(), Copied { base, copy });
        Ok(Some(base))
    }

    fn finish_dirs(&mut self) -> Result<()> {
        let (mut from, mut to) = (Tree::new(self.from), Tree::new(self.to));
        for (at, copied) in self.snapshot.iter_mut().rev().filter(|(_, copied)| copied.base.is_dir()) {
            copied.copy = Some(copy_meta(&from.handle(at)?, &to.handle(at)?, &copied.base)?);
        }
        Ok(())
    }
}

/// Copies contents, sharing their blocks as long as the file system does that: it isn't asked again once it refused.
pub(super) struct Clones(bool);

impl Default for Clones {
    fn default() -> Self {
        Self(true)
    }
}

impl Clones {
    /// Copies all of `from`, which has its `data` in these pieces, to the new file `to`.
    pub(super) fn content(&mut self, from: &OwnedFd, to: &OwnedFd, data: &[(u64, u64)]) -> Result<()> {
        if self.0 {
            match rustix::fs::ioctl_ficlone(to, from) {
                Ok(()) => return Ok(()),
                Err(Errno::NOTSUP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS) => self.0 = false,
                Err(error) => return Err(error),
            }
        }
        content::copy(from.as_fd(), to.as_fd(), data)
    }
}

/// Gives a copy all that belongs to the original besides its content, and tells what the copy is then.
pub(super) fn copy_meta(from: &OwnedFd, to: &OwnedFd, base: &Node) -> Result<Node> {
    let mut meta = Meta::of(from, base)?;
    if !rustix::process::geteuid().is_root() {
        let own = Node::open(to)?;
        meta.uid = own.uid;
        // A group that this user belongs to can be kept.
        let group = Some(Gid::from_raw(meta.gid));
        if meta.gid != own.gid && rustix::fs::chownat(to, c"", None, group, AtFlags::EMPTY_PATH).is_err() {
            meta.gid = own.gid;
        }
    }
    meta.set(to)?;
    Node::open(to)
}
