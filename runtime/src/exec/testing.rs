//! Views of stages, as tests make them.

use super::Staged;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a view can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An ordinary directory that holds a copy.
    Copy,
    /// A mount without a path: the kernel's overlay of the directory.
    Overlay,
    /// A mount without a path: of a directory that holds a copy.
    Bind,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Copy, Self::Overlay, Self::Bind];

    /// A view of `base`, which it shows, for the grant at `guest`. What belongs to it lies in `stage`,
    /// which is made. `None`, and a line that says so, if this user may not mount.
    pub(super) fn view(self, base: &str, stage: &str, guest: &str) -> Option<Staged> {
        std::fs::create_dir(stage).unwrap();
        let opened = match self {
            Self::Copy => Ok(copied(base, stage)),
            Self::Overlay => overlay(base, stage),
            Self::Bind => {
                copied(base, stage);
                rustix::mount::open_tree(CWD, stage, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
            }
        };
        match opened {
            Ok(dir) => Some(Staged { guest: guest.to_owned(), dir: Arc::new(dir), user_namespace: None, of: None, live: Vec::new() }),
            Err(rustix::io::Errno::PERM) => {
                eprintln!("not shown here: views that are {self:?}, since this user may not mount");
                None
            }
            Err(errno) => panic!("{self:?}: {errno}"),
        }
    }
}

/// Where a test finds what is in a view.
pub(super) fn inside(view: &Staged, name: &str) -> PathBuf {
    Path::new(&format!("/proc/self/fd/{}", view.dir.as_raw_fd())).join(name)
}

/// Whether a directory's name stands in this process's mount table.
pub(super) fn is_mounted_below(dir: &Path) -> bool {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(dir.to_str().unwrap())
}

fn copied(base: &str, to: &str) -> OwnedFd {
    let copied = std::process::Command::new("cp").args(["-a", &format!("{base}/."), to]).status().unwrap();
    assert!(copied.success());
    rustix::fs::openat(CWD, to, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

fn overlay(base: &str, stage: &str) -> rustix::io::Result<OwnedFd> {
    let (upper, work) = (format!("{stage}/upper"), format!("{stage}/work"));
    std::fs::create_dir(&upper).unwrap();
    std::fs::create_dir(&work).unwrap();
    let overlay = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, dir) in [("lowerdir", base), ("upperdir", &upper), ("workdir", &work)] {
        rustix::mount::fsconfig_set_string(&overlay, key, dir)?;
    }
    rustix::mount::fsconfig_create(&overlay)?;
    rustix::mount::fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}
