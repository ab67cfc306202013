//! The commit of the last success in a file, for platforms that keep it there (`/tmp/last_job_commit.txt`): whoever removes the file has
//! everything run again. Without one the ledger knows, which also survives the loss of `/tmp`.

use super::marker;
use crate::model::id::Commit;
use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// More than any commit's name has, with a line end.
const MOST: u64 = 256;

/// The commit that stands in the file; `None` if there is no such file, or something else in it. A link is not followed.
///
/// # Errors
/// What the system says.
pub fn read(path: &Path) -> io::Result<Option<Commit>> {
    let (dir, name) = match open_parent(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        parent => parent?,
    };
    // A pipe that somebody planted is not waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&dir, &name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut text = String::new();
    // What is no text is no commit.
    let read = file.take(MOST).read_to_string(&mut text);
    Ok(read.ok().and_then(|_| Commit::new(text.trim()).ok()))
}

/// Writes the commit, and nothing else: wholly there and synced, or the file as it was. A link in its place is replaced, never followed.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, commit: &Commit) -> io::Result<()> {
    let (dir, name) = open_parent(path)?;
    marker::replace(&dir, &name, format!("{commit}\n").as_bytes())
}

fn open_parent(path: &Path) -> io::Result<(Dir, String)> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| io::Error::other("it names no file"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((Dir::open_ambient_dir(parent, cap_std::ambient_authority())?, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn commit(text: &str) -> Commit {
        Commit::new(text).unwrap()
    }

    #[test]
    fn s4_6_the_file_holds_the_commit_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("last_job_commit.txt");
        assert_eq!(read(&path).unwrap(), None, "S4.5: the first run");
        for name in ["abc123", "def456"] {
            write(&path, &commit(name)).unwrap();
            assert_eq!((fs::read_to_string(&path).unwrap(), read(&path).unwrap()), (format!("{name}\n"), Some(commit(name))));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_no_commit_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for text in [&b"main"[..], b"", b"\xff\xfe\n", &[b'a'; 1000]] {
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap(), None, "{text:?}");
        }
        fs::create_dir(dir.path().join("folder")).unwrap();
        assert_eq!(read(&dir.path().join("folder")).unwrap(), None);
        assert_eq!(read(&dir.path().join("no/such/folder/file")).unwrap(), None);
        assert!(write(&dir.path().join("no/such/folder/file"), &commit("abc123")).is_err());
    }

    #[test]
    fn a_link_that_somebody_planted_is_replaced_and_never_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("commit"), dir.path().join("victim"));
        fs::write(&victim, "abc123").unwrap();
        symlink(&victim, &path).unwrap();
        assert!(read(&path).is_err(), "what it leads to isn't read");
        write(&path, &commit("def456")).unwrap();
        assert_eq!((fs::read_to_string(&victim).unwrap(), read(&path).unwrap()), ("abc123".to_owned(), Some(commit("def456"))));
    }
}
