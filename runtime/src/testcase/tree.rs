//! What lies in a directory: a snapshot to compare with. It follows no link, opens nothing but files and directories, and is bounded.

use crate::model::id::Digest;
use crate::model::text;
use cap_std::fs::{Dir, DirEntry, FileType};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// How many entries a snapshot takes; a tree with more is an error.
pub const MAX_ENTRIES: usize = 100_000;

/// How deep it goes; a tree with more levels is an error.
pub const MAX_DEPTH: usize = 128;

/// How many bytes of content it reads in all; a tree with more is an error.
pub const MAX_BYTES: u64 = 4 << 30;

/// The largest file whose text it keeps, in bytes; of larger ones it keeps the digest.
pub const MAX_TEXT: u64 = 64 << 10;

/// How much text it keeps in all, in bytes; past it, digests.
pub const MAX_TEXT_TOTAL: u64 = 16 << 20;

/// What lies at a path.
#[derive(Debug, Clone)]
pub enum FileState {
    /// A directory.
    Dir,
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// What it holds.
        digest: Digest,
        /// What it holds, if that is text and short; never looked at when states are compared.
        text: Option<Arc<str>>,
    },
    /// A symbolic link.
    Link {
        /// What it points to.
        target: String,
    },
    /// A pipe, a socket or a device.
    Other,
}

/// Two states are equal if nobody could tell them apart: whether a snapshot kept the text makes no difference.
impl PartialEq for FileState {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dir, Self::Dir) | (Self::Other, Self::Other) => true,
            (Self::File { size, digest, .. }, Self::File { size: other_size, digest: other_digest, .. }) => {
                size == other_size && digest == other_digest
            }
            (Self::Link { target }, Self::Link { target: other }) => target == other,
            _ => false,
        }
    }
}

impl Eq for FileState {}

impl FileState {
    /// The state of a file with this content.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).ok().filter(|_| bytes.len() as u64 <= MAX_TEXT).map(Arc::from);
        Self::File { size: bytes.len() as u64, digest: Digest::of(bytes), text }
    }
}

/// Everything that lies below `dir`, by its path from there (`app/cache/a.json`). A name that isn't plain text is shown as
/// reports show it: `\xFF` for a byte, `\\` for a backslash.
///
/// # Errors
/// With the path, if something can't be read, or if the tree exceeds [`MAX_ENTRIES`], [`MAX_DEPTH`] or [`MAX_BYTES`].
pub fn snapshot(dir: &Dir) -> io::Result<BTreeMap<String, FileState>> {
    let mut walk = Walk { found: BTreeMap::new(), bytes: 0, text: 0 };
    let mut pending = vec![(String::new(), dir.try_clone()?, 0)];
    while let Some((path, dir, depth)) = pending.pop() {
        if depth > MAX_DEPTH {
            return Err(too_much(&path, &format!("directories are nested deeper than {MAX_DEPTH}")));
        }
        for entry in dir.entries().map_err(|error| at(&path, &error))? {
            let entry = entry.map_err(|error| at(&path, &error))?;
            let path = join(&path, &entry);
            let state = walk.state(&dir, &entry, &path).map_err(|error| at(&path, &error))?;
            if state == FileState::Dir {
                pending.push((path.clone(), entry.open_dir().map_err(|error| at(&path, &error))?, depth + 1));
            }
            walk.found.insert(path, state);
            if walk.found.len() > MAX_ENTRIES {
                return Err(too_much("", &format!("there are more than {MAX_ENTRIES} files and directories")));
            }
        }
    }
    Ok(walk.found)
}

struct Walk {
    found: BTreeMap<String, FileState>,
    bytes: u64,
    text: u64,
}

impl Walk {
    fn state(&mut self, dir: &Dir, entry: &DirEntry, path: &str) -> io::Result<FileState> {
        let kind = entry.file_type()?;
        if kind == FileType::dir() {
            return Ok(FileState::Dir);
        }
        if kind.is_symlink() {
            let target = dir.read_link_contents(entry.file_name())?;
            return Ok(FileState::Link { target: text::shown(&target) });
        }
        // Opening a pipe would wait for a writer.
        if kind == FileType::file() { self.file(entry, path) } else { Ok(FileState::Other) }
    }

    fn file(&mut self, entry: &DirEntry, path: &str) -> io::Result<FileState> {
        let mut file = entry.open()?;
        let keep = self.text < MAX_TEXT_TOTAL;
        let (mut kept, mut hash, mut size) = (Vec::new(), Sha256::new(), 0_u64);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hash.update(read);
            size += read.len() as u64;
            self.bytes += read.len() as u64;
            if keep && size <= MAX_TEXT {
                kept.extend_from_slice(read);
            }
            if self.bytes > MAX_BYTES {
                return Err(too_much(path, &format!("the files hold more than {MAX_BYTES} bytes in all")));
            }
        }
        let whole = keep && size <= MAX_TEXT;
        let text = if whole { String::from_utf8(kept).ok().map(Arc::from) } else { None };
        self.text += if text.is_some() { size } else { 0 };
        Ok(FileState::File { size, digest: Digest::of_hash(&hash.finalize().into()), text })
    }
}

fn join(path: &str, entry: &DirEntry) -> String {
    let shown = text::shown(Path::new(&entry.file_name()));
    if path.is_empty() { shown } else { format!("{path}/{shown}") }
}

fn at(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("/{path}: {error}"))
}

fn too_much(path: &str, what: &str) -> io::Error {
    at(path, &io::Error::new(io::ErrorKind::FileTooLarge, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;

    fn open(dir: &tempfile::TempDir) -> Dir {
        Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_snapshot_names_everything_and_follows_nothing() {
        let root = tempfile::tempdir().unwrap();
        let dir = open(&root);
        dir.create_dir_all("app/cache").unwrap();
        dir.write("app/a.txt", "one\n").unwrap();
        dir.write("app/bin", [0xff, 0x00]).unwrap();
        dir.symlink("../..", "app/up").unwrap();
        rustix::fs::mknodat(&dir, "pipe", rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let found = snapshot(&dir).unwrap();
        let paths: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(paths, ["app", "app/a.txt", "app/bin", "app/cache", "app/up", "pipe"]);
        assert_eq!(found["app/cache"], FileState::Dir);
        assert_eq!(found["app/up"], FileState::Link { target: "../..".into() });
        assert_eq!(found["pipe"], FileState::Other);
        assert!(matches!(&found["app/a.txt"], FileState::File { size: 4, text: Some(text), .. } if &**text == "one\n"));
        assert!(matches!(&found["app/bin"], FileState::File { size: 2, text: None, .. }));
    }

    #[test]
    fn large_files_are_compared_by_their_digest() {
        let root = tempfile::tempdir().unwrap();
        let dir = open(&root);
        let mut bytes = vec![b'x'; 200_000];
        dir.write("big", &bytes).unwrap();
        let before = snapshot(&dir).unwrap();
        assert!(matches!(&before["big"], FileState::File { size: 200_000, text: None, digest } if *digest == Digest::of(&bytes)));
        bytes[199_999] = b'y';
        dir.write("big", &bytes).unwrap();
        assert_ne!(before, snapshot(&dir).unwrap());
    }

    #[test]
    fn whether_text_was_kept_makes_no_difference() {
        let FileState::File { size, digest, .. } = FileState::of_bytes(b"same") else { panic!("a file") };
        assert_eq!(FileState::of_bytes(b"same"), FileState::File { size, digest, text: None });
        assert_ne!(FileState::of_bytes(b"same"), FileState::of_bytes(b"sane"));
    }

    #[test]
    fn what_is_too_deep_is_an_error_with_its_path() {
        let root = tempfile::tempdir().unwrap();
        let dir = open(&root);
        dir.create_dir_all(vec!["d"; MAX_DEPTH + 1].join("/")).unwrap();
        let error = snapshot(&dir).unwrap_err();
        assert!(error.to_string().contains("/d/d/d") && error.to_string().contains("nested deeper"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_no_text_are_shown_escaped() {
        use std::os::unix::ffi::OsStrExt as _;
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();
        assert!(snapshot(&open(&root)).unwrap().contains_key("caf\\xE9"));
    }
}
