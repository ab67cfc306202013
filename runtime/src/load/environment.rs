//! The app environment: declared values, apart from wasmhook's own environment.

use super::declare::{Declared, read_below, read_text};
use super::{LoadError, Request};
use crate::diagnostic::has_errors;
use crate::manifest::parse_env_file;
use std::collections::BTreeMap;

const READING: &str = "read the environment file";

/// The app environment: `[env]`, then `env_file`, then each `--env-file`, then what the request holds; the later is stronger.
///
/// # Errors
/// [`LoadError`] if a file can't be read or understood.
pub(crate) fn app_environment(declared: &Declared, request: &Request) -> Result<BTreeMap<String, String>, LoadError> {
    let mut env: BTreeMap<String, String> = declared.manifest.env.iter().map(|(name, value)| (name.value.clone(), value.clone())).collect();
    let mut add = |name: &str, text: &str| {
        let (values, problems) = parse_env_file(name, text);
        if has_errors(&problems) {
            return Err(LoadError::Invalid(problems));
        }
        env.extend(values.into_iter().map(|(name, value)| (name.value, value)));
        Ok(())
    };
    if let Some(file) = &declared.manifest.env_file {
        let name = declared.dir.join(&file.value).display().to_string();
        add(&name, &read_below(&declared.dir, &file.value, READING)?)?;
    }
    for file in &request.env_files {
        add(&file.display().to_string(), &read_text(file, READING)?)?;
    }
    env.extend(request.env.clone());
    Ok(env)
}
