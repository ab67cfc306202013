//! What is deployed: the tag or commit that was asked for, the newest release, or what is checked out; and what is live now.

use super::error::GitError;
use super::git::{Repository, Tags};
use crate::model::facts::{Fetch, TargetFacts};
use crate::model::id::{Commit, Tag};
use crate::profile::Target;
use std::time::Duration;

/// What the operator asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// `--tag`.
    pub tag: Option<&'a Tag>,
    /// `--commit`.
    pub commit: Option<&'a Commit>,
    /// How the profile chooses.
    pub profile: Target,
}

/// What was chosen.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The target, and what is live now.
    pub facts: TargetFacts,
    /// The commit whose objects hold the manifest and the hooks; `None`: the work tree does.
    pub read_from: Option<Commit>,
    /// All tags of the repository.
    pub tags: Tags,
    /// What a person should be warned of.
    pub warnings: Vec<String>,
}

/// Why nothing can be deployed.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// There is no such tag.
    #[error("there is no tag `{tag}`{}; fetch it, or name one that exists", nearest.as_ref().map(|tag| format!(" (did you mean `{tag}`?)")).unwrap_or_default())]
    UnknownTag {
        /// The tag as given.
        tag: Tag,
        /// The tag that was probably meant.
        nearest: Option<Tag>,
    },
    /// There is no such commit.
    #[error("the repository holds no commit `{0}`; fetch it, or name one that exists")]
    UnknownCommit(Commit),
    /// The tag and the commit that were given differ.
    #[error("tag `{tag}` is commit {is:.12}, not {given:.12}: give one of them, or the right pair")]
    TagIsElsewhere {
        /// The tag as given.
        tag: Tag,
        /// Where it points.
        is: Commit,
        /// The commit as given.
        given: Commit,
    },
    /// No tag was given, and no tag is a version.
    #[error(
        "no tag was given, and none of the {tags} tags of the repository is a release (`v1.2.3`): tag one, or name the target with --tag"
    )]
    NoRelease {
        /// How many tags there are.
        tags: usize,
    },
    /// The profile deploys tags, and there is no repository.
    #[error("no tag was given, and the application is in no git repository that could say which is the newest: name the target with --tag")]
    NoRepository,
    /// Git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Brings the remote's tags. A remote that can't be read is a fact, not an error: what was fetched before can still be deployed.
pub async fn fetch(repository: Option<&Repository>, deadline: Duration) -> Fetch {
    let Some(repository) = repository else { return Fetch::NoRepository };
    match repository.fetch_tags(deadline).await {
        Ok(fetch) => fetch,
        Err(error) => Fetch::Failed { message: error.to_string() },
    }
}

/// Chooses the target.
///
/// Where the profile deploys tags, tag and commit must exist, and everything is read from the target commit's objects, since its checkout is
/// a later step. Where it deploys the work tree, they only name what lies there: the platform that put it there knows best.
///
/// # Errors
/// [`TargetError`].
pub async fn choose(repository: Option<&Repository>, wanted: Wanted<'_>) -> Result<Chosen, TargetError> {
    match (repository, wanted.profile) {
        (Some(repository), Target::NewestTag) => choose_release(repository, wanted).await,
        (Some(repository), Target::WorkTree) => name_work_tree(repository, wanted).await,
        (None, Target::NewestTag) if wanted.tag.is_none() => Err(TargetError::NoRepository),
        (None, _) => Ok(Chosen { facts: as_given(wanted), read_from: None, tags: Tags::default(), warnings: Vec::new() }),
    }
}

async fn choose_release(repository: &Repository, wanted: Wanted<'_>) -> Result<Chosen, TargetError> {
    let tags = repository.tags().await?;
    let commit = match wanted.commit {
        Some(given) => Some(repository.complete(given).await?.ok_or_else(|| TargetError::UnknownCommit(given.clone()))?),
        None => None,
    };
    let tag = match (wanted.tag, &commit) {
        (Some(tag), _) => Some(tag),
        (None, Some(commit)) => tags.at(commit),
        (None, None) => Some(tags.newest_release().ok_or(TargetError::NoRelease { tags: tags.commits.len() })?),
    };
    let tag = tag.cloned();
    let commit = match &tag {
        Some(tag) => Some(commit_of(tag, commit, &tags)?),
        None => commit,
    };
    let facts = TargetFacts { tag, commit: commit.clone(), ..checked_out(repository, &tags).await? };
    Ok(Chosen { facts, read_from: commit, tags, warnings: Vec::new() })
}

/// Where `tag` points, which must be at `given` if that was given too.
fn commit_of(tag: &Tag, given: Option<Commit>, tags: &Tags) -> Result<Commit, TargetError> {
    let unknown = || TargetError::UnknownTag { nearest: nearest(tag, tags), tag: tag.clone() };
    let is = tags.commits.get(tag).cloned().ok_or_else(unknown)?;
    match given {
        Some(given) if given != is => Err(TargetError::TagIsElsewhere { tag: tag.clone(), is, given }),
        _ => Ok(is),
    }
}

async fn name_work_tree(repository: &Repository, wanted: Wanted<'_>) -> Result<Chosen, TargetError> {
    let tags = repository.tags().await?;
    let live = checked_out(repository, &tags).await?;
    let commit = wanted.commit.cloned().or_else(|| live.previous_commit.clone());
    let warnings = elsewhere(wanted, &tags, live.previous_commit.as_ref()).into_iter().collect();
    let facts = TargetFacts { tag: wanted.tag.cloned(), commit, ..live };
    Ok(Chosen { facts, read_from: None, tags, warnings })
}

/// What names something else than what is checked out. A tag that isn't there yet is as good a name as any.
fn elsewhere(wanted: Wanted<'_>, tags: &Tags, live: Option<&Commit>) -> Option<String> {
    let live = live?;
    let tag = wanted.tag.and_then(|tag| Some((tag, tags.commits.get(tag)?))).filter(|(_, is)| *is != live);
    let tag = tag.map(|(tag, is)| format!("tag `{tag}` is commit {is:.12}, which is not checked out"));
    let commit = wanted.commit.filter(|given| !live.as_str().starts_with(given.as_str()));
    let named = tag.or_else(|| commit.map(|given| format!("commit {given:.12} is not the one that is checked out ({live:.12})")))?;
    Some(format!("{named}: the work tree is what is deployed"))
}

async fn checked_out(repository: &Repository, tags: &Tags) -> Result<TargetFacts, GitError> {
    let previous_commit = repository.head().await?;
    let previous_tag = previous_commit.as_ref().and_then(|commit| tags.at(commit)).cloned();
    Ok(TargetFacts { previous_tag, previous_commit, ..TargetFacts::default() })
}

fn as_given(wanted: Wanted<'_>) -> TargetFacts {
    TargetFacts { tag: wanted.tag.cloned(), commit: wanted.commit.cloned(), ..TargetFacts::default() }
}

fn nearest(tag: &Tag, tags: &Tags) -> Option<Tag> {
    let close = |other: &&Tag| strsim::damerau_levenshtein(tag.as_str(), other.as_str()) <= 2;
    tags.commits.keys().filter(close).min_by_key(|other| strsim::damerau_levenshtein(tag.as_str(), other.as_str())).cloned()
}
