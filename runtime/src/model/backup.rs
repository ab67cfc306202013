//! What a hook changes for good, and the copy that is taken before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a hook changes that nothing here can take back, whatever stages and reverts it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LastingEffect {
    /// The content of a database.
    Db,
    /// Something outside of this machine: a message that was sent, a service that was told.
    External,
}

impl LastingEffect {
    /// Every value, in the order of the documentation.
    pub const ALL: &[Self] = &[Self::Db, Self::External];

    /// The word that stands for it everywhere.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Db => "db",
            Self::External => "external",
        }
    }
}

/// The words of effects, for a sentence; empty without any.
#[must_use]
pub fn words(effects: &[LastingEffect]) -> String {
    effects.iter().map(|effect| effect.word()).collect::<Vec<_>>().join(", ")
}

/// The backup that is taken before a hook starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupPlan {
    /// Absolute paths of the directories.
    pub dirs: Vec<String>,
    /// Where backups are kept; null for the state directory.
    pub into: Option<String>,
    /// Of how many runs they are kept, this one included.
    pub keep: u32,
}

/// How much a backup holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupContents {
    /// Entries of any kind, databases among them.
    pub files: u64,
    /// Bytes of file content.
    pub bytes: u64,
    /// `SQLite` databases, each copied as it was at one moment.
    pub databases: u64,
}
