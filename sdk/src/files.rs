//! What hooks do to files, done so that an interruption leaves the old or the new state and never half of one.

use anyhow::{Context as _, ensure};
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

/// What [`copy_if_changed`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Copied {
    /// The target is new, or had other content.
    Written,
    /// The target had that content already, and wasn't touched.
    Unchanged,
}

/// Copies a file if the target isn't there or differs. A target that is a directory takes the file under its own name.
///
/// # Errors
/// With both paths, if either can't be read or written.
pub fn copy_if_changed(from: impl AsRef<Path>, to: impl AsRef<Path>) -> anyhow::Result<Copied> {
    let (from, to) = (from.as_ref(), to.as_ref());
    copy(from, to).with_context(|| format!("can't copy {} to {}", from.display(), to.display()))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<Copied> {
    let to = match from.file_name() {
        Some(name) if to.is_dir() => to.join(name),
        _ => to.to_path_buf(),
    };
    let mut source = File::open(from)?;
    if same_content(&mut source, &to)? {
        return Ok(Copied::Unchanged);
    }
    let mut source = File::open(from)?;
    replace(&to, |target| io::copy(&mut source, target).map(drop))?;
    Ok(Copied::Written)
}

/// Compares in pieces, so that a large file doesn't have to fit the hook's memory.
fn same_content(source: &mut File, target: &Path) -> io::Result<bool> {
    let mut target = match File::open(target) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if source.metadata()?.len() != target.metadata()?.len() {
        return Ok(false);
    }
    let (mut ours, mut theirs) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let (read, expected) = (fill(source, &mut ours)?, fill(&mut target, &mut theirs)?);
        if ours[..read] != theirs[..expected] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends: two files give the same pieces.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Writes a file so that a reader sees all of it or what was there before. The directory must exist; the file's permissions are new ones.
///
/// # Errors
/// With the path, if it can't be written.
pub fn write_atomic(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let path = path.as_ref();
    replace(path, |file| file.write_all(content.as_ref())).with_context(|| format!("can't write {}", path.display()))
}

/// Fills a temporary file beside `path` and renames it there. The name is always the same one, so that an interrupted hook leaves one at most.
fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> anyhow::Result<()> {
    let name = path.file_name().context("the path doesn't end in a file name")?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(".wasmhook-new");
    let temporary = path.with_file_name(temporary);
    let filled = File::create(&temporary).and_then(|mut file| fill(&mut file).and_then(|()| file.sync_all()));
    if let Err(error) = filled.and_then(|()| fs::rename(&temporary, path)) {
        // The first error is the one that matters.
        let _ = fs::remove_file(&temporary);
        return Err(error.into());
    }
    Ok(())
}

/// What [`clear_dir`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cleared {
    /// Files, symbolic links and everything else that isn't a directory.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
}

/// Removes everything in a directory, hidden files too, and keeps the directory itself. A symbolic link is removed, never followed.
///
/// This is what `rm -rf "$APP_DIR/cache/*"` doesn't do (S3.41): the quoted `*` is a file name that nothing has. A directory that isn't
/// there is an error for the same reason, so that a wrong path isn't a quiet nothing; wrap the call in
/// [`best_effort`](crate::best_effort) where it may be missing.
///
/// # Errors
/// With the path, if something can't be removed; what was removed before stays removed.
pub fn clear_dir(dir: impl AsRef<Path>) -> anyhow::Result<Cleared> {
    let dir = dir.as_ref();
    let mut cleared = Cleared::default();
    ensure!(dir.parent().is_some(), "refusing to clear {}: it is a root", dir.display());
    clear(dir, &mut cleared).with_context(|| format!("can't clear {}", dir.display()))?;
    Ok(cleared)
}

fn clear(dir: &Path, cleared: &mut Cleared) -> anyhow::Result<()> {
    // The names are read before anything is removed: what a directory's iterator does with removals is the host's affair.
    let entries: Vec<(PathBuf, bool)> = fs::read_dir(dir)?
        .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_dir()))))
        .collect::<io::Result<_>>()?;
    for (path, is_dir) in entries {
        if is_dir {
            clear(&path, cleared)?;
            fs::remove_dir(&path).with_context(|| format!("can't remove {}", path.display()))?;
            cleared.dirs += 1;
        } else {
            fs::remove_file(&path).with_context(|| format!("can't remove {}", path.display()))?;
            cleared.files += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_41_clearing_removes_the_contents_and_keeps_the_directory() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        fs::create_dir_all(cache.join("a/b")).unwrap();
        fs::write(cache.join("a/b/page.html"), "x").unwrap();
        fs::write(cache.join(".hidden"), "x").unwrap();
        assert_eq!(clear_dir(&cache).unwrap(), Cleared { files: 2, dirs: 2 });
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
        assert_eq!(clear_dir(&cache).unwrap(), Cleared::default(), "safe to run twice");
        let error = clear_dir(root.path().join("cache/*")).unwrap_err();
        assert!(error.to_string().contains("cache/*"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn clearing_removes_links_and_not_what_they_point_to() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("cache")).unwrap();
        fs::create_dir_all(root.path().join("precious")).unwrap();
        fs::write(root.path().join("precious/data"), "x").unwrap();
        std::os::unix::fs::symlink("../precious", root.path().join("cache/link")).unwrap();
        assert_eq!(clear_dir(root.path().join("cache")).unwrap(), Cleared { files: 1, dirs: 0 });
        assert!(root.path().join("precious/data").exists());
    }

    #[test]
    fn a_root_is_never_cleared() {
        assert!(clear_dir("/").unwrap_err().to_string().contains("it is a root"));
    }

    #[test]
    fn copying_writes_only_what_differs() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("from.json"), root.path().join("to"));
        fs::create_dir(&to).unwrap();
        fs::write(&from, vec![7; 200_000]).unwrap();
        assert_eq!(copy_if_changed(&from, &to).unwrap(), Copied::Written);
        assert_eq!(copy_if_changed(&from, &to).unwrap(), Copied::Unchanged);
        let mut changed = vec![7; 200_000];
        changed[199_999] = 8;
        fs::write(&from, &changed).unwrap();
        assert_eq!(copy_if_changed(&from, to.join("from.json")).unwrap(), Copied::Written);
        assert_eq!(fs::read(to.join("from.json")).unwrap(), changed);
        let error = copy_if_changed(root.path().join("gone"), &to).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("taken")).unwrap();
        fs::write(root.path().join("taken/file"), "x").unwrap();
        assert!(write_atomic(root.path().join("taken"), "new").is_err(), "a directory can't be replaced");
        assert!(write_atomic(root.path().join("gone/file"), "new").is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        write_atomic(root.path().join("file"), "new").unwrap();
        assert_eq!(fs::read_to_string(root.path().join("file")).unwrap(), "new");
    }
}
