//! How far a repository's manifest reaches where the operator's policy is a file of its own: `$APP_DIR` and `$DATA_DIR` of that policy, and what
//! its host steps are told, must be no choice of the repository's, and no file of the operator's is read aloud to it or replaced for it.

use super::Request;
use crate::diagnostic::{Diagnostic, Located, Location, codes};
use crate::document::{error_at, quote};
use crate::manifest::{Manifest, PolicyDecl};
use crate::profile::Profile;
use std::path::{Component, Path, PathBuf};

/// Where the application is.
pub(super) struct Places<'a> {
    /// The manifest's directory, without links.
    pub dir: &'a Path,
    /// The application's root.
    pub app_dir: &'a Path,
    /// The application's data.
    pub data_dir: &'a Path,
}

/// Directories that the manifest names outside of its own, and that neither the command line nor the policy does.
pub(super) fn roots(manifest: &Manifest, request: &Request, policy: &PolicyDecl, places: &Places<'_>) -> Vec<Diagnostic> {
    let named = [
        (&manifest.app_dir, request.app_dir.is_some(), places.app_dir, "app_dir", "--app-dir"),
        (&manifest.data_dir, request.data_dir.is_some(), places.data_dir, "data_dir", "--data-dir"),
    ];
    let beyond = named.into_iter().filter_map(|(written, is_given, place, key, option)| {
        let written = written.as_ref().filter(|written| !is_given && !is_operators(&written.at, places.dir))?;
        let message = format!("`{key}` leads to {}, out of the manifest's directory, and the policy doesn't name that", place.display());
        let help = format!("give {option} {0}, or name {0} in `[policy] dirs`", place.display());
        (!is_below(place, places.dir) && !is_named(place, policy)).then(|| error_at(written, codes::ESCAPES_ROOT, message).help(help))
    });
    beyond.collect()
}

/// A profile's file that the manifest names outside of its directory: what is wrong with it would be shown with its lines.
pub(super) fn profile(named: &Located<String>, dir: &Path) -> Option<Diagnostic> {
    let message = format!("{} does not lie below the manifest's directory", quote(&named.value));
    let found = error_at(named, codes::ESCAPES_ROOT, message);
    (!is_operators(&named.at, dir)).then(|| found.help("leave it out of the manifest, and give `--profile FILE` beside `--policy`"))
}

/// A file elsewhere that a repository's own profile would let the host replace.
pub(super) fn commit_file(named: &Located<String>, profile: &Profile, request: &Request, dir: &Path) -> Option<Diagnostic> {
    let file = profile.commit_file.as_ref().filter(|_| request.commit_file.is_none() && !is_operators(&named.at, dir))?;
    let message = format!("the profile {} lets each success replace {}, out of the application", quote(&named.value), quote(file));
    Some(error_at(named, codes::ESCAPES_ROOT, message).help("give `--commit-file FILE`, or the profile with `--profile` instead"))
}

/// Whether a value was written by the operator: in code, or in a manifest that lies elsewhere than the application.
fn is_operators(at: &Location, dir: &Path) -> bool {
    let Some(source) = &at.source else { return true };
    let file = dir.join(&source.name).canonicalize().or_else(|_| Path::new(&source.name).canonicalize());
    file.is_ok_and(|file| !file.starts_with(dir))
}

/// Whether a place stays below `dir`. One that isn't there yet may still hold `..`, which no link has been followed for.
fn is_below(place: &Path, dir: &Path) -> bool {
    place.starts_with(dir) && !place.components().any(|part| part == Component::ParentDir)
}

/// Whether the policy itself names a place; one without a list of directories grants whatever is asked for.
fn is_named(place: &Path, policy: &PolicyDecl) -> bool {
    let Some(dirs) = &policy.dirs else { return true };
    let written = dirs.iter().map(|dir| PathBuf::from(&dir.path.value)).filter(|path| path.is_absolute());
    written.map(|path| path.canonicalize().unwrap_or(path)).any(|path| is_below(place, &path))
}
