//! What a stage is asked for and tells: plain values, the same on each kernel.

use super::Disk;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// How a staged directory ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Its writes are committed with the stage.
    Txn,
    /// Its writes are dropped, whatever happens.
    Discard,
}

/// One directory to be staged.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its absolute path on the host.
    pub host: PathBuf,
    /// How it ends.
    pub ends: Ends,
    /// Absolute host paths of live grants inside it: they stay live, also for who goes through this one, and are left out of its commit.
    pub live: Vec<PathBuf>,
}

/// How a stage is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The kernel's overlayfs, mounted by the caller (root).
    Overlay,
    /// The same, mounted in a user namespace.
    UserOverlay,
    /// A copy of the whole tree.
    Copy,
}

impl Backend {
    /// All of them, the cheapest first.
    pub const ALL: &[Self] = &[Self::Overlay, Self::UserOverlay, Self::Copy];

    /// The word that stands for it in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::UserOverlay => "user-overlay",
            Self::Copy => "copy",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How much may be copied for one directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of file content.
    pub bytes: u64,
    /// Entries of any kind.
    pub files: u64,
}

/// What is to be staged, and how.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Names the stage's directories: unique, of letters, digits and `-`.
    pub id: &'a str,
    /// The caller's word for whose stage it is; [`recover`] gives it back.
    pub label: &'a str,
    /// The directories, committed together or not at all.
    pub bases: &'a [Base],
    /// The back ends that may be used, in this order.
    pub backends: &'a [Backend],
    /// For a copy.
    pub limits: Limits,
    /// A private directory for copies of directories beside which nothing can be written.
    pub scratch: &'a Path,
    /// The disk.
    pub disk: Disk,
}

/// What a stage changes in one directory: relative paths, sorted. The directory itself is `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The granted directory.
    pub base: PathBuf,
    /// What wasn't there.
    pub created: Vec<PathBuf>,
    /// What was there and is something else now: another content, kind, mode, owner, time or attribute.
    pub modified: Vec<PathBuf>,
    /// What was there and is gone; of a directory, all that was in it too.
    pub deleted: Vec<PathBuf>,
}

impl Changes {
    pub(crate) fn none(base: &Path) -> Self {
        Self { base: base.to_owned(), created: Vec::new(), modified: Vec::new(), deleted: Vec::new() }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.modified.is_empty() && self.deleted.is_empty()
    }
}

/// A staged directory as somebody may use it.
#[derive(Debug)]
pub struct View {
    /// The root of what is seen: a handle for paths (`O_PATH`). Of an overlay, it is a mount of its own, attached nowhere; whoever attaches it
    /// to a mount namespace uses it up.
    pub dir: OwnedFd,
    /// The user namespace that owns the mount; none if the caller does, or if there is no mount.
    pub user_namespace: Option<OwnedFd>,
    /// How it is made.
    pub backend: Backend,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
}

impl Kind {
    /// The word that stands for it in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Dir => "directory",
            Self::Link => "link",
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::Device => "device",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How a stage ended whose owner died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Its commit was decided, and is done now.
    Committed(Vec<Changes>),
    /// Its commit wasn't decided: nothing was changed.
    Dropped,
    /// It was kept for somebody to look at, with this reason.
    Kept(String),
}
