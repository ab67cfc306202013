//! Follows a branch of a remote: where it points there, and the fast-forward of what is checked out. Nothing else than a fast-forward is ever
//! made: local commits and local changes stay, and what stands in the way is said.

use super::error::GitError;
use super::git::{Repository, strange};
use crate::model::id::Commit;
use std::path::PathBuf;
use std::time::Duration;

/// How long git may take to check a commit out. It is waited for: a checkout that was cut off would look like somebody's changes.
const CHECKOUT: Duration = Duration::from_mins(10);

/// Keeps what was fetched from being collected as garbage. No branch of the operator's is touched.
const KEPT: &str = "refs/wasmhook/followed";

/// What keeps others off while git brings something, and while it checks something out (besides the lock of the branch).
const FETCH_LOCKS: [&str; 3] = ["refs/wasmhook/followed.lock", "packed-refs.lock", "shallow.lock"];
const CHECKOUT_LOCKS: [&str; 2] = ["index.lock", "HEAD.lock"];

/// What is followed. What is absent is as git has it for the branch that is checked out; failing that the remote is `origin`, or the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upstream {
    /// The remote.
    pub remote: Option<String>,
    /// The branch, as the remote names it.
    pub branch: Option<String>,
}

/// A branch of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The remote.
    pub remote: String,
    /// The branch, as the remote names it.
    pub name: String,
}

/// What a fast-forward came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// That commit, or one that holds it, is checked out already.
    Nothing,
    /// It is checked out now.
    Done {
        /// What was checked out before; `None` if nothing was.
        from: Option<Commit>,
    },
}

/// Why a branch can't be followed now. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// There is nobody to ask.
    #[error("the repository has no remote: add one, or say --no-fetch if somebody else brings its commits")]
    NoRemote,
    /// No branch is checked out, and none was named.
    #[error("no branch is checked out, so nothing says which one to follow: check one out, or name it with --branch")]
    Detached,
    /// The name could mean something else to git.
    #[error("`{0}` is no name of a branch")]
    BadName(String),
    /// The remote doesn't have the branch (any more).
    #[error("{remote} has no branch `{name}`: was it deleted or renamed? Push it again, or name another one with --branch")]
    NoBranch {
        /// The remote.
        remote: String,
        /// The branch.
        name: String,
    },
    /// Neither commit holds the other.
    #[error(
        "{to:.12} doesn't go on from what is checked out ({head:.12}), so it is no fast-forward: was the branch pushed by force? `git reset` or `git rebase` what is checked out once nothing of it is needed"
    )]
    Diverged {
        /// What is checked out.
        head: Commit,
        /// Where the branch points.
        to: Commit,
    },
    /// Git refused to check the commit out.
    #[error("{to:.12} can't be checked out: {message}; commit, stash or remove what is in the way")]
    InTheWay {
        /// Where the branch points.
        to: Commit,
        /// What git said.
        message: String,
    },
    /// A git that works on the repository, or one that was killed, keeps others off. Nobody but a person knows which: a git may hold its lock
    /// without having the file open, in another container or on another host.
    #[error(
        "{} is there: a git works on the repository now, or one that was killed left it behind. If none does, in whatever container or on whatever host has this directory, remove the file", lock.display()
    )]
    LockFile {
        /// The file.
        lock: PathBuf,
    },
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Repository {
    /// The branch that `wanted` means.
    ///
    /// # Errors
    /// [`FollowError`] if there is none.
    pub async fn upstream(&self, wanted: &Upstream) -> Result<Branch, FollowError> {
        let here = self.current_branch().await?;
        let configured = match &here {
            Some(here) => self.configured(here).await?,
            None => None,
        };
        let (remote, branch) = configured.map_or((None, None), |branch| (Some(branch.remote), Some(branch.name)));
        let remote = match wanted.remote.clone().or(remote) {
            Some(remote) => remote,
            None => self.first_remote().await?.ok_or(FollowError::NoRemote)?,
        };
        let name = wanted.branch.clone().or(branch).or(here).ok_or(FollowError::Detached)?;
        let check = self.ask(&["check-ref-format", &format!("refs/heads/{name}")]).await?;
        if check.success_or_none("check-ref-format")?.is_none() {
            return Err(FollowError::BadName(name));
        }
        Ok(Branch { remote, name })
    }

    /// Where `branch` points at its remote, with that commit brought here. No work tree, index or branch is touched.
    ///
    /// # Errors
    /// [`FollowError`] if the remote doesn't have it or can't be read; each of at most two questions has the `deadline`.
    pub async fn fetch_branch(&self, branch: &Branch, deadline: Duration) -> Result<Commit, FollowError> {
        let commit = self.remote_head(branch, deadline).await?;
        if self.complete(&commit).await?.is_none() {
            let refspec = format!("+refs/heads/{}:{KEPT}", branch.name);
            let fetched = self.fetch(&["--no-tags"], &[&branch.remote, &refspec], deadline).await;
            if let Err(error) = fetched {
                return Err(self.locked_or(&FETCH_LOCKS, error.into()).await);
            }
        }
        Ok(commit)
    }

    /// Fast-forwards what is checked out to `to`. The caller holds the lock.
    ///
    /// # Errors
    /// [`FollowError`] if that would be no fast-forward, or git refuses; nothing was changed then.
    pub async fn advance(&self, to: &Commit) -> Result<Advance, FollowError> {
        let head = self.head().await?;
        if let Some(head) = &head {
            if self.holds(head, to).await? {
                return Ok(Advance::Nothing);
            }
            if !self.holds(to, head).await? {
                return Err(FollowError::Diverged { head: head.clone(), to: to.clone() });
            }
        }
        let merge = ["merge", "--ff-only", "--quiet", "--no-stat", "--no-autostash", to.as_str()];
        match self.ask_within(&merge, CHECKOUT, super::git::MAX_LIST).await?.success("merge") {
            Ok(_) => Ok(Advance::Done { from: head }),
            Err(GitError::Failed { message, .. }) => {
                let branch = self.current_branch().await?.map(|name| format!("refs/heads/{name}.lock"));
                let locks: Vec<&str> = CHECKOUT_LOCKS.iter().copied().chain(branch.as_deref()).collect();
                Err(self.locked_or(&locks, FollowError::InTheWay { to: to.clone(), message }).await)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Why git failed: a lock file, if one of `locks` is there, else `error`.
    async fn locked_or(&self, locks: &[&str], error: FollowError) -> FollowError {
        match self.lock_file(locks).await {
            Ok(Some(lock)) => FollowError::LockFile { lock },
            // What keeps git from saying where its files lie is no better reason than the first one.
            Ok(None) | Err(_) => error,
        }
    }

    /// The first of these files of the repository that is there.
    async fn lock_file(&self, locks: &[&str]) -> Result<Option<PathBuf>, GitError> {
        let mut question = vec!["rev-parse", "--path-format=absolute"];
        question.extend(locks.iter().flat_map(|lock| ["--git-path", lock]));
        let paths = text(&self.ask(&question).await?.success("rev-parse")?);
        Ok(paths.lines().map(PathBuf::from).find(|path| path.symlink_metadata().is_ok()))
    }

    /// The submodules whose folders don't hold the commit that is checked out for them, by their paths. They are only looked at.
    ///
    /// # Errors
    /// [`GitError`], also where what is checked out names no address for one.
    pub async fn submodules_behind(&self) -> Result<Vec<String>, GitError> {
        let status = self.ask(&["submodule", "status"]).await?.success("submodule")?;
        // A sign, the commit, the path; of another commit than the one that is wanted also its name, in brackets.
        let path = |line: &str| {
            let path = line.get(1..)?.split_once(' ')?.1;
            let named = path.rsplit_once(" (").filter(|_| line.starts_with('+') && path.ends_with(')'));
            Some(named.map_or(path, |(path, _)| path).to_owned())
        };
        let status = String::from_utf8_lossy(&status).into_owned();
        Ok(status.lines().filter(|line| line.starts_with(['-', '+', 'U'])).filter_map(path).collect())
    }

    /// Whether `commit`'s history holds `part`.
    async fn holds(&self, commit: &Commit, part: &Commit) -> Result<bool, GitError> {
        let answer = self.ask(&["merge-base", "--is-ancestor", part.as_str(), commit.as_str()]).await?;
        Ok(answer.success_or_none("merge-base")?.is_some())
    }

    async fn current_branch(&self) -> Result<Option<String>, GitError> {
        let answer = self.ask(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await?.success_or_none("symbolic-ref")?;
        Ok(answer.map(|name| text(&name)))
    }

    /// What git would pull into a branch, whether or not it is still there.
    async fn configured(&self, branch: &str) -> Result<Option<Branch>, GitError> {
        let remote = self.setting(&format!("branch.{branch}.remote")).await?;
        let merge = self.setting(&format!("branch.{branch}.merge")).await?;
        let name = merge.and_then(|merge| merge.strip_prefix("refs/heads/").map(str::to_owned));
        Ok(remote.zip(name).map(|(remote, name)| Branch { remote, name }))
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, GitError> {
        let answer = self.ask(&["config", "--get", name]).await?.success_or_none("config")?;
        Ok(answer.map(|value| text(&value)))
    }

    async fn remote_head(&self, branch: &Branch, deadline: Duration) -> Result<Commit, FollowError> {
        let wanted = format!("refs/heads/{}", branch.name);
        let question = ["ls-remote", "--exit-code", "--upload-pack=git-upload-pack", "--", &branch.remote, &wanted];
        let answer = self.ask_within(&question, deadline, super::git::MAX_LIST).await?;
        let gone = || FollowError::NoBranch { remote: branch.remote.clone(), name: branch.name.clone() };
        // With --exit-code, 2 says that the remote answered and has no such branch.
        if answer.code == Some(2) {
            return Err(gone());
        }
        let lines = text(&answer.success("ls-remote")?);
        // The pattern also matches branches whose names end like it.
        let found = lines.lines().filter_map(|line| line.split_once('\t')).find(|(_, name)| *name == wanted).ok_or_else(gone)?;
        Ok(Commit::new(found.0).map_err(|_| strange("ls-remote", found.0))?)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
