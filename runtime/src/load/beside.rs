//! Text files that a manifest names (an environment file, a profile): they lie beside it, wherever it was read.

use super::LoadError;
use super::declare::{read_below, text_of};
use crate::discover::{Repository, SourceError};
use crate::manifest::MAX_BYTES;
use crate::model::id::Commit;
use std::io;
use std::path::Path;

/// Where the manifest was read.
pub(super) enum Beside<'a> {
    /// In its directory.
    Folder,
    /// In a commit that isn't checked out yet.
    Release(Release<'a>),
}

/// A commit that a later step checks out.
pub(super) struct Release<'a> {
    pub(super) repository: &'a Repository,
    pub(super) commit: &'a Commit,
    /// What is checked out now.
    pub(super) live: Option<&'a Commit>,
}

impl Beside<'_> {
    /// The text of the file at `path` below `folder`, the manifest's.
    ///
    /// # Errors
    /// [`LoadError`] if it isn't there, is no regular file, or is no text of a size that a person writes.
    pub(super) async fn text(&self, folder: &Path, path: &str, doing: &'static str) -> Result<String, LoadError> {
        match self {
            Self::Folder => read_below(folder, path, doing),
            Self::Release(release) => match release.text(path, doing).await? {
                Some(text) => Ok(text),
                // What no commit knows (`.env` is seldom committed) is the machine's own, and a checkout leaves it where it is.
                None => read_below(folder, path, doing),
            },
        }
    }
}

impl Release<'_> {
    /// The text of a file of the release; `None` if it's neither there nor in what is checked out.
    async fn text(&self, path: &str, doing: &'static str) -> Result<Option<String>, LoadError> {
        let io = |kind, why: String| LoadError::Io { doing, path: path.into(), source: io::Error::new(kind, why) };
        let of = |error| match error {
            SourceError::Git(error) => LoadError::from(error),
            other => io(io::ErrorKind::Other, other.to_string()),
        };
        if let Some(bytes) = self.repository.show(self.commit, path, MAX_BYTES as u64).await.map_err(of)? {
            let text = text_of(bytes).map_err(|message| io(io::ErrorKind::InvalidData, message))?;
            return Ok(Some(text));
        }
        if !self.loses(path).await? {
            return Ok(None);
        }
        let why = format!(
            "the release ({:.12}) doesn't hold it, and its checkout removes the one of what is live now: commit it, or change the manifest",
            self.commit
        );
        Err(io(io::ErrorKind::NotFound, why))
    }

    /// Whether what is checked out holds something at `path`: the checkout of a release that doesn't takes it away. Otherwise what lies there is
    /// the machine's own.
    pub(super) async fn loses(&self, path: &str) -> Result<bool, LoadError> {
        let Some(live) = self.live.filter(|live| *live != self.commit) else { return Ok(false) };
        match self.repository.show(live, path, u64::MAX).await {
            Ok(None) => Ok(false),
            Err(SourceError::Git(error)) => Err(error.into()),
            // Whatever it is there.
            Ok(Some(_)) | Err(_) => Ok(true),
        }
    }
}
