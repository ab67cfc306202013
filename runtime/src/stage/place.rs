//! Where a stage lies: a private directory beside the granted one, locked for as long as its owner lives.
//!
//! It is made, claimed and removed without ever asking "is it still being made?": whoever locks an `owner` file that still has its name owns
//! the directory. A maker that loses to somebody who cleans up simply makes another.

use super::disk::Disk;
use super::error::{At, StageError};
use super::tree::{self, Node, Time, Tree};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::{Errno, Result};
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How the directories of stages are called, with the stage's id behind.
const STAGE: &str = ".wasmhook-stage-";
/// How they are called once nothing in them counts any more.
const GONE: &str = ".wasmhook-gone-";
const OWNER: &str = "owner";
/// What can lie in them. The kernel's and the landed files have numbers behind.
const PARTS: [&str; 9] = [OWNER, "upper", "tree", "commit", "commit.new", "done", "done.new", "kept", "kept.new"];
const WORK: &str = "work";
const NUMBERED: [&str; 2] = [WORK, "new"];
/// Old kernels tell times by a clock that ticks each 1 to 10 ms.
const TICK: Duration = Duration::from_millis(50);

/// Whose a stage directory is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Owner {
    pub schema: u32,
    /// The caller's word for it.
    pub label: String,
    /// The stage's first directory, which holds its log.
    #[serde(with = "tree::path_text")]
    pub home: PathBuf,
}

/// One stage directory, owned by this process.
#[derive(Debug)]
pub(super) struct Place {
    /// Its absolute path.
    pub path: PathBuf,
    /// Open for making entries in it and for syncing it.
    pub dir: OwnedFd,
    parent: OwnedFd,
    owner: OwnedFd,
}

impl Place {
    /// Makes the stage directory of this id in `parent`, and says whose it is: of the stage whose home is given, or its own.
    pub(super) fn create(disk: &Disk, parent: &Path, id: &str, label: &str, home: Option<&Path>) -> Result<Self> {
        let mut path = parent.join(format!("{STAGE}{id}"));
        let parent = open_readable(parent)?;
        loop {
            let name = path.file_name().unwrap_or_default();
            disk.mkdir(&parent, name)?;
            match tree::open_dir(&parent, Path::new(name)).and_then(|dir| Ok((lock(disk, &dir)?, dir))) {
                Ok((Some(owner), dir)) => {
                    let record = Owner { schema: 1, label: label.to_owned(), home: home.unwrap_or(&path).to_owned() };
                    disk.write(&owner, &serde_json::to_vec(&record).map_err(|_| Errno::INVAL)?)?;
                    return Ok(Self { path, dir, parent, owner });
                }
                // Somebody who cleans up took it for rubbish, and will remove it: under another name, then.
                Ok((None, _)) | Err(Errno::NOENT) => path.as_mut_os_string().push("x"),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes over one whose owner is dead. None: its owner lives, or it is gone, or somebody else's.
    pub(super) fn claim(disk: &Disk, path: PathBuf) -> Result<Option<Self>> {
        let (parent, name) = (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or_default());
        let parent = match open_readable(parent) {
            Err(Errno::NOENT) => return Ok(None),
            parent => parent?,
        };
        let Some(dir) = open_own(&parent, name)? else { return Ok(None) };
        match lock(disk, &dir) {
            Ok(Some(owner)) => Ok(Some(Self { path, dir, parent, owner })),
            Ok(None) | Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whose it was. None: its owner died before saying so, and so before anything happened.
    pub(super) fn record(&self) -> Result<Option<Owner>> {
        Ok(serde_json::from_slice(&read_all(self.owner.as_fd())?).ok())
    }

    /// A moment that is later than every change made before this call, and not later than any made after it, by the clock of this file system.
    ///
    /// Recent kernels give a file that was looked at a finer time when it changes; on others, this waits for the next tick.
    pub(super) fn moment(&self) -> Result<Time> {
        let before = Node::open(&self.owner)?.ctime;
        let begun = Instant::now();
        loop {
            rustix::fs::fchmod(&self.owner, Mode::RUSR | Mode::WUSR)?;
            let now = Node::open(&self.owner)?.ctime;
            if now > before || begun.elapsed() > TICK {
                return Ok(now);
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Makes its existence, its owner and its entries durable.
    pub(super) fn sync(&self, disk: &Disk) -> Result<()> {
        disk.sync(&self.owner)?;
        disk.sync(&self.dir)?;
        disk.sync(&self.parent)
    }

    /// Leaves it to a person, who needs nothing of the kernel's in it; and tells its path.
    pub(super) fn stay(self) -> PathBuf {
        for name in tree::names(&self.dir).unwrap_or_default().iter().filter(|name| name.as_bytes().starts_with(WORK.as_bytes())) {
            // What can't be removed disturbs nobody.
            let _ = remove(&self.dir, name);
        }
        self.path
    }

    /// Removes it. From the first step on nothing in it counts, so that a removal that is interrupted leaves only rubbish.
    pub(super) fn vanish(self, disk: &Disk) -> std::result::Result<(), StageError> {
        let name = self.path.file_name().unwrap_or_default();
        let Some(gone) = gone_name(name) else { return Ok(()) };
        disk.rename((&self.parent, name), (&self.parent, &gone)).at("remove", &self.path)?;
        remove_tree(disk, self.parent.as_fd(), &gone).at("remove", self.path.with_file_name(&gone))
    }
}

fn gone_name(name: &OsStr) -> Option<OsString> {
    let id = name.as_bytes().strip_prefix(STAGE.as_bytes())?;
    let mut gone = OsString::from(GONE);
    gone.push(OsStr::from_bytes(id));
    Some(gone)
}

/// Whether the name is that of a stage's directory, or of one that is being removed.
pub(super) fn is_ours(name: &OsStr) -> bool {
    [STAGE, GONE].iter().any(|prefix| name.as_bytes().starts_with(prefix.as_bytes()))
}

/// The stage directories in a directory, and what is left of some that are gone.
pub(super) struct Found {
    pub stages: Vec<PathBuf>,
    pub gone: Vec<PathBuf>,
}

/// Looks for stage directories in `parent`; there are none where it doesn't exist.
pub(super) fn find(parent: &Path) -> Result<Found> {
    let names = match open_readable(parent) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Vec::new(),
        dir => tree::names(dir?)?,
    };
    let called = |prefix: &str| {
        let ours = names.iter().filter(|name| name.as_bytes().starts_with(prefix.as_bytes()));
        ours.map(|name| parent.join(name)).collect()
    };
    Ok(Found { stages: called(STAGE), gone: called(GONE) })
}

/// Removes what is left of a stage that is gone.
pub(super) fn sweep(disk: &Disk, gone: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (gone.parent(), gone.file_name()) else { return Ok(()) };
    let parent = open_readable(parent)?;
    let is_own = Node::at(&parent, name)?.is_some_and(|node| node.is_dir() && node.uid == rustix::process::geteuid().as_raw());
    if is_own && holds_only_ours(&tree::open_dir(&parent, Path::new(name))?)? { remove_tree(disk, parent.as_fd(), name) } else { Ok(()) }
}

/// Whether nothing lies in a directory but what a stage puts there: somebody's own may only be called like ours.
fn holds_only_ours(dir: &OwnedFd) -> Result<bool> {
    let is_numbered = |name: &str| {
        let number = NUMBERED.iter().find_map(|prefix| name.strip_prefix(prefix));
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_ours = |name: &OsString| name.to_str().is_some_and(|name| PARTS.contains(&name) || is_numbered(name));
    Ok(tree::names(dir)?.iter().all(is_ours))
}

/// Opens a directory by its path, for its names and for syncing it.
pub(super) fn open_readable(path: &Path) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens a directory of this user's that holds nothing but what a stage puts there. None: it is gone, or something else.
pub(super) fn open_own(parent: &OwnedFd, name: &OsStr) -> Result<Option<OwnedFd>> {
    if !Node::at(parent, name)?.is_some_and(|node| node.is_dir() && node.uid == rustix::process::geteuid().as_raw()) {
        return Ok(None);
    }
    let dir = match tree::open_dir(parent, Path::new(name)) {
        Err(Errno::NOENT) => return Ok(None),
        dir => dir?,
    };
    Ok(holds_only_ours(&dir)?.then_some(dir))
}

/// The owner's file, locked. None: somebody else has it, or has just removed it.
fn lock(disk: &Disk, dir: &OwnedFd) -> Result<Option<OwnedFd>> {
    let owner = disk.create(dir, OsStr::new(OWNER))?;
    match rustix::fs::flock(&owner, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(None),
        locked => locked?,
    }
    Ok((rustix::fs::fstat(&owner)?.st_nlink > 0).then_some(owner))
}

/// A small file from its beginning.
pub(super) fn read_all(file: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match rustix::io::pread(file, &mut chunk[..], bytes.len() as u64)? {
            0 => return Ok(bytes),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// Removes a directory and all in it, however deep, and whatever rights its directories lack. Somebody else may be at it too.
fn remove_tree(disk: &Disk, parent: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    let root = match tree::open_below(parent, Path::new(name), OFlags::PATH | OFlags::DIRECTORY) {
        Err(Errno::NOENT) => return Ok(()),
        root => root?,
    };
    let mut dirs = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(at) = dirs.get(next).cloned() {
        next += 1;
        let dir = match unlocked(disk, root.as_fd(), &at) {
            Err(Errno::NOENT) => continue,
            dir => dir?,
        };
        for name in tree::names(&dir)? {
            match disk.unlink(&dir, &name) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => dirs.push(at.join(name)),
                Err(error) => return Err(error),
            }
        }
    }
    let mut tree = Tree::new(root.as_fd());
    for at in dirs.iter().skip(1).rev() {
        tree.place(at).and_then(|(dir, name)| disk.rmdir(dir, name)).or_else(absent)?;
    }
    disk.rmdir(parent, name).or_else(absent)
}

fn absent<T: Default>(error: Errno) -> Result<T> {
    if error == Errno::NOENT { Ok(T::default()) } else { Err(error) }
}

/// The directory, open for reading, after its owner may do everything in it.
fn unlocked(disk: &Disk, root: BorrowedFd<'_>, at: &Path) -> Result<OwnedFd> {
    let handle = tree::open_below(root, at, OFlags::PATH | OFlags::DIRECTORY)?;
    if Node::open(&handle)?.mode & 0o700 != 0o700 {
        disk.unlock(&handle)?;
    }
    tree::open_dir(root, at)
}

/// Removes a directory that holds nothing of worth yet.
pub(super) fn remove(parent: &OwnedFd, name: &OsStr) -> Result<()> {
    remove_tree(&Disk::default(), parent.as_fd(), name)
}
