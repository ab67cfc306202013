//! A look at the remote, and the fast-forward of what is checked out.

use crate::discover::{Advance, FollowError, Git, Repository, Upstream};
use crate::embed::turn::{Lockout, Patience};
use crate::embed::{Engine, Error};
use crate::engine::Stop;
use crate::ledger::Target;
use crate::ledger::lock::Holder;
use crate::model::id::Commit;
use std::path::PathBuf;
use std::time::Duration;

/// What is followed, and where it is checked out.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The application's root.
    pub(super) app_dir: PathBuf,
    /// Whose lock guards it; `None` if the manifest that is checked out can't be read, so that nobody can run it either.
    pub(super) target: Option<Target>,
    /// The remote and its branch.
    pub(super) upstream: Upstream,
    /// How long the remote may take to answer.
    pub(super) deadline: Duration,
}

/// What a look at the remote came to.
#[derive(Debug)]
pub(super) enum Found {
    /// This is checked out, and was before, and the remote has nothing newer.
    Current(Commit),
    /// This is checked out now.
    Advanced { from: Option<Commit>, to: Commit },
    /// There is something newer, and another run works on what is checked out: that was left as it is.
    Locked(Holder),
    /// There is no repository.
    NoRepository,
    /// The remote couldn't be read, or what it has can't be checked out. Nothing was changed.
    Failed(FollowError),
    /// Somebody asked to stop.
    Stopped,
}

/// Asks the remote for the branch, without a lock, and fast-forwards what is checked out to it, under the lock.
///
/// # Errors
/// [`Error`] if the lock can't be tried. A remote that doesn't answer is no error.
pub(super) async fn follow(engine: &Engine, place: &Place, stop: &Stop) -> Result<Found, Error> {
    let repository = match Repository::open(&place.app_dir, Git::default()).await {
        Ok(Some(repository)) => repository,
        Ok(None) => return Ok(Found::NoRepository),
        Err(error) => return Ok(Found::Failed(error.into())),
    };
    let asked = tokio::select! {
        biased;
        _ = stop.asked() => return Ok(Found::Stopped),
        asked = ask(&repository, place) => asked,
    };
    let (head, to) = match asked {
        Ok(answer) => answer,
        Err(error) => return Ok(Found::Failed(error)),
    };
    if let Some(head) = head.filter(|head| *head == to) {
        return Ok(Found::Current(head));
    }
    let _lock = match &place.target {
        Some(target) => match engine.lock(target, Patience::NONE).await? {
            Lockout::Ours(lock, _) => Some(lock),
            Lockout::Theirs(holder, _) => return Ok(Found::Locked(holder)),
        },
        None => None,
    };
    // From here on git works on the tree, and is waited for.
    Ok(advance(&repository, to).await.unwrap_or_else(Found::Failed))
}

impl Found {
    /// What is checked out now, if that is known.
    pub(super) fn commit(&self) -> Option<&Commit> {
        match self {
            Self::Current(commit) | Self::Advanced { to: commit, .. } => Some(commit),
            Self::Locked(_) | Self::NoRepository | Self::Failed(_) | Self::Stopped => None,
        }
    }
}

/// What is to be said of the submodules of what is checked out; `None` if they are as it wants them. Like `git pull`, a watch leaves them alone: what a
/// commit names in `.gitmodules` would be fetched with the operator's credentials, from wherever it says.
pub(super) async fn submodules(place: &Place) -> Option<String> {
    let repository = Repository::open(&place.app_dir, Git::default()).await.ok()??;
    let command = format!("git -C {} submodule update --init --recursive", shell_words::quote(&place.app_dir.to_string_lossy()));
    match repository.submodules_behind().await {
        Ok(behind) if behind.is_empty() => None,
        Ok(behind) => {
            Some(format!("submodules are left as they are, and these aren't what the commit names: {}; run `{command}`", behind.join(", ")))
        }
        Err(error) => Some(format!("nothing is known of the submodules: {error}; see `{command}`")),
    }
}

/// What is checked out, and where the remote's branch points.
async fn ask(repository: &Repository, place: &Place) -> Result<(Option<Commit>, Commit), FollowError> {
    let branch = repository.upstream(&place.upstream).await?;
    let to = repository.fetch_branch(&branch, place.deadline).await?;
    Ok((repository.head().await?, to))
}

async fn advance(repository: &Repository, to: Commit) -> Result<Found, FollowError> {
    match repository.advance(&to).await? {
        Advance::Done { from } => Ok(Found::Advanced { from, to }),
        // Commits that nobody pushed yet.
        Advance::Nothing => Ok(Found::Current(repository.head().await?.unwrap_or(to))),
    }
}
