//! Reads what was written: manifests, policy and profile, from the operator's side.

use super::beside::Beside;
use super::reach::{self, Places};
use super::{LoadError, Request, foreign};
use crate::diagnostic::{Diagnostic, Located, codes, has_errors};
use crate::discover::{SourceError, WorkTree, given};
use crate::document::suggest;
use crate::manifest::import::{self, Given, Imported};
use crate::manifest::{self, HostStepDecl, Manifest, PolicyDecl};
use crate::model::id::{AppName, EnvironmentName, ServiceName, StepName};
use crate::plan::order::Instance;
use crate::profile::{self, Profile};
use std::collections::{BTreeMap, BTreeSet};
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
    /// How foreign files were understood.
    pub notes: Vec<Located<String>>,
}

/// Reads everything that was written.
///
/// # Errors
/// [`LoadError::Invalid`] with everything that is wrong, [`LoadError::NoManifest`], or [`LoadError::Io`].
pub fn declare(request: &Request) -> Result<Declared, LoadError> {
    let dir = directory(&request.dir)?;
    let mut found = Vec::new();
    let written = read_manifests(&dir, request, &mut found)?;
    found.extend(jobs_elsewhere(&written, request));
    let mut declared = complete(dir, written.manifest, None, request, found)?;
    declared.notes = written.notes;
    root_modules(&mut declared, &written.folders);
    Ok(declared)
}

/// Completes a manifest, wherever it was read, to everything that was written. `profile_file` is the text of the profile's file, if it was read
/// where the manifest was; otherwise it's read in `dir`.
///
/// # Errors
/// As [`declare`].
pub(super) fn complete(
    dir: PathBuf,
    mut manifest: Manifest,
    profile_file: Option<String>,
    request: &Request,
    mut found: Vec<Diagnostic>,
) -> Result<Declared, LoadError> {
    let operator = match &request.policy {
        Some(file) => {
            let (operator, problems) = manifest::parse_policy(&file.display().to_string(), &read_text(file, "read the policy")?);
            found.extend(problems);
            Some(operator)
        }
        None => None,
    };
    let profile = read_profile(&dir, &manifest, profile_file, request, &mut found)?;
    let app = request.app.clone().or_else(|| manifest.app.as_ref().map(|app| app.value.clone()));
    // Of a file that can't be read it isn't known whether it names one.
    let unread = found.iter().any(|problem| UNREAD.contains(&problem.code));
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
    found.extend(instances_of_nothing(&request.instances, &manifest));
    found.extend(instances_twice(&request.instances));
    if has_errors(&found) {
        return Err(LoadError::Invalid(found));
    }
    let app_dir = place(&dir, request.app_dir.as_deref(), manifest.app_dir.as_ref())?.unwrap_or_else(|| dir.clone());
    if let Some(given) = &request.app_dir {
        root_is_there(&app_dir, &format!("--app-dir {}", given.display()))?;
    }
    let data_dir = place(&dir, request.data_dir.as_deref(), manifest.data_dir.as_ref())?.unwrap_or_else(|| app_dir.clone());
    if !one_file {
        let own = manifest.profile.as_ref().filter(|named| profile::builtin(&named.value).is_none());
        found.extend(own.and_then(|named| reach::commit_file(named, &profile, request, &dir)));
        let places = Places { dir: &dir, app_dir: &app_dir, data_dir: &data_dir };
        found.extend(reach::roots(&manifest, request, &policy, &places));
        if has_errors(&found) {
            return Err(LoadError::Invalid(found));
        }
    }
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
        notes: Vec::new(),
    })
}

/// The application's root has to be there; it is called what somebody wrote.
pub(super) fn root_is_there(app_dir: &Path, written: &str) -> Result<(), LoadError> {
    if app_dir.is_dir() {
        return Ok(());
    }
    let missing = Diagnostic::error(codes::UNREADABLE, format!("{written}: there is no directory {}", app_dir.display()));
    Err(LoadError::Invalid(vec![missing.help("create it, or correct the path")]))
}

/// What is found of a file that couldn't be read.
const UNREAD: &[&str] =
    &[codes::EMPTY_FILE, codes::TOML_SYNTAX, codes::YAML_SYNTAX, codes::FOREIGN_FORMAT, codes::TOO_LARGE, codes::SCHEMA_VERSION];

/// A separate policy is the only one: what the repository says of itself doesn't count.
fn two_masters(manifest: &Manifest) -> Vec<Diagnostic> {
    let policy = manifest.policy.as_ref().map(|policy| (&policy.at, "[policy]"));
    let steps = manifest.host_steps.iter().map(|(name, _)| (&name.at, "[host_step]"));
    let message = |what: &str| format!("{what} of the manifest is not used: --policy names the operator's file");
    policy.into_iter().chain(steps).map(|(at, what)| Diagnostic::warning("policy-elsewhere", message(what)).at(at.clone())).collect()
}

/// Where there is a manifest, what the environment says of jobs makes none. What a manifest says itself in the same words is no such news: the
/// platform of an app spec puts its variables into the environment, too.
fn jobs_elsewhere(written: &Written, request: &Request) -> Option<Diagnostic> {
    let origins: Vec<&str> = written.folders.keys().map(String::as_str).collect();
    if !request.jobs_from_env || origins.is_empty() {
        return None;
    }
    let known = |name: &str, value: &str| written.manifest.env.iter().any(|(known, said)| known.value == name && said == value);
    let unheard: Vec<&str> =
        import::job_variables(&request.env).filter(|(name, value)| !known(name, value)).map(|(name, _)| name).collect();
    let message = format!(
        "the hooks are those of {}: {} of the environment make no job, and are variables of the application alone; write the job as a [[hook]] \
         (`wasmhook import --from-env` prints it), or unset what is not meant for this application",
        origins.join(" and "),
        unheard.join(", ")
    );
    (!unheard.is_empty()).then(|| Diagnostic::warning(codes::JOBS_ELSEWHERE, message))
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

/// An instance of a service that no hook belongs to would never be run on.
fn instances_of_nothing(instances: &[Instance], manifest: &Manifest) -> Vec<Diagnostic> {
    let own = manifest.hooks.iter().filter_map(|hook| hook.service.as_ref());
    let known: BTreeSet<&str> = own.chain(&manifest.services).map(|service| service.value.as_str()).collect();
    let unknown = instances.iter().filter_map(|instance| instance.service.as_ref()).filter(|service| !known.contains(service.as_str()));
    let found = |service: &ServiceName| {
        let message = format!("an instance is given for a service, but no hook belongs to the service `{service}`");
        Diagnostic::error(codes::UNKNOWN_SERVICE, message).help(suggest(service.as_str(), known.iter().copied()))
    };
    unknown.map(found).collect()
}

/// Two instances of one name that a hook can run on: its executions on both would be one to everybody who reads of them.
fn instances_twice(instances: &[Instance]) -> Option<Diagnostic> {
    let overlap = |a: &Instance, b: &Instance| a.name == b.name && (a.is_of(b.service.as_ref()) || b.is_of(a.service.as_ref()));
    let earlier = |(index, other)| Some((instances[..index].iter().find(|one| overlap(one, other))?, other));
    let (one, other) = instances.iter().enumerate().find_map(earlier)?;
    let message = format!("the instance {other} is given twice: in {} and in {}", one.dir, other.dir);
    Some(Diagnostic::error(codes::DUPLICATE_NAME, message).help("give each instance of a service a name of its own"))
}

/// What only a foreign file would hear.
fn foreign_words(request: &Request, files: &[PathBuf]) -> Vec<Diagnostic> {
    if files.iter().any(|file| !is_ours(file)) {
        return Vec::new();
    }
    let module = request.module.as_ref().map(|name| format!("--module {name}"));
    let kind = request.import_as.map(|kind| format!("--as {kind}"));
    let found = |option: String| {
        let message = format!("{option} says how a foreign file is read, and no file that is read here is one");
        Diagnostic::error(codes::USAGE, message).help("leave it out, or name the foreign file with --manifest FILE")
    };
    module.into_iter().chain(kind).map(found).collect()
}

/// Whether a file is a manifest of our own, by its name.
fn is_ours(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "toml")
}

/// What manifests say, together.
struct Written {
    manifest: Manifest,
    /// Where each file lies, by the name that is its hooks' origin.
    folders: Folders,
    notes: Vec<Located<String>>,
}

/// The merged manifest of all files; without any, what the environment says of jobs, if it was asked.
fn read_manifests(dir: &Path, request: &Request, found: &mut Vec<Diagnostic>) -> Result<Written, LoadError> {
    let default = dir.join("wasmhook.toml");
    // A link to nowhere is there: somebody meant it.
    let written = default.symlink_metadata().is_ok();
    let files = match &request.manifests[..] {
        [] if !written && request.jobs_from_env && import::job_variables(&request.env).next().is_some() => {
            let mut imported = under(request, import::from_environment(&request.env));
            imported.found.extend(foreign::job_folders(&WorkTree::open(dir)?, &imported.manifest));
            return Ok(Written::of(vec![imported], Folders::new(), found));
        }
        [] if !written && request.profile.is_none() => return Err(LoadError::NoManifest(request.dir.clone())),
        [] if !written => Vec::new(),
        [] => vec![default],
        named => named.to_vec(),
    };
    found.extend(foreign_words(request, &files));
    let (mut manifests, mut folders) = (Vec::new(), Folders::new());
    for file in files {
        let name = file.strip_prefix(dir).unwrap_or(&file).display().to_string();
        manifests.push(read_manifest(&file, &name, request)?);
        folders.insert(name, absolute(file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?);
    }
    Ok(Written::of(manifests, folders, found))
}

/// A manifest of our own ends in `.toml`; any other file is read as what it is recognised as.
fn read_manifest(file: &Path, name: &str, request: &Request) -> Result<Imported, LoadError> {
    if !is_ours(file) {
        let environment = (!request.env.is_empty()).then_some(&request.env);
        let given = Given { module: request.module.as_deref(), environment };
        return Ok(under(request, foreign::read_file(file, name, request.import_as, given)?));
    }
    let (folder, last) = foreign::split(file)?;
    let (manifest, found) = manifest::parse(name, &read_below(&folder, &last, "read the manifest")?);
    Ok(Imported { manifest, found, notes: Vec::new() })
}

/// A foreign file names its platform's lifecycle, and not one that somebody chose: what was asked for holds.
fn under(request: &Request, mut imported: Imported) -> Imported {
    imported.manifest.profile.take_if(|_| request.profile.is_some());
    imported
}

impl Written {
    fn of(read: Vec<Imported>, folders: Folders, found: &mut Vec<Diagnostic>) -> Self {
        let (mut manifests, mut notes) = (Vec::new(), Vec::new());
        for imported in read {
            found.extend(imported.found);
            notes.extend(imported.notes);
            manifests.push(imported.manifest);
        }
        Self { manifest: manifest::merge(manifests), folders, notes }
    }
}

/// Where manifests lie, by name.
type Folders = BTreeMap<String, PathBuf>;

/// Modules lie beside the manifest that names them: those of a manifest that lies elsewhere than the application's root are named by their
/// absolute path from here on. It comes after the lints, which look at paths as they are written.
fn root_modules(declared: &mut Declared, folders: &Folders) {
    let root = &declared.app_dir;
    for hook in declared.manifest.hooks.iter_mut().filter(|hook| hook.source.is_none()) {
        let Some(folder) = folders.get(&hook.origin).filter(|folder| *folder != root) else { continue };
        for guest in hook.guests_mut() {
            if let manifest::GuestDecl::Wasm { path } = guest {
                *path = folder.join(&*path).display().to_string();
            }
        }
    }
}

fn read_profile(
    dir: &Path,
    manifest: &Manifest,
    file: Option<String>,
    request: &Request,
    found: &mut Vec<Diagnostic>,
) -> Result<Option<Profile>, LoadError> {
    let named = manifest.profile.clone().or_else(|| request.profile.clone().map(Located::nowhere));
    let named = named.unwrap_or_else(|| Located::nowhere("default".to_owned()));
    if request.policy.is_some() && is_profile_file(&named.value) && !is_below(&named.value) {
        let refused = reach::profile(&named, dir);
        if refused.is_some() {
            found.extend(refused);
            return Ok(None);
        }
    }
    let profile = match file {
        Some(text) => Profile::parse(&named.value, &text).map_err(LoadError::Invalid),
        None => profile_at(dir, &named),
    };
    match profile {
        Ok(profile) => Ok(Some(profile)),
        Err(LoadError::Invalid(problems)) => {
            found.extend(problems);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A profile by its name, or by the path of its file, which is relative to `dir`.
///
/// # Errors
/// [`LoadError::Invalid`] with everything that is wrong with it or its name, or [`LoadError::Io`].
pub fn profile(dir: &Path, name: &str) -> Result<Profile, LoadError> {
    profile_at(dir, &Located::nowhere(name.to_owned()))
}

fn profile_at(dir: &Path, named: &Located<String>) -> Result<Profile, LoadError> {
    if let Some(profile) = profile::builtin(&named.value) {
        return Ok(profile);
    }
    if !is_profile_file(&named.value) {
        return Err(LoadError::Invalid(vec![profile::unknown(named)]));
    }
    let text = if is_below(&named.value) {
        read_below(dir, &named.value, READING_PROFILE)?
    } else {
        let (folder, last) = foreign::split(&dir.join(&named.value))?;
        read_below(&folder, &last, READING_PROFILE)?
    };
    Profile::parse(&named.value, &text).map_err(LoadError::Invalid)
}

/// The text of the profile's file, where the manifest names one that lies beside it.
///
/// # Errors
/// [`LoadError`] if there is none, or it can't be read.
pub(super) async fn profile_file(dir: &Path, manifest: &Manifest, beside: &Beside<'_>) -> Result<Option<String>, LoadError> {
    let named = manifest.profile.as_ref().map(|named| named.value.as_str());
    match named.filter(|named| profile::builtin(named).is_none() && is_profile_file(named) && is_below(named)) {
        Some(path) => beside.text(dir, path, READING_PROFILE).await.map(Some),
        None => Ok(None),
    }
}

const READING_PROFILE: &str = "read the profile";

/// Whether what names a profile is the path of a file.
fn is_profile_file(named: &str) -> bool {
    named.contains('/') || Path::new(named).extension().is_some_and(|extension| extension == "toml")
}

/// Whether a path stays below the directory that it is relative to.
fn is_below(path: &str) -> bool {
    !path.starts_with('/') && !path.split('/').any(|part| part == "..")
}

/// The text of the file at `path` below `folder`, where hooks may write: no link is followed to it, nothing but a regular file is opened.
pub(super) fn read_below(folder: &Path, path: &str, doing: &'static str) -> Result<String, LoadError> {
    let here = folder == Path::new(".");
    let io = |source| LoadError::Io { doing, path: if here { path.into() } else { folder.join(path) }, source };
    let refused = |error| match error {
        SourceError::Io { source, .. } => io(source),
        other => io(std::io::Error::other(other.to_string())),
    };
    let bytes = WorkTree::open(folder).and_then(|tree| tree.read(path, manifest::MAX_BYTES as u64 + 1)).map_err(refused)?;
    let bytes = bytes.ok_or_else(|| io(rustix::io::Errno::NOENT.into()))?;
    text_of(bytes).map_err(|message| io(std::io::Error::new(std::io::ErrorKind::InvalidData, message)))
}

/// The text of a file that the operator named on the command line: wherever it lies, behind links, or as the pipe that a shell makes of `<(…)`.
pub(super) fn read_text(path: &Path, doing: &'static str) -> Result<String, LoadError> {
    let io = |source| LoadError::Io { doing, path: path.to_owned(), source };
    let leads_nowhere = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound && path.is_symlink();
    let unopened = |source| match &source {
        error if leads_nowhere(error) => LoadError::Io { doing: "follow the link", path: path.to_owned(), source },
        _ => io(source),
    };
    let bytes = given::read(path, manifest::MAX_BYTES as u64 + 1).map_err(unopened)?;
    text_of(bytes).map_err(|message| io(std::io::Error::new(std::io::ErrorKind::InvalidData, message)))
}

/// Bytes of a file as text of a size that a person writes.
pub(super) fn text_of(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() > manifest::MAX_BYTES {
        return Err(format!("it has more than {}", crate::model::units::show_size(manifest::MAX_BYTES as u64)));
    }
    String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()))
}

/// The directory that a manifest is looked for in, absolute.
fn directory(path: &Path) -> Result<PathBuf, LoadError> {
    let dir = absolute(path)?;
    let source = || std::io::ErrorKind::NotADirectory.into();
    if dir.is_dir() { Ok(dir) } else { Err(LoadError::Io { doing: "look for wasmhook.toml in", path: path.to_owned(), source: source() }) }
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
