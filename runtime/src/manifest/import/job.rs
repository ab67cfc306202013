//! The two jobs that `PRE_DEPLOY_*` and `POST_DEPLOY_*` describe, wherever these variables stand: in a spec, or in the environment.

use super::Imported;
use super::draft::{Draft, below_root, dir};
use super::shell::shell_line;
use crate::diagnostic::{Diagnostic, Located, Source, codes};
use crate::document::{Problems, error_at, quote};
use crate::manifest::HookDecl;
use crate::model::id::{ServiceName, SourceName};
use crate::model::source::GitUrl;
use crate::model::units::parse_duration;
use std::collections::BTreeMap;
use std::time::Duration;

/// The platform's lifecycle.
pub(super) const PROFILE: &str = "commit-sync";

/// The variables that describe jobs, without their prefix.
const PARTS: &[&str] = &["COMMAND", "FOLDER", "REPO_URL", "TIMEOUT"];
/// Their prefixes, with the phase that each job belongs to.
const JOBS: &[(&str, &str)] = &[("PRE_DEPLOY", "pre-deploy"), ("POST_DEPLOY", "post-deploy")];
/// The folder of the application in its repository.
const APP_FOLDER: &str = "GITHUB_REPO_FOLDER";

/// Variables by name, with their values; what is empty counts as absent.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables(pub(super) BTreeMap<String, Located<String>>);

impl Variables {
    fn get(&self, name: &str) -> Option<&Located<String>> {
        self.0.get(name).filter(|value| !value.value.trim().is_empty())
    }

    /// Whether any of them describes a job.
    pub(super) fn describe_jobs(&self) -> bool {
        JOBS.iter().any(|(prefix, _)| PARTS.iter().any(|part| self.get(&format!("{prefix}_{part}")).is_some()))
    }
}

/// The variables of an environment that say something of jobs, by name.
pub fn job_variables(environment: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let names = JOBS.iter().flat_map(|(prefix, _)| PARTS.iter().map(move |part| format!("{prefix}_{part}")));
    let set = names.filter_map(|name| environment.get_key_value(&name));
    set.filter(|(_, value)| !value.trim().is_empty()).map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Whether a variable holds a job's command: a line for a shell.
pub(super) fn is_command(name: &str) -> bool {
    JOBS.iter().any(|(prefix, _)| name.strip_prefix(prefix) == Some("_COMMAND"))
}

/// The jobs that an environment describes, without the rest of it.
#[must_use]
pub fn from_environment(environment: &BTreeMap<String, String>) -> Imported {
    let names = JOBS.iter().flat_map(|(prefix, _)| PARTS.iter().map(move |part| format!("{prefix}_{part}"))).chain([APP_FOLDER.to_owned()]);
    let written: Vec<(String, &String)> =
        names.filter_map(|name| Some((environment.get(&name)?, name))).map(|(value, name)| (name, value)).collect();
    // What findings show: the variables as a file would hold them.
    let text: String = written.iter().map(|(name, value)| format!("{name}={}\n", value.lines().next().unwrap_or_default())).collect();
    let mut draft = Draft::new("environment", Problems::none(Source::new("environment", text)));
    let mut variables = Variables::default();
    let mut start = 0;
    for (name, value) in written {
        let end = start + name.len() + 1 + value.lines().next().unwrap_or_default().len();
        let at = draft.problems.at(start + name.len() + 1..end);
        variables.0.insert(name, Located { value: value.clone(), at });
        start = end + 1;
    }
    draft.profile(PROFILE);
    jobs(&variables, None, &mut draft);
    draft.finish()
}

/// Adds the jobs that variables describe: at most one in each phase.
pub(super) fn jobs(variables: &Variables, service: Option<&Located<ServiceName>>, draft: &mut Draft) {
    for (prefix, phase) in JOBS {
        let part = |part: &str| variables.get(&format!("{prefix}_{part}"));
        let Some(command) = part("COMMAND") else {
            for set in PARTS.iter().filter_map(|name| part(name)) {
                let message = format!("{prefix}_COMMAND is not configured: what is set for the job has no effect, and no job runs");
                draft.problems.push(
                    Diagnostic::warning(codes::NO_EFFECT, message)
                        .at(set.at.clone())
                        .help(format!("set {prefix}_COMMAND, or remove the others")),
                );
            }
            continue;
        };
        let Some(source) = source(prefix, phase, part("REPO_URL"), draft) else { continue };
        // The application's folder is one of its own repository.
        let app_folder = variables.get(APP_FOLDER).filter(|_| source.is_none());
        let (Some(folder), Some(timeout)) = (folder(part("FOLDER"), app_folder, draft), timeout(prefix, part("TIMEOUT"), draft)) else {
            continue;
        };
        let Some(hook) = job(phase, command, service, draft) else { continue };
        (hook.source, hook.cwd, hook.limits.timeout) = (source, folder, timeout);
    }
}

fn job<'d>(
    phase: &str,
    command: &Located<String>,
    service: Option<&Located<ServiceName>>,
    draft: &'d mut Draft,
) -> Option<&'d mut HookDecl> {
    let id = service.map_or_else(|| phase.to_owned(), |service| format!("{}-{phase}", service.value));
    let guest = Located { value: shell_line(command.value.trim()), at: command.at.clone() };
    let hook = draft.hook(&id, phase, guest)?;
    hook.label = Some(command.value.trim().lines().next().unwrap_or_default().to_owned());
    hook.service = service.cloned();
    hook.dirs.push(dir(".", None, &command.at));
    Some(hook)
}

/// The repository that a job comes from. The inner `None` is the application's own; the outer one an address that can't be read.
#[expect(clippy::option_option, reason = "refused, absent, present")]
fn source(prefix: &str, phase: &str, written: Option<&Located<String>>, draft: &mut Draft) -> Option<Option<Located<SourceName>>> {
    let Some(written) = written else { return Some(None) };
    match GitUrl::new(written.value.trim()) {
        Ok(url) => draft.source(phase, Located { value: url, at: written.at.clone() }).map(Some),
        Err(error) => {
            let found = error_at(written, codes::BAD_SOURCE, format!("{prefix}_REPO_URL: {error}"));
            draft.problems.push(found.help(error.help()));
            None
        }
    }
}

/// Where a job starts: its folder, below the application's. The inner `None` is the root; the outer one a folder that leaves the repository.
#[expect(clippy::option_option, reason = "refused, absent, present")]
fn folder(job: Option<&Located<String>>, app: Option<&Located<String>>, draft: &mut Draft) -> Option<Option<Located<String>>> {
    let mut whole = String::new();
    for (written, is_job) in [(app, false), (job, true)] {
        let Some(written) = written else { continue };
        let Some(folder) = below_root(&written.value) else {
            let message = format!("the folder {} lies outside of the repository", quote(&written.value));
            draft.problems.push(error_at(written, codes::ESCAPES_ROOT, message).help("name a folder below it"));
            return None;
        };
        // A job's folder may hold the application's already.
        let has_prefix = folder == whole || folder.starts_with(&format!("{whole}/"));
        whole = match (is_job, whole.is_empty() || has_prefix, folder.is_empty()) {
            (_, _, true) => whole,
            (_, true, _) => folder,
            (..) => format!("{whole}/{folder}"),
        };
    }
    let at = job.or(app).map(|written| written.at.clone());
    Some(at.filter(|_| !whole.is_empty()).map(|at| Located { value: whole, at }))
}

/// A job's deadline: seconds as text, or with a unit; 0 is none. The outer `None` is one that can't be read.
#[expect(clippy::option_option, reason = "refused, absent, present")]
fn timeout(prefix: &str, written: Option<&Located<String>>, draft: &mut Draft) -> Option<Option<Located<Duration>>> {
    let Some(written) = written else { return Some(None) };
    match parse_duration(&written.value) {
        Ok(duration) => Some(Some(Located { value: duration, at: written.at.clone() })),
        Err(error) => {
            let found = error_at(written, codes::BAD_VALUE, format!("{prefix}_TIMEOUT: {error}"));
            draft.problems.push(found.help("write seconds (`300`), or a number with a unit (`5m`); 0 is no limit"));
            None
        }
    }
}
