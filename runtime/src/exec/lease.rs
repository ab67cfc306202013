//! Private directories whose owner can be proved dead. Each is locked (`flock`) through a handle of its own for as long as its owner lives; the
//! kernel lets go of the lock when the owner's process is gone, however it went. So what a killed wasmhook left behind is what nobody has locked.
//!
//! Making and sweeping at once is safe without waiting: nobody uses a directory before it is locked and still has its name, and nobody removes
//! one without having locked it.

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the names of leased directories begin with. No other directory is ever swept.
const PREFIX: &str = "wasmhook-private-";

/// How often a directory is made anew that somebody swept away before it was locked.
const TRIES: u32 = 16;

/// Most names that one sweep looks at, and when it begins with no further directory.
const MAX_NAMES: usize = 10_000;
const SWEEP: Duration = Duration::from_secs(10);

/// A directory of mode 0700, its owner's as long as this lives. Dropping it doesn't remove the directory.
pub(super) struct Lease {
    path: PathBuf,
    /// Closed on exec: no program that is started inherits it.
    _lock: OwnedFd,
}

impl Lease {
    /// Makes a new, empty directory in `root`.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn create(root: &Path) -> io::Result<Self> {
        for _ in 0..TRIES {
            let mode = Permissions::from_mode(0o700);
            let path = tempfile::Builder::new().prefix(PREFIX).permissions(mode).tempdir_in(root)?.keep();
            match claim(&path)? {
                Claim::Ours(lock) | Claim::NoLocks(lock) => return Ok(Self { path, _lock: lock }),
                Claim::Theirs => {}
            }
        }
        Err(io::Error::other("each new directory was swept away at once"))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A leased directory that is removed with this value.
pub(super) struct Leased(Lease);

impl Leased {
    /// Makes a new, empty directory in `root`.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn create(root: &Path) -> io::Result<Self> {
        Lease::create(root).map(Self)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        remove(self.0.path());
    }
}

enum Claim {
    /// It is locked, and has its name.
    Ours(OwnedFd),
    /// Somebody else has locked it or owns it, it is gone, or it is no directory.
    Theirs,
    /// The file system has no locks: nothing in it is ever swept.
    NoLocks(OwnedFd),
}

/// Tries to lock the directory `path`, following no link.
fn claim(path: &Path) -> io::Result<Claim> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
        Ok(dir) => dir,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Claim::Theirs),
        Err(errno) => return Err(errno.into()),
    };
    let opened = rustix::fs::fstat(&dir)?;
    if opened.st_uid != rustix::process::geteuid().as_raw() {
        return Ok(Claim::Theirs);
    }
    match rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(Claim::Theirs),
        Err(_) => return Ok(Claim::NoLocks(dir)),
    }
    // Who had locked it before may have removed it.
    match rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) if (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino) => Ok(Claim::Ours(dir)),
        Ok(_) | Err(Errno::NOENT) => Ok(Claim::Theirs),
        Err(errno) => Err(errno.into()),
    }
}

/// Sweeps `root` on a thread of its own: nobody waits for it, and what it doesn't get done the next process does.
pub(super) fn sweep_meanwhile(root: &Path) {
    let root = root.to_owned();
    let started = std::thread::Builder::new().name("wasmhook-sweep".to_owned()).spawn(move || sweep(&root));
    if let Err(error) = started {
        tracing::debug!(%error, "what killed processes left behind is not removed this time");
    }
}

/// Removes the leased directories in `root` that belong to this user and to no process.
fn sweep(root: &Path) {
    let until = Instant::now() + SWEEP;
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten().take(MAX_NAMES) {
        if Instant::now() >= until {
            return;
        }
        let is_leased = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_leased && let Ok(Claim::Ours(_lock)) = claim(&entry.path()) {
            tracing::debug!(path = %entry.path().display(), "removing what a killed process left behind");
            remove(&entry.path());
        }
    }
}

/// Removes a tree. A hook may have left directories without write permission (package caches do): they are unlocked, and it is tried once more.
pub(super) fn remove(dir: &Path) {
    let removed = std::fs::remove_dir_all(dir).or_else(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return Ok(());
        }
        unlock(dir);
        std::fs::remove_dir_all(dir)
    });
    if let Err(error) = removed {
        tracing::warn!(path = %dir.display(), %error, "a private directory could not be removed");
    }
}

/// Makes every directory of a tree ours to change. Each is opened without following a link first, and changed through that handle.
#[cfg(target_os = "linux")]
fn unlock(path: &Path) {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(dir) = rustix::fs::openat(CWD, path, flags, Mode::empty()) else { return };
    let handle = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&dir)));
    // What can't be unlocked stays, and the removal says so.
    let _ = std::fs::set_permissions(&handle, Permissions::from_mode(0o700));
    let Ok(entries) = std::fs::read_dir(&handle) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            unlock(&path.join(entry.file_name()));
        }
    }
}

/// Elsewhere there is no handle on a directory that may not be read: what can't be removed stays, and the removal says so.
#[cfg(not(target_os = "linux"))]
fn unlock(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A directory as a killed process leaves it: full, and locked by nobody.
    fn left_behind(root: &Path) -> PathBuf {
        let path = Lease::create(root).unwrap().path().to_owned();
        fs::create_dir_all(path.join("cache/read-only")).unwrap();
        fs::write(path.join("cache/read-only/file"), "x").unwrap();
        fs::set_permissions(path.join("cache/read-only"), Permissions::from_mode(0o500)).unwrap();
        path
    }

    #[test]
    fn what_nobody_has_locked_is_swept_and_what_lives_stays() {
        let root = tempfile::tempdir().unwrap();
        let (dead, live) = (left_behind(root.path()), Lease::create(root.path()).unwrap());
        fs::write(live.path().join("file"), "x").unwrap();
        sweep(root.path());
        assert!(!dead.exists());
        assert!(live.path().join("file").exists());
        let path = live.path().to_owned();
        drop(live);
        sweep(root.path());
        assert!(!path.exists());
    }

    #[test]
    fn other_names_files_and_links_are_left_alone() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = left_behind(outside.path());
        let others = ["wasmhook-abc", "mine", "wasmhook-privat"].map(|name| root.path().join(name));
        for dir in &others {
            fs::create_dir(dir).unwrap();
        }
        let link = root.path().join(format!("{PREFIX}link"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let file = root.path().join(format!("{PREFIX}file"));
        fs::write(&file, "x").unwrap();
        fs::write(outside.path().join("kept"), "x").unwrap();
        let dead = left_behind(root.path());
        std::os::unix::fs::symlink(outside.path(), dead.join("out")).unwrap();
        sweep(root.path());
        assert!(others.iter().all(|dir| dir.exists()) && link.is_symlink() && file.exists());
        assert!(target.join("cache/read-only/file").exists(), "no link was followed to it");
        assert!(!dead.exists() && outside.path().join("kept").exists(), "nor out of what was removed");
    }

    #[test]
    fn a_directory_is_never_taken_from_under_whoever_just_made_it() {
        let root = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    sweep(root.path());
                }
            });
            for _ in 0..500 {
                let lease = Lease::create(root.path()).unwrap();
                fs::write(lease.path().join("file"), "x").unwrap();
                assert!(lease.path().join("file").exists());
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
