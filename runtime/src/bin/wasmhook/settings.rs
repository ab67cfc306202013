//! What the environment says, read once, at the start. Everything after it gets values.

use crate::args::{DEFAULT_ENVIRONMENT, Foreign, Places, Selectors};
use crate::error::CliError;
use crate::faults::Faults;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use wasmhook::manifest::import::Kind;
use wasmhook::model::id::{AppName, Commit, EnvironmentName, HookId, InstanceName, NameError, ServiceName, StepName, Tag};
use wasmhook::plan::order::Instance;
use wasmhook::{Builder, Engine, Request};

/// The environment of the process, as values.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its variables that are UTF-8.
    pub env: BTreeMap<String, String>,
    /// The command line, for the lock's record.
    pub command: String,
    /// What is to go wrong, or why that can't be read.
    faults: Result<Faults, String>,
}

impl Settings {
    /// Reads them.
    pub fn of_this_process() -> Self {
        let env: BTreeMap<_, _> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        let command = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
        Self { faults: Faults::of(&env), env, command }
    }

    /// An engine on the chosen places, recording this command line.
    ///
    /// # Errors
    /// [`CliError`] if nothing says where the places are.
    pub fn engine(&self, places: &Places) -> Result<Builder, CliError> {
        let faults = self.faults.as_ref().map_err(CliError::usage)?;
        let builder = Engine::builder(self.state(places)?, self.cache(places)?).command(self.command.clone()).disk(faults.disk.clone());
        Ok(match faults.backend {
            Some(backend) => builder.backends([backend]),
            None => builder,
        })
    }

    /// Tells a test how much could have gone wrong.
    pub fn tell_points(&self) {
        if let Ok(Err(error)) = self.faults.as_ref().map(Faults::tell) {
            tracing::warn!(%error, "the number of fault points could not be written");
        }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The state directory.
    ///
    /// # Errors
    /// [`CliError`] if nothing says where it is.
    pub fn state(&self, places: &Places) -> Result<PathBuf, CliError> {
        self.place(places.state.as_ref(), "--state", "XDG_STATE_HOME", ".local/state")
    }

    /// The compile cache.
    ///
    /// # Errors
    /// [`CliError`] if nothing says where it is.
    pub fn cache(&self, places: &Places) -> Result<PathBuf, CliError> {
        self.place(places.cache.as_ref(), "--cache", "XDG_CACHE_HOME", ".cache")
    }

    fn place(&self, given: Option<&PathBuf>, option: &'static str, variable: &'static str, below_home: &str) -> Result<PathBuf, CliError> {
        let found = match given {
            Some(given) => Some(given.clone()),
            None => self
                .get(variable)
                .map(|base| PathBuf::from(base).join("wasmhook"))
                .or_else(|| self.get("HOME").map(|home| PathBuf::from(home).join(below_home).join("wasmhook"))),
        };
        let found = found.ok_or_else(|| CliError::usage(format!("neither {variable} nor HOME is set: give {option} DIR")))?;
        std::path::absolute(&found).map_err(|error| CliError::usage(format!("{option} {}: {error}", found.display())))
    }

    /// What the selectors ask for.
    ///
    /// # Errors
    /// [`CliError`] for names that break their rule.
    pub fn request(&self, selectors: &Selectors) -> Result<Request, CliError> {
        let mut request = Request::new(&selectors.dir, environment(selectors)?);
        request.manifests.clone_from(&selectors.manifests);
        request.import_as = kind(&selectors.foreign)?;
        request.module.clone_from(&selectors.foreign.module);
        request.jobs_from_env = selectors.from_env;
        request.tag = selectors.tag.as_deref().map(Tag::new).transpose()?;
        request.commit = selectors.commit.as_deref().map(Commit::new).transpose()?;
        request.app = selectors.app.as_deref().map(AppName::new).transpose()?;
        request.profile.clone_from(&selectors.profile);
        request.app_dir.clone_from(&selectors.app_dir);
        request.data_dir.clone_from(&selectors.data_dir);
        request.policy.clone_from(&selectors.policy);
        request.env_files.clone_from(&selectors.env_files);
        request.env = if selectors.from_env { self.env.clone() } else { BTreeMap::new() };
        request.phases = names(&selectors.phases, StepName::new)?;
        request.only = names(&selectors.only, HookId::new)?;
        request.instances = selectors.instances.iter().map(|text| instance(text)).collect::<Result<_, _>>()?;
        request.at_start = selectors.at_start;
        request.commit_file = selectors.commit_file.as_deref().map(absolute).transpose()?;
        request.ignore_marker = selectors.ignore_marker;
        request.accept_moved_tag = selectors.accept_moved_tag;
        Ok(request)
    }
}

/// How long a remote may take to answer `git fetch`.
pub const FETCH_DEADLINE: Duration = Duration::from_mins(1);

/// The environment that is meant.
///
/// # Errors
/// [`CliError`] for a name that breaks its rule.
pub fn environment(selectors: &Selectors) -> Result<EnvironmentName, CliError> {
    Ok(EnvironmentName::new(selectors.env_name.as_deref().unwrap_or(DEFAULT_ENVIRONMENT))?)
}

/// The format that `--as` names.
///
/// # Errors
/// [`CliError`] if there is no such format.
pub fn kind(foreign: &Foreign) -> Result<Option<Kind>, CliError> {
    let parse = |text: &str| text.parse().map_err(|help| CliError::usage(format!("--as {text}: there is no such format; {help}")));
    foreign.kind.as_deref().map(parse).transpose()
}

fn absolute(path: &std::path::Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::usage(format!("--commit-file {}: {error}", path.display())))
}

fn names<T>(texts: &[String], check: impl Fn(String) -> Result<T, NameError>) -> Result<Vec<T>, CliError> {
    Ok(texts.iter().cloned().map(check).collect::<Result<_, _>>()?)
}

fn instance(text: &str) -> Result<Instance, CliError> {
    let (name, dir) = text.split_once('=').ok_or_else(|| CliError::usage(format!("--instance {text}: write [SERVICE/]NAME=DIR")))?;
    let (service, name) = name.split_once('/').map_or((None, name), |(service, name)| (Some(service), name));
    let unusable = |error: std::io::Error| CliError::usage(format!("--instance {text}: {error}")).with_way_out(&error);
    let dir = PathBuf::from(dir).canonicalize().map_err(unusable)?;
    Ok(Instance { service: service.map(ServiceName::new).transpose()?, name: InstanceName::new(name)?, dir: dir.display().to_string() })
}
