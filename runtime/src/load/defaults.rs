//! Hooks that the profile brings along, where the application has none of its own in their phase.

use super::LoadError;
use crate::diagnostic::codes;
use crate::discover::{Source, SourceError};
use crate::manifest::{DirAsk, HookDecl, Manifest};
use crate::plan::Notice;
use crate::profile::{DefaultHook, Profile};

/// Adds the profile's own hooks, and says so.
///
/// # Errors
/// [`LoadError`] if git can't be asked for the files that they depend on.
pub(super) async fn add(manifest: &mut Manifest, profile: &Profile, source: &Source) -> Result<Vec<Notice>, LoadError> {
    let mut notices = Vec::new();
    for default in &profile.default_hooks {
        let phase = |hook: &HookDecl| hook.phase.as_ref().map(|at| &at.value).or(profile.default_phase.as_ref()) == Some(&default.phase);
        if manifest.hooks.iter().any(phase) || !is_due(default, source).await? {
            continue;
        }
        let note =
            default.note.clone().unwrap_or_else(|| format!("{}/{} comes with the profile {}", default.phase, default.id, profile.name));
        notices.push(Notice { code: codes::DEFAULT_HOOK.to_owned(), message: note });
        manifest.hooks.push(declaration(default, &profile.name));
    }
    Ok(notices)
}

/// Whether the release has the file that it depends on.
async fn is_due(default: &DefaultHook, source: &Source) -> Result<bool, LoadError> {
    let Some(path) = &default.when_file else { return Ok(true) };
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    match source.list(folder).await {
        Ok(entries) => Ok(entries.into_iter().flatten().any(|entry| entry.name == name)),
        Err(SourceError::Git(error)) => Err(error.into()),
        // A folder that can't be listed holds no file that anybody could run.
        Err(_) => Ok(false),
    }
}

fn declaration(default: &DefaultHook, profile: &str) -> HookDecl {
    let mut hook = HookDecl::native(default.id.clone(), default.phase.clone(), default.run.clone());
    hook.label.clone_from(&default.label);
    hook.dirs = default.dirs.iter().map(DirAsk::from).collect();
    hook.origin = format!("profile {profile}");
    hook
}
