//! A copy of a tree: everything in it that can be kept, with what belongs to it.

use super::Contents;
use super::database::{self, COMPANIONS, MAGIC};
use super::error::{BackupError, Doing};
use crate::stage::Kind;
use crate::stage::content;
use crate::stage::copy::{Clones, copy_meta};
use crate::stage::disk::Disk;
use crate::stage::place;
use crate::stage::tree::{self, Node, Tree};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Copies trees.
pub(super) struct Copier<'a> {
    disk: &'a Disk,
    stop: &'a dyn Fn() -> bool,
    clones: Clones,
    /// What was copied so far.
    pub contents: Contents,
    /// What can't be: sockets and devices.
    pub left_out: Vec<String>,
}

/// Where from, and where to.
struct Sides<'a> {
    base: &'a Path,
    from: BorrowedFd<'a>,
    copy: &'a Path,
    to: BorrowedFd<'a>,
}

impl Sides<'_> {
    /// Says what was tried at a path; a border between file systems is called by its name.
    fn told<T>(&self, result: Result<T>, doing: &'static str, at: &Path) -> std::result::Result<T, BackupError> {
        match result {
            Err(Errno::XDEV) => Err(BackupError::MountedInside { dir: self.base.to_owned(), mounted: self.base.join(at) }),
            result => result.doing(doing, self.base.join(at)),
        }
    }
}

impl<'a> Copier<'a> {
    pub(super) fn new(disk: &'a Disk, stop: &'a dyn Fn() -> bool) -> Self {
        Self { disk, stop, clones: Clones::default(), contents: Contents::default(), left_out: Vec::new() }
    }

    /// Copies the directory `base`, a path without links, to the new directory `copy`.
    pub(super) fn tree(&mut self, base: &Path, copy: &Path) -> std::result::Result<(), BackupError> {
        std::fs::create_dir(copy).doing("make", copy)?;
        let (from, to) = (tree::open_root(base).doing("open", base)?, tree::open_root(copy).doing("open", copy)?);
        let sides = Sides { base, from: from.as_fd(), copy, to: to.as_fd() };
        let mut dirs = vec![PathBuf::new()];
        let mut next = 0;
        while let Some(at) = dirs.get(next).cloned() {
            next += 1;
            dirs.extend(self.directory(&sides, &at)?);
        }
        // Only now, since each entry made in a directory changes it, and one may forbid it.
        let finish = |at: &PathBuf| {
            let (mut from, mut to) = (Tree::new(sides.from), Tree::new(sides.to));
            let original = from.handle(at)?;
            copy_meta(&original, &to.handle(at)?, &Node::open(&original)?)
        };
        dirs.iter().rev().try_for_each(|at| finish(at).map(drop).doing("copy", base.join(at)))
    }

    /// Copies what lies in one directory; the directories among that are for later.
    fn directory(&mut self, sides: &Sides<'_>, at: &Path) -> std::result::Result<Vec<PathBuf>, BackupError> {
        let names = sides.told(tree::open_dir(sides.from, at).and_then(tree::names), "read", at)?;
        let mut databases = BTreeSet::new();
        for name in names.iter().filter(|name| !place::is_ours(name)) {
            if sides.told(is_database(sides.from, &at.join(name)), "read", &at.join(name))? {
                databases.insert(name.clone());
            }
        }
        let companions = companions(&databases);
        let mut dirs = Vec::new();
        for name in names.iter().filter(|name| !place::is_ours(name) && !companions.contains(*name)) {
            if (self.stop)() {
                return Err(BackupError::Stopped);
            }
            let entry = at.join(name);
            self.disk.point().doing("copy", sides.base.join(&entry))?;
            if databases.contains(name) {
                self.database(sides, &entry)?;
            } else if sides.told(self.entry(sides, &entry), "copy", &entry)? == Some(Kind::Dir) {
                dirs.push(entry);
            }
        }
        Ok(dirs)
    }

    fn database(&mut self, sides: &Sides<'_>, at: &Path) -> std::result::Result<(), BackupError> {
        let (path, copy) = (sides.base.join(at), sides.copy.join(at));
        database::copy(&path, &copy, self.stop)?;
        let finish = || -> Result<Option<Node>> {
            let (mut from, mut to) = (Tree::new(sides.from), Tree::new(sides.to));
            // It may be another by now, or none: then the copy keeps what it has.
            match from.node(at)? {
                Some(node) if node.kind == Kind::File => copy_meta(&from.handle(at)?, &to.handle(at)?, &node).map(Some),
                _ => to.node(at),
            }
        };
        let size = finish().doing("copy", &path)?.map_or(0, |node| node.size);
        self.count(size);
        self.contents.databases += 1;
        Ok(())
    }

    /// Copies one entry, and tells what it is; none if it vanished meanwhile.
    fn entry(&mut self, sides: &Sides<'_>, at: &Path) -> Result<Option<Kind>> {
        let (mut from, mut to) = (Tree::new(sides.from), Tree::new(sides.to));
        let Some(node) = from.node(at)? else { return Ok(None) };
        let (dir, name) = to.place(at)?;
        let mut bytes = 0;
        match node.kind {
            Kind::File => {
                let original = match tree::open_below(sides.from, at, OFlags::RDONLY | OFlags::NONBLOCK) {
                    Err(Errno::NOENT) => return Ok(None),
                    original => original?,
                };
                let new = rustix::fs::openat(dir, name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC, Mode::RWXU)?;
                let data = content::data(original.as_fd())?;
                self.clones.content(&original, &new, &data)?;
                bytes = content::amount(&data);
            }
            Kind::Link => {
                let (dir_from, name_from) = from.place(at)?;
                let target = rustix::fs::readlinkat(dir_from, name_from, Vec::new())?;
                rustix::fs::symlinkat(target, dir, name)?;
            }
            Kind::Pipe => rustix::fs::mkfifoat(dir, name, Mode::RWXU)?,
            Kind::Dir => rustix::fs::mkdirat(dir, name, Mode::RWXU)?,
            Kind::Socket | Kind::Device => {
                self.left_out.push(sides.base.join(at).display().to_string());
                return Ok(Some(node.kind));
            }
        }
        if node.kind != Kind::Dir {
            copy_meta(&from.handle(at)?, &to.handle(at)?, &node)?;
        }
        self.count(bytes);
        Ok(Some(node.kind))
    }

    fn count(&mut self, bytes: u64) {
        self.contents.files += 1;
        self.contents.bytes += bytes;
    }
}

/// Whether a regular file begins as databases do.
fn is_database(from: BorrowedFd<'_>, at: &Path) -> Result<bool> {
    if !Tree::new(from).node(at)?.is_some_and(|node| node.kind == Kind::File) {
        return Ok(false);
    }
    let file = match tree::open_below(from, at, OFlags::RDONLY | OFlags::NONBLOCK) {
        Err(Errno::NOENT) => return Ok(false),
        file => file?,
    };
    let mut head = [0; MAGIC.len()];
    Ok(rustix::io::pread(&file, &mut head, 0)? == head.len() && head == MAGIC)
}

/// The names that belong to databases of these names.
fn companions(databases: &BTreeSet<OsString>) -> BTreeSet<OsString> {
    let named = |database: &OsString, ending: &&str| {
        let mut name = database.clone();
        name.push(OsStr::new(ending));
        name
    };
    databases.iter().flat_map(|database| COMPANIONS.iter().map(move |ending| named(database, ending))).collect()
}
