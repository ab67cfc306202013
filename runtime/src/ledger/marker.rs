//! Marker files for platforms that keep them: `$APP_DIR/.release-${DEPLOY_TAG}-done`.
//!
//! A marker lies where hooks write. It is only ever reached step by step from an open directory, and no link on the way is followed.

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// How many names that are taken are passed over.
const MAX_LEFTOVERS: u32 = 100;

/// Why a marker can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    /// The name could leave the directory.
    #[error(
        "`{name}` can't be a marker: write the path of a file below the application's directory, without `..` and without a leading `/`"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The system refused, or a link stands in the way.
    #[error("cannot {doing} the marker {name}: {source}")]
    Io {
        /// What was tried (`write`).
        doing: &'static str,
        /// The marker.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Whether the marker is there. Only a regular file is one: a link or a directory of its name is not, nor anything behind a linked directory.
///
/// # Errors
/// [`MarkerError`] if its name could leave `dir`, or it can't be examined.
pub fn read(dir: &Dir, name: &str) -> Result<bool, MarkerError> {
    let place = Place::parse(name)?;
    let found = place.open_parent(dir).and_then(|parent| rustix::fs::statat(&parent, place.file, AtFlags::SYMLINK_NOFOLLOW));
    match found {
        Ok(found) => Ok(FileType::from_raw_mode(found.st_mode) == FileType::RegularFile),
        // A link in the place of a directory says ELOOP or ENOTDIR, depending on the system.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
        Err(error) => Err(failed("look for", name, error)),
    }
}

/// Creates the marker, an empty file: wholly there and synced, or not there. A link in its place is replaced, never followed; a marker that is
/// there already stays as it is.
///
/// # Errors
/// [`MarkerError`] if its name could leave `dir`, its directory is missing or a link, or it can't be written.
pub fn write(dir: &Dir, name: &str) -> Result<(), MarkerError> {
    if read(dir, name)? {
        return Ok(());
    }
    let place = Place::parse(name)?;
    let parent = place.open_parent(dir).map_err(|error| failed("reach", name, error))?;
    create(parent.as_fd(), place.file, b"").map_err(|error| failed("write", name, error))
}

/// Puts a file of this content in the place of whatever has the name there.
pub(super) fn replace(dir: &Dir, file: &str, content: &[u8]) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    create(rustix::fs::openat(dir, ".", flags, Mode::empty())?.as_fd(), file, content)
}

fn create(parent: BorrowedFd<'_>, file: &str, content: &[u8]) -> io::Result<()> {
    sweep(parent, file);
    let (temporary, temporary_name) = create_temporary(parent, file)?;
    let mut temporary = std::fs::File::from(temporary);
    let done = temporary.write_all(content).and_then(|()| temporary.sync_all()).and_then(|()| {
        rustix::fs::renameat(parent, temporary_name.as_str(), parent, file)?;
        Ok(rustix::fs::fsync(parent)?)
    });
    if done.is_err() {
        // Gone already if only the last sync failed.
        let _ = rustix::fs::unlinkat(parent, temporary_name.as_str(), AtFlags::empty());
    }
    done
}

/// The names under which a file is written before it gets its own.
fn temporaries(file: &str) -> impl Iterator<Item = String> + '_ {
    (0..MAX_LEFTOVERS).map(move |number| format!("{file}.wasmhook-{number}"))
}

/// Removes what runs that died left, as far as it is a file of this user's. Who writes here has the lock, so nobody is writing them.
fn sweep(parent: BorrowedFd<'_>, file: &str) {
    let user = rustix::process::geteuid().as_raw();
    for name in temporaries(file) {
        let Ok(found) = rustix::fs::statat(parent, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) else { return };
        if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile && found.st_uid == user {
            // What can't be removed is passed over.
            let _ = rustix::fs::unlinkat(parent, name.as_str(), AtFlags::empty());
        }
    }
}

/// A new file beside the marker. `EXCL` follows no link, and takes nothing that lies there.
fn create_temporary(parent: BorrowedFd<'_>, file: &str) -> Result<(OwnedFd, String), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    for name in temporaries(file) {
        match rustix::fs::openat(parent, name.as_str(), flags, mode) {
            Ok(temporary) => return Ok((temporary, name)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::EXIST)
}

/// A marker's name, taken apart.
struct Place<'a> {
    /// The directories on the way.
    parents: Vec<&'a str>,
    /// The file's own name.
    file: &'a str,
}

impl<'a> Place<'a> {
    fn parse(name: &'a str) -> Result<Self, MarkerError> {
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        let mut parents: Vec<_> = name.split('/').collect();
        match parents.pop() {
            Some(file) if is_plain(file) && parents.iter().all(|part| is_plain(part)) => Ok(Self { parents, file }),
            _ => Err(MarkerError::Name { name: name.to_owned() }),
        }
    }

    /// Opens the marker's directory, one step after the other.
    fn open_parent(&self, dir: &Dir) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let start = rustix::fs::openat(dir, ".", flags, Mode::empty())?;
        self.parents.iter().try_fold(start, |parent, part| rustix::fs::openat(&parent, *part, flags, Mode::empty()))
    }
}

fn failed(doing: &'static str, name: &str, error: impl Into<io::Error>) -> MarkerError {
    MarkerError::Io { doing, name: name.to_owned(), source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    const NAME: &str = ".release-v0.4.0-done";

    fn app() -> (tempfile::TempDir, Dir) {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("app")).unwrap();
        let dir = Dir::open_ambient_dir(home.path().join("app"), cap_std::ambient_authority()).unwrap();
        (home, dir)
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn s3_35_the_marker_is_exactly_the_seeds_file() {
        let (home, dir) = app();
        assert!(!read(&dir, NAME).unwrap());
        write(&dir, NAME).unwrap();
        assert!(read(&dir, NAME).unwrap());
        assert_eq!(names(&home.path().join("app")), [NAME]);
        assert_eq!(std::fs::read(home.path().join("app").join(NAME)).unwrap(), b"");
    }

    #[test]
    fn s3_35_a_marker_that_a_script_touched_counts_and_is_left_alone() {
        let (home, dir) = app();
        let path = home.path().join("app").join(NAME);
        std::fs::write(&path, "by hand").unwrap();
        assert!(read(&dir, NAME).unwrap());
        write(&dir, NAME).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"by hand");
    }

    #[test]
    fn s3_35_a_link_is_no_marker() {
        let (home, dir) = app();
        std::fs::write(home.path().join("elsewhere"), "").unwrap();
        symlink("../elsewhere", home.path().join("app").join(NAME)).unwrap();
        assert!(!read(&dir, NAME).unwrap());
        std::fs::create_dir(home.path().join("app/directory")).unwrap();
        assert!(!read(&dir, "directory").unwrap());
    }

    #[test]
    fn s3_37_a_link_planted_in_its_place_is_replaced_not_followed() {
        let (home, dir) = app();
        let victim = home.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        for target in ["../victim", "../created-through-the-link"] {
            let path = home.path().join("app").join(NAME);
            let _ = std::fs::remove_file(&path);
            symlink(target, &path).unwrap();
            write(&dir, NAME).unwrap();
            assert!(path.symlink_metadata().unwrap().is_file());
        }
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
        assert_eq!(names(home.path()), ["app", "victim"]);
    }

    #[test]
    fn s3_37_a_link_planted_as_its_directory_is_not_followed() {
        let (home, dir) = app();
        std::fs::create_dir(home.path().join("app/real")).unwrap();
        std::fs::write(home.path().join("app/real/done"), "").unwrap();
        symlink("real", home.path().join("app/state")).unwrap();
        assert!(!read(&dir, "state/done").unwrap());
        assert!(matches!(write(&dir, "state/other"), Err(MarkerError::Io { .. })));
        assert_eq!(names(&home.path().join("app/real")), ["done"]);
        assert!(read(&dir, "real/done").unwrap());
    }

    #[test]
    fn s3_37_links_planted_at_the_temporary_names_are_passed_over() {
        let (home, dir) = app();
        let victim = home.path().join("victim");
        symlink(&victim, home.path().join("app").join(format!("{NAME}.wasmhook-0"))).unwrap();
        write(&dir, NAME).unwrap();
        assert!(read(&dir, NAME).unwrap());
        assert!(!victim.exists());
    }

    #[test]
    fn what_a_run_that_died_left_is_gone_once_the_next_writes() {
        let (home, dir) = app();
        for number in [0, 1] {
            std::fs::write(home.path().join("app").join(format!("{NAME}.wasmhook-{number}")), "").unwrap();
        }
        symlink("nowhere", home.path().join("app").join(format!("{NAME}.wasmhook-2"))).unwrap();
        write(&dir, NAME).unwrap();
        assert_eq!(names(&home.path().join("app")), [NAME.to_owned(), format!("{NAME}.wasmhook-2")], "a planted link is nobody's leftover");
    }

    #[test]
    fn s3_37_what_can_not_be_written_leaves_nothing_behind() {
        let (home, dir) = app();
        std::fs::create_dir_all(home.path().join("app").join(NAME).join("full")).unwrap();
        assert!(matches!(write(&dir, NAME), Err(MarkerError::Io { doing: "write", .. })));
        assert_eq!(names(&home.path().join("app")), [NAME]);
        assert!(matches!(write(&dir, "missing/done"), Err(MarkerError::Io { doing: "reach", .. })));
    }

    #[test]
    fn names_that_could_leave_the_directory_are_refused() {
        let (_home, dir) = app();
        for name in ["", "/etc/done", "../done", "a/../done", "a//b", "a/", ".", "a\0b"] {
            assert!(matches!(read(&dir, name), Err(MarkerError::Name { .. })), "{name:?}");
            assert!(matches!(write(&dir, name), Err(MarkerError::Name { .. })), "{name:?}");
        }
    }
}
