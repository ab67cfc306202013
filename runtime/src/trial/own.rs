//! An author's own files: links among them are followed, and none that leads out of the directory that was named. Nobody waits for a pipe.

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

/// At most `max` bytes of the file at `path`, which is written from `dir` on: the `..` that it begins with are its author's own words.
///
/// # Errors
/// What the system says; a link that leads out, and what is no file, by name.
pub(super) fn read(dir: &Path, path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let (base, rest) = based(dir, path);
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = Dir::open_ambient_dir(base, ambient_authority())?.open_with(rest, &options).map_err(named)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(rustix::io::Errno::ISDIR.into());
    }
    if !kind.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is a pipe, a socket or a device, not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The directory that a path begins in, and the path below it.
fn based(dir: &Path, path: &Path) -> (PathBuf, PathBuf) {
    let begins = |part: &Component<'_>| !matches!(part, Component::Normal(_));
    let base: PathBuf = path.components().take_while(begins).collect();
    (dir.join(base), path.components().skip_while(begins).collect())
}

/// cap-std's word for a path that leaves its directory is no error of the system.
fn named(error: io::Error) -> io::Error {
    let leaves = error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none();
    if leaves {
        io::Error::new(error.kind(), "a link leads out of its directory: name the file itself, or put a copy there")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    fn at(dir: &Path, path: &str) -> String {
        read(dir, Path::new(path), 99).map_or_else(|error| error.to_string(), |bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn links_among_an_authors_files_are_followed_and_none_that_leads_out() {
        let root = tempfile::tempdir().unwrap();
        let hooks = root.path().join("hooks");
        std::fs::create_dir_all(hooks.join("deep")).unwrap();
        std::fs::write(hooks.join("deep/file"), "own").unwrap();
        std::fs::write(root.path().join("built"), "built").unwrap();
        symlink("deep/file", hooks.join("inside")).unwrap();
        symlink("../built", hooks.join("outside")).unwrap();
        symlink("/etc/hostname", hooks.join("far")).unwrap();
        for (path, expected) in [("deep/file", "own"), ("./inside", "own"), ("../built", "built"), ("../hooks/inside", "own")] {
            assert_eq!(at(&hooks, path), expected, "{path}");
        }
        assert_eq!(
            at(Path::new("/"), &root.path().join("built").display().to_string()),
            "built",
            "an absolute path is the author's word, too"
        );
        for path in ["outside", "far"] {
            assert_eq!(at(&hooks, path), "a link leads out of its directory: name the file itself, or put a copy there", "{path}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(at(dir.path(), "pipe"), "it is a pipe, a socket or a device, not a regular file");
        assert_eq!(at(Path::new("/dev"), "zero"), "it is a pipe, a socket or a device, not a regular file");
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        assert_eq!(at(dir.path(), "sub"), "Is a directory (os error 21)");
        assert_eq!(at(dir.path(), "gone"), "No such file or directory (os error 2)");
    }
}
