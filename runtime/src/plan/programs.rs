//! Programs that the operator adds to those of the system: `[policy] programs`.

use super::grants::Roots;
use crate::manifest::PolicyDecl;
use crate::model::grant::{DirGrant, DirMode, EnvGrant, EnvSource, Grants};
use crate::model::job::DEFAULT_PATH;
use std::path::Path;

/// Directories whose programs native hooks find first, and may read and execute.
pub(super) struct Programs {
    dirs: Vec<String>,
}

impl Programs {
    pub(super) fn new(policy: &PolicyDecl, roots: &Roots<'_>) -> Self {
        Self { dirs: policy.programs.iter().map(|dir| roots.expand(&dir.value)).collect() }
    }

    /// Grants them to a native hook. A PATH that the hook itself writes (`set`) stays as it is.
    pub(super) fn grant(&self, grants: &mut Grants) {
        if self.dirs.is_empty() {
            return;
        }
        for dir in &self.dirs {
            // What lies in a directory of the hook's that it finds in its own place is there already, staged if that is.
            let is_reached = |grant: &DirGrant| grant.host.as_deref() == Some(&*grant.guest) && Path::new(dir).starts_with(&grant.guest);
            if !grants.dirs.iter().any(is_reached) {
                grants.dirs.push(DirGrant { host: Some(dir.clone()), guest: dir.clone(), mode: DirMode::Read });
            }
        }
        let is_written = |env: &EnvGrant| env.name == "PATH" && matches!(env.source, EnvSource::Value { .. });
        if grants.env.iter().any(is_written) {
            return;
        }
        let path = EnvSource::Value { value: format!("{}:{DEFAULT_PATH}", self.dirs.join(":")) };
        grants.env.retain(|env| env.name != "PATH");
        grants.env.push(EnvGrant { name: "PATH".to_owned(), source: path });
        grants.env.sort_by(|a, b| a.name.cmp(&b.name));
    }
}
