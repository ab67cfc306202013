//! A file tree by its contents: what a repository's commit holds, so that a private copy of it can be made anywhere.

use super::id::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a tree holds, by path: `/` between parts, relative to its root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing(pub BTreeMap<String, Listed>);

/// One entry of a tree. A folder that holds something has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listed {
    /// A file.
    File {
        /// The digest of its bytes.
        digest: Digest,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it leads, as written.
        target: String,
    },
    /// An empty folder, in a submodule's place.
    Folder,
}

impl Listing {
    /// The listing as bytes: their digest stands for everything that the tree holds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|_| unreachable!("texts and digests are JSON"))
    }

    /// A listing from its bytes; `None` if they are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Whether a folder of this path (empty: the root) is there.
    #[must_use]
    pub fn has_folder(&self, path: &str) -> bool {
        let inside = format!("{path}/");
        path.is_empty()
            || self.0.get(path) == Some(&Listed::Folder)
            || self.0.range(inside.clone()..).next().is_some_and(|(first, _)| first.starts_with(&inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_survives_its_bytes_and_knows_its_folders() {
        let file = |text: &str| Listed::File { digest: Digest::of(text.as_bytes()), executable: false };
        let listing = Listing(BTreeMap::from([
            ("a-b/x".to_owned(), file("x")),
            ("a/b/c".to_owned(), file("c")),
            ("l".to_owned(), Listed::Link { target: "a".to_owned() }),
            ("sub".to_owned(), Listed::Folder),
        ]));
        assert_eq!(Listing::from_bytes(&listing.to_bytes()), Some(listing.clone()));
        for (folder, there) in
            [("", true), ("a", true), ("a/b", true), ("sub", true), ("a/b/c", false), ("l", false), ("b", false), ("a-", false)]
        {
            assert_eq!(listing.has_folder(folder), there, "{folder:?}");
        }
    }
}
