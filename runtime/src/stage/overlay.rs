//! The first back end: the kernel's overlayfs, as a mount that is attached nowhere. It costs the same whatever the tree's size.
//!
//! No option by which overlayfs would keep more than files in its upper directory is used: what lies there can be renamed into the base.

use super::sys;
use super::tree::{self, Identity, Node};
use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
use rustix::io::{Errno, Result};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};
use rustix::mount::{fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What one overlay is made of.
#[derive(Debug)]
pub(super) struct Layers {
    /// The granted directory, without links, and which one it is.
    pub base: (PathBuf, Identity),
    /// The stage's own directory, which holds `upper`, and the mounts' work directories.
    pub stage: (PathBuf, Identity),
    /// Live directories that stay visible in it.
    pub nested: Vec<Nested>,
}

/// A live directory inside a staged one.
#[derive(Debug, Clone)]
pub(super) struct Nested {
    /// Where it stands in the staged directory.
    pub at: PathBuf,
    /// Its path on the host, without links.
    pub host: PathBuf,
    /// Its path as it was granted.
    pub granted: PathBuf,
    /// Which one it is.
    pub identity: Identity,
}

/// Why there is no overlay.
#[derive(Debug)]
pub(super) enum Failure {
    Mount(Errno),
    Nested(PathBuf, Errno),
    /// What lies at this path in the merged tree can't be shown by itself.
    Below(PathBuf, Errno),
    /// Another directory stands there by now.
    Replaced(PathBuf),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Mount(errno)
    }
}

/// Who owns the mounts.
#[derive(Debug)]
pub(super) enum Owner {
    /// This process's user, who may mount.
    Caller,
    /// A user namespace.
    Namespace(OwnedFd),
}

/// A mounted overlay.
#[derive(Debug)]
pub(super) struct Mounted {
    mount: OwnedFd,
    /// The first view of it, where it was made in a namespace: to enter that again costs as much as to make it.
    first_view: Mutex<Option<OwnedFd>>,
}

/// An overlay, or why there is none.
pub(super) type Made = std::result::Result<Mounted, Failure>;

/// Mounts overlays as the caller.
pub(super) fn mount_as_caller(layers: &Layers) -> Made {
    mount(layers, 0, false).map(|mount| Mounted { mount, first_view: Mutex::default() })
}

/// Mounts overlays as the owner of a new user namespace, which is one for all of them.
pub(super) fn mount_in_namespace(all: &[&Layers]) -> Result<(OwnedFd, Vec<Made>)> {
    let mut mounts = Vec::with_capacity(all.len());
    let mut namespace = None;
    sys::in_user_namespace(None, &mut || {
        namespace = Some(sys::this_user_namespace()?);
        // Where what is attached nowhere can't be copied, the first view is made as the others are.
        let viewed = |mount: OwnedFd| Mounted { first_view: Mutex::new(clone(mount.as_fd()).ok()), mount };
        mounts.extend(all.iter().map(|layers| mount(layers, 0, true).map(viewed)));
        Ok(())
    })?;
    Ok((namespace.ok_or(Errno::INVAL)?, mounts))
}

/// Another mount of what lies `below` in the same merged tree (the empty path: of all of it): attached nowhere, and free to be attached, since its
/// root is what is to be seen. A directory in a mount can't be attached by itself.
///
/// Linux before 6.15 doesn't copy what is attached nowhere. There the layers are mounted anew, as the `serial`th mount, and whoever uses two
/// at a time may not see in one what was written through the other; and a directory below can be looked into, but not attached.
pub(super) fn view(layers: &Layers, mounted: &Mounted, owner: &Owner, below: &Path, serial: u32) -> std::result::Result<OwnedFd, Failure> {
    let is_whole = below.as_os_str().is_empty();
    let first = || mounted.first_view.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(first) = is_whole.then(first).flatten() {
        return Ok(first);
    }
    let inside = |mount: &OwnedFd| tree::open_seen(mount, below).map_err(|errno| Failure::Below(below.to_owned(), errno));
    let again = |user| match clone(inside(&mounted.mount)?.as_fd()) {
        Err(Errno::INVAL) => self::mount(layers, serial, user).and_then(|mount| if is_whole { Ok(mount) } else { inside(&mount) }),
        cloned => Ok(cloned?),
    };
    match owner {
        Owner::Caller => again(false),
        Owner::Namespace(namespace) => {
            let mut view = None;
            sys::in_user_namespace(Some(namespace.as_fd()), &mut || {
                view = Some(again(true));
                Ok(())
            })?;
            view.unwrap_or(Err(Failure::Mount(Errno::INVAL)))
        }
    }
}

fn clone(mount: BorrowedFd<'_>) -> Result<OwnedFd> {
    let whole = OpenTreeFlags::AT_EMPTY_PATH | OpenTreeFlags::AT_RECURSIVE;
    open_tree(mount, c"", whole | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

/// In the mount namespace of the moment: directories are opened by their paths, since a handle belongs to the namespace it was opened in.
fn mount(layers: &Layers, serial: u32, user: bool) -> std::result::Result<OwnedFd, Failure> {
    let base = open_same(&layers.base.0, layers.base.1)?;
    let stage = open_same(&layers.stage.0, layers.stage.1)?;
    let upper = tree::open_below(&stage, Path::new("upper"), OFlags::PATH | OFlags::DIRECTORY)?;
    // Each mount has its own: one that another mount uses, or left behind, is refused.
    let work = format!("work{serial}");
    rustix::fs::mkdirat(&stage, &work, Mode::RWXU)?;
    let work = tree::open_below(&stage, Path::new(&work), OFlags::PATH | OFlags::DIRECTORY)?;

    let overlay = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&overlay, c"source", c"wasmhook")?;
    for (key, dir) in [(c"lowerdir", &base), (c"upperdir", &upper), (c"workdir", &work)] {
        fsconfig_set_string(&overlay, key, super::disk::own_path(&dir))?;
    }
    for (key, value) in [(c"redirect_dir", c"nofollow"), (c"index", c"off"), (c"metacopy", c"off"), (c"xino", c"off")] {
        fsconfig_set_string(&overlay, key, value)?;
    }
    // What must survive is synced by the commit; until then nothing has to.
    fsconfig_set_flag(&overlay, c"volatile")?;
    if user {
        fsconfig_set_flag(&overlay, c"userxattr")?;
    }
    fsconfig_create(&overlay)?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
    if rustix::fs::fstatvfs(&base)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    }
    let mount = fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    for nested in &layers.nested {
        let live = open_same(&nested.host, nested.identity)?;
        show(&live, nested, &mount).map_err(|errno| Failure::Nested(nested.host.clone(), errno))?;
    }
    Ok(mount)
}

/// Opens the directory that stood at a path when the stage was begun.
fn open_same(path: &Path, identity: Identity) -> std::result::Result<OwnedFd, Failure> {
    let replaced = || Failure::Replaced(path.to_owned());
    let dir = match tree::open_root(path) {
        Err(error) if tree::is_absent(error) => return Err(replaced()),
        dir => dir?,
    };
    if Node::open(&dir)?.identity() == identity { Ok(dir) } else { Err(replaced()) }
}

/// Mounts a live directory where it stands in the merged tree.
fn show(live: &OwnedFd, nested: &Nested, merged: &OwnedFd) -> Result<()> {
    let live = clone(live.as_fd())?;
    move_mount(live, c"", merged, nested.at.as_path(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// What overlayfs noted on an entry of its upper directory.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// A directory that hides the one below it.
    pub is_opaque: bool,
    /// It was copied up: something stood in the base.
    pub is_copy: bool,
}

impl Marks {
    pub(super) fn of(entry: impl AsFd, node: &Node) -> Result<Self> {
        let mut marks = Self::default();
        for name in tree::xattr_names(&entry)?.iter().filter(|name| tree::is_overlay_mark(name)) {
            let name_is = |what: &str| name.as_bytes().ends_with(what.as_bytes());
            marks.is_copy |= name_is(".origin");
            marks.is_opaque |= node.is_dir() && name_is(".opaque") && tree::xattr(&entry, name)?.is_some_and(|value| value == b"y");
        }
        Ok(marks)
    }
}
