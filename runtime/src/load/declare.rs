//! Reads what was written: manifests, policy and profile, from the operator's side.

use super::{LoadError, Request};
use crate::diagnostic::{Diagnostic, Located, codes, has_errors};
use crate::document::suggest;
use crate::manifest::{self, HostStepDecl, Manifest, PolicyDecl};
use crate::model::id::{AppName, EnvironmentName, StepName};
use crate::profile::{self, Profile};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was written, and whose run it would be.
#[derive(Debug)]
pub struct Declared {
    /// The merged manifest.
    pub manifest: Manifest,
    /// The platform's lifecycle.
    pub profile: Profile,
    /// The operator's ceiling.
    pub policy: PolicyDecl,
    /// The operator's commands.
    pub host_steps: Vec<(Located<StepName>, HostStepDecl)>,
    /// Whether author and operator share one file.
    pub one_file: bool,
    /// The application.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The manifest's directory, absolute.
    pub dir: PathBuf,
    /// The application's root, absolute.
    pub app_dir: PathBuf,
    /// The application's data, absolute.
    pub data_dir: PathBuf,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

/// Reads everything that was written.
///
/// # Errors
/// [`LoadError::Invalid`] with everything that is wrong, [`LoadError::NoManifest`], or [`LoadError::Io`].
pub fn declare(request: &Request) -> Result<Declared, LoadError> {
    let dir = absolute(&request.dir)?;
    let mut found = Vec::new();
    let (manifest, folders) = read_manifests(&dir, request, &mut found)?;
    let mut declared = complete(dir, manifest, request, found)?;
    root_modules(&mut declared, &folders);
    Ok(declared)
}

/// Completes a manifest, wherever it was read, to everything that was written.
///
/// # Errors
/// As [`declare`].
pub(super) fn complete(dir: PathBuf, mut manifest: Manifest, request: &Request, mut found: Vec<Diagnostic>) -> Result<Declared, LoadError> {
    let operator = match &request.policy {
        Some(file) => {
            let (operator, problems) = manifest::parse_policy(&file.display().to_string(), &read_text(file, "read the policy")?);
            found.extend(problems);
            Some(operator)
        }
        None => None,
    };
    let profile = read_profile(&dir, &manifest, request, &mut found)?;
    let app = request.app.clone().or_else(|| manifest.app.as_ref().map(|app| app.value.clone()));
    // Of a file that can't be read it isn't known whether it names one.
    let unread = found
        .iter()
        .any(|problem| [codes::EMPTY_FILE, codes::TOML_SYNTAX, codes::TOO_LARGE, codes::SCHEMA_VERSION].contains(&problem.code));
    if app.is_none() && !unread {
        found.push(Diagnostic::error("no-app", "no application is named").help("write app = \"…\" in the manifest, or give --app NAME"));
    }
    let (Some(profile), Some(app)) = (profile, app) else { return Err(LoadError::Invalid(found)) };
    let one_file = operator.is_none();
    let (policy, host_steps) = match operator {
        Some(file) => {
            found.extend(two_masters(&manifest));
            (file.policy.map(|at| at.value).unwrap_or_default(), file.host_steps)
        }
        None => (manifest.policy.as_ref().map(|at| at.value.clone()).unwrap_or_default(), manifest.host_steps.clone()),
    };
    // Hooks added in code obey the same rules as those that somebody wrote.
    manifest.hooks.extend(request.hooks.iter().cloned());
    let manifest_with_steps = Manifest { host_steps: host_steps.clone(), ..manifest.clone() };
    found.extend(crate::lint::check(&manifest_with_steps, &profile));
    found.extend(unknown_steps_in_code(&request.steps_in_code, &profile));
    if has_errors(&found) {
        return Err(LoadError::Invalid(found));
    }
    let app_dir = place(&dir, request.app_dir.as_deref(), manifest.app_dir.as_ref())?.unwrap_or_else(|| dir.clone());
    let data_dir = place(&dir, request.data_dir.as_deref(), manifest.data_dir.as_ref())?.unwrap_or_else(|| app_dir.clone());
    Ok(Declared {
        manifest,
        profile,
        policy,
        host_steps,
        one_file,
        app,
        environment: request.environment.clone(),
        dir,
        app_dir,
        data_dir,
        warnings: found,
    })
}

/// A separate policy is the only one: what the repository says of itself doesn't count.
fn two_masters(manifest: &Manifest) -> Vec<Diagnostic> {
    let policy = manifest.policy.as_ref().map(|policy| (&policy.at, "[policy]"));
    let steps = manifest.host_steps.iter().map(|(name, _)| (&name.at, "[host_step]"));
    let message = |what: &str| format!("{what} of the manifest is not used: --policy names the operator's file");
    policy.into_iter().chain(steps).map(|(at, what)| Diagnostic::warning("policy-elsewhere", message(what)).at(at.clone())).collect()
}

/// A step that nothing ever asks for would be a wish that nobody hears.
fn unknown_steps_in_code(steps: &[StepName], profile: &Profile) -> Vec<Diagnostic> {
    let known: Vec<&str> = profile.host_steps().map(|(name, _)| name.as_str()).collect();
    let unknown = steps.iter().filter(|step| !known.contains(&step.as_str()));
    let found = |step: &StepName| {
        let message = format!("code is given for the host step `{step}`, which the profile `{}` doesn't have", profile.name);
        Diagnostic::error(codes::UNKNOWN_HOST_STEP, message).help(suggest(step.as_str(), known.iter().copied()))
    };
    unknown.map(found).collect()
}

/// The merged manifest, and where each of its files lies, by the name that is its hooks' origin.
fn read_manifests(dir: &Path, request: &Request, found: &mut Vec<Diagnostic>) -> Result<(Manifest, Folders), LoadError> {
    let default = dir.join("wasmhook.toml");
    let files = match &request.manifests[..] {
        [] if !default.exists() && request.profile.is_none() => return Err(LoadError::NoManifest(request.dir.clone())),
        [] if !default.exists() => Vec::new(),
        [] => vec![default],
        named => named.to_vec(),
    };
    let (mut manifests, mut folders) = (Vec::new(), Folders::new());
    for file in files {
        let text = read_text(&file, "read the manifest")?;
        let name = file.strip_prefix(dir).unwrap_or(&file).display().to_string();
        let (manifest, problems) = manifest::parse(&name, &text);
        found.extend(problems);
        folders.insert(name, absolute(file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?);
        manifests.push(manifest);
    }
    Ok((manifest::merge(manifests), folders))
}

/// Where manifests lie, by name.
type Folders = BTreeMap<String, PathBuf>;

/// Modules lie beside the manifest that names them: those of a manifest that lies elsewhere are named by their absolute path from here on.
/// It comes after the lints, which look at paths as they are written.
fn root_modules(declared: &mut Declared, folders: &Folders) {
    let dir = &declared.dir;
    for hook in &mut declared.manifest.hooks {
        let Some(folder) = folders.get(&hook.origin).filter(|folder| *folder != dir) else { continue };
        for guest in hook.guests_mut() {
            if let manifest::GuestDecl::Wasm { path } = guest {
                *path = folder.join(&*path).display().to_string();
            }
        }
    }
}

fn read_profile(dir: &Path, manifest: &Manifest, request: &Request, found: &mut Vec<Diagnostic>) -> Result<Option<Profile>, LoadError> {
    let named = manifest.profile.clone().or_else(|| request.profile.clone().map(Located::nowhere));
    let named = named.unwrap_or_else(|| Located::nowhere("default".to_owned()));
    if let Some(profile) = profile::builtin(&named.value) {
        return Ok(Some(profile));
    }
    let is_file = named.value.contains('/') || Path::new(&named.value).extension().is_some_and(|extension| extension == "toml");
    if !is_file {
        found.push(profile::unknown(&named));
        return Ok(None);
    }
    let text = read_text(&dir.join(&named.value), "read the profile")?;
    match Profile::parse(&named.value, &text) {
        Ok(profile) => Ok(Some(profile)),
        Err(problems) => {
            found.extend(problems);
            Ok(None)
        }
    }
}

/// The text of a file that somebody named.
pub(super) fn read_text(path: &Path, doing: &'static str) -> Result<String, LoadError> {
    use std::io::Read as _;
    let io = |source| LoadError::Io { doing, path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(manifest::MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    text_of(bytes).map_err(|message| io(std::io::Error::new(std::io::ErrorKind::InvalidData, message)))
}

/// Bytes of a file as text of a size that a person writes.
pub(super) fn text_of(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() > manifest::MAX_BYTES {
        return Err(format!("it has more than {}", crate::model::units::show_size(manifest::MAX_BYTES as u64)));
    }
    String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()))
}

fn absolute(path: &Path) -> Result<PathBuf, LoadError> {
    path.canonicalize().map_err(|source| LoadError::Io { doing: "find", path: path.to_owned(), source })
}

/// A directory as given, or as written in the manifest, which need not exist yet.
fn place(dir: &Path, given: Option<&Path>, written: Option<&Located<String>>) -> Result<Option<PathBuf>, LoadError> {
    let path = match (given, written) {
        (Some(given), _) => std::path::absolute(given).map_err(|source| LoadError::Io { doing: "find", path: given.to_owned(), source })?,
        (None, Some(written)) => dir.join(&written.value),
        (None, None) => return Ok(None),
    };
    Ok(Some(path.canonicalize().unwrap_or_else(|_| fold(&path))))
}

/// A path without `.` components.
fn fold(path: &Path) -> PathBuf {
    path.components().collect()
}
