//! What the outside told us, as values: gathered once, before the plan is made, and handed in. Nothing here looks anything up.

use super::id::{Commit, StepName, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is deployed, and what is live now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetFacts {
    /// The tag to deploy; null if the work tree is deployed as it is.
    pub tag: Option<Tag>,
    /// The commit to deploy; null outside of a repository.
    pub commit: Option<Commit>,
    /// The tag that is checked out; null if none points there.
    pub previous_tag: Option<Tag>,
    /// The commit that is checked out.
    pub previous_commit: Option<Commit>,
}

/// What came of `git fetch --tags`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Fetch {
    /// Nobody asked for it.
    #[default]
    NotAsked,
    /// The application isn't in a git repository.
    NoRepository,
    /// The repository has no remote.
    NoRemote,
    /// The tags are those of the remote.
    Done {
        /// Tags that point elsewhere than before.
        moved: Vec<MovedTag>,
    },
    /// The remote couldn't be read: the tags are those of the last fetch.
    Failed {
        /// What went wrong, and the way out.
        message: String,
    },
}

impl fmt::Display for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("not asked for"),
            Self::NoRepository => f.write_str("nothing to fetch: not a git repository"),
            Self::NoRemote => f.write_str("nothing to fetch: the repository has no remote"),
            Self::Done { moved } if moved.is_empty() => f.write_str("fetched"),
            Self::Done { moved } => write!(f, "fetched; {} moved", list(moved)),
            Self::Failed { message } => write!(f, "failed: {message}"),
        }
    }
}

/// A tag that the fetch moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovedTag {
    /// The tag.
    pub tag: Tag,
    /// Where it pointed before.
    pub from: Commit,
    /// Where it points now.
    pub to: Commit,
}

impl fmt::Display for MovedTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:.12} → {:.12})", self.tag, self.from, self.to)
    }
}

/// What the release folder holds for a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The hooks of the target's tag: by phase, and within a phase the default file first.
    pub hooks: Vec<FoundHook>,
    /// The hooks of releases between the previous and the target, which are not run.
    pub other_tags: Vec<FoundHook>,
    /// Files that look like hooks and aren't taken for any.
    pub problems: Vec<FoundProblem>,
}

/// A hook that was found by its file name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundHook {
    /// The release it belongs to.
    pub tag: Tag,
    /// Its phase.
    pub phase: StepName,
    /// What runs.
    pub main: FoundFile,
    /// What runs where `main` is a module that this host can't run: the native file of the same name beside it.
    pub fallback: Option<FoundFile>,
}

/// A file of the release folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundFile {
    /// Its name: `v0.4.0.post-pull.sh`.
    pub name: String,
    /// Its path below the application's root: `release/v0.4.0.post-pull.sh`.
    pub path: String,
    /// What runs it.
    pub guest: FoundGuest,
}

/// What runs a found file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "guest", rename_all = "kebab-case")]
pub enum FoundGuest {
    /// The sandbox.
    Wasm,
    /// An interpreter, so that the file needs no execute permission.
    Native {
        /// The program, and at most one argument: the file's `#!` line, else `/bin/sh`.
        interpreter: Vec<String>,
    },
}

/// A file that looks like a hook and isn't taken for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundProblem {
    /// Its path below the application's root.
    pub path: String,
    /// What is wrong with it.
    pub rule: FoundRule,
    /// Whether the plan must be refused: it concerns the release that is deployed, so something that should run would not.
    pub blocking: bool,
}

/// Which rule of the release folder a file breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum FoundRule {
    /// What stands where the phase should is none.
    UnknownPhase {
        /// As written.
        written: String,
        /// The phase that was probably meant.
        nearest: Option<StepName>,
        /// The phases there are.
        phases: Vec<StepName>,
    },
    /// It is named like a hook, but for its extension.
    UnknownExtension {
        /// The extensions there are.
        extensions: Vec<String>,
    },
    /// It is named after a release that doesn't exist.
    UnknownTag {
        /// That release.
        tag: Tag,
    },
    /// Another file of the same name and another extension would do the same work.
    SameWork {
        /// The name of the one that is taken.
        other: String,
    },
    /// It is no regular file.
    NotAFile {
        /// What it is: `a symbolic link`.
        what: String,
    },
    /// It can't be read.
    Unreadable {
        /// Why.
        message: String,
    },
    /// It looks like a program that makes a release, not like one that is run when it is deployed.
    ReleaseTool {
        /// The line that says so, from 1.
        line: usize,
        /// What stands there: `git push`.
        command: String,
    },
}

impl fmt::Display for FoundProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.rule {
            FoundRule::UnknownPhase { written, nearest: Some(nearest), .. } => {
                write!(f, "`{path}` is not run: there is no phase `{written}`; rename it to `{nearest}`")
            }
            FoundRule::UnknownPhase { written, nearest: None, phases } => {
                write!(f, "`{path}` is not run: there is no phase `{written}`; the phases are {}", list(phases))
            }
            FoundRule::UnknownExtension { extensions } => {
                write!(f, "`{path}` is not run: a hook's name ends in one of .{}", extensions.join(", ."))
            }
            FoundRule::UnknownTag { tag } => write!(f, "`{path}` is not run: there is no tag `{tag}`; tag the release, or fetch its tag"),
            FoundRule::SameWork { other } => write!(f, "`{path}` is not run: `{other}` does the same work; remove one of them"),
            FoundRule::NotAFile { what } => {
                write!(f, "`{path}` is {what}: a hook is a regular file of the release; put the file itself there")
            }
            FoundRule::Unreadable { message } => write!(f, "`{path}` can't be read: {message}"),
            FoundRule::ReleaseTool { line, command } => write!(
                f,
                "`{path}` is not run: it looks like a program that makes a release (line {line}: `{command}`); \
                 move it out of the folder, or name it as a [[hook]] if it is one"
            ),
        }
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_tag_is_named_with_both_commits() {
        let commit = |digit: &str| Commit::new(digit.repeat(40)).unwrap();
        let moved = MovedTag { tag: Tag::new("v1.0.0").unwrap(), from: commit("a"), to: commit("b") };
        assert_eq!(Fetch::Done { moved: vec![moved] }.to_string(), "fetched; v1.0.0 (aaaaaaaaaaaa → bbbbbbbbbbbb) moved");
    }
}
