//! The backup before a hook: of what, where to, and whether the operator demands one.

use super::grants::{self, Roots};
use super::order::Instance;
use super::resolve::Resolver;
use crate::manifest::{BACKUPS_KEPT, HookDecl, Located};
use crate::model::backup::{self, BackupPlan};
use crate::model::grant::{Capability, Denial, DirMode, Grants};
use std::path::Path;

impl Resolver<'_> {
    /// The backup that a hook declares. One that isn't allowed, or that is missing where the operator demands it, is a refusal.
    pub(super) fn backup(&mut self, decl: &HookDecl, grants: &Grants, instance: Option<&Instance>) -> Option<BackupPlan> {
        if decl.backup.is_empty() {
            return None;
        }
        let roots = Roots { app_dir: instance.map_or(self.given.roots.app_dir, |instance| &instance.dir), ..self.given.roots };
        let dirs: Vec<String> = decl.backup.iter().map(|path| roots.expand(&path.value)).collect();
        for (dir, written) in dirs.iter().zip(&decl.backup) {
            let refusal = self.refusal(dir, written, grants, &roots);
            self.denials.extend(refusal.map(|denial| (decl.id.value.clone(), denial)));
        }
        let policy = self.given.policy;
        Some(BackupPlan { dirs, into: policy.backup_dir.clone(), keep: policy.backup_keep.unwrap_or(BACKUPS_KEPT) })
    }

    /// Refuses a hook that changes something for good and has no backup, where the operator demands one.
    pub(super) fn demand_backup(&mut self, decl: &HookDecl) {
        if !self.given.policy.require_backup || decl.effects.is_empty() || !decl.backup.is_empty() {
            return;
        }
        let what = format!(
            "it changes for good what nothing here can take back (effects: {}), and declares no backup, which the policy demands",
            backup::words(&decl.effects)
        );
        let allow = "backup = [\"$DATA_DIR\"] in the hook, or whichever directories hold what it changes".to_owned();
        self.denials.push((decl.id.value.clone(), Denial { capability: Capability::Effect, what, allow }));
    }

    /// Why a directory isn't copied: a hook can't have others copied than those that are the application's or its own.
    fn refusal(&self, dir: &str, written: &Located<String>, grants: &Grants, roots: &Roots<'_>) -> Option<Denial> {
        let granted = grants.dirs.iter().filter_map(|grant| grant.host.as_deref());
        let lies_in = |root: &str| Path::new(dir).starts_with(root);
        if !granted.chain([roots.app_dir, roots.data_dir]).any(lies_in) {
            return Some(Denial {
                capability: Capability::Dir,
                what: format!("backup of {dir}: it lies neither in the application's directories nor in one that the hook is granted"),
                allow: format!("dirs = [{{ path = {:?}, mode = \"read\" }}] in the hook", written.value),
            });
        }
        grants::covered(dir, DirMode::Read, self.given.policy, roots).err()
    }
}
