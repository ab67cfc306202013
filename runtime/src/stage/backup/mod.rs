//! Backups: copies of directories as they were before something changes them for good. `SQLite` databases are copied by `SQLite` itself, so that
//! whoever writes to them meanwhile tears nothing; other files are copied as they are read.
//!
//! ```text
//!  <root>/<owner>/<run>/.partial-<name>/    while it is made: rubbish for whoever comes later
//!  <root>/<owner>/<run>/<name>/             whole, and durable
//!      backup.json    what it is a copy of, and how much it is
//!      data/          the first directory, by its own name
//!      data-2/        another one of that name
//! ```
//!
//! Backups of one owner are made one at a time: the caller holds the owner's lock.

mod copy;
mod database;
mod error;
#[cfg(test)]
mod tests;
mod values;

pub use error::BackupError;
pub use values::{Request, Taken};

use super::disk::Disk;
use super::place;
use crate::model::backup::BackupContents as Contents;
use copy::Copier;
use error::Doing;
use serde::Serialize;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// How a backup is called while it is made, with its name behind.
const PARTIAL: &str = ".partial-";
/// What says what a backup is of.
const CONTENTS: &str = "backup.json";

/// `backup.json`.
#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    owner: &'a str,
    run: &'a str,
    name: &'a str,
    dirs: Vec<Copied<'a>>,
    #[serde(flatten)]
    contents: Contents,
    /// Sockets and devices: nothing of them can be kept.
    left_out: &'a [String],
}

/// One directory of a backup.
#[derive(Serialize)]
struct Copied<'a> {
    path: &'a Path,
    copy: String,
}

/// Takes a backup. `stop` is asked now and then whether somebody wants it to end. When it fails, nothing of it is left that looks like one.
///
/// # Errors
/// [`BackupError`] with what could not be copied, and the way out.
pub fn take(request: &Request, stop: &dyn Fn() -> bool) -> Result<Taken, BackupError> {
    let run_dir = make_dirs(request)?;
    let partial = run_dir.join(format!("{PARTIAL}{}", request.name));
    let taken = sweep(request).and_then(|()| fill(request, &partial, stop)).and_then(|contents| {
        let path = publish(request, &run_dir, &partial)?;
        Ok(Taken { path, contents, left: Vec::new() })
    });
    match taken {
        Ok(taken) => Ok(Taken { left: prune(request), ..taken }),
        Err(error) => {
            // What is left of it has a name that nobody takes for a backup, and the next one removes it.
            let _ = remove(&partial);
            // If it is empty: the run may have other backups.
            let _ = std::fs::remove_dir(&run_dir);
            Err(error)
        }
    }
}

/// The run's directory, private to us, with what is above it.
fn make_dirs(request: &Request) -> Result<PathBuf, BackupError> {
    let private = |path: &Path| DirBuilder::new().mode(0o700).recursive(true).create(path).doing("make", path);
    private(&request.root)?;
    // Without links: what lies in what is told by the paths.
    let run_dir = request.root.canonicalize().doing("open", &request.root)?.join(&request.owner).join(&request.run);
    private(&run_dir)?;
    Ok(run_dir)
}

/// Removes what earlier backups left that never became whole, and the directories of runs that have no other.
fn sweep(request: &Request) -> Result<(), BackupError> {
    let owner = request.root.join(&request.owner);
    for run in names(&owner)? {
        let dir = owner.join(&run);
        for name in names(&dir)?.into_iter().filter(|name| name.starts_with(PARTIAL)) {
            let path = dir.join(name);
            remove(&path).doing("remove", &path)?;
        }
        if run != request.run {
            let _ = std::fs::remove_dir(&dir);
        }
    }
    Ok(())
}

/// Copies everything into `partial`, and makes it durable.
fn fill(request: &Request, partial: &Path, stop: &dyn Fn() -> bool) -> Result<Contents, BackupError> {
    request.disk.point().doing("make", partial)?;
    DirBuilder::new().mode(0o700).create(partial).doing("make", partial)?;
    let mut copier = Copier::new(&request.disk, stop);
    let mut dirs: Vec<Copied<'_>> = Vec::new();
    for path in &request.dirs {
        let from = path.canonicalize().doing("open", path)?;
        if partial.starts_with(&from) {
            return Err(BackupError::Inside { dir: from, root: request.root.clone() });
        }
        let copy = free_name(path.file_name().and_then(OsStr::to_str).unwrap_or("root"), |name| dirs.iter().any(|dir| dir.copy == name));
        copier.tree(&from, &partial.join(&copy))?;
        dirs.push(Copied { path, copy });
    }
    let contents = copier.contents;
    let Request { owner, run, name, .. } = request;
    let record = Record { schema: 1, owner, run, name, dirs, contents, left_out: &copier.left_out };
    let text = serde_json::to_vec_pretty(&record).map_err(io::Error::other).doing("write", partial)?;
    request.disk.point().doing("write", partial)?;
    std::fs::write(partial.join(CONTENTS), text).doing("write", partial)?;
    request.disk.sync_all(open(partial)?).doing("sync", partial)?;
    Ok(contents)
}

/// From here on it is a backup.
fn publish(request: &Request, run_dir: &Path, partial: &Path) -> Result<PathBuf, BackupError> {
    let name = free_name(&request.name, |name| run_dir.join(name).exists());
    let dir = open(run_dir)?;
    let from = partial.file_name().unwrap_or_default();
    request.disk.rename((&dir, from), (&dir, OsStr::new(&name))).doing("rename", partial)?;
    // The run, the owner, the root, and the name of the root.
    for above in run_dir.ancestors().take(4) {
        request.disk.sync(open(above)?).doing("sync", above)?;
    }
    Ok(run_dir.join(name))
}

/// Removes the backups of runs that are too old; what can't be removed is told.
fn prune(request: &Request) -> Vec<String> {
    let owner = request.root.join(&request.owner);
    let mut runs = names(&owner).unwrap_or_default();
    runs.sort_unstable();
    // Whatever the clock said: never the one that was just taken. And what holds no whole backup takes no place of one.
    runs.retain(|run| *run != request.run && has_whole(&owner.join(run)));
    let keep = usize::try_from(request.keep.saturating_sub(1)).unwrap_or(usize::MAX);
    let old = runs.len().saturating_sub(keep);
    let removed = runs.into_iter().take(old).map(|run| owner.join(run)).map(|path| (remove(&path), path));
    removed.filter_map(|(removed, path)| Some(format!("{}: {}", path.display(), removed.err()?))).collect()
}

/// Whether a run's directory holds a backup that was published.
fn has_whole(run: &Path) -> bool {
    let is_whole = |name: &String| !name.starts_with(PARTIAL) && run.join(name).join(CONTENTS).is_file();
    names(run).is_ok_and(|names| names.iter().any(is_whole))
}

/// `name`, or the first of `name-2`, `name-3`, … that isn't taken.
fn free_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number: u32| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

/// Removes one of our own directories, whatever rights the directories in it lack.
fn remove(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    Ok(place::remove(&OwnedFd::from(File::open(parent)?), name)?)
}

fn open(path: &Path) -> Result<OwnedFd, BackupError> {
    place::open_readable(path).doing("open", path)
}

/// The names in one of our own directories; those that are no text aren't ours.
fn names(path: &Path) -> Result<Vec<String>, BackupError> {
    let entries = std::fs::read_dir(path).doing("read", path)?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok())).collect::<io::Result<Vec<_>>>();
    Ok(names.doing("read", path)?.into_iter().flatten().collect())
}
