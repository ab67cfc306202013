//! Where grants really lead: a path inside the application that is a link out of it grants what nobody read in the manifest, and what the
//! policy doesn't cover.

use super::{Declared, Request};
use crate::model::grant::{Capability, Denial, DirGrant, DirMode};
use crate::plan::grants::{Roots, covers};
use std::path::{Path, PathBuf};

/// The directories that grants may lead to; without any, no grant is held against them.
#[derive(Default)]
pub(super) struct Bounds {
    /// The application's own, without links.
    roots: Vec<PathBuf>,
    /// The policy's, without links; `None` if there is no ceiling.
    ceiling: Option<Vec<(PathBuf, DirMode)>>,
}

impl Bounds {
    /// The bounds of a run.
    pub(super) fn new(declared: &Declared, request: &Request) -> Self {
        let data_dir = declared.data_dir.display().to_string();
        let instances = request.instances.iter().map(|instance| instance.dir.clone());
        let app_dirs: Vec<String> = std::iter::once(declared.app_dir.display().to_string()).chain(instances).collect();
        let ceiling = declared.policy.dirs.as_ref().map(|dirs| {
            let on_every_root = |app_dir: &String| {
                let roots = Roots { app_dir, data_dir: &data_dir };
                let entry = |path: &str, mode: Option<DirMode>| (real(&roots.expand(path)), mode.unwrap_or(DirMode::Read));
                dirs.iter().map(|ask| entry(&ask.path.value, ask.mode.as_ref().map(|at| at.value))).collect::<Vec<_>>()
            };
            app_dirs.iter().flat_map(on_every_root).collect()
        });
        Self { roots: app_dirs.iter().chain([&data_dir]).map(|dir| real(dir)).collect(), ceiling }
    }

    /// The refusal of a grant that leads elsewhere than it says. What isn't there yet leads nowhere.
    pub(super) fn refuse(&self, grant: &DirGrant) -> Option<Denial> {
        let host = Path::new(grant.host.as_deref()?);
        let target = host.canonicalize().ok().filter(|target| target != host)?;
        let denial = |what: String, allow: String| Some(Denial { capability: Capability::Dir, what, allow });
        let shown = target.display();
        if let Some(ceiling) = &self.ceiling
            && !ceiling.iter().any(|(path, mode)| target.starts_with(path) && covers(*mode, grant.mode))
        {
            let what = format!("{} leads to {shown} ({}), which is not covered by the policy", host.display(), grant.mode);
            return denial(what, format!("[policy] dirs = [{{ path = {:?}, mode = \"{}\" }}]", target.display().to_string(), grant.mode));
        }
        let inside = |path: &Path| self.roots.iter().any(|root| path.starts_with(root));
        if inside(host) && !inside(&target) {
            let what = format!("{} is a link out of the application: it leads to {shown}", host.display());
            return denial(what, format!("grant {shown} by its own path"));
        }
        None
    }
}

/// A path without links; what isn't there stays as it is written.
fn real(path: &str) -> PathBuf {
    Path::new(path).canonicalize().unwrap_or_else(|_| PathBuf::from(path))
}
