//! The one way by which a stage changes what must survive a crash. Each call is a *point*: a test lets the program die there, or the disk fail.
//! The ledger passes points of the same disk before and after each of its writes.

use super::content;
use super::tree::Meta;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::{Errno, Result};
use std::ffi::{CStr, OsStr};
#[cfg(test)]
use std::os::fd::BorrowedFd;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What goes wrong at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The program is killed just before the point.
    Kill,
    /// The point fails with "input/output error".
    Io,
    /// The point fails with "no space left on device".
    NoSpace,
}

/// Which point fails, and how. The default: none.
///
/// Written `POINT:FAULT`, as in `7:kill`, `0:eio`, `12:enospc`; points are counted from 0 over the life of a [`Disk`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultPlan(Option<(u64, Fault)>);

impl FaultPlan {
    /// The `fault` at the point of this number.
    #[must_use]
    pub const fn at(point: u64, fault: Fault) -> Self {
        Self(Some((point, fault)))
    }
}

impl FromStr for FaultPlan {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let faults = [("kill", Fault::Kill), ("eio", Fault::Io), ("enospc", Fault::NoSpace)];
        let parsed = text.split_once(':').and_then(|(point, word)| {
            let fault = faults.iter().find(|(name, _)| *name == word)?.1;
            Some(Self::at(point.parse().ok()?, fault))
        });
        parsed.ok_or_else(|| format!("`{text}` is no fault: write POINT:kill, POINT:eio or POINT:enospc"))
    }
}

/// The disk as a stage uses it. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    plan: FaultPlan,
    passed: Arc<AtomicU64>,
    #[cfg(test)]
    witness: Option<Witness>,
}

/// Sees what is asked of a disk: for tests in which the power goes.
#[cfg(test)]
#[derive(Clone)]
struct Witness(Arc<dyn Fn(Seen<'_>) + Send + Sync>);

#[cfg(test)]
impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Witness")
    }
}

#[cfg(test)]
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    /// Something will be done.
    Point,
    /// A file or a directory was made durable.
    Synced(BorrowedFd<'a>),
    /// The file system that this lies on was.
    SyncedAll(BorrowedFd<'a>),
}

impl Disk {
    /// A disk that fails as planned.
    #[must_use]
    pub fn new(plan: FaultPlan) -> Self {
        Self { plan, ..Self::default() }
    }

    /// One that somebody looks at.
    #[cfg(test)]
    pub(super) fn seen_by(witness: impl Fn(Seen<'_>) + Send + Sync + 'static) -> Self {
        Self { witness: Some(Witness(Arc::new(witness))), ..Self::default() }
    }

    /// How many points were passed so far.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// Passes one.
    ///
    /// # Errors
    /// The planned fault, if it is this point's.
    pub fn point(&self) -> Result<()> {
        #[cfg(test)]
        self.saw(Seen::Point);
        let number = self.passed.fetch_add(1, Ordering::SeqCst);
        match self.plan.0 {
            Some((at, fault)) if at == number => match fault {
                Fault::Io => Err(Errno::IO),
                Fault::NoSpace => Err(Errno::NOSPC),
                Fault::Kill => {
                    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                    Err(Errno::INTR)
                }
            },
            _ => Ok(()),
        }
    }

    pub(super) fn mkdir(&self, dir: impl AsFd, name: &OsStr) -> Result<()> {
        self.point()?;
        rustix::fs::mkdirat(dir, name, Mode::RWXU)
    }

    /// A new file, only for its owner, open for reading and writing.
    pub(super) fn create(&self, dir: impl AsFd, name: &OsStr) -> Result<OwnedFd> {
        self.point()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)
    }

    /// Copies what a file holds into a new one, holes as holes.
    pub(super) fn copy(&self, from: impl AsFd, to: impl AsFd) -> Result<()> {
        self.point()?;
        content::copy(from.as_fd(), to.as_fd(), &content::data(from.as_fd())?)
    }

    pub(super) fn symlink(&self, target: &CStr, dir: impl AsFd, name: &Path) -> Result<()> {
        self.point()?;
        rustix::fs::symlinkat(target, dir, name)
    }

    pub(super) fn pipe(&self, dir: impl AsFd, name: &Path) -> Result<()> {
        self.point()?;
        rustix::fs::mkfifoat(dir, name, Mode::RWXU)
    }

    pub(super) fn write(&self, file: impl AsFd, mut bytes: &[u8]) -> Result<()> {
        self.point()?;
        while !bytes.is_empty() {
            match rustix::io::write(&file, bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn sync(&self, file: impl AsFd) -> Result<()> {
        self.point()?;
        rustix::fs::fsync(&file)?;
        #[cfg(test)]
        self.saw(Seen::Synced(file.as_fd()));
        Ok(())
    }

    /// Everything on the file system that `dir` lies on: what can't be opened can't be synced alone.
    pub(super) fn sync_all(&self, dir: impl AsFd) -> Result<()> {
        self.point()?;
        rustix::fs::syncfs(&dir)?;
        #[cfg(test)]
        self.saw(Seen::SyncedAll(dir.as_fd()));
        Ok(())
    }

    #[cfg(test)]
    fn saw(&self, seen: Seen<'_>) {
        if let Some(Witness(witness)) = &self.witness {
            witness(seen);
        }
    }

    pub(super) fn rename(&self, from: (impl AsFd, &OsStr), to: (impl AsFd, &OsStr)) -> Result<()> {
        self.point()?;
        rustix::fs::renameat(from.0, from.1, to.0, to.1)
    }

    pub(super) fn unlink(&self, dir: impl AsFd, name: &OsStr) -> Result<()> {
        self.point()?;
        rustix::fs::unlinkat(dir, name, AtFlags::empty())
    }

    pub(super) fn rmdir(&self, dir: impl AsFd, name: &OsStr) -> Result<()> {
        self.point()?;
        rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
    }

    /// Opens a directory to its owner, for as long as a commit works in it.
    pub(super) fn unlock(&self, dir: impl AsFd) -> Result<()> {
        self.point()?;
        let mode = rustix::fs::fstat(&dir)?.st_mode & 0o7777;
        super::tree::set_mode(dir, mode | 0o700)
    }

    pub(super) fn set_meta(&self, file: impl AsFd, meta: &Meta) -> Result<()> {
        self.point()?;
        meta.set(file)
    }

    pub(super) fn remove_xattr(&self, file: impl AsFd, name: &OsStr) -> Result<()> {
        self.point()?;
        rustix::fs::removexattr(own_path(&file), name)
    }
}

/// The path of what is open here, for calls that don't take handles without rights.
pub(super) fn own_path(file: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}
