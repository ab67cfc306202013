//! What an execution did to files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files that a hook changed: sorted paths, relative to the granted directory (below its guest path, if several are staged).
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

    /// How many paths changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.created.len() + self.modified.len() + self.deleted.len()
    }
}
