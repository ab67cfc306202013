//! Capability (asked) → grant (given) → denial (refused, with the line that would allow it).

use super::id::{HookId, StepName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a hook may do in a granted directory, and how its writes end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DirMode {
    /// Read only.
    Read,
    /// Read and write, live.
    Write,
    /// Writes are staged; committed when the hook succeeds, dropped when it doesn't.
    Txn,
    /// Writes are staged and always dropped.
    Discard,
    /// A new, empty, private directory, removed afterwards.
    Scratch,
}

impl DirMode {
    /// Every mode, in the order of the documentation.
    pub const ALL: &[Self] = &[Self::Read, Self::Write, Self::Txn, Self::Discard, Self::Scratch];

    /// The word that stands for the mode everywhere.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Txn => "txn",
            Self::Discard => "discard",
            Self::Scratch => "scratch",
        }
    }

    /// How much it lets happen to the host's files: more is wider. A narrower grant inside a wider one would be worth nothing, since a hook could
    /// go through the wider.
    #[must_use]
    pub const fn width(self) -> u8 {
        match self {
            Self::Read => 0,
            Self::Discard => 1,
            Self::Txn => 2,
            Self::Write => 3,
            Self::Scratch => 4,
        }
    }

    /// Whether a write through this grant changes the host's files as it happens.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Write)
    }
}

impl std::str::FromStr for DirMode {
    type Err = ();
    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|mode| mode.word() == word).ok_or(())
    }
}

impl fmt::Display for DirMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One granted directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DirGrant {
    /// Absolute path on the host; null for `scratch`.
    pub host: Option<String>,
    /// Absolute path as the guest sees it.
    pub guest: String,
    /// What may be done there.
    pub mode: DirMode,
}

/// Where the value of a granted environment variable comes from. Plans hold names and sources, never secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum EnvSource {
    /// Written in the manifest (`set`), or by the engine (`DEPLOY_TAG`, …).
    Value {
        /// The value itself.
        value: String,
    },
    /// The app environment (`[env]`, `env_file`, `--env-file`, `--from-env`).
    App,
    /// The engine, when the hook starts (`WASMHOOK_ATTEMPT`, …).
    Engine,
    /// What another hook reported through its `WASMHOOK_OUTPUT`.
    Output(OutputRef),
}

/// A value that a hook reports: `phase.hook.KEY`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputRef {
    /// The hook's phase.
    pub phase: StepName,
    /// The hook; its id may hold dots.
    pub hook: HookId,
    /// The key, and the variable's name.
    pub key: String,
}

impl OutputRef {
    /// Reads `phase.hook.KEY`; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (phase, rest) = text.split_once('.')?;
        let (hook, key) = rest.rsplit_once('.')?;
        let reference = Self { phase: StepName::new(phase).ok()?, hook: HookId::new(hook).ok()?, key: key.to_owned() };
        (!key.is_empty()).then_some(reference)
    }
}

impl fmt::Display for OutputRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.phase, self.hook, self.key)
    }
}

/// One granted environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvGrant {
    /// The variable's name.
    pub name: String,
    /// Where its value comes from.
    pub source: EnvSource,
}

/// Everything one hook was given. [`Grants::none`] gives nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Grants {
    /// Directories.
    pub dirs: Vec<DirGrant>,
    /// Environment variables, sorted by name.
    pub env: Vec<EnvGrant>,
}

impl Grants {
    /// No rights at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether a hook with these grants can change the host's files as it runs.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.dirs.iter().any(|dir| dir.mode.is_live())
    }
}

/// The kind of right that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// A directory or a file.
    Dir,
    /// An environment variable.
    Env,
    /// A network address.
    Net,
    /// A function that this host doesn't provide.
    Import,
    /// A repository that hooks come from.
    Source,
    /// A change that nothing here can take back.
    Effect,
}

/// Something a hook tried and was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Denial {
    /// The kind of right.
    pub capability: Capability,
    /// What was tried: a path, a name, an address.
    pub what: String,
    /// The line that would allow it.
    pub allow: String,
}
