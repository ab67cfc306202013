//! The mount table: where else the files below a directory can be seen. Read again only when it changed, which one system call tells.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const TABLE: &str = "/proc/self/mountinfo";

/// Whether `inner` is `outer` or lies in it. Both absolute, without links and dots: bytes say it, many times faster than components do.
pub(super) fn lies_in(inner: &Path, outer: &Path) -> bool {
    let (inner, outer) = (inner.as_os_str().as_bytes(), outer.as_os_str().as_bytes());
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || outer.ends_with(b"/"))
}

/// A directory as its own file system knows it: the same wherever it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Major and minor number of the file system.
    device: (u32, u32),
    /// From the file system's own root.
    path: PathBuf,
}

impl Source {
    /// Whether it is `outer` or lies in it.
    pub(super) fn lies_in(&self, outer: &Self) -> bool {
        self.device == outer.device && lies_in(&self.path, &outer.path)
    }

    /// Whether one of the two lies in the other.
    pub(super) fn touches(&self, other: &Self) -> bool {
        self.lies_in(other) || other.lies_in(self)
    }
}

/// One mount.
#[derive(Debug)]
struct Mount {
    id: u64,
    point: PathBuf,
    source: Source,
}

/// The table at one moment; empty where there is none to read.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<Mount>);

impl Mounts {
    pub(super) fn parse(table: &[u8]) -> Self {
        Self(table.split(|byte| *byte == b'\n').filter_map(mount).collect())
    }

    /// What the directory at `path`, which lies on the mount `id`, is on its file system. `None` if the table doesn't hold the mount, as in a
    /// `chroot`.
    pub(super) fn source_of(&self, path: &Path, id: Option<u64>) -> Option<Source> {
        let above = |mount: &&Mount| lies_in(path, &mount.point);
        let mount = match id {
            Some(id) => self.0.iter().find(|mount| mount.id == id).filter(above)?,
            // The last of several mounts on one point is the one that is seen.
            None => self.0.iter().filter(above).max_by_key(|mount| mount.point.as_os_str().len())?,
        };
        let below = path.strip_prefix(&mount.point).ok()?;
        let path = if below.as_os_str().is_empty() { mount.source.path.clone() } else { mount.source.path.join(below) };
        Some(Source { device: mount.source.device, path })
    }

    /// What is mounted below `path`.
    pub(super) fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Source> {
        self.0.iter().filter(move |mount| lies_in(&mount.point, path)).map(|mount| &mount.source)
    }
}

/// One line of the table: `id parent major:minor root point options …`.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let (device, root, point) = (std::str::from_utf8(fields.nth(1)?).ok()?, fields.next()?, fields.next()?);
    let (major, minor) = device.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    Some(Mount { id, point: unescape(point), source: Source { device, path: unescape(root) } })
}

/// The table writes spaces, tabs, line ends and backslashes as a backslash and three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(byte) if *first == b'\\' => {
                plain.push(byte);
                rest = &after[3..];
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(plain).into()
}

/// Knows the table, and when it changed.
#[derive(Default)]
pub(super) struct Watch(Mutex<Option<Open>>);

/// The kernel counts the changes of the mount table; a poll of the open file says whether there was one since the last poll.
struct Open {
    file: File,
    mounts: Arc<Mounts>,
}

impl Watch {
    /// The table as it is now.
    pub(super) fn now(&self) -> Arc<Mounts> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &mut *open
            && open.is_current()
        {
            return Arc::clone(&open.mounts);
        }
        Self::open(&mut open)
    }

    /// The table, opened anew: the process may have moved into another mount namespace, whose changes the open file doesn't tell.
    pub(super) fn anew(&self) -> Arc<Mounts> {
        Self::open(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn open(open: &mut Option<Open>) -> Arc<Mounts> {
        *open = Open::new().ok();
        open.as_ref().map(|open| Arc::clone(&open.mounts)).unwrap_or_default()
    }
}

impl Open {
    fn new() -> io::Result<Self> {
        let mut open = Self { file: File::open(TABLE)?, mounts: Arc::default() };
        open.read()?;
        Ok(open)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut table = Vec::new();
        self.file.rewind()?;
        self.file.read_to_end(&mut table)?;
        self.mounts = Arc::new(Mounts::parse(&table));
        Ok(())
    }

    /// Whether nothing was mounted, unmounted or moved since the last look. In doubt it isn't.
    fn is_current(&self) -> bool {
        let mut files = [PollFd::new(&self.file, PollFlags::PRI)];
        matches!(poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_in_another_by_whole_names_only() {
        let lies_in = |inner: &str, outer: &str| lies_in(Path::new(inner), Path::new(outer));
        assert!(lies_in("/a/b", "/a") && lies_in("/a", "/a") && lies_in("/a", "/") && lies_in("/", "/"));
        assert!(!lies_in("/ab", "/a") && !lies_in("/a", "/a/b") && !lies_in("/", "/a"));
    }

    #[test]
    fn the_table_is_read_as_the_kernel_writes_it() {
        let table = b"21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/a rw\n22 21 8:1 /srv/app/data /mnt/da\\040ta\\134 rw - ext4 /dev/a rw\nrubbish\n";
        let mounts = Mounts::parse(table);
        let source = |path: &str| Some(Source { device: (8, 1), path: PathBuf::from(path) });
        assert_eq!(mounts.source_of(Path::new("/mnt/da ta\\/x"), None), source("/srv/app/data/x"));
        assert_eq!(mounts.source_of(Path::new("/mnt/da ta\\"), Some(22)), source("/srv/app/data"));
        assert_eq!(mounts.source_of(Path::new("/mnt/da ta\\/x"), Some(21)), source("/mnt/da ta\\/x"), "below a mount that was put over it");
        assert_eq!(mounts.source_of(Path::new("/x"), Some(99)), None);
        assert_eq!(mounts.below(Path::new("/mnt")).count(), 1);
    }

    #[test]
    fn the_table_of_this_process_holds_the_root_and_stays_the_same_while_nothing_changes() {
        let watch = Watch::default();
        let mounts = watch.now();
        assert!(mounts.source_of(Path::new("/"), None).is_some() || cfg!(not(target_os = "linux")), "{mounts:?}");
        assert!(!watch.anew().0.is_empty() || cfg!(not(target_os = "linux")));
    }
}
