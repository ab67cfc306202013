//! The app environment: declared values, apart from wasmhook's own environment.

use super::beside::Beside;
use super::declare::{Declared, read_below, read_text};
use super::{LoadError, Request};
use crate::diagnostic::has_errors;
use crate::manifest::parse_env_file;
use std::collections::BTreeMap;

const READING: &str = "read the environment file";

/// The app environment of what is checked out: `[env]`, then `env_file`, then each `--env-file`, then what the request holds; the later is
/// stronger.
///
/// # Errors
/// [`LoadError`] if a file can't be read or understood.
pub(crate) fn app_environment(declared: &Declared, request: &Request) -> Result<BTreeMap<String, String>, LoadError> {
    let file = declared.manifest.env_file.as_ref();
    together(declared, request, file.map(|file| read_below(&declared.dir, &file.value, READING)).transpose()?)
}

/// The app environment of the release whose manifest was read at `beside`.
///
/// # Errors
/// As [`app_environment`].
pub(super) async fn of_release(declared: &Declared, request: &Request, beside: &Beside<'_>) -> Result<BTreeMap<String, String>, LoadError> {
    let text = match &declared.manifest.env_file {
        Some(file) => Some(beside.text(&declared.dir, &file.value, READING).await?),
        None => None,
    };
    together(declared, request, text)
}

/// `env_file` is the text of the file that the manifest names so.
fn together(declared: &Declared, request: &Request, env_file: Option<String>) -> Result<BTreeMap<String, String>, LoadError> {
    let mut env: BTreeMap<String, String> = declared.manifest.env.iter().map(|(name, value)| (name.value.clone(), value.clone())).collect();
    let mut add = |name: &str, text: &str| {
        let (values, problems) = parse_env_file(name, text);
        if has_errors(&problems) {
            return Err(LoadError::Invalid(problems));
        }
        env.extend(values.into_iter().map(|(name, value)| (name.value, value)));
        Ok(())
    };
    if let (Some(file), Some(text)) = (&declared.manifest.env_file, env_file) {
        add(&declared.dir.join(&file.value).display().to_string(), &text)?;
    }
    for file in &request.env_files {
        add(&file.display().to_string(), &read_text(file, READING)?)?;
    }
    env.extend(request.env.clone());
    Ok(env)
}
