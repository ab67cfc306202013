//! Files and folders as a commit holds them, read from git's objects: no checkout is needed, and none can change them.

use super::error::{GitError, Refusal, SourceError};
use super::git::{Repository, strange};
use super::source::{Entry, EntryKind, MAX_ENTRIES, parts};
use crate::model::id::Commit;

/// What a Git LFS pointer begins with.
pub(super) const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The largest LFS pointer, in bytes.
pub(super) const MAX_POINTER: usize = 1024;

/// An entry of a tree, and the object that it names.
pub(super) struct Object {
    pub(super) name: String,
    /// Its path as listed; `None` if it isn't UTF-8.
    pub(super) path: Option<String>,
    pub(super) entry: Entry,
}

impl Repository {
    /// The bytes of the file at `path` in `commit`; `None` if there is nothing.
    ///
    /// # Errors
    /// [`SourceError`], as for [`super::source::Source::read`].
    pub async fn show(&self, commit: &Commit, path: &str, max: u64) -> Result<Option<Vec<u8>>, SourceError> {
        if parts(path)?.is_empty() {
            return Err(SourceError::refused(path, Refusal::NotAFile(EntryKind::Folder.words())));
        }
        let Some(object) = self.object(commit, path).await? else { return Ok(None) };
        object.entry.kind.expect_file(path)?;
        let size = object.entry.size.unwrap_or(u64::MAX);
        if size > max {
            return Err(SourceError::refused(path, Refusal::TooLarge { size, max }));
        }
        let bytes = self.ask_for(&["cat-file", "blob", &object.name], max).await?.success("cat-file")?;
        if bytes.len() <= MAX_POINTER && bytes.starts_with(LFS_POINTER) {
            return Err(SourceError::refused(path, Refusal::LfsPointer));
        }
        Ok(Some(bytes))
    }

    /// The entries of a folder (`.` is the root) in `commit`, sorted by name; `None` if there is nothing.
    ///
    /// # Errors
    /// [`SourceError`], as for [`super::source::Source::list`].
    pub async fn list(&self, commit: &Commit, folder: &str) -> Result<Option<Vec<Entry>>, SourceError> {
        let answer = if parts(folder)?.is_empty() {
            self.ask(&["ls-tree", "-z", "-l", commit.as_str()]).await?.success("ls-tree")?
        } else {
            let Some(object) = self.object(commit, folder).await? else { return Ok(None) };
            object.entry.kind.expect_folder(folder)?;
            self.ask(&["ls-tree", "-z", "-l", "--full-tree", &object.name]).await?.success("ls-tree")?
        };
        let mut entries: Vec<Entry> = objects(&answer)?.into_iter().map(|object| object.entry).collect();
        if entries.len() > MAX_ENTRIES {
            return Err(SourceError::refused(folder, Refusal::TooManyEntries(MAX_ENTRIES)));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(entries))
    }

    /// The object at `path`. If there is none because a folder on the way is a link, that is an error.
    pub(super) async fn object(&self, commit: &Commit, path: &str) -> Result<Option<Object>, SourceError> {
        let parts = parts(path)?;
        for depth in (1..=parts.len()).rev() {
            let answer = self.ask(&["ls-tree", "-z", "-l", commit.as_str(), "--", &parts[..depth].join("/")]).await?.success("ls-tree")?;
            let Some(object) = objects(&answer)?.into_iter().next() else { continue };
            if depth == parts.len() {
                return Ok(Some(object));
            }
            // The longest part of the path that exists: a plain file or folder means that the rest is absent.
            return if object.entry.kind == EntryKind::Link { Err(SourceError::refused(path, Refusal::Symlink)) } else { Ok(None) };
        }
        Ok(None)
    }
}

/// Reads `ls-tree -z -l`: `<mode> <type> <object> <size>\t<name>\0`.
pub(super) fn objects(answer: &[u8]) -> Result<Vec<Object>, GitError> {
    let entries = answer.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    entries.map(|entry| object(entry).ok_or_else(|| strange("ls-tree", &String::from_utf8_lossy(entry)))).collect()
}

fn object(entry: &[u8]) -> Option<Object> {
    let tab = entry.iter().position(|byte| *byte == b'\t')?;
    let (head, entry_path) = (std::str::from_utf8(&entry[..tab]).ok()?, &entry[tab + 1..]);
    let path = String::from_utf8_lossy(entry_path);
    let mut fields = head.split_ascii_whitespace();
    let (mode, _kind, name, size) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let kind = match mode {
        "040000" => EntryKind::Folder,
        "120000" => EntryKind::Link,
        "160000" => EntryKind::Submodule,
        "100755" => EntryKind::File { executable: true },
        _ if mode.starts_with("100") => EntryKind::File { executable: false },
        _ => return None,
    };
    let entry = Entry { name: path.rsplit('/').next()?.to_owned(), kind, size: size.parse().ok() };
    let path = std::str::from_utf8(entry_path).ok().map(str::to_owned);
    Some(Object { name: name.to_owned(), path, entry })
}
