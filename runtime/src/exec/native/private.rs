//! What belongs to one execution alone: the directory that is its HOME and TMPDIR and holds its outputs, and the planned bytes of its script or of
//! the tree that it comes from, which it must not change. Mode 0700, removed when the last process that may use them is gone; if wasmhook itself is killed, by the next one.
//!
//! One directory serves as HOME and TMPDIR: making and removing one costs more than anything else of a short hook's start.

use super::copy;
use crate::exec::ExecError;
use crate::exec::lease::{self, Lease};
use crate::model::job::{Script, Tree};
use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The name of the outputs file.
const OUTPUTS: &str = ".wasmhook-output";

/// What is private to one execution.
pub(super) struct Private {
    home: Lease,
    script: Option<PlacedScript>,
    tree: Option<Lease>,
    dirs: Vec<Lease>,
}

struct PlacedScript {
    /// A directory that the hook can't write to.
    dir: Lease,
    file: PathBuf,
}

impl Private {
    /// Makes the directory, below `scratch`.
    ///
    /// # Errors
    /// What the system says, with the directory.
    pub(super) fn create(scratch: &Path) -> Result<Self, ExecError> {
        // Resolved now: what the hook is told and what a grant is compared with are the same path.
        let home = scratch.canonicalize().and_then(|scratch| Lease::create(&scratch));
        let home = home.map_err(|error| ExecError::new(format!("making a private directory in {}", scratch.display()), error))?;
        Ok(Self { home, script: None, tree: None, dirs: Vec::new() })
    }

    /// The private HOME and TMPDIR, in which the hook may do as it likes.
    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The private HOME, opened as a place.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open_home(&self) -> io::Result<OwnedFd> {
        Ok(rustix::fs::openat(CWD, self.home(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Makes one more private directory, beside HOME: empty, and the hook's to write to.
    ///
    /// # Errors
    /// What the system says, with the directory.
    pub(super) fn add_dir(&mut self) -> Result<&Path, ExecError> {
        let beside = self.home().parent().unwrap_or(self.home());
        let dir =
            Lease::create(beside).map_err(|error| ExecError::new(format!("making a private directory in {}", beside.display()), error))?;
        self.dirs.push(dir);
        Ok(self.dirs.last().unwrap_or(&self.home).path())
    }

    /// The file for `KEY=value` lines; the hook makes it.
    pub(super) fn outputs(&self) -> PathBuf {
        self.home().join(OUTPUTS)
    }

    /// The private copy of the script, if there is one.
    pub(super) fn script(&self) -> Option<&Path> {
        self.script.as_ref().map(|script| script.file.as_path())
    }

    /// The private copy of a tree, if there is one.
    pub(super) fn tree(&self) -> Option<&Path> {
        self.tree.as_ref().map(Lease::path)
    }

    /// Whether `dir`, a path without links, holds this directory.
    pub(super) fn lies_in(&self, dir: &Path) -> bool {
        self.home().starts_with(dir)
    }

    /// Writes the planned bytes of a script to a file that can be executed but not written.
    ///
    /// # Errors
    /// What the system says, with the script.
    pub(super) fn place(&mut self, script: &Script) -> Result<&Path, ExecError> {
        let failed = |error: io::Error| ExecError::new(format!("placing the script {}", script.file_name), error);
        let name = Path::new(&script.file_name);
        if name.file_name() != Some(name.as_os_str()) {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "its name must be a file name without directories")));
        }
        self.must_execute().map_err(failed)?;
        let dir = Lease::create(self.home().parent().unwrap_or(self.home())).map_err(failed)?;
        let file = dir.path().join(name);
        let placed = self.script.insert(PlacedScript { dir, file });
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o500).open(&placed.file).map_err(failed)?;
        file.write_all(&script.bytes).map_err(failed)?;
        Ok(&placed.file)
    }

    /// Writes a tree to a directory that the command can read and execute, and not change.
    ///
    /// # Errors
    /// What the system says, with the file.
    pub(super) fn copy(&mut self, tree: &Tree) -> Result<&Path, ExecError> {
        let failed = |error: io::Error| ExecError::new("making a private copy of the command's files", error);
        self.must_execute().map_err(failed)?;
        let dir = Lease::create(self.home().parent().unwrap_or(self.home())).map_err(failed)?;
        let dir = self.tree.insert(dir);
        copy::write(tree, dir.path())?;
        Ok(dir.path())
    }

    /// Programs are started from here.
    fn must_execute(&self) -> io::Result<()> {
        if rustix::fs::statvfs(self.home())?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
            let why = format!("{} is mounted noexec; give the executor a scratch directory elsewhere", self.home().display());
            return Err(io::Error::other(why));
        }
        Ok(())
    }

    /// Removes it if there is nothing in it: the quick and common case. Returns itself if there is something.
    pub(super) fn remove_empty(self) -> Option<Self> {
        let has_more = self.script.is_some() || self.tree.is_some() || !self.dirs.is_empty();
        (has_more || std::fs::remove_dir(self.home()).is_err()).then_some(self)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let script = self.script.as_ref().map(|script| script.dir.path());
        script.into_iter().chain(self.tree()).chain(self.dirs.iter().map(Lease::path)).chain([self.home()]).for_each(lease::remove);
    }
}
