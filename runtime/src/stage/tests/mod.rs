//! Every back end under one suite.

mod closed;
mod commits;
mod conflicts;
mod faults;
mod odd;
mod overtaken;
mod power;
mod properties;
mod recovers;
mod replaced;
mod unprivileged;
mod views;

use super::{Backend, Base, Changes, Disk, Ends, Limits, NotPrepared, Request, Stage, StageError};
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What the tests of this machine can run: overlays as root need root.
pub(super) fn backends() -> Vec<Backend> {
    let all = Backend::ALL.iter().copied();
    all.filter(|backend| *backend != Backend::Overlay || rustix::process::geteuid().is_root()).collect()
}

/// A directory `app` beside which stages lie, and one for scratch.
pub(super) struct House {
    dir: TempDir,
    /// Whether something is mounted over the app.
    is_mounted: bool,
}

impl Drop for House {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = rustix::mount::unmount(self.app(), rustix::mount::UnmountFlags::DETACH);
        }
    }
}

pub(super) const LIMITS: Limits = Limits { bytes: 1 << 30, files: 100_000 };

impl House {
    pub(super) fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    /// On a file system in memory, where there is one that can hold a stage: for tests of many rounds, in which syncing takes the time.
    pub(super) fn in_memory() -> Self {
        let holds_attributes = |dir: &TempDir| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(dir.path(), "user.test", b"", flags).is_ok()
        };
        let memory = tempfile::tempdir_in("/dev/shm").ok().filter(holds_attributes);
        Self::at(memory.unwrap_or_else(|| tempfile::tempdir().unwrap()))
    }

    fn at(dir: TempDir) -> Self {
        fs::create_dir(dir.path().join("app")).unwrap();
        fs::create_dir(dir.path().join("scratch")).unwrap();
        Self { dir, is_mounted: false }
    }

    /// The same, with the app on a file system of its own. In a mount namespace of the test's own only.
    pub(super) fn mounted(mut self) -> Self {
        rustix::mount::mount("none", self.app(), "tmpfs", rustix::mount::MountFlags::empty(), None).unwrap();
        self.is_mounted = true;
        self
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub(super) fn app(&self) -> PathBuf {
        self.path().join("app")
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.path().join("scratch")
    }

    /// Writes files of the app: paths and contents.
    pub(super) fn with(self, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            write(&self.app().join(path), text);
        }
        self
    }

    pub(super) fn base(&self) -> Base {
        Base { host: self.app(), ends: Ends::Txn, live: Vec::new() }
    }

    pub(super) fn open_all(&self, backend: Backend, bases: &[Base], disk: &Disk) -> Result<Stage, StageError> {
        let backends = [backend];
        let scratch = self.scratch();
        let request =
            Request { id: "t", label: "run-1/hook", bases, backends: &backends, limits: LIMITS, scratch: &scratch, disk: disk.clone() };
        Stage::open(&request)
    }

    pub(super) fn open(&self, backend: Backend) -> Stage {
        self.open_all(backend, &[self.base()], &Disk::default()).unwrap()
    }

    /// With what a hook does as a commit that is decided, and its owner dead.
    pub(super) fn decided(self, backend: Backend, hook: impl FnOnce(&Path)) -> Self {
        let stage = self.open(backend);
        in_view(&stage, 0, hook);
        drop(stage.prepare().unwrap());
        self.let_go();
        self
    }

    /// Waits until nobody holds its stages any more. A process that another test is just starting has all descriptors until its program runs.
    pub(super) fn let_go(&self) {
        let begun = std::time::Instant::now();
        while self.rubbish().iter().any(|stage| is_held(&stage.join("owner"))) {
            assert!(begun.elapsed() < std::time::Duration::from_mins(1), "nobody lets go of the stage");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Every name beside the app and in it that is a stage's.
    pub(super) fn rubbish(&self) -> Vec<PathBuf> {
        [self.path(), self.app(), self.scratch()]
            .iter()
            .flat_map(|dir| fs::read_dir(dir).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| super::place::is_ours(path.file_name().unwrap()))
            .collect()
    }
}

/// Whether somebody has a lock on a file. Asked by trying: `/proc/locks` tells files of different file systems apart by their devices only, and a
/// lock that goes while it is read hides another.
fn is_held(owner: &Path) -> bool {
    use rustix::fs::FlockOperation::{NonBlockingLockExclusive, Unlock};
    let Ok(file) = fs::File::open(owner) else { return false };
    let tried = rustix::fs::flock(&file, NonBlockingLockExclusive);
    // In words: a copy of this descriptor in a process that is just being started would keep the lock after it is closed here.
    let _ = rustix::fs::flock(&file, Unlock);
    tried.is_err()
}

pub(super) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A path through which a view can be worked on as a hook would. The handle must live as long.
pub(super) fn through(view: &super::View) -> PathBuf {
    format!("/proc/self/fd/{}", view.dir.as_raw_fd()).into()
}

/// Works on a stage as a hook would.
pub(super) fn in_view(stage: &Stage, index: usize, hook: impl FnOnce(&Path)) {
    let view = stage.view(index, Path::new("")).unwrap();
    hook(&through(&view));
}

/// Prepares, applies and forgets, and tells what changed.
pub(super) fn commit(stage: Stage) -> Result<Vec<Changes>, Box<NotPrepared>> {
    let before = stage.changes().unwrap();
    let mut prepared = stage.prepare()?;
    prepared.apply().unwrap();
    let applied = prepared.applied();
    let changes = applied.changes().to_vec();
    assert_eq!(before, changes, "what it says before is what it does");
    applied.forget().unwrap();
    Ok(changes)
}

/// Every entry below a directory: kind, mode and content, by its path.
pub(super) fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_dir() {
                dirs.push(path.clone());
                "dir".to_owned()
            } else if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if meta.is_file() {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            } else {
                "special".to_owned()
            };
            let mode = if meta.is_symlink() { 0 } else { meta.mode() & 0o7777 };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), format!("{mode:o} {content}"));
        }
    }
    found
}

pub(super) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn paths(of: &[&str]) -> Vec<PathBuf> {
    of.iter().map(PathBuf::from).collect()
}
