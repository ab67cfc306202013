//! What an execution did to files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files that a hook changed: sorted paths, relative to the granted directory (below its path on the host, if several are staged). A backslash is
/// written `\\`, and a byte that is no text `\xFF`: no two look alike, and none is to be read back as a path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileChanges {
    /// New files, links and directories.
    pub created: Vec<String>,
    /// Files with other content, another mode, or other attributes than before.
    pub modified: Vec<String>,
    /// What is gone.
    pub deleted: Vec<String>,
}

impl FileChanges {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.modified.is_empty() && self.deleted.is_empty()
    }

    /// These and others, of other directories.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for (list, more) in
            [(&mut self.created, others.created), (&mut self.modified, others.modified), (&mut self.deleted, others.deleted)]
        {
            list.extend(more);
            list.sort();
        }
        self
    }

    /// How many paths changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.created.len() + self.modified.len() + self.deleted.len()
    }
}

/// How the writes to one granted directory were kept apart until it was known how they end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StagedDir {
    /// The directory, by its path on the host.
    pub dir: String,
    /// How: `overlay`, `user-overlay`, `copy`.
    pub how: String,
    /// Why nothing cheaper was used, a sentence for each way that was tried before (`overlay: Operation not permitted`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
}

impl StagedDir {
    /// That it was copied for want of anything cheaper, in a sentence.
    #[must_use]
    pub fn copied(&self) -> Option<String> {
        let for_want = self.how == "copy" && !self.why.is_empty();
        for_want.then(|| format!("{} is staged by copying it: no overlay can be made of it here ({})", self.dir, self.why.join("; ")))
    }
}

/// How the text of one file changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextDiff {
    /// The file, as [`FileChanges`] names it.
    pub path: String,
    /// A unified diff; control characters are escaped by whoever shows it.
    pub diff: String,
}
