//! The app environment: declared values, apart from wasmhook's own environment.

use super::declare::{Declared, read_text};
use super::{LoadError, Request};
use crate::diagnostic::has_errors;
use crate::manifest::parse_env_file;
use std::collections::BTreeMap;

/// The app environment: `[env]`, then `env_file`, then each `--env-file`, then what the request holds; the later is stronger.
///
/// # Errors
/// [`LoadError`] if a file can't be read or understood.
pub(crate) fn app_environment(declared: &Declared, request: &Request) -> Result<BTreeMap<String, String>, LoadError> {
    let mut env: BTreeMap<String, String> = declared.manifest.env.iter().map(|(name, value)| (name.value.clone(), value.clone())).collect();
    let written = declared.manifest.env_file.as_ref().map(|file| declared.dir.join(&file.value));
    for file in written.iter().chain(&request.env_files) {
        let (values, problems) = parse_env_file(&file.display().to_string(), &read_text(file, "read the environment file")?);
        if has_errors(&problems) {
            return Err(LoadError::Invalid(problems));
        }
        env.extend(values.into_iter().map(|(name, value)| (name.value, value)));
    }
    env.extend(request.env.clone());
    Ok(env)
}
