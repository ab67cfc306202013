//! Test cases of hooks: a `*.test.toml` beside a hook says what is given, what runs, and what must come of it (`docs/test-cases.md`).
//!
//! Values only: [`parse`] reads a case, [`compare`] says where what was observed differs, [`tree::snapshot`] observes a directory. Laying the
//! files out and running the hook belong to `trial`, showing the result to the command.

mod changes;
mod compare;
mod diff;
mod given;
mod hook;
mod parse;
mod place;
mod schema;
pub mod tree;

pub use changes::{Change, changes, second_run_changes};
pub use compare::{Bound, Mismatch, Observed, compare};
pub use parse::parse;
pub use schema::{CauseWord, FileWord, OutcomeWord, json_schema};
pub use tree::FileState;

use crate::diagnostic::Located;
use crate::manifest::{DirAsk, GuestDecl, LimitsAsk};
use crate::model::id::{Commit, EnvironmentName, Tag};
use std::collections::BTreeMap;
use std::time::Duration;

/// How the name of a test case's file ends.
pub const SUFFIX: &str = ".test.toml";

/// The application's root in a case that doesn't name one.
pub const DEFAULT_APP_DIR: &str = "/app";

/// The environment in a case that doesn't name one.
pub const DEFAULT_ENVIRONMENT: &str = "test";

/// One test case.
///
/// Its files lie in a *tree*: an empty directory that stands for the root of the file system, so that `/app/cache` of the case is `app/cache`
/// of the tree. All paths of [`Case::files`] and [`Expected::files`] are paths of the tree, without a slash at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What a person calls it; its file's name if absent.
    pub label: Option<String>,
    /// The tag being deployed.
    pub tag: Option<Tag>,
    /// The version that was live before.
    pub previous_tag: Option<Tag>,
    /// The commit being deployed.
    pub commit: Option<Commit>,
    /// The environment that it is deployed to.
    pub environment: EnvironmentName,
    /// Root of the application: an absolute path.
    pub app_dir: String,
    /// Where the application keeps its data: an absolute path, the application's root if the case names none.
    pub data_dir: String,
    /// The app environment: what the hook may ask for by name.
    pub env: Vec<(Located<String>, String)>,
    /// What lies in the tree before the hook runs.
    pub files: BTreeMap<String, GivenFile>,
    /// What runs, and with which rights.
    pub hook: HookUnderTest,
    /// What must come of it.
    pub expected: Expected,
}

/// What lies at a path before the hook runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenFile {
    /// A file with this content.
    Text(String),
    /// A copy of this file; the path is relative to the case's own directory and stays in it.
    From(Located<String>),
    /// A directory.
    Dir,
}

/// What runs, and with which rights: the words are those of `[[hook]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookUnderTest {
    /// What runs, relative to the case's own directory; the file that [`guest_beside`] names if absent.
    pub guest: Option<Located<GuestDecl>>,
    /// `args`.
    pub args: Vec<String>,
    /// `cwd` of a native command, relative to the application's root.
    pub cwd: Option<Located<String>>,
    /// `dirs`. Absolute paths are paths of the tree; every mode is there (`write` if none was written).
    pub dirs: Vec<DirAsk>,
    /// `env`.
    pub env: Vec<Located<String>>,
    /// `set`.
    pub set: Vec<(Located<String>, String)>,
    /// `fuel`, `timeout`, `memory`, …
    pub limits: LimitsAsk,
}

/// What must come of it. Whatever isn't named here may be as it likes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// How it ends.
    pub outcome: OutcomeWord,
    /// Why it failed, or which limit of time ended it.
    pub cause: Option<CauseWord>,
    /// Why it was skipped, as reports show it.
    pub skip_reason: Option<String>,
    /// The code it exits with.
    pub exit_code: Option<i32>,
    /// All lines of standard output.
    pub stdout: Option<Vec<String>>,
    /// Pieces of lines of standard output, in this order.
    pub stdout_contains: Vec<String>,
    /// All lines of standard error.
    pub stderr: Option<Vec<String>>,
    /// Pieces of lines of standard error, in this order.
    pub stderr_contains: Vec<String>,
    /// Values it hands on through `WASMHOOK_OUTPUT`.
    pub outputs: Vec<(String, String)>,
    /// What lies in the tree afterwards.
    pub files: BTreeMap<String, ExpectedFile>,
    /// Whether a change of a path that `files` doesn't name is a mismatch.
    pub nothing_else_changes: bool,
    /// Largest use of fuel, in units.
    pub fuel_max: Option<u64>,
    /// Largest linear memory, in bytes.
    pub memory_max: Option<u64>,
    /// Longest wall time. Machines differ: generous, or none.
    pub wall_max: Option<Duration>,
}

/// What lies at a path afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedFile {
    /// A file with exactly this content.
    Text(String),
    /// A text file in which each of these occurs.
    Contains(Vec<String>),
    /// What the word says.
    Is(FileWord),
}

/// The module that a case tests if it names none: the one beside it with the same stem (`v0.4.0.wasm` for `v0.4.0.test.toml`). `None` if
/// `name` isn't the name of a test case.
#[must_use]
pub fn guest_beside(name: &str) -> Option<String> {
    name.strip_suffix(SUFFIX).filter(|stem| !stem.is_empty() && !stem.ends_with('/')).map(|stem| format!("{stem}.wasm"))
}
