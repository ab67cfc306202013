//! A directory, opened: what is decided about it is decided about this handle, and what a guest gets is opened from it. So a link that is put in
//! the directory's place meanwhile changes nothing.

use rustix::fs::{CWD, Mode, OFlags, openat};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
const FLAGS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
pub struct Handle {
    fd: OwnedFd,
    path: PathBuf,
}

/// Which directory it is.
pub(super) struct Stat {
    /// Device and inode.
    pub(super) identity: (u64, u64),
    /// The mount it was reached through, where the kernel says.
    pub(super) mount: Option<u64>,
}

impl Handle {
    /// Opens the directory at `host`, an absolute path, and finds out where it really is.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(host: &Path) -> io::Result<Self> {
        if let Some(fd) = open_without_links(host) {
            return Ok(Self { fd, path: host.components().collect() });
        }
        let fd = openat(CWD, host, FLAGS, Mode::empty())?;
        let path = real_path(&fd, host)?;
        Ok(Self { fd, path })
    }

    /// Where the directory was, without links, when it was opened.
    #[must_use]
    pub fn real_path(&self) -> &Path {
        &self.path
    }

    /// A path by which this process opens this very directory again, wherever it is by then.
    #[must_use]
    pub fn reopen_path(&self) -> PathBuf {
        if cfg!(target_os = "linux") { format!("/proc/self/fd/{}", self.fd.as_raw_fd()).into() } else { self.path.clone() }
    }

    /// Which directory it is.
    #[cfg(target_os = "linux")]
    pub(super) fn stat(&self) -> io::Result<Stat> {
        use rustix::fs::{AtFlags, StatxFlags, makedev, statx};
        let stat = statx(&self.fd, c"", AtFlags::EMPTY_PATH, StatxFlags::INO | StatxFlags::MNT_ID)?;
        let knows_mount = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        Ok(Stat {
            identity: (makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino),
            mount: knows_mount.then_some(stat.stx_mnt_id),
        })
    }

    /// Which directory it is.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn stat(&self) -> io::Result<Stat> {
        use std::os::unix::fs::MetadataExt;
        let stat = std::fs::File::from(self.fd.try_clone()?).metadata()?;
        Ok(Stat { identity: (stat.dev(), stat.ino()), mount: None })
    }
}

impl From<Handle> for OwnedFd {
    fn from(handle: Handle) -> Self {
        handle.fd
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Opens `host` if no part of it is a link: then it is the directory's real path as it stands. `None` if that didn't work, for whatever reason:
/// the usual way says which.
#[cfg(target_os = "linux")]
fn open_without_links(host: &Path) -> Option<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};
    use std::path::Component;
    let plain = host.is_absolute() && host.components().all(|part| part != Component::ParentDir);
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    plain.then(|| openat2(CWD, host, FLAGS, Mode::empty(), resolve).ok()).flatten()
}

#[cfg(not(target_os = "linux"))]
fn open_without_links(_host: &Path) -> Option<OwnedFd> {
    None
}

/// Where the directory behind a handle is: the kernel's word, not another walk.
#[cfg(target_os = "linux")]
fn real_path(fd: &OwnedFd, _host: &Path) -> io::Result<PathBuf> {
    use std::path::Component;
    let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    let known = path.is_absolute() && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if known { Ok(path) } else { Err(io::Error::other("it lies outside of everything that this process can walk to")) }
}

#[cfg(not(target_os = "linux"))]
fn real_path(_fd: &OwnedFd, host: &Path) -> io::Result<PathBuf> {
    host.canonicalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_handle_knows_the_path_that_its_links_lead_to() {
        let tree = tempfile::tempdir().unwrap();
        let tree = tree.path().canonicalize().unwrap();
        fs::create_dir_all(tree.join("real/in")).unwrap();
        symlink("real", tree.join("link")).unwrap();
        for way in ["real/in", "link/in", "real/../link/./in", "real/in/"] {
            assert_eq!(Handle::open(&tree.join(way)).unwrap().real_path(), tree.join("real/in"), "{way}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_opened_again_is_what_was_opened_whatever_took_its_place() {
        let tree = tempfile::tempdir().unwrap();
        let (granted, secret) = (tree.path().join("granted"), tree.path().join("secret"));
        fs::create_dir(&granted).unwrap();
        fs::create_dir(&secret).unwrap();
        fs::write(granted.join("mine"), "").unwrap();
        let handle = Handle::open(&granted).unwrap();
        fs::rename(&granted, tree.path().join("moved")).unwrap();
        symlink(&secret, &granted).unwrap();
        let names: Vec<_> = fs::read_dir(handle.reopen_path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["mine"]);
    }

    #[test]
    fn what_is_no_directory_is_not_opened() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("file"), "").unwrap();
        assert!(Handle::open(&tree.path().join("file")).is_err());
        assert!(Handle::open(&tree.path().join("absent")).is_err());
    }
}
