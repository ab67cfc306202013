//! A hook's private mount namespace, in which it finds directories where the machine has others: the view of a stage, a directory at another path,
//! a private one. Everything is prepared here, before the fork; [`Mounts::enter`] runs in the hook's own process.
//!
//! In a *dry* run everything else is read only there, and the hook has no network and no IPC with the machine.

use super::NotRun;
use super::places::{Place, handle};
use super::private::Private;
use super::sys::{self, Isolation};
use super::wire::{Failure, Stage};
use crate::exec::ExecError;
use crate::model::grant::{Capability, Denial, DirMode};
use crate::model::outcome::Cause;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags};
use rustix::thread::{CapabilitySet, LinkNameSpaceType};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// What is done to a hook's mount namespace, ready to be done by system calls alone.
pub(super) struct Mounts {
    owner: Owner,
    /// Outermost first: what is put inside another comes later.
    trees: Vec<Tree>,
    dry: bool,
}

/// Which user namespace owns the mount namespace: mounting takes rights in it.
enum Owner {
    /// This process's own, in which it has those rights.
    Ours,
    /// The one that owns the views.
    Views(Arc<OwnedFd>),
    /// A new one, in which this user is itself. The rights in it end when the program is executed, unless the user is root.
    New {
        /// The lines of `uid_map` and `gid_map`.
        uid_map: String,
        gid_map: String,
    },
}

/// A directory, and the place where the hook finds it.
struct Tree {
    source: Source,
    at: CString,
    read_only: bool,
}

enum Source {
    /// A mount that has no path.
    Detached(Arc<OwnedFd>),
    /// A directory with a path. A handle leads to it in the machine's mount namespace, not in the hook's: there it is found anew.
    Directory { path: CString, identity: Identity },
}

/// A device and an inode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    fn of(file: impl AsFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        Ok(Self(stat.st_dev, stat.st_ino))
    }
}

impl Mounts {
    /// Everything that `places` need.
    ///
    /// # Errors
    /// [`NotRun`], if the grants can't hold together or the machinery failed.
    pub(super) fn of(places: &[Place<'_>], private: &Private, dry: bool) -> Result<Self, NotRun> {
        let mut moved: Vec<&Place<'_>> = places.iter().filter(|place| place.replaces || is_covered(place, places)).collect();
        moved.sort_by_key(|place| place.at.components().count());
        let mut trees = moved.into_iter().map(Tree::of).collect::<io::Result<Vec<_>>>().map_err(broken)?;
        if dry {
            // It stays where it is, but can be written to there.
            trees.push(Tree::of_home(private).map_err(broken)?);
        }
        Ok(Self { owner: owner(places)?, trees, dry })
    }

    /// How many directories are put in place.
    pub(super) fn len(&self) -> usize {
        self.trees.len()
    }

    /// The open directories and namespaces that it takes.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let owner = if let Owner::Views(namespace) = &self.owner { Some(namespace.as_fd()) } else { None };
        let views = self.trees.iter().filter_map(|tree| if let Source::Detached(view) = &tree.source { Some(view.as_fd()) } else { None });
        owner.into_iter().chain(views)
    }

    /// Moves the calling process into the namespace. All directories are taken before the first is put in place: what lies under another is then out
    /// of reach. `trees` has room for [`len`](Self::len) of them: system calls only, no allocation.
    ///
    /// # Errors
    /// The point at which it failed, and for which directory.
    pub(super) fn enter(&self, trees: &mut Vec<OwnedFd>) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::at(Stage::Namespace, &error);
        self.separate().map_err(failed)?;
        rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .map_err(|errno| failed(errno.into()))?;
        for (index, tree) in self.trees.iter().enumerate() {
            trees.push(tree.take().map_err(|error| Failure::mounting(index, &error))?);
        }
        if self.dry {
            sys::make_read_only(CWD, c"/").map_err(failed)?;
        }
        for (index, (tree, taken)) in self.trees.iter().zip(trees.iter()).enumerate() {
            tree.put(taken).map_err(|error| Failure::mounting(index, &error))?;
        }
        Ok(())
    }

    fn separate(&self) -> io::Result<()> {
        let isolation = if self.dry { Isolation::Everything } else { Isolation::Mounts };
        match &self.owner {
            Owner::Ours => sys::unshare(isolation),
            Owner::Views(namespace) => {
                rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::User))?;
                sys::unshare(isolation)
            }
            Owner::New { uid_map, gid_map } => {
                sys::unshare_with_user(isolation)?;
                write(c"/proc/self/setgroups", "deny")?;
                write(c"/proc/self/uid_map", uid_map)?;
                write(c"/proc/self/gid_map", gid_map)
            }
        }
    }

    /// What it means for the hook that this machine couldn't do it: nothing of it ran. `None` if it failed at something else.
    pub(super) fn explain(&self, failure: Failure) -> Option<Cause> {
        let error = io::Error::from_raw_os_error(failure.errno);
        let tree = self.trees.get(usize::from(failure.mount));
        let needs = match (failure.stage, tree) {
            (Stage::Mount, Some(tree)) => format!("a directory of its own over `{}`: {error}", tree.at.to_string_lossy()),
            (Stage::Namespace | Stage::Mount, _) if self.dry => format!("private mount, network and IPC namespaces: {error}"),
            (Stage::Namespace | Stage::Mount, _) => format!("a private mount namespace: {error}"),
            (Stage::Confine, _) if self.dry => format!("Landlock and seccomp: {error}"),
            _ => return None,
        };
        if self.dry {
            return Some(Cause::Unsupported { needs });
        }
        let what = format!("its directories need {needs}");
        let is_refused_view = failure.errno == libc::EINVAL
            && tree.is_some_and(|tree| failure.stage == Stage::Mount && matches!(tree.source, Source::Detached(_)));
        let allow = if is_refused_view { WAY_OUT_BEFORE_6_15 } else { WAY_OUT };
        Some(Cause::Denied { denial: Denial { capability: Capability::Dir, what, allow: allow.to_owned() } })
    }
}

/// What a machine without namespaces needs.
const WAY_OUT: &str =
    "run wasmhook as root, or allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)";

/// What a kernel needs that can't attach a directory inside a staged one.
const WAY_OUT_BEFORE_6_15: &str = "use Linux 6.15 or newer, or grant only the directory around it";

impl Tree {
    fn of(place: &Place<'_>) -> io::Result<Self> {
        Ok(Self { source: source(&place.dir)?, at: c_path(&place.at)?, read_only: place.grant.mode == DirMode::Read })
    }

    fn of_home(private: &Private) -> io::Result<Self> {
        Ok(Self { source: source(&Arc::new(private.open_home()?))?, at: c_path(private.home())?, read_only: false })
    }

    /// A mount of the directory, with what is mounted below it, that has no place yet.
    fn take(&self) -> io::Result<OwnedFd> {
        let tree = self.copy()?;
        if self.read_only {
            sys::make_read_only(tree.as_fd(), c"")?;
        }
        Ok(tree)
    }

    fn copy(&self) -> io::Result<OwnedFd> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        match &self.source {
            Source::Detached(view) => match rustix::mount::open_tree(view, c"", flags | OpenTreeFlags::AT_EMPTY_PATH) {
                // Before Linux 6.15 a mount without a place can't be copied, but it can be given one: once.
                Err(rustix::io::Errno::INVAL) => Ok(rustix::io::fcntl_dupfd_cloexec(view, 0)?),
                tree => Ok(tree?),
            },
            Source::Directory { path, identity } => {
                let tree = rustix::mount::open_tree(CWD, path.as_c_str(), flags | OpenTreeFlags::AT_SYMLINK_NOFOLLOW)?;
                if Identity::of(&tree)? == *identity { Ok(tree) } else { Err(rustix::io::Errno::STALE.into()) }
            }
        }
    }

    /// Puts it over the directory that lies at its place. Below a stage somebody may have put a link there since: it isn't followed.
    fn put(&self, taken: &OwnedFd) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let at = rustix::fs::openat2(CWD, self.at.as_c_str(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        Ok(rustix::mount::move_mount(taken, c"", &at, c"", flags)?)
    }
}

fn write(file: &std::ffi::CStr, text: &str) -> io::Result<()> {
    let file = rustix::fs::openat(CWD, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text.as_bytes())?;
    Ok(())
}

fn broken(error: io::Error) -> NotRun {
    ExecError::new("preparing the hook's mounts", error).into()
}

/// Whether what replaces another directory would hide it.
fn is_covered(place: &Place<'_>, places: &[Place<'_>]) -> bool {
    places.iter().any(|other| other.replaces && other.at != place.at && place.at.starts_with(&other.at))
}

/// A directory that its own path leads to, on the same mount, is an ordinary one.
fn source(dir: &Arc<OwnedFd>) -> io::Result<Source> {
    let path = std::fs::read_link(handle(dir))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let found = rustix::fs::openat(CWD, &path, flags, Mode::empty());
    match found {
        Ok(found) if Identity::of(&found)? == Identity::of(dir)? && mount_of(&found)? == mount_of(dir)? => {
            Ok(Source::Directory { path: c_path(&path)?, identity: Identity::of(dir)? })
        }
        _ => Ok(Source::Detached(Arc::clone(dir))),
    }
}

fn mount_of(dir: &OwnedFd) -> io::Result<u64> {
    let flags = rustix::fs::AtFlags::EMPTY_PATH;
    Ok(rustix::fs::statx(dir, c"", flags, rustix::fs::StatxFlags::MNT_ID)?.stx_mnt_id)
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn owner(places: &[Place<'_>]) -> Result<Owner, NotRun> {
    let mut owners = places.iter().filter_map(|place| place.user_namespace.as_ref());
    if let Some(first) = owners.next() {
        for other in owners {
            if Identity::of(first).map_err(broken)? != Identity::of(other).map_err(broken)? {
                return Err(different_owners().into());
            }
        }
        return Ok(Owner::Views(Arc::clone(first)));
    }
    let privileged = rustix::thread::capabilities(None).is_ok_and(|ours| ours.effective.contains(CapabilitySet::SYS_ADMIN));
    if privileged {
        return Ok(Owner::Ours);
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Ok(Owner::New { uid_map: format!("{uid} {uid} 1"), gid_map: format!("{gid} {gid} 1") })
}

fn different_owners() -> Denial {
    Denial {
        capability: Capability::Dir,
        what: "the stages of this hook were made in different user namespaces, and a process can enter only one".to_owned(),
        allow: "stage its directories together".to_owned(),
    }
}
