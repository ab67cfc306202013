//! What belongs to one execution alone: its HOME and TMPDIR, the file for its outputs, and the planned bytes of its script.
//! One directory, mode 0700, removed when the last process that may use it is gone.

use crate::exec::ExecError;
use crate::model::job::Script;
use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags};
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Most bytes of outputs that are read.
const MAX_OUTPUTS: usize = 64 * 1024;

/// The private directory of one execution.
pub(super) struct Private {
    /// `None` only while it is dropped.
    dir: Option<TempDir>,
    path: PathBuf,
    writable: [PathBuf; 3],
    script: Option<PathBuf>,
}

impl Private {
    /// Makes it, below `scratch`.
    ///
    /// # Errors
    /// What the system says, with the directory.
    pub(super) fn create(scratch: &Path) -> Result<Self, ExecError> {
        let failed = |error: io::Error| ExecError::new(format!("making a private directory in {}", scratch.display()), error);
        // Resolved now: what the hook is told and what a grant is compared with are the same path.
        let scratch = scratch.canonicalize().map_err(failed)?;
        let mode = Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix("wasmhook-").permissions(mode).tempdir_in(&scratch).map_err(failed)?;
        let path = dir.path().to_owned();
        let writable = ["home", "tmp", "out"].map(|name| path.join(name));
        for dir in &writable {
            DirBuilder::new().mode(0o700).create(dir).map_err(failed)?;
        }
        Ok(Self { dir: Some(dir), path, writable, script: None })
    }

    /// All of it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directories in which the hook may do as it likes.
    pub(super) fn writable(&self) -> &[PathBuf] {
        &self.writable
    }

    /// The private HOME.
    pub(super) fn home(&self) -> &Path {
        let [home, _, _] = &self.writable;
        home
    }

    /// The private TMPDIR.
    pub(super) fn tmp(&self) -> &Path {
        let [_, tmp, _] = &self.writable;
        tmp
    }

    /// The file for `KEY=value` lines; the hook makes it.
    pub(super) fn outputs(&self) -> PathBuf {
        let [_, _, out] = &self.writable;
        out.join("output")
    }

    /// The private copy of the script, if there is one.
    pub(super) fn script(&self) -> Option<&Path> {
        self.script.as_deref()
    }

    /// Whether `dir` holds this directory, links resolved.
    pub(super) fn lies_in(&self, dir: &Path) -> bool {
        dir.canonicalize().is_ok_and(|dir| self.path.starts_with(dir))
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
        let mounted = rustix::fs::statvfs(&self.path).map_err(|errno| failed(errno.into()))?;
        if mounted.f_flag.contains(StatVfsMountFlags::NOEXEC) {
            let why = format!("{} is mounted noexec; give the executor a scratch directory elsewhere", self.path.display());
            return Err(failed(io::Error::other(why)));
        }
        let dir = self.path.join("script");
        DirBuilder::new().mode(0o700).create(&dir).map_err(failed)?;
        let path = dir.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o500).open(&path).map_err(failed)?;
        file.write_all(&script.bytes).map_err(failed)?;
        Ok(self.script.insert(path))
    }

    /// The bytes that the hook wrote to its outputs file: none if it made none. A link, or anything else that isn't a file, is not read.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn read_outputs(&self) -> io::Result<Outputs> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(CWD, self.outputs(), flags, Mode::empty()) {
            Ok(file) => std::fs::File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(Outputs { bytes: Vec::new(), cut: false }),
            Err(errno) => return Err(errno.into()),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(MAX_OUTPUTS as u64 + 1).read_to_end(&mut bytes)?;
        let cut = bytes.len() > MAX_OUTPUTS;
        if cut {
            let whole = bytes.iter().take(MAX_OUTPUTS).rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            bytes.truncate(whole);
        }
        Ok(Outputs { bytes, cut })
    }
}

/// What a hook reported.
pub(super) struct Outputs {
    /// Whole lines, at most 64 KiB.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub cut: bool,
}

impl Drop for Private {
    fn drop(&mut self) {
        let Some(dir) = self.dir.take() else { return };
        // A hook may have left directories without write permission (package caches do): they are unlocked, and it is tried once more.
        let path = dir.keep();
        let removed = std::fs::remove_dir_all(&path).or_else(|_| {
            unlock(&path);
            std::fs::remove_dir_all(&path)
        });
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "a private directory could not be removed");
            }
            _ => {}
        }
    }
}

/// Makes every directory of a tree ours to change. Each is opened without following a link first, and changed through that handle.
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
