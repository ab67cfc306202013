//! Everything that a commit holds below a folder, read from git's objects: a private copy of it is what a checkout would be, without one.

use super::error::{Refusal, SourceError};
use super::git::{Repository, strange};
use super::objects::{LFS_POINTER, MAX_POINTER, Object, objects};
use super::source::{EntryKind, MAX_ENTRIES, parts};
use crate::model::id::{Commit, Digest};
use crate::model::tree::{Listed, Listing};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most that is read of one tree, in bytes.
const MAX_TREE: u64 = 64 << 20;

/// The longest line before a blob in git's answer, in bytes.
const MAX_HEADER: u64 = 128;

/// A tree with its bytes.
#[derive(Debug, Default)]
pub struct FoundTree {
    /// What it holds.
    pub listing: Listing,
    /// The bytes of its files, by digest.
    pub blobs: BTreeMap<Digest, Arc<[u8]>>,
    /// What a copy lacks that a full clone would have, in words.
    pub lacks: Vec<String>,
}

impl Repository {
    /// Everything in `folder` (all if `None`) of `commit`; `None` if there is no such folder.
    ///
    /// # Errors
    /// [`SourceError::Refused`] for more than 10,000 entries or 64 MiB, a name that no file can have, or anything but a folder.
    pub async fn tree(&self, commit: &Commit, folder: Option<&str>) -> Result<Option<FoundTree>, SourceError> {
        let shown = folder.unwrap_or(".");
        let tree = match folder {
            None => commit.to_string(),
            Some(folder) => {
                let Some(object) = self.object(commit, folder).await? else { return Ok(None) };
                object.entry.kind.expect_folder(folder)?;
                object.name
            }
        };
        let answer = self.ask(&["ls-tree", "-r", "-z", "-l", "--full-tree", &tree]).await?.success("ls-tree")?;
        let found = objects(&answer)?;
        if found.len() > MAX_ENTRIES {
            return Err(SourceError::refused(shown, Refusal::TooManyEntries(MAX_ENTRIES)));
        }
        let size: u64 = found.iter().filter_map(|object| object.entry.size).fold(0, u64::saturating_add);
        if size > MAX_TREE {
            return Err(SourceError::refused(shown, Refusal::TooMuch { size, max: MAX_TREE }));
        }
        let bytes = self.blobs(&found, size).await?;
        with_bytes(&found, bytes).map(Some)
    }

    /// The bytes of every entry that has some, in order.
    async fn blobs(&self, objects: &[Object], size: u64) -> Result<Vec<Vec<u8>>, SourceError> {
        let names: String =
            objects.iter().filter(|object| object.entry.kind != EntryKind::Submodule).map(|object| format!("{}\n", object.name)).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let max = size + MAX_HEADER * objects.len() as u64;
        let answer = self.ask_with(&["cat-file", "--batch"], names.as_bytes(), max).await?.success("cat-file")?;
        let mut rest = answer.as_slice();
        let mut bytes = Vec::with_capacity(objects.len());
        while !rest.is_empty() {
            let (blob, after) = blob(rest).ok_or_else(|| strange("cat-file", &String::from_utf8_lossy(&rest[..rest.len().min(80)])))?;
            bytes.push(blob.to_vec());
            rest = after;
        }
        Ok(bytes)
    }
}

/// The first blob of `cat-file --batch`: `<name> blob <size>\n<bytes>\n`.
fn blob(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let mut header = std::str::from_utf8(&answer[..end]).ok()?.split(' ').skip(1);
    let (kind, size): (&str, usize) = (header.next()?, header.next()?.parse().ok()?);
    let (bytes, after) = answer.get(end + 1..)?.split_at_checked(size)?;
    (kind == "blob").then_some((bytes, after.strip_prefix(b"\n")?))
}

fn with_bytes(objects: &[Object], bytes: Vec<Vec<u8>>) -> Result<FoundTree, SourceError> {
    let mut tree = FoundTree::default();
    let mut bytes = bytes.into_iter();
    for object in objects {
        let path = path(object)?;
        let listed = if object.entry.kind == EntryKind::Submodule {
            tree.lacks.push(format!("{path} is a git submodule: its folder is empty"));
            Listed::Folder
        } else {
            let bytes = bytes.next().ok_or_else(|| strange("cat-file", "fewer objects than were asked for"))?;
            tree.entry(&path, object.entry.kind, bytes)?
        };
        // Git itself makes no tree in which a name stands twice; whoever did meant to have one of them overlooked.
        if tree.listing.0.insert(path.clone(), listed).is_some() {
            return Err(SourceError::refused(&path, Refusal::StrangeName));
        }
    }
    Ok(tree)
}

impl FoundTree {
    fn entry(&mut self, path: &str, kind: EntryKind, bytes: Vec<u8>) -> Result<Listed, SourceError> {
        match kind {
            EntryKind::Link => {
                let target = String::from_utf8(bytes).map_err(|_| SourceError::refused(path, Refusal::StrangeName))?;
                Ok(Listed::Link { target })
            }
            EntryKind::File { executable } => {
                if bytes.len() <= MAX_POINTER && bytes.starts_with(LFS_POINTER) {
                    self.lacks.push(format!("{path} is kept in Git LFS: it holds only a pointer"));
                }
                let digest = Digest::of(&bytes);
                self.blobs.insert(digest.clone(), bytes.into());
                Ok(Listed::File { digest, executable })
            }
            other => Err(SourceError::refused(path, Refusal::NotAFile(other.words()))),
        }
    }
}

/// The path of an entry, if a file can have it: git checks names when it makes a commit, not when it reads somebody else's.
fn path(object: &Object) -> Result<String, SourceError> {
    let strange = || SourceError::refused(&object.entry.name, Refusal::StrangeName);
    let path = object.path.clone().ok_or_else(strange)?;
    let named = parts(&path)?;
    let is_git = |part: &&str| part.eq_ignore_ascii_case(".git");
    // `parts` leaves out what stands for the folder itself.
    if named.join("/") != path || named.iter().any(is_git) { Err(strange()) } else { Ok(path) }
}
