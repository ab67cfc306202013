//! What the application's repository knows: commits, tags, the remote's tags. The git program answers, with the operator's credentials and
//! configuration; nothing here touches the work tree or the index.

use super::command::{Answer, Call};
use super::error::GitError;
use super::version;
use crate::model::facts::{Fetch, MovedTag};
use crate::model::id::{Commit, Tag};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest list of tags or remotes that is read, in bytes.
pub(super) const MAX_LIST: u64 = 16 << 20;

/// A fetch that brings what was asked for and does nothing else: what a repository's configuration would add to it, it doesn't.
const FETCH: &[&str] =
    &["fetch", "--quiet", "--no-recurse-submodules", "--no-auto-maintenance", "--no-write-fetch-head", "--upload-pack=git-upload-pack"];

/// The git program, and how long it may take for a question that needs no network.
#[derive(Debug, Clone)]
pub struct Git {
    /// The program: a path, or a name to be found in PATH.
    pub program: PathBuf,
    /// The deadline of a local question.
    pub deadline: Duration,
}

impl Default for Git {
    fn default() -> Self {
        Self { program: PathBuf::from("git"), deadline: Duration::from_secs(30) }
    }
}

/// The repository that an application lies in. The application may be a folder of it: all paths are the application's.
#[derive(Debug, Clone)]
pub struct Repository {
    git: Git,
    dir: PathBuf,
    bare: bool,
}

impl Repository {
    /// The repository that has `app_dir` checked out. `None` if there is none, or one around it that doesn't hold it.
    ///
    /// # Errors
    /// [`GitError`] if there is a repository and git refuses to read it (another owner, a damaged one).
    pub async fn open(app_dir: &Path, git: Git) -> Result<Option<Self>, GitError> {
        let dir = app_dir.canonicalize().unwrap_or_else(|_| app_dir.to_owned());
        // Looked for here, since git's exit code doesn't tell "no repository" from "one that I may not read".
        if !dir.ancestors().any(|folder| folder.join(".git").symlink_metadata().is_ok()) {
            return Ok(None);
        }
        let repository = Self { git, dir, bare: false };
        let inside = repository.ask(&["rev-parse", "--is-inside-work-tree", "--show-prefix"]).await?.success("rev-parse")?;
        let inside = String::from_utf8_lossy(&inside).into_owned();
        let mut lines = inside.lines();
        let (is_work_tree, prefix) = (lines.next() == Some("true"), lines.next().unwrap_or_default());
        let holds_app = is_work_tree && (prefix.is_empty() || repository.object_name("HEAD:./").await?.is_some());
        Ok(holds_app.then_some(repository))
    }

    /// A repository of our own in `dir`, which has no work tree.
    pub(super) fn bare(dir: PathBuf, git: Git) -> Self {
        Self { git, dir, bare: true }
    }

    /// What is checked out; `None` before the first commit.
    ///
    /// # Errors
    /// [`GitError`].
    pub async fn head(&self) -> Result<Option<Commit>, GitError> {
        self.commit_of("HEAD^{commit}").await
    }

    /// The commit that `tag` points to; `None` if there is no such tag.
    ///
    /// # Errors
    /// [`GitError`].
    pub async fn resolve(&self, tag: &Tag) -> Result<Option<Commit>, GitError> {
        if !is_ref_name(tag.as_str()) {
            return Ok(None);
        }
        self.commit_of(&format!("refs/tags/{tag}^{{commit}}")).await
    }

    /// The full name of a commit that may be abbreviated; `None` if the repository doesn't hold it.
    ///
    /// # Errors
    /// [`GitError`].
    pub async fn complete(&self, commit: &Commit) -> Result<Option<Commit>, GitError> {
        let found = self.commit_of(&format!("{commit}^{{commit}}")).await?;
        // A branch could have a hexadecimal name: what was asked for is a commit.
        Ok(found.filter(|full| full.as_str().starts_with(commit.as_str())))
    }

    /// All tags with the commits that they point to.
    ///
    /// # Errors
    /// [`GitError`].
    pub async fn tags(&self) -> Result<Tags, GitError> {
        let format = "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname:strip=2)";
        let answer = self.ask(&["for-each-ref", format, "refs/tags"]).await?.success("for-each-ref")?;
        let mut tags = Tags::default();
        for line in String::from_utf8_lossy(&answer).lines() {
            tags.add(line);
        }
        Ok(tags)
    }

    /// Brings the tags of the remote (`origin`, else the first that git lists). A tag that moved there moves here: whether a moved tag may
    /// be deployed is decided by who remembers where it pointed. No work tree, index or branch is touched.
    ///
    /// # Errors
    /// [`GitError`] if the remote can't be read within `deadline`; the tags are then those of the last fetch.
    pub async fn fetch_tags(&self, deadline: Duration) -> Result<Fetch, GitError> {
        let Some(remote) = self.first_remote().await? else { return Ok(Fetch::NoRemote) };
        let before = self.tags().await?;
        self.fetch(&["--tags", "--force"], &[&remote], deadline).await?;
        Ok(Fetch::Done { moved: self.tags().await?.moved_since(&before) })
    }

    /// Brings what a remote has: `from` is its name or address, with what is wanted of it. No work tree, index or branch is touched.
    pub(super) async fn fetch(&self, options: &[&str], from: &[&str], deadline: Duration) -> Result<(), GitError> {
        let args = [FETCH, options, &["--"], from].concat();
        self.ask_within(&args, deadline, MAX_LIST).await?.success("fetch").map(drop)
    }

    /// The remote called `origin`, else the first that git lists.
    pub(super) async fn first_remote(&self) -> Result<Option<String>, GitError> {
        let remotes = self.ask(&["remote"]).await?.success("remote")?;
        let remotes = String::from_utf8_lossy(&remotes).into_owned();
        Ok(remotes.lines().find(|name| *name == "origin").or_else(|| remotes.lines().next()).map(str::to_owned))
    }

    /// Runs a local question.
    pub(super) async fn ask(&self, args: &[&str]) -> Result<Answer, GitError> {
        self.ask_within(args, self.git.deadline, MAX_LIST).await
    }

    /// Runs a local question whose answer has at most `max` bytes.
    pub(super) async fn ask_for(&self, args: &[&str], max: u64) -> Result<Answer, GitError> {
        self.ask_within(args, self.git.deadline, max).await
    }

    /// Runs a local question that reads `input`, and whose answer has at most `max` bytes.
    pub(super) async fn ask_with(&self, args: &[&str], input: &[u8], max: u64) -> Result<Answer, GitError> {
        self.call(args, input, self.git.deadline, max).await
    }

    pub(super) async fn ask_within(&self, args: &[&str], deadline: Duration, max_answer: u64) -> Result<Answer, GitError> {
        self.call(args, &[], deadline, max_answer).await
    }

    async fn call(&self, args: &[&str], input: &[u8], deadline: Duration, max_answer: u64) -> Result<Answer, GitError> {
        Call { program: &self.git.program, dir: &self.dir, bare: self.bare, args, input, deadline, max_answer }.answer().await
    }

    pub(super) async fn commit_of(&self, revision: &str) -> Result<Option<Commit>, GitError> {
        let Some(name) = self.object_name(revision).await? else { return Ok(None) };
        Commit::new(name.as_str()).map(Some).map_err(|_| strange("rev-parse", &name))
    }

    async fn object_name(&self, revision: &str) -> Result<Option<String>, GitError> {
        let answer = self.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", revision]).await?;
        let name = answer.success_or_none("rev-parse")?;
        Ok(name.map(|name| String::from_utf8_lossy(&name).trim().to_owned()))
    }
}

/// An answer that no version of git that we know gives.
pub(super) fn strange(command: &str, answer: &str) -> GitError {
    GitError::Strange { command: command.to_owned(), answer: answer.chars().take(80).collect() }
}

/// Whether git could have a tag of that name: what it forbids in names means something else in a revision (`v1~2`, `v1^`).
fn is_ref_name(name: &str) -> bool {
    !name.contains(['~', '^', ':', '?', '*', '[', '\\']) && !name.contains("@{") && name != "@" && !name.ends_with(['.', '/'])
}

/// The tags of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// Where each points.
    pub commits: BTreeMap<Tag, Commit>,
    /// The others: their names, and why they can't be deployed.
    pub unusable: Vec<(String, String)>,
}

impl Tags {
    /// Takes a line of `for-each-ref`: type and name of the object, type and name of what an annotated tag points to, the tag.
    fn add(&mut self, line: &str) {
        let parts: Vec<&str> = line.splitn(5, ' ').collect();
        let [kind, object, target_kind, target, name] = parts[..] else { return };
        let commit = match (kind, target_kind) {
            ("commit", _) => Some(object),
            ("tag", "commit") => Some(target),
            _ => None,
        };
        match (Tag::new(name), commit.and_then(|commit| Commit::new(commit).ok())) {
            (Ok(tag), Some(commit)) => {
                self.commits.insert(tag, commit);
            }
            (Ok(_), None) => self.unusable.push((name.to_owned(), format!("tag {name:?} doesn't point to a commit"))),
            (Err(error), _) => self.unusable.push((name.to_owned(), error.to_string())),
        }
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> BTreeSet<Tag> {
        self.commits.keys().cloned().collect()
    }

    /// The newest release ([`version::newest`]).
    #[must_use]
    pub fn newest_release(&self) -> Option<&Tag> {
        version::newest(self.commits.keys())
    }

    /// The tag that points to `commit`: of several the newest release, else the last in the alphabet.
    #[must_use]
    pub fn at(&self, commit: &Commit) -> Option<&Tag> {
        let mut here = self.commits.iter().filter(|(_, target)| *target == commit).map(|(tag, _)| tag);
        version::newest(here.clone()).or_else(|| here.next_back())
    }

    fn moved_since(&self, before: &Self) -> Vec<MovedTag> {
        let moved = |(tag, to): (&Tag, &Commit)| {
            let from = before.commits.get(tag).filter(|from| *from != to)?;
            Some(MovedTag { tag: tag.clone(), from: from.clone(), to: to.clone() })
        };
        self.commits.iter().filter_map(moved).collect()
    }
}
