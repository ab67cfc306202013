//! Hooks that are found by their file names: `<folder>/<tag>[.<phase>].<ext>`.
//!
//! Tags hold dots, so a name is read from the right: extension, then phase if there is one, and the rest is the tag. What is found is decided
//! by these rules:
//! - Within a phase, the default file (`<tag>.<ext>`) comes first, then `<tag>.<phase>.<ext>`.
//! - A native file beside a module of the same name (`v0.4.0.wasm`, `v0.4.0.sh`) is its fallback: both would do the same work.
//! - What looks like a hook and isn't one is reported, and refused if it concerns the release that is deployed. Nothing runs by accident.

mod name;
mod script;

pub use name::{Names, ReleaseFile};

use super::error::{Refusal, SourceError};
use super::source::{Entry, EntryKind, Source};
use super::version;
use crate::model::facts::{Found, FoundFile, FoundGuest, FoundHook, FoundProblem, FoundRule};
use crate::model::id::{StepName, Tag};
use crate::profile::Discovery;
use std::collections::BTreeSet;

/// The extensions that the sandbox runs.
const WASM: &[&str] = &["wasm", "wat"];

/// The largest native script that is looked into, in bytes.
const MAX_SCRIPT: u64 = 1 << 20;

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Where, and by which rules.
    pub discovery: &'a Discovery,
    /// The phases of the lifecycle, in order.
    pub phases: &'a [StepName],
    /// The release that is deployed.
    pub target: &'a Tag,
    /// The release that is live now.
    pub previous: Option<&'a Tag>,
    /// All releases.
    pub tags: &'a BTreeSet<Tag>,
}

/// Finds the hooks of a release. A folder that doesn't exist holds none.
///
/// # Errors
/// [`SourceError`] if the folder can't be listed; what is wrong with one file is a [`FoundProblem`].
pub async fn find(source: &Source, search: &Search<'_>) -> Result<Found, SourceError> {
    let folder = search.discovery.folder.trim_end_matches('/');
    let Some(entries) = source.list(folder).await? else { return Ok(Found::default()) };
    let (candidates, mut problems) = sort_out(folder, &entries, search);
    let mut hooks = Vec::new();
    for candidate in candidates {
        match look_into(source, candidate, search).await {
            Ok(found) => hooks.push(found),
            Err(problem) => problems.push(problem),
        }
    }
    let (hooks, twins) = pair_up(hooks, search);
    problems.extend(twins);
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    let (hooks, other_tags) = hooks.into_iter().partition(|hook| hook.tag == *search.target);
    Ok(Found { hooks, other_tags, problems })
}

/// A file whose name makes it a hook.
struct Candidate {
    tag: Tag,
    /// As written in its name.
    phase: Option<StepName>,
    path: String,
    name: String,
    extension: String,
    kind: EntryKind,
}

/// A hook, and what decides its place.
struct Ranked {
    /// Which phase; then whether the name holds it; then which extension.
    rank: (usize, bool, usize),
    hook: FoundHook,
}

/// Reads all names: those of the target and of the releases on the way to it are candidates, the rest is left alone.
fn sort_out(folder: &str, entries: &[Entry], search: &Search<'_>) -> (Vec<Candidate>, Vec<FoundProblem>) {
    let names = Names { phases: search.phases, extensions: &search.discovery.extensions, tags: search.tags, target: search.target };
    let (mut candidates, mut problems) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = format!("{folder}/{}", entry.name);
        match names.parse(&entry.name) {
            ReleaseFile::Hook { tag, phase, extension } if concerns(&tag, search) => {
                candidates.push(Candidate { tag, phase, path, name: entry.name.clone(), extension, kind: entry.kind });
            }
            ReleaseFile::Hook { .. } | ReleaseFile::NotAHook => {}
            ReleaseFile::Problem { tag, rule } => {
                let blocking = matches!(rule, FoundRule::UnknownPhase { .. }) && tag.as_ref() == Some(search.target);
                problems.push(FoundProblem { path, rule, blocking });
            }
        }
    }
    (candidates, problems)
}

fn concerns(tag: &Tag, search: &Search<'_>) -> bool {
    tag == search.target || search.previous.is_some_and(|previous| version::is_between(tag, previous, search.target))
}

/// Looks into a candidate: a hook is a regular file, and a native one says who interprets it and is no release tool.
async fn look_into(source: &Source, candidate: Candidate, search: &Search<'_>) -> Result<Ranked, FoundProblem> {
    let Candidate { tag, phase, path, name, extension, kind } = candidate;
    let problem = |rule| FoundProblem { path: path.clone(), rule, blocking: tag == *search.target };
    if !matches!(kind, EntryKind::File { .. }) {
        return Err(problem(FoundRule::NotAFile { what: kind.words().to_owned() }));
    }
    let guest = if WASM.contains(&extension.as_str()) {
        FoundGuest::Wasm
    } else {
        let bytes = source.read(&path, MAX_SCRIPT).await.map_err(|error| problem(unreadable(&error)))?.unwrap_or_default();
        if let Some((line, command)) = script::release_tool(&bytes) {
            return Err(problem(FoundRule::ReleaseTool { line, command }));
        }
        FoundGuest::Native { interpreter: script::interpreter(&bytes) }
    };
    let is_named = phase.is_some();
    let phase = phase.unwrap_or_else(|| search.discovery.default_phase.clone());
    let rank = (position(search.phases, &phase), is_named, position(&search.discovery.extensions, &extension));
    Ok(Ranked { rank, hook: FoundHook { tag, phase, main: FoundFile { name, path, guest }, fallback: None } })
}

fn position<T: PartialEq>(items: &[T], item: &T) -> usize {
    items.iter().position(|other| other == item).unwrap_or(items.len())
}

fn unreadable(error: &SourceError) -> FoundRule {
    match error {
        SourceError::Refused { rule: Refusal::Symlink, .. } => FoundRule::NotAFile { what: EntryKind::Link.words().to_owned() },
        other => FoundRule::Unreadable { message: other.to_string() },
    }
}

/// Orders the hooks, and leaves one for each name: the native file beside a module becomes its fallback, any other twin is a problem.
fn pair_up(mut found: Vec<Ranked>, search: &Search<'_>) -> (Vec<FoundHook>, Vec<FoundProblem>) {
    let is_native = |hook: &FoundHook| matches!(hook.main.guest, FoundGuest::Native { .. });
    found.sort_by_cached_key(|one| (one.hook.tag.clone(), one.rank.0, one.rank.1, is_native(&one.hook), one.rank.2));
    let (mut kept, mut problems): (Vec<Ranked>, _) = (Vec::new(), Vec::new());
    for next in found {
        let twin =
            kept.last_mut().filter(|last| last.hook.tag == next.hook.tag && last.rank.0 == next.rank.0 && last.rank.1 == next.rank.1);
        match twin {
            None => kept.push(next),
            Some(last) if !is_native(&last.hook) && is_native(&next.hook) && last.hook.fallback.is_none() => {
                last.hook.fallback = Some(next.hook.main);
            }
            Some(last) => {
                let rule = FoundRule::SameWork { other: last.hook.main.name.clone() };
                problems.push(FoundProblem { path: next.hook.main.path, rule, blocking: next.hook.tag == *search.target });
            }
        }
    }
    kept.sort_by_cached_key(|one| (version::Version::of(one.hook.tag.as_str()), one.rank));
    (kept.into_iter().map(|one| one.hook).collect(), problems)
}
