//! Under the lock: finds the target, reads manifest and hooks from it, resolves the plan.

use super::checks::Preflight;
use super::declare::{self, Declared};
use super::files::{self, Files, Sources};
use super::own::{self, OfRelease};
use super::sources::Waiting;
use super::within::Bounds;
use super::{LoadError, Previous, Probe, Request, defaults, environment, found, scripts, sources};
use crate::diagnostic::{Located, codes};
use crate::discover::release::{self, Search};
use crate::discover::target::{self, Chosen, Wanted};
use crate::discover::{Git, Repository, Source, WorkTree};
use crate::engine::{LastCommit, Prepared};
use crate::exec::dirs::{Guard, Protected};
use crate::ledger::{commit_file, marker};
use crate::manifest::Manifest;
use crate::model::facts::Fetch;
use crate::model::grant::DirGrant;
use crate::model::id::{RunId, SourceName, StepName};
use crate::model::limits::Limits;
use crate::plan::grants::Roots;
use crate::plan::{Given, Notice, Plan, PlanError, PlanHook, PlanStepKind, Selection, SourceFact, resolve};
use crate::profile::{Fact, Profile, ProfileStepKind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Prepares a run.
///
/// # Errors
/// [`LoadError`] with everything that is wrong, or everything that is refused.
pub async fn prepare(declared: Declared, request: &Request, run: RunId, probe: &Arc<dyn Probe>) -> Result<Prepared, LoadError> {
    declare::root_is_there(&declared.app_dir, "app_dir")?;
    let repository = Repository::open(&declared.app_dir, Git::default()).await?;
    let fetch = fetch(&declared, request, repository.as_ref()).await;
    let wanted = Wanted { tag: request.tag.as_ref(), commit: request.commit.as_ref(), profile: declared.profile.target };
    let chosen = target::choose(repository.as_ref(), wanted).await?;
    let source = source(&declared, repository, &chosen)?;
    let OfRelease { mut declared, beside, notice } =
        own::of_release(declared, request, &source, chosen.facts.previous_commit.as_ref()).await?;
    let mut sayings = sayings(&declared, &fetch, &chosen);
    sayings.notices.extend(notice);
    add_found(&mut declared.manifest, &declared.profile, &source, &chosen, &mut sayings).await?;
    sayings.notices.extend(defaults::add(&mut declared.manifest, &declared.profile, &source).await?);
    sources::refuse(&declared)?;
    let places = Sources { release: &source, given: &request.modules, max_module: max_module(&declared), probe };
    let mut files = files::read(&declared.manifest, &places).await?;
    let last_commit = last_commit(Some(&declared.profile), request)?;
    let settled = request.settled.commit(&last_commit);
    let waiting = Waiting { commit: chosen.facts.commit.as_ref(), settled: settled.as_ref() };
    let elsewhere = sources::read(&declared, request, waiting, &places, &mut files).await?;
    sayings.warnings.extend(elsewhere.warnings);
    let env = environment::of_release(&declared, request, &beside).await?;
    let gathered = Gathered { chosen: &chosen, files: &files, sources: &elsewhere.facts, env: &env, fetch: &fetch, sayings };
    let mut plan = plan(&declared, request, &gathered)?;
    plan.warnings.extend(scripts::warnings(&plan, &declared.profile, &source).await);
    let bounds = Bounds::new(&declared, request);
    refuse_unenforceable(&plan, &guard(&declared, request), &bounds)?;
    let name = plan.marker.clone();
    let app_dir = declared.app_dir.clone();
    let marker_present = !request.ignore_marker && name.as_deref().is_some_and(|name| has_marker(&app_dir, name));
    Ok(Prepared {
        run,
        plan,
        blobs: files.blobs,
        checks: Box::new(Preflight { bounds, app_path: env.get("PATH").cloned(), operator_path: request.operator_path.clone() }),
        app_env: env,
        marker_present,
        write_marker: Box::new(move || name.as_deref().map_or(Ok(()), |name| write_marker(&app_dir, name))),
        accept_moved_tag: request.accept_moved_tag,
        resume: request.resume,
        audit: request.audit,
        at_start: request.at_start,
        last_commit,
    })
}

/// Where the commit of the last success is kept: in the file that was named, or that the profile names, or in the ledger.
///
/// # Errors
/// [`LoadError::Io`] if there is such a file, and it can't be read.
pub fn last_commit(profile: Option<&Profile>, request: &Request) -> Result<LastCommit, LoadError> {
    let of_profile = || profile.and_then(|profile| profile.commit_file.as_ref()).map(PathBuf::from);
    let Some(path) = request.commit_file.clone().or_else(of_profile) else {
        return Ok(LastCommit::InLedger);
    };
    let io = |source| LoadError::Io { doing: "read the commit of the last success from", path: path.clone(), source };
    let commit = commit_file::read(&path).map_err(io)?;
    Ok(LastCommit::InFile { path, commit })
}

/// Asks the remote for tags, where the profile has that step.
async fn fetch(declared: &Declared, request: &Request, repository: Option<&Repository>) -> Fetch {
    let has_step = declared.profile.steps.iter().any(|step| matches!(&step.kind, ProfileStepKind::Fact(fact) if fact.fact == Fact::Fetch));
    match request.fetch.filter(|_| has_step) {
        Some(deadline) => target::fetch(repository, deadline).await,
        None => Fetch::NotAsked,
    }
}

/// Where the release is read: the target commit's objects, or the work tree.
fn source(declared: &Declared, repository: Option<Repository>, chosen: &Chosen) -> Result<Source, LoadError> {
    match (repository, &chosen.read_from) {
        (Some(repository), Some(commit)) => Ok(Source::Commit(repository, commit.clone())),
        _ => Ok(Source::WorkTree(WorkTree::open(&declared.app_dir)?)),
    }
}

/// What is to be said about a plan, and what is to be warned of.
#[derive(Default)]
struct Sayings {
    notices: Vec<Notice>,
    warnings: Vec<Notice>,
}

fn sayings(declared: &Declared, fetch: &Fetch, chosen: &Chosen) -> Sayings {
    let mut warnings: Vec<Notice> =
        declared.warnings.iter().map(|warning| Notice { code: warning.code.to_owned(), message: warning.message.clone() }).collect();
    if let Fetch::Failed { message } = fetch {
        warnings.push(Notice {
            code: "fetch-failed".to_owned(),
            message: format!("the remote could not be read, so the tags are those of the last fetch: {message}"),
        });
    }
    warnings.extend(chosen.warnings.iter().map(|message| Notice { code: codes::TARGET.to_owned(), message: message.clone() }));
    let understood = declared.notes.iter().map(|note| Notice { code: "imported".to_owned(), message: shown(note) });
    Sayings { notices: understood.collect(), warnings }
}

/// A note with its place, if a file holds it.
fn shown(note: &Located<String>) -> String {
    let place = note.at.position().map(|(name, line, _)| format!("{name}:{line}: ")).unwrap_or_default();
    format!("{place}{}", note.value)
}

/// Adds the hooks that are found by their names, before those of the manifest.
async fn add_found(
    manifest: &mut Manifest,
    profile: &Profile,
    source: &Source,
    chosen: &Chosen,
    sayings: &mut Sayings,
) -> Result<(), LoadError> {
    let (Some(discovery), Some(tag)) = (&profile.discovery, &chosen.facts.tag) else { return Ok(()) };
    let phases: Vec<StepName> = profile.phases().map(|(name, _)| name.clone()).collect();
    let mut tags: BTreeSet<_> = chosen.tags.names();
    tags.insert(tag.clone());
    let search = Search { discovery, phases: &phases, target: tag, previous: chosen.facts.previous_tag.as_ref(), tags: &tags };
    let found = found::declarations(&release::find(source, &search).await?, discovery);
    if !found.problems.is_empty() {
        return Err(LoadError::Invalid(found.problems));
    }
    sayings.notices.extend(found.notices);
    sayings.warnings.extend(found.warnings);
    let found = found.hooks.into_iter().filter(|hook| !found::is_declared(hook, &manifest.hooks)).collect::<Vec<_>>();
    manifest.hooks = found.into_iter().chain(manifest.hooks.drain(..)).collect();
    Ok(())
}

/// What keeps grants away from the engine's own directories.
fn guard(declared: &Declared, request: &Request) -> Guard {
    let own = request.protected.iter().map(|(name, path)| Protected::new(*name, path));
    let backups = declared.policy.backup_dir.iter().map(|path| Protected::new("backups", path).moved_by("change [policy] backup_dir"));
    Guard::new(own.chain(backups).collect())
}

/// Refuses grants that nest in a way that can't be enforced, that reach the engine's own directories, or that lead elsewhere than they say.
fn refuse_unenforceable(plan: &Plan, guard: &Guard, bounds: &Bounds) -> Result<(), LoadError> {
    let hooks =
        plan.steps.iter().filter_map(|step| if let PlanStepKind::Phase { hooks, .. } = &step.kind { Some(hooks) } else { None }).flatten();
    let denial = |grants: &[DirGrant]| guard.check(grants).err().or_else(|| grants.iter().find_map(|grant| bounds.refuse(grant)));
    // Each by itself: copies of directories that lie in each other harm nobody.
    let of = |hook: &PlanHook| denial(&hook.grants.dirs).or_else(|| hook.backed_up().find_map(|dir| denial(&[dir])));
    let denials: Vec<_> = hooks.filter_map(|hook| Some((hook.id.clone(), of(hook)?))).collect();
    if denials.is_empty() { Ok(()) } else { Err(LoadError::Denied(denials)) }
}

/// How much of a module is read and compiled to see what it is, in bytes: as much as any hook may have of one.
fn max_module(declared: &Declared) -> u64 {
    let asked = declared.manifest.hooks.iter().filter_map(|hook| hook.limits.module.as_ref());
    most_of_a_module(asked.map(|at| at.value), declared.policy.limits.module.as_ref().map(|at| at.value))
}

/// The most that is asked or the default allows, and never more than the operator's ceiling.
fn most_of_a_module(asked: impl Iterator<Item = u64>, ceiling: Option<u64>) -> u64 {
    let default = Limits::default().module_bytes;
    asked.fold(default, u64::max).min(ceiling.unwrap_or(u64::MAX))
}

/// Everything that was gathered for the plan.
struct Gathered<'a> {
    chosen: &'a Chosen,
    files: &'a Files,
    sources: &'a BTreeMap<SourceName, SourceFact>,
    env: &'a BTreeMap<String, String>,
    fetch: &'a Fetch,
    sayings: Sayings,
}

fn plan(declared: &Declared, request: &Request, gathered: &Gathered<'_>) -> Result<Plan, LoadError> {
    let Gathered { chosen, files, sources, env, fetch, sayings } = gathered;
    let (app_dir, data_dir) = (declared.app_dir.display().to_string(), declared.data_dir.display().to_string());
    let target = chosen.facts.tag.as_ref().map(ToString::to_string).or_else(|| chosen.facts.commit.as_ref().map(ToString::to_string));
    let facts = BTreeMap::from([(Fact::Fetch, fetch.to_string()), (Fact::Target, target.unwrap_or_else(|| "the work tree".to_owned()))]);
    let previous = match &request.previous {
        Previous::Remembered(known) => known.clone().or_else(|| chosen.facts.previous_tag.as_ref().map(ToString::to_string)),
        Previous::AsItWas(known) => known.clone(),
    };
    let given = Given {
        manifest: &declared.manifest,
        profile: &declared.profile,
        policy: &declared.policy,
        host_steps: &declared.host_steps,
        one_file: declared.one_file,
        app: declared.app.clone(),
        environment: declared.environment.clone(),
        tag: chosen.facts.tag.clone(),
        commit: chosen.facts.commit.clone(),
        previous_version: previous,
        roots: Roots { app_dir: &app_dir, data_dir: &data_dir },
        app_env: &env.keys().cloned().collect(),
        files: &files.facts,
        sources,
        copies_scripts: chosen.read_from.is_some(),
        facts: &facts,
        instances: &request.instances,
        selection: &Selection { phases: request.phases.clone(), only: request.only.clone() },
        at_start: request.at_start,
        steps_in_code: &request.steps_in_code,
        notices: sayings.notices.clone(),
        warnings: sayings.warnings.clone(),
    };
    resolve(&given).map_err(|error| match error {
        PlanError::Invalid(problems) => LoadError::Invalid(problems),
        PlanError::Denied(denials) => LoadError::Denied(denials),
    })
}

fn has_marker(app_dir: &Path, name: &str) -> bool {
    cap_std::fs::Dir::open_ambient_dir(app_dir, cap_std::ambient_authority()).is_ok_and(|dir| marker::read(&dir, name).unwrap_or(false))
}

fn write_marker(app_dir: &Path, name: &str) -> Result<(), String> {
    let failed = |why: String| format!("the marker {name} could not be written: {why}; the ledger remembers the release all the same");
    let dir = cap_std::fs::Dir::open_ambient_dir(app_dir, cap_std::ambient_authority()).map_err(|error| failed(error.to_string()))?;
    marker::write(&dir, name).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hook_makes_the_host_compile_more_than_the_operator_allows() {
        let default = Limits::default().module_bytes;
        assert_eq!(most_of_a_module([].into_iter(), None), default);
        assert_eq!(most_of_a_module([1, default + 7].into_iter(), None), default + 7);
        assert_eq!(most_of_a_module([1, u64::MAX].into_iter(), Some(1 << 20)), 1 << 20);
    }
}
