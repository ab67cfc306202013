//! Foreign files and folders, read below the directory that was named and nowhere else.

use super::declare::text_of;
use super::{LoadError, found};
use crate::diagnostic::{Diagnostic, Located, codes};
use crate::discover::release::{self, Search};
use crate::discover::version::Version;
use crate::discover::{Entry, EntryKind, Source, SourceError, WorkTree};
use crate::document::quote;
use crate::manifest::import::{self, Given, Imported, Kind, POST_COMPILE, Recognised};
use crate::manifest::{MAX_BYTES, Manifest};
use crate::model::id::{StepName, Tag};
use crate::profile::{self, Discovery};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The files that a directory is searched for, with their formats.
const FILES: &[(&str, Kind)] = &[
    ("app_desc.yaml", Kind::AppDesc),
    ("app_desc.yml", Kind::AppDesc),
    ("Boxfile", Kind::Boxfile),
    ("appspec.yaml", Kind::AppSpec),
    ("appspec.yml", Kind::AppSpec),
    (".do/app.yaml", Kind::AppSpec),
    (".do/app.yml", Kind::AppSpec),
];
/// Files of other tools that a directory may hold.
const NEIGHBOURS: &[&str] = &["Procfile", "app.json", "boxfile.yml", "boxfile.yaml"];
/// Folders that hold jobs by convention.
const JOB_FOLDERS: &[&str] = &["scripts/pre-deploy", "scripts/post-deploy"];
/// The lifecycle whose hooks lie in a release folder, and that of the file below `bin`.
const RELEASE_PROFILE: &str = "tenant-upgrade";
const BUILD_PROFILE: &str = "blueking";

/// Imports a file, or what a directory holds. `tag` chooses the release of a release folder; without one it is the newest.
///
/// # Errors
/// [`LoadError::Invalid`] if nothing there is a format that is read, or more than one is; otherwise as for any file that is read.
pub async fn import(path: &Path, kind: Option<Kind>, tag: Option<&Tag>, given: Given<'_>) -> Result<Imported, LoadError> {
    let absolute = path.canonicalize().map_err(|source| LoadError::Io { doing: "find", path: path.to_owned(), source })?;
    // The path's last part decides what is read: a link there would be somebody else's choice.
    if !absolute.is_dir() || path.is_symlink() {
        return read_file(path, &path.display().to_string(), kind, given);
    }
    match search(&absolute, kind)? {
        Holds::File(file) => read_file(&path.join(file), file, kind, given),
        Holds::Releases { root, folder } => releases(&root, &folder, tag).await,
        Holds::PostCompile => Ok(only_post_compile()),
    }
}

/// Reads a foreign file that messages call `shown`, of a kind that was named or that is recognised, and looks at what lies beside it.
///
/// # Errors
/// [`LoadError`] if the file can't be read, is a link, or is none of the formats.
pub(super) fn read_file(path: &Path, shown: &str, kind: Option<Kind>, given: Given<'_>) -> Result<Imported, LoadError> {
    let (folder, name) = split(path)?;
    let tree = WorkTree::open(&folder)?;
    let bytes = tree.read(&name, MAX_BYTES as u64).map_err(|error| unread(path, error))?;
    let bytes = bytes.ok_or_else(|| unread(path, SourceError::Io { path: name.clone(), source: ErrorKind::NotFound.into() }))?;
    let text = text_of(bytes).map_err(|message| refused(codes::YAML_SYNTAX, format!("{}: {message}", quote(shown)), "save it as UTF-8"))?;
    let kind = match (import::neighbour_by_path(&path.display().to_string()), kind, import::recognise(shown, &text)) {
        (Some(neighbour), ..) | (None, None, Recognised::Neighbour(neighbour)) => {
            return Err(refused(codes::FOREIGN_FORMAT, format!("{}: {}", quote(shown), neighbour.refusal()), neighbour.help));
        }
        (None, Some(kind), _) | (None, None, Recognised::Format(kind)) => kind,
        (None, None, Recognised::Unknown) => return Err(unknown(shown)),
    };
    let mut imported = import::import(kind, shown, &text, given);
    beside(&tree, kind, &mut imported)?;
    Ok(imported)
}

/// What lies beside a foreign file and belongs to its format.
fn beside(tree: &WorkTree, kind: Kind, imported: &mut Imported) -> Result<(), LoadError> {
    match kind {
        Kind::AppDesc if tree.has_file(POST_COMPILE)? => imported.manifest.hooks.extend(import::post_compile().ok()),
        Kind::AppSpec => imported.found.extend(job_folders(tree, &imported.manifest)),
        _ => {}
    }
    Ok(())
}

/// What is to be said of folders that hold jobs by convention.
pub(super) fn job_folders(tree: &WorkTree, manifest: &Manifest) -> Vec<Diagnostic> {
    let there: Vec<&str> = JOB_FOLDERS.iter().copied().filter(|folder| tree.list(folder).is_ok_and(|found| found.is_some())).collect();
    import::unused_job_folders(&manifest.hooks, &there)
}

/// What a directory holds that can be imported.
enum Holds {
    File(&'static str),
    Releases { root: PathBuf, folder: String },
    PostCompile,
}

/// A manifest is what somebody wrote, and no file of a release: one that can't be read is told like our own.
fn unread(path: &Path, error: SourceError) -> LoadError {
    let source = match error {
        SourceError::Git(error) => return error.into(),
        SourceError::Io { source, .. } => source,
        SourceError::Refused { .. } => std::io::Error::other(error.to_string()),
    };
    LoadError::Io { doing: "read the manifest", path: path.to_owned(), source }
}

/// Finds the one thing in a directory that can be imported.
fn search(dir: &Path, kind: Option<Kind>) -> Result<Holds, LoadError> {
    let tree = WorkTree::open(dir)?;
    let wanted = |found: Kind| kind.is_none_or(|kind| kind == found);
    let mut files: Vec<&'static str> = Vec::new();
    for (file, found) in FILES.iter().filter(|(_, found)| wanted(*found)) {
        let foreign = |text: &str| kind.is_none() && matches!(import::recognise(file, text), Recognised::Neighbour(_));
        let bytes = tree.read(file, MAX_BYTES as u64).map_err(|error| unread(&dir.join(file), error))?;
        if bytes.is_some_and(|bytes| !foreign(&String::from_utf8_lossy(&bytes)))
            && !files.iter().any(|file| FILES.contains(&(*file, *found)))
        {
            files.push(file);
        }
    }
    let releases = release_folder(dir, &tree).filter(|_| wanted(Kind::ReleaseFolder));
    match (&files[..], releases) {
        ([file], None) => Ok(Holds::File(file)),
        ([], Some((root, folder))) => Ok(Holds::Releases { root, folder }),
        ([], None) if wanted(Kind::AppDesc) && tree.has_file(POST_COMPILE)? => Ok(Holds::PostCompile),
        ([], None) => Err(nothing(dir, &tree)),
        (files, releases) => {
            let folder = releases.map(|(_, folder)| format!("{folder}/"));
            let all: Vec<String> = files.iter().map(|file| quote(file)).chain(folder.as_deref().map(quote)).collect();
            let message = format!("{} holds more than one format: {}", quote(&dir.display().to_string()), all.join(", "));
            Err(refused(codes::UNKNOWN_FORMAT, message, "name the file, or give --as KIND"))
        }
    }
}

/// Nothing can be imported: what is there instead is said by name.
fn nothing(dir: &Path, tree: &WorkTree) -> LoadError {
    let path = |name: &&&str| tree.has_file(name).unwrap_or(true);
    let neighbours = NEIGHBOURS.iter().filter(path).filter_map(|name| Some((*name, import::neighbour_by_path(name)?)));
    let kamal = tree.list(".kamal/hooks").is_ok_and(|found| found.is_some());
    let kamal = kamal.then(|| import::neighbour_by_path(".kamal/hooks/")).flatten().map(|neighbour| (".kamal/hooks", neighbour));
    let dir = quote(&dir.display().to_string());
    match neighbours.chain(kamal).next() {
        Some((name, neighbour)) => {
            refused(codes::FOREIGN_FORMAT, format!("{dir} holds {}: {}", quote(name), neighbour.refusal()), neighbour.help)
        }
        None => refused(
            codes::UNKNOWN_FORMAT,
            format!("{dir} holds nothing that can be imported"),
            "name a file, with --as KIND if its name doesn't say what it is",
        ),
    }
}

/// The folder of release hooks that a directory is, or holds, with the directory it lies in.
fn release_folder(dir: &Path, tree: &WorkTree) -> Option<(PathBuf, String)> {
    let folder = discovery()?.folder;
    let is_hook = |entry: &Entry| matches!(entry.kind, EntryKind::File { .. } | EntryKind::Link) && tag_of(&entry.name).is_some();
    let holds = |tree: &WorkTree, folder: &str| tree.list(folder).ok().flatten().is_some_and(|entries| entries.iter().any(is_hook));
    if holds(tree, ".") {
        return Some((dir.parent()?.to_owned(), dir.file_name()?.to_str()?.to_owned()));
    }
    holds(tree, &folder).then(|| (dir.to_owned(), folder))
}

/// How the lifecycle of release folders finds hooks.
fn discovery() -> Option<Discovery> {
    profile::builtin(RELEASE_PROFILE)?.discovery
}

/// The release that a file's name begins with: the longest version that ends at a dot, or at the end.
fn tag_of(name: &str) -> Option<Tag> {
    let ends = name.match_indices('.').map(|(at, _)| at).collect::<Vec<_>>();
    ends.into_iter().rev().map(|end| &name[..end]).find(|tag| Version::of(tag).is_some()).and_then(|tag| Tag::new(tag).ok())
}

/// The hooks of one release of a release folder.
async fn releases(root: &Path, folder: &str, tag: Option<&Tag>) -> Result<Imported, LoadError> {
    let (Some(profile), Some(discovery)) = (profile::builtin(RELEASE_PROFILE), discovery()) else {
        return Err(unknown(folder));
    };
    let discovery = Discovery { folder: folder.to_owned(), ..discovery };
    let source = Source::WorkTree(WorkTree::open(root)?);
    let entries = source.list(folder).await?.unwrap_or_default();
    let mut tags: BTreeSet<Tag> = entries.iter().filter_map(|entry| tag_of(&entry.name)).collect();
    tags.extend(tag.cloned());
    let newest =
        tags.iter().max_by(|a, b| Version::of(a.as_str()).partial_cmp(&Version::of(b.as_str())).unwrap_or(std::cmp::Ordering::Equal));
    let Some(target) = tag.or(newest).cloned() else { return Err(unknown(folder)) };
    let phases: Vec<StepName> = profile.phases().map(|(name, _)| name.clone()).collect();
    let search = Search { discovery: &discovery, phases: &phases, target: &target, previous: None, tags: &tags };
    let found = found::declarations(&release::find(&source, &search).await?, &discovery);
    let mut imported = Imported::default();
    imported.manifest.profile = Some(Located::nowhere(RELEASE_PROFILE.to_owned()));
    imported.manifest.hooks = found.hooks;
    imported.found = found.problems;
    imported.found.extend(found.warnings.into_iter().map(|warning| Diagnostic::warning(codes::RELEASE_FILE, warning.message)));
    let notes = found.notices.into_iter().map(|notice| notice.message);
    imported.notes =
        notes.chain([format!("these are the hooks of {target}: a wasmhook.toml belongs to one release")]).map(Located::nowhere).collect();
    let others: Vec<String> = tags.iter().filter(|other| **other != target).map(ToString::to_string).collect();
    if !others.is_empty() {
        let message = format!("the hooks of {} are left out", others.join(", "));
        imported.found.push(
            Diagnostic::warning(codes::NOT_IMPORTED, message)
                .help("give --tag T for those of another release; they are found by their names without any manifest"),
        );
    }
    Ok(imported)
}

/// The hook of an application that has no description: a file with a fixed name.
fn only_post_compile() -> Imported {
    let mut imported = Imported::default();
    imported.manifest.profile = Some(Located::nowhere(BUILD_PROFILE.to_owned()));
    imported.manifest.hooks.extend(import::post_compile().ok());
    let message = format!(
        "there is no app_desc.yaml, so {POST_COMPILE} is all there is: it runs right after the build, in the build's own tree, and not before the release in a container of its own"
    );
    let help = "what must be done once before the release, as a database migration, is written as `pre_release_hook` of an app_desc.yaml";
    imported.found.push(Diagnostic::warning(codes::IMPORTED, message).help(help));
    imported
}

/// The folder of a file, whose path is the operator's, and its name there.
pub(super) fn split(path: &Path) -> Result<(PathBuf, String), LoadError> {
    let unusable = |kind: ErrorKind| LoadError::Io { doing: "read the manifest", path: path.to_owned(), source: kind.into() };
    // `..` and `/` name a directory whatever is there.
    let name = path.file_name().ok_or_else(|| unusable(ErrorKind::IsADirectory))?;
    let name = name.to_str().ok_or_else(|| unusable(ErrorKind::InvalidFilename))?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((folder.to_owned(), name.to_owned()))
}

fn unknown(shown: &str) -> LoadError {
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let message = format!("{} is no format that is recognised", quote(shown));
    refused(
        codes::UNKNOWN_FORMAT,
        message,
        format!("say what it is with --as KIND: {}; a manifest of wasmhook's own ends in .toml", kinds.join(", ")),
    )
}

fn refused(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> LoadError {
    LoadError::Invalid(vec![Diagnostic::error(code, message).help(help)])
}
