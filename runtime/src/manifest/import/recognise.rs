//! Which format a file has: by its name, then by what it holds. Files of other tools that share a name with one that is read are told apart.

use super::{Kind, command_list};
use crate::document::yaml::{self, Yaml};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognised {
    /// A format that is read.
    Format(Kind),
    /// A file of another tool.
    Neighbour(Neighbour),
    /// Nothing that is known.
    Unknown,
}

/// A file of a tool that wasmhook doesn't stand in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// What it is: `a Procfile (Heroku and its kin)`.
    pub what: &'static str,
    /// The way out.
    pub help: &'static str,
}

impl Neighbour {
    /// Why nothing of it runs.
    #[must_use]
    pub fn refusal(&self) -> String {
        format!("this is {}, which wasmhook doesn't read: nothing of it runs", self.what)
    }
}

const OWN: &str = "write its commands as hooks of a wasmhook.toml";
const TOYBOXES: Neighbour = Neighbour {
    what: "a JSON Boxfile (of toyboxes, not of Pagoda Box)",
    help: "a Boxfile of Pagoda Box is YAML with `build:` and `web1:`",
};
const NANOBOX: Neighbour = Neighbour { what: "Nanobox's boxfile.yml (the successor of Pagoda Box)", help: OWN };
const CODE_DEPLOY: Neighbour = Neighbour { what: "an appspec.yml of AWS CodeDeploy", help: OWN };
const PROCFILE: Neighbour =
    Neighbour { what: "a Procfile (Heroku and its kin)", help: "write its `release:` command as a hook of a wasmhook.toml" };
const APP_JSON: Neighbour = Neighbour { what: "an app.json (of Heroku or Dokku)", help: OWN };
const KAMAL: Neighbour = Neighbour { what: "a hook of Kamal", help: "name the script as a hook of a wasmhook.toml" };

/// What a file is, by its path alone, where that decides it.
#[must_use]
pub fn neighbour_by_path(path: &str) -> Option<Neighbour> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "Procfile" => Some(PROCFILE),
        "app.json" => Some(APP_JSON),
        "boxfile.yml" | "boxfile.yaml" => Some(NANOBOX),
        _ if path.contains(".kamal/hooks/") => Some(KAMAL),
        _ => None,
    }
}

/// What a file is, by its path and its text.
#[must_use]
pub fn recognise(path: &str, text: &str) -> Recognised {
    if let Some(neighbour) = neighbour_by_path(path) {
        return Recognised::Neighbour(neighbour);
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let by_name = match name {
        "app_desc.yaml" | "app_desc.yml" => Some(Kind::AppDesc),
        "Boxfile" | "Boxfile.install" => Some(Kind::Boxfile),
        "appspec.yaml" | "appspec.yml" => Some(Kind::AppSpec),
        _ => None,
    };
    // A broken text is its importer's to report, where the name says whose that is.
    by_name.map_or_else(|| by_content(text), |kind| refuse(kind, text).map_or(Recognised::Format(kind), Recognised::Neighbour))
}

fn refuse(kind: Kind, text: &str) -> Option<Neighbour> {
    let root = yaml::read("", text).0?;
    match kind {
        Kind::Boxfile => not_a_boxfile(&root, text),
        Kind::AppSpec => not_an_app_spec(&root),
        Kind::AppDesc | Kind::CommandList | Kind::ReleaseFolder => None,
    }
}

fn by_content(text: &str) -> Recognised {
    let mut lines = command_list::meaningful(text).map(|(_, line)| line).peekable();
    if lines.peek().is_some()
        && lines.all(|line| line.split_once('\t').is_some_and(|(label, command)| !label.trim().is_empty() && !command.trim().is_empty()))
    {
        return Recognised::Format(Kind::CommandList);
    }
    let Some(root) = yaml::read("", text).0 else { return Recognised::Unknown };
    let has = |keys: &[&str]| keys.iter().any(|key| root.get(key).is_some());
    let items = root.list().unwrap_or_default();
    if items.iter().any(|item| item.get("command").is_some()) {
        return Recognised::Format(Kind::CommandList);
    }
    if let Some(neighbour) = not_a_boxfile(&root, text).or_else(|| not_an_app_spec(&root)) {
        return Recognised::Neighbour(neighbour);
    }
    let is_service = |name: &str| {
        matches!(name.trim_end_matches(|c: char| c.is_ascii_digit()), "web" | "worker") && name.ends_with(|c: char| c.is_ascii_digit())
    };
    let is_list = |key: &str| root.get("spec").unwrap_or(&root).get(key).is_some_and(|value| value.list().is_some());
    if has(&["spec_version", "specVersion", "module", "modules"]) {
        Recognised::Format(Kind::AppDesc)
    } else if ["envs", "services", "jobs", "workers"].into_iter().any(is_list) {
        Recognised::Format(Kind::AppSpec)
    } else if root.get("build").is_some_and(|build| build.map().is_some())
        || root.map().unwrap_or_default().iter().any(|(key, _)| is_service(&key.name))
    {
        Recognised::Format(Kind::Boxfile)
    } else {
        Recognised::Unknown
    }
}

/// Which other tool's file this is, if it bears the name of a `Boxfile`.
pub(super) fn not_a_boxfile(root: &Yaml, text: &str) -> Option<Neighbour> {
    let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    if is_json || root.get("toyboxes").is_some() {
        return Some(TOYBOXES);
    }
    let is_nanobox = |name: &str| {
        matches!(name, "run.config" | "deploy.config" | "code.build" | "code.deploy" | "dev" | "engine")
            || ["web.", "worker.", "data."].iter().any(|begin| name.starts_with(begin))
    };
    root.map()?.iter().any(|(key, _)| is_nanobox(&key.name)).then_some(NANOBOX)
}

/// Which other tool's file this is, if it bears the name of an app spec.
pub(super) fn not_an_app_spec(root: &Yaml) -> Option<Neighbour> {
    let version = root.get("version").and_then(Yaml::text).is_some_and(|version| version == "0.0" || version == "0");
    let system = root.get("os").is_some() && root.get("hooks").is_some();
    let resources = root.get("Resources").is_some() || root.get("Hooks").is_some();
    let scripts = root.get("hooks").and_then(Yaml::map).is_some_and(|hooks| {
        hooks.iter().any(|(_, scripts)| scripts.list().unwrap_or_default().iter().any(|script| script.get("location").is_some()))
    });
    (version || system || resources || scripts).then_some(CODE_DEPLOY)
}
