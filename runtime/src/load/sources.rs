//! Repositories that hooks come from: whether the operator allows them, what they are now, and the bytes of what runs from them.

use super::declare::Declared;
use super::files::{Files, Sources};
use super::{LoadError, Request};
use crate::diagnostic::codes;
use crate::discover::tree::FoundTree;
use crate::discover::{Git, Mirror, MirrorError, SourceError};
use crate::manifest::{GuestDecl, HookDecl, SourceDecl};
use crate::model::id::{Commit, SourceName};
use crate::model::policy::Gate;
use crate::model::tree::Listing;
use crate::plan::{FileFact, Notice, Selection, SourceFact, grants};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Refuses hooks of repositories that the operator's policy doesn't cover: before the operator's credentials are shown to one.
///
/// # Errors
/// [`LoadError::Denied`] with every refusal.
pub(super) fn refuse(declared: &Declared) -> Result<(), LoadError> {
    let git = |hook: &HookDecl| named(declared, hook).map(|source| &source.git.value);
    let denial = |hook: &HookDecl| grants::source(git(hook)?, &declared.policy, declared.one_file).err();
    let denials: Vec<_> = declared.manifest.hooks.iter().filter_map(|hook| Some((hook.id.value.clone(), denial(hook)?))).collect();
    if denials.is_empty() { Ok(()) } else { Err(LoadError::Denied(denials)) }
}

fn named<'d>(declared: &'d Declared, hook: &HookDecl) -> Option<&'d SourceDecl> {
    let name = &hook.source.as_ref()?.value;
    declared.manifest.sources.iter().find(|(known, _)| known.value == *name).map(|(_, source)| source)
}

/// What is known of the repositories.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// By the name of the source.
    pub facts: BTreeMap<SourceName, SourceFact>,
    /// What a person should be warned of.
    pub warnings: Vec<Notice>,
}

/// Whether hooks that wait for another commit wait now.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    /// The commit that is deployed.
    pub commit: Option<&'a Commit>,
    /// That of the last success, if nothing is open since.
    pub settled: Option<&'a Commit>,
}

/// Reads every repository that a hook comes from; the bytes of what runs go to `files`. One that can't be read is a fact: its hooks can't run, and
/// what that means is their phase's to say.
///
/// # Errors
/// [`LoadError`] if a module is of a kind that this version doesn't have.
pub(super) async fn read(
    declared: &Declared,
    request: &Request,
    waiting: Waiting<'_>,
    places: &Sources<'_>,
    files: &mut Files,
) -> Result<Elsewhere, LoadError> {
    let mut elsewhere = Elsewhere::default();
    for (name, source) in &declared.manifest.sources {
        let of_this = |hook: &&HookDecl| hook.source.as_ref().is_some_and(|at| at.value == name.value);
        let hooks: Vec<&HookDecl> = declared.manifest.hooks.iter().filter(of_this).collect();
        if hooks.is_empty() {
            continue;
        }
        let is_due = hooks.iter().any(|hook| is_due(hook, declared, request, waiting));
        let mut reader = Reader { source, hooks: &hooks, places, files, lacks: Vec::new() };
        let fact = match reader.read(request, is_due).await? {
            Ok(fact) => fact,
            Err(error) => {
                let why = unread(&name.value, source, &error, is_due);
                elsewhere.warnings.extend(is_due.then(|| Notice { code: codes::SOURCE_UNREAD.to_owned(), message: why.clone() }));
                SourceFact::Unread { why }
            }
        };
        let lacks = std::mem::take(&mut reader.lacks).into_iter();
        elsewhere
            .warnings
            .extend(lacks.map(|lack| Notice { code: codes::SOURCE_PARTS.to_owned(), message: format!("source {}: {lack}", name.value) }));
        elsewhere.facts.insert(name.value.clone(), fact);
    }
    Ok(elsewhere)
}

/// Whether a hook may run now, as far as that is known before the plan: what would be skipped anyway is no reason to ask a remote.
fn is_due(hook: &HookDecl, declared: &Declared, request: &Request, waiting: Waiting<'_>) -> bool {
    let Some(phase) = hook.phase.as_ref().map(|at| &at.value).or(declared.profile.default_phase.as_ref()) else { return true };
    let selection = Selection { phases: request.phases.clone(), only: request.only.clone() };
    let of_phase = declared.profile.phases().find(|(name, _)| *name == phase).map_or(Gate::None, |(_, policy)| policy.gate);
    let waits = hook.once.is_none() && of_phase == Gate::CommitChanged && !request.at_start;
    let is_settled = waits && waiting.commit.is_some() && waiting.commit == waiting.settled;
    hook.enabled && !is_settled && selection.takes(phase, &hook.id.value)
}

fn unread(name: &SourceName, source: &SourceDecl, error: &MirrorError, is_due: bool) -> String {
    let git = &source.git.value;
    match error {
        MirrorError::NeverFetched if !is_due => format!("nothing that comes from the source {name} runs now, so it was not read"),
        MirrorError::NeverFetched => format!("the source {name} ({git}): {error}; run or plan once with the network"),
        MirrorError::Git(_) => {
            format!("the source {name} ({git}) can't be read: {error}; try `git ls-remote {git}`, which must not ask anything")
        }
        MirrorError::Io { .. }
        | MirrorError::Untrusted { .. }
        | MirrorError::Busy(_)
        | MirrorError::NoFolder { .. }
        | MirrorError::Source(_) => {
            format!("the source {name} ({git}) can't be read: {error}")
        }
    }
}

/// Reads one repository.
struct Reader<'a> {
    source: &'a SourceDecl,
    hooks: &'a [&'a HookDecl],
    places: &'a Sources<'a>,
    files: &'a mut Files,
    lacks: Vec<String>,
}

impl Reader<'_> {
    async fn read(&mut self, request: &Request, is_due: bool) -> Result<Result<SourceFact, MirrorError>, LoadError> {
        let (mirror, commit) = match self.commit(request, is_due).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let tree = match self.tree(&mirror, &commit).await {
            Ok(tree) => tree,
            Err(error) => return Ok(Err(error)),
        };
        let modules = self.modules(&mirror, &commit).await?;
        Ok(Ok(SourceFact::Read { commit, modules, tree }))
    }

    /// The commit that is read: of the remote as it is now, or as it was fetched last if nobody is asked.
    async fn commit(&self, request: &Request, is_due: bool) -> Result<(Mirror, Commit), MirrorError> {
        let mirror = Mirror::open(&request.mirrors, &self.source.git.value, Git::default())?;
        let commit = match request.fetch.filter(|_| is_due) {
            Some(deadline) => mirror.fetch(&self.source.revision, deadline).await?,
            None => mirror.fetched(&self.source.revision).await?,
        };
        Ok((mirror, commit))
    }

    /// The whole tree, if a process starts in a copy of it.
    async fn tree(&mut self, mirror: &Mirror, commit: &Commit) -> Result<Option<Listing>, MirrorError> {
        if !self.hooks.iter().flat_map(|hook| hook.guests()).any(GuestDecl::is_native) {
            return Ok(None);
        }
        let folder = self.folder();
        let Some(FoundTree { listing, blobs, lacks }) = mirror.repository().tree(commit, folder).await? else {
            return Err(MirrorError::NoFolder { folder: folder.unwrap_or_default().to_owned(), commit: commit.clone() });
        };
        self.files.blobs.extend(blobs);
        self.files.keep(listing.to_bytes().into());
        self.lacks = lacks;
        Ok(Some(listing))
    }

    async fn modules(&mut self, mirror: &Mirror, commit: &Commit) -> Result<BTreeMap<String, FileFact>, LoadError> {
        let paths: BTreeSet<&String> = self.hooks.iter().flat_map(|hook| hook.guests()).filter_map(module).collect();
        let mut facts = BTreeMap::new();
        for path in paths {
            let below = path.trim_start_matches("./");
            let whole = self.folder().map_or_else(|| below.to_owned(), |folder| format!("{folder}/{below}"));
            let read: Result<_, SourceError> = mirror.repository().show(commit, &whole, self.places.max_module).await;
            let fact = self.files.module_fact(path, read.map(|bytes| bytes.map(Arc::from)), self.places.probe).await?;
            facts.insert(path.clone(), fact);
        }
        Ok(facts)
    }

    fn folder(&self) -> Option<&str> {
        self.source.folder.as_ref().map(|folder| folder.value.as_str())
    }
}

fn module(guest: &GuestDecl) -> Option<&String> {
    match guest {
        GuestDecl::Wasm { path } => Some(path),
        GuestDecl::Native { .. } => None,
    }
}
