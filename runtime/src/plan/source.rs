//! Hooks that come from a repository of their own: their files are that repository's, and a process starts in a private copy of it.

use super::resolve::Resolver;
use super::{FileFact, PlanGuest, SourceFact, script_path};
use crate::manifest::{HookDecl, SourceDecl};
use crate::model::id::Digest;
use crate::model::policy::{Cwd, Sandbox};
use crate::model::source::HookSource;
use crate::model::tree::{Listed, Listing};
use std::path::{Component, Path};

impl Resolver<'_> {
    /// What is known of a module that a hook names.
    pub(super) fn file(&self, decl: &HookDecl, path: &str) -> Option<&FileFact> {
        match self.fact(decl) {
            Some(SourceFact::Read { modules, .. }) => modules.get(path),
            Some(SourceFact::Unread { .. }) => None,
            None => self.given.files.get(path),
        }
    }

    /// Why nothing is known of a hook's files.
    pub(super) fn unread(&self, decl: &HookDecl) -> Option<String> {
        match self.fact(decl) {
            Some(SourceFact::Unread { why }) => Some(why.clone()),
            _ => None,
        }
    }

    /// Where a hook comes from, if that isn't the application.
    pub(super) fn source(&self, decl: &HookDecl) -> Option<HookSource> {
        let (name, source) = self.declared_source(decl)?;
        let commit = match self.fact(decl) {
            Some(SourceFact::Read { commit, .. }) => Some(commit.clone()),
            _ => None,
        };
        Some(HookSource { name, git: source.git.value.clone(), revision: source.revision.clone(), commit })
    }

    fn declared_source(&self, decl: &HookDecl) -> Option<(crate::model::id::SourceName, &SourceDecl)> {
        let name = &decl.source.as_ref()?.value;
        self.given.manifest.sources.iter().find(|(known, _)| known.value == *name).map(|(_, source)| (name.clone(), source))
    }

    fn fact(&self, decl: &HookDecl) -> Option<&SourceFact> {
        self.given.sources.get(&decl.source.as_ref()?.value)
    }

    fn tree(&self, decl: &HookDecl) -> Option<&Listing> {
        match self.fact(decl)? {
            SourceFact::Read { tree, .. } => tree.as_ref(),
            SourceFact::Unread { .. } => None,
        }
    }

    /// A command that runs in a copy of its source.
    pub(super) fn guest_of_source(&self, decl: &HookDecl, mut argv: Vec<String>, sandbox: Sandbox) -> PlanGuest {
        let tree = self.tree(decl);
        let script = argv.iter().enumerate().find_map(|(index, word)| {
            let file = folded(&script_path(decl, word)).filter(|_| !word.starts_with('/'))?;
            matches!(tree?.0.get(&file), Some(Listed::File { .. })).then_some((index, file))
        });
        let shown = script.as_ref().map_or_else(|| shell_words::join(&argv), |(_, file)| file.clone());
        let cwd = match (&decl.cwd, self.given.profile.cwd, script) {
            (Some(cwd), ..) => folded(&cwd.value).unwrap_or_default(),
            (None, Cwd::Folder, Some((index, file))) => {
                let (folder, name) = file.rsplit_once('/').unwrap_or(("", &file));
                argv[index] = format!("./{name}");
                folder.to_owned()
            }
            _ => String::new(),
        };
        let digest = tree.map_or_else(|| Digest::of(b""), |tree| Digest::of(&tree.to_bytes()));
        PlanGuest::Native {
            argv,
            cwd,
            tree: Some(digest),
            sandbox,
            script: None,
            shown,
            expand_env: self.given.profile.commands.expand_env,
            detach: decl.detach,
        }
    }

    /// Why a command can't start in the copy of its source, as far as its listing says: known before anything runs.
    pub(super) fn lacks_of_tree(&self, decl: &HookDecl, guest: &PlanGuest) -> Option<String> {
        let PlanGuest::Native { argv, cwd, .. } = guest else { return None };
        let tree = self.tree(decl)?;
        let source = self.source(decl)?;
        if !tree.has_folder(cwd) {
            return Some(format!("{source} has no folder {cwd}: push it, or change the hook's cwd"));
        }
        let program = argv.first().filter(|program| program.contains('/') && !program.starts_with('/'))?;
        // Of what lies behind a link the listing says nothing.
        let path = folded(&format!("{cwd}/{program}"))?;
        match tree.0.get(&path) {
            Some(Listed::File { executable: false, .. }) => Some(format!(
                "{path} of {source} is not executable: run `chmod +x`, and commit that (`git update-index --chmod=+x {path}`)"
            )),
            Some(_) => None,
            None if goes_through_a_link(tree, &path) => None,
            None => Some(format!("{source} has no file {path}: push it, or correct the command")),
        }
    }
}

/// A path below a root without `.` and `..`; `None` if it leaves the root.
fn folded(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => _ = parts.pop()?,
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(parts.join("/"))
}

fn goes_through_a_link(tree: &Listing, path: &str) -> bool {
    path.match_indices('/').any(|(end, _)| matches!(tree.0.get(&path[..end]), Some(Listed::Link { .. } | Listed::Folder)))
}
