//! Plan → job: what an executor gets, with every value filled in.

use super::expand::expand;
use super::lifecycle;
use super::machine::At;
use crate::model::event::Place;
use crate::model::grant::{DirGrant, EnvSource, OutputRef};
use crate::model::id::{Digest, HookId, RunId, StepName};
use crate::model::job::{Guest, Job, NativeGuest, Script, Tree, TreeEntry, WasmGuest};
use crate::model::tree::{Listed, Listing};
use crate::plan::grants::OUTPUT_VARIABLE;
use crate::plan::{HostCommand, Plan, PlanGuest, PlanHook, PlanStepKind};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The planned bytes, by digest.
pub type Blobs = BTreeMap<Digest, Arc<[u8]>>;

/// What one hook reported: keys and values, in the order in which they came.
pub type Reported = Vec<(String, String)>;

/// What hooks reported, by phase and id.
pub type Outputs = BTreeMap<(StepName, HookId), Reported>;

/// What the plan doesn't hold because it is secret, large, or only known now.
#[derive(Debug)]
pub struct Supplies<'a> {
    /// The app environment with its values.
    pub app_env: &'a BTreeMap<String, String>,
    /// The planned bytes.
    pub blobs: &'a Blobs,
    /// The run.
    pub run: &'a RunId,
    /// What hooks that are done reported.
    pub outputs: Outputs,
}

impl Supplies<'_> {
    /// The value of an output; the last one, if it was reported more than once.
    fn output(&self, reference: &OutputRef) -> Option<&str> {
        let reported = self.outputs.get(&(reference.phase.clone(), reference.hook.clone()))?;
        reported.iter().rev().find(|(key, _)| *key == reference.key).map(|(_, value)| value.as_str())
    }
}

/// Why a job can't be made: what it needs isn't there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// The planned bytes are gone (a plan of a run that died).
    #[error("the planned bytes of {0} are not at hand")]
    NoBytes(String),
    /// A granted variable has no value.
    #[error("the variable {0} is not set in the app environment: set it in [env], env_file, --env-file or --from-env")]
    NoVariable(String),
    /// A value of another hook that it didn't report.
    #[error("the output {0} is not there: that hook didn't run, or wrote no line `{key}=…` to its WASMHOOK_OUTPUT", key = .0.key)]
    NoOutput(OutputRef),
}

/// The job that runs at `at`, the `attempt`th.
///
/// # Errors
/// Everything that is missing.
pub fn job(plan: &Plan, at: At, place: &Place, attempt: u32, supplies: &Supplies<'_>) -> Result<Job, Vec<JobError>> {
    match &plan.steps[at.step].kind {
        PlanStepKind::Host { command: Some(command), .. } => host_job(plan, command, place, attempt, supplies),
        _ => match lifecycle::hook(plan, at) {
            Some(hook) => hook_job(&hook, place, attempt, supplies),
            None => Err(vec![JobError::NoBytes(place.to_string())]),
        },
    }
}

/// The job that says whether what ran at `at` took, called after `place`, its own; `None` if there is none.
///
/// # Errors
/// Everything that is missing.
pub fn verify(plan: &Plan, at: At, place: &Place, attempt: u32, supplies: &Supplies<'_>) -> Result<Option<Job>, Vec<JobError>> {
    let Some(hook) = lifecycle::verify(plan, at) else { return Ok(None) };
    let job = hook_job(&hook, place, attempt, supplies)?;
    Ok(Some(Job { collect_outputs: false, ..job }))
}

/// What a hook lacks, found out without starting it.
#[must_use]
pub fn missing(hook: &PlanHook, app_env: &BTreeMap<String, String>) -> Vec<JobError> {
    hook.grants
        .env
        .iter()
        .filter(|env| env.source == EnvSource::App && !app_env.contains_key(&env.name))
        .map(|env| JobError::NoVariable(env.name.clone()))
        .collect()
}

/// Outputs that were granted and never reported: known only when the hook's turn has come.
fn unreported<'e>(sources: impl Iterator<Item = &'e EnvSource>, supplies: &Supplies<'_>) -> Vec<JobError> {
    let asked = sources.filter_map(|source| if let EnvSource::Output(reference) = source { Some(reference) } else { None });
    asked.filter(|reference| supplies.output(reference).is_none()).cloned().map(JobError::NoOutput).collect()
}

fn hook_job(hook: &PlanHook, place: &Place, attempt: u32, supplies: &Supplies<'_>) -> Result<Job, Vec<JobError>> {
    let mut missing = missing(hook, supplies.app_env);
    missing.extend(unreported(hook.grants.env.iter().map(|grant| &grant.source), supplies));
    if !missing.is_empty() {
        return Err(missing);
    }
    let engine = engine_values(place, attempt, supplies.run);
    let mut env = Vec::new();
    for grant in hook.grants.env.iter().filter(|grant| grant.name != OUTPUT_VARIABLE) {
        let value = match &grant.source {
            EnvSource::Value { value } => Some(value.clone()),
            EnvSource::App => supplies.app_env.get(&grant.name).cloned(),
            EnvSource::Engine => engine.get(grant.name.as_str()).cloned(),
            EnvSource::Output(reference) => supplies.output(reference).map(str::to_owned),
        };
        env.extend(value.map(|value| (grant.name.clone(), value)));
    }
    let asks_for_outputs = hook.grants.env.iter().any(|grant| grant.name == OUTPUT_VARIABLE);
    let native = matches!(hook.guest, PlanGuest::Native { .. });
    let guest = guest(hook, &env, supplies.blobs).map_err(|error| vec![error])?;
    Ok(Job {
        name: place.to_string(),
        guest,
        env,
        dirs: hook.grants.dirs.clone(),
        limits: hook.limits.clone(),
        collect_outputs: asks_for_outputs || native,
    })
}

fn guest(hook: &PlanHook, env: &[(String, String)], blobs: &Blobs) -> Result<Guest, JobError> {
    let bytes = |digest: &Digest| blobs.get(digest).cloned();
    match &hook.guest {
        PlanGuest::Wasm { file, digest, args } => {
            let bytes = bytes(digest).ok_or_else(|| JobError::NoBytes(file.clone()))?;
            Ok(Guest::Wasm(WasmGuest { file: file.clone(), bytes, digest: digest.clone(), args: args.clone() }))
        }
        PlanGuest::Native { argv, cwd, tree, sandbox, script, expand_env, shown, detach } => {
            let script = match script {
                Some(script) if script.copied => {
                    let bytes = bytes(&script.digest).ok_or_else(|| JobError::NoBytes(script.file.clone()))?;
                    Some(Script { index: script.index, file_name: lifecycle::file_name(&script.file).to_owned(), bytes })
                }
                _ => None,
            };
            let tree = tree.as_ref().map(|digest| tree_of(digest, blobs).ok_or_else(|| JobError::NoBytes(shown.clone()))).transpose()?;
            let argv = if *expand_env { argv.iter().map(|word| expand(word, |name| value(env, name))).collect() } else { argv.clone() };
            Ok(Guest::Native(NativeGuest { argv, cwd: PathBuf::from(cwd), tree, script, sandbox: Some(*sandbox), detach: *detach }))
        }
    }
}

/// A tree from its listing and its files, which are all at hand by their digests.
fn tree_of(digest: &Digest, blobs: &Blobs) -> Option<Tree> {
    let listing = Listing::from_bytes(blobs.get(digest)?)?;
    let entry = |(path, listed): (String, Listed)| {
        let entry = match listed {
            Listed::File { digest, executable } => TreeEntry::File { bytes: blobs.get(&digest)?.clone(), executable },
            Listed::Link { target } => TreeEntry::Link { target },
            Listed::Folder => TreeEntry::Folder,
        };
        Some((path, entry))
    };
    Some(Tree { entries: listing.0.into_iter().map(entry).collect::<Option<_>>()? })
}

fn value<'e>(env: &'e [(String, String)], name: &str) -> Option<&'e str> {
    env.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Values that only the running engine knows.
fn engine_values(place: &Place, attempt: u32, run: &RunId) -> BTreeMap<&'static str, String> {
    let trace = Digest::of(run.as_str().as_bytes());
    let span = Digest::of(format!("{run} {place} {attempt}").as_bytes());
    BTreeMap::from([
        ("WASMHOOK_RUN_ID", run.to_string()),
        ("WASMHOOK_PHASE", place.step.to_string()),
        ("WASMHOOK_HOOK", place.hook.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("WASMHOOK_ATTEMPT", attempt.to_string()),
        ("TRACEPARENT", format!("00-{}-{}-01", &trace.hex()[..32], &span.hex()[..16])),
    ])
}

fn host_job(plan: &Plan, command: &HostCommand, place: &Place, attempt: u32, supplies: &Supplies<'_>) -> Result<Job, Vec<JobError>> {
    let mut env: BTreeMap<String, String> =
        engine_values(place, attempt, supplies.run).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let values = [
        ("DEPLOY_TAG", plan.tag.as_ref().map(ToString::to_string)),
        ("DEPLOY_ENV", Some(plan.environment.to_string())),
        ("APP_DIR", Some(plan.app_dir.clone())),
        ("DATA_DIR", Some(plan.data_dir.clone())),
        ("WASMHOOK_PREVIOUS_TAG", plan.previous_version.clone()),
        ("WASMHOOK_COMMIT", plan.commit.as_ref().map(ToString::to_string)),
    ];
    env.extend(values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    env.extend(command.env.iter().filter_map(|name| Some((name.clone(), supplies.app_env.get(name)?.clone()))));
    let outputs: Vec<EnvSource> = command.env.iter().filter_map(|name| OutputRef::parse(name)).map(EnvSource::Output).collect();
    let missing = unreported(outputs.iter(), supplies);
    if !missing.is_empty() {
        return Err(missing);
    }
    env.extend(command.env.iter().filter_map(|name| OutputRef::parse(name)).filter_map(|reference| {
        let value = supplies.output(&reference)?.to_owned();
        Some((reference.key, value))
    }));
    env.extend(command.set.iter().cloned());
    let guest = if command.argv.is_empty() {
        Guest::InCode { step: place.step.clone() }
    } else {
        // A step may start a service that outlives it.
        Guest::Native(NativeGuest {
            argv: command.argv.clone(),
            cwd: PathBuf::from(&command.cwd),
            tree: None,
            script: None,
            sandbox: None,
            detach: true,
        })
    };
    Ok(Job {
        name: place.to_string(),
        guest,
        env: env.into_iter().collect(),
        dirs: Vec::new(),
        limits: command.limits.clone(),
        collect_outputs: true,
    })
}

/// Whether two grants let two hooks change the same files.
#[must_use]
pub fn overlap(a: &[DirGrant], b: &[DirGrant]) -> bool {
    let live = |dirs: &[DirGrant]| {
        dirs.iter().filter(|dir| dir.mode.is_live()).filter_map(|dir| dir.host.clone()).map(PathBuf::from).collect::<Vec<_>>()
    };
    live(a).iter().any(|a| live(b).iter().any(|b| a.starts_with(b) || b.starts_with(a)))
}
