//! Looking at trees through handles: no link is followed, no border of a file system crossed, and no path is too long.

use super::Kind;
use super::disk::own_path;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, StatxFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::{Errno, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The longest path that is handed to the kernel at once, in bytes: longer ones are walked in pieces.
const PIECE: usize = 2048;

/// One entry of a directory, as `stat` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub kind: Kind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub dev: u64,
    pub ino: u64,
    pub rdev: u64,
    pub mtime: Time,
    pub ctime: Time,
}

/// Device and inode.
pub(super) type Identity = (u64, u64);

/// Seconds and nanoseconds since 1970.
pub(super) type Time = (i64, i64);

impl Node {
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::useless_conversion,
        reason = "sizes are positive, and nanoseconds few"
    )]
    fn of(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Link,
            FileType::Fifo => Kind::Pipe,
            FileType::Socket => Kind::Socket,
            _ => Kind::Device,
        };
        Self {
            kind,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: stat.st_size as u64,
            dev: stat.st_dev,
            ino: stat.st_ino,
            rdev: stat.st_rdev,
            mtime: (stat.st_mtime.into(), stat.st_mtime_nsec as i64),
            ctime: (stat.st_ctime.into(), stat.st_ctime_nsec as i64),
        }
    }

    /// What is open here.
    pub(super) fn open(file: impl AsFd) -> Result<Self> {
        rustix::fs::fstat(file).map(|stat| Self::of(&stat))
    }

    /// What stands under a name; none if nothing does.
    pub(super) fn at(dir: impl AsFd, name: &OsStr) -> Result<Option<Self>> {
        match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Self::of(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Which one it is.
    pub(super) fn identity(&self) -> Identity {
        (self.dev, self.ino)
    }

    pub(super) fn is_dir(&self) -> bool {
        self.kind == Kind::Dir
    }

    /// Whether it is the mark that overlayfs leaves for something deleted.
    pub(super) fn is_whiteout(&self) -> bool {
        self.kind == Kind::Device && self.rdev == 0
    }
}

/// Opens the directory at an absolute path that holds no links, for handles below it. It can't be read.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS)
}

/// Opens what lies `at` a relative path below `root`; the empty path is the root itself.
pub(super) fn open_below(root: impl AsFd, at: &Path, flags: OFlags) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    let open = |from: BorrowedFd<'_>, path: &Path, flags: OFlags| {
        rustix::fs::openat2(from, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), resolve)
    };
    let mut from: Option<OwnedFd> = None;
    let mut piece = PathBuf::new();
    for name in at.components() {
        if !piece.as_os_str().is_empty() && piece.as_os_str().len() + name.as_os_str().len() > PIECE {
            let here = from.as_ref().map_or(root.as_fd(), AsFd::as_fd);
            from = Some(open(here, &piece, OFlags::PATH | OFlags::DIRECTORY)?);
            piece.clear();
        }
        piece.push(name);
    }
    let piece = if piece.as_os_str().is_empty() { Path::new(".") } else { &piece };
    open(from.as_ref().map_or(root.as_fd(), AsFd::as_fd), piece, flags)
}

/// Opens the directory that a hook finds at a relative path in `root`, through no link; mounts on the way are the hook's too. It can't be read.
pub(super) fn open_seen(root: impl AsFd, at: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let at = if at.as_os_str().is_empty() { Path::new(".") } else { at };
    rustix::fs::openat2(root, at, flags, Mode::empty(), resolve)
}

/// Whether no directory stands at a path, or none leads there: gone, or something else by now, which may be a link.
pub(super) const fn is_absent(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}

/// Opens a directory below `root`, for reading its names and for syncing it.
pub(super) fn open_dir(root: impl AsFd, at: &Path) -> Result<OwnedFd> {
    open_below(root, at, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// The names in a directory, sorted by their bytes.
pub(super) fn names(dir: impl AsFd) -> Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A tree whose entries are asked for one after the other, mostly neighbours: the directory of the last one stays open.
pub(super) struct Tree<'a> {
    root: BorrowedFd<'a>,
    last: Option<(PathBuf, OwnedFd)>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(root: BorrowedFd<'a>) -> Self {
        Self { root, last: None }
    }

    /// The open directory at a path; it can't be read.
    pub(super) fn dir(&mut self, at: &Path) -> Result<BorrowedFd<'_>> {
        // Also where nobody may look for `.` in it.
        if at.as_os_str().is_empty() {
            return Ok(self.root);
        }
        if self.last.as_ref().is_none_or(|(path, _)| path != at) {
            self.last = None;
            let dir = open_below(self.root, at, OFlags::PATH | OFlags::DIRECTORY)?;
            self.last = Some((at.to_owned(), dir));
        }
        Ok(self.last.as_ref().map_or(self.root, |(_, dir)| dir.as_fd()))
    }

    /// The open directory that holds the entry at a path, and the entry's name in it. The root is `.` in itself.
    pub(super) fn place<'p>(&mut self, at: &'p Path) -> Result<(BorrowedFd<'_>, &'p OsStr)> {
        match (at.parent(), at.file_name()) {
            (Some(parent), Some(name)) => Ok((self.dir(parent)?, name)),
            _ => Ok((self.dir(Path::new(""))?, OsStr::new("."))),
        }
    }

    /// What stands at a path; none if nothing does, or if no directory leads there.
    pub(super) fn node(&mut self, at: &Path) -> Result<Option<Node>> {
        if at.as_os_str().is_empty() {
            return Node::open(self.root).map(Some);
        }
        match self.place(at) {
            Ok((dir, name)) => Node::at(dir, name),
            Err(error) if is_absent(error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names in the directory at a path.
    pub(super) fn names(&mut self, at: &Path) -> Result<Vec<OsString>> {
        names(open_dir(self.root, at)?)
    }

    /// A handle, without the right to read, of whatever stands at a path: of a link, the link itself.
    pub(super) fn handle(&mut self, at: &Path) -> Result<OwnedFd> {
        if at.as_os_str().is_empty() {
            return rustix::io::fcntl_dupfd_cloexec(self.root, 0);
        }
        let (dir, name) = self.place(at)?;
        rustix::fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
    }
}

/// What belongs to an entry besides its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    /// Names and values, both as [`text`] writes them.
    pub xattrs: BTreeMap<String, String>,
}

impl Meta {
    /// That of an open entry (a handle without rights is enough); overlayfs's own attributes are left out.
    pub(super) fn of(file: impl AsFd, node: &Node) -> Result<Self> {
        let path = own_path(&file);
        let mut xattrs = BTreeMap::new();
        for name in xattr_names(&file)?.iter().filter(|name| is_kept(name)) {
            let value = read(|buffer| rustix::fs::getxattr(&path, name, buffer))?;
            xattrs.insert(text(name.as_bytes()), text(&value));
        }
        Ok(Self { mode: node.mode, uid: node.uid, gid: node.gid, mtime: node.mtime, xattrs })
    }

    /// Gives it to an open entry (a handle without rights is enough). A link has no mode of its own.
    pub(super) fn set(&self, file: impl AsFd) -> Result<()> {
        let path = own_path(&file);
        let node = Node::open(&file)?;
        let now = Self::of(&file, &node)?;
        if (now.uid, now.gid) != (self.uid, self.gid) {
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            rustix::fs::chownat(&file, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
        }
        for name in now.xattrs.keys().filter(|name| !self.xattrs.contains_key(*name)) {
            rustix::fs::removexattr(&path, bytes(name).ok_or(Errno::INVAL)?)?;
        }
        for (name, value) in self.xattrs.iter().filter(|(name, value)| now.xattrs.get(*name) != Some(value)) {
            let (name, value) = (bytes(name).ok_or(Errno::INVAL)?, bytes(value).ok_or(Errno::INVAL)?);
            rustix::fs::setxattr(&path, name, &value, XattrFlags::empty())?;
        }
        // After the owner and the access lists, since both change it.
        if node.kind != Kind::Link {
            set_mode(&file, self.mode)?;
        }
        set_mtime(file, self.mtime)
    }

    /// Whether both are the same but for the time of the last change.
    pub(super) fn is_but_for_time(&self, other: &Self) -> bool {
        (self.mode, self.uid, self.gid, &self.xattrs) == (other.mode, other.uid, other.gid, &other.xattrs)
    }
}

/// Sets the mode of an open entry that is no link (a handle without rights is enough).
pub(super) fn set_mode(file: impl AsFd, mode: u32) -> Result<()> {
    rustix::fs::chmodat(CWD, own_path(&file), Mode::from_raw_mode(mode), AtFlags::empty())
}

/// When what stands under a name was made (under the empty one: what is open here), where the file system says.
pub(super) fn born(dir: impl AsFd, name: &OsStr) -> Result<Option<Time>> {
    let stat = rustix::fs::statx(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH, StatxFlags::BTIME)?;
    let is_known = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    Ok(is_known.then(|| (stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec.into())))
}

/// Sets the time of the last change of an open entry (of a link, the link's own), and leaves that of the last access.
pub(super) fn set_mtime(file: impl AsFd, time: Time) -> Result<()> {
    let omit = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let times = Timestamps { last_access: omit, last_modification: Timespec { tv_sec: time.0, tv_nsec: time.1 } };
    rustix::fs::utimensat(CWD, own_path(&file), &times, AtFlags::empty())
}

/// Labels that the host's policy gives to files aren't the tree's; overlayfs's marks are the stage's.
fn is_kept(name: &OsStr) -> bool {
    !is_overlay_mark(name) && name != "security.selinux" && name != "security.ima" && name != "security.evm"
}

/// Whether overlayfs wrote the attribute for itself.
pub(super) fn is_overlay_mark(name: &OsStr) -> bool {
    ["trusted.overlay.", "user.overlay."].iter().any(|prefix| name.as_bytes().starts_with(prefix.as_bytes()))
}

/// The names of an open entry's attributes; none where the file system has no attributes.
pub(super) fn xattr_names(file: impl AsFd) -> Result<Vec<OsString>> {
    let path = own_path(&file);
    let list = match read(|buffer| rustix::fs::listxattr(&path, buffer)) {
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        list => list?,
    };
    Ok(list.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(|name| OsStr::from_bytes(name).to_owned()).collect())
}

/// The value of one attribute of an open entry; none if it has none of this name.
pub(super) fn xattr(file: impl AsFd, name: &OsStr) -> Result<Option<Vec<u8>>> {
    match read(|buffer| rustix::fs::getxattr(own_path(&file), name, buffer)) {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads what tells its length only when asked.
fn read(get: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut buffer = vec![0; 1024];
    loop {
        match get(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            // Linux allows 64 KiB, for the list as for a value.
            Err(Errno::RANGE) if buffer.len() < 128 * 1024 => buffer.resize(buffer.len() * 4, 0),
            Err(error) => return Err(error),
        }
    }
}

/// Any bytes as text, without loss: what isn't plain ASCII is written `%XX`. Names needn't be UTF-8.
pub(super) fn text(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| if (0x20..0x7f).contains(byte) && *byte != b'%' { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The bytes of a [`text`]; none if it isn't one.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

/// Paths in JSON, as [`text`].
pub(super) mod path_text {
    use super::{OsString, OsStringExt, Path, PathBuf};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::os::unix::ffi::OsStrExt;

    pub(in super::super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::text(path.as_os_str().as_bytes()))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        let text = String::deserialize(from)?;
        super::bytes(&text).map(|bytes| OsString::from_vec(bytes).into()).ok_or_else(|| D::Error::custom("not a path"))
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, text};

    #[test]
    fn any_name_survives_as_text() {
        for name in [&b"plain/name.txt"[..], b"100%", b"caf\xc3\xa9", b"\xff\xfe\n", b""] {
            assert_eq!(bytes(&text(name)).as_deref(), Some(name));
        }
        assert_eq!(bytes("%"), None);
        assert_eq!(bytes("%zz"), None);
    }
}
