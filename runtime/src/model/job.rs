//! What an executor gets and gives back. An executor sees one [`Job`]: never a plan, a phase or a profile.

use super::grant::{Denial, DirGrant};
use super::id::Digest;
use super::limits::Limits;
use super::outcome::{Outcome, SkipReason, Usage};
use super::policy::Sandbox;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the programs of a native hook are looked for unless its job says otherwise.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One execution, fully resolved: nothing is looked up any more.
#[derive(Debug, Clone)]
pub struct Job {
    /// Names the execution in messages and traces: `post-pull/v0.4.0.wasm`.
    pub name: String,
    /// What runs.
    pub guest: Guest,
    /// Environment variables, complete: nothing is inherited.
    pub env: Vec<(String, String)>,
    /// Directories, complete.
    pub dirs: Vec<DirGrant>,
    /// What it may use.
    pub limits: Limits,
    /// Whether it gets a `WASMHOOK_OUTPUT` file whose `KEY=value` lines come back as [`Execution::outputs`].
    pub collect_outputs: bool,
}

/// What runs.
#[derive(Debug, Clone)]
pub enum Guest {
    /// A module or component, in the sandbox.
    Wasm(WasmGuest),
    /// A native command, confined as far as `sandbox` says.
    Native(NativeGuest),
    /// A host step that the embedder carries out in code.
    InCode {
        /// The step.
        step: crate::model::id::StepName,
    },
}

/// A WASI preview1 command module or a `wasi:cli/command` component.
#[derive(Debug, Clone)]
pub struct WasmGuest {
    /// The file's name, for messages; `.wat` is text, anything else binary.
    pub file: String,
    /// The planned bytes: these run, whatever the file holds by now.
    pub bytes: Arc<[u8]>,
    /// The digest of `bytes`.
    pub digest: Digest,
    /// Arguments after the program name.
    pub args: Vec<String>,
}

/// A native command.
#[derive(Debug, Clone)]
pub struct NativeGuest {
    /// The program and its arguments; for a shell line, the shell's.
    pub argv: Vec<String>,
    /// The working directory: absolute, or below the root of `tree`.
    pub cwd: PathBuf,
    /// What a private copy is made of, in which it starts.
    pub tree: Option<Tree>,
    /// A script that exists in the plan, not (yet) in the tree: written to a private file first, and put in the place of `argv[index]`.
    pub script: Option<Script>,
    /// How it is confined; `None` is the operator's host steps, with the operator's rights.
    pub sandbox: Option<Sandbox>,
    /// Whether processes that it leaves behind may outlive it.
    pub detach: bool,
}

/// The planned bytes of a script that isn't checked out.
#[derive(Debug, Clone)]
pub struct Script {
    /// Which element of `argv` names it.
    pub index: usize,
    /// The file name it gets.
    pub file_name: String,
    /// What it holds.
    pub bytes: Arc<[u8]>,
}

/// A file tree that isn't in any tree of the machine: written to a private directory first, which the command can read and not change.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// What it holds, by path below its root. A folder that holds something has no entry.
    pub entries: Vec<(String, TreeEntry)>,
}

/// One entry of a tree.
#[derive(Debug, Clone)]
pub enum TreeEntry {
    /// A file.
    File {
        /// What it holds.
        bytes: Arc<[u8]>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it leads, as written.
        target: String,
    },
    /// An empty folder.
    Folder,
}

/// How a job ended and what it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// How it ended.
    pub outcome: Outcome,
    /// The code it exited with, if it did.
    pub exit_code: Option<i32>,
    /// What it used.
    pub usage: Usage,
    /// What it was refused, each once; `None` where nobody could see (native hooks).
    pub denials: Option<Vec<Denial>>,
    /// How many more attempts were refused than `denials` keeps.
    pub more_denials: u64,
    /// What the policy asked for and this machine could not enforce, or `unconfined`.
    pub unenforced: Vec<String>,
    /// The last lines it wrote, at most 20.
    pub tail: Vec<String>,
    /// `KEY=value` lines it wrote to `WASMHOOK_OUTPUT`.
    pub outputs: Vec<(String, String)>,
    /// What of `WASMHOOK_OUTPUT` was dropped, and by which rule: a sentence each.
    pub dropped_outputs: Vec<String>,
}

impl Execution {
    /// An execution that ended before anything started.
    #[must_use]
    pub fn not_started(outcome: Outcome) -> Self {
        Self {
            outcome,
            exit_code: None,
            usage: Usage::default(),
            denials: None,
            more_denials: 0,
            unenforced: Vec::new(),
            tail: Vec::new(),
            outputs: Vec::new(),
            dropped_outputs: Vec::new(),
        }
    }

    /// The outcome as the hook itself puts it: one that succeeded and reported `skipped=<reason>` was skipped, by its own word.
    #[must_use]
    pub fn said_outcome(&self) -> Outcome {
        match self.outputs.iter().rev().find(|(key, _)| key == "skipped") {
            Some((_, message)) if self.outcome == Outcome::Succeeded => {
                Outcome::Skipped { reason: SkipReason::SaidByHook { message: message.clone() } }
            }
            _ => self.outcome.clone(),
        }
    }

    /// What is to be warned of though it didn't fail: its own `warning=<text>` lines, in order, and what of its outputs was dropped.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let own = self.outputs.iter().filter(|(key, _)| key == "warning").map(|(_, text)| text.as_str());
        own.chain(self.dropped_outputs.iter().map(String::as_str))
    }
}

/// Which of the two output streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
